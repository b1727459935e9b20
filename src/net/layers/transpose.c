/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/transpose.c: positions and channels swapped, as between the two kinds of layers of an
 * MLP-Mixer.
 *
 *     forward            y_cp          = x_pc
 *     forward_tangent    y_dot_cjp     = x_dot_pjc
 *     backward           x_bar_pc     += y_bar_cp
 *     backward_tangent   x_bar_dot_pjc += y_bar_dot_cjp
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/error.h"
#include "base/target_clones.h"

static void transpose_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu, %zu], layers: [transpose]}", 1 + stj_rng_index(rng, 4),
             1 + stj_rng_index(rng, 5));
}

static enum stj_status transpose_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                       struct stj_error *err)
{
    (void)in2;
    char text[96];
    STJ_NEED(err, layer->in.n_dims == 2, STJ_ECONFIG,
             "its input is %s, it needs positions x channels (reshape makes them)",
             stj_shape_text(&layer->in, text));
    layer->out = (struct stj_shape){.n_dims = 2, .dim = {layer->in.dim[1], layer->in.dim[0]}};
    return STJ_OK;
}

STJ_CLONES static void transpose_apply(const struct stj_layer *layer, size_t nvec,
                                       const real *saved, const real *restrict x, real *restrict y)
{
    (void)saved;
    const size_t positions = layer->in.dim[0], cols = layer->in.dim[1];
    for (size_t c = 0; c < cols; c++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t p = 0; p < positions; p++)
                y[(c * nvec + j) * positions + p] = x[(p * nvec + j) * cols + c];
}

STJ_CLONES static void transpose_apply_adjoint(const struct stj_layer *layer, size_t nvec,
                                               const real *saved, const real *restrict y,
                                               real *restrict x)
{
    (void)saved;
    const size_t positions = layer->in.dim[0], cols = layer->in.dim[1];
    for (size_t p = 0; p < positions; p++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                x[(p * nvec + j) * cols + c] += y[(c * nvec + j) * positions + p];
}

const struct stj_linear_map stj_layer_transpose = {
    .ops = {.info = {.name = "transpose", .doc = "positions as channels, channels as positions"},
            .moves = true,
            .sample = transpose_sample,
            .setup = transpose_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = transpose_apply,
    .apply_adjoint = transpose_apply_adjoint,
};
