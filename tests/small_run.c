/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/small_run.c: small trainings for tests. */
#include "small_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "expect.h"
#include "op/memory_split.h"
#include "trajectory/record.h"

void parse_plugin(const struct stj_kind *kind, const char *text, struct stj_plugin *plugin)
{
    struct stj_error err = STJ_ERROR_INIT;
    EXPECT_OK(plugin_from_text(kind, text, plugin, &err), err);
}

double *normal_numbers(size_t n, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    double *x = NULL;
    EXPECT_OK(seeded_normal(n, seed, &x, &err), err);
    return x;
}

double largest_difference(size_t n, const double *x, const double *y)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i] - y[i]));
    return most;
}

struct small_run *small_run_create(const struct small_spec *spec)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = NULL;
    EXPECT_OK(small_run_make(spec, &run, &err), err);
    return run;
}

struct stj_op *small_run_jacobian(struct small_run *run, size_t from, size_t to, size_t memory,
                                  size_t tile)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    const struct stj_training_jacobian_settings settings = {
        .from = from, .to = to, .memory_bytes = memory, .tile = tile};
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &op, &err),
              err);
    return op;
}

size_t small_run_least_memory(struct small_run *run, size_t from, size_t to)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_memory_split split;
    EXPECT_FAIL(stj_memory_split(run->problem, &run->recipe, run->trajectory, from,
                                 to ? to : run->n_steps, 1, &split, &err),
                STJ_ENOMEM, "need at least", err);
    return split.storage.minimum;
}

struct stored_rows {
    struct stj_trajectory *trajectory;
    const struct stj_record *record;
};

static enum stj_status stored_row(void *ctx, size_t k, double *row, struct stj_error *err)
{
    const struct stored_rows *rows = ctx;
    struct stj_trajectory_view view;
    STJ_MUST(stj_trajectory_visit(rows->trajectory, rows->record->step[k], 1, &view, err));
    for (size_t i = 0; i < rows->record->shape.n_state; i++)
        row[i] = (double)view.state[i];
    return STJ_OK;
}

enum stj_status write_trajectory(struct stj_trajectory *trajectory, size_t every, const char *path,
                                 const struct stj_trajectory_about *about, struct stj_error *err)
{
    struct stj_trajectory_shape shape;
    STJ_HELD(stj_record_free) struct stj_record record = {0};
    struct stored_rows rows = {trajectory, &record};
    const size_t n_steps = stj_trajectory_n_steps(trajectory);
    STJ_MUST(stj_trajectory_shape_set(stj_trajectory_n_params(trajectory),
                                      stj_trajectory_n_slots(trajectory), n_steps, &shape, err));
    STJ_MUST(stj_record_init(&shape, 1 + (n_steps + every - 1) / every, &record, err));
    for (size_t k = 0; k < record.n_stored; k++)
        record.step[k] = k + 1 < record.n_stored ? k * every : n_steps;
    for (size_t t = 0; t <= n_steps; t++) {
        struct stj_trajectory_view view;
        STJ_MUST(stj_trajectory_visit(trajectory, t, 1, &view, err));
        record.crc[t] = stj_state_crc(shape.n_state, view.state);
    }
    memcpy(record.loss, stj_trajectory_loss(trajectory), n_steps * sizeof *record.loss);
    return stj_record_write(&record, stored_row, &rows, path, about, err);
}

void small_run_write(struct small_run *run, size_t every, const char *path)
{
    static char nothing[] = "";
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_trajectory_about about = {.fingerprint = nothing,
                                               .identity = nothing,
                                               .config = nothing,
                                               .version = nothing,
                                               .blas = nothing};
    EXPECT_OK(write_trajectory(run->trajectory, every, path, &about, &err), err);
}

void small_run_read(struct small_run *run, const char *path)
{
    struct stj_error err = STJ_ERROR_INIT;
    stj_trajectory_destroy(run->trajectory);
    EXPECT_OK(stj_trajectory_read(path, NULL, &run->trajectory, NULL, &err), err);
    stj_trajectory_set_training(run->trajectory, run->problem, &run->recipe);
}

struct quadratic *quadratic_create(size_t n, size_t n_steps, size_t n_matrices, uint64_t seed)
{
    struct quadratic *q = calloc(1, sizeof *q);
    *q = (struct quadratic){.n = n, .n_steps = n_steps, .n_matrices = n_matrices};
    q->a = normal_numbers(n_matrices * n * n, seed);
    q->b = normal_numbers(n, seed + 1);
    for (size_t m = 0; m < n_matrices; m++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < i; j++)
                q->a[(m * n + i) * n + j] = q->a[(m * n + j) * n + i];
    return q;
}

void quadratic_destroy(struct quadratic *q)
{
    free(q->a);
    free(q->b);
    free(q);
}

static void times(const struct quadratic *q, size_t step, const double *x, double *y)
{
    const double *a = q->a + step % q->n_matrices * q->n * q->n;
    for (size_t i = 0; i < q->n; i++) {
        y[i] = 0;
        for (size_t j = 0; j < q->n; j++)
            y[i] += a[i * q->n + j] * x[j];
    }
}

static enum stj_status quadratic_gradient(void *ctx, size_t step, const double *theta, double *loss,
                                          double *g, struct stj_error *err)
{
    (void)err;
    const struct quadratic *q = ctx;
    times(q, step, theta, g);
    *loss = 0;
    for (size_t i = 0; i < q->n; i++) {
        *loss += theta[i] * (g[i] / 2 - q->b[i]);
        g[i] -= q->b[i];
    }
    return STJ_OK;
}

static enum stj_status quadratic_hvp(void *ctx, size_t step, const double *theta, size_t nvec,
                                     const double *x, size_t ldx, double *y, size_t ldy,
                                     struct stj_error *err)
{
    (void)theta;
    (void)err;
    for (size_t j = 0; j < nvec; j++)
        times(ctx, step, x + j * ldx, y + j * ldy);
    return STJ_OK;
}

struct stj_problem *quadratic_problem(struct quadratic *q)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_problem *problem = NULL;
    const struct stj_problem_callbacks callbacks = {.size = sizeof callbacks,
                                                    .n_params = q->n,
                                                    .n_steps = q->n_steps,
                                                    .ctx = q,
                                                    .gradient = quadratic_gradient,
                                                    .hvp = quadratic_hvp};
    EXPECT_OK(stj_problem_create(&callbacks, &problem, &err), err);
    return problem;
}
