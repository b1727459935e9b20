/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/activations.c: the elementwise layers: f, f' and f'' of each.
 *
 * With s = 1 / (1 + e^-x), 1 - s computed as s(-x), p = s (1 - s), t = tanh:
 *
 *                 f                        f'                      f''
 *     relu        max(x, 0)                [x > 0]                 0
 *     leaky_relu  x > 0: x, else a x       1, else a               0
 *     relu6       min(max(x, 0), 6)        [0 < x < 6]             0
 *     abs         |x|                      sign x                  0
 *     hardsigmoid relu6(x + 3) / 6         [-3 < x < 3] / 6        0
 *     hardswish   x relu6(x + 3) / 6       inside (2 x + 3) / 6    inside 1/3
 *     elu         x > 0: x, else a(e^x-1)  1, else a e^x           0, else a e^x
 *     selu        1.0507 elu, a = 1.6733 (Klambauer et al. 2017)
 *     tanh        t                        1 - t^2                 -2 t (1 - t^2)
 *     sigmoid     s                        p                       p (1 - 2 s)
 *     silu        x s                      s + x p                 p (2 + x (1 - 2 s))
 *     softplus    log(1 + e^x)             s                       p
 *     mish        x t(softplus x)          t + x t'                2 t' + x t''
 *     gelu        x Phi(x)                 Phi + x phi             phi (2 - x^2)
 *     exp, sin, square, identity
 *
 * gelu's Phi is the normal distribution, computed from the complementary error function of |x|, or
 * s(2 c x (1 + a x^2)) with c = sqrt(2/pi), a = 0.044715, for 1 + tanh v = 2 s(2 v).  mish: with
 * u = softplus x, t' = (1 - t^2) s and t'' = (1 - t^2) (p - 2 t s^2).
 *
 * Where there is no derivative, all directions take the branch that forward took, which is
 * PyTorch's: f' and f'' are kept, or a bit of f', or the output that gives them.
 */
#include "net/layers/layers.h"

#include <stdio.h>

#include "base/target_clones.h"
#include "net/vector_math.h"

/* f, f', f'' at one number. */
struct jet {
    double f, f1, f2;
};

/* The parameter of those that have one. */
struct parameter {
    double a;
};

STJ_INLINE double parameter_of(const void *config)
{
    return config ? ((const struct parameter *)config)->a : 0;
}

/* NAME_all: the loop over jet_NAME(x, a); a piecewise linear one keeps no f''. */
#define LOOP(NAME)                                                                                 \
    STJ_CLONES static void NAME##_all(const void *config, size_t n, const real *restrict x,        \
                                      real *restrict f, real *restrict f1, real *restrict f2)      \
    {                                                                                              \
        const double a = parameter_of(config);                                                     \
        for (size_t i = 0; i < n; i++) {                                                           \
            const struct jet y = jet_##NAME((double)x[i], a);                                      \
            f[i] = (real)y.f;                                                                      \
            f1[i] = (real)y.f1;                                                                    \
            f2[i] = (real)y.f2;                                                                    \
        }                                                                                          \
    }
#define LINEAR_LOOP(NAME)                                                                          \
    STJ_CLONES static void NAME##_all(const void *config, size_t n, const real *restrict x,        \
                                      real *restrict f, real *restrict f1, real *restrict f2)      \
    {                                                                                              \
        (void)f2;                                                                                  \
        const double a = parameter_of(config);                                                     \
        for (size_t i = 0; i < n; i++) {                                                           \
            const struct jet y = jet_##NAME((double)x[i], a);                                      \
            f[i] = (real)y.f;                                                                      \
            f1[i] = (real)y.f1;                                                                    \
        }                                                                                          \
    }

