/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/resample.c: images and sequences with a border (pad), or larger ones (upsample): each
 * number of the output is one of the input or nothing.
 *
 *     forward            y_pc          = x_q(p)c, or 0 where there is no q(p)
 *     forward_tangent    y_dot_pjc     = x_dot_q(p)jc
 *     backward           x_bar_qc      = sum over the p with q(p) = q of y_bar_pc
 *     backward_tangent   x_bar_dot_qjc = sum over the same p of y_bar_dot_pjc
 *
 * q works along each axis by itself.  Behind `before` new ones, position i of `in` is
 *     zeros      i, none outside           replicate  the nearest one
 *     reflect    mirrored at the outermost one, which is not repeated     circular  i modulo in
 * and nearest upsampling by a factor has floor(i / factor).
 */
#include "net/layers/layers.h"

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "net/kernels.h"
#include "net/layers/linear_map.h"
#include "net/layers/window.h"

enum mode { ZEROS, REFLECT, REPLICATE, CIRCULAR, NEAREST };

/* Along one axis. */
struct axis {
    size_t in, out;
    size_t before; /* of NEAREST: the factor */
};

static const size_t none = SIZE_MAX;

static size_t source(enum mode mode, const struct axis *a, size_t i)
{
    if (mode == NEAREST)
        return i / a->before;
    if (i >= a->before && i - a->before < a->in)
        return i - a->before;
    const bool in_front = i < a->before;
    const size_t off = in_front ? a->before - i : i - a->before - a->in + 1; /* from the last one */
    switch (mode) {
    case REFLECT:
        return in_front ? off : a->in - 1 - off;
    case REPLICATE:
        return in_front ? 0 : a->in - 1;
    case CIRCULAR:
        return in_front ? a->in - off : off - 1;
    default:
        return none;
    }
}

struct map {
    enum mode mode;
    struct axis down, across;
};

/* The position of the input that output position p shows. */
static size_t position(const struct map *m, size_t p)
{
    const size_t row = source(m->mode, &m->down, p / m->across.out);
    const size_t col = source(m->mode, &m->across, p % m->across.out);
    return row == none || col == none ? none : row * m->across.in + col;
}

static void apply(const struct map *m, size_t n, const real *x, real *y)
{
    for (size_t p = 0; p < m->down.out * m->across.out; p++) {
        const size_t q = position(m, p);
        for (size_t i = 0; i < n; i++)
            y[p * n + i] = q == none ? 0 : x[q * n + i];
    }
}

static void apply_adjoint(const struct map *m, size_t n, const real *y, real *x)
{
    for (size_t p = 0; p < m->down.out * m->across.out; p++) {
        const size_t q = position(m, p);
        if (q != none)
            stj_add(n, y + p * n, 1, x + q * n);
    }
}

/* The axes of an input, of which a sequence has one. */
static struct map map_of(const struct stj_shape *in, enum mode mode)
{
    const bool image = in->n_dims == 3;
    return (struct map){.mode = mode,
                        .down = {.in = image ? in->dim[0] : 1},
                        .across = {.in = in->dim[in->n_dims - 2]}};
}

static enum stj_status check_input(const struct stj_layer *layer, struct stj_error *err)
{
    char text[96];
    STJ_NEED(err, layer->in.n_dims == 2 || layer->in.n_dims == 3, STJ_ECONFIG,
             "its input is %s, but %s takes height x width x channels or positions x channels",
             stj_shape_text(&layer->in, text), layer->ops->info.name);
    return STJ_OK;
}

static void set_out(struct stj_layer *layer, const struct map *m)
{
    layer->out = layer->in;
    layer->out.dim[0] = m->down.out; /* of an image */
    layer->out.dim[layer->in.n_dims - 2] = m->across.out;
}

/* ---- pad ---- */

struct pad_config {
    struct stj_sizes padding;
    int mode; /* enum mode */
};

static const char *const modes[] = {"zeros", "reflect", "replicate", "circular", NULL};

static const struct stj_option pad_options[] = {
    STJ_OPTION_ROW(
        struct pad_config, "padding", SIZES, padding, NULL,
        "how much: N on all sides, [vertical, horizontal] or [top, bottom, left, right]; of a "
        "sequence N or [before, behind]",
        .max = 1e9),
    STJ_OPTION_ROW(
        struct pad_config, "mode", CHOICE, mode, "zeros",
        "zeros; reflect: mirrored, without the outermost number; replicate: the outermost "
        "number; circular: the other side",
        .choices = modes),
    {.name = NULL},
};

static struct map pad_map(const struct stj_layer *layer)
{
    const struct pad_config *config = layer->config;
    struct map m = map_of(&layer->in, (enum mode)config->mode);
    size_t side[4];
    stj_padding_sides(&layer->in, &config->padding, side);
    m.down.before = side[0];
    m.down.out = m.down.in + side[0] + side[1];
    m.across.before = side[2];
    m.across.out = m.across.in + side[2] + side[3];
    return m;
}

