/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-optimizers.c: properties of every optimizer of the registry, on random instances.
 *
 * A case is an optimizer, from its own `sample`, at a random state: reached from zero slots by a
 * few steps with random gradients.  Failures print the seed and the instance. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/blas.h"
#include "options/yaml.h"
#include "expect.h"
#include "small_run.h"
#include "train/optimizers.h"

enum { MOST = 64, N_SEEDS = 60, TEXT = 256, N_WORK = 8 };

static size_t n_kinds(void)
{
    size_t n = 0;
    while (stj_optimizers.list[n])
        n++;
    return n;
}

struct stepper {
    char text[TEXT];
    struct stj_plugin plugin;
    const struct stj_optimizer_ops *ops;
    struct stj_rng *rng;
    struct stj_step at;
    size_t rows, cols, n;
    struct stj_tensor_shape tensor;
    double work[N_WORK * MOST];
    double theta[MOST], slot[STJ_MAX_SLOTS][MOST], g[MOST];
    double coef[STJ_MAX_COEFS][MOST];
};

static struct stj_update update_of(struct stepper *c)
{
    c->tensor.rows = c->rows;
    c->tensor.cols = c->cols;
    struct stj_update u = {.n = c->n, .theta = c->theta, .tensor = &c->tensor, .work = c->work};
    for (size_t k = 0; k < c->ops->n_slots; k++)
        u.slot[k] = c->slot[k];
    return u;
}

static void do_step(struct stepper *c)
{
    const struct stj_update u = update_of(c);
    c->ops->step(c->plugin.config, &c->at, &u, c->g);
}

static enum stj_status linearize(struct stepper *c, size_t first, struct stj_error *err)
{
    const struct stj_update u = update_of(c);
    double *coef[STJ_MAX_COEFS];
    for (size_t k = 0; k < STJ_MAX_COEFS; k++)
        coef[k] = c->coef[k];
    return c->ops->linearize
               ? c->ops->linearize(c->plugin.config, &c->at, &u, c->g, first, coef, err)
               : STJ_OK;
}

/* Gradients away from zero by more than any weight decay moves them (|theta| <= 0.2, lambda <= 1):
 * near zero, updates that divide by the gradient's size bend too sharply for differences. */
static double gradient(struct stj_rng *rng)
{
    const double size = 0.5 + 1.5 * stj_rng_uniform(rng);
    return stj_rng_index(rng, 2) ? size : -size;
}

static void stepper_init(struct stepper *c, const char *text, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    *c = (struct stepper){0};
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_DATA, 3, &c->rng, &err), err);
    snprintf(c->text, sizeof c->text, "%s", text);
    parse_plugin(&stj_optimizers, text, &c->plugin);
    c->ops = stj_optimizer_of(&c->plugin);
    c->at.eta = 0.01 + 0.1 * stj_rng_uniform(c->rng);
}

static void stepper_free(struct stepper *c)
{
    stj_rng_destroy(c->rng);
    stj_plugin_free(&c->plugin);
}

/* The i-th case: an optimizer of the registry at a random state. */
static void random_case(struct stepper *c, size_t i_case)
{
    const size_t kind = i_case % n_kinds();
    const uint64_t seed = i_case / n_kinds();
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    char text[TEXT];
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_CHECK, kind, &rng, &err), err);
    ((const struct stj_optimizer_ops *)stj_optimizers.list[kind])->sample(rng, text, sizeof text);
    stj_rng_destroy(rng);
    stepper_init(c, text, seed);
    const struct stj_by_step *momentum = NULL;
    c->at.has_momentum = seed % 2 && stj_optimizer_momentum(&c->plugin, &momentum);
    c->at.momentum = c->at.has_momentum ? 0.05 + 0.9 * stj_rng_uniform(c->rng) : 0;
    c->rows = 1 + stj_rng_index(c->rng, 8);
    c->cols = 1 + stj_rng_index(c->rng, 8);
    c->n = c->rows * c->cols;
    c->tensor.form = (enum stj_tensor_form)stj_rng_index(c->rng, 3);
    const size_t age = seed % 3 ? stj_rng_index(c->rng, 30) : 0;
    for (c->at.index = c->at.count = 0;; c->at.index = ++c->at.count) {
        for (size_t i = 0; i < c->n; i++) {
            c->theta[i] = 0.4 * stj_rng_uniform(c->rng) - 0.2;
            c->g[i] = gradient(c->rng);
        }
        if (c->at.index == age)
            break;
        do_step(c);
    }
    EXPECT_OK(linearize(c, 0, &err), err);
}

/* nvec directions of everything that a tangent or an adjoint changes, as a tile. */
struct block {
    size_t nvec;
    double theta[3 * MOST], slot[STJ_MAX_SLOTS][3 * MOST], g[3 * MOST];
    double work[N_WORK * MOST];
};

