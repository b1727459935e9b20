/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/operator.c: the one entry through which every operator is applied: checked, counted, timed. */
#include "op/operator.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/parallel.h"

enum { WATCH_EVERY = 200 }; /* products between two checks, at most */

/* A product with A that waits for one with A'. */
struct watch {
    bool held;
    double since;         /* products since the last check */
    double norm;          /* largest |Ax| / |x| */
    double *x, *ax, *aty; /* aty: work space */
    struct stj_self_check found;
};

struct stj_op {
    size_t n_rows, n_cols;
    stj_op_apply_fn apply;
    void (*destroy)(void *ctx);
    void *ctx;
    stj_op_prefix_fn prefix;
    double shortest;      /* prefix */
    struct stj_op *whole; /* of a prefix: whose cost its products are, too */
    double cost, lone;
    double rounding;
    double products; /* single vectors applied so far, for messages */
    struct stj_op_counts counts;
    struct watch *watch;   /* NULL: products are not checked */
    pthread_mutex_t *turn; /* of the threads that want a product; NULL: there is one */
};

enum stj_status stj_op_create(size_t n_rows, size_t n_cols, stj_op_apply_fn apply,
                              void (*destroy)(void *ctx), void *ctx, struct stj_op **op,
                              struct stj_error *err)
{
    STJ_NOT_NULL(err, op);
    STJ_NEED(err, n_rows > 0 && n_cols > 0, STJ_EINVAL,
             "an operator of %zu x %zu: both dimensions must be at least 1", n_rows, n_cols);
    STJ_NEED(err, apply, STJ_EINVAL, "an operator needs an apply callback");
    STJ_MUST(stj_new(op, 1, sizeof **op, err));
    **op = (struct stj_op){.n_rows = n_rows,
                           .n_cols = n_cols,
                           .apply = apply,
                           .destroy = destroy,
                           .ctx = ctx,
                           .cost = 1,
                           .lone = 1,
                           .rounding = DBL_EPSILON};
    return STJ_OK;
}

enum stj_status stj_op_one_at_a_time(struct stj_op *op, struct stj_error *err)
{
    STJ_NOT_NULL(err, op);
    return op->turn ? STJ_OK : stj_turn_create(&op->turn, err);
}

static void watch_free(struct watch *w)
{
    if (!w)
        return;
    free(w->x);
    free(w->ax);
    free(w->aty);
    free(w);
}
STJ_HOLDS(struct watch, watch_free)

void stj_op_destroy(struct stj_op *op)
{
    if (!op)
        return;
    if (op->destroy)
        op->destroy(op->ctx);
    watch_free(op->watch);
    stj_turn_destroy(op->turn);
    free(op);
}

size_t stj_op_n_rows(const struct stj_op *op)
{
    return op ? op->n_rows : 0;
}

size_t stj_op_n_cols(const struct stj_op *op)
{
    return op ? op->n_cols : 0;
}

struct stj_op_counts stj_op_get_counts(const struct stj_op *op)
{
    return op ? op->counts : (struct stj_op_counts){0};
}

struct stj_op_counts stj_op_counts_since(const struct stj_op *op, const struct stj_op_counts *begin)
{
    const struct stj_op_counts *now = &op->counts;
    return (struct stj_op_counts){.jvp = now->jvp - begin->jvp,
                                  .vjp = now->vjp - begin->vjp,
                                  .replayed = now->replayed - begin->replayed,
                                  .seconds = now->seconds - begin->seconds};
}

enum stj_status stj_op_report(const struct stj_op *op, const struct stj_progress *progress,
                              const char *what, double done, double total, struct stj_error *err)
{
    const struct stj_op_counts *n = &op->counts;
    const bool replays = n->replayed > 0 && n->replayed >= (1 - 1e-9) * (n->jvp + n->vjp);
    return stj_progress_report(progress, replays ? "products of the journal" : what, done, total,
                               err);
}

void stj_op_set_cost(struct stj_op *op, double cost)
{
    if (op)
        op->cost = cost;
}

void stj_op_count_replayed(struct stj_op *op, double products)
{
    for (struct stj_op *o = op; o; o = o->whole)
        o->counts.replayed += products;
}

