/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/tanh.c: the hyperbolic tangent.
 *
 *     f(x) = tanh x = t,   f' = 1 - t^2,   f'' = -2 t (1 - t^2)
 */
#include "net/layers/layers.h"

#include "base/target_clones.h"
#include "net/vector_math.h"

STJ_CLONES static void tanh_derivatives(const void *config, size_t n, const real *restrict x,
                                        real *restrict f, real *restrict f1, real *restrict f2)
{
    (void)config;
    for (size_t i = 0; i < n; i++) {
        const double t = stj_tanh((double)x[i]);
        const double s = (1 - t) * (1 + t);
        f[i] = (real)t;
        f1[i] = (real)s;
        f2[i] = (real)(-2 * t * s);
    }
}

const struct stj_activation stj_layer_tanh = {
    .ops = {.info = {.name = "tanh", .doc = "hyperbolic tangent"}, STJ_ELEMENTWISE_SLOTS},
    .derivatives = tanh_derivatives,
};
