/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/clip.h: gradient clipping by global norm, optax's clip_by_global_norm, and its
 * differential.
 *
 *     |g| <= c     g unchanged
 *     |g| > c      h = c e,   e = g / |g|
 *                  h_dot = (c / |g|) (g_dot - e (e . g_dot))
 *
 * The differential is symmetric, so tangents and adjoints take the same form.
 */
#ifndef STJ_TRAIN_CLIP_H
#define STJ_TRAIN_CLIP_H

#include "base/block.h"

/* Clip g[n] in place to the norm `limit` (0: never); unit[n] (may be NULL) <- g / |g| where it is
 * clipped. Returns the factor c / |g|, or 1 where g is left as it is. */
double stj_clip(size_t n, real *g, double limit, real *unit);

/* A range of rows of one tensor, [rows][cols] in a vector and [rows][nvec][cols] in a tile.  unit
 * and g point at the range.
 *     dot[nvec] <- the range's share of e . g */
void stj_clip_dot(size_t rows, size_t nvec, size_t cols, const real *unit, const real *g,
                  double *dot);

/*     g <- factor (g - e dot),  dot[nvec] now the whole sums */
void stj_clip_project(size_t rows, size_t nvec, size_t cols, double factor, const real *unit,
                      const double *dot, real *g);

#endif
