/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-losses.c: properties of every loss of the registry, on random instances; the L2 penalty;
 * and what is said where data and loss do not fit.  Failures print the seed and the instance. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/blas.h"
#include "options/yaml.h"
#include "expect.h"
#include "small_run.h"

enum { MOST = 5 * 3 * 2 * 6, N_DATA = 9, N_SEEDS = 40, TEXT = 256, K = 3 };

static size_t n_kinds(void)
{
    size_t n = 0;
    while (stj_losses.list[n])
        n++;
    return n;
}

/* A loss on a batch of random outputs. */
struct fixture {
    char text[TEXT];
    struct stj_plugin plugin;
    const struct stj_loss_ops *ops;
    struct stj_shape out;
    size_t batch, n, n_saved; /* samples; outputs and saved reals of all */
    double weight;
    size_t row[5], label[N_DATA * 6];
    double value[N_DATA * 36];
    struct stj_targets targets;
    double z[MOST], z_bar[MOST], saved[2 * MOST];
};

static double value(struct fixture *f, const double *z)
{
    return f->ops->value(f->plugin.config, &f->out, f->batch, f->weight, z, &f->targets, f->saved);
}

static void backward(struct fixture *f, const double *z, double *z_bar)
{
    value(f, z);
    f->ops->backward(f->plugin.config, &f->out, f->batch, f->weight, z_bar, z, &f->targets,
                     f->saved);
}

static void backward_tangent(struct fixture *f, size_t nvec, const double *z_dot, double *z_bar_dot)
{
    value(f, f->z);
    f->ops->backward_tangent(f->plugin.config, &f->out, f->batch, f->weight, nvec, z_bar_dot, f->z,
                             &f->targets, f->saved, z_dot);
}

/* The labels' part of its config; NULL: it takes values. */
static const struct stj_label_loss_config *label_config(const struct fixture *f)
{
    return f->ops->wants_labels ? f->plugin.config : NULL;
}

static void set_plugin(struct fixture *f, const char *text)
{
    snprintf(f->text, sizeof f->text, "%s", text);
    parse_plugin(&stj_losses, text, &f->plugin);
    f->ops = (const struct stj_loss_ops *)f->plugin.info;
}

static void set_shape(struct fixture *f, struct stj_rng *rng)
{
    f->out.n_dims = 1 + stj_rng_index(rng, 3);
    for (size_t d = 0; d < f->out.n_dims; d++)
        f->out.dim[d] = 1 + stj_rng_index(rng, d + 1 == f->out.n_dims ? 6 : 3 - d);
    if (label_config(f) && label_config(f)->class_weights.n)
        f->out.dim[f->out.n_dims - 1] = label_config(f)->class_weights.n;
    f->batch = 1 + stj_rng_index(rng, 5);
    f->n = f->batch * stj_shape_size(&f->out);
    f->n_saved = f->batch * f->ops->n_saved(&f->out);
    ck_assert_uint_le(f->n, MOST);
    ck_assert_uint_le(f->n_saved, 2 * MOST);
}

static void to_probabilities(size_t n, double *x)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += x[k];
    for (size_t k = 0; k < n; k++)
        x[k] /= sum;
}

static void set_targets(struct fixture *f, struct stj_rng *rng)
{
    const size_t size = stj_shape_size(&f->out);
    const size_t positions = stj_shape_positions(&f->out);
    const bool limited = f->ops->max_target > f->ops->min_target;
    for (size_t i = 0; i < 5; i++)
        f->row[i] = stj_rng_index(rng, N_DATA);
    for (size_t i = 0; i < N_DATA * positions; i++)
        f->label[i] = stj_rng_index(rng, stj_shape_cols(&f->out));
    for (size_t i = 0; i < N_DATA * size; i++)
        f->value[i] = limited ? f->ops->min_target +
                                    (f->ops->max_target - f->ops->min_target) * stj_rng_uniform(rng)
                              : stj_rng_normal(rng);
    if (label_config(f) && label_config(f)->has_ignore)
        for (size_t i = 0; i < N_DATA * positions; i++)
            f->label[i] = stj_rng_index(rng, 3) ? f->label[i] : STJ_IGNORED_LABEL;
    for (size_t i = 0; i < N_DATA * positions && f->ops->probabilities; i++)
        to_probabilities(stj_shape_cols(&f->out), f->value + i * stj_shape_cols(&f->out));
    const bool soft = f->ops->probabilities && f->ops->wants_labels &&
                      !label_config(f)->has_ignore && stj_rng_index(rng, 2);
    f->targets = (struct stj_targets){f->row, soft ? NULL : f->label, f->value};
}

