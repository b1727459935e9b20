/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-layers.c: what layers compute, against their definitions in plain loops and the C library's
 * functions; that their derivatives fit is the matter of p-layers.c. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/yaml.h"
#include "expect.h"
#include "small_run.h"

/* A network of the layers under test and a last dense layer, which is not run. */
struct subject {
    struct stj_network_config config;
    struct stj_network *net;
};

static struct subject subject_create(const char *layers)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    struct subject s = {0};
    char text[400];
    snprintf(text, sizeof text, "{input: %s, {type: dense, units: 2}], loss: mean_squared_error}",
             layers);
    EXPECT_OK(stj_yaml_parse(text, strlen(text), "test", &root, &err), err);
    EXPECT_OK(stj_options_parse(stj_network_options, root, &s.config, &err), err);
    EXPECT_OK(stj_network_create(&s.config, &s.net, &err), err);
    stj_yaml_destroy(root);
    return s;
}

static void subject_destroy(struct subject *s)
{
    stj_network_destroy(s->net);
    stj_options_free(stj_network_options, &s->config);
}

/* y <- layer i of the network at x; theta is the whole network's. */
static void forward_at(const struct subject *s, size_t i, const struct stj_layer_values *where,
                       const double *theta, const double *x, double *y)
{
    size_t offset = 0;
    const struct stj_layer *layer = stj_network_layer(s->net, i, &offset);
    const size_t n_scratch =
        layer->ops->n_scratch ? layer->ops->n_scratch(layer, where->batch, 1) : 0;
    const size_t n_record = layer->ops->n_record ? layer->ops->n_record(layer, 0) : 0;
    struct stj_layer_values at = *where;
    double *record = calloc(n_record + 1, sizeof *record);
    double *scratch = calloc(n_scratch + 1, sizeof *scratch);
    at.theta = theta + offset;
    at.x = x;
    at.y = y;
    at.saved = calloc(where->batch * layer->n_saved + 1, sizeof *at.saved);
    at.meeting = (struct stj_slice_sync){.size = n_record, .record = record};
    if (layer->ops->record)
        layer->ops->record(layer, STJ_FORWARD, 0, record, &at, NULL, NULL);
    layer->ops->forward(layer, y, &at, scratch);
    free(record);
    free(at.saved);
    free(scratch);
}

static void forward(const struct subject *s, size_t i, size_t batch, const double *theta,
                    const double *x, double *y)
{
    const struct stj_layer_values where = {.whole = batch, .batch = batch};
    forward_at(s, i, &where, theta, x, y);
}

/* |got - want| <= bound, entry by entry. */
static void expect_near(const char *what, size_t n, const double *got, const double *want,
                        double bound)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= bound, "%s: entry %zu is %.17g, not %.17g", what, i,
                      got[i], want[i]);
}

