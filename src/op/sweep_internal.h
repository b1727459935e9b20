/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_internal.h: a sweep, for the files of op/sweep*.c.
 *
 *     sweep.c            blocks in and out, chunk by chunk
 *     sweep_memory.c     how a block is divided, and its work space
 *     sweep_phases.c     the work of a step on one tile, in phases
 *     sweep_schedule.c   which thread does what, and when
 *     sweep_given.c      what goes in and out at every step, of what training was given
 *     sweep_exchange.c   what ranks send each other where they do not share memory
 */
#ifndef STJ_OP_SWEEP_INTERNAL_H
#define STJ_OP_SWEEP_INTERNAL_H

#include <stdbool.h>

#include "op/sweep.h"
#include "parallel/share_sum.h"
#include "train/recipe.h"

enum {
    STJ_TILE_MOST = 32,         /* vectors of a tile */
    STJ_GIVEN_AT_ONCE = 1 << 20 /* numbers that messages add at once */
};

/* A range of rows of one tensor, or where the optimizer needs that all of it: the unit in which updates are divided among threads. */
struct stj_sweep_part {
    size_t offset; /* of its first parameter */
    size_t rows, cols;
    size_t rule; /* that updates it: its number */
    const struct stj_tensor_shape *tensor;
};

/* Work space, grown when a block needs more than before; of the group where it shares memory. */
enum stj_sweep_room {
    STJ_ROOM_STATE,    /* real [n_tiles][1 + n_slots, with sam one more][tile_size] */
    STJ_ROOM_SHARE,    /* real [n_teams][max_shares + 1][tile_size]; the last of a team is its g */
    STJ_ROOM_INCOMING, /* real [max_slices][range of a tile], by messages */
    STJ_ROOM_SCRATCH,  /* real [n_teams or max_slices, or both][n_scratch] */
    STJ_ROOM_RECORD,   /* real [n_teams][n_records]: of the slices, where they meet */
    STJ_ROOM_DOT,      /* double [n_teams][1, of steps 2][n_parts][widest] */
    STJ_ROOM_WORK,     /* real [n_teams][n_work][n_params], of the optimizer */
    STJ_ROOM_GIVEN,    /* double [n_tiles][n_given][widest]: tangents or adjoints of these */
    STJ_ROOM_GIVEN_IN, /* double [group size][range of STJ_GIVEN_AT_ONCE], by messages */
    STJ_ROOM_ROWS,     /* real [n_teams][max_rows][width][widest]: of those of a step's batch */
    STJ_N_SWEEP_ROOMS
};

struct stj_sweep {
    const struct stj_problem *problem;
    const struct stj_recipe *recipe;
    const struct stj_optimizer_ops *optimizer;
    struct stj_linearization_cache *store;
    size_t n_gradients; /* of a step */
    size_t n_slots;     /* vectors of a state beside theta, */
    size_t end;         /* and which of all is the end point */
    size_t from, to;
    bool carries_slots;
    enum stj_given given; /* what moves */
    struct stj_given_shape shape;
    size_t n_given; /* numbers of it; 0: theta at the beginning */
    bool searching; /* for the first number that is not finite; of one vector */
    size_t tile_wish;
    size_t n_parts;
    struct stj_sweep_part *part;
    size_t *part_bounds;  /* [group size + 1]: the ranks' ranges of the parts, */
    size_t *range_bounds; /* and of the numbers in the tile at hand */
    /* Of the current block: */
    enum stj_trans trans;
    size_t nvec, n_tiles;
    size_t max_slices; /* of any step */
    size_t n_teams;    /* tiles in flight */
    size_t widest;     /* vectors of the widest tile, */
    size_t tile_size;  /* its reals */
    size_t n_scratch;
    size_t slicing; /* tiles, for the slices' number */
    struct stj_arena room[STJ_N_SWEEP_ROOMS];
    struct stj_arena barrier; /* struct stj_barrier, of the threads of all ranks */
};

/* One tile in flight. */
struct stj_sweep_tile {
    size_t nvec;
    real *theta;
    real *slot[STJ_MAX_VECTORS - 1];
    real *kept;    /* with sam: theta_dot or theta_bar, while theta is that of where it climbs to */
    real *share;   /* [max_shares][tile_size] */
    real *g;       /* [tile_size]: g_dot, the sum of the shares; or g_bar */
    real *scratch; /* [stj_sweep_team_scratches][n_scratch] */
    real *record;  /* where the slices meet */
    real *work;    /* [n_work][n_params] */
    double *dot;   /* [n_parts][nvec]: shares of e . g, where the gradient was clipped */
    double *given_dot; /* [n_parts][nvec]: shares of e_t . (theta_bar, slots_bar) */
    double *given;     /* [n_given][nvec] */
    real *rows;        /* [max_rows][positions][nvec][cols] */
};

