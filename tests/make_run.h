/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/make_run.h: small trainings from YAML texts and a seed, for the tests and the benchmark. */
#ifndef STJ_TESTS_MAKE_RUN_H
#define STJ_TESTS_MAKE_RUN_H

#include "net/network.h"
#include "train/network_problem.h"
#include "trajectory/trajectory.h"

struct small_spec {
    const char *network;   /* the text of a `network:` group */
    const char *optimizer; /* "{type: sgd, momentum: 0.9}" */
    const char *schedule;  /* "{schedule: cosine, peak: 0.1}" */
    const char *average;   /* "{type: ema, start: 2}"; NULL: the end point is the last state */
    bool sam_adaptive;
    double sam_rho;   /* 0: a step has one gradient */
    double clip_norm; /* 0: gradients are not clipped */
    size_t rows, batch, steps;
    uint64_t seed; /* of the data and the initial parameters */
};

/* Everything of a training. */
struct small_run {
    struct stj_network_config config;
    struct stj_network *net;
    struct stj_dataset *data;
    struct stj_batch_order *order;
    struct stj_problem *problem;
    struct stj_plugin optimizer, schedule, average;
    struct stj_recipe recipe;
    size_t n; /* parameters */
    size_t n_steps;
    double *state; /* theta_0 and the slots */
    struct stj_trajectory *trajectory;
};

/* *run <- data drawn from the seed, and the network trained on them. */
enum stj_status small_run_make(const struct small_spec *spec, struct small_run **run,
                               struct stj_error *err);
void small_run_destroy(struct small_run *run); /* NULL is accepted */

/* plugin <- the plug-in of a kind that a text of YAML says. */
enum stj_status plugin_from_text(const struct stj_kind *kind, const char *text,
                                 struct stj_plugin *plugin, struct stj_error *err);

/* *x <- n seeded normal numbers; free them. */
enum stj_status seeded_normal(size_t n, uint64_t seed, double **x, struct stj_error *err);

#endif
