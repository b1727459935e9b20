/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/directions.h: the singular directions of a run that studies work with, as far as they are
 * known.
 *
 * Directions are numbered as their singular values descend, from 1 in what people read and from 0
 * here.  A dense decomposition knows all of them, a partial one the first `top` and the last
 * `bottom`.
 */
#ifndef STJ_STUDY_DIRECTIONS_H
#define STJ_STUDY_DIRECTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "spectrum/regions.h"
#include "study/result.h"

/* u_i lies in the space of theta_n, v_i in that of theta_0. */
enum stj_side { STJ_LEFT, STJ_RIGHT };

struct stj_directions {
    size_t n;           /* numbers of a vector: the parameters, or those of a block */
    const size_t *at;   /* [n]: which parameters; NULL: all of them; borrowed */
    size_t top, bottom; /* known: 0 .. top - 1 and n - bottom .. n - 1; all: top = n */
    double *sigma;      /* [n]; NaN where not known; owned */
    double rounding;    /* differences of singular values below it mean nothing */
    const char *source; /* "dense.h5"; borrowed */
    char *request;      /* what the source answers: part of a study's own request; owned */

    /* x[count][n] <- known vectors first .. first + count - 1 of a side. */
    enum stj_status (*fetch)(void *ctx, enum stj_side side, size_t first, size_t count, double *x,
                             struct stj_error *err);
    void *ctx; /* borrowed */
};

bool stj_directions_known(const struct stj_directions *d, size_t i);
size_t stj_directions_n_known(const struct stj_directions *d);

/* Direction number k of the known ones, in their order. */
size_t stj_directions_item(const struct stj_directions *d, size_t k);

/* Are u_i and v_i one of many possible choices, since a neighbour has the same singular value but
 * for rounding?  Then only the space that they span together means anything. */
bool stj_directions_degenerate(const struct stj_directions *d, size_t i);

/* "1 to 20 and 4791 to 4810 of 4810, from svd.h5" */
enum { STJ_DIRECTIONS_TEXT_MAX = 160 };
void stj_directions_text(const struct stj_directions *d, char text[STJ_DIRECTIONS_TEXT_MAX]);

/* Vectors one after another; an error naming what there is when one of them is not known. */
enum stj_status stj_directions_fetch(const struct stj_directions *d, enum stj_side side,
                                     size_t first, size_t count, double *x, struct stj_error *err);

/* The same of the directions item[count]. */
enum stj_status stj_directions_gather(const struct stj_directions *d, enum stj_side side,
                                      size_t count, const size_t *item, double *x,
                                      struct stj_error *err);

/* Call fn with every known direction in turn, in blocks; u or v is NULL unless it is wanted. */
typedef enum stj_status (*stj_direction_fn)(void *ctx, size_t i, const double *u, const double *v,
                                            struct stj_error *err);
enum stj_status stj_directions_visit(const struct stj_directions *d, bool want_u, bool want_v,
                                     stj_direction_fn fn, void *ctx, struct stj_error *err);

/* theta += a x for a vector x[n] of one of the sides. */
void stj_directions_add(const struct stj_directions *d, double a, const double *x, double *theta);

/* Items of a result: directions.source, .top, .bottom, .missing; and index, sigma, basis_dependent
 * of all that are known. */
enum stj_status stj_directions_put(const struct stj_directions *d, struct stj_study_result *r,
                                   struct stj_error *err);
enum stj_status stj_directions_put_list(const struct stj_directions *d, struct stj_study_result *r,
                                        struct stj_error *err);

/* The line about them, from a result. */
void stj_directions_print(FILE *out, const struct stj_study_result *r);

#endif
