/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/window.c: sizes of sliding windows. */
#include "net/layers/window.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { VALID, SAME, CAUSAL, NUMBERS };

const char *const stj_paddings[] = {"valid", "same", NULL};
const char *const stj_sequence_paddings[] = {"valid", "same", "causal", NULL};

static int padding_of(const struct stj_sizes *padding)
{
    for (int word = VALID; word < NUMBERS; word++)
        if (padding->n == 1 && padding->item[0] == STJ_SIZES_WORD(word))
            return word;
    return padding->n ? NUMBERS : VALID;
}

static bool is_sequence(const struct stj_shape *in)
{
    return in->n_dims == 2;
}

/* The i-th number, down (0) or across (1); a sequence has none down. */
static size_t item(const struct stj_shape *in, const struct stj_sizes *sizes, size_t i)
{
    if (sizes->n == 0 || (is_sequence(in) && i == 0))
        return 1;
    return sizes->item[sizes->n == 1 ? 0 : i];
}

static enum stj_status check_list(const struct stj_shape *in, const struct stj_sizes *sizes,
                                  const char *what, struct stj_error *err)
{
    STJ_NEED(err, sizes->n == 1 || (sizes->n == 2 && !is_sequence(in)), STJ_ECONFIG,
             "%s has %zu numbers, give one%s", what, sizes->n,
             is_sequence(in) ? "" : " for a square or two for height and width");
    return STJ_OK;
}

enum stj_status stj_padding_check(const struct stj_shape *in, const struct stj_sizes *padding,
                                  struct stj_error *err)
{
    const size_t n = padding->n;
    STJ_NEED(err, n == 1 || n == 2 || (n == 4 && !is_sequence(in)), STJ_ECONFIG,
             "padding has %zu numbers, give %s", n,
             is_sequence(in) ? "N or [before, behind]"
                             : "N, [vertical, horizontal] or [top, bottom, left, right]");
    return STJ_OK;
}

void stj_padding_sides(const struct stj_shape *in, const struct stj_sizes *padding, size_t side[4])
{
    for (size_t k = 0; k < 4; k++)
        side[k] = padding->item[padding->n == 4 ? k : padding->n == 2 ? k / 2 : 0];
    if (!is_sequence(in))
        return;
    side[0] = side[1] = 0;
    side[2] = padding->item[0];
    side[3] = padding->item[padding->n - 1];
}

struct axis {
    size_t in, size, stride, dilation;
    size_t before, behind; /* zeros */
    size_t out;
};

static size_t extent(const struct axis *a)
{
    return (a->size - 1) * a->dilation + 1;
}

/* a->out <- positions of the window, and zeros that are not given by numbers. */
static void slide(struct axis *a, int padding, bool ceil)
{
    if (padding == SAME || padding == CAUSAL) {
        a->out = (a->in + a->stride - 1) / a->stride;
        const size_t reach = (a->out - 1) * a->stride + extent(a);
        const size_t zeros = reach > a->in ? reach - a->in : 0;
        a->before = padding == SAME ? zeros / 2 : zeros;
        a->behind = zeros - a->before;
        return;
    }
    const size_t room = a->in + a->before + a->behind - extent(a);
    a->out = (room + (ceil ? a->stride - 1 : 0)) / a->stride + 1;
    if (ceil && (a->out - 1) * a->stride >= a->in + a->before)
        a->out--; /* it would begin in the zeros behind */
}

/* The axis without its slide. */
static struct axis axis_of(const struct stj_shape *in, const struct stj_window_config *config,
                           size_t i)
{
    struct axis a = {
        .in = is_sequence(in) ? (i == 0 ? 1 : in->dim[0]) : in->dim[i],
        .size = item(in, &config->size, i),
        .stride = item(in, config->stride.n ? &config->stride : &config->size, i),
        .dilation = item(in, &config->dilation, i),
    };
    if (padding_of(&config->padding) == NUMBERS) {
        size_t side[4];
        stj_padding_sides(in, &config->padding, side);
        a.before = side[2 * i];
        a.behind = side[2 * i + 1];
    }
    return a;
}

static enum stj_status check_axis(const struct stj_shape *in,
                                  const struct stj_window_config *config, const char *what,
                                  size_t i, struct stj_error *err)
{
    char text[96];
    const struct axis a = axis_of(in, config, i);
    const int padding = padding_of(&config->padding);
    STJ_NEED(err, padding == SAME || padding == CAUSAL || extent(&a) <= a.in + a.before + a.behind,
             STJ_ECONFIG,
             "%s %zux%zu is larger than its input %s: take a smaller one, or an earlier layer "
             "that keeps more of the image",
             what, item(in, &config->size, 0), item(in, &config->size, 1),
             stj_shape_text(in, text));
    return STJ_OK;
}

enum stj_status stj_window_check(const struct stj_layer *layer, size_t n_dims,
                                 const struct stj_window_config *config, const char *what,
                                 struct stj_error *err)
{
    char text[96];
    const struct stj_shape *in = &layer->in;
    STJ_NEED(err, n_dims ? in->n_dims == n_dims : in->n_dims == 2 || in->n_dims == 3, STJ_ECONFIG,
             "its input is %s, but %s slides over %s", stj_shape_text(in, text),
             layer->ops->info.name,
             n_dims == 2   ? "positions x channels"
             : n_dims == 3 ? "height x width x channels"
                           : "height x width x channels or positions x channels");
    STJ_MUST(check_list(in, &config->size, what, err));
    if (config->stride.n)
        STJ_MUST(check_list(in, &config->stride, "stride", err));
    if (config->dilation.n)
        STJ_MUST(check_list(in, &config->dilation, "dilation", err));
    if (config->padding.n)
        STJ_MUST(stj_padding_check(in, &config->padding, err));
    for (size_t i = 0; i < 2; i++)
        STJ_MUST(check_axis(in, config, what, i, err));
    return STJ_OK;
}

