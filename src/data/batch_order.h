/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/batch_order.h: which rows of a dataset form the batch of a training step.
 *
 * The rows of step t are a pure function of the settings and t, whatever was asked before:
 *   epoch e = t / steps_per_epoch, batch b = t mod steps_per_epoch;
 *   the epoch's order is 0 .. n_rows-1, or, with shuffle, a permutation of it drawn by a generator
 *   seeded with (seed, e);
 *   batch b is the b-th piece of batch_size rows of that order.  The last piece may be shorter and
 *   is left out with drop_last.
 * Or they are listed, step by step: the order of a training elsewhere.
 *
 * A step that accumulates the gradients of several micro-batches takes that many pieces, an epoch's
 * last step what is left: `part` k of its batch is its k-th micro-batch.
 */
#ifndef STJ_DATA_BATCH_ORDER_H
#define STJ_DATA_BATCH_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

/* What the loss of a step of several micro-batches is. */
enum stj_accumulate_mean {
    STJ_MEAN_OF_BATCHES, /* the mean of theirs, of as many as the step has */
    STJ_MEAN_OF_TOKENS,  /* that of all their samples, or positions that count, as if one batch */
    STJ_MEAN_FIXED,      /* the sum of theirs, divided by the most that a step has */
};

struct stj_batch_order_settings {
    size_t n_rows;
    size_t batch_size; /* of a micro-batch */
    size_t accumulate; /* micro-batches of a step; 0: 1 */
    enum stj_accumulate_mean mean;
    bool drop_last;
    bool shuffle;
    uint64_t seed; /* of the permutations; without shuffle it means nothing */
    /* [n_listed][accumulate][batch_size]: rows of each step, copied, those of each micro-batch ended
     * by STJ_NO_ROW; NULL with n_listed: they are listed, and nobody will ask for rows. */
    const size_t *listed;
    size_t n_listed; /* 0: not listed */
};

#define STJ_NO_ROW SIZE_MAX

struct stj_batch_order;

enum stj_status stj_batch_order_create(const struct stj_batch_order_settings *settings,
                                       struct stj_batch_order **order, struct stj_error *err);
void stj_batch_order_destroy(struct stj_batch_order *order); /* NULL is accepted */

/* What it was made of; `listed` is NULL. */
const struct stj_batch_order_settings *stj_batch_order_settings(
    const struct stj_batch_order *order);

size_t stj_batch_order_steps_per_epoch(const struct stj_batch_order *order);

/* Rows of the batch of a step (from 0); of the largest of the first n_steps. */
size_t stj_batch_order_count(const struct stj_batch_order *order, size_t step);
size_t stj_batch_order_most(const struct stj_batch_order *order, size_t n_steps);

/* Micro-batches of a step; of the first n_steps, the most.  Rows of number k of them, which begins at
 * row *first of the step's batch. */
size_t stj_batch_order_parts(const struct stj_batch_order *order, size_t step);
size_t stj_batch_order_most_parts(const struct stj_batch_order *order, size_t n_steps);
size_t stj_batch_order_part(const struct stj_batch_order *order, size_t step, size_t k,
                            size_t *first);

/* rows[n] <- rows first .. first + n - 1 of the batch of a step; several threads may ask at once. */
enum stj_status stj_batch_order_rows(struct stj_batch_order *order, size_t step, size_t first,
                                     size_t n, size_t *rows, struct stj_error *err);

#endif