/* The layer of a loop. */
#define LAYER(NAME, TEXT, ...)                                                                     \
    const struct stj_activation stj_layer_##NAME = {                                               \
        .ops = {.info = {.name = #NAME, .doc = TEXT}, STJ_ELEMENTWISE_SLOTS, __VA_ARGS__},         \
        .derivatives = NAME##_all,                                                                 \
    }
/* One with a kink. */
#define LINEAR_LAYER(NAME, TEXT, TWO_SLOPES)                                                       \
    const struct stj_activation stj_layer_##NAME = {                                               \
        .ops = {.info = {.name = #NAME, .doc = TEXT}, .switches = true, STJ_ELEMENTWISE_SLOTS},    \
        .piecewise_linear = true,                                                                  \
        .two_slopes = TWO_SLOPES,                                                                  \
        .derivatives = NAME##_all,                                                                 \
    }
/* One with a parameter. */
#define PARAMETER_LAYER(NAME, TEXT, KEY, FALLBACK, MEANING, ...)                                   \
    static const struct stj_option NAME##_options[] = {                                            \
        {.name = KEY,                                                                              \
         .type = STJ_OPTION_REAL,                                                                  \
         .offset = offsetof(struct parameter, a),                                                  \
         .fallback = FALLBACK,                                                                     \
         .doc = MEANING},                                                                          \
        {.name = NULL},                                                                            \
    };                                                                                             \
    static void NAME##_sample(struct stj_rng *rng, char *text, size_t size)                        \
    {                                                                                              \
        snprintf(text, size, "{input: [%zu], layers: [{type: " #NAME ", " KEY ": %s}]}",           \
                 1 + stj_rng_index(rng, 9), stj_rng_index(rng, 2) ? "0.3" : FALLBACK);             \
    }                                                                                              \
    const struct stj_activation stj_layer_##NAME = {                                               \
        .ops = {.info = {.name = #NAME,                                                            \
                         .doc = TEXT,                                                              \
                         .options = NAME##_options,                                                \
                         .config_size = sizeof(struct parameter)},                                 \
                .switches = true,                                                                  \
                .sample = NAME##_sample,                                                           \
                STJ_ELEMENTWISE_SLOTS},                                                            \
        __VA_ARGS__.derivatives = NAME##_all,                                                      \
    }

/* ---- piecewise linear ---- */

STJ_INLINE struct jet jet_relu(double x, double a)
{
    (void)a;
    return (struct jet){x < 0 ? 0 : x, x > 0 ? 1 : 0, 0}; /* NaN stays NaN */
}
LINEAR_LOOP(relu)
LINEAR_LAYER(relu, "rectified linear unit, max(x, 0)", true);

STJ_INLINE struct jet jet_leaky_relu(double x, double a)
{
    return (struct jet){x > 0 ? x : a * x, x > 0 ? 1 : a, 0};
}
LINEAR_LOOP(leaky_relu)
PARAMETER_LAYER(leaky_relu, "rectifier that leaks: x where it is positive, else a small multiple",
                "slope", "0.01", "what x is multiplied by where it is not positive",
                .piecewise_linear = true, .two_slopes = true, );

STJ_INLINE struct jet jet_relu6(double x, double a)
{
    (void)a;
    return (struct jet){x < 0 ? 0 : x > 6 ? 6 : x, x > 0 && x < 6 ? 1 : 0, 0};
}
LINEAR_LOOP(relu6)
LINEAR_LAYER(relu6, "rectifier that saturates, min(max(x, 0), 6)", true);

STJ_INLINE struct jet jet_abs(double x, double a)
{
    (void)a;
    return (struct jet){fabs(x), x > 0 ? 1 : x < 0 ? -1 : 0, 0};
}
LINEAR_LOOP(abs)
LINEAR_LAYER(abs, "modulus, |x|", false); /* of slope 0 at 0 */

STJ_INLINE struct jet jet_hardsigmoid(double x, double a)
{
    (void)a;
    return (struct jet){x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6, x > -3 && x < 3 ? 1.0 / 6 : 0, 0};
}
LINEAR_LOOP(hardsigmoid)
LINEAR_LAYER(hardsigmoid, "piecewise linear logistic function, min(max(x + 3, 0), 6) / 6", true);

