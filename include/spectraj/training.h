/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/training.h: training a problem of the caller's own, and its training Jacobian.
 *
 * Threads: one training or product at a time in a process (spectraj/progress.h says why); a
 * training belongs to one thread at a time.
 */
#ifndef SPECTRAJ_TRAINING_H
#define SPECTRAJ_TRAINING_H

#include <spectraj/op.h>
#include <spectraj/problem.h>
#include <spectraj/progress.h>
#include <spectraj/run.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_training;

/* How to train. */
struct stj_training_settings {
    size_t size; /* of this struct in bytes, as the program was compiled */
    /* The keys optimizer, learning_rate and clip_... of a config's `training` group, as YAML:
     * "{optimizer: {type: sgd, momentum: 0.9}, learning_rate: {schedule: constant, peak: 0.1}}" */
    const char *recipe;
    const double *theta0;         /* [n_params] */
    struct stj_progress progress; /* between steps */
    /* A training elsewhere: theta_0 .. theta_n that it passed through, [(n_steps + 1) n_params], in
     * the place of theta0; NULL: train.  Every step is taken from where it began there, and one that
     * lands further than `tolerance` (0: 1.5e-8) off the next, relative to what that moved, is
     * refused, STJ_EMISMATCH. */
    const double *states;
    double tolerance; /* see states */
};

/* *training <- the problem trained through its n_steps, every state kept in memory.  The problem is
 * borrowed. */
enum stj_status stj_training_create(const struct stj_problem *problem,
                                    const struct stj_training_settings *settings,
                                    struct stj_training **training, struct stj_error *err);
void stj_training_destroy(struct stj_training *training); /* NULL is accepted */

/* theta_t, t = 0 .. n_steps, n_params numbers into theta. */
enum stj_status stj_training_theta(struct stj_training *training, size_t t, double *theta,
                                   struct stj_error *err);

/* loss[n_steps]: L_t at theta_t; borrowed. */
const double *stj_training_loss_curve(const struct stj_training *training);

/* *op <- the training Jacobian J(from -> to), to = 0 meaning n_steps, for every solver that takes
 * an operator; the training is borrowed. */
enum stj_status stj_training_jacobian(struct stj_training *training, size_t from, size_t to,
                                      struct stj_op **op, struct stj_error *err);

/* As stj_run_validate: are gradient and hvp derivatives of the loss and of the gradient, and is the
 * same trained again? */
enum stj_status stj_training_validate(struct stj_training *training, uint64_t seed,
                                      size_t dense_limit, const struct stj_progress *progress,
                                      struct stj_validation *v, struct stj_error *err);

/* How to make a run of a problem of the caller's own. */
struct stj_run_problem_settings {
    size_t size; /* of this struct in bytes, as the program was compiled */
    /* YAML as in a config file: "problem: {callbacks: true}" in the place of data and network,
     * perhaps with names for parts of theta, "tensors: {out.weight: [10, 4], out.bias: [10]}";
     * training (with `steps`), trajectory, analysis, study as in any. */
    const char *config;
    /* [n_params]; copied.  NULL: the config has init.file or trajectory.states. */
    const double *theta0;
    uint64_t fingerprint;         /* of all that the functions' numbers depend on, as their data */
    bool force;                   /* replace a run that is there */
    struct stj_progress progress; /* between steps */
};

/* *run (may be NULL) <- the problem trained into the folder `dir`, a run like any other: what was
 * interrupted goes on with the same bits, and a folder that holds the run already is opened.
 * STJ_EEXIST: it holds another one.  The problem is borrowed by the run.  Everything that needs
 * products asks its functions; the command shows what is stored. */
enum stj_status stj_run_create_problem(const struct stj_problem *problem, const char *dir,
                                       const struct stj_run_problem_settings *settings,
                                       struct stj_run **run, struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
