/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/recording.h: a training on its way to trajectory.h5: its states in a record log, as
 * they come.
 *
 * A process that is killed loses the states after the last whole record; the next one goes on from
 * there, and since a step depends on nothing but its state and its number, with the same bits.
 */
#ifndef STJ_TRAJECTORY_RECORDING_H
#define STJ_TRAJECTORY_RECORDING_H

#include <stdbool.h>

#include "trajectory/record.h"
#include "trajectory/trajectory.h"

struct stj_recording;

/* *recording <- the log at path, gone on with when it was begun with the same header text, else
 * new. States 0, every, 2 every, ... and the last are kept; of the others their checksums.
 * deviates: states are given from elsewhere, see struct stj_record. */
enum stj_status stj_recording_open(const char *path, const char *header,
                                   const struct stj_trajectory_shape *shape, size_t every,
                                   bool deviates, struct stj_recording **recording,
                                   struct stj_error *err);
void stj_recording_close(struct stj_recording *recording); /* NULL is accepted; syncs */

/* The number of states that are kept, and of all that will be. */
size_t stj_recording_n_kept(const struct stj_recording *recording);
size_t stj_recording_n_wanted(const struct stj_recording *recording);

/* *step, state[n_state] <- the last state kept; there must be one. */
enum stj_status stj_recording_last(struct stj_recording *recording, size_t *step, real *state,
                                   struct stj_error *err);

/* A stj_state_fn (ctx is the recording), beginning with the state after the last one kept, or with
 * that one. */
enum stj_status stj_recording_add(void *recording, size_t t, const real *state, double loss,
                                  struct stj_error *err);

/* Take over what a shorter recording of the same training has: its losses, its checksums, and the
 * states that are kept here, from the last one in the log on.  seconds: what it took. */
enum stj_status stj_recording_adopt(struct stj_recording *recording, struct stj_trajectory *shorter,
                                    double seconds, struct stj_error *err);

/* The deviation of the next state that is added, where states are given; NaN: that one is not. */
void stj_recording_set_deviation(struct stj_recording *recording, double deviation);

/* Seconds of training that led to the last state kept, over all processes. */
double stj_recording_seconds(const struct stj_recording *recording);

/* A complete recording as trajectory.h5. */
enum stj_status stj_recording_write(struct stj_recording *recording, const char *path,
                                    const struct stj_trajectory_about *about,
                                    struct stj_error *err);

#endif
