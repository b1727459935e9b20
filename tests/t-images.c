/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-images.c: layers of images: convolution against plain loops, pooling by hand, and the
 * messages about sizes that do not fit. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "options/yaml.h"
#include "expect.h"
#include "net/network_internal.h"

/* A network of the layers in `layers` on an image, closed by a dense layer and a loss. */
struct image_net {
    struct stj_network_config config;
    struct stj_network *net;
};

static enum stj_status image_net_create(struct image_net *n, const char *input, const char *layers,
                                        struct stj_error *err)
{
    char text[512];
    struct stj_yaml_node *root = NULL;
    *n = (struct image_net){0};
    snprintf(text, sizeof text,
             "{input: %s, layers: [%s, {type: dense, units: 1}], loss: softmax_cross_entropy}",
             input, layers);
    enum stj_status st = stj_yaml_parse(text, strlen(text), "test", &root, err);
    if (st == STJ_OK)
        st = stj_options_parse(stj_network_options, root, &n->config, err);
    if (st == STJ_OK)
        st = stj_network_create(&n->config, &n->net, err);
    stj_yaml_destroy(root);
    return st;
}

static void image_net_free(struct image_net *n)
{
    stj_network_destroy(n->net);
    stj_options_free(stj_network_options, &n->config);
}

/* y <- the first layer's output of one image. */
static double *forward(const struct stj_layer *layer, const double *x, const double *theta)
{
    double *y = calloc(stj_shape_size(&layer->out), sizeof *y);
    double *saved = calloc(layer->n_saved + 1, sizeof *saved);
    const size_t n_scratch = layer->ops->n_scratch ? layer->ops->n_scratch(layer, 1, 1) : 0;
    double *scratch = calloc(n_scratch + 1, sizeof *scratch);
    const struct stj_layer_values at = {.batch = 1, .theta = theta, .x = x, .y = y, .saved = saved};
    layer->ops->forward(layer, y, &at, scratch);
    free(saved);
    free(scratch);
    return y;
}

struct conv_case {
    size_t h, w, c, filters, kh, kw, sh, sw;
    const char *padding;
    size_t out_h, out_w;
    size_t top, left; /* zeros before */
};

/* Sizes and zeros as TensorFlow and JAX have them. */
static const struct conv_case convs[] = {
    {5, 6, 2, 3, 3, 2, 1, 1, "valid", 3, 5, 0, 0},
    {5, 6, 2, 3, 3, 2, 2, 2, "valid", 2, 3, 0, 0},
    {5, 6, 2, 3, 3, 2, 1, 1, "same", 5, 6, 1, 0},
    {5, 6, 2, 3, 3, 3, 2, 2, "same", 3, 3, 1, 0},
    {6, 7, 1, 2, 3, 5, 2, 3, "same", 3, 3, 0, 2},
    {4, 4, 3, 2, 1, 1, 3, 2, "same", 2, 2, 0, 0},
    {2, 3, 1, 2, 5, 5, 1, 1, "same", 2, 3, 2, 2},
    {28, 28, 1, 6, 5, 5, 1, 1, "same", 28, 28, 2, 2},
    {40, 33, 12, 4, 5, 5, 1, 1, "valid", 36, 29, 0, 0},
};

/* One output by its definition: the bias first in theta, then kernel [kh][kw][c][filters]. */
static double conv_at(const struct conv_case *k, const double *x, const double *theta, size_t i,
                      size_t j, size_t f)
{
    double sum = theta[f];
    for (size_t r = 0; r < k->kh; r++)
        for (size_t s = 0; s < k->kw; s++) {
            const size_t row = i * k->sh + r - k->top;
            const size_t col = j * k->sw + s - k->left;
            for (size_t c = 0; row < k->h && col < k->w && c < k->c; c++)
                sum += x[(row * k->w + col) * k->c + c] *
                       theta[k->filters + ((r * k->kw + s) * k->c + c) * k->filters + f];
        }
    return sum;
}