void stj_op_set_lone(struct stj_op *op, double lone)
{
    op->lone = lone;
}

double stj_op_lone(const struct stj_op *op)
{
    return op->lone;
}

void stj_op_cost_as(struct stj_op *op, const struct stj_op *other)
{
    op->cost = other->cost;
    op->rounding = other->rounding;
    op->lone = other->lone;
}

double stj_op_cost(const struct stj_op *op)
{
    return op->cost;
}

void stj_op_set_rounding(struct stj_op *op, double rounding)
{
    op->rounding = rounding;
}

double stj_op_rounding(const struct stj_op *op)
{
    return op->rounding;
}

void stj_op_set_prefix(struct stj_op *op, stj_op_prefix_fn prefix, double shortest)
{
    op->prefix = prefix;
    op->shortest = shortest;
}

double stj_op_shortest_prefix(const struct stj_op *op)
{
    return op->prefix ? op->shortest : 1;
}

void stj_op_count_in(struct stj_op *part, struct stj_op *whole)
{
    part->whole = whole;
}

enum stj_status stj_op_create_prefix(struct stj_op *op, double fraction, struct stj_op **prefix,
                                     struct stj_error *err)
{
    STJ_NEED(err, op->prefix, STJ_EUNSUPPORTED, "this operator is not a product of steps");
    STJ_MUST(op->prefix(op->ctx, fraction, prefix, err));
    stj_op_count_in(*prefix, op);
    if (op->watch)
        STJ_MUST(stj_op_watch(*prefix, err));
    return STJ_OK;
}

void *stj_op_ctx(const struct stj_op *op, stj_op_apply_fn apply)
{
    return op->apply == apply ? op->ctx : NULL;
}

size_t stj_op_first_bad(size_t n, size_t nvec, const double *y, size_t ldy)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < n; i++)
            if (!isfinite(y[j * ldy + i]))
                return j;
    return nvec;
}

static void count(struct stj_op *op, enum stj_trans trans, double products, double seconds)
{
    for (struct stj_op *o = op; o; o = o->whole) {
        o->counts.seconds += seconds;
        *(trans == STJ_NO_TRANS ? &o->counts.jvp : &o->counts.vjp) += products;
    }
}

/* A product that is counted, and whose numbers are all finite. */
static enum stj_status multiply_counted(struct stj_op *op, enum stj_trans trans, size_t nvec,
                                        const double *x, size_t ldx, double *y, size_t ldy,
                                        struct stj_error *err)
{
    const double begin = stj_clock();
    STJ_MUST(op->apply(op->ctx, trans, nvec, x, ldx, y, ldy, err));
    count(op, trans, (double)nvec * op->cost, stj_clock() - begin);
    const size_t bad =
        stj_op_first_bad(trans == STJ_NO_TRANS ? op->n_rows : op->n_cols, nvec, y, ldy);
    STJ_NEED(err, bad == nvec, STJ_ENONFINITE,
             "product %.0f with the operator (%s) has a NaN or infinity",
             op->products + (double)bad + 1, trans == STJ_NO_TRANS ? "A x" : "A'y");
    op->products += (double)nvec;
    return STJ_OK;
}

/* ---- products that check each other ---- */

enum stj_status stj_op_watch(struct stj_op *op, struct stj_error *err)
{
    STJ_HELD(watch_free_at) struct watch *w = NULL;
    STJ_NOT_NULL(err, op);
    if (op->watch)
        return STJ_OK;
    STJ_MUST(stj_new(&w, 1, sizeof *w, err));
    STJ_MUST(stj_new(&w->x, op->n_cols, sizeof *w->x, err));
    STJ_MUST(stj_new(&w->ax, op->n_rows, sizeof *w->ax, err));
    STJ_MUST(stj_new(&w->aty, op->n_cols, sizeof *w->aty, err));
    op->watch = w;
    w = NULL;
    return STJ_OK;
}

struct stj_self_check stj_op_self_check(const struct stj_op *op)
{
    struct stj_self_check found = {0};
    if (op && op->watch)
        found = op->watch->found;
    found.orthogonality = (double)NAN;
    return found;
}