static void random_block(const struct stepper *c, size_t nvec, struct block *b)
{
    *b = (struct block){.nvec = nvec};
    stj_rng_fill_normal(c->rng, nvec * c->n, b->theta);
    stj_rng_fill_normal(c->rng, nvec * c->n, b->g);
    for (size_t k = 0; k < c->ops->n_slots; k++)
        stj_rng_fill_normal(c->rng, nvec * c->n, b->slot[k]);
}

static struct stj_update_tile tile_of(const struct stepper *c, struct block *b)
{
    struct stj_update_tile t = {.rows = c->rows,
                                .nvec = b->nvec,
                                .cols = c->cols,
                                .theta = b->theta,
                                .g = b->g,
                                .tensor = &c->tensor,
                                .point = c->theta,
                                .work = b->work};
    for (size_t k = 0; k < c->ops->n_slots; k++)
        t.slot[k] = b->slot[k];
    for (size_t k = 0; k < c->ops->n_coef; k++)
        t.coef[k] = c->coef[k];
    return t;
}

static void tangent(const struct stepper *c, struct block *b)
{
    const struct stj_update_tile t = tile_of(c, b);
    c->ops->tangent(c->plugin.config, &c->at, &t);
}

static void adjoint(const struct stepper *c, struct block *b)
{
    const struct stj_update_tile t = tile_of(c, b);
    c->ops->adjoint(c->plugin.config, &c->at, &t);
}

/* to <- the state of c moved by h times the single direction b, and stepped. */
static void moved_step(const struct stepper *c, const struct block *b, double h, struct stepper *to)
{
    *to = *c;
    for (size_t i = 0; i < c->n; i++) {
        to->theta[i] += h * b->theta[i];
        to->g[i] += h * b->g[i];
        for (size_t k = 0; k < c->ops->n_slots; k++)
            to->slot[k][i] += h * b->slot[k][i];
    }
    do_step(to);
}

static void compare_with_difference(const struct stepper *c, const char *what,
                                    const double *tangent_, const double *plus, const double *minus,
                                    double h, int seed)
{
    for (size_t i = 0; i < c->n; i++) {
        const double difference = (plus[i] - minus[i]) / (2 * h);
        ck_assert_msg(fabs(difference - tangent_[i]) <= 1e-7 * (1 + fabs(tangent_[i])),
                      "seed %d, %s, step %zu, %s[%zu]: tangent %.17g, difference %.17g", seed,
                      c->text, c->at.index, what, i, tangent_[i], difference);
    }
}

/* Slots move in proportion to themselves, so that second moments stay positive.  Updates are made
 * of h / sqrt(v): a relative change of 3 h turns into an error of at most some 30 h^2 times the
 * update, which is below 30, and rounding into eps / h of it: with h = 3e-6 about 1e-8 and 2e-9. */
START_TEST(tangent_is_the_slope_of_the_step)
{
    const double h = 3e-6;
    struct stepper c, plus, minus;
    struct block b, after;
    random_case(&c, (size_t)_i);
    random_block(&c, 1, &b);
    for (size_t k = 0; k < c.ops->n_slots; k++)
        for (size_t i = 0; i < c.n; i++)
            b.slot[k][i] *= c.slot[k][i];
    after = b;
    tangent(&c, &after);
    moved_step(&c, &b, h, &plus);
    moved_step(&c, &b, -h, &minus);
    compare_with_difference(&c, "theta", after.theta, plus.theta, minus.theta, h, _i);
    for (size_t k = 0; k < c.ops->n_slots; k++)
        compare_with_difference(&c, "slot", after.slot[k], plus.slot[k], minus.slot[k], h, _i);
    ck_assert_msg(memcmp(b.g, after.g, sizeof b.g) == 0, "%s changed g_dot", c.text);
    stepper_free(&c);
}
END_TEST

static double inner(const struct stepper *c, const struct block *x, const struct block *y,
                    bool with_g)
{
    double sum = stj_dot(c->n, x->theta, y->theta);
    for (size_t k = 0; k < c->ops->n_slots; k++)
        sum += stj_dot(c->n, x->slot[k], y->slot[k]);
    return with_g ? sum + stj_dot(c->n, x->g, y->g) : sum;
}

static double norm(const struct stepper *c, const struct block *x, bool with_g)
{
    return sqrt(inner(c, x, x, with_g));
}

/* <U' x, y> = <x, U'* y>, where x has theta, slots and g and y theta and slots: sums of at most
 * 5 n products that are each a few operations off, so well within 1e-13 of the norms. */
