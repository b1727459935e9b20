/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/progress.h: progress reports and interruption of long work; number of threads.
 *
 * Threads, including those of OpenBLAS: OpenBLAS has one number of threads for the whole process.
 * While a training, a product, a solve or an analysis runs, the library sets it to one (each of the
 * library's threads calls OpenBLAS), and for factorisations between products to the number of
 * stj_set_threads; when the function returns, the number is restored.  Therefore only one of these
 * may run at a time in a process.  A program that calls OpenBLAS from another thread meanwhile
 * finds that number, and must not change it.
 */
#ifndef SPECTRAJ_PROGRESS_H
#define SPECTRAJ_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called between the pieces of long work (training steps, operator products, columns): `what` is
 * its name, with how far it is in its own words behind it in brackets, "singular pairs (7 of 20)";
 * `done` of `total` pieces are finished (total 0: not known; of singular pairs it is the number of
 * products that was expected, which `done` may pass).  Return non-zero to
 * interrupt: the work then stops at a consistent point with STJ_EINTERRUPTED or stop reason
 * "interrupted".  Called from the thread that called the library. */
typedef int (*stj_progress_fn)(void *ctx, const char *what, double done, double total);

/* Called with a sentence that the user should read although the work continues. */
typedef void (*stj_warn_fn)(void *ctx, const char *text);

/* Where to report.  All zero: nowhere. */
struct stj_progress {
    stj_progress_fn fn; /* NULL: no reports, no interruption */
    void *ctx;          /* passed to fn and warn; borrowed for as long as the work lasts */
    stj_warn_fn warn;   /* NULL: no warnings */
    stj_warn_fn note;   /* a line that was asked for (--monitor); NULL: none */
};

/* While the library waits for another process (of a problem), the waiting thread calls `asked`
 * several times a second; true ends the work with STJ_EINTERRUPTED.  NULL, the default: wait until
 * the answer arrives or the time limit of the process expires. */
void stj_set_interrupt(bool (*asked)(void));

/* Threads for the library's parallel regions; at most 64 if that exceeds the number of processors.
 * 0: OMP_NUM_THREADS, but at most the available processors.  Results have the same bits for every
 * number of threads on one kind of CPU and BLAS. */
void stj_set_threads(size_t n_threads);

#ifdef __cplusplus
}
#endif

#endif
