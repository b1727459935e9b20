/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/softplus.c: the smooth rectifier.
 *
 *     f(x) = log(1 + e^x),   f' = s = 1 / (1 + e^-x),   f'' = s (1 - s)
 */
#include "net/layers/layers.h"

#include "base/target_clones.h"
#include "net/vector_math.h"

STJ_CLONES static void softplus_derivatives(const void *config, size_t n, const real *restrict x,
                                            real *restrict f, real *restrict f1, real *restrict f2)
{
    (void)config;
    for (size_t i = 0; i < n; i++) {
        const struct stj_logistic s = stj_logistic((double)x[i]);
        f[i] = (real)stj_softplus((double)x[i]);
        f1[i] = (real)s.value;
        f2[i] = (real)(s.value * s.complement);
    }
}

const struct stj_activation stj_layer_softplus = {
    .ops = {.info = {.name = "softplus", .doc = "smooth rectifier, log(1 + exp(x))"},
            STJ_ELEMENTWISE_SLOTS},
    .derivatives = softplus_derivatives,
};