static void fixture_init(struct fixture *f, size_t i_case)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    char text[TEXT];
    *f = (struct fixture){.weight = 0.25};
    EXPECT_OK(stj_rng_create(i_case, STJ_STREAM_CHECK, 0, &rng, &err), err);
    ((const struct stj_loss_ops *)stj_losses.list[i_case % n_kinds()])
        ->sample(rng, text, sizeof text);
    set_plugin(f, text);
    set_shape(f, rng);
    set_targets(f, rng);
    for (size_t i = 0; i < f->n; i++)
        f->z[i] = 2 * stj_rng_normal(rng);
    stj_rng_destroy(rng);
}

static void fixture_free(struct fixture *f)
{
    stj_plugin_free(&f->plugin);
}

/* Central differences with h = eps^(1/3) are off by h^2 f'''/6 + eps f/h: some 1e-10 here, where
 * the third derivatives are at most of order |x|^3 < 1e2 times the weight. */
START_TEST(backward_is_the_slope_of_the_value)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    const double h = cbrt(DBL_EPSILON);
    double z[MOST], side[2];
    double *x = normal_numbers(f.n, (uint64_t)_i);
    backward(&f, f.z, f.z_bar);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < f.n; i++)
            z[i] = f.z[i] + (s ? -h : h) * x[i];
        side[s] = value(&f, z);
    }
    const double difference = (side[0] - side[1]) / (2 * h);
    const double slope = stj_dot(f.n, f.z_bar, x);
    ck_assert_msg(fabs(difference - slope) <= 1e-8 * stj_nrm2(f.n, x),
                  "seed %d, %s, batch %zu: slope %.17g, difference %.17g", _i, f.text, f.batch,
                  slope, difference);
    free(x);
    fixture_free(&f);
}
END_TEST

/* p = (1/2, 1/2), q = (3/4, 1/4): KL(p | q) = log(4/3) / 2, and KL(q | p) another number. */
START_TEST(divergence_is_of_the_first_from_the_second)
{
    static const double z[2] = {7, 7};
    const double other[2] = {log(3), 0};
    const struct stj_shape out = {1, {2}};
    double kl = 0;
    struct fixture f = {.weight = 1};
    set_plugin(&f, "softmax_cross_entropy");
    f.ops->divergence(&out, 1, z, other, &kl);
    ck_assert_double_eq_tol(kl, log(4.0 / 3) / 2, 1e-15);
    fixture_free(&f);
    set_plugin(&f, "binary_cross_entropy"); /* tosses with 1/2 and 3/4 */
    const struct stj_shape one = {1, {1}};
    f.ops->divergence(&one, 1, (const double[]){0}, other, &kl);
    ck_assert_double_eq_tol(kl, log(4.0 / 3) / 2, 1e-15);
    fixture_free(&f);
    set_plugin(&f, "mean_squared_error");
    f.ops->divergence(&out, 1, z, (const double[]){6, 10}, &kl);
    ck_assert_double_eq_tol(kl, (1.0 + 9.0) / 2, 1e-15);
    fixture_free(&f);
}
END_TEST

/* KL(z | z) is 0; KL(z | z + h x) is never below it, and h^2 / 2 x' H x but for the third order: with
 * h = 1e-3 and derivatives of order 1 to 10, at most a per cent of |h x|^2. */
