/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_memory.c: how a block is divided into tiles and slices, and the work space that it
 * takes.
 *
 * Both follow from the shape of the problem and of the block alone, and the schedule from the
 * number of threads.
 */
#include <stdlib.h>

#include "base/error.h"
#include "op/sweep_internal.h"
#include "base/memory.h"

enum {
    TILE_BYTES = 1 << 20, /* of a tile with its slots and one share: about a core's L2 */
    TILE_LEAST = 8,
    TILE_LARGE = 4,
    /* Parameters in a part of an update, where the layout's tensors have as many: a sixteenth of
     * all, within */
    PART_LEAST = 256,
    PART_MOST = 4096,
    PARTS = 16
};

static enum stj_status make_update_parts(struct stj_sweep *sweep, struct stj_error *err)
{
    const struct stj_layout *layout = sweep->problem->layout;
    const bool whole = sweep->optimizer->whole;
    const size_t share = layout->n_params / PARTS;
    const size_t size = share < PART_LEAST ? PART_LEAST : share > PART_MOST ? PART_MOST : share;
    const size_t most = layout->n_tensors + layout->n_params / size;
    STJ_MUST(stj_new(&sweep->part, most, sizeof *sweep->part, err));
    for (size_t i = 0; i < layout->n_tensors; i++) {
        const struct stj_tensor_shape *tensor = &layout->tensor[i];
        const size_t step = (size + tensor->cols - 1) / tensor->cols;
        const size_t n = tensor->rows / step > 1 && !whole ? tensor->rows / step : 1;
        for (size_t k = 0; k < n; k++) {
            const size_t first = tensor->rows * k / n;
            sweep->part[sweep->n_parts++] = (struct stj_sweep_part){
                tensor->offset + first * tensor->cols, tensor->rows * (k + 1) / n - first,
                tensor->cols, stj_recipe_rule_of(sweep->recipe, i), tensor};
        }
    }
    return STJ_OK;
}

/* Vectors of a tile: wished for, or as many as stay in a core's cache, or few where none would. */
static size_t choose_tile(const struct stj_sweep *sweep, size_t wish)
{
    const size_t bytes = sweep->problem->layout->n_params * (2 + sweep->n_slots) * sizeof(real);
    const size_t fits = TILE_BYTES / bytes;
    if (wish)
        return wish < STJ_TILE_MOST ? wish : STJ_TILE_MOST;
    if (stj_problem_is_large(sweep->problem))
        return TILE_LARGE;
    return fits < TILE_LEAST ? TILE_LEAST : fits > STJ_TILE_MOST ? STJ_TILE_MOST : fits;
}

enum stj_status stj_sweep_divide_layout(struct stj_sweep *sweep, size_t wish, struct stj_error *err)
{
    const size_t n_bounds = stj_group_size() + 1;
    sweep->tile_wish = choose_tile(sweep, wish);
    STJ_MUST(make_update_parts(sweep, err));
    STJ_MUST(stj_new(&sweep->part_bounds, n_bounds, sizeof *sweep->part_bounds, err));
    STJ_MUST(stj_new(&sweep->range_bounds, n_bounds, sizeof *sweep->range_bounds, err));
    stj_part_bounds(sweep->n_parts, sweep->part_bounds);
    return STJ_OK;
}

/* Threads that share the memory of a product. */
static size_t n_workers(void)
{
    return stj_threads() * stj_group_sharers();
}

size_t stj_sweep_tile_first(const struct stj_sweep *sweep, size_t tile)
{
    return sweep->nvec * tile / sweep->n_tiles;
}

/* Tiles of a block: as few as its width asks for, but an even number, where the batch has no more
 * slices for it: two threads then take half of the tiles each, and do not wait for each other. */
static size_t count_tiles(const struct stj_sweep *sweep, size_t nvec)
{
    size_t unused = 0;
    const size_t n = (nvec + sweep->tile_wish - 1) / sweep->tile_wish;
    if (n % 2 == 0 || n == nvec || stj_group_sends() || sweep->problem->one_rank)
        return n;
    return stj_problem_most_slices(sweep->problem, n, nvec, &unused) ==
                   stj_problem_most_slices(sweep->problem, n + 1, nvec, &unused)
               ? n + 1
               : n;
}

