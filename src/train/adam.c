/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/adam.c: Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019).
 *
 * The updates of torch.optim.Adam and AdamW, with optax's eps_root inside the root (0 in PyTorch).
 * At step t = 1, 2, ...:
 *
 *     h = g + lambda theta                   (adam: coupled weight decay; adamw: h = g)
 *     m <- beta1 m + (1 - beta1) h,          m_hat = m / (1 - beta1^t)
 *     v <- beta2 v + (1 - beta2) h^2,        v_hat = v / (1 - beta2^t)
 *     theta <- delta theta - eta m_hat / (r + eps),        r = sqrt(v_hat + eps_root)
 *
 * with delta = 1 - eta lambda for adamw, else 1 (amsgrad: train/moments.c).  Where beta1 changes by
 * step, as in cycles, beta1^t is the t-th power of that of the step, as PyTorch has it.  With the
 * coefficients, at the moments after their update,
 *
 *     c_m = eta / ((1 - beta1^t) (r + eps)),    c_v = c_m m / (2 r (1 - beta2^t) (r + eps)),
 *     c_g = 2 (1 - beta2) h:
 *
 *     tangent    h_dot = g_dot + lambda theta_dot
 *                m_dot <- beta1 m_dot + (1 - beta1) h_dot;     v_dot <- beta2 v_dot + c_g h_dot
 *                theta_dot <- delta theta_dot - c_m m_dot + c_v v_dot
 *     adjoint    m_bar <- m_bar - c_m theta_bar;     v_bar <- v_bar + c_v theta_bar
 *                h_bar = (1 - beta1) m_bar + c_g v_bar;     g_bar = h_bar
 *                theta_bar <- delta theta_bar + lambda h_bar
 *                m_bar <- beta1 m_bar;     v_bar <- beta2 v_bar
 *
 * Where r = 0 the second moment is zero, so every h until now was, and so is m.  Moving theta by s
 * moves m_hat by s m_hat_dot + O(s^2) and r by O(|s|): theta moves by -eta s m_hat_dot / (0 + eps),
 * which is the tangent with c_v = 0.  Without eps there is no derivative: an error.  The step
 * itself then leaves the parameter alone (the limit of eps -> 0; PyTorch has 0/0).
 */
#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "train/adam.h"
#include "train/optimizers.h"
#include "train/schedule.h"
#include "train/update_rows.h"

enum { M = STJ_ADAM_M, V = STJ_ADAM_V, N_SLOTS = STJ_ADAM_SLOTS };
enum { C_M = STJ_ADAM_CM, C_V = STJ_ADAM_CV, C_G = STJ_ADAM_CG, N_COEF = STJ_ADAM_COEFS };

#define OPTION(field, standard, limit, open, text)                                                 \
    {                                                                                              \
        .name = #field, .type = STJ_OPTION_REAL,                                                   \
        .offset = offsetof(struct stj_adam_config, field), .fallback = standard, .min = 0,         \
        .max = limit, .below_max = open, .doc = text                                               \
    }
#define AMSGRAD                                                                                    \
    STJ_OPTION_ROW(struct stj_adam_config, "amsgrad", BOOL, amsgrad, "false",                      \
                   "whether the largest second moment until now takes the place of the last")

#define BETA1                                                                                      \
    STJ_OPTION_ROW(struct stj_adam_config, "beta1", BY_STEP, beta1, "0.9",                         \
                   "decay of the first moment", .kind = &stj_schedules, .min = 0, .max = 1,        \
                   .below_max = true)

static const struct stj_option adam_options[] = {
    BETA1,
    OPTION(beta2, "0.999", 1, true, "decay of the second moment"),
    OPTION(eps, "1e-8", 1e300, false, "added to the root of the second moment"),
    OPTION(eps_root, "0", 1e300, false, "added to the second moment inside the root"),
    OPTION(weight_decay, "0", 1e300, false, "lambda: lambda theta is added to the gradient"),
    AMSGRAD,
    {.name = NULL},
};