START_TEST(divergence_has_the_loss_s_second_derivative)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    const double h = 1e-3;
    double z[MOST], kl[5], h_x[MOST], sum = 0;
    double *x = normal_numbers(f.n, (uint64_t)_i);
    if (!f.ops->divergence ||
        (label_config(&f) && (label_config(&f)->class_weights.n || label_config(&f)->has_ignore))) {
        free(x);
        fixture_free(&f);
        return;
    }
    f.ops->divergence(&f.out, f.batch, f.z, f.z, kl);
    for (size_t s = 0; s < f.batch; s++)
        ck_assert_msg(kl[s] == 0, "seed %d, %s: %.17g at the same outputs", _i, f.text, kl[s]);
    f.weight = 1;
    backward_tangent(&f, 1, x, h_x);
    for (size_t i = 0; i < f.n; i++)
        z[i] = f.z[i] + h * x[i];
    f.ops->divergence(&f.out, f.batch, f.z, z, kl);
    for (size_t s = 0; s < f.batch; s++) {
        ck_assert_msg(kl[s] >= 0, "seed %d, %s: %.17g", _i, f.text, kl[s]);
        sum += kl[s];
    }
    const double wanted = h * h / 2 * stj_dot(f.n, x, h_x);
    ck_assert_msg(fabs(sum - wanted) <= 1e-2 * h * h * stj_dot(f.n, x, x),
                  "seed %d, %s, batch %zu: divergence %.17g, second order %.17g", _i, f.text,
                  f.batch, sum, wanted);
    free(x);
    fixture_free(&f);
}
END_TEST

START_TEST(backward_tangent_is_the_slope_of_backward)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    const double h = cbrt(DBL_EPSILON);
    double z[MOST], side[2][MOST], tangent[MOST];
    double *x = normal_numbers(f.n, (uint64_t)_i);
    backward_tangent(&f, 1, x, tangent);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < f.n; i++)
            z[i] = f.z[i] + (s ? -h : h) * x[i];
        backward(&f, z, side[s]);
    }
    for (size_t i = 0; i < f.n; i++) {
        const double difference = (side[0][i] - side[1][i]) / (2 * h);
        ck_assert_msg(fabs(difference - tangent[i]) <= 1e-8 * stj_nrm2(f.n, x),
                      "seed %d, %s, output %zu: tangent %.17g, difference %.17g", _i, f.text, i,
                      tangent[i], difference);
    }
    free(x);
    fixture_free(&f);
}
END_TEST

/* Column j of a block of nvec, [rows][nvec][cols]. */
static void column(const struct fixture *f, size_t nvec, size_t j, const double *block, double *x)
{
    const size_t cols = stj_shape_cols(&f->out);
    for (size_t i = 0; i < f->n; i++)
        x[i] = block[(i / cols * nvec + j) * cols + i % cols];
}

/* A block is done item by item and tangent by tangent, in the same order as a column: same bits. */
START_TEST(hessians_are_symmetric_and_blocks_equal_columns)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    double y[K * MOST], one[MOST], xj[K][MOST], yj[K][MOST];
    double *x = normal_numbers(K * f.n, (uint64_t)_i);
    backward_tangent(&f, K, x, y);
    for (size_t j = 0; j < K; j++) {
        column(&f, K, j, x, xj[j]);
        column(&f, K, j, y, yj[j]);
        backward_tangent(&f, 1, xj[j], one);
        ck_assert_msg(memcmp(one, yj[j], f.n * sizeof *one) == 0, "seed %d, %s: column %zu differs",
                      _i, f.text, j);
    }
    const double left = stj_dot(f.n, xj[0], yj[1]);
    const double right = stj_dot(f.n, xj[1], yj[0]);
    const double scale = f.weight * stj_nrm2(f.n, xj[0]) * stj_nrm2(f.n, xj[1]);
    ck_assert_msg(fabs(left - right) <= 4 * (double)f.n * DBL_EPSILON * scale,
                  "seed %d, %s: asymmetry %g", _i, f.text, left - right);
    free(x);
    fixture_free(&f);
}
END_TEST

