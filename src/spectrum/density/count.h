/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/count.h: from the mass below edges to counts with intervals. */
#ifndef STJ_SPECTRUM_DENSITY_COUNT_H
#define STJ_SPECTRUM_DENSITY_COUNT_H

#include "spectrum/density/quadrature.h"

/* *count <- the singular values between two edges: `known` deflated ones and those that the
 * quadrature sees. */
void stj_density_count_between(const struct stj_density_result *result, const struct stj_edge *from,
                               const struct stj_edge *to, double known, double confidence,
                               struct stj_density_count *count);

/* The edges at 0 and at infinity. */
extern const struct stj_edge stj_edge_bottom, stj_edge_top;

/* Fill result->missed_above and missed_below. */
enum stj_status stj_density_find_missed(struct stj_density_result *result, struct stj_error *err);

/* epsilon and confidence are usable: else STJ_EINVAL. */
enum stj_status stj_density_check(double epsilon, double confidence, struct stj_error *err);

#endif