/* The slices of a step. */
struct stj_sweep_slices {
    size_t n, n_stages;
    struct stj_slice slice[STJ_MAX_SLICES];
};

/* ---- sweep_memory.c ---- */

/* The parts, and the vectors of a tile: `wish`, or 0. */
enum stj_status stj_sweep_divide_layout(struct stj_sweep *sweep, size_t wish,
                                        struct stj_error *err);

/* Divide a block of nvec vectors and make room for it. */
enum stj_status stj_sweep_prepare(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                                  struct stj_error *err);
void stj_sweep_free_memory(struct stj_sweep *sweep);

/* Its first column in the block, and its memory with that of a team. */
size_t stj_sweep_tile_first(const struct stj_sweep *sweep, size_t tile);
struct stj_sweep_tile stj_sweep_tile(const struct stj_sweep *sweep, size_t tile, size_t team);

/* Vector k of its tangents or adjoints: theta, then the slots. */
static inline real *stj_sweep_vector(const struct stj_sweep_tile *tile, size_t k)
{
    return k ? tile->slot[k - 1] : tile->theta;
}

/* Pieces of scratch of a team: slices that meet need it to the end of their last stage. */
size_t stj_sweep_team_scratches(const struct stj_sweep *sweep);

/* The slices of a tile meet in its flight: slice s at a stage. */
struct stj_slice_sync stj_sweep_meeting(const struct stj_sweep *sweep,
                                        const struct stj_sweep_tile *tile,
                                        const struct stj_sweep_slices *slices, size_t s,
                                        size_t stage);

/* Where the shares of number `at` of a tile lie once they were exchanged, *ld apart. */
const real *stj_sweep_shares(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                             size_t at, size_t *ld);

/* ---- sweep_phases.c ---- */

/* s <- the slices of step t. */
void stj_sweep_step_slices(const struct stj_sweep *sweep, size_t t, struct stj_sweep_slices *s);

/* Phases of part p; `after` adds the shares of n_slices slices. */
typedef void stj_sweep_phase(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                             const struct stj_linear_step *step, size_t p);
stj_sweep_phase stj_sweep_before, stj_sweep_climb_before, stj_sweep_clip_before,
    stj_sweep_clip_after;
void stj_sweep_after(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                     const struct stj_linear_step *step, size_t p, size_t n_slices);

/* A stage of slice s, which makes share number `share` of those in this memory, in a scratch of its
 * own or of all of a team. */
enum stj_status stj_sweep_product(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                                  const struct stj_linear_step *step,
                                  const struct stj_sweep_slices *slices, size_t s, size_t stage,
                                  size_t share, struct stj_error *err);

/* ---- sweep_given.c ---- */

/* Tile number `tile`, whose first column is x or y, <- those, or zero adjoints; and back. */
void stj_sweep_load_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                          const double *x, size_t ldx);
void stj_sweep_store_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                           double *y, size_t ldy);

/* Are they of samples? */
bool stj_sweep_is_of_samples(const struct stj_sweep *sweep);

/* Before a product: the tangents of a slice's rows; what it is to do with them.  After all slices
 * of a step: the adjoints of its rows join those of their samples. */
struct stj_given_tangents stj_sweep_take_given(const struct stj_sweep *sweep,
                                               const struct stj_sweep_tile *tile,
                                               const struct stj_linear_step *step,
                                               const struct stj_slice *slice);
void stj_sweep_give_back(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step, const struct stj_sweep_slices *slices);

/* Of steps.  Of a part: after its update; before its adjoint, and the shares of all parts, by one
 * thread. */
stj_sweep_phase stj_sweep_move_given, stj_sweep_dot_given;
void stj_sweep_sum_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step);

/* ---- sweep_schedule.c ---- */

/* Take all tiles through steps first .. first + count - 1, which are ready. */
enum stj_status stj_sweep_by_tile(const struct stj_sweep *sweep, size_t first, size_t count,
                                  struct stj_error *err);
enum stj_status stj_sweep_by_slice(const struct stj_sweep *sweep, size_t first, size_t count,
                                   struct stj_error *err);

/* ---- sweep_exchange.c: one thread speaks ---- */

/* Before a tile of nvec vectors: the ranks' ranges of its numbers. */
void stj_sweep_set_ranges(const struct stj_sweep *sweep, size_t nvec);

/* Numbers of a tile, of which each rank has its range: complete them. */
void stj_sweep_exchange_tile(const struct stj_sweep *sweep, real *numbers);

/* The shares of e . g of all parts; every rank's range of the shares of all slices; the records
 * that the slices left at the end of a stage. */
void stj_sweep_exchange_dots(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile);
void stj_sweep_exchange_shares(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                               size_t n_slices);
void stj_sweep_exchange_records(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                                const struct stj_sweep_slices *slices, size_t stage);

/* The adjoints of what training was given, of which each rank has a summand: their sum. */
void stj_sweep_exchange_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile);

#endif
