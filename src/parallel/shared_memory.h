/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/shared_memory.h: memory that the ranks of a group have in common where they share it,
 * else each has its own. */
#ifndef STJ_PARALLEL_SHARED_MEMORY_H
#define STJ_PARALLEL_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

struct stj_arena {
    void *at;
    size_t bytes;
    bool mapped;
};

/* At least `bytes` bytes, zero when new; what was there is lost where it has to grow.  All of a
 * group ask for the same. */
enum stj_status stj_arena_grow(struct stj_arena *arena, size_t bytes, struct stj_error *err);

/* The same for n items of `size` numbers. */
enum stj_status stj_arena_reals(struct stj_arena *arena, size_t n, size_t size,
                                struct stj_error *err);

void stj_arena_free(struct stj_arena *arena); /* by each for itself */

#endif
