/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/subspace.h: subspaces of the space of parameters spanned by singular directions, and how
 * two subspaces lie to each other. */
#ifndef STJ_STUDY_SUBSPACE_H
#define STJ_STUDY_SUBSPACE_H

#include "study/directions.h"

/* *item (owned by the caller) <- the known directions of a region.  k > 0: only the k that are most
 * of it: the largest, the nearest to 1, the smallest; fewer when fewer are known. */
enum stj_status stj_subspace_list(const struct stj_directions *d, enum stj_region region,
                                  double epsilon, size_t k, size_t **item, size_t *n,
                                  struct stj_error *err);

/* Two subspaces with orthonormal bases A (n x a) and B (n x b): the singular values of A'B are the
 * cosines of their principal angles.  cosine[min(a, b)], descending; cosine may be NULL.
 * *mean_squared <- |A'B|^2 / min(a, b), for random subspaces max(a, b) / n. */
enum stj_status stj_subspace_compare(size_t n, size_t a, const double *basis_a, size_t b,
                                     const double *basis_b, double *cosine, double *mean_squared,
                                     struct stj_error *err);

#endif