START_TEST(convolution_agrees_with_its_definition)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct conv_case *k = &convs[_i];
    struct image_net n;
    char input[96];
    char layer[256];
    snprintf(input, sizeof input, "[%zu, %zu, %zu]", k->h, k->w, k->c);
    snprintf(layer, sizeof layer,
             "{type: conv2d, filters: %zu, kernel: [%zu, %zu], stride: [%zu, %zu], padding: %s}",
             k->filters, k->kh, k->kw, k->sh, k->sw, k->padding);
    EXPECT_OK(image_net_create(&n, input, layer, &err), err);
    const struct stj_layer *conv = &n.net->node[0].layer;
    ck_assert_uint_eq(conv->out.dim[0], k->out_h);
    ck_assert_uint_eq(conv->out.dim[1], k->out_w);
    ck_assert_uint_eq(conv->out.dim[2], k->filters);
    const size_t n_in = k->h * k->w * k->c;
    const size_t taps = k->kh * k->kw * k->c;
    ck_assert_uint_eq(conv->n_params, (1 + taps) * k->filters);
    double *x = calloc(n_in, sizeof *x);
    double *theta = calloc(conv->n_params, sizeof *theta);
    for (size_t i = 0; i < n_in; i++)
        x[i] = sin((double)(7 * i + 1));
    for (size_t i = 0; i < conv->n_params; i++)
        theta[i] = cos((double)(11 * i + 2));
    double *y = forward(conv, x, theta);
    /* sums of 1 + taps products of numbers of size at most one, in two orders */
    const double bound = 2 * (double)((taps + 1) * (taps + 1)) * DBL_EPSILON;
    for (size_t i = 0; i < k->out_h; i++)
        for (size_t j = 0; j < k->out_w; j++)
            for (size_t f = 0; f < k->filters; f++) {
                const double want = conv_at(k, x, theta, i, j, f);
                const double got = y[(i * k->out_w + j) * k->filters + f];
                ck_assert_msg(fabs(got - want) <= bound, "%s at (%zu, %zu, %zu): %g, not %g", layer,
                              i, j, f, got, want);
            }
    free(x);
    free(theta);
    free(y);
    image_net_free(&n);
}
END_TEST

/* One channel of a 4 x 5 image beside its negative. */
static const double image[4 * 5 * 2] = {
    1, -1, 9, -9, 3, -3, 3, -3, 0, 0,  /**/ 2, -2, 5, -5, 3, -3, 1, -1, 4, -4,
    8, -8, 6, -6, 7, -7, 7, -7, 2, -2, /**/ 1, -1, 1, -1, 0, 0,  7, -7, 3, -3,
};

struct pool_case {
    const char *layer;
    size_t out_h, out_w;
    double want[12]; /* of the first channel and its negative, alternating */
};

static const struct pool_case pools[] = {
    {"{type: max_pool, window: 2}", 2, 2, {9, -1, 3, -1, 8, -1, 7, 0}},
    {"{type: max_pool, window: [1, 5]}", 4, 1, {9, 0, 5, -1, 8, -2, 7, 0}},
    {"{type: max_pool, window: 3, stride: [1, 2]}", 2, 2, {9, -1, 7, 0, 8, 0, 7, 0}},
    {"{type: average_pool, window: 2}", 2, 2, {4.25, -4.25, 2.5, -2.5, 4, -4, 5.25, -5.25}},
    {"{type: average_pool, window: [4, 1], stride: 4}", 1, 2, {3, -3, 2.25, -2.25}},
    {"global_average_pool", 1, 1, {3.65, -3.65}},
};

START_TEST(pooling_by_hand)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct pool_case *k = &pools[_i];
    struct image_net n;
    EXPECT_OK(image_net_create(&n, "[4, 5, 2]", k->layer, &err), err);
    const struct stj_layer *pool = &n.net->node[0].layer;
    ck_assert_uint_eq(stj_shape_size(&pool->out), k->out_h * k->out_w * 2);
    double *y = forward(pool, image, NULL);
    for (size_t i = 0; i < k->out_h * k->out_w * 2; i++)
        ck_assert_msg(fabs(y[i] - k->want[i]) <= 8 * DBL_EPSILON, "%s: number %zu is %g, not %g",
                      k->layer, i, y[i], k->want[i]);
    free(y);
    image_net_free(&n);
}
END_TEST

