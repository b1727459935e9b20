/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/moments.c: Adam's relatives: NAdam (Dozat 2016) and AMSGrad (Reddi, Kale, Kumar 2018), the
 * updates of torch.optim.NAdam as its manual states it and of torch.optim.Adam and AdamW with
 * amsgrad.
 *
 *     h = g + lambda theta                   (decoupled: h = g)
 *     m <- beta1 m + (1 - beta1) h;          v <- beta2 v + (1 - beta2) h^2
 *     x <- max(x, v)                         (nadam: x = v, not kept)
 *     theta <- delta theta - (e_m m + e_h h) / (r + eps),
 *     r = sqrt(x / (1 - beta2^t) + eps_root)
 *
 *     amsgrad    e_m = eta / (1 - beta1^t),  e_h = 0
 *     nadam      mu_t = beta1 (1 - 0.96^(t psi) / 2),  P_t = mu_1 ... mu_t,
 *                e_m = eta mu_(t+1) / (1 - P_(t+1)),  e_h = eta (1 - mu_t) / (1 - P_t)
 *
 * and delta = 1 - eta lambda where the decay is decoupled, else 1.  With the coefficients, at the
 * moments after their update,
 *
 *     c_m = e_m / (r + eps),    c_h = e_h / (r + eps),    c_g = 2 (1 - beta2) h,
 *     c_x = (c_m m + c_h h) / (2 r (1 - beta2^t) (r + eps)),
 *     k = 1 where x stays what it was, 0 where v took its place:
 *
 *     tangent    h_dot = g_dot + lambda theta_dot
 *                m_dot <- beta1 m_dot + (1 - beta1) h_dot;     v_dot <- beta2 v_dot + c_g h_dot
 *                x_dot <- k x_dot + (1 - k) v_dot
 *                theta_dot <- delta theta_dot - c_m m_dot - c_h h_dot + c_x x_dot
 *     adjoint    the transpose, last line first
 *
 * Where x = v the old one stays, which has the same value.  Where r = 0 every h until now was zero:
 * c_x = 0 is the limit, as of Adam, and without eps there is none: an error.  The step itself then
 * leaves the parameter alone (PyTorch: 0/0).
 */
#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "train/adam.h"
#include "train/optimizers.h"
#include "train/update_rows.h"

enum { M, V, X };                            /* slots */
enum { C_M, C_H, C_X, C_G, C_KEEP, N_COEF }; /* coefficients; nadam has none that keeps */

struct nadam_config {
    double beta1, beta2, eps, weight_decay, momentum_decay;
    bool decoupled;
};

#define OPTION(...) STJ_OPTION_ROW(struct nadam_config, __VA_ARGS__)
static const struct stj_option nadam_options[] = {
    OPTION("beta1", REAL, beta1, "0.9", "decay of the first moment", .max = 1, .below_max = true),
    OPTION("beta2", REAL, beta2, "0.999", "decay of the second moment", .max = 1,
           .below_max = true),
    OPTION("eps", REAL, eps, "1e-8", "added to the root of the second moment", .max = 1e300),
    OPTION("momentum_decay", REAL, momentum_decay, "4e-3",
           "psi: step t has the momentum beta1 (1 - 0.96^(t psi) / 2)", .max = 1e300),
    OPTION("weight_decay", REAL, weight_decay, "0", "lambda: lambda theta is added to the gradient",
           .max = 1e300),
    OPTION("decoupled", BOOL, decoupled, "false",
           "whether theta is multiplied by 1 - eta lambda instead"),
    {.name = NULL},
};

static void nadam_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const eps[] = {"", ", eps: 1e-3", ", momentum_decay: 0"};
    snprintf(text, size,
             "{type: nadam, beta1: %.3f, beta2: %.3f, weight_decay: %.3f, decoupled: %s%s}",
             0.95 * stj_rng_uniform(rng), 0.5 + 0.49 * stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0,
             stj_rng_index(rng, 2) ? "true" : "false", eps[stj_rng_index(rng, 3)]);
}

/* The numbers of one step. */
struct scalars {
    const char *name;
    real beta1, beta2, eps, eps_root;
    real e_m, e_h;
    real bias2;  /* 1 - beta2^t */
    real delta;  /* factor of theta */
    real lambda; /* of the coupled weight decay */
};

static struct scalars amsgrad_scalars(const struct stj_adam_config *c, const struct stj_step *at,
                                      bool decoupled)
{
    const double t = (double)at->count + 1;
    const double beta1 = stj_step_momentum(at, &c->beta1);
    const double decay = c->weight_decay + at->more_decay;
    return (struct scalars){
        .name = decoupled ? "adamw" : "adam",
        .beta1 = (real)beta1,
        .beta2 = (real)c->beta2,
        .eps = (real)c->eps,
        .eps_root = (real)c->eps_root,
        .e_m = (real)(at->eta / (1 - pow(beta1, t))),
        .bias2 = (real)(1 - pow(c->beta2, t)),
        .delta = (real)(decoupled ? 1 - at->eta * decay : 1),
        .lambda = (real)(decoupled ? 0 : decay),
    };
}

