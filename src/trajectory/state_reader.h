/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/state_reader.h: the states that trajectory.h5 holds, read one by one and verified. */
#ifndef STJ_TRAJECTORY_STATE_READER_H
#define STJ_TRAJECTORY_STATE_READER_H

#include "io/h5.h"
#include "trajectory/record.h"

struct stj_state_reader {
    struct stj_record record;
    struct stj_h5_rows *rows;
};

void stj_state_reader_close(struct stj_state_reader *source); /* leaves it zeroed */

/* The number of the last stored state at or before step t. */
size_t stj_state_reader_before(const struct stj_state_reader *source, size_t t);

/* Is state t stored? */
bool stj_state_reader_has(const struct stj_state_reader *source, size_t t);

/* state[n_state] <- the k-th stored state; several threads may read at once. */
enum stj_status stj_state_reader_read(const struct stj_state_reader *source, size_t k, real *state,
                                      struct stj_error *err);

/* Those of states first .. first + count - 1 that are stored, and not there[count] yet (NULL: none
 * is), into state[count][n_state].  Ranks that share memory read a part each, for all; they call
 * this, and leave, together. */
enum stj_status stj_state_reader_read_range(const struct stj_state_reader *source, size_t first,
                                            size_t count, const bool *there, real *state,
                                            struct stj_error *err);

/* The stored states from step first to last will be wanted soon. */
void stj_state_reader_ahead(const struct stj_state_reader *source, size_t first, size_t last);

#endif
