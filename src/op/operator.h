/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/operator.h: what operators of the library know beside the public face. */
#ifndef STJ_OP_OPERATOR_H
#define STJ_OP_OPERATOR_H

#include <stdbool.h>

#include <spectraj/op.h>
#include <spectraj/progress.h>

#include "base/memory.h"

/* How an operator that is a product of steps gives its first part: *prefix <- the operator of the
 * first `fraction` of its steps, 0 < fraction <= 1, sharing what is kept with op, which must
 * outlive it. Its products are counted by op too. */
typedef enum stj_status (*stj_op_prefix_fn)(void *ctx, double fraction, struct stj_op **prefix,
                                            struct stj_error *err);
/* `shortest`: the least that a prefix can be, of all steps. */
void stj_op_set_prefix(struct stj_op *op, stj_op_prefix_fn prefix, double shortest);
double stj_op_shortest_prefix(const struct stj_op *op); /* 1: there is none but the whole */
enum stj_status stj_op_create_prefix(struct stj_op *op, double fraction, struct stj_op **prefix,
                                     struct stj_error *err);

/* The products of a part are counted by `whole` too. */
void stj_op_count_in(struct stj_op *part, struct stj_op *whole);

/* Note that so many of an operator's products (in whole products) came from a journal. */
void stj_op_count_replayed(struct stj_op *op, double products);

/* Note a block of products y = A x that was made, and found finite, by other means than
 * stj_op_apply: they count, and where op is watched the first column is one of those that are held
 * against a product with A'. */
enum stj_status stj_op_note_products(struct stj_op *op, size_t nvec, const double *x,
                                     const double *y, struct stj_error *err);

/* stj_progress_report of work that consists of products with an operator.  While all of them came
 * from a journal they are a piece of their own: they say nothing of the speed of the others. */
enum stj_status stj_op_report(const struct stj_op *op, const struct stj_progress *progress,
                              const char *what, double done, double total, struct stj_error *err);

/* What an operator has cost since it had cost that much. */
struct stj_op_counts stj_op_counts_since(const struct stj_op *op,
                                         const struct stj_op_counts *begin);

/* stj_op_adjoint_error, with *largest <- the largest |A x| / |x| and |A'y| / |y| of the pairs.
 * Where these are at most `rounding`, less than 1, the error of a pair is relative to |x| |y|. */
enum stj_status stj_op_adjoint_check(struct stj_op *op, size_t pairs, uint64_t seed,
                                     double rounding, double *error, double *largest,
                                     struct stj_error *err);

/* unit^2 A'A, where unit is 1 unless the first product shows that A'A leaves the range of doubles;
 * then a power of two.  Known after that product. */
enum stj_status stj_op_create_scaled_normal(struct stj_op *a, struct stj_op **op,
                                            struct stj_error *err);
double stj_op_normal_unit(const struct stj_op *op);

/* The cost of one product in whole products. */
double stj_op_cost(const struct stj_op *op);

/* What a product with one vector takes, in the time of one of a block's: more than 1 where steps
 * are so short that threads wait for each other.  By the shape of the problem, whatever the
 * threads. */
void stj_op_set_lone(struct stj_op *op, double lone);
double stj_op_lone(const struct stj_op *op);

/* What is made of another's products: cost, rounding and lone are its. */
void stj_op_cost_as(struct stj_op *op, const struct stj_op *other);

/* The relative rounding error of one product, in units of its norm: eps sqrt(steps) for a sweep of
 * so many steps (default: eps).  Singular values below it times sigma_1 mean nothing. */
void stj_op_set_rounding(struct stj_op *op, double rounding);
double stj_op_rounding(const struct stj_op *op);

/* The ctx of an operator that was made with this apply; NULL for any other operator. */
void *stj_op_ctx(const struct stj_op *op, stj_op_apply_fn apply);

/* The first column of a block [nvec][n] with a NaN or infinity, or nvec. */
size_t stj_op_first_bad(size_t n, size_t nvec, const double *y, size_t ldy);

enum { STJ_DENSIFY_BLOCK = 128 }; /* columns that stj_op_densify makes at a time, by default */

STJ_HOLDS(struct stj_op, stj_op_destroy)

#endif
