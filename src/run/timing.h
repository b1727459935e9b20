/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/timing.h: how fast this machine goes through the steps of a run, measured on a few. */
#ifndef STJ_RUN_TIMING_H
#define STJ_RUN_TIMING_H

#include <stdbool.h>

#include <spectraj/run.h>

struct stj_timing {
    double train;     /* seconds of a training step */
    double linearize; /* of making a step's linearisation */
    double sweep;     /* of a product beside its steps: copying vectors in and out */
};

/* *meter <- the run's with products in this precision, measured when first asked for. */
enum stj_status stj_run_time(struct stj_run *run, enum stj_precision precision,
                             const struct stj_timing **meter, struct stj_error *err);

/* *seconds <- of a step for `block` vectors together with J, or with J', its linearisation at hand;
 * measured when first asked for. */
enum stj_status stj_run_time_block(struct stj_run *run, enum stj_precision precision, size_t block,
                                   bool backward, double *seconds, struct stj_error *err);

/* Of this machine, measured when first asked for: operations a second of a dense decomposition,
 * bytes a second of products with tall matrices, and of states that are compared with their
 * checksums. */
double stj_timing_svd_rate(void);
double stj_timing_vector_rate(void);
double stj_timing_crc_rate(void);

#endif
