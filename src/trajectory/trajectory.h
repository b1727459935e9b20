/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/trajectory.h: the stored trajectory: the states that training passed through.
 *
 * State t, t = 0 .. n_steps, is theta before step t followed by the optimizer's slots:
 * (1 + n_slots) * n_params reals.  An operator visits the states of a run of steps at a time, in
 * either direction, without knowing how they are kept.

 */
#ifndef STJ_TRAJECTORY_TRAJECTORY_H
#define STJ_TRAJECTORY_TRAJECTORY_H

#include <stdint.h>

#include <spectraj/storage.h>

#include "base/memory.h"
#include "train/train.h"

struct stj_trajectory;

/* *trajectory <- room in memory for n_steps + 1 states. */
enum stj_status stj_trajectory_create(size_t n_params, size_t n_slots, size_t n_steps,
                                      struct stj_trajectory **trajectory, struct stj_error *err);
void stj_trajectory_destroy(struct stj_trajectory *trajectory); /* NULL is accepted */
STJ_HOLDS(struct stj_trajectory, stj_trajectory_destroy)

/* A stj_state_fn (ctx is the trajectory): keep state t and the loss of step t.  Not for a
 * trajectory of a file. */
enum stj_status stj_trajectory_record(void *trajectory, size_t t, const real *state, double loss,
                                      struct stj_error *err);

size_t stj_trajectory_n_params(const struct stj_trajectory *trajectory);
size_t stj_trajectory_n_slots(const struct stj_trajectory *trajectory);
size_t stj_trajectory_n_steps(const struct stj_trajectory *trajectory);
const double *stj_trajectory_loss(const struct stj_trajectory *trajectory); /* [n_steps] */

/* States that were given from elsewhere: they are all stored, and the training between them replays
 * its steps and goes on from each. */
struct stj_imported_states {
    size_t n;         /* given */
    double deviation; /* the largest: run/import/replay.c */
    size_t step;      /* of the state where it is */
};

/* *imported <- what there is of them; false: none was given. */
bool stj_trajectory_imported(const struct stj_trajectory *trajectory,
                             struct stj_imported_states *imported);

/* Is state t, one of its own, at hand without replay? */
bool stj_trajectory_has(const struct stj_trajectory *trajectory, size_t t);

/* Was state t given? */
bool stj_trajectory_is_imported(const struct stj_trajectory *trajectory, size_t t);

/* States first .. first + count - 1, one after another, `ld` reals apart.  Borrowed: valid until
 * the next view of this trajectory or its end. */
struct stj_trajectory_view {
    const real *state;
    size_t ld;
};
enum stj_status stj_trajectory_visit(struct stj_trajectory *trajectory, size_t first, size_t count,
                                     struct stj_trajectory_view *view, struct stj_error *err);

/* Does any view within the window of the last fit cost nothing, for all its states lie in memory,
 * one after another? */
bool stj_trajectory_is_whole(const struct stj_trajectory *trajectory);

/* The same of a view that all ranks of a group take, and leave, together: those that share memory
 * have the states once. */
enum stj_status stj_trajectory_visit_together(struct stj_trajectory *trajectory, size_t first,
                                              size_t count, struct stj_trajectory_view *view,
                                              struct stj_error *err);

/* *trajectory <- what a file would be that holds every `every`-th state and the last, without any
 * states: for stj_trajectory_storage. */
enum stj_status stj_trajectory_outline(size_t n_params, size_t n_slots, size_t n_steps,
                                       size_t every, struct stj_trajectory **trajectory,
                                       struct stj_error *err);

/* The training that states which are not stored are replayed with; borrowed. */
void stj_trajectory_set_training(struct stj_trajectory *trajectory,
                                 const struct stj_problem *problem,
                                 const struct stj_recipe *recipe);

/* storage <- how states from .. to would be at hand, at most `chunk` of them visited at a time,
 * within `bytes` of memory: its part about states.  False: they do not fit; storage->minimum says
 * what would.  States in memory of their own, which nothing can make fewer, always fit. */
bool stj_trajectory_storage(const struct stj_trajectory *trajectory, size_t from, size_t to,
                            size_t chunk, size_t bytes, struct stj_storage *storage);

/* Have them at hand that way from now on; views of before are not valid any more.  The same as
 * before changes nothing.  STJ_ENOMEM: they do not fit.  States outside of from .. to can still be
 * visited, one visit at a time. */
enum stj_status stj_trajectory_fit(struct stj_trajectory *trajectory, size_t from, size_t to,
                                   size_t chunk, size_t bytes, struct stj_error *err);

/* Has a replay left the record?  Fills that part of `storage`. */
void stj_trajectory_divergence(const struct stj_trajectory *trajectory,
                               struct stj_storage *storage);

/* *crc <- the checksum of state t (trajectory/record.h): of a file as it was recorded, without
 * visiting the state. */
enum stj_status stj_trajectory_crc(struct stj_trajectory *trajectory, size_t t, uint64_t *crc,
                                   struct stj_error *err);

/* Steps replayed so far. */
size_t stj_trajectory_replayed(const struct stj_trajectory *trajectory);

/* What trajectory.h5 says beside the states. */
struct stj_trajectory_about {
    char *fingerprint; /* of the run: 16 hexadecimal digits of `identity` */
    char *identity;    /* lines that say all that decides the bits of the training */
    char *config;      /* the resolved config */
    char *earlier;     /* lines "STEPS FINGERPRINT" of the lengths that the run had before; NULL */
    char *zero_start;  /* what is to be said of gradients that are zero at step 0; NULL: nothing */
    char *version, *blas; /* of the library that trained, and its BLAS */
    uint64_t seed;        /* of the order of the batches */
    /* The rows of the data that step t was trained on:
     * batch_row[batch_start[t] .. batch_start[t + 1]); NULL: not known. */
    uint64_t *batch_start; /* [n_steps + 1] */
    uint64_t *batch_row;
    uint64_t
        *example;   /* [n_rows]: the sample that each row of the data was made of; NULL: each is */
    size_t n_rows;  /* one of its own */
    double *frozen; /* [n_frozen]: parameters that were not trained; owned */
    size_t n_frozen;
    double tolerance; /* of states that were given from elsewhere: see stj_trajectory_imported */
    double seconds;   /* of the training */
    double train_loss, test_loss, test_accuracy; /* at theta_n; NaN without a test set */
};

/* *trajectory <- the file's, which was compared with its checksums; its states are read as they are
 * visited, and compared again.  At first all of them may be held in memory.  about (all zeros; may
 * be NULL) <- what it says, to be freed with stj_trajectory_about_free.  `fingerprint`: another one
 * in the file is STJ_EMISMATCH; NULL: not checked. */
enum stj_status stj_trajectory_read(const char *path, const char *fingerprint,
                                    struct stj_trajectory **trajectory,
                                    struct stj_trajectory_about *about, struct stj_error *err);

/* about (all zeros) <- the same without the states. */
enum stj_status stj_trajectory_read_about(const char *path, struct stj_trajectory_about *about,
                                          struct stj_error *err);

/* Free the strings and leave `about` zeroed. */
void stj_trajectory_about_free(struct stj_trajectory_about *about);

#endif
