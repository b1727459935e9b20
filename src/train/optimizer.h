/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/optimizer.h: the contract of an optimizer.
 *
 * One training step computes g = grad L_t(theta) and then an update of theta and of
 * n_slots state vectors ("slots": the momentum m; m and v for Adam), which start at zero:
 *
 *     step       (theta, slots) <- U(theta, slots, g)
 *     tangent    (theta_dot, slots_dot) <- U'(theta_dot, slots_dot, g_dot)
 *     adjoint    given theta_bar, slots_bar after the step: g_bar, and theta_bar, slots_bar before
 *                it, without the term through g (the caller adds theta_bar += H g_bar)
 *
 * U' depends on the primal point only through n_coef coefficient vectors, which `linearize` makes
 * once per step.  The step's theta is an affine function of its rate eta, and its slots do not
 * depend on eta (train/given_step.c).  The update is elementwise, and each function is called on
 * parts of the vector; or it is by tensor (`whole`: norms, products of matrices), and each is called
 * on one whole tensor.
 */
#ifndef STJ_TRAIN_OPTIMIZER_H
#define STJ_TRAIN_OPTIMIZER_H

#include <stddef.h>

#include "base/block.h"
#include "options/option.h"
#include "base/real.h"
#include "base/rng.h"

enum {
    STJ_MAX_SLOTS = 3,
    STJ_MAX_COEFS = 6,
    STJ_MAX_VECTORS = STJ_MAX_SLOTS + 2 /* of a state: theta, the slots, an average */
};

/* Where in training a step is. */
struct stj_step {
    size_t index; /* from 0 */
    size_t count; /* of updates before it, those before the training included */
    double eta;   /* its learning rate */
    bool has_momentum;
    double momentum;   /* where it changes by step: in the place of that in the config */
    double more_decay; /* added to the weight decay in the config */
};

/* The momentum, or beta1, of a step: the value of the one row of type BY_STEP that an optimizer's
 * table may have. */
static inline double stj_step_momentum(const struct stj_step *at, const struct stj_by_step *config)
{
    return at->has_momentum ? at->momentum : config->value;
}

/* What the weight decay does, where its derivative is known. */
enum stj_decay {
    STJ_DECAY_OTHER,
    STJ_DECAY_COUPLED,  /* lambda theta is added to the gradient, before all else */
    STJ_DECAY_DECOUPLED /* eta lambda theta is taken off theta, beside all else */
};

/* The same range of n parameters in every vector. */
struct stj_update {
    size_t n;
    real *theta;
    real *slot[STJ_MAX_SLOTS];
    const struct stj_tensor_shape
        *tensor; /* the first, or of an optimizer by tensor the only one */
    real *work;  /* [n_work][n], of no meaning before and after */
};

/* A part [rows][nvec][cols] of a tile; coefficients are [rows][cols]. */
struct stj_update_tile {
    size_t rows, nvec, cols;
    real *theta;               /* theta_dot or theta_bar */
    real *slot[STJ_MAX_SLOTS]; /* slots_dot or slots_bar */
    real *g;                   /* g_dot (read) or g_bar (written) */
    const real *coef[STJ_MAX_COEFS];
    /* Of an optimizer of whole tensors: which it is, theta before the step, and room to work in. */
    const struct stj_tensor_shape *tensor;
    const real *point; /* [rows][cols] */
    real *work;        /* [n_work][rows][cols] */
};

struct stj_optimizer_ops {
    struct stj_plugin_info info;
    size_t n_slots;
    const char *slot[STJ_MAX_SLOTS]; /* what PyTorch calls each; NULL: they cannot be given */
    bool (*uses)(const void *config, size_t slot); /* NULL: all of them */
    unsigned squares; /* bit k: slot k is a mean of squares, never negative */
    bool whole;       /* it needs whole tensors */
    size_t n_work;    /* and so many vectors to work in */
    size_t n_coef; /* 0: `linearize` is NULL, and no gradient is needed to differentiate a step */

    /* The functions and sizes of an instance, where they depend on its config; NULL: these. */
    const struct stj_optimizer_ops *(*variant)(const void *config);

    /* text <- a random valid instance, "{type: NAME, ...}", for the conformance tests. */
    void (*sample)(struct stj_rng *rng, char *text, size_t size);

    void (*step)(const void *config, const struct stj_step *at, const struct stj_update *u,
                 const real *g);

    /* coef[k][i] <- the coefficients of the step from (theta, slots) with gradient g, all before
     * the step.  An element without a derivative: STJ_ENONFINITE naming it (`first` is the number
     * of the range's first parameter), the step and the remedy. */
    enum stj_status (*linearize)(const void *config, const struct stj_step *at,
                                 const struct stj_update *before, const real *g, size_t first,
                                 real *const *coef, struct stj_error *err);

    /* moved (all zeros) <- the derivative of the step by its momentum or beta1, which is above 0;
     * before and g as above.  NULL: it is not known. */
    void (*by_momentum)(const void *config, const struct stj_step *at,
                        const struct stj_update *before, const real *g,
                        const struct stj_update *moved);
    enum stj_decay decay;

    void (*tangent)(const void *config, const struct stj_step *at,
                    const struct stj_update_tile *tile);
    void (*adjoint)(const void *config, const struct stj_step *at,
                    const struct stj_update_tile *tile);
};

/* The functions of a parsed plug-in. */
static inline const struct stj_optimizer_ops *stj_optimizer_of(const struct stj_plugin *plugin)
{
    const struct stj_optimizer_ops *ops = (const struct stj_optimizer_ops *)plugin->info;
    return ops->variant ? ops->variant(plugin->config) : ops;
}

extern const struct stj_kind stj_optimizers; /* the registry: train/optimizers.c */

#endif
