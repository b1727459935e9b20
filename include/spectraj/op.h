/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/op.h: linear operators.
 *
 * An operator A is n_rows x n_cols and is defined by its products with blocks of vectors.  All
 * computation with an operator goes through stj_op_apply, which checks, counts and times.
 *
 * Threads: only one thread at a time may use an operator, unless stj_op_one_at_a_time was called on
 * it.  Different operators may be used at once if they are matrices or the caller's own; Jacobians
 * of runs and trainings compute one product at a time in a process (spectraj/progress.h explains
 * why).
 */
#ifndef SPECTRAJ_OP_H
#define SPECTRAJ_OP_H

#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The matrix of a product. */
enum stj_trans {
    STJ_NO_TRANS, /* A */
    STJ_TRANS,    /* A' */
};

struct stj_op;
struct stj_progress;

/* Y <- op(A) X for a block of nvec columns: X has n_cols rows (n_rows for STJ_TRANS), Y n_rows
 * (n_cols); column-major with leading dimensions ldx, ldy.  Y is overwritten; X is not touched and
 * does not overlap Y. */
typedef enum stj_status (*stj_op_apply_fn)(void *ctx, enum stj_trans trans, size_t nvec,
                                           const double *x, size_t ldx, double *y, size_t ldy,
                                           struct stj_error *err);

/* *op <- the caller's own operator.  ctx is passed to `apply`; stj_op_destroy calls `destroy` (may
 * be NULL) on it.  n_rows, n_cols >= 1. */
enum stj_status stj_op_create(size_t n_rows, size_t n_cols, stj_op_apply_fn apply,
                              void (*destroy)(void *ctx), void *ctx, struct stj_op **op,
                              struct stj_error *err);
void stj_op_destroy(struct stj_op *op); /* NULL is accepted */

/* From now on products with the operator are serialised, whichever threads request them: its
 * callback runs in one thread at a time, and so does the counting. */
enum stj_status stj_op_one_at_a_time(struct stj_op *op, struct stj_error *err);

/* The numbers of rows and of columns of A. */
size_t stj_op_n_rows(const struct stj_op *op);
size_t stj_op_n_cols(const struct stj_op *op); /* see stj_op_n_rows */

/* Y <- op(A) X.  Errors: STJ_EINVAL for leading dimensions that are too small, STJ_ENONFINITE when
 * the product has a NaN or infinity (naming the number of the product), whatever `apply`
 * returns. */
enum stj_status stj_op_apply(struct stj_op *op, enum stj_trans trans, size_t nvec, const double *x,
                             size_t ldx, double *y, size_t ldy, struct stj_error *err);

/* What an operator has cost so far.  Products are single vectors (a block of k counts k), weighted
 * by the operator's cost: a window of w steps of an n-step run counts w / n. */
struct stj_op_counts {
    double jvp, vjp; /* products with A, with A' */
    double replayed; /* of them, those that a journal supplied */
    double seconds;  /* inside of products */
};

/* What the operator has cost since it was created. */
struct stj_op_counts stj_op_get_counts(const struct stj_op *op);

/* How the products of long work checked each other: <A x, y> = <x, A'y>, with the products that
 * were wanted anyway, and one with A' more where 200 with A alone have gone by. */
struct stj_self_check {
    size_t checks; /* 0: none was made */
    /* The largest |<Ax, y> - <x, A'y>| / max(|Ax| |y|, |x| |A'y|, |A| |x| |y|), |A| being the
     * largest |Ax| / |x| seen. */
    double adjoint_error;
    double
        orthogonality; /* largest |<v_i, v_j> - [i = j]| of the vectors returned; NaN: there are none */
};

/* From now on the operator checks itself, and so do its prefixes. */
enum stj_status stj_op_watch(struct stj_op *op, struct stj_error *err);

/* What has been found since; orthogonality is NaN. */
struct stj_self_check stj_op_self_check(const struct stj_op *op);

/* The cost of one product in whole products (default 1). */
void stj_op_set_cost(struct stj_op *op, double cost);

/* *op <- A'A.  One product of it costs one product with A and one with A', which are counted by A.
 * A is borrowed. */
enum stj_status stj_op_create_normal(struct stj_op *a, struct stj_op **op, struct stj_error *err);

/* *op <- a dense matrix, column-major with leading dimension ld; borrowed. */
enum stj_status stj_op_create_dense(size_t n_rows, size_t n_cols, const double *a, size_t ld,
                                    struct stj_op **op, struct stj_error *err);

/* a (n_rows x n_cols, column-major, leading dimension ld) <- the matrix of the operator, from unit
 * vectors in blocks of `block` (0: chosen); n_cols products.  progress may be NULL. */
enum stj_status stj_op_densify(struct stj_op *op, size_t block, double *a, size_t ld,
                               const struct stj_progress *progress, struct stj_error *err);

/* *error <- max over `pairs` seeded Gaussian pairs of |<Ax,y> - <x,A'y>| / max(|Ax||y|, |x||A'y|).
 * Costs `pairs` products with A and as many with A'. */
enum stj_status stj_op_adjoint_error(struct stj_op *op, size_t pairs, uint64_t seed, double *error,
                                     struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
