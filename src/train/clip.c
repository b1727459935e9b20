/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/clip.c: gradient clipping. */
#include "train/clip.h"

#include <math.h>
#include <string.h>

#include "base/target_clones.h"
#include "train/schedule.h"

/* Clip g[n] to a norm.  Returns the factor, 1 where g is left as it is. */
static double clip_norm(size_t n, real *g, double limit, double eps, real *unit)
{
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)g[i] * (double)g[i];
    const double norm = sqrt(square);
    if (!(norm + eps > limit))
        return 1;
    const double factor = limit / (norm + eps);
    const double share = eps > 0 ? sqrt(norm / (norm + eps)) : 1;
    for (size_t i = 0; unit && i < n; i++)
        unit[i] = norm > 0 ? (real)((double)g[i] / norm * share) : 0;
    for (size_t i = 0; i < n; i++)
        g[i] = (real)(factor * (double)g[i]);
    return factor;
}

static bool clip_tensors(const struct stj_recipe *recipe, const struct stj_layout *layout, real *g,
                         double *factor, real *unit)
{
    bool clipped = false;
    for (size_t i = 0; i < layout->n_tensors; i++) {
        const struct stj_tensor_shape *t = &layout->tensor[i];
        const size_t n = t->rows * t->cols;
        const double f = clip_norm(n, g + t->offset, recipe->clip_tensor_norm, recipe->clip_eps,
                                   unit ? unit + t->offset : NULL);
        if (f == 1 && unit)
            memset(unit + t->offset, 0, n * sizeof *unit);
        if (factor)
            factor[i] = f;
        clipped = clipped || f != 1;
    }
    return clipped;
}

static bool clip_values(size_t n, real *g, real limit, real *unit)
{
    bool clipped = false;
    for (size_t i = 0; i < n; i++) {
        const bool above = g[i] > limit, below = g[i] < -limit;
        g[i] = above ? limit : below ? -limit : g[i];
        clipped = clipped || above || below;
        if (unit)
            unit[i] = above || below ? 0 : 1;
    }
    return clipped;
}

bool stj_clip(const struct stj_recipe *recipe, const struct stj_layout *layout, size_t n,
              size_t step, size_t n_steps, real *g, double *factor, real *unit)
{
    double f = 1;
    if (recipe->clip_tensor_norm > 0)
        return clip_tensors(recipe, layout, g, factor, unit);
    if (recipe->clip_value > 0)
        return clip_values(n, g, (real)recipe->clip_value, unit);
    if (recipe->clip_norm > 0)
        f = clip_norm(n, g, recipe->clip_norm, recipe->clip_eps, unit);
    else if (recipe->clip_factor) {
        f = stj_schedule_eta(recipe->clip_factor, step, n_steps);
        for (size_t i = 0; i < n; i++)
            g[i] = (real)(f * (double)g[i]);
        if (unit)
            memset(unit, 0, n * sizeof *unit);
    }
    if (factor)
        *factor = f;
    return f != 1;
}

double stj_climb(const struct stj_recipe *recipe, size_t n, const real *theta, const real *g,
                 real *climbed, real *unit)
{
    const bool adaptive = recipe->sam_adaptive;
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)g[i] * (adaptive ? (double)theta[i] : 1);
        square += x * x;
    }
    const double norm = sqrt(square);
    const double factor = norm > 0 ? recipe->sam_rho / norm : 0;
    for (size_t i = 0; unit && i < n; i++)
        unit[i] = norm > 0 ? (real)((double)g[i] / norm) : 0;
    for (size_t i = 0; climbed && i < n; i++) {
        const double scale = adaptive ? (double)theta[i] * (double)theta[i] : 1;
        climbed[i] = theta[i] + (real)(factor * scale * (double)g[i]);
    }
    return factor;
}

void stj_climb_dot(const struct stj_climb_tile *c, double *dot)
{
    memset(dot, 0, c->nvec * sizeof *dot);
    for (size_t i = 0; i < c->rows * c->nvec * c->cols; i++) {
        const size_t k = i / (c->nvec * c->cols) * c->cols + i % c->cols;
        const double p = (double)c->point[k], u = (double)c->unit[k];
        const double x = (double)c->g[i] * (c->forward ? c->factor / c->rho : c->rho);
        dot[i / c->cols % c->nvec] += p * u * (p * x + (c->forward ? u * (double)c->theta[i] : 0));
    }
}

void stj_climb_project(const struct stj_climb_tile *c, const double *dot)
{
    for (size_t i = 0; i < c->rows * c->nvec * c->cols; i++) {
        const size_t k = i / (c->nvec * c->cols) * c->cols + i % c->cols;
        const double p = (double)c->point[k], u = (double)c->unit[k];
        const double x = (double)c->g[i] * (c->forward ? c->factor / c->rho : c->rho);
        const double q = p * p * (x - u * dot[i / c->cols % c->nvec]);
        if (!c->forward)
            c->theta[i] += (real)(p * u * (2 * x - u * dot[i / c->cols % c->nvec]));
        c->g[i] = (real)(c->forward ? c->rho * (2 * p * u * (double)c->theta[i] + q)
                                    : c->factor / c->rho * q);
    }
}

void stj_clip_dot(size_t rows, size_t nvec, size_t cols, const real *unit, const real *g,
                  double *dot)
{
    memset(dot, 0, nvec * sizeof *dot);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                dot[j] += (double)unit[r * cols + c] * (double)g[(r * nvec + j) * cols + c];
}

STJ_CLONES void stj_clip_project(size_t rows, size_t nvec, size_t cols, double factor,
                                 const real *unit, const double *dot, real *g)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++) {
                const size_t at = (r * nvec + j) * cols + c;
                g[at] = (real)(factor * ((double)g[at] - (double)unit[r * cols + c] * dot[j]));
            }
}

STJ_CLONES void stj_clip_mask(size_t rows, size_t nvec, size_t cols, const real *unit, real *g)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                g[(r * nvec + j) * cols + c] *= unit[r * cols + c];
}