/* Each sample done alone, reading what the whole batch saved, gives the whole. */
START_TEST(slices_sum_to_the_whole)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    const size_t size = stj_shape_size(&f.out);
    const size_t n_saved = f.ops->n_saved(&f.out);
    double bar[MOST], dot[MOST], saved[2 * MOST], whole_dot[MOST];
    double *x = normal_numbers(f.n, (uint64_t)_i);
    const double whole = value(&f, f.z);
    backward(&f, f.z, f.z_bar);
    backward_tangent(&f, 1, x, whole_dot);
    double sum = 0;
    for (size_t s = 0; s < f.batch; s++) {
        const struct stj_targets targets = {f.row + s, f.targets.label, f.value};
        const size_t o = s * size;
        sum += f.ops->value(f.plugin.config, &f.out, 1, f.weight, f.z + o, &targets,
                            saved + s * n_saved);
        f.ops->backward(f.plugin.config, &f.out, 1, f.weight, bar + o, f.z + o, &targets,
                        f.saved + s * n_saved);
        f.ops->backward_tangent(f.plugin.config, &f.out, 1, f.weight, 1, dot + o, f.z + o, &targets,
                                f.saved + s * n_saved, x + o);
    }
    ck_assert_msg(fabs(sum - whole) <= 8 * (double)f.n * DBL_EPSILON * fabs(whole),
                  "seed %d, %s: %.17g and %.17g", _i, f.text, sum, whole);
    ck_assert_msg(memcmp(saved, f.saved, f.n_saved * sizeof *saved) == 0 &&
                      memcmp(bar, f.z_bar, f.n * sizeof *bar) == 0 &&
                      memcmp(dot, whole_dot, f.n * sizeof *dot) == 0,
                  "seed %d, %s: a slice differs", _i, f.text);
    free(x);
    fixture_free(&f);
}
END_TEST

/* Losses of outputs that are no log-probabilities here may be below 0. */
static bool of_log_probabilities(const struct fixture *f)
{
    return strcmp(f->ops->info.name, "negative_log_likelihood") == 0 ||
           strcmp(f->ops->info.name, "kullback_leibler") == 0;
}

/* Outputs of +-1000: exp overflows at 710, so a careless formula has Inf or NaN. */
START_TEST(extreme_outputs_stay_finite)
{
    struct fixture f;
    fixture_init(&f, (size_t)_i);
    double dot[MOST];
    double *x = normal_numbers(f.n, (uint64_t)_i);
    for (size_t i = 0; i < f.n; i++)
        f.z[i] = x[i] > 0.5 ? 1e3 : x[i] < -0.5 ? -1e3 : 0;
    const double v = value(&f, f.z);
    ck_assert_msg(isfinite(v) && (v >= 0 || of_log_probabilities(&f)), "seed %d, %s: value %g", _i,
                  f.text, v);
    backward(&f, f.z, f.z_bar);
    backward_tangent(&f, 1, x, dot);
    for (size_t i = 0; i < f.n; i++)
        ck_assert_msg(isfinite(f.z_bar[i]) && isfinite(dot[i]), "seed %d, %s, output %zu: %g, %g",
                      _i, f.text, i, f.z_bar[i], dot[i]);
    free(x);
    fixture_free(&f);
}
END_TEST

/* ---- values by hand ---- */

static double value_of(const char *text, size_t n, const double *z, size_t label,
                       const double *target)
{
    struct fixture f = {.weight = 1, .batch = 1, .n = n, .label = {label}};
    set_plugin(&f, text);
    f.out = (struct stj_shape){1, {n}};
    if (target)
        memcpy(f.value, target, n * sizeof *target);
    f.targets = (struct stj_targets){f.row, f.label, f.value};
    const double v = value(&f, z);
    fixture_free(&f);
    return v;
}

static void expect_value(double got, double wanted)
{
    ck_assert_msg(fabs(got - wanted) <= 8 * DBL_EPSILON * fabs(wanted), "%.17g instead of %.17g",
                  got, wanted);
}

