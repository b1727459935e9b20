/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/rough_count.h: about how many singular values lie where, for who is about to
 * look for them. */
#ifndef STJ_SPECTRUM_DENSITY_ROUGH_COUNT_H
#define STJ_SPECTRUM_DENSITY_ROUGH_COUNT_H

#include <spectraj/op.h>
#include <spectraj/progress.h>

#include "spectrum/cost_model.h"

/* Of probes and of steps, each two products. */
enum { STJ_ROUGH_COUNT_PROBES = 2, STJ_ROUGH_COUNT_STEPS = 30 };

/* *count <- the singular values above, or else below, a threshold, by a coarse quadrature. */
enum stj_status stj_density_rough_count(struct stj_op *a, double threshold, bool above,
                                        uint64_t seed, const struct stj_progress *progress,
                                        double *count, struct stj_error *err);

/* What that takes of an m x n operator. */
void stj_density_rough_predict(size_t m, size_t n, struct stj_prediction *prediction);

#endif
