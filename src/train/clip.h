/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/clip.h: what is done to a gradient before the update, and its differential.
 *
 *     norm      n = |g| of the whole gradient, or of each tensor:  h = f g,  f = min(1, c / (n + eps));
 *               where n + eps > c:  h_dot = f (g_dot - u (u . g_dot)),  u = g / n sqrt(n / (n + eps))
 *     value     h = g cut to [-c, c];  h_dot = g_dot where it is not cut, else 0
 *     factor    h = f g,  f given for the step:  h_dot = f g_dot
 *
 * With eps = 0 the first is optax's clip_by_global_norm, with 1e-6 torch's clip_grad_norm_.  The
 * differentials are symmetric, so tangents and adjoints take the same form.  At a kink it is that of
 * the branch that was taken.
 */
#ifndef STJ_TRAIN_CLIP_H
#define STJ_TRAIN_CLIP_H

#include "train/recipe.h"

/* Clip g[n] in place at a step.  Returns whether the differential is another than g_dot; then
 * unit[n] <- u, or by value 1 where it is not cut, else 0; and factor <- f, one for all or for each
 * tensor.  Both may be NULL; layout too, where no tensors are looked at (in a subspace). */
bool stj_clip(const struct stj_recipe *recipe, const struct stj_layout *layout, size_t n,
              size_t step, size_t n_steps, real *g, double *factor, real *unit);

/* Sharpness-aware minimisation (Foret et al. 2021): the gradient of a step is that at
 *     climbed = theta + f g,  f = rho / |g|,  whose differential is theta_dot + f (g_dot - u (u . g_dot))
 * climbed[n] <- that, unit[n] <- u = g / |g| (NULL: not).  Returns f.  Where g = 0 there is no way
 * up: climbed = theta, and f = 0, u = 0.
 *
 * Adaptive (Kwon et al. 2021): climbed = theta + rho theta^2 u, with |theta g| in the place of |g|. */
double stj_climb(const struct stj_recipe *recipe, size_t n, const real *theta, const real *g,
                 real *climbed, real *unit);

/* A range of rows of one tensor, [rows][cols] in a vector and [rows][nvec][cols] in a tile.  unit
 * and g point at the range.
 *     dot[nvec] <- the range's share of u . g */
void stj_clip_dot(size_t rows, size_t nvec, size_t cols, const real *unit, const real *g,
                  double *dot);

/*     g <- factor (g - u dot),  dot[nvec] now the whole sums */
void stj_clip_project(size_t rows, size_t nvec, size_t cols, double factor, const real *unit,
                      const double *dot, real *g);

/* The same of an adaptive climb, forward with g = g_dot and backward with g = climbed_bar:
 *     h = g_dot f / rho,  s = (theta^2 u) . h + (theta u^2) . theta_dot
 *     forward     g <- rho (2 theta u theta_dot + theta^2 (h - u s))
 *     backward    b = rho climbed_bar,  q = (theta^2 u) . b
 *                 theta_bar <- theta_bar + 2 theta u b - theta u^2 q;  g <- f / rho theta^2 (b - u q)
 * dot: shares of s, or of q; then their sums. */
struct stj_climb_tile {
    size_t rows, nvec, cols;
    bool forward;
    double rho, factor;
    const real *point, *unit; /* theta and u */
    real *theta, *g;          /* theta_dot or theta_bar */
};
void stj_climb_dot(const struct stj_climb_tile *c, double *dot);
void stj_climb_project(const struct stj_climb_tile *c, const double *dot);

/*     g <- g where it is not cut */
void stj_clip_mask(size_t rows, size_t nvec, size_t cols, const real *unit, real *g);

#endif