/* Divide a block of nvec vectors. */
static void divide_block(struct stj_sweep *sweep, size_t nvec)
{
    const struct stj_problem *problem = sweep->problem;
    const size_t n_threads = n_workers(), n_ranks = stj_group_size();
    const bool one_rank = problem->one_rank && n_ranks > 1;
    /* 1. tiles of almost equal width */
    sweep->nvec = nvec;
    sweep->n_tiles = count_tiles(sweep, nvec);
    const size_t widest = (nvec + sweep->n_tiles - 1) / sweep->n_tiles;
    sweep->widest = widest;
    sweep->tile_size = problem->layout->n_params * widest;
    /* 2. the schedule: by tile where that keeps the threads evenly busy; else every rank has
     * slices of every tile */
    const bool even = !stj_group_sends() && !one_rank &&
                      (sweep->n_tiles % n_threads == 0 || sweep->n_tiles >= 4 * n_threads);
    sweep->slicing = stj_group_sends() ? 1
                     : even            ? sweep->n_tiles
                                       : (sweep->n_tiles + n_ranks - 1) / n_ranks;
    sweep->max_slices = stj_problem_most_slices(problem, sweep->slicing, widest, &sweep->n_scratch);
    /* 3. tiles in flight at once: where as many threads are busy as with slices */
    const size_t rounds = (sweep->n_tiles + n_threads - 1) / n_threads;
    const size_t busy = sweep->max_slices < n_threads ? sweep->max_slices : n_threads;
    sweep->n_teams = even || (rounds * busy <= sweep->n_tiles && !stj_group_sends() && !one_rank)
                         ? (n_threads < sweep->n_tiles ? n_threads : sweep->n_tiles)
                         : 1;
}

/* Shares of a tile that are made in this memory. */
static size_t max_shares(const struct stj_sweep *sweep)
{
    return stj_group_sends() ? sweep->max_slices / stj_group_size() + 1 : sweep->max_slices;
}

size_t stj_sweep_team_scratches(const struct stj_sweep *sweep)
{
    const bool meet = stj_problem_n_stages(sweep->problem, sweep->max_slices) > 1;
    return sweep->n_teams == 1 || meet ? sweep->max_slices : 1;
}

/* Numbers of the records of a team. */
static size_t n_records(const struct stj_sweep *sweep)
{
    return stj_problem_n_records(sweep->problem, sweep->max_slices, sweep->widest);
}