START_TEST(adjoint_is_the_transpose_of_the_tangent)
{
    struct stepper c;
    struct block x, y, ux, uy;
    random_case(&c, (size_t)_i);
    random_block(&c, 1, &x);
    random_block(&c, 1, &y);
    ux = x;
    uy = y;
    tangent(&c, &ux);
    adjoint(&c, &uy);
    const double left = inner(&c, &ux, &y, false);
    const double right = inner(&c, &x, &uy, true);
    const double scale =
        fmax(norm(&c, &ux, false) * norm(&c, &y, false), norm(&c, &x, true) * norm(&c, &uy, true));
    ck_assert_msg(fabs(left - right) <= 1e-13 * scale, "seed %d, %s, step %zu: %.17g and %.17g", _i,
                  c.text, c.at.index, left, right);
    stepper_free(&c);
}
END_TEST

/* The work is elementwise, so a block has the very bits of its columns. */
START_TEST(blocks_equal_columns)
{
    enum { K = 3 };
    struct stepper c;
    struct block block, column;
    random_case(&c, (size_t)_i);
    for (int trans = 0; trans < 2; trans++) {
        random_block(&c, K, &block);
        const struct block before = block;
        trans ? adjoint(&c, &block) : tangent(&c, &block);
        for (size_t j = 0; j < K; j++) {
            column = (struct block){.nvec = 1};
            for (size_t i = 0; i < c.n; i++) {
                const size_t at = (i / c.cols * K + j) * c.cols + i % c.cols;
                column.theta[i] = before.theta[at];
                column.g[i] = before.g[at];
                for (size_t k = 0; k < c.ops->n_slots; k++)
                    column.slot[k][i] = before.slot[k][at];
            }
            trans ? adjoint(&c, &column) : tangent(&c, &column);
            for (size_t i = 0; i < c.n; i++) {
                const size_t at = (i / c.cols * K + j) * c.cols + i % c.cols;
                bool same = column.theta[i] == block.theta[at] && column.g[i] == block.g[at];
                for (size_t k = 0; k < c.ops->n_slots; k++)
                    same = same && column.slot[k][i] == block.slot[k][at];
                ck_assert_msg(same, "seed %d, %s, trans %d: column %zu, element %zu differs", _i,
                              c.text, trans, j, i);
            }
        }
    }
    stepper_free(&c);
}
END_TEST

/* Where theta comes to is an affine function of the rate, and the slots do not depend on it: which is
 * how the derivative with respect to rates is found.  At most a few operations on numbers below 1e4. */
START_TEST(theta_is_affine_in_the_rate)
{
    struct stepper c, to[3];
    random_case(&c, (size_t)_i);
    for (size_t k = 0; k < 3; k++) {
        to[k] = c;
        to[k].at.eta = (double)k * c.at.eta;
        do_step(&to[k]);
    }
    for (size_t i = 0; i < c.n; i++) {
        const double slope = to[1].theta[i] - to[0].theta[i];
        ck_assert_msg(to[0].theta[i] == c.theta[i] || c.ops == &stj_optimizer_own_step,
                      "seed %d, %s: it moves at rate 0", _i, c.text);
        ck_assert_msg(fabs(to[2].theta[i] - to[1].theta[i] - slope) <= 1e-14 * (1 + fabs(slope)),
                      "seed %d, %s, step %zu: theta[%zu]", _i, c.text, c.at.index, i);
        for (size_t k = 0; k < c.ops->n_slots; k++)
            ck_assert_msg(to[2].slot[k][i] == to[0].slot[k][i], "seed %d, %s: slot %zu", _i, c.text,
                          k);
    }
    stepper_free(&c);
}
END_TEST

/* ---- second moments that are exactly zero ---- */

enum { T_ZERO = 5 };

/* theta after T_ZERO steps from theta_0 = slots = 0 with gradients s * direction[t]. */
static void run_from_zero(struct stepper *c, double s, double (*direction)[MOST], double *theta)
{
    memset(c->theta, 0, sizeof c->theta);
    memset(c->slot, 0, sizeof c->slot);
    for (c->at.index = c->at.count = 0; c->at.index < T_ZERO; c->at.index = ++c->at.count) {
        for (size_t i = 0; i < c->n; i++)
            c->g[i] = s * direction[c->at.index][i];
        do_step(c);
    }
    memcpy(theta, c->theta, c->n * sizeof *theta);
}

/* The tangent of the same steps at zero gradients, with g_dot = direction[t]. */
static void tangent_at_zero(struct stepper *c, double (*direction)[MOST], double *theta_dot)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct block b = {.nvec = 1};
    memset(c->theta, 0, sizeof c->theta);
    memset(c->slot, 0, sizeof c->slot);
    memset(c->g, 0, sizeof c->g);
    for (c->at.index = c->at.count = 0; c->at.index < T_ZERO; c->at.index = ++c->at.count) {
        EXPECT_OK(linearize(c, 0, &err), err);
        memcpy(b.g, direction[c->at.index], sizeof direction[0]);
        tangent(c, &b);
        do_step(c);
    }
    memcpy(theta_dot, b.theta, c->n * sizeof *theta_dot);
}