/* ---- activations ---- */

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double gelu_tanh(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static double gelu_erf(double x)
{
    return x / 2 * (1 + erf(x / sqrt(2)));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double softplus(double x)
{
    return log(1 + exp(x));
}

static double leaky_relu(double x)
{
    return x > 0 ? x : 0.2 * x;
}

static double relu6(double x)
{
    return fmin(fmax(x, 0), 6);
}

static double hardsigmoid(double x)
{
    return relu6(x + 3) / 6;
}

static double hardswish(double x)
{
    return x * hardsigmoid(x);
}

static double elu(double x)
{
    return x > 0 ? x : 1.5 * expm1(x);
}

static double selu(double x)
{
    return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
}

static double mish(double x)
{
    return x * tanh(softplus(x));
}

static double square(double x)
{
    return x * x;
}

static double identity(double x)
{
    return x;
}

static const struct {
    const char *layer;
    double (*f)(double x);
} activations[] = {
    {"{type: leaky_relu, slope: 0.2}", leaky_relu},
    {"relu6", relu6},
    {"hardsigmoid", hardsigmoid},
    {"hardswish", hardswish},
    {"{type: elu, alpha: 1.5}", elu},
    {"selu", selu},
    {"mish", mish},
    {"sin", sin},
    {"abs", fabs},
    {"square", square},
    {"identity", identity},
    {"relu", relu},
    {"{type: gelu}", gelu_tanh},
    {"{type: gelu, form: erf}", gelu_erf},
    {"silu", silu},
    {"tanh", tanh},
    {"sigmoid", sigmoid},
    {"softplus", softplus},
};

START_TEST(activations_are_their_functions)
{
    enum { N = 57 };
    char text[80];
    double x[N];
    double y[N];
    double want[N];
    snprintf(text, sizeof text, "[%d], layers: [%s", N, activations[_i].layer);
    struct subject s = subject_create(text);
    for (int i = 0; i < N; i++) {
        x[i] = 0.3 * (i - N / 2);
        want[i] = activations[_i].f(x[i]);
    }
    forward(&s, 0, 1, NULL, x, y);
    /* the plain formulas cancel: 1 + tanh, 1 + erf, log(1 + e^x) lose up to eps absolutely, times |x| */
    expect_near(activations[_i].layer, N, y, want, 16 * DBL_EPSILON * 0.3 * N / 2);
    subject_destroy(&s);
}
END_TEST

START_TEST(relu_is_flat_at_zero)
{
    size_t offset = 0;
    struct subject s = subject_create("[1], layers: [relu");
    const struct stj_layer *layer = stj_network_layer(s.net, 0, &offset);
    const double zero = 0;
    const double one = 1;
    const double beta[] = {0, 0};
    double saved[2], scratch[2];
    double y = 1;
    double bar = 1;
    ck_assert_uint_le(layer->ops->n_scratch(layer, 1, 1), 2);
    const struct stj_layer_values at = {
        .batch = 1, .x = &zero, .y = &y, .y_bar = &one, .saved = saved};
    layer->ops->forward(layer, &y, &at, scratch);
    layer->ops->backward(layer, beta, &bar, NULL, NULL, &at, scratch);
    ck_assert_double_eq(y, 0);
    ck_assert_double_eq(bar, 0);
    subject_destroy(&s);
}
END_TEST

/* What a linearisation keeps of a sample, in numbers: dense and convolution read x and y_bar, relu and
 * max_pool a bit and a byte for each output, averages, flatten and sums nothing. */
START_TEST(linearisations_keep_what_products_read)
{
    static const struct {
        const char *layers;
        size_t kept[6];
    } cases[] = {
        {"[8, 8, 1], layers: [{type: conv2d, filters: 2, kernel: 3}, relu, {type: average_pool, "
         "window: 2}, flatten, {type: dense, units: 5}",
         {72, 2, 0, 18, 10, 4}},
        {"[8, 8, 1], layers: [{type: conv2d, filters: 2, kernel: 3}, {type: max_pool, window: 2}, "
         "flatten, tanh, {type: dense, units: 5}",
         {72, 3, 0, 36, 10, 4}},
        {"[7], layers: [{type: dense, units: 70, trainable: false}, relu, {type: residual, layers: "
         "[{type: dense, units: 70}]}, {type: dense, units: 3}",
         {0, 70, 70, 70, 6, 4}},
    };
    struct subject s = subject_create(cases[_i].layers);
    for (size_t i = 0; i < stj_network_n_layers(s.net); i++) {
        struct stj_network_about about;
        stj_network_describe(s.net, i, &about);
        ck_assert_msg(about.bytes == cases[_i].kept[i] * sizeof(real),
                      "network %d, layer %zu keeps %zu bytes, not %zu numbers", _i, i, about.bytes,
                      cases[_i].kept[i]);
    }
    subject_destroy(&s);
}
END_TEST

/* ---- normalisation ---- */

/* y <- normalised x over n entries `stride` apart, scaled and shifted. */
static void normalized(size_t n, size_t stride, const double *x, double eps, double scale,
                       double bias, double *y)
{
    double mean = 0;
    double variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i * stride] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i * stride] - mean) * (x[i * stride] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        y[i * stride] = scale * (x[i * stride] - mean) / sqrt(variance + eps) + bias;
}

