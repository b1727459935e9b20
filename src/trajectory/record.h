/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/record.h: what is kept of a training: which states, and the checksum of every state,
 * kept or not, so that a state that is computed again can be compared. */
#ifndef STJ_TRAJECTORY_RECORD_H
#define STJ_TRAJECTORY_RECORD_H

#include "trajectory/policies/policy.h"

struct stj_record {
    struct stj_trajectory_shape shape;
    size_t n_stored;
    /* [n_stored]: of the stored states, increasing, from 0 to n_steps; NULL, as crc and loss are:
     * nothing took place, and every `every`-th is meant (stj_record_step). */
    uint64_t *step;
    size_t every;
    uint64_t *crc; /* [n_steps + 1]: stj_state_crc of every state */
    double *loss;  /* [n_steps] */
    /* [n_stored]: how far the steps before a state that was given from elsewhere landed from it (0:
     * the first); NaN: it was not given.  NULL: none was. */
    double *deviation;
};

/* record (all zeros) <- room for n_stored states; step, crc and loss are zero. */
enum stj_status stj_record_init(const struct stj_trajectory_shape *shape, size_t n_stored,
                                struct stj_record *record, struct stj_error *err);

/* The step of the k-th stored state. */
static inline size_t stj_record_step(const struct stj_record *record, size_t k)
{
    const size_t last = record->shape.n_steps;
    return record->step ? record->step[k] : k < record->n_stored - 1 ? k * record->every : last;
}

/* Bytes of its lists in memory, of all of them. */
static inline double stj_record_bytes(size_t n_steps, size_t n_stored)
{
    return (double)(sizeof(uint64_t) + sizeof(double)) * (double)n_steps +
           (double)sizeof(uint64_t) * (double)n_stored;
}

/* record->deviation <- room for them, all NaN. */
enum stj_status stj_record_deviates(struct stj_record *record, struct stj_error *err);
void stj_record_free(struct stj_record *record); /* leaves it zeroed */

/* Was the k-th stored state given, so that training does not land on it? */
bool stj_record_is_imported(const struct stj_record *record, size_t k);

/* CRC-32 of n numbers as 64-bit floating point. */
uint32_t stj_state_crc(size_t n, const real *state);

/* row[n] <- the k-th stored state as 64-bit numbers. */
typedef enum stj_status (*stj_row_fn)(void *ctx, size_t k, double *row, struct stj_error *err);

/* Write to `trajectory.h5` (docs/trajectory-format.md), whole or not at all.  A row that does not
 * have its checksum is STJ_EFORMAT. */
enum stj_status stj_record_write(const struct stj_record *record, stj_row_fn row, void *ctx,
                                 const char *path, const struct stj_trajectory_about *about,
                                 struct stj_error *err);

#endif
