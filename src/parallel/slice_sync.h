/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/slice_sync.h: how the slices of a batch tell each other what they need to know, in
 * stages.
 *
 * Where a sample depends on the rest of its batch (batch normalisation), a slice cannot go on
 * before it knows something of all others.  So work on a slice goes in stages: at the end of each
 * but the last every slice leaves a record, and the next stage of any of them begins when all
 * records of the stage before are there.  Records are kept for two stages, so that one is not
 * written while others read what stood there:
 *
 *     record [2][n_slices][size]     those of stage k in number k % 2
 *
 * A slice that is the whole batch meets nobody: it has one stage, and one record.
 */
#ifndef STJ_PARALLEL_SLICE_SYNC_H
#define STJ_PARALLEL_SLICE_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

struct stj_slice_sync {
    size_t n_slices, slice; /* 0 slices, as 1: the whole batch */
    size_t stage;           /* the one that is to be done */
    size_t size;            /* numbers of a record */
    real *record;
};

static inline bool stj_slice_sync_alone(const struct stj_slice_sync *m)
{
    return m->n_slices <= 1;
}

/* Records that slices of a batch in n_slices need room for. */
static inline size_t stj_slice_sync_n_records(size_t n_slices)
{
    return n_slices > 1 ? 2 * n_slices : 1;
}

/* [n_slices][size]: those of a stage. */
static inline real *stj_slice_sync_records(const struct stj_slice_sync *m, size_t stage)
{
    return m->record + (stj_slice_sync_alone(m) ? 0 : stage % 2 * m->n_slices * m->size);
}

/* What the slice leaves at the end of its stage. */
static inline real *stj_slice_sync_own(const struct stj_slice_sync *m)
{
    return stj_slice_sync_records(m, m->stage) + m->slice * m->size;
}

/* [n_slices][size]: what all of them left at the end of the stage before. */
static inline const real *stj_slice_sync_all(const struct stj_slice_sync *m)
{
    return stj_slice_sync_records(m, m->stage + 1);
}

#endif
