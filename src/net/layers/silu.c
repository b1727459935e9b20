/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/silu.c: the sigmoid linear unit, also called swish.
 *
 *     f(x) = x s,   s = 1 / (1 + e^-x),   p = s (1 - s)
 *     f'   = s + x p
 *     f''  = p (2 + x (1 - 2 s))
 */
#include "net/layers/layers.h"

#include "base/target_clones.h"
#include "net/vector_math.h"

STJ_CLONES static void silu_derivatives(const void *config, size_t n, const real *restrict x,
                                        real *restrict f, real *restrict f1, real *restrict f2)
{
    (void)config;
    for (size_t i = 0; i < n; i++) {
        const double z = (double)x[i];
        const struct stj_logistic s = stj_logistic(z);
        const double p = s.value * s.complement;
        f[i] = (real)(z * s.value);
        f1[i] = (real)(s.value + z * p);
        f2[i] = (real)(p * (2 + z * (s.complement - s.value)));
    }
}

const struct stj_activation stj_layer_silu = {
    .ops = {.info = {.name = "silu", .doc = "sigmoid linear unit (swish), x / (1 + exp(-x))"},
            STJ_ELEMENTWISE_SLOTS},
    .derivatives = silu_derivatives,
};