STJ_INLINE struct jet jet_identity(double x, double a)
{
    (void)a;
    return (struct jet){x, 1, 0};
}
LINEAR_LOOP(identity)
const struct stj_activation stj_layer_identity = {
    .ops = {.info = {.name = "identity", .doc = "what comes in"},
            .moves = true,
            STJ_ELEMENTWISE_SLOTS},
    .piecewise_linear = true,
    .two_slopes = true, /* equal ones */
    .derivatives = identity_all,
};

/* ---- not smooth ---- */

STJ_INLINE struct jet jet_hardswish(double x, double a)
{
    (void)a;
    const bool low = x < -3;
    const bool high = x > 3;
    return (struct jet){low    ? 0
                        : high ? x
                               : x * (x + 3) / 6,
                        low    ? 0
                        : high ? 1
                               : x / 3 + 0.5,
                        low || high ? 0 : 1.0 / 3};
}
LOOP(hardswish)
LAYER(hardswish, "piecewise quadratic swish, x min(max(x + 3, 0), 6) / 6", .switches = true);

STJ_INLINE struct jet jet_elu(double x, double a)
{
    const double e = a * stj_exp(x > 0 ? 0 : x);
    return (struct jet){x > 0 ? x : e - a, x > 0 ? 1 : e, x > 0 ? 0 : e};
}
LOOP(elu)
PARAMETER_LAYER(elu, "exponential linear unit: x where it is positive, else alpha (exp(x) - 1)",
                "alpha", "1", "factor of the exponential", );

STJ_INLINE struct jet jet_selu(double x, double a)
{
    (void)a;
    const double scale = 1.0507009873554804934193349852946;
    const struct jet y = jet_elu(x, 1.6732632423543772848170429916717);
    return (struct jet){scale * y.f, scale * y.f1, scale * y.f2};
}
LOOP(selu)
LAYER(selu, "scaled exponential linear unit", .switches = true);

/* ---- smooth ---- */

STJ_INLINE struct jet jet_tanh(double x, double a)
{
    (void)a;
    const double t = stj_tanh(x);
    const double s = (1 - t) * (1 + t);
    return (struct jet){t, s, -2 * t * s};
}
LOOP(tanh)

/* As jet_tanh has them; not from an output in single precision, which has lost 1 - t near 1. */
STJ_CLONES static void tanh_of_output(size_t n, const real *restrict y, real *restrict f1,
                                      real *restrict f2)
{
    for (size_t i = 0; i < n; i++) {
        const real s = (1 - y[i]) * (1 + y[i]);
        f1[i] = s;
        f2[i] = -2 * y[i] * s;
    }
}

const struct stj_activation stj_layer_tanh = {
    .ops = {.info = {.name = "tanh", .doc = "hyperbolic tangent"}, STJ_ELEMENTWISE_SLOTS},
    .derivatives = tanh_all,
    .of_output = sizeof(real) == sizeof(double) ? tanh_of_output : NULL,
};

STJ_INLINE struct jet jet_sigmoid(double x, double a)
{
    (void)a;
    const struct stj_logistic s = stj_logistic(x);
    const double p = s.value * s.complement;
    return (struct jet){s.value, p, p * (s.complement - s.value)};
}
LOOP(sigmoid)
LAYER(sigmoid, "logistic function, 1 / (1 + exp(-x))", );

STJ_INLINE struct jet jet_silu(double x, double a)
{
    (void)a;
    const struct stj_logistic s = stj_logistic(x);
    const double p = s.value * s.complement;
    return (struct jet){x * s.value, s.value + x * p, p * (2 + x * (s.complement - s.value))};
}
LOOP(silu)
LAYER(silu, "sigmoid linear unit (swish), x / (1 + exp(-x))", );

