/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/state_reader.c: the states that trajectory.h5 holds. */
#include "trajectory/state_reader.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/ranks.h"

void stj_state_reader_close(struct stj_state_reader *source)
{
    stj_h5_rows_close(source->rows);
    stj_record_free(&source->record);
    *source = (struct stj_state_reader){0};
}

size_t stj_state_reader_before(const struct stj_state_reader *source, size_t t)
{
    size_t low = 0; /* step[low] <= t < step[high] */
    size_t high = source->record.n_stored;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (stj_record_step(&source->record, middle) <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool stj_state_reader_has(const struct stj_state_reader *source, size_t t)
{
    return stj_record_step(&source->record, stj_state_reader_before(source, t)) == t;
}

enum stj_status stj_state_reader_read(const struct stj_state_reader *source, size_t k, real *state,
                                      struct stj_error *err)
{
#ifdef STJ_SINGLE
    enum stj_status st = STJ_OK;
    double *row = NULL;
    STJ_TRY(stj_new(&row, source->record.shape.n_state, sizeof *row, err));
    STJ_TRY(stj_h5_rows_read(source->rows, k, row, err));
    for (size_t i = 0; i < source->record.shape.n_state; i++)
        state[i] = (real)row[i];
out:
    free(row);
    return st;
#else
    return stj_h5_rows_read(source->rows, k, state, err);
#endif
}

enum stj_status stj_state_reader_read_range(const struct stj_state_reader *source, size_t first,
                                            size_t count, const bool *there, real *state,
                                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_error failure = STJ_ERROR_INIT;
    const bool shares = stj_group_shares();
    const size_t begin = shares ? stj_group_rank() : 0;
    const size_t stride = stj_group_sharers();
#pragma omp parallel for schedule(static) num_threads((int)stj_threads())
    for (size_t i = begin; i < count; i += stride) {
        struct stj_error mine = STJ_ERROR_INIT;
        const size_t k = stj_state_reader_before(source, first + i);
        if ((there && there[i]) || stj_record_step(&source->record, k) != first + i)
            continue;
        if (stj_state_reader_read(source, k, state + i * source->record.shape.n_state, &mine) !=
            STJ_OK)
#pragma omp critical(stj_read_error)
            stj_error_pass(&mine, &failure);
    }
    st = stj_error_pass(&failure, err);
    return shares ? stj_group_agree(st, err) : st;
}

void stj_state_reader_ahead(const struct stj_state_reader *source, size_t first, size_t last)
{
    const size_t k = stj_state_reader_before(source, first);
    stj_h5_rows_ahead(source->rows, k, stj_state_reader_before(source, last) + 1 - k);
}
