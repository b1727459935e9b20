/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/quadrature.h: Gauss rules of a probe, and bounds on the mass below an edge. */
#ifndef STJ_SPECTRUM_DENSITY_QUADRATURE_H
#define STJ_SPECTRUM_DENSITY_QUADRATURE_H

#include <spectraj/density.h>

#include "base/memory.h"

/* sigma[k], descending, and weight[k] with sum 1: the Gauss rule of the first k steps. */
enum stj_status stj_gauss_rule(const struct stj_density_probe *probe, size_t k, double *sigma,
                               double *weight, struct stj_error *err);

/* *low, *high <- the least and the greatest mass below `edge` > 0 of all measures on [0, infinity)
 * that have the alpha and beta of the first k steps, 1 <= k <= probe->k. */
enum stj_status stj_mass_bounds(const struct stj_density_probe *probe, size_t k, double edge,
                                double *low, double *high, struct stj_error *err);

/* The mass below an edge, as a fraction of the n_left singular values: means over the probes. */
struct stj_edge {
    double mass;      /* the estimate: extrapolated in the number of steps, within low .. high */
    double error;     /* what a finite number of steps may be off */
    double low, high; /* of the bounds */
};

/* By how much the singular values of an exact probe may have moved. */
double stj_exact_error(const struct stj_density_result *result);

/* *edge <- for an edge > 0 of a result with at least one probe. */
enum stj_status stj_edge_measure(const struct stj_density_result *result, double at,
                                 struct stj_edge *edge, struct stj_error *err);

STJ_HOLDS(struct stj_density_result, stj_density_result_destroy)

#endif