/* Of equal values the first in the order of rows, then columns, has the derivative. */
START_TEST(ties_go_to_the_first)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct image_net n;
    const double x[6] = {1, 2, 2, 2, 1, 2};
    const double want[6] = {0, 1, 0, 0, 0, 0};
    const double y_bar[1] = {1};
    const real beta[STJ_MAX_INPUTS] = {0, 0};
    double y[1];
    double saved[1];
    double x_bar[6];
    EXPECT_OK(image_net_create(&n, "[2, 3, 1]", "{type: max_pool, window: [2, 3]}", &err), err);
    const struct stj_layer *pool = &n.net->node[0].layer;
    const struct stj_layer_values at = {.batch = 1, .x = x, .y = y, .y_bar = y_bar, .saved = saved};
    pool->ops->forward(pool, y, &at, NULL);
    pool->ops->backward(pool, beta, x_bar, NULL, NULL, &at, NULL);
    ck_assert_double_eq(y[0], 2);
    for (size_t i = 0; i < 6; i++)
        ck_assert_double_eq(x_bar[i], want[i]);
    image_net_free(&n);
}
END_TEST

struct bad_case {
    const char *input, *layer, *message;
};

static const struct bad_case bads[] = {
    {"[5, 5, 3]", "{type: conv2d, name: conv1, filters: 2, kernel: 7}",
     "layer 'conv1': kernel 7x7 is larger than its input 5x5x3"},
    {"[5, 8, 3]", "{type: conv2d, filters: 2, kernel: [3, 9]}",
     "layer 'conv2d0': kernel 3x9 is larger than its input 5x8x3"},
    {"[5, 5, 3]", "{type: max_pool, window: [6, 1]}",
     "layer 'max_pool0': window 6x1 is larger than its input 5x5x3"},
    {"[5, 5, 3]", "{type: average_pool, window: 6}", "window 6x6 is larger than its input 5x5x3"},
    {"[75]", "{type: conv2d, filters: 2, kernel: 3}",
     "its input is 75, but conv2d slides over height x width x channels"},
    {"[25]", "{type: max_pool, window: 2}", "its input is 25, but max_pool slides over"},
    {"[75]", "global_average_pool", "its input is 75, but global_average_pool"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: [1, 2, 3]}",
     "kernel has 3 numbers, give one for a square or two for height and width"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: 3, stride: [1, 1, 1]}",
     "stride has 3 numbers"},
    {"[5, 5, 3]", "{type: conv2d, filters: 0, kernel: 3}", "filters"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: 0}", "kernel"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: 3, stride: 0}", "stride"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: []}", "kernel has 0 numbers"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2, kernel: 3, padding: full}", "padding"},
    {"[5, 5, 3]", "{type: conv2d, filters: 2}", "kernel"},
    {"[5, 5, 3]", "{type: average_pool, stride: 2}", "window"},
    {"[5, 5, 3]", "{type: conv2d, filters: 900000000, kernel: 3}", "the size of its kernel"},
};

START_TEST(sizes_that_do_not_fit)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct image_net n;
    const enum stj_status st = image_net_create(&n, bads[_i].input, bads[_i].layer, &err);
    ck_assert_msg(st == STJ_ECONFIG || st == STJ_EUNSUPPORTED, "%s: %s", bads[_i].layer,
                  stj_status_name(st));
    EXPECT_FAIL(st, st, bads[_i].message, err);
    image_net_free(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("images");
    TCase *tc = tcase_create("layers");
    tcase_add_loop_test(tc, convolution_agrees_with_its_definition, 0,
                        sizeof convs / sizeof convs[0]);
    tcase_add_loop_test(tc, pooling_by_hand, 0, sizeof pools / sizeof pools[0]);
    tcase_add_test(tc, ties_go_to_the_first);
    tcase_add_loop_test(tc, sizes_that_do_not_fit, 0, sizeof bads / sizeof bads[0]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
