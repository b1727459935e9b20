/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/small_run.h: small trainings for tests, from YAML texts, seeded. */
#ifndef STJ_TESTS_SMALL_RUN_H
#define STJ_TESTS_SMALL_RUN_H

#include "make_run.h"
#include "op/training_jacobian.h"

/* small_run_make, which fails the test on any error. */
struct small_run *small_run_create(const struct small_spec *spec);

/* The Jacobian of the window; memory and tile as in the settings, 0: chosen. */
struct stj_op *small_run_jacobian(struct small_run *run, size_t from, size_t to, size_t memory,
                                  size_t tile);

/* The least memory that a Jacobian of the window takes. */
size_t small_run_least_memory(struct small_run *run, size_t from, size_t to);

/* trajectory.h5 (and nothing else) of the run at `path`, with every c-th state and the last. */
void small_run_write(struct small_run *run, size_t every, const char *path);

/* The same of any trajectory that has every state. */
enum stj_status write_trajectory(struct stj_trajectory *trajectory, size_t every, const char *path,
                                 const struct stj_trajectory_about *about, struct stj_error *err);

/* run->trajectory <- what such a file holds, for this run's training. */
void small_run_read(struct small_run *run, const char *path);

/* A callback problem: L_t(theta) = theta' A_t theta / 2 - b_t' theta with symmetric A_t. */
struct quadratic {
    size_t n, n_steps;
    size_t n_matrices; /* A_t = a[t % n_matrices] */
    double *a;         /* [n_matrices][n][n] */
    double *b;         /* [n] */
};
struct quadratic *quadratic_create(size_t n, size_t n_steps, size_t n_matrices, uint64_t seed);
void quadratic_destroy(struct quadratic *q);
struct stj_problem *quadratic_problem(struct quadratic *q);

/* plugin <- the plug-in of a kind that a text of YAML says; fails the test on any error. */
void parse_plugin(const struct stj_kind *kind, const char *text, struct stj_plugin *plugin);

/* Seeded normal numbers; free them. */
double *normal_numbers(size_t n, uint64_t seed);

/* max |x_i - y_i|. */
double largest_difference(size_t n, const double *x, const double *y);

#endif
