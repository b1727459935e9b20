/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/progress.h: how long work reports and is interrupted; number of threads.
 *
 * Threads, those of OpenBLAS among them: OpenBLAS has one number of threads for the whole process.
 * While a training, a product, a solve or an analysis works it is set to one (the library's own
 * threads each call it), and for factorisations between products to what stj_set_threads says; when
 * the function returns, it is what it was.  So these work one at a time in a process, and a program
 * that calls OpenBLAS in a thread of its own meanwhile finds that number, and must not set it.
 */
#ifndef SPECTRAJ_PROGRESS_H
#define SPECTRAJ_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called between the pieces of long work (training steps, operator products, columns): `what` is
 * its name, `done` of `total` pieces are finished (total 0: not known).  Return non-zero to
 * interrupt: the work then stops at a consistent point with STJ_EINTERRUPTED or stop reason
 * "interrupted".  Called from the thread that called the library. */
typedef int (*stj_progress_fn)(void *ctx, const char *what, double done, double total);

/* Called with a sentence that the user should read although the work goes on. */
typedef void (*stj_warn_fn)(void *ctx, const char *text);

/* Whom to report to.  All zero: nobody. */
struct stj_progress {
    stj_progress_fn fn; /* NULL: no reports, no interruption */
    void *ctx;          /* passed to fn and warn; borrowed for as long as the work lasts */
    stj_warn_fn warn;   /* NULL: no warnings */
    stj_warn_fn note;   /* a line that was asked for (--monitor); NULL: none */
};

/* While the library waits for another process (of a problem), `asked` is called several times a
 * second, from the thread that waits; true: the work ends with STJ_EINTERRUPTED.  NULL, as at the
 * beginning: it waits until the answer, or the process's time, is there. */
void stj_set_interrupt(bool (*asked)(void));

/* Threads for the library's parallel regions, of more than there are processors 64 at most; 0:
 * OMP_NUM_THREADS, but no more than the processors at hand.  Results have the same bits
 * for every number of threads on one kind of CPU and BLAS. */
void stj_set_threads(size_t n_threads);

#ifdef __cplusplus
}
#endif

#endif
