/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/average_pool.c: the mean of each window of an image or a sequence, channel by channel.
 *
 *     forward            y_pc         = 1/n_p sum over q in window p of x_qc
 *     forward_tangent    y_dot_pjc    = 1/n_p sum over q of x_dot_qjc
 *     backward           x_bar_qc     = sum over the windows p that see q of 1/n_p y_bar_pc
 *     backward_tangent   x_bar_dot_qjc, the same of y_bar_dot_pjc
 *
 * n_p is the window's height times its width, the zeros of the padding among them, but not what
 * hangs over it (`ceil`); or only the numbers of the image that it sees.  Adaptive pooling has a
 * given number of outputs instead: of `out` along an axis, output i sees the numbers from
 * floor(i in / out) to before ceil((i + 1) in / out).  All of it as in PyTorch.
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "net/layers/linear_map.h"
#include "net/layers/window.h"

struct average_pool_config {
    struct stj_window_config window;
    bool count_include_pad;
};

static const struct stj_option average_pool_options[] = {
    STJ_POOL_OPTIONS(offsetof(struct average_pool_config, window)),
    STJ_OPTION_ROW(struct average_pool_config, "count_include_pad", BOOL, count_include_pad, "true",
                   "whether the zeros of the padding count in the mean"),
    {.name = NULL},
};

static void average_pool_sample(struct stj_rng *rng, char *text, size_t size)
{
    char pool[400];
    stj_pool_sample(rng, "average_pool", pool, sizeof pool);
    snprintf(text, size, "%s, count_include_pad: %s}]}", pool,
             stj_rng_index(rng, 2) ? "true" : "false");
}

static enum stj_status average_pool_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                          struct stj_error *err)
{
    (void)in2;
    return stj_pool_setup(layer, layer->config, err);
}

/* The image's numbers that an output sees, and how many count in its mean. */
struct cell {
    size_t row, rows, col, cols, count;
    size_t pitch; /* numbers of the image from one row to the next */
};

/* y[n] <- the mean of the cell's rows of n numbers. */
STJ_CLONES static void cell_mean(const struct cell *cell, size_t n, const real *restrict x,
                                 real *restrict y)
{
    const real scale = 1 / (real)cell->count;
    x += (cell->row * cell->pitch + cell->col) * n;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
    for (size_t r = 0; r < cell->rows; r++)
        for (size_t c = r == 0; c < cell->cols; c++)
            for (size_t i = 0; i < n; i++)
                y[i] += x[(r * cell->pitch + c) * n + i];
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

/* The cell's rows of n numbers <- themselves + y / count. */
STJ_CLONES static void cell_spread(const struct cell *cell, size_t n, const real *restrict y,
                                   real *restrict x)
{
    const real scale = 1 / (real)cell->count;
    x += (cell->row * cell->pitch + cell->col) * n;
    for (size_t r = 0; r < cell->rows; r++)
        for (size_t c = 0; c < cell->cols; c++)
            for (size_t i = 0; i < n; i++)
                x[(r * cell->pitch + c) * n + i] += scale * y[i];
}

/* How many of the numbers of a window count, along one axis: all but what hangs over. */
static size_t counted(size_t in, size_t size, size_t start, size_t before, size_t behind)
{
    const size_t end = before + in + behind;
    return start + size < end ? size : end - start;
}

static struct cell window_cell(const struct stj_window *w, bool include, size_t i, size_t j)
{
    const size_t top = i * w->stride_h;
    const size_t left = j * w->stride_w;
    const struct stj_reach down = stj_window_reach(w->in_h, w->height, 1, top, w->top);
    const struct stj_reach across = stj_window_reach(w->in_w, w->width, 1, left, w->left);
    struct cell cell = {.row = down.at,
                        .rows = down.end - down.first,
                        .col = across.at,
                        .cols = across.end - across.first,
                        .pitch = w->in_w};
    cell.count = include ? counted(w->in_h, w->height, top, w->top, w->bottom) *
                               counted(w->in_w, w->width, left, w->left, w->right)
                         : cell.rows * cell.cols;
    return cell;
}

static void average_pool_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                               const real *restrict x, real *restrict y)
{
    (void)saved;
    const struct average_pool_config *config = layer->config;
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    const size_t n = nvec * w.channels;
    for (size_t i = 0; i < w.out_h; i++)
        for (size_t j = 0; j < w.out_w; j++) {
            const struct cell cell = window_cell(&w, config->count_include_pad, i, j);
            cell_mean(&cell, n, x, y + (i * w.out_w + j) * n);
        }
}