struct stj_window stj_window_of(const struct stj_shape *in, const struct stj_window_config *config)
{
    struct axis axis[2];
    for (size_t i = 0; i < 2; i++) {
        axis[i] = axis_of(in, config, i);
        slide(&axis[i], padding_of(&config->padding), config->ceil);
    }
    return (struct stj_window){
        .in_h = axis[0].in,
        .in_w = axis[1].in,
        .out_h = axis[0].out,
        .out_w = axis[1].out,
        .channels = stj_shape_cols(in),
        .height = axis[0].size,
        .width = axis[1].size,
        .stride_h = axis[0].stride,
        .stride_w = axis[1].stride,
        .dilation_h = axis[0].dilation,
        .dilation_w = axis[1].dilation,
        .top = axis[0].before,
        .bottom = axis[0].behind,
        .left = axis[1].before,
        .right = axis[1].behind,
        .pitch = stj_shape_cols(in),
    };
}

struct stj_shape stj_window_out(const struct stj_window *w, const struct stj_shape *in,
                                size_t channels)
{
    if (is_sequence(in))
        return (struct stj_shape){.n_dims = 2, .dim = {w->out_w, channels}};
    return (struct stj_shape){.n_dims = 3, .dim = {w->out_h, w->out_w, channels}};
}

struct stj_reach stj_window_reach(size_t in, size_t size, size_t dilation, size_t start,
                                  size_t before)
{
    struct stj_reach r = {.first = 0, .end = 0, .at = 0};
    if (start < before)
        r.first = (before - start + dilation - 1) / dilation;
    if (in + before > start)
        r.end = (in + before - start - 1) / dilation + 1;
    r.end = r.end < size ? r.end : size;
    r.first = r.first < r.end ? r.first : r.end;
    if (r.first < r.end)
        r.at = start + r.first * dilation - before;
    return r;
}

/* Add ", KEY: N" or ", KEY: [N, M]" sometimes, the numbers below 3 and at least `least`. */
static void add_sizes(struct stj_rng *rng, const char *key, size_t least, char *text, size_t size)
{
    size_t at = strlen(text);
    if (stj_rng_index(rng, 3) == 0)
        snprintf(text + at, size - at, ", %s: %zu", key, least + stj_rng_index(rng, 3));
    else if (stj_rng_index(rng, 2))
        snprintf(text + at, size - at, ", %s: [%zu, %zu]", key, least + stj_rng_index(rng, 3),
                 least + stj_rng_index(rng, 3));
}

void stj_window_sample(struct stj_rng *rng, size_t in_h, size_t in_w, const char *what, char *text,
                       size_t size)
{
    const size_t height = 1 + stj_rng_index(rng, in_h < 3 ? in_h : 3);
    const size_t width = 1 + stj_rng_index(rng, in_w < 3 ? in_w : 3);
    if (height == width)
        snprintf(text, size, "%s: %zu", what, height);
    else
        snprintf(text, size, "%s: [%zu, %zu]", what, height, width);
    add_sizes(rng, "stride", 1, text, size);
}

/* Does the window see something at each of its positions along an axis? */
static bool sees(size_t in, size_t size, size_t dilation, size_t stride, size_t before, size_t out)
{
    for (size_t i = 0; i < out; i++) {
        const struct stj_reach r = stj_window_reach(in, size, dilation, i * stride, before);
        if (r.first == r.end)
            return false;
    }
    return true;
}

enum stj_status stj_pool_setup(struct stj_layer *layer, const struct stj_window_config *config,
                               struct stj_error *err)
{
    STJ_MUST(stj_window_check(layer, 0, config, "window", err));
    const struct stj_window w = stj_window_of(&layer->in, config);
    STJ_NEED(err,
             sees(w.in_h, w.height, w.dilation_h, w.stride_h, w.top, w.out_h) &&
                 sees(w.in_w, w.width, w.dilation_w, w.stride_w, w.left, w.out_w),
             STJ_ECONFIG,
             "some windows see nothing but padding: take a padding of at most half the window");
    layer->out = stj_window_out(&w, &layer->in, w.channels);
    return STJ_OK;
}

void stj_pool_sample(struct stj_rng *rng, const char *type, char *text, size_t size)
{
    static const char *const paddings[] = {"valid", "same", "1", "[1, 0, 0, 1]"};
    const size_t kind = stj_rng_index(rng, 4);
    const char *ceil = stj_rng_index(rng, 2) ? "true" : "false";
    char window[96];
    if (stj_rng_index(rng, 4) == 0) {
        snprintf(
            text, size,
            "{input: [%zu, 2], layers: [{type: %s, window: 3, stride: %zu, padding: 1, ceil: %s",
            1 + stj_rng_index(rng, 8), type, 1 + stj_rng_index(rng, 3), ceil);
        return;
    }
    const size_t height = 1 + stj_rng_index(rng, 6);
    const size_t width = 1 + stj_rng_index(rng, 6);
    if (kind < 2)
        stj_window_sample(rng, height, width, "window", window, sizeof window);
    else
        snprintf(window, sizeof window, "window: 2, stride: %zu", 1 + stj_rng_index(rng, 2));
    snprintf(text, size, "{input: [%zu, %zu, %zu], layers: [{type: %s, %s, padding: %s, ceil: %s",
             height, width, 1 + stj_rng_index(rng, 4), type, window, paddings[kind], ceil);
}