START_TEST(values_are_those_worked_out_by_hand)
{
    const double z[] = {log(1), log(2), log(5)}; /* p = 1/8, 2/8, 5/8 */
    const double t[] = {0.25, 1, 0};
    const double wide[] = {1e3, -1e3};
    const double sure[] = {1, 0}, wrong[] = {0, 1};
    const double q = 0.3 / 3;
    expect_value(value_of("softmax_cross_entropy", 3, z, 2, NULL), log(8.0 / 5));
    expect_value(value_of("{type: softmax_cross_entropy, label_smoothing: 0.3}", 3, z, 2, NULL),
                 (0.7 + q) * log(8.0 / 5) + q * log(8) + q * log(4));
    expect_value(value_of("softmax_cross_entropy", 2, wide, 1, NULL), 2e3);
    expect_value(value_of("mean_squared_error", 2, wide, 0, t),
                 ((1e3 - 0.25) * (1e3 - 0.25) + 1001.0 * 1001.0) / 2);
    expect_value(value_of("binary_cross_entropy", 3, z, 0, t),
                 (0.25 * log(2) + 0.75 * log(2) + log(3.0 / 2) + log(6)) / 3);
    expect_value(value_of("binary_cross_entropy", 2, wide, 0, wrong), 1e3);
    ck_assert_double_eq(value_of("binary_cross_entropy", 2, wide, 0, sure), 0);
    expect_value(value_of("{type: softmax_cross_entropy, class_weights: [1, 2, 3]}", 3, z, 1, NULL),
                 2 * log(4));
    expect_value(value_of("{type: softmax_cross_entropy, class_weights: [1, 2, 4], "
                          "label_smoothing: 0.3}",
                          3, z, 1, NULL),
                 2 * 0.7 * log(4) + q * (log(8) + 2 * log(4) + 4 * log(8.0 / 5)));
    ck_assert_double_eq(
        value_of("{type: softmax_cross_entropy, ignore_index: 1}", 3, z, STJ_IGNORED_LABEL, NULL),
        0);
    expect_value(
        value_of("{type: negative_log_likelihood, class_weights: [1, 2, 3]}", 3, z, 2, NULL),
        -3 * log(5));
    const double y[] = {1, 1.5, -0.25};
    expect_value(value_of("hinge", 3, y, 0, NULL), 1.5 / 3);
    expect_value(
        value_of("{type: hinge, p: 2, margin: 2, class_weights: [4, 1, 1]}", 3, y, 0, NULL),
        4 * (2.5 * 2.5 + 0.75 * 0.75) / 3);
    expect_value(value_of("l1", 3, y, 0, t), (0.75 + 0.5 + 0.25) / 3);
    expect_value(value_of("{type: huber, delta: 0.5}", 3, y, 0, t),
                 (0.5 * (0.75 - 0.25) + 0.125 + 0.03125) / 3);
    expect_value(value_of("{type: smooth_l1, beta: 0.5}", 3, y, 0, t),
                 (0.5 * (0.75 - 0.25) + 0.125 + 0.03125) / 1.5);
    expect_value(value_of("kullback_leibler", 3, y, 0, t), (0.25 * (log(0.25) - 1) - 1.5) / 3);
}
END_TEST

/* ---- the L2 penalty: the same network with and without it ---- */

static const char *const penalised[] = {
    "{input: [4], layers: [{type: dense, units: 5}, gelu, {type: dense, units: 3}], loss: "
    "softmax_cross_entropy, l2: %s}",
    "{input: [4], layers: [{type: dense, units: 2}], loss: mean_squared_error, l2: %s}",
};

struct shares {
    double loss;
    double *g, *h; /* gradient; H x for two vectors, as a tile */
};

/* Loss, gradient and products of the first batch, summed over n_slices slices. */
static void sum_slices(const char *format, const char *l2, size_t n_slices, const double *tile,
                       struct shares *sum, struct small_run **keep)
{
    struct stj_error err = STJ_ERROR_INIT;
    char text[TEXT];
    snprintf(text, sizeof text, format, l2);
    const struct small_spec spec = {.network = text,
                                    .optimizer = "sgd",
                                    .schedule = "{schedule: constant, peak: 0.1}",
                                    .rows = 12,
                                    .batch = 12,
                                    .steps = 1,
                                    .seed = 5};
    struct small_run *run = small_run_create(&spec);
    const struct stj_problem *p = run->problem;
    const size_t n = run->n;
    double *lin = calloc(p->ops->n_linear(p->self), sizeof *lin);
    double *scratch = calloc(p->ops->n_scratch(p->self, 12, 2) + 1, sizeof *scratch);
    double *part = calloc(3 * n, sizeof *part);
    *sum = (struct shares){0, calloc(n, sizeof *sum->g), calloc(2 * n, sizeof *sum->h)};
    for (size_t s = 0; s < n_slices; s++) {
        const struct stj_slice slice = {.first = 12 * s / n_slices, .n = 12 / n_slices};
        double loss = 0;
        EXPECT_OK(p->ops->linearize(p->self, 0, slice, run->state, lin, &loss, part, scratch, &err),
                  err);
        sum->loss += loss;
        stj_axpy(n, 1, part, sum->g);
        EXPECT_OK(p->ops->hvp(p->self, 0, slice, run->state, lin, 2, tile, part + n, scratch, &err),
                  err);
        stj_axpy(2 * n, 1, part + n, sum->h);
    }
    free(lin);
    free(scratch);
    free(part);
    *keep = run;
}