static const char *const zero_cases[] = {
    "adam",
    "{type: adam, eps: 0, eps_root: 1e-16}",
    "{type: adam, eps: 1e-3, weight_decay: 0.1}",
    "adamw",
    "{type: adamw, eps: 1e-12, beta1: 0}",
    "rmsprop",
    "{type: rmsprop, momentum: 0.9}",
    "{type: rmsprop, centered: true, momentum: 0.5, eps: 1e-4}",
    "{type: adagrad, eps: 1e-8}",
    "nadam",
    "{type: nadam, beta1: 0.5, eps: 1e-4, weight_decay: 0.1, decoupled: true}",
    "{type: adam, amsgrad: true}",
    "{type: adamw, amsgrad: true, eps: 1e-4}",
    "muon",
};
enum { N_ZERO = sizeof zero_cases / sizeof zero_cases[0] };

/* Where nothing but zero gradients have come, a move s of them gives s (derivative) / (1 +
 * O(s/eps)): with s = 1e-7 of the smallest eps the quotient agrees to 1e-5 (c s / eps, c of some
 * tens). */
START_TEST(zero_second_moments_take_the_limit)
{
    const double s = _i == 4 ? 1e-19 : 1e-15;
    double direction[T_ZERO][MOST];
    double theta[MOST], theta_dot[MOST];
    struct stepper c;
    stepper_init(&c, zero_cases[_i], 77);
    c.rows = 1;
    c.cols = c.n = 20;
    c.tensor.form = STJ_FORM_OUT_IN;
    for (size_t t = 0; t < T_ZERO; t++)
        stj_rng_fill_normal(c.rng, MOST, direction[t]);
    tangent_at_zero(&c, direction, theta_dot);
    run_from_zero(&c, s, direction, theta);
    for (size_t i = 0; i < c.n; i++)
        ck_assert_msg(fabs(theta[i] / s - theta_dot[i]) <= 1e-5 * stj_nrm2(c.n, theta_dot),
                      "%s: element %zu has tangent %.17g, quotient %.17g", c.text, i, theta_dot[i],
                      theta[i] / s);
    stepper_free(&c);
}
END_TEST

static void no_derivative(const char *text, const char *part)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stepper c;
    stepper_init(&c, text, 78);
    c.rows = 1;
    c.cols = c.n = 4;
    for (size_t i = 0; i < c.n; i++)
        c.g[i] = i == 2 ? 0 : 1;
    for (c.at.index = c.at.count = 0; c.at.index < 3; c.at.index = ++c.at.count)
        do_step(&c);
    for (size_t i = 0; i < c.n; i++)
        ck_assert_msg(i == 2 ? c.theta[i] == 0 : isfinite(c.theta[i]) && c.theta[i] < 0,
                      "%s: theta[%zu] is %g", text, i, c.theta[i]);
    EXPECT_FAIL(linearize(&c, 100, &err), STJ_ENONFINITE, part, err);
    stepper_free(&c);
}

START_TEST(without_any_eps_a_zero_moment_is_an_error)
{
    no_derivative("{type: adam, eps: 0}", "parameter 102 at step 3");
    no_derivative("{type: adamw, eps: 0, weight_decay: 0}", "eps or eps_root above 0");
    no_derivative("{type: rmsprop, eps: 0}", "parameter 102 at step 3");
    no_derivative("{type: rmsprop, eps: 0, momentum: 0.5}", "eps above 0");
    no_derivative("{type: adagrad, eps: 0}", "parameter 102 at step 3");
    no_derivative("{type: nadam, eps: 0}", "the nadam update of parameter 102 at step 3");
    no_derivative("{type: adamw, eps: 0, weight_decay: 0, amsgrad: true}", "eps above 0");
}
END_TEST

/* A gradient that does not change: v - a^2 is rounding noise, of either sign. */
START_TEST(a_centered_moment_never_goes_below_zero)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stepper c;
    struct block b;
    stepper_init(&c, "{type: rmsprop, centered: true, alpha: 0.5}", 79);
    c.rows = 1;
    c.cols = c.n = MOST;
    for (size_t i = 0; i < c.n; i++)
        c.g[i] = gradient(c.rng);
    for (c.at.index = c.at.count = 0; c.at.index < 200; c.at.index = ++c.at.count) {
        EXPECT_OK(linearize(&c, 0, &err), err);
        random_block(&c, 1, &b);
        tangent(&c, &b);
        do_step(&c);
        for (size_t i = 0; i < c.n; i++)
            ck_assert_msg(isfinite(c.theta[i]) && isfinite(b.theta[i]), "step %zu, element %zu",
                          c.at.index, i);
    }
    stepper_free(&c);
}
END_TEST

/* ---- the same training written down again, parameter by parameter ---- */

/* The update rules as the manuals of PyTorch and optax state them; `p` holds one parameter's
 * state. */
