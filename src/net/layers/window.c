/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/window.c: sizes of sliding windows. */
#include "net/layers/window.h"

#include <stdio.h>

#include "base/error.h"

const struct stj_option stj_pool_options[] = {
    {.name = "window",
     .type = STJ_OPTION_SIZES,
     .offset = offsetof(struct stj_window_config, size),
     .min = 1,
     .max = 1e9,
     .doc = "height and width of the window, or one number for both"},
    {.name = "stride",
     .type = STJ_OPTION_SIZES,
     .offset = offsetof(struct stj_window_config, stride),
     .fallback = "",
     .min = 1,
     .max = 1e9,
     .doc = "distance between windows, down and across, or one number; default: the window"},
    {.name = NULL},
};

static size_t item(const struct stj_sizes *sizes, size_t i)
{
    return sizes->item[sizes->n == 1 ? 0 : i];
}

static enum stj_status check_list(const struct stj_sizes *sizes, const char *what,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, sizes->n == 1 || sizes->n == 2, STJ_ECONFIG,
              "%s has %zu numbers, give one for a square or two for height and width", what,
              sizes->n);
out:
    return st;
}

enum stj_status stj_window_check(const struct stj_layer *layer,
                                 const struct stj_window_config *config, const char *what,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char text[96];
    const struct stj_shape *in = &layer->in;
    STJ_CHECK(err, in->n_dims == 3, STJ_ECONFIG,
              "its input is %s, but %s slides over height x width x channels",
              stj_shape_text(in, text), layer->ops->info.name);
    STJ_TRY(check_list(&config->size, what, err));
    if (config->stride.n)
        STJ_TRY(check_list(&config->stride, "stride", err));
    const size_t height = item(&config->size, 0);
    const size_t width = item(&config->size, 1);
    STJ_CHECK(err,
              config->padding == STJ_PADDING_SAME || (height <= in->dim[0] && width <= in->dim[1]),
              STJ_ECONFIG,
              "%s %zux%zu is larger than its input %s: take a smaller one, or an earlier layer "
              "that keeps more of the image",
              what, height, width, stj_shape_text(in, text));
out:
    return st;
}

struct axis {
    size_t out, before;
};

static struct axis slide(size_t in, size_t size, size_t stride, int padding)
{
    if (padding == STJ_PADDING_VALID)
        return (struct axis){.out = (in - size) / stride + 1};
    const size_t out = (in + stride - 1) / stride;
    const size_t reach = (out - 1) * stride + size;
    return (struct axis){.out = out, .before = reach > in ? (reach - in) / 2 : 0};
}

struct stj_window stj_window_of(const struct stj_shape *in, const struct stj_window_config *config)
{
    const struct stj_sizes *stride = config->stride.n ? &config->stride : &config->size;
    struct stj_window w = {
        .in_h = in->dim[0],
        .in_w = in->dim[1],
        .channels = in->dim[2],
        .height = item(&config->size, 0),
        .width = item(&config->size, 1),
        .stride_h = item(stride, 0),
        .stride_w = item(stride, 1),
    };
    const struct axis v = slide(w.in_h, w.height, w.stride_h, config->padding);
    const struct axis h = slide(w.in_w, w.width, w.stride_w, config->padding);
    w.out_h = v.out;
    w.top = v.before;
    w.out_w = h.out;
    w.left = h.before;
    return w;
}

void stj_window_sample(struct stj_rng *rng, size_t in_h, size_t in_w, const char *what, char *text,
                       size_t size)
{
    const size_t height = 1 + stj_rng_index(rng, in_h < 3 ? in_h : 3);
    const size_t width = 1 + stj_rng_index(rng, in_w < 3 ? in_w : 3);
    int n = height == width ? snprintf(text, size, "%s: %zu", what, height)
                            : snprintf(text, size, "%s: [%zu, %zu]", what, height, width);
    const size_t at = (size_t)n < size ? (size_t)n : size;
    switch (stj_rng_index(rng, 3)) {
    case 0:
        snprintf(text + at, size - at, ", stride: %zu", 1 + stj_rng_index(rng, 3));
        break;
    case 1:
        snprintf(text + at, size - at, ", stride: [%zu, %zu]", 1 + stj_rng_index(rng, 3),
                 1 + stj_rng_index(rng, 3));
        break;
    default:
        break;
    }
}
