/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-single.c: products in single precision against those in double, for every layer and every
 * loss of the registries and for trainings of whole networks.
 *
 * A number rounded to single is off by 6e-8 of it, and a sum of n products by at most n times that
 * of their moduli.  The instances have sums of at most a few hundred terms and a handful of layers,
 * each of which may magnify what comes in by a few times (1 / sigma of a normalisation): 1e-4 of the
 * largest number of a product is well above what is found (7e-6), and
 * digits below what any wrong term leaves.  An activation that switches (relu, max-pool) may do so
 * between the two points: those are drawn again, a few times. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "net/layer.h"
#include "net/loss.h"
#include "small_run.h"

enum { TEXT = 1400, DRAWS = 6, MOST_SWITCHES = 4, NVEC = 3, MOST_UNITS = 6 };
static const double tolerance = 1e-4;

/* y[n][NVEC] <- the gradient, or H x, of all slices of step 0 together as one. */
static void product(const struct stj_problem *p, const double *theta, const double *x, double *g,
                    double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t rows = p->ops->n_rows(p->self, 0);
    const struct stj_slice slice = {.n = rows};
    double *lin = calloc(p->ops->n_linear(p->self) + 8, sizeof *lin);
    double *scratch = calloc(p->ops->n_scratch(p->self, rows, NVEC) + 8, sizeof *scratch);
    double loss = 0;
    EXPECT_OK(p->ops->linearize(p->self, 0, slice, theta, lin, &loss, g, scratch, &err), err);
    EXPECT_OK(p->ops->hvp(p->self, 0, slice, theta, lin, NVEC, x, y, scratch, &err), err);
    free(lin);
    free(scratch);
}

/* The largest difference, of the largest number; nothing below the smallest normal float counts. */
static double apart(size_t n, const double *x, const double *y)
{
    double size = FLT_MIN / tolerance;
    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(x[i]));
    return largest_difference(n, x, y) / size;
}

/* How far the two precisions are apart at theta_0. */
static double single_error(const struct small_run *run, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_problem *single = NULL;
    const size_t n = run->n;
    double *x = normal_numbers(n * NVEC, seed), *theta = normal_numbers(n, seed + 1);
    double *y = calloc(2 * (n + n * NVEC), sizeof *y), *z = y + n + n * NVEC;
    for (size_t i = 0; i < n; i++) /* away from where layers are the same everywhere: zero biases */
        theta[i] = run->state[i] + 0.1 * theta[i];
    EXPECT_OK(stj_problem_single(run->problem, &single, &err), err);
    product(run->problem, theta, x, y, y + n);
    product(single, theta, x, z, z + n);
    const double error = fmax(apart(n, y, z), apart(n * NVEC, y + n, z + n));
    stj_problem_destroy(single);
    free(x);
    free(theta);
    free(y);
    return error;
}

/* The run of a network's text; NULL: there is none such. */
static struct small_run *run_of(const char *network, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = NULL;
    const struct small_spec spec = {.network = network,
                                    .optimizer = "sgd",
                                    .schedule = "{schedule: constant, peak: 0.01}",
                                    .rows = 5,
                                    .batch = 5,
                                    .steps = 1,
                                    .seed = seed};
    return small_run_make(&spec, &run, &err) == STJ_OK ? run : NULL;
}

/* Is the network the same in both precisions?  Its kinks may be met. */
static bool agrees(const char *network, uint64_t seed, bool *exists)
{
    double error = 0;
    for (uint64_t draw = 0; draw < MOST_SWITCHES; draw++) {
        struct small_run *run = run_of(network, seed + 100 * draw);
        if (!run)
            return true;
        *exists = true;
        error = single_error(run, seed + 100 * draw);
        const bool switches = stj_problem_may_switch(run->problem);
        small_run_destroy(run);
        if (error <= tolerance)
            return true;
        if (!switches)
            break;
    }
    fprintf(stderr, "%s, seed %llu: %.2e\n", network, (unsigned long long)seed, error);
    return false;
}

/* The sample of a layer between a bias, where its input takes one, and a dense layer. */
static void network_around(const char *sample, bool bias, char text[TEXT])
{
    const char *layers = strstr(sample, "layers: [");
    const char *end = strrchr(sample, ']');
    ck_assert_msg(layers && end, "not a sample: %s", sample);
    layers += strlen("layers: [");
    snprintf(text, TEXT, "%.*s%s%.*s, {type: dense, units: 2}], loss: mean_squared_error}",
             (int)(layers - sample), sample, bias ? "bias, " : "", (int)(end - layers), layers);
}

START_TEST(every_layer_in_single_precision)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_layer_ops *ops = (const struct stj_layer_ops *)stj_layers.list[_i];
    struct stj_rng *rng = NULL;
    bool exists = false;
    EXPECT_OK(stj_rng_create(5, STJ_STREAM_DATA, (uint64_t)_i, &rng, &err), err);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        char sample[TEXT / 2], text[TEXT];
        snprintf(sample, sizeof sample, "{input: [%s%zu], layers: [{type: %s}]}",
                 draw % 2 ? "3, " : "", 2 + (size_t)draw, ops->info.name);
        if (ops->sample)
            ops->sample(rng, sample, sizeof sample);
        for (int bias = 0; bias < 2; bias++) {
            network_around(sample, bias, text);
            ck_assert(agrees(text, draw + 1, &exists));
        }
    }
    ck_assert_msg(exists, "no sample of %s made a network", ops->info.name);
    stj_rng_destroy(rng);
}
END_TEST