/* The pair that is held against A'y. */
static void compare_pair(struct stj_op *op, const double *y, const double *aty)
{
    struct watch *w = op->watch;
    const double x_norm = stj_nrm2(op->n_cols, w->x);
    const double y_norm = stj_nrm2(op->n_rows, y);
    const double scale = fmax(w->norm * x_norm * y_norm, x_norm * stj_nrm2(op->n_cols, aty));
    const double error = fabs(stj_dot(op->n_rows, w->ax, y) - stj_dot(op->n_cols, w->x, aty));
    w->since = 0;
    for (struct stj_op *o = op; o; o = o->whole)
        if (o->watch && scale > 0) {
            o->watch->found.checks++;
            o->watch->found.adjoint_error = fmax(o->watch->found.adjoint_error, error / scale);
        }
}

/* The pair that is held, of |Ax| = 1: A'A x and the norms may be out of range where A x is not. */
static void make_unit(struct stj_op *op)
{
    struct watch *w = op->watch;
    const double size = stj_nrm2(op->n_rows, w->ax);
    for (size_t i = 0; size > 0 && i < op->n_cols; i++)
        w->x[i] /= size;
    for (size_t i = 0; size > 0 && i < op->n_rows; i++)
        w->ax[i] /= size;
}

/* After a product: the first column of a block is compared, or held to be.  A product with A' is
 * made where no other comes. */
static enum stj_status watch(struct stj_op *op, enum stj_trans trans, size_t nvec, const double *x,
                             const double *y, struct stj_error *err)
{
    struct watch *w = op->watch;
    if (trans == STJ_TRANS) {
        if (w->held)
            compare_pair(op, x, y);
        return STJ_OK;
    }
    /* 1. the pair (x, A x), held for the next product with A' */
    memcpy(w->x, x, op->n_cols * sizeof *x);
    memcpy(w->ax, y, op->n_rows * sizeof *y);
    w->held = true;
    const double x_norm = stj_nrm2(op->n_cols, x);
    if (x_norm > 0)
        w->norm = fmax(w->norm, stj_nrm2(op->n_rows, y) / x_norm);
    make_unit(op);
    /* 2. one of our own where none came for long */
    w->since += (double)nvec;
    if (w->since + (double)nvec > WATCH_EVERY) {
        STJ_MUST(multiply_counted(op, STJ_TRANS, 1, w->ax, op->n_rows, w->aty, op->n_cols, err));
        compare_pair(op, w->ax, w->aty);
    }
    return STJ_OK;
}

enum stj_status stj_op_note_products(struct stj_op *op, size_t nvec, const double *x,
                                     const double *y, struct stj_error *err)
{
    count(op, STJ_NO_TRANS, (double)nvec * op->cost, 0);
    op->products += (double)nvec;
    return op->watch ? watch(op, STJ_NO_TRANS, nvec, x, y, err) : STJ_OK;
}

enum stj_status stj_op_apply(struct stj_op *op, enum stj_trans trans, size_t nvec, const double *x,
                             size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_NOT_NULL(err, op);
    STJ_CHECK(err, trans == STJ_NO_TRANS || trans == STJ_TRANS, STJ_EINVAL,
              "trans is %d, neither STJ_NO_TRANS nor STJ_TRANS", (int)trans);
    const size_t n_in = trans == STJ_NO_TRANS ? op->n_cols : op->n_rows;
    const size_t n_out = trans == STJ_NO_TRANS ? op->n_rows : op->n_cols;
    STJ_CHECK(err, ldx >= n_in && ldy >= n_out, STJ_EINVAL,
              "leading dimensions %zu and %zu of a product with an operator of %zu x %zu are too "
              "small: at least %zu and %zu are needed",
              ldx, ldy, op->n_rows, op->n_cols, n_in, n_out);
    if (nvec == 0)
        goto out;
    STJ_NOT_NULL(err, x, y);
    STJ_TRY(stj_blas_prepare(err));
    stj_turn_take(op->turn);
    st = multiply_counted(op, trans, nvec, x, ldx, y, ldy, err);
    if (st == STJ_OK && op->watch)
        st = watch(op, trans, nvec, x, y, err);
    stj_turn_give(op->turn);
out:
    return st;
}
