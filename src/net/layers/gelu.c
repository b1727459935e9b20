/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/gelu.c: the Gaussian error linear unit (Hendrycks and Gimpel 2016), in two forms.
 *
 * tanh:   f(x) = x/2 (1 + tanh u),   u = c (x + a x^3),   c = sqrt(2/pi), a = 0.044715
 *
 * Since (1 + tanh u)/2 is the logistic function s of v = 2 u, with v' = 2 c (1 + 3 a x^2),
 * v'' = 12 a c x and p = s (1 - s):
 *
 *     f   = x s
 *     f'  = s + x p v'
 *     f'' = p (2 v' + x (v'' + (1 - 2 s) v'^2))
 *
 * erf:    f(x) = x P(x),   P the normal distribution function, P(x) = erfc(-x / sqrt 2) / 2
 *
 *     f'  = P + x q,   f'' = q (2 - x^2),   q = P' = e^(-x^2/2) / sqrt(2 pi)
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "net/vector_math.h"

enum gelu_form { GELU_TANH, GELU_ERF };

struct gelu_config {
    int form;
};

static const char *const gelu_forms[] = {"tanh", "erf", NULL};

static const struct stj_option gelu_options[] = {
    {.name = "form",
     .type = STJ_OPTION_CHOICE,
     .offset = offsetof(struct gelu_config, form),
     .fallback = "tanh",
     .choices = gelu_forms,
     .doc = "by the tanh approximation, or exact by the error function"},
    {.name = NULL},
};

static void gelu_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu], layers: [{type: gelu, form: %s}]}",
             1 + stj_rng_index(rng, 9), gelu_forms[stj_rng_index(rng, 2)]);
}

STJ_CLONES static void tanh_form(size_t n, const real *restrict x, real *restrict f,
                                 real *restrict f1, real *restrict f2)
{
    const double c = 0.79788456080286535588;
    const double a = 0.044715;
    for (size_t i = 0; i < n; i++) {
        const double z = (double)x[i];
        const double w = a * z * z;
        const struct stj_logistic s = stj_logistic(2 * c * z * (1 + w));
        const double p = s.value * s.complement;
        const double v1 = 2 * c * (1 + 3 * w);
        const double v2 = 12 * a * c * z;
        f[i] = (real)(z * s.value);
        f1[i] = (real)(s.value + z * p * v1);
        f2[i] = (real)(p * (2 * v1 + z * (v2 + (s.complement - s.value) * v1 * v1)));
    }
}

STJ_CLONES static void erf_form(size_t n, const real *restrict x, real *restrict f,
                                real *restrict f1, real *restrict f2)
{
    for (size_t i = 0; i < n; i++) {
        const double z = (double)x[i];
        const double tail = stj_erfc(fabs(z) * 0.70710678118654752440) / 2;
        const double share = z > 0 ? 1 - tail : tail;
        const double density = stj_exp(-z * z / 2) * 0.39894228040143267794;
        f[i] = (real)(z * share);
        f1[i] = (real)(share + z * density);
        f2[i] = (real)(density * (2 - z * z));
    }
}

static void gelu_derivatives(const void *config, size_t n, const real *x, real *f, real *f1,
                             real *f2)
{
    const struct gelu_config *c = config;
    (c->form == GELU_ERF ? erf_form : tanh_form)(n, x, f, f1, f2);
}

const struct stj_activation stj_layer_gelu = {
    .ops = {.info = {.name = "gelu",
                     .doc = "Gaussian error linear unit",
                     .options = gelu_options,
                     .config_size = sizeof(struct gelu_config)},
            .sample = gelu_sample,
            STJ_ELEMENTWISE_SLOTS},
    .derivatives = gelu_derivatives,
};
