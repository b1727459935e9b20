/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/clip.c: gradient clipping by global norm. */
#include "train/clip.h"

#include <math.h>
#include <string.h>

#include "base/target_clones.h"

double stj_clip(size_t n, real *g, double limit, real *unit)
{
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)g[i] * (double)g[i];
    const double norm = sqrt(square);
    if (limit == 0 || !(norm > limit))
        return 1;
    const double factor = limit / norm;
    for (size_t i = 0; unit && i < n; i++)
        unit[i] = (real)((double)g[i] / norm);
    for (size_t i = 0; i < n; i++)
        g[i] = (real)(factor * (double)g[i]);
    return factor;
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
