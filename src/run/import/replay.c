/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/import/replay.c: the steps between given states, trained again.
 *
 * From the given state s, with the slots that the replay has come to (zero at the start), the steps
 * up to the next given state t are trained.  Where they land is compared with what is given:
 *
 *     deviation_t = |landed - theta_t| / (|theta_t - theta_s| + sqrt(eps) |theta_t|)
 *
 * and replay goes on from theta_t, so that deviations do not add up.  eps is that of the numbers
 * given, single precision where all of them fit it.  A step whose gradient was rounded otherwise
 * lands some eps of what it moves and some eps |theta| away, so the deviation is of order sqrt(eps)
 * at most, and of c steps c times that: the tolerance, unless trajectory.tolerance says another.
 * Half of the digits must agree; a wrong learning rate, batch or loss differs in the first ones.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "run/import/imported.h"
#include "trajectory/recording.h"

/* 2^1023 is the largest power of two. */
enum { MOST_SHIFT = 1023 };

struct replay {
    struct stj_run *run;
    struct stj_imported *given;
    struct stj_train_work *work;
    struct stj_recording *recording;
    size_t n, n_state;
    double *theta, *last; /* [n]: the given state that is landed on, and the one before */
    real *before;         /* [n_state]: the state before a step */
    size_t last_step;
    double tolerance;
    bool accept;
};

static void replay_free(struct replay *r)
{
    stj_imported_close(r->given);
    stj_train_work_destroy(r->work);
    free(r->theta);
    free(r->last);
    free(r->before);
}

static enum stj_status replay_init(struct replay *r, struct stj_error *err)
{
    r->n = stj_network_n_params(r->run->net);
    r->n_state = stj_run_state_size(r->run);
    STJ_MUST(stj_imported_open(r->run, &r->given, err));
    STJ_MUST(stj_train_work_create(r->run->problem, &r->run->recipe, &r->work, err));
    STJ_MUST(stj_new(&r->theta, r->n, sizeof *r->theta, err));
    STJ_MUST(stj_new(&r->last, r->n, sizeof *r->last, err));
    return stj_new(&r->before, r->n_state, sizeof *r->before, err);
}

double stj_imported_tolerance(const struct stj_run *run, size_t every)
{
    const double given = run->config.trajectory.tolerance;
    return given > 0 ? given : (double)every * sqrt(run->given.eps);
}

/* A power of two, so that it rounds nothing, that brings the largest of these numbers below 1:
 * squares of what is finite are then finite, and those of what is tiny are not all zero. */
static double landed_scale(size_t n, const real *landed, const double *theta, const double *last)
{
    double largest = 0;
    int exponent = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(fmax(largest, fabs((double)landed[i])), fmax(fabs(theta[i]), fabs(last[i])));
    (void)frexp(largest, &exponent);
    return ldexp(1, exponent < -MOST_SHIFT ? MOST_SHIFT : -exponent);
}

/* Never NaN, for all that it is made of is finite: training stops before it lands elsewhere, and
 * reading refuses what is not.  (A NaN would say that the state was not given:
 * trajectory/record.h.) */
double stj_landed_deviation(size_t n, const real *landed, const double *theta, const double *last,
                            double eps)
{
    const double scale = landed_scale(n, landed, theta, last);
    double distance = 0;
    double moved = 0;
    double size = 0;
    for (size_t i = 0; i < n; i++) {
        const double at = scale * theta[i];
        const double off = scale * (double)landed[i] - at;
        const double step = at - scale * last[i];
        distance += off * off;
        moved += step * step;
        size += at * at;
    }
    if (distance == 0)
        return 0;
    return sqrt(distance) / (sqrt(moved) + sqrt(eps * size));
}

/* The state, landed at the given state t, becomes it. */
static enum stj_status land(struct replay *r, size_t t, real *state, struct stj_error *err)
{
    STJ_MUST(stj_imported_read(r->given, t, r->theta, NULL, err));
    const double deviation =
        stj_landed_deviation(r->n, state, r->theta, r->last, r->run->given.eps);
    char steps[64];
    if (r->last_step + 1 == t)
        snprintf(steps, sizeof steps, "step %zu", t - 1);
    else
        snprintf(steps, sizeof steps, "steps %zu to %zu", r->last_step, t - 1);
    STJ_NEED(err, r->accept || deviation <= r->tolerance, STJ_EMISMATCH,
             "trajectory.states: replay of %s lands %.3g off the given state %zu, relative to what "
             "that moves, and the tolerance is %.3g: check network, loss, "
             "optimizer, learning rate and batches, or raise trajectory.tolerance; "
             "--accept-deviation takes the states as they are",
             steps, deviation, t, r->tolerance);
    stj_recipe_replace(&r->run->recipe, r->n, t, r->theta, state);
    memcpy(r->last, r->theta, r->n * sizeof *r->last);
    r->last_step = t;
    stj_recording_set_deviation(r->recording, deviation);
    return STJ_OK;
}

static enum stj_status import_step(struct replay *r, size_t t, real *state, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double loss = 0;
    stj_recipe_begin(&r->run->recipe, r->n, t, state);
    memcpy(r->before, state, r->n_state * sizeof *state);
    st = stj_train_step(r->run->problem, &r->run->recipe, t, state, &loss, r->work, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "trajectory.states: replay");
        goto out;
    }
    STJ_TRY(stj_recording_add(r->recording, t, r->before, loss, err));
    stj_recording_set_deviation(r->recording, (double)NAN);
    if (stj_imported_has(r->given, t + 1))
        STJ_TRY(land(r, t + 1, state, err));
out:
    return st;
}

enum stj_status stj_imported_replay(struct stj_run *run, struct stj_recording *recording,
                                    bool accept, real *state, const struct stj_progress *progress,
                                    struct stj_error *err)
{
    const size_t n_steps = run->n_steps;
    STJ_HELD(replay_free) struct replay r = {.run = run, .recording = recording, .accept = accept};
    size_t every = 1;
    STJ_MUST(replay_init(&r, err));
    STJ_MUST(stj_run_every(run, &every, err));
    r.tolerance = stj_imported_tolerance(run, every);
    if (stj_recording_n_kept(recording) > 0) {
        STJ_MUST(stj_recording_last(recording, &r.last_step, state, err));
        for (size_t i = 0; i < r.n; i++)
            r.last[i] = (double)state[i];
    } else {
        STJ_MUST(stj_imported_read(r.given, 0, r.last, NULL, err));
        for (size_t i = 0; i < r.n; i++)
            state[i] = (real)r.last[i];
    }
    if (r.last_step == n_steps)
        return STJ_OK;
    for (size_t t = r.last_step; t < n_steps; t++) {
        STJ_MUST(stj_progress_report(progress, "replaying", (double)t, (double)n_steps, err));
        STJ_MUST(import_step(&r, t, state, err));
    }
    STJ_MUST(stj_progress_report(progress, "replaying", (double)n_steps, (double)n_steps, err));
    stj_recipe_begin(&run->recipe, r.n, n_steps, state);
    return stj_recording_add(recording, n_steps, state, (double)NAN, err);
}
