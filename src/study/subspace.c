/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/subspace.c: subspaces spanned by singular directions, and their principal angles. */
#include "study/subspace.h"

#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"

struct candidate {
    double rank; /* the less, the more it is of its region */
    size_t i;
};

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static int by_number(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static double rank_of(enum stj_region region, double sigma)
{
    return region == STJ_CHAOTIC ? -sigma : region == STJ_BULK ? fabs(sigma - 1) : sigma;
}

enum stj_status stj_subspace_list(const struct stj_directions *d, enum stj_region region,
                                  double epsilon, size_t k, size_t **item, size_t *n,
                                  struct stj_error *err)
{
    const size_t known = stj_directions_n_known(d);
    STJ_FREED struct candidate *list = NULL;
    size_t count = 0;
    STJ_MUST(stj_new(&list, known, sizeof *list, err));
    for (size_t j = 0; j < known; j++) {
        const size_t i = stj_directions_item(d, j);
        if (stj_region_of(d->sigma[i], epsilon) == region)
            list[count++] = (struct candidate){rank_of(region, d->sigma[i]), i};
    }
    qsort(list, count, sizeof *list, by_rank);
    *n = k > 0 && k < count ? k : count;
    STJ_MUST(stj_new(item, *n, sizeof **item, err));
    for (size_t j = 0; j < *n; j++)
        (*item)[j] = list[j].i;
    if (*n > 1)
        qsort(*item, *n, sizeof **item, by_number);
    return STJ_OK;
}

enum stj_status stj_subspace_compare(size_t n, size_t a, const double *basis_a, size_t b,
                                     const double *basis_b, double *cosine, double *mean_squared,
                                     struct stj_error *err)
{
    const size_t least = a < b ? a : b;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    STJ_FREED double *product = NULL;
    size_t size = 0;
    *mean_squared = (double)NAN;
    if (least == 0)
        return STJ_OK;
    STJ_MUST(stj_blas_fits(n, "the number of parameters", err));
    STJ_MUST(stj_size_mul(a, b, &size, err));
    STJ_MUST(stj_new(&product, size, sizeof *product, err));
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, a, b, n, 1, basis_a, n, basis_b, n, 0, product, a);
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += product[i] * product[i];
    *mean_squared = sum / (double)least;
    if (cosine)
        STJ_MUST(stj_gesdd(a, b, product, a, cosine, NULL, NULL, err));
    for (size_t i = 0; cosine && i < least; i++)
        cosine[i] = fmin(cosine[i], 1); /* rounding may go beyond */
    return STJ_OK;
}
