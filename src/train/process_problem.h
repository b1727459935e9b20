/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/process_problem.h: a problem whose numbers come from another process
 * (docs/problem-protocol.md). */
#ifndef STJ_TRAIN_PROCESS_PROBLEM_H
#define STJ_TRAIN_PROCESS_PROBLEM_H

#include "train/problem.h"
#include "train/process_hello.h"

/* In the place of a process: a program that calls the library with functions of its own. */
struct stj_program {
    const struct stj_problem *problem; /* of one tensor; borrowed */
    uint64_t fingerprint;
    double theta0[]; /* [n_params] */
};

/* As parsed from the config's `problem:` group. */
struct stj_process_config {
    struct stj_texts command;
    bool callbacks;              /* the numbers are a program's, */
    struct stj_program *program; /* this one's; owned; NULL: it is not at hand */
    char *directory;
    double timeout;            /* seconds of an answer */
    struct stj_shapes tensors; /* n == 0: as the process says */
};

extern const struct stj_option stj_process_options[];

struct stj_process;

/* *process <- the command, started; what it says of itself is read and compared with the config,
 * which is borrowed.  Every failure from here on names what was asked for, how the process ended and
 * its last line of standard error; after one the process is not asked again. */
enum stj_status stj_process_open(const struct stj_process_config *config,
                                 struct stj_process **process, struct stj_error *err);
void stj_process_close(struct stj_process *process); /* NULL is accepted */
STJ_HOLDS(struct stj_process, stj_process_close)

const struct stj_hello *stj_process_hello(const struct stj_process *process);

/* theta[n_params] <- the initial parameters of a seed. */
enum stj_status stj_process_initial(struct stj_process *process, uint64_t seed, double *theta,
                                    struct stj_error *err);

/* *loss <- the mean loss on one of its sets at theta; g[n_params], where not NULL, <- its gradient:
 * STJ_EUNSUPPORTED where it does not give these. */
enum stj_status stj_process_loss(struct stj_process *process, const struct stj_named_set *set,
                                 const double *theta, double *loss, double *g,
                                 struct stj_error *err);

/* *problem <- gradients and products of the process, which is borrowed as the layout is; NULL: one
 * that can be asked for sizes alone. */
enum stj_status stj_process_problem_create(struct stj_process *process,
                                           const struct stj_layout *layout, size_t n_steps,
                                           struct stj_problem **problem, struct stj_error *err);

#endif
