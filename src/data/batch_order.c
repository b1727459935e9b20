/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/batch_order.c: the rows of every training step, reproducible in any order of asking.
 *
 * Nothing grows with the number of steps but a list that was given: an epoch's permutation is drawn
 * when one of its steps is asked for.  Threads that work on neighbouring steps find theirs drawn.
 */
#include "data/batch_order.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"

/* Epochs whose permutations are kept, each at its number modulo this. */
enum { EPOCHS_KEPT = 4 };

struct permutation {
    size_t *row; /* [n_rows]; of `epoch`; NULL: of none */
    size_t epoch;
};

struct stj_batch_order {
    struct stj_batch_order_settings settings;
    size_t in_step;  /* places of a step: batch_size for each of its micro-batches */
    size_t of_epoch; /* rows that an epoch takes */
    size_t steps_per_epoch;
    pthread_mutex_t drawing;
    struct permutation permutation[EPOCHS_KEPT]; /* with shuffle */
    size_t *listed; /* [n_listed][in_step], without gaps; NULL without a list */
    size_t *part;   /* [n_listed][accumulate]: rows of the micro-batches of the list */
};

static enum stj_status check_order_settings(const struct stj_batch_order_settings *s,
                                            struct stj_error *err)
{
    STJ_NEED(err, s->n_rows > 0, STJ_EINVAL, "there are no rows to form batches of");
    STJ_NEED(err, s->batch_size > 0, STJ_EINVAL, "batch_size must be at least 1, got 0");
    STJ_NEED(err, !(s->n_listed && s->shuffle), STJ_EINVAL,
             "batches that are listed cannot be shuffled; leave shuffle out");
    STJ_NEED(err, s->n_listed || !s->drop_last || s->batch_size <= s->n_rows, STJ_EINVAL,
             "batch_size %zu is larger than the %zu rows of the data, and drop_last leaves no "
             "batch; lower batch_size or set drop_last: false",
             s->batch_size, s->n_rows);
    return STJ_OK;
}

/* A micro-batch is its rows up to the first STJ_NO_ROW; that of a step's first has one at least, and
 * behind one without come no others.  *n <- how many it has, to[*n] <- they. */
static enum stj_status take_listed(const struct stj_batch_order_settings *s, size_t t, size_t k,
                                   size_t *to, size_t *n, struct stj_error *err)
{
    const size_t *row = s->listed + (t * s->accumulate + k) * s->batch_size;
    *n = 0;
    STJ_NEED(err, k > 0 || row[0] != STJ_NO_ROW, STJ_EINVAL, "the batch of step %zu has no rows",
             t);
    for (size_t i = 0; i < s->batch_size; i++) {
        STJ_NEED(err, row[i] == STJ_NO_ROW || row[i] < s->n_rows, STJ_EINVAL,
                 "the batch of step %zu has row %zu, the data have %zu, counted from 0", t, row[i],
                 s->n_rows);
        STJ_NEED(err, row[i] == STJ_NO_ROW || *n == i, STJ_EINVAL,
                 "the batch of step %zu has row %zu behind its end", t, row[i]);
        if (row[i] != STJ_NO_ROW)
            to[(*n)++] = row[i];
    }
    return STJ_OK;
}

/* o->listed and o->part <- the caller's list. */
static enum stj_status copy_listed(struct stj_batch_order *o,
                                   const struct stj_batch_order_settings *s, struct stj_error *err)
{
    size_t n = 0;
    STJ_MUST(stj_size_mul(s->n_listed, o->in_step, &n, err));
    STJ_MUST(stj_new(&o->listed, n, sizeof *o->listed, err));
    STJ_MUST(stj_new(&o->part, s->n_listed * s->accumulate, sizeof *o->part, err));
    for (size_t t = 0; t < s->n_listed; t++) {
        size_t *part = o->part + t * s->accumulate;
        size_t *to = o->listed + t * o->in_step;
        for (size_t k = 0; k < s->accumulate; k++) {
            STJ_MUST(take_listed(s, t, k, to, &part[k], err));
            STJ_NEED(err, part[k] == 0 || k == 0 || part[k - 1] > 0, STJ_EINVAL,
                     "the batch of step %zu has row %zu behind its end: a micro-batch without rows",
                     t, to[0]);
            to += part[k];
        }
    }
    return STJ_OK;
}

enum stj_status stj_batch_order_create(const struct stj_batch_order_settings *settings,
                                       struct stj_batch_order **order, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_batch_order *o = NULL;
    *order = NULL;
    STJ_TRY(check_order_settings(settings, err));
    STJ_TRY(stj_new(&o, 1, sizeof *o, err));
    pthread_mutex_init(&o->drawing, NULL); /* never fails on Linux */
    o->settings = *settings;
    o->settings.accumulate = settings->accumulate ? settings->accumulate : 1;
    STJ_TRY(stj_size_mul(settings->batch_size, o->settings.accumulate, &o->in_step, err));
    o->of_epoch = settings->n_rows;
    if (settings->drop_last)
        o->of_epoch -= settings->n_rows % settings->batch_size;
    o->steps_per_epoch = o->of_epoch / o->in_step + (o->of_epoch % o->in_step != 0);
    if (settings->listed)
        STJ_TRY(copy_listed(o, &o->settings, err));
    o->settings.listed = NULL; /* the caller's */
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
    for (size_t i = 0; i < EPOCHS_KEPT; i++)
        free(order->permutation[i].row);
    pthread_mutex_destroy(&order->drawing);
    free(order->listed);
    free(order->part);
    free(order);
}

