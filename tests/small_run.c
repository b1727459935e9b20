/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/small_run.c: small trainings for tests. */
#include "small_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/yaml.h"
#include "expect.h"

static struct stj_yaml_node *yaml(const char *text)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    EXPECT_OK(stj_yaml_parse(text, strlen(text), "test", &root, &err), err);
    return root;
}

void parse_plugin(const struct stj_kind *kind, const char *text, struct stj_plugin *plugin)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = yaml(text);
    EXPECT_OK(stj_plugin_parse(kind, root, plugin, &err), err);
    stj_yaml_destroy(root);
}

double *normal_numbers(size_t n, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    double *x = NULL;
    EXPECT_OK(stj_new(&x, n, sizeof *x, &err), err);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_DATA, 7, &rng, &err), err);
    stj_rng_fill_normal(rng, n, x);
    stj_rng_destroy(rng);
    return x;
}

double largest_difference(size_t n, const double *x, const double *y)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i] - y[i]));
    return most;
}

/* Normal inputs, or tokens drawn evenly for a network that reads tokens; labels drawn evenly for a
 * loss that wants them, else normal targets, or within the range that the loss takes. */
static struct stj_dataset *make_data(const struct stj_network *net, const struct small_spec *spec)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *data = NULL;
    const size_t n_in = stj_shape_size(stj_network_input(net));
    const size_t n_out = stj_shape_size(stj_network_output(net));
    const size_t cols = stj_shape_cols(stj_network_output(net));
    double *inputs = normal_numbers(spec->rows * n_in, spec->seed);
    double *targets = normal_numbers(spec->rows * n_out, spec->seed + 1);
    size_t *labels = calloc(spec->rows * (n_out / cols), sizeof *labels);
    for (size_t i = 0; stj_network_n_ids(net) && i < spec->rows * n_in; i++)
        inputs[i] = (double)((size_t)(fabs(inputs[i]) * 1e6) % stj_network_n_ids(net));
    for (size_t i = 0; i < spec->rows * (n_out / cols); i++)
        labels[i] = (size_t)(fabs(targets[i]) * 1e6) % cols;
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const bool wants = loss->wants_labels;
    for (size_t i = 0; loss->max_target > loss->min_target && i < spec->rows * n_out; i++)
        targets[i] = loss->min_target +
                     (loss->max_target - loss->min_target) * (1 + sin(targets[i])) / 2;
    EXPECT_OK(stj_dataset_from_arrays(spec->rows, n_in, inputs, n_out / cols,
                                      wants ? labels : NULL, n_out, wants ? NULL : targets, &data,
                                      &err),
              err);
    free(inputs);
    free(targets);
    free(labels);
    return data;
}

struct small_run *small_run_create(const struct small_spec *spec)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = calloc(1, sizeof *run);
    struct stj_yaml_node *root = yaml(spec->network);
    EXPECT_OK(stj_options_parse(stj_network_options, root, &run->config, &err), err);
    stj_yaml_destroy(root);
    EXPECT_OK(stj_network_create(&run->config, &run->net, &err), err);
    run->data = make_data(run->net, spec);
    const struct stj_batch_order_settings order = {
        .n_rows = spec->rows, .batch_size = spec->batch, .drop_last = true};
    EXPECT_OK(stj_batch_order_create(&order, &run->order, &err), err);
    EXPECT_OK(stj_network_problem_create(run->net, run->data, run->order, spec->steps,
                                         &run->problem, &err),
              err);
    parse_plugin(&stj_optimizers, spec->optimizer, &run->optimizer);
    parse_plugin(&stj_schedules, spec->schedule, &run->schedule);
    run->recipe = (struct stj_recipe){&run->optimizer, &run->schedule};
    run->n = stj_network_n_params(run->net);
    run->n_steps = spec->steps;
    const size_t n_slots = stj_recipe_optimizer(&run->recipe)->n_slots;
    EXPECT_OK(stj_new(&run->state, (1 + n_slots) * run->n, sizeof *run->state, &err), err);
    EXPECT_OK(stj_network_initialize(run->net, spec->seed, run->state, &err), err);
    EXPECT_OK(stj_trajectory_create(run->n, n_slots, spec->steps, &run->trajectory, &err), err);
    double *state = NULL;
    EXPECT_OK(stj_new(&state, (1 + n_slots) * run->n, sizeof *state, &err), err);
    memcpy(state, run->state, (1 + n_slots) * run->n * sizeof *state);
    EXPECT_OK(stj_train(run->problem, &run->recipe, 0, spec->steps, state, stj_trajectory_record,
                        run->trajectory, NULL, &err),
              err);
    free(state);
    return run;
}

void small_run_destroy(struct small_run *run)
{
    stj_trajectory_destroy(run->trajectory);
    stj_problem_destroy(run->problem);
    stj_batch_order_destroy(run->order);
    stj_dataset_destroy(run->data);
    stj_network_destroy(run->net);
    stj_plugin_free(&run->optimizer);
    stj_plugin_free(&run->schedule);
    stj_options_free(stj_network_options, &run->config);
    free(run->state);
    free(run);
}

struct stj_op *small_run_jacobian(struct small_run *run, size_t from, size_t to, size_t memory,
                                  size_t tile)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    const struct stj_training_jacobian_settings settings = {from, to, memory, tile};
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &op, &err),
              err);
    return op;
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

static enum stj_status quadratic_gradient(void *ctx, size_t step, const double *theta,
                                          double *loss, double *g, struct stj_error *err)
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
    const struct stj_problem_callbacks callbacks = {.n_params = q->n,
                                                    .n_steps = q->n_steps,
                                                    .ctx = q,
                                                    .gradient = quadratic_gradient,
                                                    .hvp = quadratic_hvp};
    EXPECT_OK(stj_problem_create(&callbacks, &problem, &err), err);
    return problem;
}