static void average_pool_apply_adjoint(const struct stj_layer *layer, size_t nvec,
                                       const real *saved, const real *restrict y, real *restrict x)
{
    (void)saved;
    const struct average_pool_config *config = layer->config;
    const struct stj_window w = stj_window_of(&layer->in, &config->window);
    const size_t n = nvec * w.channels;
    for (size_t i = 0; i < w.out_h; i++)
        for (size_t j = 0; j < w.out_w; j++) {
            const struct cell cell = window_cell(&w, config->count_include_pad, i, j);
            cell_spread(&cell, n, y + (i * w.out_w + j) * n, x);
        }
}

const struct stj_linear_map stj_layer_average_pool = {
    .ops = {.info = {.name = "average_pool",
                     .doc = "mean of each window of an image or a sequence",
                     .options = average_pool_options,
                     .config_size = sizeof(struct average_pool_config)},
            .sample = average_pool_sample,
            .setup = average_pool_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = average_pool_apply,
    .apply_adjoint = average_pool_apply_adjoint,
};

/* ---- adaptive ---- */

struct adaptive_config {
    struct stj_sizes output;
};

static const struct stj_option adaptive_options[] = {
    STJ_OPTION_ROW(
        struct adaptive_config, "output", SIZES, output, NULL,
        "height and width of the output, or one number for both; of a sequence one number",
        .min = 1, .max = 1e9),
    {.name = NULL},
};

static void adaptive_sample(struct stj_rng *rng, char *text, size_t size)
{
    if (stj_rng_index(rng, 2))
        snprintf(text, size,
                 "{input: [%zu, 3], layers: [{type: adaptive_average_pool, output: %zu}]}",
                 1 + stj_rng_index(rng, 9), 1 + stj_rng_index(rng, 5));
    else
        snprintf(text, size,
                 "{input: [%zu, %zu, 2], layers: [{type: adaptive_average_pool, output: [%zu, %zu]}"
                 "]}",
                 1 + stj_rng_index(rng, 7), 1 + stj_rng_index(rng, 7), 1 + stj_rng_index(rng, 4),
                 1 + stj_rng_index(rng, 4));
}

static enum stj_status adaptive_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    (void)in2;
    char text[96];
    const struct adaptive_config *config = layer->config;
    const size_t n = layer->in.n_dims;
    STJ_NEED(err, n == 2 || n == 3, STJ_ECONFIG,
             "its input is %s, but adaptive_average_pool takes means over positions: height x "
             "width x channels or positions x channels",
             stj_shape_text(&layer->in, text));
    STJ_NEED(err, config->output.n == 1 || config->output.n + 1 == n, STJ_ECONFIG,
             "output has %zu numbers, give one%s", config->output.n,
             n == 3 ? " for a square or two for height and width" : "");
    layer->out = layer->in;
    for (size_t i = 0; i + 1 < n; i++)
        layer->out.dim[i] = config->output.item[config->output.n == 1 ? 0 : i];
    return STJ_OK;
}

/* Output number o of a sample. */
static struct cell adaptive_cell(const struct stj_layer *layer, size_t o)
{
    const struct stj_shape *in = &layer->in;
    const struct stj_shape *out = &layer->out;
    const bool image = in->n_dims == 3;
    const size_t in_h = image ? in->dim[0] : 1;
    const size_t in_w = in->dim[in->n_dims - 2];
    const size_t out_h = image ? out->dim[0] : 1;
    const size_t out_w = out->dim[out->n_dims - 2];
    const size_t i = o / out_w;
    const size_t j = o % out_w;
    struct cell cell = {.row = i * in_h / out_h, .col = j * in_w / out_w, .pitch = in_w};
    cell.rows = ((i + 1) * in_h + out_h - 1) / out_h - cell.row;
    cell.cols = ((j + 1) * in_w + out_w - 1) / out_w - cell.col;
    cell.count = cell.rows * cell.cols;
    return cell;
}

static void adaptive_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                           const real *restrict x, real *restrict y)
{
    (void)saved;
    const size_t n = nvec * stj_shape_cols(&layer->in);
    for (size_t o = 0; o < stj_shape_positions(&layer->out); o++) {
        const struct cell cell = adaptive_cell(layer, o);
        cell_mean(&cell, n, x, y + o * n);
    }
}

static void adaptive_apply_adjoint(const struct stj_layer *layer, size_t nvec, const real *saved,
                                   const real *restrict y, real *restrict x)
{
    (void)saved;
    const size_t n = nvec * stj_shape_cols(&layer->in);
    for (size_t o = 0; o < stj_shape_positions(&layer->out); o++) {
        const struct cell cell = adaptive_cell(layer, o);
        cell_spread(&cell, n, y + o * n, x);
    }
}

const struct stj_linear_map stj_layer_adaptive_average_pool = {
    .ops = {.info = {.name = "adaptive_average_pool",
                     .doc = "means that make an output of a given size",
                     .options = adaptive_options,
                     .config_size = sizeof(struct adaptive_config)},
            .sample = adaptive_sample,
            .setup = adaptive_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = adaptive_apply,
    .apply_adjoint = adaptive_apply_adjoint,
};
