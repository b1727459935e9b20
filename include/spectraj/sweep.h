/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/sweep.h: one config with several values for some of its keys: which runs that makes.
 *
 * Threads: different sweeps may be used by different threads at once.
 */
#ifndef SPECTRAJ_SWEEP_H
#define SPECTRAJ_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/option.h>
#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_config_sweep;

/* *sweep <- the runs of a config with all combinations of values of n keys; the first key changes
 * slowest.  A text is a list of values as YAML, "0.1, 0.3" or "[8, 8], [64]", or of ranges of whole
 * numbers, "0..9".  The config is read with each combination: STJ_ECONFIG for the first that it does not
 * take, and for two with the same name. */
enum stj_status stj_config_sweep_create(const char *config_path, size_t n,
                                        const struct stj_option_pair *set,
                                        struct stj_config_sweep **sweep, struct stj_error *err);
void stj_config_sweep_destroy(struct stj_config_sweep *sweep); /* NULL is accepted */

/* A run of a sweep, borrowed from it. */
struct stj_config_sweep_run {
    const char *name; /* of its folder: "training.learning_rate.peak=0.3,init.seed=0" */
    size_t n;         /* values */
    const struct stj_option_pair *set; /* [n], as for stj_run_train */
};

/* run <- run number i; false past the last. */
bool stj_config_sweep_get(const struct stj_config_sweep *sweep, size_t i,
                          struct stj_config_sweep_run *run);

#ifdef __cplusplus
}
#endif

#endif