static const struct stj_option adamw_options[] = {
    BETA1,
    OPTION(beta2, "0.999", 1, true, "decay of the second moment"),
    OPTION(eps, "1e-8", 1e300, false, "added to the root of the second moment"),
    OPTION(eps_root, "0", 1e300, false, "added to the second moment inside the root"),
    OPTION(weight_decay, "0.01", 1e300, false, "lambda: theta is multiplied by 1 - eta lambda"),
    AMSGRAD,
    {.name = NULL},
};

static void sample(const char *name, struct stj_rng *rng, char *text, size_t size)
{
    static const char *const eps[] = {"", ", eps: 1e-3", ", eps: 0.01, eps_root: 1e-4",
                                      ", eps: 0, eps_root: 1e-3"};
    snprintf(text, size, "{type: %s, beta1: %.3f, beta2: %.3f, weight_decay: %.3f%s%s}", name,
             0.95 * stj_rng_uniform(rng), 0.5 + 0.49 * stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0, eps[stj_rng_index(rng, 4)],
             stj_rng_index(rng, 3) ? "" : ", amsgrad: true");
}

static void adam_sample(struct stj_rng *rng, char *text, size_t size)
{
    sample("adam", rng, text, size);
}

static void adamw_sample(struct stj_rng *rng, char *text, size_t size)
{
    sample("adamw", rng, text, size);
}

/* The numbers of one step. */
struct scalars {
    real beta1, beta2, eps, eps_root;
    real eta1;   /* eta / (1 - beta1^t) */
    real bias2;  /* 1 - beta2^t */
    real delta;  /* factor of theta */
    real lambda; /* of the coupled weight decay */
};

static struct scalars adam_scalars(const struct stj_adam_config *c, const struct stj_step *at,
                                   bool decoupled)
{
    const double t = (double)at->count + 1;
    const double beta1 = stj_step_momentum(at, &c->beta1);
    const double decay = c->weight_decay + at->more_decay;
    return (struct scalars){
        .beta1 = (real)beta1,
        .beta2 = (real)c->beta2,
        .eps = (real)c->eps,
        .eps_root = (real)c->eps_root,
        .eta1 = (real)(at->eta / (1 - pow(beta1, t))),
        .bias2 = (real)(1 - pow(c->beta2, t)),
        .delta = (real)(decoupled ? 1 - at->eta * decay : 1),
        .lambda = (real)(decoupled ? 0 : decay),
    };
}

/* Plain C's sqrt and a loop over single elements: the compiler vectorises it. */
STJ_CLONES static void update_moments(size_t n, struct scalars s, const real *restrict g,
                                      real *restrict m, real *restrict v, real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        m[i] = s.beta1 * m[i] + (1 - s.beta1) * h;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * h * h;
        const real d = (real)sqrt((double)(v[i] / s.bias2 + s.eps_root)) + s.eps;
        theta[i] = s.delta * theta[i] - (d == 0 ? 0 : s.eta1 * m[i] / d);
    }
}

static void adam_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                      const real *g)
{
    update_moments(u->n, adam_scalars(config, at, false), g, u->slot[M], u->slot[V], u->theta);
}

static void adamw_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                       const real *g)
{
    update_moments(u->n, adam_scalars(config, at, true), g, u->slot[M], u->slot[V], u->theta);
}

STJ_CLONES static void adam_coefficients(size_t n, struct scalars s, const real *restrict g,
                                         const real *restrict m, const real *restrict v,
                                         const real *restrict theta, real *restrict c_m,
                                         real *restrict c_v, real *restrict c_g)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        const real m1 = s.beta1 * m[i] + (1 - s.beta1) * h;
        const real v1 = s.beta2 * v[i] + (1 - s.beta2) * h * h;
        const real r = (real)sqrt((double)(v1 / s.bias2 + s.eps_root));
        c_m[i] = s.eta1 / (r + s.eps);
        c_v[i] = r == 0 ? 0 : c_m[i] * m1 / (2 * r * s.bias2 * (r + s.eps));
        c_g[i] = 2 * (1 - s.beta2) * h;
    }
}

