/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/rough_count.c: a coarse quadrature, of which one count is kept. */
#include "spectrum/density/rough_count.h"

#include "base/error.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/density/quadrature.h"

static struct stj_density_settings rough_settings(void)
{
    struct stj_density_settings s = stj_density_settings_default();
    s.probes = STJ_ROUGH_COUNT_PROBES;
    s.steps = STJ_ROUGH_COUNT_STEPS;
    return s;
}

enum stj_status stj_density_rough_count(struct stj_op *a, double threshold, bool above,
                                        uint64_t seed, const struct stj_progress *progress,
                                        double *count, struct stj_error *err)
{
    struct stj_density_settings s = rough_settings();
    STJ_HELD(stj_density_result_destroy_at) struct stj_density_result *density = NULL;
    struct stj_density_count below;
    const double edge[2] = {0, threshold};
    s.seed = seed;
    s.progress = *progress;
    STJ_MUST(stj_density_solve(a, &s, &density, err));
    STJ_MUST(stj_density_histogram(density, 2, edge, s.confidence, &below, err));
    *count = above ? (double)density->n_params - below.estimate : below.estimate;
    return STJ_OK;
}

void stj_density_rough_predict(size_t m, size_t n, struct stj_prediction *prediction)
{
    const struct stj_density_settings s = rough_settings();
    stj_density_predict(&s, m, n, prediction);
}