const struct stj_batch_order_settings *stj_batch_order_settings(const struct stj_batch_order *order)
{
    return &order->settings;
}

size_t stj_batch_order_steps_per_epoch(const struct stj_batch_order *order)
{
    return order->steps_per_epoch;
}

size_t stj_batch_order_count(const struct stj_batch_order *order, size_t step)
{
    const struct stj_batch_order_settings *s = &order->settings;
    size_t n = 0;
    if (s->n_listed == 0) {
        const size_t left = order->of_epoch - step % order->steps_per_epoch * order->in_step;
        return left < order->in_step ? left : order->in_step;
    }
    for (size_t k = 0; order->part && step < s->n_listed && k < s->accumulate; k++)
        n += order->part[step * s->accumulate + k];
    return n;
}

size_t stj_batch_order_parts(const struct stj_batch_order *order, size_t step)
{
    const struct stj_batch_order_settings *s = &order->settings;
    size_t k = 0;
    if (s->n_listed == 0)
        return (stj_batch_order_count(order, step) + s->batch_size - 1) / s->batch_size;
    while (order->part && step < s->n_listed && k < s->accumulate &&
           order->part[step * s->accumulate + k] > 0)
        k++;
    return k;
}

size_t stj_batch_order_most_parts(const struct stj_batch_order *order, size_t n_steps)
{
    const struct stj_batch_order_settings *s = &order->settings;
    size_t most = 0;
    if (!order->part)
        return s->n_listed ? s->accumulate : stj_batch_order_parts(order, 0);
    for (size_t t = 0; t < n_steps; t++) {
        const size_t n = stj_batch_order_parts(order, t);
        most = n > most ? n : most;
    }
    return most;
}

size_t stj_batch_order_part(const struct stj_batch_order *order, size_t step, size_t k,
                            size_t *first)
{
    const struct stj_batch_order_settings *s = &order->settings;
    *first = k * s->batch_size;
    if (s->n_listed == 0) {
        const size_t left = stj_batch_order_count(order, step) - *first;
        return left < s->batch_size ? left : s->batch_size;
    }
    const size_t *part = order->part + step * s->accumulate;
    *first = 0;
    for (size_t i = 0; i < k; i++)
        *first += part[i];
    return part[k];
}

size_t stj_batch_order_most(const struct stj_batch_order *order, size_t n_steps)
{
    size_t most = 0;
    if (!order->listed) /* the first batch of an epoch is the largest */
        return order->settings.n_listed ? order->in_step : stj_batch_order_count(order, 0);
    for (size_t t = 0; t < n_steps; t++) {
        const size_t n = stj_batch_order_count(order, t);
        most = n > most ? n : most;
    }
    return most;
}

/* *row <- the permutation of an epoch, shuffled from 0 .. n_rows-1, not from the last one; the
 * caller holds the mutex as long as he reads it. */
static enum stj_status draw_epoch(struct stj_batch_order *o, size_t epoch, const size_t **row,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct permutation *p = &o->permutation[epoch % EPOCHS_KEPT];
    const size_t n = o->settings.n_rows;
    struct stj_rng *rng = NULL;
    if (p->row && p->epoch == epoch)
        goto out;
    STJ_TRY(stj_rng_create(o->settings.seed, STJ_STREAM_BATCHES, epoch, &rng, err));
    if (!p->row)
        STJ_TRY(stj_new(&p->row, n, sizeof *p->row, err));
    for (size_t i = 0; i < n; i++)
        p->row[i] = i;
    stj_rng_shuffle(rng, p->row, n);
    p->epoch = epoch;
out:
    stj_rng_destroy(rng);
    *row = p->row;
    return st;
}

static enum stj_status shuffled_rows(struct stj_batch_order *o, size_t step, size_t first, size_t n,
                                     size_t *rows, struct stj_error *err)
{
    const size_t *row = NULL;
    const size_t begin = step % o->steps_per_epoch * o->in_step + first;
    pthread_mutex_lock(&o->drawing);
    const enum stj_status st = draw_epoch(o, step / o->steps_per_epoch, &row, err);
    if (st == STJ_OK)
        memcpy(rows, row + begin, n * sizeof *rows);
    pthread_mutex_unlock(&o->drawing);
    return st;
}

enum stj_status stj_batch_order_rows(struct stj_batch_order *order, size_t step, size_t first,
                                     size_t n, size_t *rows, struct stj_error *err)
{
    const struct stj_batch_order_settings *s = &order->settings;
    STJ_NEED(err, s->n_listed == 0 || (order->listed && step < s->n_listed), STJ_EINVAL,
             "the batches of %zu steps are listed, step %zu is beyond them",
             order->listed ? s->n_listed : 0, step);
    const size_t count = stj_batch_order_count(order, step);
    STJ_NEED(err, first <= count && n <= count - first, STJ_EINTERNAL,
             "rows %zu to %zu of a batch of %zu", first, first + n, count);
    if (s->shuffle)
        return shuffled_rows(order, step, first, n, rows, err);
    const size_t begin = step % order->steps_per_epoch * order->in_step + first;
    for (size_t i = 0; i < n; i++)
        rows[i] = order->listed ? order->listed[step * order->in_step + first + i] : begin + i;
    return STJ_OK;
}
