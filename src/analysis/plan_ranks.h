/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/plan_ranks.h: what several ranks change in the cost of an analysis. */
#ifndef STJ_ANALYSIS_PLAN_RANKS_H
#define STJ_ANALYSIS_PLAN_RANKS_H

#include <spectraj/plan.h>

/* The ranks of one analysis.  All 1 and 0: the process at hand. */
struct stj_plan_division {
    size_t n, groups, per_product; /* n = groups * per_product */
    double speed;                  /* of a step, in ranks that have a slice to work on */
    double bytes_per_step;         /* that a rank sends for a vector */
    double bytes_per_product;      /* and for a vector of a product beside its steps */
    double bytes_per_second;       /* of what is sent; 0: nothing is */
};

/* For blocks of so many columns of the run. */
struct stj_plan_division stj_plan_divide(const struct stj_run *run,
                                         const struct stj_plan_ranks *ranks, size_t columns);

/* Columns of a block that the busiest group has. */
size_t stj_plan_columns(const struct stj_plan_division *d, size_t block);

/* Seconds that are spent on messages for so many steps of a block. */
double stj_plan_message_seconds(const struct stj_plan_division *d, double steps, size_t block);

#endif