START_TEST(the_penalty_adds_its_loss_gradient_and_hessian)
{
    const double lambda = 0.375;
    struct shares with, without;
    struct small_run *run, *plain;
    double *x = normal_numbers(200, 9);
    sum_slices(penalised[_i % 2], "0", 1, x, &without, &plain);
    sum_slices(penalised[_i % 2], "0.375", _i < 2 ? 1 : 3, x, &with, &run);
    const size_t n = run->n;
    const double *theta = run->state;
    const double eps = 100 * DBL_EPSILON; /* sums of a dozen samples */
    const double norm = stj_nrm2(n, theta);
    ck_assert(fabs(with.loss - without.loss - lambda / 2 * norm * norm) <= eps * with.loss);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(with.g[i] - without.g[i] - lambda * theta[i]) <= eps * (norm + 1),
                      "gradient %zu of network %d", i, _i);
    for (size_t i = 0; i < 2 * n; i++)
        ck_assert_msg(fabs(with.h[i] - without.h[i] - lambda * x[i]) <= eps * stj_nrm2(n, x),
                      "product %zu of network %d", i, _i);
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_evaluation a, b;
    EXPECT_OK(stj_evaluate(run->net, run->data, theta, &a, &err), err);
    EXPECT_OK(stj_evaluate(plain->net, plain->data, theta, &b, &err), err);
    ck_assert_double_eq(a.loss, b.loss); /* of the data alone */
    free(with.g);
    free(with.h);
    free(without.g);
    free(without.h);
    free(x);
    small_run_destroy(run);
    small_run_destroy(plain);
}
END_TEST

/* ---- reductions ---- */

static const char of_labels[] =
    "{input: [4], layers: [{type: dense, units: 5}, gelu, {type: dense, units: 3}], loss: "
    "{type: softmax_cross_entropy%s}}";
static const char of_values[] =
    "{input: [4], layers: [{type: dense, units: 5}, gelu, {type: dense, units: 3}], loss: "
    "{type: huber%s}}";

/* A sum is so many times the mean; equal class weights, and labels ignored that do not occur, leave
 * a mean as it is; and so in slices as at once. */
static const struct {
    const char *network, *more;
    double factor;
} reductions[] = {
    {of_labels, ", reduction: sum", 12},
    {of_values, ", reduction: sum", 36},
    {of_labels, ", class_weights: [2.5, 2.5, 2.5]", 1},
    {of_labels, ", ignore_index: -100", 1},
    {of_labels, ", class_weights: [2.5, 2.5, 2.5], reduction: sum", 30},
};

START_TEST(a_reduction_is_of_the_whole_batch)
{
    struct shares with, without;
    struct small_run *run, *plain;
    double *x = normal_numbers(200, 9);
    const double factor = reductions[_i / 2].factor;
    sum_slices(reductions[_i / 2].network, "", 1, x, &without, &plain);
    sum_slices(reductions[_i / 2].network, reductions[_i / 2].more, _i % 2 ? 3 : 1, x, &with, &run);
    const double eps = 400 * DBL_EPSILON * factor;
    ck_assert(fabs(with.loss - factor * without.loss) <= eps * without.loss);
    for (size_t i = 0; i < run->n; i++)
        ck_assert_msg(fabs(with.g[i] - factor * without.g[i]) <= eps, "gradient %zu", i);
    for (size_t i = 0; i < 2 * run->n; i++)
        ck_assert_msg(fabs(with.h[i] - factor * without.h[i]) <= eps * stj_nrm2(run->n, x),
                      "product %zu", i);
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_evaluation a, b;
    EXPECT_OK(stj_evaluate(run->net, run->data, run->state, &a, &err), err);
    EXPECT_OK(stj_evaluate(plain->net, plain->data, run->state, &b, &err), err);
    ck_assert_double_eq_tol(a.loss, factor * b.loss, eps * b.loss);
    free(with.g);
    free(with.h);
    free(without.g);
    free(without.h);
    free(x);
    small_run_destroy(run);
    small_run_destroy(plain);
}
END_TEST

