/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/global_average_pool.c: the mean over all positions of an image or a sequence.
 *
 *     forward            y_c           = 1/P sum_p x_pc
 *     forward_tangent    y_dot_jc      = 1/P sum_p x_dot_pjc
 *     backward           x_bar_pc      = 1/P y_bar_c
 *     backward_tangent   x_bar_dot_pjc = 1/P y_bar_dot_jc
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "net/kernels.h"
#include "net/layers/linear_map.h"

static void global_average_pool_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"1", "5", "2, 3", "4, 1"};
    snprintf(text, size, "{input: [%s, %zu], layers: [{type: global_average_pool}]}",
             outer[stj_rng_index(rng, 4)], 1 + stj_rng_index(rng, 7));
}

static enum stj_status global_average_pool_setup(struct stj_layer *layer,
                                                 const struct stj_shape *in2, struct stj_error *err)
{
    (void)in2;
    char text[96];
    STJ_NEED(err, layer->in.n_dims >= 2, STJ_ECONFIG,
             "its input is %s, but global_average_pool takes the mean over positions: "
             "positions x channels or height x width x channels",
             stj_shape_text(&layer->in, text));
    layer->out = (struct stj_shape){.n_dims = 1, .dim = {stj_shape_cols(&layer->in)}};
    return STJ_OK;
}

STJ_CLONES static void global_average_pool_apply(const struct stj_layer *layer, size_t nvec,
                                                 const real *saved, const real *restrict x,
                                                 real *restrict y)
{
    (void)saved;
    const size_t positions = stj_shape_positions(&layer->in);
    const size_t n = nvec * stj_shape_cols(&layer->in);
    const real scale = 1 / (real)positions;
    stj_rows_sum(positions, n, x, y);
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

STJ_CLONES static void global_average_pool_apply_adjoint(const struct stj_layer *layer, size_t nvec,
                                                         const real *saved, const real *restrict y,
                                                         real *restrict x)
{
    (void)saved;
    const size_t positions = stj_shape_positions(&layer->in);
    const size_t n = nvec * stj_shape_cols(&layer->in);
    const real scale = 1 / (real)positions;
    for (size_t p = 0; p < positions; p++)
        for (size_t i = 0; i < n; i++)
            x[p * n + i] += scale * y[i];
}

const struct stj_linear_map stj_layer_global_average_pool = {
    .ops = {.info = {.name = "global_average_pool", .doc = "mean over all positions"},
            .sample = global_average_pool_sample,
            .setup = global_average_pool_setup,
            .forward = stj_linear_map_forward,
            STJ_LINEAR_MAP_SLOTS},
    .apply = global_average_pool_apply,
    .apply_adjoint = global_average_pool_apply_adjoint,
};