static struct scalars adam_scalars(const void *config, const struct stj_step *at)
{
    return amsgrad_scalars(config, at, false);
}

static struct scalars adamw_scalars(const void *config, const struct stj_step *at)
{
    return amsgrad_scalars(config, at, true);
}

static double nadam_momentum(const struct nadam_config *c, double t)
{
    return c->beta1 * (1 - 0.5 * pow(0.96, t * c->momentum_decay));
}

/* What tangents need: nothing of the momenta's product, which takes t steps. */
static struct scalars nadam_scalars(const void *config, const struct stj_step *at)
{
    const struct nadam_config *c = config;
    return (struct scalars){
        .name = "nadam",
        .beta1 = (real)c->beta1,
        .beta2 = (real)c->beta2,
        .eps = (real)c->eps,
        .bias2 = (real)(1 - pow(c->beta2, (double)at->count + 1)),
        .delta = (real)(c->decoupled ? 1 - at->eta * c->weight_decay : 1),
        .lambda = (real)(c->decoupled ? 0 : c->weight_decay),
    };
}

/* And what a step does: a product that is far below rounding beside 1 is as good as 0. */
static struct scalars nadam_step_scalars(const void *config, const struct stj_step *at)
{
    const struct nadam_config *c = config;
    const double t = (double)at->count + 1;
    const double mu = nadam_momentum(c, t), next = nadam_momentum(c, t + 1);
    double product = 1;
    for (double i = 1; i <= t && product > 1e-20; i++)
        product *= nadam_momentum(c, i);
    struct scalars s = nadam_scalars(config, at);
    s.e_m = (real)(at->eta * next / (1 - product * next));
    s.e_h = (real)(at->eta * (1 - mu) / (1 - product));
    return s;
}

/* x NULL: the last second moment. */
STJ_CLONES static void update_moments(size_t n, struct scalars s, const real *restrict g,
                                      real *restrict m, real *restrict v, real *restrict x,
                                      real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        m[i] = s.beta1 * m[i] + (1 - s.beta1) * h;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * h * h;
        const real most = x && !(v[i] > x[i]) ? x[i] : v[i];
        if (x)
            x[i] = most;
        const real d = (real)sqrt((double)(most / s.bias2 + s.eps_root)) + s.eps;
        theta[i] = s.delta * theta[i] - (d == 0 ? 0 : (s.e_m * m[i] + s.e_h * h) / d);
    }
}

static void step(struct scalars s, const struct stj_update *u, const real *g)
{
    update_moments(u->n, s, g, u->slot[M], u->slot[V], u->slot[X], u->theta);
}

static void coefficients(struct scalars s, const struct stj_update *u, const real *g,
                         real *const *coef)
{
    const real *x = u->slot[X];
    for (size_t i = 0; i < u->n; i++) {
        const real h = g[i] + s.lambda * u->theta[i];
        const real m = s.beta1 * u->slot[M][i] + (1 - s.beta1) * h;
        const real v = s.beta2 * u->slot[V][i] + (1 - s.beta2) * h * h;
        const bool keep = x && !(v > x[i]);
        const real r = (real)sqrt((double)((keep ? x[i] : v) / s.bias2 + s.eps_root));
        const real direction = s.e_m * m + s.e_h * h;
        coef[C_M][i] = s.e_m / (r + s.eps);
        coef[C_H][i] = s.e_h / (r + s.eps);
        coef[C_X][i] = r == 0 ? 0 : direction / (2 * r * s.bias2 * (r + s.eps) * (r + s.eps));
        coef[C_G][i] = 2 * (1 - s.beta2) * h;
        if (x)
            coef[C_KEEP][i] = keep;
    }
}

static enum stj_status linearize(struct scalars s, const struct stj_step *at,
                                 const struct stj_update *u, const real *g, size_t first,
                                 real *const *coef, struct stj_error *err)
{
    coefficients(s, u, g, coef);
    for (size_t i = 0; i < u->n; i++)
        STJ_NEED(err, isfinite(coef[C_M][i] + coef[C_H][i] + coef[C_X][i] + coef[C_G][i]),
                 STJ_ENONFINITE,
                 "the %s update of parameter %zu at step %zu has no derivative: its gradient is %g "
                 "and its second moment before the step %g, with eps %g; train with eps above 0",
                 s.name, first + i, at->index, (double)g[i], (double)u->slot[V][i], (double)s.eps);
    return STJ_OK;
}

