/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/record.c: the list of what is kept of a training. */
#include "trajectory/record.h"

#include <math.h>
#include <stdlib.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"

enum stj_status stj_record_init(const struct stj_trajectory_shape *shape, size_t n_stored,
                                struct stj_record *record, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    record->shape = *shape;
    record->n_stored = n_stored;
    STJ_TRY(stj_new(&record->step, n_stored, sizeof *record->step, err));
    STJ_TRY(stj_new(&record->crc, shape->n_steps + 1, sizeof *record->crc, err));
    STJ_TRY(stj_new(&record->loss, shape->n_steps, sizeof *record->loss, err));
out:
    if (st != STJ_OK)
        stj_record_free(record);
    return st;
}

enum stj_status stj_record_deviates(struct stj_record *record, struct stj_error *err)
{
    STJ_MUST(stj_new(&record->deviation, record->n_stored, sizeof *record->deviation, err));
    for (size_t k = 0; k < record->n_stored; k++)
        record->deviation[k] = (double)NAN;
    return STJ_OK;
}

bool stj_record_is_imported(const struct stj_record *record, size_t k)
{
    return record->deviation && !isnan(record->deviation[k]);
}

void stj_record_free(struct stj_record *record)
{
    free(record->step);
    free(record->crc);
    free(record->loss);
    free(record->deviation);
    *record = (struct stj_record){0};
}

#ifdef STJ_SINGLE
uint32_t stj_state_crc(size_t n, const real *state)
{
    double piece[512];
    const size_t room = sizeof piece / sizeof piece[0];
    uint32_t crc = 0;
    for (size_t first = 0; first < n; first += room) {
        const size_t count = n - first < room ? n - first : room;
        for (size_t i = 0; i < count; i++)
            piece[i] = (double)state[first + i];
        crc = stj_crc32(crc, piece, count * sizeof piece[0]);
    }
    return crc;
}
#else
uint32_t stj_state_crc(size_t n, const real *state)
{
    return stj_crc32(0, state, n * sizeof *state);
}
#endif
