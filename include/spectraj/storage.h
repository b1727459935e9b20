/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/storage.h: where the states of a training are while an operator passes through them.
 *
 * Threads: stj_storage_text may be called from any, and from several at once; the rest is data.
 */
#ifndef SPECTRAJ_STORAGE_H
#define SPECTRAJ_STORAGE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a state comes to hand.  Replay is training again from an earlier state, and exact: products
 * have the same bits under every policy. */
enum stj_storage_policy {
    STJ_STORAGE_NONE,          /* nothing was passed through: a stored result */
    STJ_STORAGE_MEMORY,        /* all in memory */
    STJ_STORAGE_MEMORY_REPLAY, /* some in memory, those between replayed a segment at a time */
    STJ_STORAGE_DISK,          /* all on disk, read ahead of the sweep */
    STJ_STORAGE_DISK_REPLAY,   /* some on disk, those between replayed a segment at a time */
    STJ_STORAGE_REVOLVE,       /* few in memory: binomial checkpoints (Griewank and Walther 2000) */
};

/* "memory", "memory and replay", "disk", "disk and replay", "revolve"; NULL for none. */
const char *stj_storage_text(enum stj_storage_policy policy);

/* What an operator did, or would do, with its memory. */
struct stj_storage {
    enum stj_storage_policy policy; /* how states come to hand */
    size_t states;                  /* of the window: what a sweep passes through */
    size_t stored;                  /* of them, those in trajectory.h5 */
    size_t every;        /* replay begins at most so many steps before a state; 1: no replay */
    size_t held;         /* states in memory at once, at most */
    double extra_passes; /* trainings of the window that one sweep backward replays, about */
    size_t state_bytes;  /* for the states held, and for the work of replay */
    size_t kept_steps;   /* whose linearisations are kept between sweeps */
    size_t linear_bytes; /* for linearisations, kept or not */
    size_t work_bytes;   /* beside the budget, for a sweep with a single vector */
    size_t budget;       /* that states and linearisations had to fit */
    size_t minimum;      /* the least that they fit */

    /* A replay that left the record (made with another BLAS or processor): the first state that
     * differed, and |replayed - stored| / |stored| at the next one that is stored.  Every replay
     * begins at a stored state, so differences do not add up beyond that. */
    bool diverged;      /* it happened */
    size_t diverged_at; /* the first state that differed */
    size_t compared_at; /* the next that is stored */
    double difference;  /* relative, there */
};

#ifdef __cplusplus
}
#endif

#endif