STJ_CLONES static void tangent_row(const void *scalars, const struct stj_update_tile *t)
{
    const struct scalars s = *(const struct scalars *)scalars;
    real *restrict m = t->slot[M], *restrict v = t->slot[V], *restrict x = t->slot[X];
    for (size_t j = 0; j < t->nvec; j++)
        for (size_t k = 0; k < t->cols; k++) {
            const size_t i = j * t->cols + k;
            const real h = t->g[i] + s.lambda * t->theta[i];
            m[i] = s.beta1 * m[i] + (1 - s.beta1) * h;
            v[i] = s.beta2 * v[i] + t->coef[C_G][k] * h;
            if (x && t->coef[C_KEEP][k] == 0)
                x[i] = v[i];
            t->theta[i] = s.delta * t->theta[i] - t->coef[C_M][k] * m[i] - t->coef[C_H][k] * h +
                          t->coef[C_X][k] * (x ? x[i] : v[i]);
        }
}

STJ_CLONES static void adjoint_row(const void *scalars, const struct stj_update_tile *t)
{
    const struct scalars s = *(const struct scalars *)scalars;
    real *restrict m = t->slot[M], *restrict v = t->slot[V], *restrict x = t->slot[X];
    for (size_t j = 0; j < t->nvec; j++)
        for (size_t k = 0; k < t->cols; k++) {
            const size_t i = j * t->cols + k;
            const real theta = t->theta[i];
            const real x_bar = (x ? x[i] : 0) + t->coef[C_X][k] * theta;
            const bool keep = x && t->coef[C_KEEP][k] != 0;
            const real m_bar = m[i] - t->coef[C_M][k] * theta;
            const real v_bar = keep ? v[i] : v[i] + x_bar;
            const real h_bar =
                (1 - s.beta1) * m_bar + t->coef[C_G][k] * v_bar - t->coef[C_H][k] * theta;
            if (x)
                x[i] = keep ? x_bar : 0;
            t->g[i] = h_bar;
            t->theta[i] = s.delta * theta + s.lambda * h_bar;
            m[i] = s.beta1 * m_bar;
            v[i] = s.beta2 * v_bar;
        }
}

/* The four functions of an optimizer whose numbers `numbers` gives, and `whole` those of a step. */
#define FUNCTIONS(name, slots, coefs, numbers, whole)                                              \
    static void name##_step(const void *config, const struct stj_step *at,                         \
                            const struct stj_update *u, const real *g)                             \
    {                                                                                              \
        step(whole(config, at), u, g);                                                             \
    }                                                                                              \
    static enum stj_status name##_linearize(                                                       \
        const void *config, const struct stj_step *at, const struct stj_update *before,            \
        const real *g, size_t first, real *const *coef, struct stj_error *err)                     \
    {                                                                                              \
        return linearize(whole(config, at), at, before, g, first, coef, err);                      \
    }                                                                                              \
    static void name##_tangent(const void *config, const struct stj_step *at,                      \
                               const struct stj_update_tile *tile)                                 \
    {                                                                                              \
        const struct scalars s = numbers(config, at);                                              \
        stj_update_rows(tile, slots, coefs, tangent_row, &s);                                      \
    }                                                                                              \
    static void name##_adjoint(const void *config, const struct stj_step *at,                      \
                               const struct stj_update_tile *tile)                                 \
    {                                                                                              \
        const struct scalars s = numbers(config, at);                                              \
        stj_update_rows(tile, slots, coefs, adjoint_row, &s);                                      \
    }
#define OPS(name, slots, coefs)                                                                    \
    .n_slots = slots, .n_coef = coefs, .step = name##_step, .linearize = name##_linearize,         \
    .tangent = name##_tangent, .adjoint = name##_adjoint

FUNCTIONS(nadam, X, C_KEEP, nadam_scalars, nadam_step_scalars)
FUNCTIONS(adam, X + 1, N_COEF, adam_scalars, adam_scalars)
FUNCTIONS(adamw, X + 1, N_COEF, adamw_scalars, adamw_scalars)

const struct stj_optimizer_ops stj_optimizer_nadam = {
    .info = {.name = "nadam",
             .doc = "Adam with Nesterov's form of momentum",
             .options = nadam_options,
             .config_size = sizeof(struct nadam_config)},
    .slot = {"exp_avg", "exp_avg_sq"},
    .squares = 1u << V,
    .sample = nadam_sample,
    OPS(nadam, X, C_KEEP),
};

const struct stj_optimizer_ops stj_optimizer_adam_amsgrad = {
    .slot = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .squares = 1u << V | 1u << X,
    .decay = STJ_DECAY_COUPLED,
    OPS(adam, X + 1, N_COEF),
};

const struct stj_optimizer_ops stj_optimizer_adamw_amsgrad = {
    .slot = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .squares = 1u << V | 1u << X,
    .decay = STJ_DECAY_DECOUPLED,
    OPS(adamw, X + 1, N_COEF),
};