struct plain {
    double x, first, second, mean, buffer, most;
    bool started;
};

static void plain_sgd(struct plain *p, double g, double lr, double mu, double damp, double wd,
                      bool nesterov)
{
    g = g + wd * p->x;
    if (mu != 0) {
        p->buffer = p->started ? mu * p->buffer + (1 - damp) * g : g;
        p->started = true;
        g = nesterov ? g + mu * p->buffer : p->buffer;
    }
    p->x = p->x - lr * g;
}

static void plain_adam(struct plain *p, double g, double lr, double b1, double b2, double eps,
                       double eps_root, double wd, bool decoupled, int t)
{
    if (decoupled)
        p->x *= 1 - lr * wd;
    else
        g += wd * p->x;
    p->first += (1 - b1) * (g - p->first); /* lerp */
    p->second = b2 * p->second + (1 - b2) * g * g;
    const double denominator = sqrt(p->second / (1 - pow(b2, t)) + eps_root) + eps;
    p->x -= lr / (1 - pow(b1, t)) * (p->first / denominator);
}

static void plain_amsgrad(struct plain *p, double g, double lr, double wd, bool decoupled, int t)
{
    p->x *= decoupled ? 1 - lr * wd : 1;
    g += decoupled ? 0 : wd * p->x;
    p->first = 0.9 * p->first + 0.1 * g;
    p->second = 0.9 * p->second + 0.1 * g * g;
    p->most = fmax(p->most, p->second);
    p->x -= lr / (1 - pow(0.9, t)) * p->first / (sqrt(p->most) / sqrt(1 - pow(0.9, t)) + 1e-8);
}

static void plain_nadam(struct plain *p, double g, double lr, double psi, double wd, bool decoupled,
                        int t)
{
    const double mu = 0.9 * (1 - 0.5 * pow(0.96, t * psi));
    const double next = 0.9 * (1 - 0.5 * pow(0.96, (t + 1) * psi));
    double product = 1;
    for (int i = 1; i <= t; i++)
        product *= 0.9 * (1 - 0.5 * pow(0.96, i * psi));
    p->x *= decoupled ? 1 - lr * wd : 1;
    g += decoupled ? 0 : wd * p->x;
    p->first = 0.9 * p->first + 0.1 * g;
    p->second = 0.999 * p->second + 0.001 * g * g;
    const double m_hat = next * p->first / (1 - product * next) + (1 - mu) * g / (1 - product);
    p->x -= lr * m_hat / (sqrt(p->second / (1 - pow(0.999, t))) + 1e-8);
}

static void plain_adagrad(struct plain *p, double g, double lr, double decay, double start,
                          double eps, double wd, int t)
{
    g += wd * p->x;
    p->second = (t == 1 ? start : p->second) + g * g;
    p->x -= lr / (1 + (t - 1) * decay) * g / (sqrt(p->second) + eps);
}

static void plain_rmsprop(struct plain *p, double g, double lr, double alpha, double eps, double mu,
                          bool centered, double wd)
{
    g += wd * p->x;
    p->second = alpha * p->second + (1 - alpha) * g * g;
    double variance = p->second;
    if (centered) {
        p->mean += (1 - alpha) * (g - p->mean); /* lerp */
        variance -= p->mean * p->mean;
    }
    const double scaled = g / (sqrt(variance) + eps);
    p->buffer = mu * p->buffer + scaled;
    p->x -= lr * (mu > 0 ? p->buffer : scaled);
}

static void plain_step(int which, struct plain *p, double g, double lr, int t)
{
    switch (which) {
    case 0:
        plain_sgd(p, g, lr, 0, 0.4, 0, false);
        break;
    case 1:
        plain_sgd(p, g, lr, 0.9, 0.25, 0.01, false);
        break;
    case 2:
        plain_sgd(p, g, lr, 0.8, 0, 0.02, true);
        break;
    case 3:
        plain_adam(p, g, lr, 0.9, 0.999, 1e-8, 0, 0, false, t);
        break;
    case 4:
        plain_adam(p, g, lr, 0.5, 0.9, 1e-3, 1e-4, 0.1, false, t);
        break;
    case 5:
        plain_adam(p, g, lr, 0.9, 0.999, 1e-8, 0, 0.01, true, t);
        break;
    case 6:
        plain_adam(p, g, lr, 0.9, 0.99, 0, 1e-6, 0.3, true, t);
        break;
    case 7:
        plain_rmsprop(p, g, lr, 0.99, 1e-8, 0, false, 0);
        break;
    case 8:
        plain_rmsprop(p, g, lr, 0.9, 1e-4, 0.7, false, 0.1);
        break;
    case 9:
        plain_rmsprop(p, g, lr, 0.95, 1e-3, 0.5, true, 0.1);
        break;
    case 10:
        plain_adagrad(p, g, lr, 0, 0, 1e-10, 0, t);
        break;
    case 11:
        plain_adagrad(p, g, lr, 0.01, 0.5, 1e-3, 0.1, t);
        break;
    case 12:
        plain_nadam(p, g, lr, 4e-3, 0, false, t);
        break;
    case 13:
        plain_nadam(p, g, lr, 0.1, 0.2, true, t);
        break;
    case 14:
        plain_amsgrad(p, g, lr, 0.1, false, t);
        break;
    case 15:
        plain_amsgrad(p, g, lr, 0.1, true, t);
        break;
    default: /* own_step */
        p->x = g;
    }
}

