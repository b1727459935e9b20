/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/relu.c: the rectified linear unit.
 *
 *     f(x) = max(x, 0),   f' = 1 for x > 0, else 0,   f'' = 0
 *
 * At x = 0, where there is no derivative, f' is 0 (as in PyTorch and JAX): the branch that forward
 * took is kept in f', so all four directions agree.
 */
#include "net/layers/layers.h"

#include "base/target_clones.h"

STJ_CLONES static void relu_derivatives(const void *config, size_t n, const real *restrict x,
                                        real *restrict f, real *restrict f1, real *restrict f2)
{
    (void)config;
    (void)f2;
    for (size_t i = 0; i < n; i++) {
        f1[i] = x[i] > 0 ? 1 : 0;
        f[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
    }
}

const struct stj_activation stj_layer_relu = {
    .ops = {.info = {.name = "relu", .doc = "rectified linear unit, max(x, 0)"},
            .switches = true,
            STJ_ELEMENTWISE_SLOTS},
    .piecewise_linear = true,
    .derivatives = relu_derivatives,
};