START_TEST(layer_norm_normalises_rows)
{
    enum { BATCH = 2, ROWS = 3, COLS = 11 };
    struct subject s = subject_create("[3, 11], layers: [{type: layer_norm, eps: 0.01}");
    double *x = normal_numbers(BATCH * ROWS * COLS, 1);
    double *theta = normal_numbers(2 * COLS, 2); /* bias, scale */
    double y[BATCH * ROWS * COLS];
    double want[BATCH * ROWS * COLS];
    for (size_t r = 0; r < BATCH * ROWS; r++) {
        normalized(COLS, 1, x + r * COLS, 0.01, 1, 0, want + r * COLS);
        for (size_t c = 0; c < COLS; c++)
            want[r * COLS + c] = theta[COLS + c] * want[r * COLS + c] + theta[c];
    }
    forward(&s, 0, BATCH, theta, x, y);
    expect_near("layer_norm", BATCH * ROWS * COLS, y, want, 64 * DBL_EPSILON);
    free(x);
    free(theta);
    subject_destroy(&s);
}
END_TEST

START_TEST(batch_norm_normalises_channels)
{
    enum { BATCH = 4, ROWS = 3, COLS = 5 };
    struct subject s = subject_create("[3, 5], layers: [batch_norm");
    double *x = normal_numbers(BATCH * ROWS * COLS, 3);
    double *theta = normal_numbers(2 * COLS, 4);
    double y[BATCH * ROWS * COLS];
    double want[BATCH * ROWS * COLS];
    for (size_t c = 0; c < COLS; c++)
        normalized(BATCH * ROWS, COLS, x + c, 1e-5, theta[COLS + c], theta[c], want + c);
    forward(&s, 0, BATCH, theta, x, y);
    expect_near("batch_norm", BATCH * ROWS * COLS, y, want, 64 * DBL_EPSILON);
    ck_assert(stj_network_couples_samples(s.net));
    subject_destroy(&s);

    /* a single sample of one position: nothing to normalise, the bias remains */
    s = subject_create("[5], layers: [batch_norm");
    forward(&s, 0, 1, theta, x, y);
    expect_near("batch_norm of one row", COLS, y, theta, 0);
    free(x);
    free(theta);
    subject_destroy(&s);
}
END_TEST

/* ---- tokens ---- */

START_TEST(tokens_become_rows_of_the_table_and_positions_are_added)
{
    struct subject s =
        subject_create("[2], layers: [{type: embedding, vocabulary: 3, width: 2}, positions");
    const double theta[] = {0, 1, 10, 11, 20, 21, 100, 200, 300, 400};
    const double ids[] = {2, 0, 1, 1};
    const double rows[] = {20, 21, 0, 1, 10, 11, 10, 11};
    const double sums[] = {120, 221, 300, 401, 110, 211, 310, 411};
    double y[8];
    double z[8];
    ck_assert_uint_eq(stj_network_n_ids(s.net), 3);
    forward(&s, 0, 2, theta, ids, y);
    expect_near("embedding", 8, y, rows, 0);
    forward(&s, 1, 2, theta, y, z);
    expect_near("positions", 8, z, sums, 0);
    subject_destroy(&s);
}
END_TEST

enum { T = 5, C = 6, HEADS = 2, D = C / HEADS };

/* out [T] <- row i of one head's attention weights. */
static void weights(const double *u, size_t head, size_t i, size_t n, double *out)
{
    double total = 0;
    for (size_t j = 0; j < n; j++) {
        double score = 0;
        for (size_t k = head * D; k < (head + 1) * D; k++)
            score += u[i * 3 * C + k] * u[j * 3 * C + C + k];
        total += out[j] = exp(score / sqrt(D));
    }
    for (size_t j = 0; j < n; j++)
        out[j] /= total;
}