START_TEST(every_loss_in_single_precision)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_loss_ops *ops = (const struct stj_loss_ops *)stj_losses.list[_i];
    struct stj_rng *rng = NULL;
    bool exists = false;
    EXPECT_OK(stj_rng_create(6, STJ_STREAM_DATA, (uint64_t)_i, &rng, &err), err);
    for (uint64_t draw = 0; draw < DRAWS; draw++)
        for (size_t units = 1; units <= MOST_UNITS; units++) {
            char loss[TEXT / 2], text[TEXT];
            snprintf(loss, sizeof loss, "{type: %s}", ops->info.name);
            if (ops->sample)
                ops->sample(rng, loss, sizeof loss);
            snprintf(text, sizeof text,
                     "{input: [3], layers: [{type: dense, units: 4}, tanh, {type: dense, units: "
                     "%zu}], loss: %s}",
                     units, loss);
            ck_assert(agrees(text, draw + 1, &exists));
        }
    ck_assert_msg(exists, "no sample of %s made a network", ops->info.name);
    stj_rng_destroy(rng);
}
END_TEST

/* J x and J'x of trainings: with slices that meet, dropout, shared and frozen tensors, momenta. */
static const struct small_spec trainings[] = {
    {.network = "{input: [7], layers: [{type: dense, units: 6}, gelu, {type: dense, units: 4}], "
                "loss: softmax_cross_entropy, l2: 0.01}",
     .optimizer = "{type: adam, eps: 1e-3}",
     .schedule = "{schedule: constant, peak: 0.01}",
     .rows = 96,
     .batch = 96,
     .steps = 12,
     .seed = 1},
    {.network = "{input: [6, 4], layers: [{type: dense, units: 5}, batch_norm, tanh, flatten, "
                "{type: dense, units: 3}], loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.05}",
     .rows = 128,
     .batch = 64,
     .steps = 8,
     .seed = 2},
    {.network = "{input: [5], layers: [{type: embedding, vocabulary: 7, width: 4, name: wte}, "
                "positions, {type: dropout, rate: 0.3}, {type: residual, layers: [{type: "
                "layer_norm, trainable: false}, {type: attention, heads: 2, causal: true}]}, "
                "layer_norm, {type: dense, units: 7, share: {kernel: wte.table}}], loss: "
                "softmax_cross_entropy}",
     .optimizer = "{type: adamw, eps: 1e-3}",
     .schedule = "{schedule: constant, peak: 0.02}",
     .clip_norm = 0.5,
     .rows = 48,
     .batch = 24,
     .steps = 6,
     .seed = 3},
};
enum { N_TRAININGS = sizeof trainings / sizeof trainings[0] };

static void compare_products(struct stj_op *a, struct stj_op *b, enum stj_trans trans)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_cols(a);
    double *x = normal_numbers(n * NVEC, 9), *y = calloc(2 * n * NVEC, sizeof *y);
    EXPECT_OK(stj_op_apply(a, trans, NVEC, x, n, y, n, &err), err);
    EXPECT_OK(stj_op_apply(b, trans, NVEC, x, n, y + n * NVEC, n, &err), err);
    const double error = apart(n * NVEC, y, y + n * NVEC);
    ck_assert_msg(error > 1e-12, "%.2e: both are in double", error);
    ck_assert_msg(error <= tolerance, "%.2e", error);
    free(x);
    free(y);
}

START_TEST(jacobians_in_single_precision)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&trainings[_i]);
    struct stj_op *op[2] = {NULL};
    for (int single = 0; single < 2; single++) {
        const struct stj_training_jacobian_settings settings = {.memory_bytes = (size_t)1 << 30,
                                                                .single = single};
        EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory,
                                               &settings, &op[single], &err),
                  err);
    }
    compare_products(op[0], op[1], STJ_NO_TRANS);
    compare_products(op[0], op[1], STJ_TRANS);
    ck_assert(stj_op_rounding(op[1]) > 1e8 * stj_op_rounding(op[0]));
    stj_op_destroy(op[0]);
    stj_op_destroy(op[1]);
    small_run_destroy(run);
}
END_TEST

START_TEST(other_problems_have_no_single_precision)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct quadratic *q = quadratic_create(4, 2, 1, 1);
    struct stj_problem *p = quadratic_problem(q), *single = NULL;
    EXPECT_FAIL(stj_problem_single(p, &single, &err), STJ_EUNSUPPORTED, "take precision double",
                err);
    stj_problem_destroy(p);
    quadratic_destroy(q);
}
END_TEST

static int length(const struct stj_plugin_info *const *list)
{
    int n = 0;
    while (list[n])
        n++;
    return n;
}

int main(void)
{
    Suite *suite = suite_create("single precision");
    TCase *tc = tcase_create("conformance");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_layer_in_single_precision, 0, length(stj_layers.list));
    tcase_add_loop_test(tc, every_loss_in_single_precision, 0, length(stj_losses.list));
    tcase_add_loop_test(tc, jacobians_in_single_precision, 0, N_TRAININGS);
    tcase_add_test(tc, other_problems_have_no_single_precision);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
