/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/average.h: the contract of an average of states, the end point of a training that has one.
 *
 *     a_s = (1 - w_s) a_(s-1) + w_s theta_s,    a_s = theta_s up to the first state that counts
 *
 * It is one more vector of the state, behind the optimizer's slots, which a step updates last; and
 * its derivative is as linear:
 *
 *     tangent    a_dot <- (1 - w) a_dot + w theta_dot
 *     adjoint    theta_bar <- theta_bar + w a_bar;    a_bar <- (1 - w) a_bar
 */
#ifndef STJ_TRAIN_AVERAGE_H
#define STJ_TRAIN_AVERAGE_H

#include <stddef.h>

#include "base/real.h"
#include "options/option.h"

/* The keys that every average has: a plug-in's `common`. */
struct stj_average_config {
    size_t start; /* the first state that counts */
    size_t every; /* and from there on one of so many */
};

struct stj_average_ops {
    struct stj_plugin_info info;

    /* w of the state that is the k-th to count, k = 1, 2, ... behind the first. */
    double (*weight)(const void *config, size_t k);
};

extern const struct stj_kind stj_averages; /* the registry: train/average.c */

/* w_s: 1 up to the first state that counts, 0 of one that does not. */
double stj_average_weight(const struct stj_plugin *average, size_t s);

/* The same of state t before step t: 1 where its average is its parameters, so that those of a
 * state that is made anew count; else 0. */
double stj_average_begin(const struct stj_plugin *average, size_t t);

/* Any of these for n numbers, tangents as states. */
void stj_average_update(size_t n, double w, const real *theta, real *average);
void stj_average_adjoint(size_t n, double w, real *theta_bar, real *average_bar);

#endif
