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
 */
#ifndef STJ_DATA_BATCH_ORDER_H
#define STJ_DATA_BATCH_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

struct stj_batch_order_settings {
    size_t n_rows;
    size_t batch_size;
    bool drop_last;
    bool shuffle;
    uint64_t seed; /* of the permutations; without shuffle it means nothing */
    /* [n_listed][batch_size]: rows of each step, copied, ended by STJ_NO_ROW; NULL with n_listed:
     * they are listed, and nobody will ask for rows. */
    const size_t *listed;
    size_t n_listed; /* 0: not listed */
};

#define STJ_NO_ROW SIZE_MAX

struct stj_batch_order;

enum stj_status stj_batch_order_create(const struct stj_batch_order_settings *settings,
                                       struct stj_batch_order **order, struct stj_error *err);
void stj_batch_order_destroy(struct stj_batch_order *order); /* NULL is accepted */

size_t stj_batch_order_steps_per_epoch(const struct stj_batch_order *order);

/* Rows of the batch of a step (from 0); of the largest of the first n_steps. */
size_t stj_batch_order_count(const struct stj_batch_order *order, size_t step);
size_t stj_batch_order_most(const struct stj_batch_order *order, size_t n_steps);

/* rows[n] <- rows first .. first + n - 1 of the batch of a step; several threads may ask at once. */
enum stj_status stj_batch_order_rows(struct stj_batch_order *order, size_t step, size_t first,
                                     size_t n, size_t *rows, struct stj_error *err);

#endif