static const char *const plain_cases[] = {
    "{type: sgd, dampening: 0.4}",
    "{type: sgd, momentum: 0.9, dampening: 0.25, weight_decay: 0.01}",
    "{type: sgd, momentum: 0.8, nesterov: true, weight_decay: 0.02}",
    "adam",
    "{type: adam, beta1: 0.5, beta2: 0.9, eps: 1e-3, eps_root: 1e-4, weight_decay: 0.1}",
    "adamw",
    "{type: adamw, beta2: 0.99, eps: 0, eps_root: 1e-6, weight_decay: 0.3}",
    "rmsprop",
    "{type: rmsprop, alpha: 0.9, eps: 1e-4, momentum: 0.7, weight_decay: 0.1}",
    "{type: rmsprop, alpha: 0.95, eps: 1e-3, momentum: 0.5, centered: true, weight_decay: 0.1}",
    "adagrad",
    "{type: adagrad, lr_decay: 0.01, initial_accumulator_value: 0.5, eps: 1e-3, weight_decay: 0.1}",
    "nadam",
    "{type: nadam, momentum_decay: 0.1, weight_decay: 0.2, decoupled: true}",
    "{type: adam, beta2: 0.9, amsgrad: true, weight_decay: 0.1}",
    "{type: adamw, beta2: 0.9, amsgrad: true, weight_decay: 0.1}",
    "own_step",
};
enum { N_PLAIN = sizeof plain_cases / sizeof plain_cases[0] };

/* 300 steps with gradients of a convex function that moves in time.  Each step rounds both by a few
 * eps, and the function contracts, so that they stay within 300 steps * 10 eps * |theta| (< 10). */
START_TEST(steps_are_those_of_the_manuals)
{
    struct stepper c;
    struct plain plain[MOST] = {0};
    stepper_init(&c, plain_cases[_i], 80 + (uint64_t)_i);
    c.rows = 1;
    c.cols = c.n = MOST;
    c.at.eta = 0.03;
    for (size_t i = 0; i < c.n; i++)
        plain[i].x = c.theta[i] = 2 * stj_rng_normal(c.rng);
    for (c.at.index = c.at.count = 0; c.at.index < 300; c.at.index = ++c.at.count) {
        double given[MOST];
        for (size_t i = 0; i < c.n; i++) {
            const double target = sin(0.1 * (double)c.at.index + (double)i);
            given[i] = plain[i].x - target;
            c.g[i] = c.theta[i] - target;
        }
        do_step(&c);
        for (size_t i = 0; i < c.n; i++) {
            plain_step(_i, &plain[i], given[i], c.at.eta, (int)c.at.index + 1);
            ck_assert_msg(fabs(plain[i].x - c.theta[i]) <= 1e-11,
                          "%s, step %zu, parameter %zu: %.17g instead of %.17g", c.text, c.at.index,
                          i, c.theta[i], plain[i].x);
        }
    }
    stepper_free(&c);
}
END_TEST

/* ---- and of whole tensors, as matrices ---- */

enum { ROWS = 3, COLS = 5, N_TENSOR = ROWS * COLS };