/* Parameters of the largest range of a rank. */
static size_t longest_range(const struct stj_sweep *sweep)
{
    size_t longest = 0;
    for (size_t r = 0; r < stj_group_size(); r++) {
        size_t n = 0;
        for (size_t p = sweep->part_bounds[r]; p < sweep->part_bounds[r + 1]; p++)
            n += sweep->part[p].rows * sweep->part[p].cols;
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* What of an arena a block takes: n items of `size` numbers of so many bytes. */
struct room {
    size_t n, size, bytes;
};

/* Vectors of a tile's state, and with sam the one that is kept. */
static size_t n_vectors(const struct stj_sweep *sweep)
{
    return sweep->n_slots + sweep->n_gradients;
}

/* Numbers that the samples of a batch were given. */
static size_t n_row_numbers(const struct stj_sweep *sweep)
{
    return sweep->problem->max_rows * sweep->shape.width;
}

/* Of each part: of a clipped gradient, and of what steps were given. */
static size_t n_dots(const struct stj_sweep *sweep)
{
    return stj_given_is_of_steps(sweep->given) ? 2 : 1;
}

static void list_rooms(const struct stj_sweep *sweep, struct room room[STJ_N_SWEEP_ROOMS])
{
    const size_t tile = sweep->tile_size, n_teams = sweep->n_teams;
    const size_t n_incoming = stj_group_sends() ? sweep->max_slices * sweep->widest : 0;
    room[STJ_ROOM_STATE] = (struct room){sweep->n_tiles * n_vectors(sweep), tile, sizeof(real)};
    room[STJ_ROOM_SHARE] = (struct room){n_teams * (max_shares(sweep) + 1), tile, sizeof(real)};
    room[STJ_ROOM_INCOMING] = (struct room){n_incoming, longest_range(sweep), sizeof(real)};
    room[STJ_ROOM_SCRATCH] =
        (struct room){n_teams * stj_sweep_team_scratches(sweep), sweep->n_scratch, sizeof(real)};
    room[STJ_ROOM_RECORD] = (struct room){n_teams, n_records(sweep), sizeof(real)};
    room[STJ_ROOM_WORK] = (struct room){n_teams * sweep->optimizer->n_work,
                                        sweep->problem->layout->n_params, sizeof(real)};
    room[STJ_ROOM_GIVEN] =
        (struct room){sweep->n_tiles * sweep->n_given, sweep->widest, sizeof(double)};
    room[STJ_ROOM_GIVEN_IN] = (struct room){stj_group_sends() && sweep->n_given > 0,
                                            STJ_GIVEN_AT_ONCE + stj_group_size(), sizeof(double)};
    room[STJ_ROOM_ROWS] =
        (struct room){stj_sweep_is_of_samples(sweep) ? n_teams * n_row_numbers(sweep) : 0,
                      sweep->widest, sizeof(real)};
    room[STJ_ROOM_DOT] =
        (struct room){n_teams * n_dots(sweep) * sweep->n_parts, sweep->widest, sizeof(double)};
}

/* The barrier of the threads of all ranks, where they share memory. */
static enum stj_status prepare_barrier(struct stj_sweep *sweep, struct stj_error *err)
{
    if (!stj_group_shares() || sweep->barrier.at)
        return STJ_OK;
    STJ_MUST(stj_arena_grow(&sweep->barrier, sizeof(struct stj_barrier), err));
    if (stj_group_rank() == 0) {
        struct stj_barrier *barrier = sweep->barrier.at;
        stj_barrier_init(barrier, true);
        barrier->n_threads = n_workers();
        if (stj_ranks_crowded())
            barrier->spins = 0;
    }
    return STJ_OK;
}

enum stj_status stj_sweep_prepare(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                                  struct stj_error *err)
{
    struct room room[STJ_N_SWEEP_ROOMS];
    size_t bytes = 0;
    sweep->trans = trans;
    divide_block(sweep, nvec);
    list_rooms(sweep, room);
    for (size_t i = 0; i < STJ_N_SWEEP_ROOMS; i++) {
        STJ_MUST(stj_size_mul(room[i].n, room[i].size, &bytes, err));
        STJ_MUST(stj_size_mul(bytes, room[i].bytes, &bytes, err));
        STJ_MUST(stj_arena_grow(&sweep->room[i], bytes, err));
    }
    return prepare_barrier(sweep, err);
}

size_t stj_sweep_bytes(const struct stj_sweep *sweep, size_t nvec)
{
    struct stj_sweep s = *sweep;
    struct room room[STJ_N_SWEEP_ROOMS];
    size_t bytes = 0;
    divide_block(&s, nvec);
    list_rooms(&s, room);
    for (size_t i = 0; i < STJ_N_SWEEP_ROOMS; i++)
        bytes += room[i].n * room[i].size * room[i].bytes;
    return bytes;
}

void stj_sweep_free_memory(struct stj_sweep *sweep)
{
    for (size_t i = 0; i < STJ_N_SWEEP_ROOMS; i++)
        stj_arena_free(&sweep->room[i]);
    stj_arena_free(&sweep->barrier);
    free(sweep->part);
    free(sweep->part_bounds);
    free(sweep->range_bounds);
}

struct stj_sweep_tile stj_sweep_tile(const struct stj_sweep *sweep, size_t tile, size_t team)
{
    const size_t size = sweep->tile_size, n_mine = max_shares(sweep);
    struct stj_sweep_tile f = {
        .nvec = stj_sweep_tile_first(sweep, tile + 1) - stj_sweep_tile_first(sweep, tile),
        .theta = (real *)sweep->room[STJ_ROOM_STATE].at + tile * n_vectors(sweep) * size,
        .share = (real *)sweep->room[STJ_ROOM_SHARE].at + team * (n_mine + 1) * size,
    };
    f.kept = f.theta + (1 + sweep->n_slots) * size;
    f.g = f.share + n_mine * size;
    f.scratch = (real *)sweep->room[STJ_ROOM_SCRATCH].at +
                team * stj_sweep_team_scratches(sweep) * sweep->n_scratch;
    f.record = (real *)sweep->room[STJ_ROOM_RECORD].at + team * n_records(sweep);
    f.work = (real *)sweep->room[STJ_ROOM_WORK].at +
             team * sweep->optimizer->n_work * sweep->problem->layout->n_params;
    f.dot = (double *)sweep->room[STJ_ROOM_DOT].at +
            team * n_dots(sweep) * sweep->n_parts * sweep->widest;
    f.given_dot = f.dot + sweep->n_parts * sweep->widest;
    f.given = (double *)sweep->room[STJ_ROOM_GIVEN].at + tile * sweep->n_given * sweep->widest;
    f.rows = (real *)sweep->room[STJ_ROOM_ROWS].at + team * n_row_numbers(sweep) * sweep->widest;
    for (size_t k = 0; k < sweep->n_slots; k++)
        f.slot[k] = f.theta + (k + 1) * size;
    return f;
}

struct stj_slice_sync stj_sweep_meeting(const struct stj_sweep *sweep,
                                        const struct stj_sweep_tile *tile,
                                        const struct stj_sweep_slices *slices, size_t s,
                                        size_t stage)
{
    return (struct stj_slice_sync){.n_slices = slices->n,
                                   .slice = s,
                                   .stage = stage,
                                   .size = stj_problem_n_record(sweep->problem, tile->nvec),
                                   .record = tile->record};
}

const real *stj_sweep_shares(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                             size_t at, size_t *ld)
{
    const size_t *begin = sweep->range_bounds + stj_group_rank();
    *ld = stj_group_sends() ? begin[1] - begin[0] : sweep->tile_size;
    return stj_group_sends() ? (const real *)sweep->room[STJ_ROOM_INCOMING].at + (at - begin[0])
                             : tile->share + at;
}
