/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/storage.h: choosing where the states of a window are kept, from a budget of memory. */
#ifndef STJ_TRAJECTORY_STORAGE_H
#define STJ_TRAJECTORY_STORAGE_H

#include "trajectory/policies/policy.h"
#include "trajectory/replay.h"

struct stj_storage_plan {
    struct stj_storage about; /* its part about states */
    size_t from, to;          /* states that are visited: from .. to */
    size_t chunk;             /* at most so many at a time */
    size_t spacing;           /* of anchors in memory; 0: at the stored states */
    size_t slots;             /* of checkpoints (revolve) */
};

/* plan <- the least costly policy whose states fit `bytes`; about.minimum <- the bytes of the
 * smallest. *fits: there is one that does; else the plan is the smallest. */
void stj_storage_choose(const struct stj_state_reader *source, const struct stj_replay *replay,
                        size_t from, size_t to, size_t chunk, size_t bytes,
                        struct stj_storage_plan *plan, bool *fits);

/* The policies for states of a file; source and replay are borrowed.  *self is for the ops. */
extern const struct stj_trajectory_policy stj_policy_all;      /* memory */
extern const struct stj_trajectory_policy stj_policy_disk;     /* disk */
extern const struct stj_trajectory_policy stj_policy_segments; /* memory or disk, and replay */
extern const struct stj_trajectory_policy stj_policy_revolve;

enum stj_status stj_policy_all_create(const struct stj_storage_plan *plan,
                                      const struct stj_state_reader *source,
                                      struct stj_replay *replay, void **self,
                                      struct stj_error *err);
enum stj_status stj_policy_disk_create(const struct stj_storage_plan *plan,
                                       const struct stj_state_reader *source,
                                       struct stj_replay *replay, void **self,
                                       struct stj_error *err);
enum stj_status stj_policy_segments_create(const struct stj_storage_plan *plan,
                                           const struct stj_state_reader *source,
                                           struct stj_replay *replay, void **self,
                                           struct stj_error *err);
enum stj_status stj_policy_revolve_create(const struct stj_storage_plan *plan,
                                          const struct stj_state_reader *source,
                                          struct stj_replay *replay, void **self,
                                          struct stj_error *err);

/* The segments of a plan, as they follow from the stored states: their number, the longest one's
 * states; start (may be NULL) [number + 1] <- where they begin, and where the last one ends. */
size_t stj_segments_count(const struct stj_state_reader *source,
                          const struct stj_storage_plan *plan, size_t *longest, size_t *start);

/* Binomial checkpoints: beta(slots, reps) = (slots + reps choose slots), the most leaves that can
 * be reversed with so many checkpoints and no step taken more than `reps` times; SIZE_MAX when
 * larger. */
size_t stj_revolve_beta(size_t slots, size_t reps);

/* How many leaves to go forward before the next checkpoint, of `leaves` to be reversed with `slots`
 * checkpoints, the one that stands at their beginning included. */
size_t stj_revolve_split(size_t leaves, size_t slots);

/* Leaf-to-leaf advances that reversing takes. */
double stj_revolve_advances(size_t leaves, size_t slots);

#endif