/* ---- data that do not fit ---- */

static void evaluation_fails(const char *network, const double *targets, size_t n_targets,
                             const char *part)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct small_spec spec = {.network = network,
                                    .optimizer = "sgd",
                                    .schedule = "{schedule: constant, peak: 0.1}",
                                    .rows = 4,
                                    .batch = 4,
                                    .steps = 1,
                                    .seed = 5};
    struct small_run *run = small_run_create(&spec);
    struct stj_dataset *data = NULL;
    struct stj_evaluation result;
    const double inputs[8] = {0};
    const size_t labels[4] = {0};
    EXPECT_OK(stj_dataset_from_arrays(4, 2, inputs, 1, targets ? NULL : labels, n_targets, targets,
                                      &data, &err),
              err);
    EXPECT_FAIL(stj_evaluate(run->net, data, run->state, &result, &err), STJ_ECONFIG, part, err);
    stj_dataset_destroy(data);
    small_run_destroy(run);
}

START_TEST(data_that_do_not_fit_the_loss_are_refused)
{
    static const char squared[] =
        "{input: [2], layers: [{type: dense, units: 3}], loss: mean_squared_error}";
    static const char binary[] =
        "{input: [2], layers: [{type: dense, units: 2}], loss: binary_cross_entropy}";
    const double targets[8] = {0, 1, 0.5, 0, 0, 1.5, 0, 0};
    static const char soft[] =
        "{input: [2], layers: [{type: dense, units: 2}], loss: softmax_cross_entropy}";
    static const char ignoring[] = "{input: [2], layers: [{type: dense, units: 2}], loss: {type: "
                                   "softmax_cross_entropy, ignore_index: -100}}";
    static const char hinge[] = "{input: [2], layers: [{type: dense, units: 2}], loss: hinge}";
    const double laws[8] = {0, 1, 0.5, 0.5, 1, 0, 0.25, 0.25};
    evaluation_fails(soft, laws, 2,
                     "the targets of sample 3, position 0 (from 0), have the sum 0.5");
    evaluation_fails(ignoring, laws, 2, "ignore_index is for class labels");
    evaluation_fails(hinge, laws, 2, "needs class labels, the data have none");
    evaluation_fails(squared, targets, 2, "2 target values a sample, the network's output 3 has 3");
    evaluation_fails(squared, NULL, 0, "mean_squared_error needs target values");
    evaluation_fails(binary, targets, 2, "target 1 of sample 2 is 1.5");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("losses");
    TCase *tc = tcase_create("properties");
    const int n_cases = (int)n_kinds() * N_SEEDS;
    tcase_add_loop_test(tc, backward_is_the_slope_of_the_value, 0, n_cases);
    tcase_add_loop_test(tc, backward_tangent_is_the_slope_of_backward, 0, n_cases);
    tcase_add_loop_test(tc, divergence_has_the_loss_s_second_derivative, 0, n_cases);
    tcase_add_test(tc, divergence_is_of_the_first_from_the_second);
    tcase_add_loop_test(tc, hessians_are_symmetric_and_blocks_equal_columns, 0, n_cases);
    tcase_add_loop_test(tc, slices_sum_to_the_whole, 0, n_cases);
    tcase_add_loop_test(tc, extreme_outputs_stay_finite, 0, n_cases);
    tcase_add_test(tc, values_are_those_worked_out_by_hand);
    tcase_add_loop_test(tc, the_penalty_adds_its_loss_gradient_and_hessian, 0, 4);
    tcase_add_loop_test(tc, a_reduction_is_of_the_whole_batch, 0,
                        2 * sizeof reductions / sizeof reductions[0]);
    tcase_add_test(tc, data_that_do_not_fit_the_loss_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
