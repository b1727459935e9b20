/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/recording.c: the states of a training in a record log.
 *
 * Record k, tag STATE, is that of the k-th kept state, at step s_k (s_-1 = -1 here):
 *
 *     u64 s_k | f64 seconds | f64 deviation, where states are given | f64 losses of steps
 *     max(s_(k-1), 0) .. s_k - 1
 *             | u64 checksums of states s_(k-1) + 1 .. s_k | state s_k as reals
 *
 * so that whatever the log holds describes the training up to its last kept state, and no further.
 */
#include "trajectory/recording.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/log.h"
#include "base/memory.h"

STJ_HOLDS(struct stj_recording, stj_recording_close)

enum { STATE = 1 };

struct head {
    uint64_t step;
    double seconds;
};

struct stj_recording {
    struct stj_log *log;
    struct stj_record record; /* filled up to the last state kept, and beyond while training */
    size_t every;
    size_t kept;             /* records in the log */
    double deviation;        /* of the next state, where states are given */
    double seconds, resumed; /* of the last state kept; clock when this process went on from it */
    size_t n_adopted;        /* states whose checksums are those of a shorter recording */
    real *state;             /* [n_state] */
};

/* The step of the k-th kept state. */
static uint64_t step_of(const struct stj_recording *r, size_t k)
{
    const size_t n = r->record.shape.n_steps;
    return k < n / r->every + (n % r->every != 0) ? k * r->every : n;
}

/* The first loss and the first checksum of record k. */
static size_t first_loss(const struct stj_recording *r, size_t k)
{
    return k ? step_of(r, k - 1) : 0;
}

static size_t first_crc(const struct stj_recording *r, size_t k)
{
    return k ? step_of(r, k - 1) + 1 : 0;
}

/* Sizes of the parts of record k. */
struct parts {
    size_t n_deviation, n_loss, n_crc;
    size_t deviation_at, loss_at, crc_at, state_at, bytes; /* offsets in the payload; the whole */
};

static struct parts parts_of(const struct stj_recording *r, size_t k)
{
    struct parts p = {.n_deviation = r->record.deviation ? 1 : 0,
                      .n_loss = step_of(r, k) - first_loss(r, k),
                      .n_crc = step_of(r, k) + 1 - first_crc(r, k)};
    p.deviation_at = sizeof(struct head);
    p.loss_at = p.deviation_at + p.n_deviation * sizeof(double);
    p.crc_at = p.loss_at + p.n_loss * sizeof(double);
    p.state_at = p.crc_at + p.n_crc * sizeof(uint64_t);
    p.bytes = p.state_at + r->record.shape.n_state * sizeof(real);
    return p;
}

/* Take the lists of record k over; *good: it is the record that belongs here. */
static enum stj_status take_record(struct stj_recording *r, size_t k, bool *good,
                                   struct stj_error *err)
{
    const struct parts p = parts_of(r, k);
    struct head head;
    *good = false;
    if (stj_log_tag(r->log, k) != STATE || stj_log_bytes(r->log, k) != p.bytes)
        return STJ_OK;
    STJ_MUST(stj_log_read(r->log, k, 0, sizeof head, &head, err));
    if (head.step != step_of(r, k))
        return STJ_OK;
    if (p.n_deviation)
        STJ_MUST(
            stj_log_read(r->log, k, p.deviation_at, sizeof(double), r->record.deviation + k, err));
    STJ_MUST(stj_log_read(r->log, k, p.loss_at, p.n_loss * sizeof(double),
                          r->record.loss + first_loss(r, k), err));
    STJ_MUST(stj_log_read(r->log, k, p.crc_at, p.n_crc * sizeof(uint64_t),
                          r->record.crc + first_crc(r, k), err));
    r->seconds = head.seconds;
    *good = true;
    return STJ_OK;
}

static enum stj_status take_all(struct stj_recording *r, struct stj_error *err)
{
    const size_t n = stj_log_n_records(r->log);
    bool good = true;
    while (r->kept < n && r->kept < r->record.n_stored) {
        STJ_MUST(take_record(r, r->kept, &good, err));
        if (!good)
            break;
        r->kept++;
    }
    return stj_log_truncate(r->log, r->kept, err);
}

enum stj_status stj_recording_open(const char *path, const char *header,
                                   const struct stj_trajectory_shape *shape, size_t every,
                                   bool deviates, struct stj_recording **recording,
                                   struct stj_error *err)
{
    STJ_HELD(stj_recording_close_at) struct stj_recording *r = NULL;
    STJ_NEED(err, every > 0, STJ_EINVAL, "every 0th state cannot be kept: at least 1 is needed");
    STJ_MUST(stj_new(&r, 1, sizeof *r, err));
    r->every = every < shape->n_steps ? every : shape->n_steps;
    const size_t n_stored = 1 + shape->n_steps / r->every + (shape->n_steps % r->every != 0);
    STJ_MUST(stj_record_init(shape, n_stored, &r->record, err));
    if (deviates)
        STJ_MUST(stj_record_deviates(&r->record, err));
    for (size_t k = 0; k < n_stored; k++)
        r->record.step[k] = step_of(r, k);
    STJ_MUST(stj_new(&r->state, shape->n_state, sizeof *r->state, err));
    STJ_MUST(stj_log_open(path, header, &r->log, err));
    STJ_MUST(take_all(r, err));
    r->resumed = stj_clock();
    *recording = r;
    r = NULL;
    return STJ_OK;
}