static enum stj_status linearize_moments(const struct stj_adam_config *config, const char *name,
                                         struct scalars s, const struct stj_step *at,
                                         const struct stj_update *u, const real *g, size_t first,
                                         real *const *coef, struct stj_error *err)
{
    adam_coefficients(u->n, s, g, u->slot[M], u->slot[V], u->theta, coef[C_M], coef[C_V],
                      coef[C_G]);
    for (size_t i = 0; i < u->n; i++)
        STJ_NEED(
            err, isfinite(coef[C_M][i]) && isfinite(coef[C_V][i]) && isfinite(coef[C_G][i]),
            STJ_ENONFINITE,
            "the %s update of parameter %zu at step %zu has no derivative: its gradient is %g "
            "and its second moment before the step %g, with eps %g and eps_root %g; train with "
            "eps or eps_root above 0",
            name, first + i, at->index, (double)g[i], (double)u->slot[V][i], config->eps,
            config->eps_root);
    return STJ_OK;
}

static enum stj_status adam_linearize(const void *config, const struct stj_step *at,
                                      const struct stj_update *before, const real *g, size_t first,
                                      real *const *coef, struct stj_error *err)
{
    return linearize_moments(config, "adam", adam_scalars(config, at, false), at, before, g, first,
                             coef, err);
}

static enum stj_status adamw_linearize(const void *config, const struct stj_step *at,
                                       const struct stj_update *before, const real *g, size_t first,
                                       real *const *coef, struct stj_error *err)
{
    return linearize_moments(config, "adamw", adam_scalars(config, at, true), at, before, g, first,
                             coef, err);
}

STJ_CLONES static void moments_tangent(size_t nvec, size_t n, struct scalars s,
                                       const real *restrict c_m, const real *restrict c_v,
                                       const real *restrict c_g, const real *restrict g_dot,
                                       real *restrict m_dot, real *restrict v_dot,
                                       real *restrict theta_dot)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real h = g_dot[i] + s.lambda * theta_dot[i];
            m_dot[i] = s.beta1 * m_dot[i] + (1 - s.beta1) * h;
            v_dot[i] = s.beta2 * v_dot[i] + c_g[k] * h;
            theta_dot[i] = s.delta * theta_dot[i] - c_m[k] * m_dot[i] + c_v[k] * v_dot[i];
        }
}

static void adam_tangent_row(const void *scalars, const struct stj_update_tile *t)
{
    moments_tangent(t->nvec, t->cols, *(const struct scalars *)scalars, t->coef[C_M], t->coef[C_V],
                    t->coef[C_G], t->g, t->slot[M], t->slot[V], t->theta);
}

static void adam_tangent(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *tile)
{
    const struct scalars s = adam_scalars(config, at, false);
    stj_update_rows(tile, N_SLOTS, N_COEF, adam_tangent_row, &s);
}

static void adamw_tangent(const void *config, const struct stj_step *at,
                          const struct stj_update_tile *tile)
{
    const struct scalars s = adam_scalars(config, at, true);
    stj_update_rows(tile, N_SLOTS, N_COEF, adam_tangent_row, &s);
}

/* m_hat = m / (1 - beta1^t), and its derivative by beta1 is
 *     (m_before - h) / (1 - beta1^t) + m t beta1^(t - 1) / (1 - beta1^t)^2. */
static void moments_by_momentum(struct scalars s, const struct stj_step *at,
                                const struct stj_update *before, const real *g,
                                const struct stj_update *moved)
{
    const double t = (double)at->count + 1, b = (double)s.beta1, bias1 = 1 - pow(b, t);
    const real more = (real)(t * pow(b, t - 1) / bias1);
    for (size_t i = 0; i < before->n; i++) {
        const real h = g[i] + s.lambda * before->theta[i];
        const real m_dot = before->slot[M][i] - h;
        const real m = s.beta1 * before->slot[M][i] + (1 - s.beta1) * h;
        const real v = s.beta2 * before->slot[V][i] + (1 - s.beta2) * h * h;
        const real d = (real)sqrt((double)(v / s.bias2 + s.eps_root)) + s.eps;
        moved->slot[M][i] = m_dot;
        moved->theta[i] = d == 0 ? 0 : -s.eta1 * (m_dot + more * m) / d;
    }
}

static void adam_by_momentum(const void *config, const struct stj_step *at,
                             const struct stj_update *before, const real *g,
                             const struct stj_update *moved)
{
    moments_by_momentum(adam_scalars(config, at, false), at, before, g, moved);
}

