/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/flatten.c: an image or a sequence as one flat vector, its dimensions in order.
 *
 *     forward            y_(p c)         = x_pc
 *     forward_tangent    y_dot_j(p c)    = x_dot_pjc
 *     backward           x_bar_pc        = y_bar_(p c)
 *     backward_tangent   x_bar_dot_pjc   = y_bar_dot_j(p c)
 *
 * The numbers of a sample keep their places, but those of a block of tangents do not: the positions
 * [positions][nvec][channels] become part of the vector, [nvec][positions channels].
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "net/layers/linear_map.h"

static void flatten_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"", "3, ", "2, 3, "};
    snprintf(text, size, "{input: [%s%zu], layers: [{type: flatten}]}",
             outer[stj_rng_index(rng, 3)], 1 + stj_rng_index(rng, 9));
}

static enum stj_status flatten_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                     struct stj_error *err)
{
    (void)in2;
    (void)err;
    layer->out = (struct stj_shape){.n_dims = 1, .dim = {stj_shape_size(&layer->in)}};
    return STJ_OK;
}

STJ_CLONES static void flatten_apply(const struct stj_layer *layer, size_t nvec, const real *saved,
                                     const real *restrict x, real *restrict y)
{
    (void)saved;
    const size_t positions = stj_shape_positions(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    for (size_t p = 0; p < positions; p++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                y[(j * positions + p) * cols + c] = x[(p * nvec + j) * cols + c];
}

STJ_CLONES static void flatten_apply_adjoint(const struct stj_layer *layer, size_t nvec,
                                             const real *saved, const real *restrict y,
                                             real *restrict x)
{
    (void)saved;
    const size_t positions = stj_shape_positions(&layer->in);
    const size_t cols = stj_shape_cols(&layer->in);
    for (size_t p = 0; p < positions; p++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                x[(p * nvec + j) * cols + c] += y[(j * positions + p) * cols + c];
}

const struct stj_linear_map stj_layer_flatten = {
    .ops = {.info = {.name = "flatten", .doc = "all dimensions of a sample as one"},
            .moves = true,
            .sample = flatten_sample,
            .setup = flatten_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = flatten_apply,
    .apply_adjoint = flatten_apply_adjoint,
};
