/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/parallel.h: threads, and the one BLAS thread setting.
 *
 * BLAS's thread count belongs to the process.  An entry point of the library that is about to open
 * parallel regions takes the guard, which sets BLAS to one thread and remembers what it was; the
 * guard is given back outside every parallel region.
 */
#ifndef STJ_BASE_PARALLEL_H
#define STJ_BASE_PARALLEL_H

#include <stddef.h>

struct stj_blas_guard {
    int threads_before;
};

struct stj_blas_guard stj_blas_guard_take(size_t n_threads);
void stj_blas_guard_give(struct stj_blas_guard guard);

/* Threads that parallel regions of the library use: the caller's wish (stj_set_threads), else
 * OMP_NUM_THREADS, else every processor. */
size_t stj_threads(void);

/* The number of the calling thread within its parallel region, from 0. */
size_t stj_thread_number(void);

/* y[0..n) <- sum over parts p = 0..n_parts-1 of part[p][0..n), added in the order of p whatever
 * the number of threads.  The one place where partial sums meet. */
void stj_reduce(size_t n, size_t n_parts, const double *part, size_t ld_part, double *y);

#endif
