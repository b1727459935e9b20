/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/segments.c: the policy that replays a segment of the window at a time.
 *
 *     anchors      a_0 < a_1 < ...: the stored states, or every s-th state; in memory (filled as
 *                  they are first needed, by reading or replay) or read from the file
 *     segment j    states a_j .. a_(j+1) - 1, replayed from anchor j into one buffer
 *
 * A sweep goes through the segments in order, so each step is replayed once.  A visit that
 * straddles two segments is copied together, beginning with the one in the buffer, so that the
 * buffer ends up with the one that the sweep goes on to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "trajectory/storage.h"

struct segments {
    const struct stj_state_reader *source;
    struct stj_replay *replay;
    size_t n, longest;
    size_t *start;  /* [n + 1] */
    bool holds;     /* anchors in memory: */
    real *held;     /* [n][n_state] */
    bool *filled;   /* [n] */
    size_t current; /* the segment in the buffer; n: none */
    real *buffer;   /* [longest][n_state] */
    size_t view_room;
    real *view; /* [view_room][n_state], of visits that straddle */
};

/* The stored states that a segment begins with: so far apart that a visit meets two at most. */
static size_t count_stored(const struct stj_state_reader *source,
                           const struct stj_storage_plan *plan, size_t *start)
{
    const struct stj_record *record = &source->record;
    const size_t before = stj_state_reader_before(source, plan->from);
    size_t last = stj_record_step(record, before);
    size_t n = 1;
    if (start)
        start[0] = last;
    for (size_t k = before + 1; k < record->n_stored && stj_record_step(record, k) <= plan->to;
         k++) {
        if (stj_record_step(record, k) - last < plan->chunk)
            continue;
        last = stj_record_step(record, k);
        if (start)
            start[n] = last;
        n++;
    }
    return n;
}

static size_t count_spaced(const struct stj_state_reader *source,
                           const struct stj_storage_plan *plan, size_t *start)
{
    const size_t begin =
        stj_record_step(&source->record, stj_state_reader_before(source, plan->from));
    const size_t n = (plan->to - begin) / plan->spacing + 1;
    for (size_t i = 0; start && i < n; i++)
        start[i] = begin + i * plan->spacing;
    return n;
}

/* The longest segment between stored states, without a list of them. */
static size_t longest_stored(const struct stj_state_reader *source,
                             const struct stj_storage_plan *plan)
{
    const struct stj_record *record = &source->record;
    const size_t before = stj_state_reader_before(source, plan->from);
    size_t last = stj_record_step(record, before);
    size_t longest = 0;
    for (size_t k = before + 1; k < record->n_stored && stj_record_step(record, k) <= plan->to;
         k++) {
        const size_t length = stj_record_step(record, k) - last;
        if (length < plan->chunk)
            continue;
        longest = length > longest ? length : longest;
        last = stj_record_step(record, k);
    }
    return plan->to + 1 - last > longest ? plan->to + 1 - last : longest;
}

size_t stj_segments_count(const struct stj_state_reader *source,
                          const struct stj_storage_plan *plan, size_t *longest, size_t *start)
{
    const size_t n =
        plan->spacing ? count_spaced(source, plan, start) : count_stored(source, plan, start);
    const size_t begin =
        stj_record_step(&source->record, stj_state_reader_before(source, plan->from));
    const size_t whole = plan->to + 1 - begin;
    *longest = !plan->spacing          ? longest_stored(source, plan)
               : plan->spacing < whole ? plan->spacing
                                       : whole;
    if (start)
        start[n] = plan->to + 1;
    return n;
}

static void segments_destroy(void *self)
{
    struct segments *s = self;
    if (!s)
        return;
    free(s->start);
    free(s->held);
    free(s->filled);
    free(s->buffer);
    free(s->view);
    free(s);
}
STJ_HOLDS(struct segments, segments_destroy)

enum stj_status stj_policy_segments_create(const struct stj_storage_plan *plan,
                                           const struct stj_state_reader *source,
                                           struct stj_replay *replay, void **self,
                                           struct stj_error *err)
{
    STJ_HELD(segments_destroy_at) struct segments *s = NULL;
    STJ_MUST(stj_new(&s, 1, sizeof *s, err));
    s->source = source;
    s->replay = replay;
    s->holds = plan->about.policy == STJ_STORAGE_MEMORY_REPLAY;
    s->n = stj_segments_count(source, plan, &s->longest, NULL);
    s->current = s->n;
    STJ_MUST(stj_new(&s->start, s->n + 1, sizeof *s->start, err));
    stj_segments_count(source, plan, &s->longest, s->start);
    STJ_MUST(stj_new(&s->filled, s->n, sizeof *s->filled, err));
    *self = s;
    s = NULL;
    return STJ_OK;
}

static enum stj_status allocate_segments(struct segments *s, size_t n, struct stj_error *err)
{
    if (!s->buffer)
        STJ_MUST(stj_new(&s->buffer, s->longest, n * sizeof *s->buffer, err));
    if (s->holds && !s->held)
        STJ_MUST(stj_new(&s->held, s->n, n * sizeof *s->held, err));
    return STJ_OK;
}

