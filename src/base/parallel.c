/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/parallel.c: thread counts, the BLAS guard, and the ordered reduction. */
#include "base/parallel.h"

#include <cblas.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <spectraj/progress.h>

#include "base/progress.h"

static size_t wanted_threads; /* 0: OpenMP's choice */

void stj_set_threads(size_t n_threads)
{
    wanted_threads = n_threads;
}

size_t stj_threads(void)
{
#ifdef _OPENMP
    return wanted_threads ? wanted_threads : (size_t)omp_get_max_threads();
#else
    return 1; /* built with --disable-openmp */
#endif
}

size_t stj_thread_number(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

struct stj_blas_guard stj_blas_guard_take(size_t n_threads)
{
    struct stj_blas_guard guard = {.threads_before = openblas_get_num_threads()};
    openblas_set_num_threads((int)n_threads);
    return guard;
}

void stj_blas_guard_give(struct stj_blas_guard guard)
{
    openblas_set_num_threads(guard.threads_before);
}

void stj_reduce(size_t n, size_t n_parts, const double *part, size_t ld_part, double *y)
{
    if (n_parts == 0)
        memset(y, 0, n * sizeof *y);
    else if (y != part)
        memmove(y, part, n * sizeof *y);
    for (size_t p = 1; p < n_parts; p++)
        for (size_t i = 0; i < n; i++)
            y[i] += part[p * ld_part + i];
}

enum stj_status stj_progress_report(const struct stj_progress *progress, const char *what,
                                    double done, double total, struct stj_error *err)
{
    if (progress && progress->fn && progress->fn(progress->ctx, what, done, total) != 0)
        return stj_error_set(err, STJ_EINTERRUPTED, __FILE__, __LINE__, "%s was interrupted", what);
    return STJ_OK;
}
