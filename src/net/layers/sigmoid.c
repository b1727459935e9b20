/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/sigmoid.c: the logistic function.
 *
 *     f(x) = s = 1 / (1 + e^-x),   f' = s (1 - s),   f'' = s (1 - s) (1 - 2 s)
 *
 * 1 - s is the logistic function of -x, computed as such.
 */
#include "net/layers/layers.h"

#include "base/target_clones.h"
#include "net/vector_math.h"

STJ_CLONES static void sigmoid_derivatives(const void *config, size_t n, const real *restrict x,
                                           real *restrict f, real *restrict f1, real *restrict f2)
{
    (void)config;
    for (size_t i = 0; i < n; i++) {
        const struct stj_logistic s = stj_logistic((double)x[i]);
        const double slope = s.value * s.complement;
        f[i] = (real)s.value;
        f1[i] = (real)slope;
        f2[i] = (real)(slope * (s.complement - s.value));
    }
}

const struct stj_activation stj_layer_sigmoid = {
    .ops = {.info = {.name = "sigmoid", .doc = "logistic function, 1 / (1 + exp(-x))"},
            STJ_ELEMENTWISE_SLOTS},
    .derivatives = sigmoid_derivatives,
};