static double plain_norm(const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < N_TENSOR; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static void plain_lars(struct plain *p, const double *g, double lr)
{
    double w[N_TENSOR];
    for (size_t i = 0; i < N_TENSOR; i++)
        w[i] = p[i].x;
    const double rate = 0.02 * plain_norm(w) / (plain_norm(g) + 0.1 * plain_norm(w) + 1e-8);
    for (size_t i = 0; i < N_TENSOR; i++)
        plain_sgd(&p[i], rate * (g[i] + 0.1 * p[i].x), lr, 0.9, 0, 0, true);
}

static void plain_lamb(struct plain *p, const double *g, double lr, int t)
{
    double w[N_TENSOR], u[N_TENSOR];
    for (size_t i = 0; i < N_TENSOR; i++) {
        w[i] = p[i].x;
        p[i].first = 0.9 * p[i].first + 0.1 * g[i];
        p[i].second = 0.999 * p[i].second + 0.001 * g[i] * g[i];
        u[i] = p[i].first / (1 - pow(0.9, t)) / (sqrt(p[i].second / (1 - pow(0.999, t))) + 1e-6) +
               0.01 * w[i];
    }
    for (size_t i = 0; i < N_TENSOR; i++)
        p[i].x -= lr * plain_norm(w) / plain_norm(u) * u[i];
}

/* The matrix with out rows, row-major: o = f^5(u / (|u| + 1e-7)), the published code in loops. */
static void plain_orthogonal(size_t out, size_t in, const double *u, double *o)
{
    double x[N_TENSOR], a[COLS][COLS], b[COLS][COLS];
    for (size_t i = 0; i < N_TENSOR; i++)
        x[i] = u[i] / (plain_norm(u) + 1e-7);
    for (int k = 0; k < 5; k++) {
        for (size_t i = 0; i < out; i++)
            for (size_t j = 0; j < out; j++) {
                a[i][j] = 0;
                for (size_t l = 0; l < in; l++)
                    a[i][j] += x[i * in + l] * x[j * in + l];
            }
        for (size_t i = 0; i < out; i++)
            for (size_t j = 0; j < out; j++) {
                b[i][j] = -4.7750 * a[i][j];
                for (size_t l = 0; l < out; l++)
                    b[i][j] += 2.0315 * a[i][l] * a[l][j];
            }
        for (size_t i = 0; i < out; i++)
            for (size_t j = 0; j < in; j++) {
                o[i * in + j] = 3.4445 * x[i * in + j];
                for (size_t l = 0; l < out; l++)
                    o[i * in + j] += b[i][l] * x[l * in + j];
            }
        memcpy(x, o, sizeof x);
    }
}

/* theta is [out][in], or where `turned` [in][out]. */
static void plain_muon(struct plain *p, const double *g, double lr, bool turned)
{
    const size_t out = turned ? COLS : ROWS, in = N_TENSOR / out;
    double u[N_TENSOR], o[N_TENSOR];
    for (size_t i = 0; i < N_TENSOR; i++) {
        const size_t at = turned ? i / COLS + i % COLS * ROWS : i;
        p[i].first = 0.95 * p[i].first + 0.05 * g[i];
        u[at] = 0.95 * p[i].first + 0.05 * g[i];
    }
    plain_orthogonal(out, in, u, o);
    for (size_t i = 0; i < N_TENSOR; i++) {
        const size_t at = turned ? i / COLS + i % COLS * ROWS : i;
        p[i].x = (1 - lr * 0.1) * p[i].x - lr * sqrt(fmax(1, (double)out / (double)in)) * o[at];
    }
}

static void plain_tensor_step(int which, struct plain *p, const double *g, double lr, int t)
{
    switch (which) {
    case 0:
        plain_lars(p, g, lr);
        break;
    case 1:
        plain_lamb(p, g, lr, t);
        break;
    case 4:
        for (size_t i = 0; i < N_TENSOR; i++)
            plain_adam(&p[i], g[i], 0.5 * lr, 0.9, 0.95, 1e-10, 0, 0.1, true, t);
        break;
    default:
        plain_muon(p, g, lr, which == 3);
    }
}

static const char *const tensor_cases[] = {
    "{type: lars, trust_coefficient: 0.02, weight_decay: 0.1, nesterov: true}",
    "lamb",
    "{type: muon, weight_decay: 0.1}",
    "{type: muon, weight_decay: 0.1}",
    "{type: muon, weight_decay: 0.1, adamw_rate: 0.5}",
};
static const enum stj_tensor_form tensor_forms[] = {
    STJ_FORM_OUT_IN, STJ_FORM_OUT_IN, STJ_FORM_OUT_IN, STJ_FORM_IN_OUT, STJ_FORM_VECTOR};
enum { N_TENSOR_CASES = sizeof tensor_cases / sizeof tensor_cases[0] };

/* 100 steps of the same moving function.  Muon turns a direction's rounding into up to 500 times as
 * much where a singular value is small: 1e-10. */
START_TEST(steps_of_tensors_are_those_of_the_papers)
{
    struct stepper c;
    struct plain plain[N_TENSOR] = {0};
    stepper_init(&c, tensor_cases[_i], 90 + (uint64_t)_i);
    c.rows = ROWS;
    c.cols = COLS;
    c.n = N_TENSOR;
    c.tensor.form = tensor_forms[_i];
    c.at.eta = 0.03;
    for (size_t i = 0; i < c.n; i++)
        plain[i].x = c.theta[i] = 2 * stj_rng_normal(c.rng);
    for (c.at.index = c.at.count = 0; c.at.index < 100; c.at.index = ++c.at.count) {
        double given[N_TENSOR];
        for (size_t i = 0; i < c.n; i++) {
            const double target = sin(0.1 * (double)c.at.index + (double)(i * i));
            given[i] = plain[i].x - target;
            c.g[i] = c.theta[i] - target;
        }
        do_step(&c);
        plain_tensor_step(_i, plain, given, c.at.eta, (int)c.at.index + 1);
        for (size_t i = 0; i < c.n; i++)
            ck_assert_msg(fabs(plain[i].x - c.theta[i]) <= 1e-10,
                          "%s, step %zu, parameter %zu: %.17g instead of %.17g", c.text, c.at.index,
                          i, c.theta[i], plain[i].x);
    }
    stepper_free(&c);
}
END_TEST

/* Tensors and gradients that are all zero: numbers, and no move of a tensor. */
START_TEST(zero_norms_give_numbers)
{
    static const char *const text[] = {"lars", "lamb", "muon", "{type: muon, eps: 0}"};
    struct stj_error err = STJ_ERROR_INIT;
    struct stepper c;
    struct block b;
    stepper_init(&c, text[_i], 91);
    c.rows = ROWS;
    c.cols = COLS;
    c.n = N_TENSOR;
    c.tensor.form = STJ_FORM_IN_OUT;
    do_step(&c);
    for (size_t i = 0; i < c.n; i++)
        ck_assert(c.theta[i] == 0);
    if (_i == 3) {
        EXPECT_FAIL(linearize(&c, 0, &err), STJ_ENONFINITE, "eps above 0", err);
        stepper_free(&c);
        return;
    }
    EXPECT_OK(linearize(&c, 0, &err), err);
    for (int trans = 0; trans < 2; trans++) {
        random_block(&c, 1, &b);
        trans ? adjoint(&c, &b) : tangent(&c, &b);
        for (size_t i = 0; i < c.n; i++)
            ck_assert(isfinite(b.theta[i]) && isfinite(b.g[i]) && isfinite(b.slot[0][i]));
    }
    stepper_free(&c);
}
END_TEST

static void mark_known(const char *text, size_t k, bool *known)
{
    struct stj_plugin plugin;
    parse_plugin(&stj_optimizers, text, &plugin);
    *known |= plugin.info == stj_optimizers.list[k];
    stj_plugin_free(&plugin);
}

/* A new optimizer must get a plain twin above. */
START_TEST(every_optimizer_is_written_down_again)
{
    for (size_t k = 0; k < n_kinds(); k++) {
        bool known = false;
        for (size_t i = 0; i < N_PLAIN; i++)
            mark_known(plain_cases[i], k, &known);
        for (size_t i = 0; i < N_TENSOR_CASES; i++)
            mark_known(tensor_cases[i], k, &known);
        ck_assert_msg(known, "no plain twin of %s", stj_optimizers.list[k]->name);
    }
}
END_TEST

START_TEST(bad_settings_are_refused)
{
    static const char *const bad[][2] = {
        {"{type: sgd, nesterov: true}", "momentum above 0"},
        {"{type: sgd, nesterov: true, momentum: 0.9, dampening: 0.1}", "no dampening"},
        {"{type: adam, beta1: 1}", "beta1"},
        {"{type: adamw, eps: -1}", "eps"},
        {"{type: adm}", "adam"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct stj_error err = STJ_ERROR_INIT;
        struct stj_yaml_node *root = NULL;
        struct stj_plugin plugin = {0};
        EXPECT_OK(stj_yaml_parse(bad[i][0], strlen(bad[i][0]), "test", &root, &err), err);
        EXPECT_FAIL(stj_plugin_parse(&stj_optimizers, root, &plugin, &err), STJ_ECONFIG, bad[i][1],
                    err);
        stj_yaml_destroy(root);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optimizers");
    TCase *tc = tcase_create("properties");
    const int n_cases = (int)n_kinds() * N_SEEDS;
    tcase_add_loop_test(tc, tangent_is_the_slope_of_the_step, 0, n_cases);
    tcase_add_loop_test(tc, adjoint_is_the_transpose_of_the_tangent, 0, n_cases);
    tcase_add_loop_test(tc, theta_is_affine_in_the_rate, 0, n_cases);
    tcase_add_loop_test(tc, blocks_equal_columns, 0, n_cases);
    tcase_add_loop_test(tc, zero_second_moments_take_the_limit, 0, N_ZERO);
    tcase_add_test(tc, without_any_eps_a_zero_moment_is_an_error);
    tcase_add_test(tc, a_centered_moment_never_goes_below_zero);
    tcase_add_loop_test(tc, steps_are_those_of_the_manuals, 0, N_PLAIN);
    tcase_add_loop_test(tc, steps_of_tensors_are_those_of_the_papers, 0, N_TENSOR_CASES);
    tcase_add_loop_test(tc, zero_norms_give_numbers, 0, 4);
    tcase_add_test(tc, bad_settings_are_refused);
    suite_add_tcase(suite, tc);
    TCase *twins = tcase_create("twins");
    tcase_add_test(twins, every_optimizer_is_written_down_again);
    suite_add_tcase(suite, twins);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
