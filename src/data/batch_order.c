/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/batch_order.c: the rows of every training step, reproducible in any order of asking. */
#include "data/batch_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"

struct stj_batch_order {
    struct stj_batch_order_settings settings;
    size_t steps_per_epoch;
    size_t *permutation; /* [n_rows]; of `epoch`, valid when has_epoch; NULL without shuffle */
    size_t epoch;
    bool has_epoch;
    size_t *listed; /* [n_listed][batch_size]; NULL without a list */
};

static enum stj_status check_order_settings(const struct stj_batch_order_settings *s,
                                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, s->n_rows > 0, STJ_EINVAL, "there are no rows to form batches of");
    STJ_CHECK(err, s->batch_size > 0, STJ_EINVAL, "batch_size must be at least 1, got 0");
    STJ_CHECK(err, !(s->listed && s->shuffle), STJ_EINVAL,
              "batches that are listed cannot be shuffled; leave shuffle out");
    STJ_CHECK(err, s->listed || !s->drop_last || s->batch_size <= s->n_rows, STJ_EINVAL,
              "batch_size %zu is larger than the %zu rows of the data, and drop_last leaves no "
              "batch; lower batch_size or set drop_last: false",
              s->batch_size, s->n_rows);
out:
    return st;
}

/* A step's batch is its rows up to the first STJ_NO_ROW, and there is one at least. */
static enum stj_status check_listed(const struct stj_batch_order_settings *s, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    for (size_t t = 0; t < s->n_listed; t++) {
        const size_t *row = s->listed + t * s->batch_size;
        STJ_CHECK(err, row[0] != STJ_NO_ROW, STJ_EINVAL, "the batch of step %zu has no rows", t);
        for (size_t i = 0; i < s->batch_size; i++) {
            STJ_CHECK(err, row[i] == STJ_NO_ROW || row[i] < s->n_rows, STJ_EINVAL,
                      "the batch of step %zu has row %zu, the data have %zu, counted from 0", t,
                      row[i], s->n_rows);
            STJ_CHECK(err, row[i] == STJ_NO_ROW || i == 0 || row[i - 1] != STJ_NO_ROW, STJ_EINVAL,
                      "the batch of step %zu has row %zu behind its end", t, row[i]);
        }
    }
out:
    return st;
}

enum stj_status stj_batch_order_create(const struct stj_batch_order_settings *settings,
                                       struct stj_batch_order **order, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_batch_order *o = NULL;
    *order = NULL;
    STJ_TRY(check_order_settings(settings, err));
    STJ_TRY(stj_new(&o, 1, sizeof *o, err));
    o->settings = *settings;
    o->steps_per_epoch = settings->n_rows / settings->batch_size;
    if (!settings->drop_last && settings->n_rows % settings->batch_size != 0)
        o->steps_per_epoch++;
    if (settings->shuffle)
        STJ_TRY(stj_new(&o->permutation, settings->n_rows, sizeof *o->permutation, err));
    o->settings.listed = NULL; /* the caller's */
    if (settings->listed) {
        size_t n = 0;
        STJ_TRY(check_listed(settings, err));
        STJ_TRY(stj_size_mul(settings->n_listed, settings->batch_size, &n, err));
        STJ_TRY(stj_new(&o->listed, n, sizeof *o->listed, err));
        memcpy(o->listed, settings->listed, n * sizeof *o->listed);
    }
    if (o->steps_per_epoch == 0)
        o->steps_per_epoch = 1; /* listed, of more rows than there are */
    *order = o;
    o = NULL;
out:
    stj_batch_order_destroy(o);
    return st;
}

void stj_batch_order_destroy(struct stj_batch_order *order)
{
    if (!order)
        return;
    free(order->permutation);
    free(order->listed);
    free(order);
}

size_t stj_batch_order_steps_per_epoch(const struct stj_batch_order *order)
{
    return order->steps_per_epoch;
}

size_t stj_batch_order_batch_size(const struct stj_batch_order *order)
{
    return order->settings.batch_size;
}

/* permutation <- the one of an epoch, shuffled from 0 .. n_rows-1, not from the last one. */
static enum stj_status prepare_epoch(struct stj_batch_order *o, size_t epoch, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_rng *rng = NULL;
    if (!o->permutation || (o->has_epoch && o->epoch == epoch))
        goto out;
    STJ_TRY(stj_rng_create(o->settings.seed, STJ_STREAM_BATCHES, epoch, &rng, err));
    for (size_t i = 0; i < o->settings.n_rows; i++)
        o->permutation[i] = i;
    stj_rng_shuffle(rng, o->permutation, o->settings.n_rows);
    o->epoch = epoch;
    o->has_epoch = true;
out:
    stj_rng_destroy(rng);
    return st;
}

enum stj_status stj_batch_order_rows(struct stj_batch_order *order, size_t step, size_t *rows,
                                     size_t *n, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_batch_order_settings *s = &order->settings;
    if (order->listed) {
        STJ_CHECK(err, step < s->n_listed, STJ_EINVAL,
                  "the batches of %zu steps are listed, step %zu is beyond them", s->n_listed,
                  step);
        const size_t *row = order->listed + step * s->batch_size;
        for (*n = 0; *n < s->batch_size && row[*n] != STJ_NO_ROW; ++*n)
            rows[*n] = row[*n];
        goto out;
    }
    STJ_TRY(prepare_epoch(order, step / order->steps_per_epoch, err));
    size_t begin = step % order->steps_per_epoch * s->batch_size;
    size_t left = s->n_rows - begin;
    *n = left < s->batch_size ? left : s->batch_size;
    for (size_t i = 0; i < *n; i++)
        rows[i] = order->permutation ? order->permutation[begin + i] : begin + i;
out:
    return st;
}
