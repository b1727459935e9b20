/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/disk.c: the policy that reads every state from the file, a chunk at a time,
 * and has the system read ahead of the sweep, whichever way it goes.  Ranks that share memory have
 * one buffer. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "parallel/shared_memory.h"
#include "trajectory/storage.h"

struct disk {
    const struct stj_state_reader *source;
    size_t from, to;
    size_t first, count; /* what the buffer holds */
    struct stj_arena buffer;
};

static void disk_destroy(void *self)
{
    struct disk *d = self;
    if (!d)
        return;
    stj_arena_free(&d->buffer);
    free(d);
}

enum stj_status stj_policy_disk_create(const struct stj_storage_plan *plan,
                                       const struct stj_state_reader *source,
                                       struct stj_replay *replay, void **self,
                                       struct stj_error *err)
{
    (void)replay;
    struct disk *d = NULL;
    STJ_MUST(stj_new(&d, 1, sizeof *d, err));
    d->source = source;
    d->from = plan->from;
    d->to = plan->to;
    *self = d;
    return STJ_OK;
}

/* As many states again, in the direction in which the sweep goes. */
static void read_ahead(const struct disk *d, size_t first, size_t count)
{
    if (first < d->first && first > d->from)
        stj_state_reader_ahead(d->source, first - d->from > count ? first - count : d->from,
                               first - 1);
    else if (first >= d->first && first + count <= d->to)
        stj_state_reader_ahead(d->source, first + count,
                               d->to - first - count > count ? first + 2 * count - 1 : d->to);
}

static enum stj_status disk_visit(void *self, const struct stj_trajectory_shape *shape,
                                  size_t first, size_t count, struct stj_trajectory_view *view,
                                  struct stj_error *err)
{
    struct disk *d = self;
    const size_t n = shape->n_state;
    read_ahead(d, first, count);
    if (first < d->first || first + count > d->first + d->count) {
        d->count = 0;
        STJ_MUST(stj_arena_reals(&d->buffer, count, n, err));
        if (stj_group_shares())
            stj_group_barrier(); /* for those who work with what was there */
        STJ_MUST(stj_state_reader_read_range(d->source, first, count, NULL, d->buffer.at, err));
        d->first = first;
        d->count = count;
    }
    view->state = (const real *)d->buffer.at + (first - d->first) * n;
    view->ld = n;
    return STJ_OK;
}

const struct stj_trajectory_policy stj_policy_disk = {
    .name = "disk",
    .common = true,
    .visit = disk_visit,
    .destroy = disk_destroy,
};
