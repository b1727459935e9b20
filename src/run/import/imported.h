/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/import/imported.h: the states of a training elsewhere, which trajectory.states names.
 *
 * State t is theta before step t, the last one after the last step.  Given are those at 0, c, 2 c,
 * ... with c = trajectory.every (default 1), and perhaps the last.  They lie in one file with an
 * axis for the states, or in a file each, with the step's number in its name.
 */
#ifndef STJ_RUN_IMPORT_IMPORTED_H
#define STJ_RUN_IMPORT_IMPORTED_H

#include "base/memory.h"
#include "run/run_internal.h"

struct stj_imported;
struct stj_recording;

/* *given <- the states of the run's config, which is borrowed.  STJ_EMISMATCH lists the missing
 * steps, or all tensors that do not fit. */
enum stj_status stj_imported_open(const struct stj_run *run, struct stj_imported **given,
                                  struct stj_error *err);
void stj_imported_close(struct stj_imported *given); /* NULL is accepted */
STJ_HOLDS(struct stj_imported, stj_imported_close)

/* Is state t given? */
bool stj_imported_has(const struct stj_imported *given, size_t t);

/* theta[n_params], and frozen[n_frozen] unless NULL, <- state t. */
enum stj_status stj_imported_read(struct stj_imported *given, size_t t, double *theta,
                                  double *frozen, struct stj_error *err);

/* theta[n_params] and frozen[n_frozen] <- the first of the states. */
enum stj_status stj_imported_initial(const struct stj_run *run, double *theta, double *frozen,
                                     struct stj_error *err);

/* run->given <- what there is to know of the states before the training: all are read once. */
enum stj_status stj_imported_survey(struct stj_run *run, struct stj_error *err);

/* How far off the given theta a step landed that began at `last`, relative to what that moves, and
 * to the rounding of numbers with this precision. */
double stj_landed_deviation(size_t n, const real *landed, const double *theta, const double *last,
                            double eps);

/* How far a replay over `every` steps may land from a given state. */
double stj_imported_tolerance(const struct stj_run *run, size_t every);

/* Replay every step between the given states, from the last one that the recording has: each
 * becomes the state of its step, with the optimizer's slots as the replay made them.  Beyond the
 * tolerance, STJ_EMISMATCH unless `accept`.  state[n_state] <- the last. */
enum stj_status stj_imported_replay(struct stj_run *run, struct stj_recording *recording,
                                    bool accept, real *state, const struct stj_progress *progress,
                                    struct stj_error *err);

#endif
