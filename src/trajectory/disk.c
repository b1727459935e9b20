/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/disk.c: the policy that reads every state from the file, a chunk at a time, and has the
 * system read ahead of the sweep, whichever way it goes. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "trajectory/storage.h"

struct disk {
    const struct stj_source *source;
    size_t from, to;
    size_t room, first, count; /* states of the buffer, and what it holds */
    real *buffer;
};

static void disk_destroy(void *self)
{
    struct disk *d = self;
    if (!d)
        return;
    free(d->buffer);
    free(d);
}

enum stj_status stj_policy_disk_create(const struct stj_storage_plan *plan,
                                       const struct stj_source *source, struct stj_replay *replay,
                                       void **self, struct stj_error *err)
{
    (void)replay;
    enum stj_status st = STJ_OK;
    struct disk *d = NULL;
    STJ_TRY(stj_new(&d, 1, sizeof *d, err));
    d->source = source;
    d->from = plan->from;
    d->to = plan->to;
    *self = d;
out:
    return st;
}

/* As many states again, in the direction in which the sweep goes. */
static void read_ahead(const struct disk *d, size_t first, size_t count)
{
    if (first < d->first && first > d->from)
        stj_source_ahead(d->source, first - d->from > count ? first - count : d->from, first - 1);
    else if (first >= d->first && first + count <= d->to)
        stj_source_ahead(d->source, first + count,
                         d->to - first - count > count ? first + 2 * count - 1 : d->to);
}

static enum stj_status disk_visit(void *self, const struct stj_trajectory_shape *shape,
                                  size_t first, size_t count, struct stj_trajectory_view *view,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct disk *d = self;
    struct stj_error failure = STJ_ERROR_INIT;
    const size_t n = shape->n_state;
    if (count > d->room) {
        d->count = 0;
        STJ_TRY(stj_resize(&d->buffer, 0, count, n * sizeof *d->buffer, err));
        d->room = count;
    }
    read_ahead(d, first, count);
    if (first >= d->first && first + count <= d->first + d->count)
        goto ready;
    d->count = 0;
#pragma omp parallel for schedule(static) num_threads((int)stj_threads())
    for (size_t i = 0; i < count; i++) {
        struct stj_error mine = STJ_ERROR_INIT;
        const size_t k = stj_source_before(d->source, first + i);
        if (stj_source_read(d->source, k, d->buffer + i * n, &mine) != STJ_OK)
#pragma omp critical(stj_read_error)
            stj_error_set(&failure, mine.code, mine.file, mine.line, "%s", mine.text);
    }
    STJ_CHECK(err, failure.code == STJ_OK, failure.code, "%s", failure.text);
    d->first = first;
    d->count = count;
ready:
    view->state = d->buffer + (first - d->first) * n;
    view->ld = n;
out:
    return st;
}

const struct stj_trajectory_policy stj_policy_disk = {
    .name = "disk",
    .visit = disk_visit,
    .destroy = disk_destroy,
};