STJ_INLINE struct jet jet_softplus(double x, double a)
{
    (void)a;
    const struct stj_logistic s = stj_logistic(x);
    return (struct jet){stj_softplus(x), s.value, s.value * s.complement};
}
LOOP(softplus)
LAYER(softplus, "smooth rectifier, log(1 + exp(x))", );

STJ_INLINE struct jet jet_mish(double x, double a)
{
    (void)a;
    const struct stj_logistic s = stj_logistic(x);
    const double t = stj_tanh(stj_softplus(x));
    const double q = (1 - t) * (1 + t);
    const double t1 = q * s.value;
    const double t2 = q * s.value * (s.complement - 2 * t * s.value);
    return (struct jet){x * t, t + x * t1, 2 * t1 + x * t2};
}
LOOP(mish)
LAYER(mish, "x tanh(softplus(x))", );

STJ_INLINE struct jet jet_exp(double x, double a)
{
    (void)a;
    const double e = stj_exp(x);
    return (struct jet){e, e, e};
}
LOOP(exp)
LAYER(exp, "exponential function", );

STJ_INLINE struct jet jet_sin(double x, double a)
{
    (void)a;
    const double s = sin(x);
    return (struct jet){s, cos(x), -s};
}
LOOP(sin)
LAYER(sin, "sine", );

STJ_INLINE struct jet jet_square(double x, double a)
{
    (void)a;
    return (struct jet){x * x, 2 * x, 2};
}
LOOP(square)
LAYER(square, "square", );

/* ---- gelu ---- */

enum { GELU_TANH, GELU_ERF };

struct gelu_config {
    int form;
};

static const char *const gelu_forms[] = {"tanh", "erf", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct gelu_config, __VA_ARGS__)
static const struct stj_option gelu_options[] = {
    OPTION("form", CHOICE, form, "tanh",
           "by the tanh approximation, or exact by the error function", .choices = gelu_forms),
    {.name = NULL},
};

static void gelu_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size, "{input: [%zu], layers: [{type: gelu, form: %s}]}",
             1 + stj_rng_index(rng, 9), gelu_forms[stj_rng_index(rng, 2)]);
}

STJ_INLINE struct jet jet_gelu_tanh(double x, double unused)
{
    (void)unused;
    const double c = 0.79788456080286535588;
    const double a = 0.044715;
    const double w = a * x * x;
    const struct stj_logistic s = stj_logistic(2 * c * x * (1 + w));
    const double p = s.value * s.complement;
    const double v1 = 2 * c * (1 + 3 * w);
    const double v2 = 12 * a * c * x;
    return (struct jet){x * s.value, s.value + x * p * v1,
                        p * (2 * v1 + x * (v2 + (s.complement - s.value) * v1 * v1))};
}
LOOP(gelu_tanh)

STJ_INLINE struct jet jet_gelu_erf(double x, double unused)
{
    (void)unused;
    const double tail = stj_erfc(fabs(x) * 0.70710678118654752440) / 2;
    const double share = x > 0 ? 1 - tail : tail;
    const double density = stj_exp(-x * x / 2) * 0.39894228040143267794;
    return (struct jet){x * share, share + x * density, density * (2 - x * x)};
}
LOOP(gelu_erf)

static void gelu_all(const void *config, size_t n, const real *x, real *f, real *f1, real *f2)
{
    const struct gelu_config *c = config;
    (c->form == GELU_ERF ? gelu_erf_all : gelu_tanh_all)(NULL, n, x, f, f1, f2);
}

const struct stj_activation stj_layer_gelu = {
    .ops = {.info = {.name = "gelu",
                     .doc = "Gaussian error linear unit",
                     .options = gelu_options,
                     .config_size = sizeof(struct gelu_config)},
            .sample = gelu_sample,
            STJ_ELEMENTWISE_SLOTS},
    .derivatives = gelu_all,
};