/* z [T][C] <- attention of x [T][C], by its definition. */
static void attention(const double *x, const double *theta, bool causal, double *z)
{
    const double *bias = theta;
    const double *kernel = bias + 3 * C;
    const double *out_bias = kernel + 3 * C * C;
    const double *out_kernel = out_bias + C;
    double u[T * 3 * C];
    double y[T * C] = {0};
    double p[T];
    for (size_t i = 0; i < T; i++)
        for (size_t c = 0; c < 3 * C; c++) {
            u[i * 3 * C + c] = bias[c];
            for (size_t k = 0; k < C; k++)
                u[i * 3 * C + c] += x[i * C + k] * kernel[k * 3 * C + c];
        }
    for (size_t i = 0; i < T; i++)
        for (size_t head = 0; head < HEADS; head++) {
            const size_t n = causal ? i + 1 : T;
            weights(u, head, i, n, p);
            for (size_t k = head * D; k < (head + 1) * D; k++)
                for (size_t j = 0; j < n; j++)
                    y[i * C + k] += p[j] * u[j * 3 * C + 2 * C + k];
        }
    for (size_t i = 0; i < T; i++)
        for (size_t c = 0; c < C; c++) {
            z[i * C + c] = out_bias[c];
            for (size_t k = 0; k < C; k++)
                z[i * C + c] += y[i * C + k] * out_kernel[k * C + c];
        }
}

/* 1 causal, 0 not. */
START_TEST(attention_is_its_definition)
{
    enum { BATCH = 2 };
    char text[80];
    snprintf(text, sizeof text, "[5, 6], layers: [{type: attention, heads: 2, causal: %s}",
             _i ? "true" : "false");
    struct subject s = subject_create(text);
    double *x = normal_numbers(BATCH * T * C, 5);
    double *theta = normal_numbers(stj_network_n_params(s.net), 6);
    double u[BATCH * T * 3 * C];
    double y[BATCH * T * C];
    double z[BATCH * T * C];
    double want[BATCH * T * C];
    for (size_t b = 0; b < BATCH; b++)
        attention(x + b * T * C, theta, _i == 1, want + b * T * C);
    forward(&s, 0, BATCH, theta, x, u);
    forward(&s, 1, BATCH, theta, u, y);
    forward(&s, 2, BATCH, theta, y, z);
    /* scores of up to 20 and sums of C and T terms of magnitude up to 20 */
    expect_near("attention", BATCH * T * C, z, want, 4000 * DBL_EPSILON);
    free(x);
    free(theta);
    subject_destroy(&s);
}
END_TEST

/* Scores of 1e6 and of -1e6: a position that may not be seen has no influence, and nothing is NaN. */
START_TEST(causal_attention_does_not_see_what_comes_later)
{
    struct subject s = subject_create("[5, 6], layers: [{type: attention, heads: 2, causal: true}");
    double *u = normal_numbers(T * 3 * C, 7);
    double y[T * C];
    double z[T * C];
    for (size_t i = 0; i < T * 3 * C; i++)
        u[i] *= 1e3;
    forward(&s, 1, 1, NULL, u, y);
    for (size_t c = 0; c < 3 * C; c++)
        u[(T - 1) * 3 * C + c] *= -1e3;
    forward(&s, 1, 1, NULL, u, z);
    expect_near("positions before the last", (T - 1) * C, z, y, 0);
    for (size_t i = 0; i < T * C; i++)
        ck_assert(isfinite(y[i]) && isfinite(z[i]));
    expect_near("the first position sees itself", C, y, u + 2 * C, 0);
    free(u);
    subject_destroy(&s);
}
END_TEST

/* ---- dropout ---- */