void stj_recording_close(struct stj_recording *recording)
{
    if (!recording)
        return;
    stj_log_close(recording->log);
    stj_record_free(&recording->record);
    free(recording->state);
    free(recording);
}

size_t stj_recording_n_kept(const struct stj_recording *recording)
{
    return recording->kept;
}

size_t stj_recording_n_wanted(const struct stj_recording *recording)
{
    return recording->record.n_stored;
}

static enum stj_status read_state(struct stj_recording *r, size_t k, real *state,
                                  struct stj_error *err)
{
    return stj_log_read(r->log, k, parts_of(r, k).state_at, r->record.shape.n_state * sizeof *state,
                        state, err);
}

enum stj_status stj_recording_last(struct stj_recording *recording, size_t *step, real *state,
                                   struct stj_error *err)
{
    STJ_NEED(err, recording->kept > 0, STJ_EINTERNAL, "no state of the training was kept yet");
    *step = step_of(recording, recording->kept - 1);
    return read_state(recording, recording->kept - 1, state, err);
}

static enum stj_status append_state(struct stj_recording *r, const real *state,
                                    struct stj_error *err)
{
    const size_t k = r->kept;
    const struct parts p = parts_of(r, k);
    const double now = stj_clock();
    const struct head head = {step_of(r, k), r->seconds + (now - r->resumed)};
    const struct stj_log_piece piece[] = {
        {&head, sizeof head},
        {&r->deviation, p.n_deviation * sizeof r->deviation},
        {r->record.loss + first_loss(r, k), p.n_loss * sizeof(double)},
        {r->record.crc + first_crc(r, k), p.n_crc * sizeof(uint64_t)},
        {state, r->record.shape.n_state * sizeof *state}};
    STJ_MUST(stj_log_append(r->log, STATE, piece, sizeof piece / sizeof piece[0], err));
    if (r->record.deviation)
        r->record.deviation[k] = r->deviation;
    r->kept++;
    r->seconds = head.seconds;
    r->resumed = now;
    return STJ_OK;
}

enum stj_status stj_recording_add(void *recording, size_t t, const real *state, double loss,
                                  struct stj_error *err)
{
    struct stj_recording *r = recording;
    const struct stj_trajectory_shape *shape = &r->record.shape;
    const bool again = r->kept > 0 && t == step_of(r, r->kept - 1);
    STJ_NEED(err, t <= shape->n_steps, STJ_EINVAL, "state %zu is outside a training of %zu steps",
             t, shape->n_steps);
    const uint64_t crc = again ? r->record.crc[t] : stj_state_crc(shape->n_state, state);
    STJ_NEED(
        err, t >= r->n_adopted || crc == r->record.crc[t], STJ_EMISMATCH,
        "state %zu comes out otherwise than it was recorded: the training that is continued was "
        "made by another BLAS or on another processor; continue it there, or train anew",
        t);
    r->record.crc[t] = crc;
    if (!again && r->kept < r->record.n_stored && t == step_of(r, r->kept))
        STJ_MUST(append_state(r, state, err));
    if (t < shape->n_steps)
        r->record.loss[t] = loss;
    return STJ_OK;
}

enum stj_status stj_recording_adopt(struct stj_recording *r, struct stj_trajectory *shorter,
                                    double seconds, struct stj_error *err)
{
    struct stj_trajectory_view view = {0};
    const size_t last = stj_trajectory_n_steps(shorter);
    const double *loss = stj_trajectory_loss(shorter);
    if (r->kept == 0)
        r->seconds = seconds;
    for (size_t t = 0; t <= last; t++) {
        STJ_MUST(stj_trajectory_crc(shorter, t, &r->record.crc[t], err));
        if (t < last)
            r->record.loss[t] = loss[t];
    }
    r->n_adopted = last + 1;
    r->resumed = stj_clock();
    while (r->kept < r->record.n_stored && step_of(r, r->kept) <= last) {
        STJ_MUST(stj_trajectory_visit(shorter, step_of(r, r->kept), 1, &view, err));
        STJ_MUST(append_state(r, view.state, err));
    }
    return STJ_OK;
}

void stj_recording_set_deviation(struct stj_recording *recording, double deviation)
{
    recording->deviation = deviation;
}

double stj_recording_seconds(const struct stj_recording *recording)
{
    return recording->seconds;
}

/* A stj_row_fn. */
static enum stj_status read_row(void *ctx, size_t k, double *row, struct stj_error *err)
{
    struct stj_recording *r = ctx;
    STJ_MUST(read_state(r, k, r->state, err));
    for (size_t i = 0; i < r->record.shape.n_state; i++)
        row[i] = (double)r->state[i];
    return STJ_OK;
}

enum stj_status stj_recording_write(struct stj_recording *recording, const char *path,
                                    const struct stj_trajectory_about *about, struct stj_error *err)
{
    STJ_NEED(err, recording->kept == recording->record.n_stored, STJ_EINTERNAL,
             "%zu of %zu states of the training were kept", recording->kept,
             recording->record.n_stored);
    return stj_record_write(&recording->record, read_row, recording, path, about, err);
}