static void pad_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const paddings[] = {"1", "[2, 1]", "0"};
    const bool image = stj_rng_index(rng, 2);
    snprintf(text, size, "{input: [%s%zu, %zu], layers: [{type: pad, padding: %s, mode: %s}]}",
             image ? "4, " : "", 3 + stj_rng_index(rng, 3), 1 + stj_rng_index(rng, 3),
             image && stj_rng_index(rng, 2) ? "[1, 0, 2, 1]" : paddings[stj_rng_index(rng, 3)],
             modes[stj_rng_index(rng, 4)]);
}

static enum stj_status pad_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    (void)in2;
    const struct pad_config *config = layer->config;
    STJ_MUST(check_input(layer, err));
    STJ_MUST(stj_padding_check(&layer->in, &config->padding, err));
    const struct map m = pad_map(layer);
    const size_t spare = config->mode == REFLECT ? 1 : 0; /* numbers that are not shown again */
    const struct axis *axis[] = {&m.down, &m.across};
    for (size_t k = 0; k < 2; k++) {
        const size_t behind = axis[k]->out - axis[k]->in - axis[k]->before;
        const size_t most = axis[k]->before > behind ? axis[k]->before : behind;
        STJ_NEED(err,
                 (config->mode != REFLECT && config->mode != CIRCULAR) ||
                     most + spare <= axis[k]->in,
                 STJ_ECONFIG, "padding %zu of the mode %s is more than the %zu numbers there are",
                 most, modes[config->mode], axis[k]->in - spare);
    }
    set_out(layer, &m);
    return STJ_OK;
}

static void pad_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                      const real *restrict x, real *restrict y)
{
    (void)saved;
    const struct map m = pad_map(layer);
    apply(&m, nvec * stj_shape_cols(&layer->in), x, y);
}

static void pad_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                              const real *restrict y, real *restrict x)
{
    (void)saved;
    const struct map m = pad_map(layer);
    apply_adjoint(&m, nvec * stj_shape_cols(&layer->in), y, x);
}

const struct stj_linear_map stj_layer_pad = {
    .ops = {.info = {.name = "pad",
                     .doc = "a border around an image or a sequence",
                     .options = pad_options,
                     .config_size = sizeof(struct pad_config)},
            .sample = pad_sample,
            .setup = pad_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = pad_apply,
    .apply_adjoint = pad_apply_adjoint,
};

/* ---- upsample ---- */

struct upsample_config {
    struct stj_sizes factor;
};

static const struct stj_option upsample_options[] = {
    STJ_OPTION_ROW(
        struct upsample_config, "factor", SIZES, factor, "2",
        "how many times each number is repeated, down and across, or one number for both", .min = 1,
        .max = 1e6),
    {.name = NULL},
};

static void upsample_sample(struct stj_rng *rng, char *text, size_t size)
{
    const bool image = stj_rng_index(rng, 2);
    snprintf(text, size, "{input: [%s%zu, %zu], layers: [{type: upsample, factor: %s}]}",
             image ? "2, " : "", 1 + stj_rng_index(rng, 3), 1 + stj_rng_index(rng, 3),
             image && stj_rng_index(rng, 2) ? "[3, 2]" : "2");
}

static struct map upsample_map(const struct stj_layer *layer)
{
    const struct stj_sizes *factor = &((const struct upsample_config *)layer->config)->factor;
    struct map m = map_of(&layer->in, NEAREST);
    m.down.before = layer->in.n_dims == 3 ? factor->item[0] : 1;
    m.across.before = factor->item[factor->n - 1];
    m.down.out = m.down.in * m.down.before;
    m.across.out = m.across.in * m.across.before;
    return m;
}

static enum stj_status upsample_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    const struct stj_sizes *factor = &((const struct upsample_config *)layer->config)->factor;
    STJ_MUST(check_input(layer, err));
    STJ_NEED(err, factor->n == 1 || (factor->n == 2 && layer->in.n_dims == 3), STJ_ECONFIG,
             "factor has %zu numbers, give one%s", factor->n,
             layer->in.n_dims == 3 ? " or two for height and width" : "");
    const struct map m = upsample_map(layer);
    set_out(layer, &m);
    return STJ_OK;
}

static void upsample_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                           const real *restrict x, real *restrict y)
{
    (void)saved;
    const struct map m = upsample_map(layer);
    apply(&m, nvec * stj_shape_cols(&layer->in), x, y);
}

static void upsample_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                   const real *restrict y, real *restrict x)
{
    (void)saved;
    const struct map m = upsample_map(layer);
    apply_adjoint(&m, nvec * stj_shape_cols(&layer->in), y, x);
}

const struct stj_linear_map stj_layer_upsample = {
    .ops = {.info = {.name = "upsample",
                     .doc = "each number of an image or a sequence repeated: the nearest neighbour",
                     .options = upsample_options,
                     .config_size = sizeof(struct upsample_config)},
            .sample = upsample_sample,
            .setup = upsample_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = upsample_apply,
    .apply_adjoint = upsample_apply_adjoint,
};
