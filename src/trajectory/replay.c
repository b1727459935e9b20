/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/replay.c: training again from a stored state, each step compared with the record.
 *
 * A step is a pure function of its state and number, so a replay on the same type of processor and
 * BLAS has the bits of the record.  Where it has not, the first state that differs is noted, and
 * how far the replay is from the record at the next stored state.
 *
 * A state that was given from elsewhere is where the record goes on from, not where a step lands:
 * it is read.
 */
#include "trajectory/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"

void stj_replay_free(struct stj_replay *replay)
{
    stj_train_work_destroy(replay->work);
    replay->work = NULL;
}

/* State t becomes state t + 1. */
static enum stj_status replay_step(struct stj_replay *replay, size_t t, real *state,
                                   struct stj_error *err)
{
    STJ_NEED(err, replay->problem, STJ_EINTERNAL,
             "state %zu is not stored, and there is no problem to replay it with", t + 1);
    if (replay->work && replay->division != stj_ranks_division())
        stj_replay_free(replay);
    if (!replay->work)
        STJ_MUST(stj_train_work_create(replay->problem, replay->recipe, &replay->work, err));
    replay->division = stj_ranks_division();
    STJ_MUST(stj_train_step(replay->problem, replay->recipe, t, state, NULL, replay->work, err));
    replay->steps++;
    return STJ_OK;
}

/* |x - y| / |y| */
static double relative_difference(size_t n, const real *x, const real *y)
{
    double difference = 0;
    double norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference = hypot(difference, (double)x[i] - (double)y[i]);
        norm = hypot(norm, (double)y[i]);
    }
    return norm > 0 ? difference / norm : difference;
}

/* State t of the replay is not the recorded one: go on, in a copy, to the next stored state, and
 * see how far from it the replay is. */
static enum stj_status measure_deviation(struct stj_replay *replay, size_t t, const real *state,
                                         struct stj_error *err)
{
    const struct stj_record *record = &replay->source->record;
    const size_t n = record->shape.n_state;
    size_t k = stj_state_reader_before(replay->source, t);
    STJ_FREED real *copy = NULL; /* [2][n]: the replay, the record */
    k += record->step[k] < t;
    replay->diverged = true;
    replay->diverged_at = t;
    replay->compared_at = record->step[k];
    STJ_MUST(stj_new(&copy, 2 * n, sizeof *copy, err));
    memcpy(copy, state, n * sizeof *copy);
    for (size_t s = t; s < record->step[k]; s++)
        STJ_MUST(replay_step(replay, s, copy, err));
    STJ_MUST(stj_state_reader_read(replay->source, k, copy + n, err));
    replay->difference = relative_difference(n, copy, copy + n);
    return STJ_OK;
}

enum stj_status stj_replay_step(struct stj_replay *replay, size_t t, real *state,
                                struct stj_error *err)
{
    const struct stj_record *record = &replay->source->record;
    const size_t k = stj_state_reader_before(replay->source, t + 1);
    if (record->step[k] == t + 1 && stj_record_is_imported(record, k)) {
        STJ_MUST(stj_state_reader_read(replay->source, k, state, err));
        return STJ_OK;
    }
    STJ_MUST(replay_step(replay, t, state, err));
    if (stj_state_crc(record->shape.n_state, state) == record->crc[t + 1])
        return STJ_OK;
    if (!replay->diverged || t + 1 < replay->diverged_at)
        STJ_MUST(measure_deviation(replay, t + 1, state, err));
    if (record->step[k] == t + 1)
        STJ_MUST(stj_state_reader_read(replay->source, k, state, err));
    return STJ_OK;
}

enum stj_status stj_replay_next(struct stj_replay *replay, size_t t, bool follows, real *state,
                                struct stj_error *err)
{
    const size_t n = replay->source->record.shape.n_state;
    const size_t k = stj_state_reader_before(replay->source, t);
    size_t s = replay->source->record.step[k];
    if (s < t && follows) {
        memcpy(state, state - n, n * sizeof *state);
        s = t - 1;
    } else {
        STJ_MUST(stj_state_reader_read(replay->source, k, state, err));
    }
    for (; s < t; s++)
        STJ_MUST(stj_replay_step(replay, s, state, err));
    return STJ_OK;
}
