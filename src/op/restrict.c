/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/restrict.c: the block S A S' of a square operator A: vectors are padded with zeros,
 * multiplied, and picked from. */
#include "op/restrict.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"

enum stj_status stj_ranges_add(struct stj_ranges *ranges, size_t first, size_t count,
                               struct stj_error *err)
{
    struct stj_range *last = ranges->n ? &ranges->range[ranges->n - 1] : NULL;
    STJ_NEED(err, !last || first >= last->first + last->count, STJ_EINTERNAL,
             "ranges of indices must increase");
    if (count == 0)
        return STJ_OK;
    ranges->total += count;
    if (last && first == last->first + last->count) {
        last->count += count;
        return STJ_OK;
    }
    STJ_MUST(stj_resize(&ranges->range, ranges->n, ranges->n + 1, sizeof *ranges->range, err));
    ranges->range[ranges->n++] = (struct stj_range){first, count};
    return STJ_OK;
}

void stj_ranges_free(struct stj_ranges *ranges)
{
    free(ranges->range);
    *ranges = (struct stj_ranges){0};
}

struct restricted {
    struct stj_op *inner;
    struct stj_ranges ranges;
    size_t room;
    double *x, *y; /* [room]: blocks of the whole */
};

static void restricted_destroy(void *ctx)
{
    struct restricted *self = ctx;
    if (!self)
        return;
    stj_op_destroy(self->inner);
    stj_ranges_free(&self->ranges);
    free(self->x);
    free(self->y);
    free(self);
}

/* whole[n] <- zeros but for the chosen elements. */
static void scatter_chosen(const struct stj_ranges *ranges, size_t n, const double *chosen,
                           double *whole)
{
    memset(whole, 0, n * sizeof *whole);
    for (size_t r = 0; r < ranges->n; r++) {
        memcpy(whole + ranges->range[r].first, chosen, ranges->range[r].count * sizeof *whole);
        chosen += ranges->range[r].count;
    }
}

static void gather_chosen(const struct stj_ranges *ranges, const double *whole, double *chosen)
{
    for (size_t r = 0; r < ranges->n; r++) {
        memcpy(chosen, whole + ranges->range[r].first, ranges->range[r].count * sizeof *chosen);
        chosen += ranges->range[r].count;
    }
}

static enum stj_status restricted_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                        const double *x, size_t ldx, double *y, size_t ldy,
                                        struct stj_error *err)
{
    struct restricted *self = ctx;
    const size_t n = stj_op_n_cols(self->inner);
    size_t wanted = 0;
    STJ_MUST(stj_size_mul(n, nvec, &wanted, err));
    if (wanted > self->room) {
        self->room = 0;
        STJ_MUST(stj_resize(&self->x, 0, wanted, sizeof *self->x, err));
        STJ_MUST(stj_resize(&self->y, 0, wanted, sizeof *self->y, err));
        self->room = wanted;
    }
    for (size_t j = 0; j < nvec; j++)
        scatter_chosen(&self->ranges, n, x + j * ldx, self->x + j * n);
    STJ_MUST(stj_op_apply(self->inner, trans, nvec, self->x, n, self->y, n, err));
    for (size_t j = 0; j < nvec; j++)
        gather_chosen(&self->ranges, self->y + j * n, y + j * ldy);
    return STJ_OK;
}

static enum stj_status restricted_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                         struct stj_error *err)
{
    const struct restricted *whole = ctx;
    STJ_HELD(stj_ranges_free) struct stj_ranges ranges = {0};
    struct stj_op *inner = NULL;
    for (size_t r = 0; r < whole->ranges.n; r++)
        STJ_MUST(stj_ranges_add(&ranges, whole->ranges.range[r].first, whole->ranges.range[r].count,
                                err));
    STJ_MUST(stj_op_create_prefix(whole->inner, fraction, &inner, err));
    return stj_op_create_restricted(inner, &ranges, prefix, err);
}

static enum stj_status check_ranges(const struct stj_op *inner, const struct stj_ranges *ranges,
                                    struct stj_error *err)
{
    const size_t n = stj_op_n_cols(inner);
    const struct stj_range *last = ranges->n ? &ranges->range[ranges->n - 1] : NULL;
    STJ_NEED(err, stj_op_n_rows(inner) == n, STJ_EINVAL,
             "a block of a square operator is wanted, this one is %zu x %zu", stj_op_n_rows(inner),
             n);
    STJ_NEED(err, last && last->first + last->count <= n, STJ_EINVAL,
             "a block of an operator of %zu rows: its indices must be some of them", n);
    return STJ_OK;
}

enum stj_status stj_op_create_restricted(struct stj_op *inner, struct stj_ranges *ranges,
                                         struct stj_op **op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct restricted *self = NULL;
    STJ_TRY(check_ranges(inner, ranges, err));
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    self->inner = inner;
    self->ranges = *ranges;
    inner = NULL;
    *ranges = (struct stj_ranges){0};
    STJ_TRY(stj_op_create(self->ranges.total, self->ranges.total, restricted_apply,
                          restricted_destroy, self, op, err));
    stj_op_cost_as(*op, self->inner);
    if (stj_op_shortest_prefix(self->inner) < 1)
        stj_op_set_prefix(*op, restricted_prefix, stj_op_shortest_prefix(self->inner));
    self = NULL;
out:
    stj_ranges_free(ranges);
    stj_op_destroy(inner);
    restricted_destroy(self);
    return st;
}

struct stj_op *stj_op_restricted_inner(const struct stj_op *op)
{
    const struct restricted *self = stj_op_ctx(op, restricted_apply);
    return self ? self->inner : NULL;
}

const struct stj_ranges *stj_op_restricted_ranges(const struct stj_op *op)
{
    const struct restricted *self = stj_op_ctx(op, restricted_apply);
    return self ? &self->ranges : NULL;
}