static void hold(struct segments *s, size_t n, size_t j, const real *state)
{
    if (!s->holds || s->filled[j])
        return;
    memcpy(s->held + j * n, state, n * sizeof *state);
    s->filled[j] = true;
}

/* state <- anchor j; what is passed on the way there is filled too. */
static enum stj_status get_anchor(struct segments *s, size_t n, size_t j, real *state,
                                  struct stj_error *err)
{
    size_t i = j;
    while (!s->filled[i] && !stj_state_reader_has(s->source, s->start[i]))
        i--;
    if (s->filled[i])
        memcpy(state, s->held + i * n, n * sizeof *state);
    else
        STJ_MUST(stj_state_reader_read(s->source, stj_state_reader_before(s->source, s->start[i]),
                                       state, err));
    hold(s, n, i, state);
    for (; i < j; i++) {
        for (size_t t = s->start[i]; t < s->start[i + 1]; t++)
            STJ_MUST(stj_replay_step(s->replay, t, state, err));
        hold(s, n, i + 1, state);
    }
    return STJ_OK;
}

/* The buffer <- segment j. */
static enum stj_status load_segment(struct segments *s, size_t n, size_t j, struct stj_error *err)
{
    const size_t begin = s->start[j];
    s->current = s->n;
    if (!s->holds && j > 0)
        stj_state_reader_ahead(s->source, s->start[j - 1], s->start[j - 1]);
    STJ_MUST(get_anchor(s, n, j, s->buffer, err));
    for (size_t t = begin + 1; t < s->start[j + 1]; t++)
        STJ_MUST(stj_replay_next(s->replay, t, true, s->buffer + (t - begin) * n, err));
    s->current = j;
    return STJ_OK;
}

/* The segment of state t. */
static size_t segment_of(const struct segments *s, size_t t)
{
    size_t low = 0;
    size_t high = s->n;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (s->start[middle] <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The view's part of segment j, which is loaded if need be. */
static enum stj_status copy_part(struct segments *s, size_t n, size_t j, size_t first, size_t count,
                                 struct stj_error *err)
{
    const size_t begin = s->start[j] > first ? s->start[j] : first;
    const size_t end = s->start[j + 1] < first + count ? s->start[j + 1] : first + count;
    if (s->current != j)
        STJ_MUST(load_segment(s, n, j, err));
    memcpy(s->view + (begin - first) * n, s->buffer + (begin - s->start[j]) * n,
           (end - begin) * n * sizeof *s->view);
    return STJ_OK;
}

static enum stj_status make_view(struct segments *s, size_t n, size_t count, struct stj_error *err)
{
    if (count > s->view_room) {
        STJ_MUST(stj_resize(&s->view, 0, count, n * sizeof *s->view, err));
        s->view_room = count;
    }
    return STJ_OK;
}

static enum stj_status straddle(struct segments *s, size_t n, size_t first, size_t count,
                                struct stj_error *err)
{
    const size_t low = segment_of(s, first);
    const size_t high = segment_of(s, first + count - 1);
    const size_t begin = s->current;
    STJ_MUST(make_view(s, n, count, err));
    if (begin >= low && begin <= high)
        STJ_MUST(copy_part(s, n, begin, first, count, err));
    /* Who comes from above goes on down; so does who comes to a far place from below, for that is
     * where a sweep backward begins. */
    if (begin == high || begin < low) {
        for (size_t j = high + 1; j-- > low;)
            if (j != begin)
                STJ_MUST(copy_part(s, n, j, first, count, err));
        return STJ_OK;
    }
    for (size_t j = low; j <= high; j++)
        if (j != begin)
            STJ_MUST(copy_part(s, n, j, first, count, err));
    return STJ_OK;
}

/* A single stored state, of a segment that is not in the buffer. */
static enum stj_status read_alone(struct segments *s, size_t n, size_t t, struct stj_error *err)
{
    STJ_MUST(make_view(s, n, 1, err));
    return stj_state_reader_read(s->source, stj_state_reader_before(s->source, t), s->view, err);
}

static enum stj_status segments_visit(void *self, const struct stj_trajectory_shape *shape,
                                      size_t first, size_t count, struct stj_trajectory_view *view,
                                      struct stj_error *err)
{
    struct segments *s = self;
    const size_t n = shape->n_state;
    const size_t j = segment_of(s, first);
    view->ld = n;
    if (count == 1 && s->current != j && stj_state_reader_has(s->source, first)) {
        STJ_MUST(read_alone(s, n, first, err));
        view->state = s->view;
        return STJ_OK;
    }
    STJ_MUST(allocate_segments(s, n, err));
    if (first + count <= s->start[j + 1]) {
        if (s->current != j)
            STJ_MUST(load_segment(s, n, j, err));
        view->state = s->buffer + (first - s->start[j]) * n;
    } else {
        STJ_MUST(straddle(s, n, first, count, err));
        view->state = s->view;
    }
    return STJ_OK;
}

const struct stj_trajectory_policy stj_policy_segments = {
    .name = "segments",
    .visit = segments_visit,
    .destroy = segments_destroy,
};
