/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/multiply.c: products of layers, elementwise: gates, squeeze-excite, attention maps.
 *
 * The second may have one position, which is used at all, or one channel, or both:
 *
 *     forward            y         = x x2
 *     forward_tangent    y_dot     = x_dot x2 + x x2_dot
 *     backward           x_bar    += y_bar x2
 *                        x2_bar   += sum y_bar x          over what x2 is used for
 *     backward_tangent   x_bar_dot  += y_bar_dot x2 + y_bar x2_dot
 *                        x2_bar_dot += sum (y_bar_dot x + y_bar x_dot)
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/target_clones.h"

/* The loops: positions and channels of x, and the steps of x2 along them, in its rows and in a row:
 * 0 where it has one that is used for all. */
struct extent {
    size_t n, positions, cols, rows2, cols2, next, step;
};

static struct extent extent_of(const struct stj_layer *layer, size_t batch)
{
    const struct stj_shape *in2 = &layer->in2;
    struct extent e = {.n = batch,
                       .positions = stj_shape_positions(&layer->in),
                       .cols = stj_shape_cols(&layer->in),
                       .rows2 = stj_shape_positions(in2),
                       .cols2 = stj_shape_cols(in2)};
    e.next = e.rows2 > 1;
    e.step = e.cols2 > 1;
    return e;
}

static void multiply_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const second[] = {
        "{type: dense, units: 4, name: b, input: data}",
        "{type: dense, units: 1, name: b, input: data}",
        "{type: global_average_pool, input: data}, {type: dense, units: 4, name: b}",
        "{type: global_average_pool, input: data}, {type: dense, units: 1, name: b}",
        "{type: tanh, name: b}"};
    snprintf(text, size,
             "{input: [%s%zu, 3], layers: [{type: dense, units: 4, name: a}, %s, {type: multiply, "
             "inputs: [a, b%s]}]}",
             stj_rng_index(rng, 2) ? "2, " : "", 1 + stj_rng_index(rng, 4),
             second[stj_rng_index(rng, 5)], stj_rng_index(rng, 3) ? "" : ", a, b");
}

static enum stj_status multiply_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                      struct stj_error *err)
{
    const struct stj_shape *in = &layer->in;
    char one[96];
    char two[96];
    bool same = in->n_dims == in2->n_dims;
    for (size_t d = 0; same && d + 1 < in->n_dims; d++)
        same = in->dim[d] == in2->dim[d];
    STJ_NEED(err,
             (same || stj_shape_positions(in2) == 1) &&
                 (stj_shape_cols(in2) == 1 || stj_shape_cols(in2) == stj_shape_cols(in)),
             STJ_ECONFIG,
             "its inputs have the shapes %s and %s; the second must have the positions of the "
             "first, or one, and its channels, or one",
             stj_shape_text(in, one), stj_shape_text(in2, two));
    layer->out = *in;
    layer->in2 = *in2;
    return STJ_OK;
}

/* y <- beta y + x x2 in a row of nvec tangents of x, or of x2, where the other has none. */
STJ_INLINE void row_product(size_t nvec, size_t cols, size_t of_x, size_t of_x2, size_t step,
                            const real *x, const real *x2, real beta, real *restrict y)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t c = 0; c < cols; c++) {
            const size_t i = j * cols + c;
            const size_t i2 = step ? of_x2 * j * cols + c : of_x2 * j;
            y[i] = (beta == 0 ? 0 : y[i]) + x[of_x * j * cols + c] * x2[i2];
        }
}

/* Y [n positions][nvec][cols] <- beta Y + X X2, of which one or both are tangents. */
STJ_CLONES static void product(const struct extent *e, size_t nvec, const real *x, bool x_moves,
                               const real *x2, bool x2_moves, real beta, real *y)
{
    const size_t row = e->cols * (x_moves ? nvec : 1);
    const size_t row2 = e->cols2 * (x2_moves ? nvec : 1);
    for (size_t r = 0; r < e->n * e->positions; r++) {
        const size_t r2 = e->next ? r : r / e->positions;
        row_product(nvec, e->cols, x_moves, x2_moves, e->step, x + r * row, x2 + r2 * row2, beta,
                    y + r * nvec * e->cols);
    }
}

STJ_INLINE void row_sum(size_t nvec, size_t cols, size_t of_x, size_t of_y, size_t step,
                        const real *x, const real *y, real *restrict sum)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t c = 0; c < cols; c++)
            sum[step ? j * cols + c : j] += x[of_x * j * cols + c] * y[of_y * j * cols + c];
}

/* X2 <- beta X2 + sum X Y over what an x2 is used for. */
STJ_CLONES static void product_sum(const struct extent *e, size_t nvec, const real *x, bool x_moves,
                                   const real *y, bool y_moves, real beta, real *x2)
{
    const size_t size2 = nvec * e->cols2;
    const size_t row = e->cols * (x_moves ? nvec : 1), row_y = e->cols * (y_moves ? nvec : 1);
    if (beta == 0)
        memset(x2, 0, e->n * e->rows2 * size2 * sizeof *x2);
    for (size_t r = 0; r < e->n * e->positions; r++)
        row_sum(nvec, e->cols, x_moves, y_moves, e->step, x + r * row, y + r * row_y,
                x2 + (e->next ? r : r / e->positions) * size2);
}

static void multiply_forward(const struct stj_layer *layer, real *y,
                             const struct stj_layer_values *at, real *scratch)
{
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    product(&e, 1, at->x, true, at->x2, true, 0, y);
}

static void multiply_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                     const struct stj_layer_values *at, const real *x_dot,
                                     const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)theta_dot;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_dot)
        product(&e, nvec, x_dot, true, at->x2, false, 0, y_dot);
    else
        memset(y_dot, 0, e.n * e.positions * nvec * e.cols * sizeof *y_dot);
    if (x2_dot)
        product(&e, nvec, at->x, false, x2_dot, true, 1, y_dot);
}

static void multiply_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                              real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                              real *scratch)
{
    (void)theta_bar;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_bar)
        product(&e, 1, at->y_bar, true, at->x2, true, beta[0], x_bar);
    if (x2_bar)
        product_sum(&e, 1, at->x, true, at->y_bar, true, beta[1], x2_bar);
}

static void multiply_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                      real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot,
                                      const real *y_bar_dot, real *scratch)
{
    (void)theta_bar_dot;
    (void)theta_dot;
    (void)scratch;
    const struct extent e = extent_of(layer, at->batch);
    if (x_bar_dot)
        product(&e, nvec, y_bar_dot, true, at->x2, false, beta[0], x_bar_dot);
    if (x_bar_dot && x2_dot)
        product(&e, nvec, at->y_bar, false, x2_dot, true, 1, x_bar_dot);
    if (x2_bar_dot)
        product_sum(&e, nvec, at->x, false, y_bar_dot, true, beta[1], x2_bar_dot);
    if (x2_bar_dot && x_dot)
        product_sum(&e, nvec, x_dot, true, at->y_bar, false, 1, x2_bar_dot);
}

const struct stj_layer_ops stj_layer_multiply = {
    .info = {.name = "multiply",
             .doc = "the product of layers, elementwise; all but the first may have one position, "
                    "or one channel, which is used for all"},
    .n_inputs = 2,
    .most_inputs = SIZE_MAX,
    .sample = multiply_sample,
    .forgets = STJ_FORGETS_Y,
    .setup = multiply_setup,
    .forward = multiply_forward,
    .forward_tangent = multiply_forward_tangent,
    .backward = multiply_backward,
    .backward_tangent = multiply_backward_tangent,
};