static void adamw_by_momentum(const void *config, const struct stj_step *at,
                              const struct stj_update *before, const real *g,
                              const struct stj_update *moved)
{
    moments_by_momentum(adam_scalars(config, at, true), at, before, g, moved);
}

/* The adjoint without any weight decay leaves theta_bar as it is: one stream less to write. */
STJ_CLONES static void moments_adjoint(size_t nvec, size_t n, struct scalars s,
                                       const real *restrict c_m, const real *restrict c_v,
                                       const real *restrict c_g, real *restrict g_bar,
                                       real *restrict m_bar, real *restrict v_bar,
                                       const real *restrict theta_bar)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real m = m_bar[i] - c_m[k] * theta_bar[i];
            const real v = v_bar[i] + c_v[k] * theta_bar[i];
            g_bar[i] = (1 - s.beta1) * m + c_g[k] * v;
            m_bar[i] = s.beta1 * m;
            v_bar[i] = s.beta2 * v;
        }
}

STJ_CLONES static void decay_adjoint(size_t n, struct scalars s, const real *restrict g_bar,
                                     real *restrict theta_bar)
{
    for (size_t i = 0; i < n; i++)
        theta_bar[i] = s.delta * theta_bar[i] + s.lambda * g_bar[i];
}

static void adam_adjoint_row(const void *scalars, const struct stj_update_tile *t)
{
    const struct scalars s = *(const struct scalars *)scalars;
    moments_adjoint(t->nvec, t->cols, s, t->coef[C_M], t->coef[C_V], t->coef[C_G], t->g, t->slot[M],
                    t->slot[V], t->theta);
    if (s.delta != 1 || s.lambda != 0)
        decay_adjoint(t->nvec * t->cols, s, t->g, t->theta);
}

static void adam_adjoint(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *tile)
{
    const struct scalars s = adam_scalars(config, at, false);
    stj_update_rows(tile, N_SLOTS, N_COEF, adam_adjoint_row, &s);
}

static void adamw_adjoint(const void *config, const struct stj_step *at,
                          const struct stj_update_tile *tile)
{
    const struct scalars s = adam_scalars(config, at, true);
    stj_update_rows(tile, N_SLOTS, N_COEF, adam_adjoint_row, &s);
}

static const struct stj_optimizer_ops *adam_variant(const void *config)
{
    const struct stj_adam_config *c = config;
    return c->amsgrad ? &stj_optimizer_adam_amsgrad : &stj_optimizer_adam;
}

static const struct stj_optimizer_ops *adamw_variant(const void *config)
{
    const struct stj_adam_config *c = config;
    return c->amsgrad ? &stj_optimizer_adamw_amsgrad : &stj_optimizer_adamw;
}

const struct stj_optimizer_ops stj_optimizer_adam = {
    .info = {.name = "adam",
             .doc = "Adam, with optional coupled weight decay",
             .options = adam_options,
             .config_size = sizeof(struct stj_adam_config)},
    .n_slots = N_SLOTS,
    .slot = {"exp_avg", "exp_avg_sq"},
    .squares = 1u << V,
    .n_coef = N_COEF,
    .variant = adam_variant,
    .sample = adam_sample,
    .step = adam_step,
    .linearize = adam_linearize,
    .by_momentum = adam_by_momentum,
    .decay = STJ_DECAY_COUPLED,
    .tangent = adam_tangent,
    .adjoint = adam_adjoint,
};

const struct stj_optimizer_ops stj_optimizer_adamw = {
    .info = {.name = "adamw",
             .doc = "Adam with decoupled weight decay",
             .options = adamw_options,
             .config_size = sizeof(struct stj_adam_config)},
    .n_slots = N_SLOTS,
    .slot = {"exp_avg", "exp_avg_sq"},
    .squares = 1u << V,
    .n_coef = N_COEF,
    .variant = adamw_variant,
    .sample = adamw_sample,
    .step = adamw_step,
    .linearize = adamw_linearize,
    .by_momentum = adamw_by_momentum,
    .decay = STJ_DECAY_DECOUPLED,
    .tangent = adamw_tangent,
    .adjoint = adamw_adjoint,
};