START_TEST(dropout_masks_are_functions_of_seed_step_and_sample)
{
    enum { BATCH = 3, N = 4000 };
    struct subject s =
        subject_create("[4000], layers: [{type: dropout, rate: 0.3, seed: 9}, {type: "
                       "dropout, rate: 0.3, seed: 9}");
    double *ones = calloc(BATCH * N, sizeof *ones);
    double *y = calloc(4 * BATCH * N, sizeof *y);
    double *other_step = y + BATCH * N;
    double *other_layer = other_step + BATCH * N;
    double *slice = other_layer + BATCH * N;
    const struct stj_layer_values whole = {.batch = BATCH, .step = 7};
    const struct stj_layer_values later = {.batch = BATCH, .step = 8};
    const struct stj_layer_values last = {.batch = 1, .first = 2, .step = 7};
    const struct stj_layer_values evaluation = {.batch = BATCH, .step = 7, .evaluate = true};
    size_t dropped = 0;
    size_t same[3] = {0};
    for (size_t i = 0; i < BATCH * N; i++)
        ones[i] = 1;
    forward_at(&s, 0, &whole, NULL, ones, y);
    forward_at(&s, 0, &later, NULL, ones, other_step);
    forward_at(&s, 1, &whole, NULL, ones, other_layer);
    forward_at(&s, 0, &last, NULL, ones, slice);
    for (size_t i = 0; i < BATCH * N; i++) {
        ck_assert(y[i] == 0 || y[i] == 1 / (1 - 0.3));
        dropped += y[i] == 0;
        same[0] += y[i] == other_step[i];
        same[1] += y[i] == other_layer[i];
        same[2] += i < N && y[i] == y[i + N];
    }
    /* binomial: five standard deviations; independent masks agree with probability 0.3^2 + 0.7^2 */
    ck_assert_double_le(fabs((double)dropped - 0.3 * BATCH * N), 5 * sqrt(0.21 * BATCH * N));
    for (int k = 0; k < 3; k++) {
        const double n = k < 2 ? BATCH * N : N;
        ck_assert_double_le(fabs((double)same[k] - 0.58 * n), 5 * sqrt(0.58 * 0.42 * n));
    }
    ck_assert_mem_eq(slice, y + 2 * N, N * sizeof *y);
    forward_at(&s, 0, &evaluation, NULL, ones, y);
    ck_assert_mem_eq(y, ones, BATCH * N * sizeof *y);
    free(ones);
    free(y);
    subject_destroy(&s);
}
END_TEST

/* In evaluation nothing is dropped: the network with dropout and the one without agree. */
START_TEST(evaluation_drops_nothing)
{
    struct small_spec spec = {
        .network = "{input: [5], layers: [{type: dense, units: 9}, tanh, {type: dropout, rate: "
                   "0.5}, {type: dense, units: 4}], loss: softmax_cross_entropy}",
        .optimizer = "sgd",
        .schedule = "{schedule: constant, peak: 0.1}",
        .rows = 30,
        .batch = 10,
        .steps = 2,
        .seed = 3};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_evaluation result[2];
    for (int k = 0; k < 2; k++) {
        struct small_run *run = small_run_create(&spec);
        EXPECT_OK(stj_evaluate(run->net, run->data, run->state, &result[k], &err), err);
        small_run_destroy(run);
        spec.network = "{input: [5], layers: [{type: dense, units: 9}, tanh, {type: dense, units: "
                       "4}], loss: softmax_cross_entropy}";
    }
    ck_assert_double_eq(result[0].loss, result[1].loss);
    ck_assert_double_eq(result[0].accuracy, result[1].accuracy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers' values");
    TCase *tc = tcase_create("forward");
    tcase_add_loop_test(tc, activations_are_their_functions, 0,
                        (int)(sizeof activations / sizeof activations[0]));
    tcase_add_test(tc, relu_is_flat_at_zero);
    tcase_add_loop_test(tc, linearisations_keep_what_products_read, 0, 3);
    tcase_add_test(tc, layer_norm_normalises_rows);
    tcase_add_test(tc, batch_norm_normalises_channels);
    tcase_add_test(tc, tokens_become_rows_of_the_table_and_positions_are_added);
    tcase_add_loop_test(tc, attention_is_its_definition, 0, 2);
    tcase_add_test(tc, causal_attention_does_not_see_what_comes_later);
    tcase_add_test(tc, dropout_masks_are_functions_of_seed_step_and_sample);
    tcase_add_test(tc, evaluation_drops_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
