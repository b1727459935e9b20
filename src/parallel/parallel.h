/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/parallel.h: threads, and the one BLAS thread setting.
 *
 * BLAS's thread count belongs to the process.  An entry point of the library that is about to open
 * parallel regions takes the guard, which sets BLAS to one thread and remembers what it was; the
 * guard is given back outside every parallel region.
 */
#ifndef STJ_PARALLEL_PARALLEL_H
#define STJ_PARALLEL_PARALLEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

struct stj_blas_guard {
    int threads_before;
};

struct stj_blas_guard stj_blas_guard_take(size_t n_threads);
void stj_blas_guard_give(struct stj_blas_guard guard);

static inline void stj_blas_guard_drop(struct stj_blas_guard *guard) /* for STJ_HELD */
{
    stj_blas_guard_give(*guard);
}

/* STJ_ENOMEM unless every thread has the buffer that OpenBLAS multiplies matrices in: where it gets
 * none, it tries again for ever.  To be asked before work begins; costs nothing after the first
 * time. */
enum stj_status stj_blas_prepare(struct stj_error *err);

/* Threads that parallel regions of the library use: the caller's wish (stj_set_threads), of more
 * than there are processors 64 at most; else OMP_NUM_THREADS, but no more than processors to run
 * on, else all of these; no more than OpenMP gives here. */
size_t stj_threads(void);

/* Processors that this process may run on (OpenMP knows of affinity). */
size_t stj_processors(void);

/* From now on a region has as many as it asks for, whatever the load (OMP_DYNAMIC): for threads of
 * several processes that wait for each other. */
void stj_threads_fixed(void);

/* The number of the calling thread within its parallel region, from 0, and how many there are. */
size_t stj_thread_number(void);
size_t stj_team_size(void);

/* A place where the threads of one parallel region wait for each other.  A thread that waits spins
 * for some tens of microseconds, which is what the shortest phases need, and then sleeps: OpenMP's
 * own barrier spins for milliseconds, and where another process holds one of the processors, a
 * sweep of thousands of short phases would take a time slice of the scheduler for each. */
struct stj_barrier {
    size_t n_threads;
    size_t spins; /* looks before a thread sleeps: none with more threads than processors */
    atomic_size_t arrived, round, sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};
/* between_processes: it lies in memory that they share. */
void stj_barrier_init(struct stj_barrier *barrier, bool between_processes);
void stj_barrier_destroy(struct stj_barrier *barrier);

/* Return when all n_threads threads have come here; what each wrote before, all see after.  The
 * first call sets n_threads outside of the region or before another barrier of the region. */
void stj_barrier_wait(struct stj_barrier *barrier);

/* A mutex for callbacks that must not be called from two threads at once; NULL: they may be. */
enum stj_status stj_turn_create(pthread_mutex_t **turn, struct stj_error *err);
void stj_turn_destroy(pthread_mutex_t *turn);
void stj_turn_take(pthread_mutex_t *turn);
void stj_turn_give(pthread_mutex_t *turn);

/* y[0..n) <- sum over parts p = 0..n_parts-1 of part[p][0..n), added in the order of p whatever
 * the number of threads.  The one place where partial sums meet. */
#define stj_reduce(n, n_parts, part, ld_part, y)                                                   \
    _Generic((y), float *: stj_reduce_float, double *: stj_reduce_double)(n, n_parts, part,        \
                                                                          ld_part, y)
void stj_reduce_float(size_t n, size_t n_parts, const float *part, size_t ld_part, float *y);
void stj_reduce_double(size_t n, size_t n_parts, const double *part, size_t ld_part, double *y);

#endif
