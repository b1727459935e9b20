/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep.c: tangents forward, adjoints backward, through the steps of training.
 *
 *     STJ_NO_TRANS, t = from .. to - 1       g_dot = H_t theta_dot
 *                                            (theta_dot, slots_dot) <- tangent of the update
 *     STJ_TRANS, t = to - 1 .. from          g_bar, slots_bar, theta_bar <- adjoint of the update
 *                                            theta_bar <- theta_bar + H_t g_bar
 *
 * The block is cut into tiles, and H_t's batch into slices, by the shape of the problem and of the
 * block alone.  A product with H_t gives one *share* per slice, and the shares are added in the order
 * of the slices, so the bits do not depend on the threads.  There are two schedules over the same
 * work, equal in every bit:
 *
 *     by tile    each thread takes a tile through all steps of a chunk; no waiting between steps
 *     by slice   all threads work on one tile: slices of the product, then parts of the update
 *
 * Where the ranks of a group share memory, their threads are as those of one process.  Where they do not,
 * the schedule is by slice: each rank has its slices and its parts, and two exchanges a step complete what
 * others need, the shares of a product and the tile that the next one is made of.
 */
#include "op/sweep.h"

#include <stdbool.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/share_sum.h"
#include "train/clip.h"

enum {
    TILE_BYTES = 1 << 20, /* of a tile with its slots and one share: about a core's L2 */
    TILE_LEAST = 8,
    TILE_MOST = 32,
    TILE_LARGE = 4,
    PART_LEAST =
        256, /* parameters in a part of an update, where the layout's tensors have as many: */
    PART_MOST = 4096, /* a sixteenth of all, within these bounds */
    PARTS = 16
};

/* A range of rows of one tensor: the unit in which updates are divided among threads. */
struct part {
    size_t offset; /* of its first parameter */
    size_t rows, cols;
};

struct stj_sweep {
    const struct stj_problem *problem;
    const struct stj_recipe *recipe;
    const struct stj_optimizer_ops *optimizer;
    struct stj_linearization_cache *store;
    size_t from, to;
    bool carries_slots;
    bool searching; /* for the first number that is not finite; of one vector */
    size_t tile_wish;
    size_t n_parts;
    struct part *part;
    size_t *bounds; /* [3][group size + 1] of the ranks: parts, numbers of a tile, slices */
    /* Of the current block: */
    enum stj_trans trans;
    size_t nvec, n_tiles;
    size_t max_slices; /* of any step */
    size_t n_teams;    /* tiles in flight */
    size_t widest;     /* vectors of the widest tile, */
    size_t tile_size;  /* its reals */
    size_t n_scratch;
    size_t slicing; /* tiles, for the slices' number */
    /* Grown when a block needs more than any before; of the group where it shares memory: */
    struct stj_arena state; /* real [n_tiles][1 + n_slots][tile_size] */
    struct stj_arena
        share; /* real [n_teams][max_shares + 1][tile_size]; the last of a team is its g */
    struct stj_arena incoming; /* real [max_slices][range of a tile], by messages */
    struct stj_arena scratch;  /* real [n_teams or max_slices, or both][n_scratch] */
    struct stj_arena record;   /* real [n_teams][n_records]: of the slices, where they meet */
    struct stj_arena dot;      /* double [n_teams][n_parts][widest] */
    struct stj_arena barrier;  /* struct stj_barrier, of the threads of all ranks */
};

static enum stj_status make_parts(struct stj_sweep *sweep, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_layout *layout = sweep->problem->layout;
    const size_t share = layout->n_params / PARTS;
    const size_t size = share < PART_LEAST ? PART_LEAST : share > PART_MOST ? PART_MOST : share;
    const size_t most = layout->n_tensors + layout->n_params / size;
    STJ_TRY(stj_new(&sweep->part, most, sizeof *sweep->part, err));
    for (size_t i = 0; i < layout->n_tensors; i++) {
        const struct stj_tensor_shape *tensor = &layout->tensor[i];
        const size_t step = (size + tensor->cols - 1) / tensor->cols;
        const size_t n = tensor->rows / step > 1 ? tensor->rows / step : 1;
        for (size_t k = 0; k < n; k++) {
            const size_t first = tensor->rows * k / n;
            sweep->part[sweep->n_parts++] =
                (struct part){tensor->offset + first * tensor->cols,
                              tensor->rows * (k + 1) / n - first, tensor->cols};
        }
    }
out:
    return st;
}

/* Vectors of a tile: wished for, or as many as stay in a core's cache, or few where none would. */
static size_t choose_tile(const struct stj_sweep *sweep, size_t wish)
{
    const size_t bytes =
        sweep->problem->layout->n_params * (2 + sweep->optimizer->n_slots) * sizeof(real);
    const size_t fits = TILE_BYTES / bytes;
    if (wish)
        return wish < TILE_MOST ? wish : TILE_MOST;
    if (stj_problem_is_large(sweep->problem))
        return TILE_LARGE;
    return fits < TILE_LEAST ? TILE_LEAST : fits > TILE_MOST ? TILE_MOST : fits;
}

enum stj_status stj_sweep_create(const struct stj_problem *problem, const struct stj_recipe *recipe,
                                 struct stj_linearization_cache *store, size_t from, size_t to,
                                 size_t tile, struct stj_sweep **sweep, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_sweep *s = NULL;
    STJ_TRY(stj_new(&s, 1, sizeof *s, err));
    *s = (struct stj_sweep){.problem = problem,
                            .recipe = recipe,
                            .optimizer = stj_recipe_optimizer(recipe),
                            .store = store,
                            .from = from,
                            .to = to};
    s->tile_wish = choose_tile(s, tile);
    STJ_TRY(make_parts(s, err));
    STJ_TRY(stj_new(&s->bounds, 3 * (stj_group_size() + 1), sizeof *s->bounds, err));
    stj_part_bounds(s->n_parts, s->bounds);
    *sweep = s;
    s = NULL;
out:
    stj_sweep_destroy(s);
    return st;
}

void stj_sweep_destroy(struct stj_sweep *sweep)
{
    if (!sweep)
        return;
    free(sweep->part);
    free(sweep->bounds);
    stj_arena_free(&sweep->state);
    stj_arena_free(&sweep->share);
    stj_arena_free(&sweep->incoming);
    stj_arena_free(&sweep->scratch);
    stj_arena_free(&sweep->record);
    stj_arena_free(&sweep->dot);
    stj_arena_free(&sweep->barrier);
    free(sweep);
}

void stj_sweep_set_window(struct stj_sweep *sweep, size_t from, size_t to)
{
    sweep->from = from;
    sweep->to = to;
}

void stj_sweep_carry_slots(struct stj_sweep *sweep)
{
    sweep->carries_slots = true;
}

/* Do the ranks that make a product send each other messages? */
static bool by_messages(void)
{
    return stj_group_size() > 1 && !stj_group_shares();
}

/* Threads that share the memory of a product. */
static size_t n_workers(void)
{
    return stj_threads() * stj_group_sharers();
}

/* Columns first .. of the tile. */
static size_t tile_first(const struct stj_sweep *sweep, size_t tile)
{
    return sweep->nvec * tile / sweep->n_tiles;
}

static size_t tile_nvec(const struct stj_sweep *sweep, size_t tile)
{
    return tile_first(sweep, tile + 1) - tile_first(sweep, tile);
}

/* Divide a block of nvec vectors. */
static void divide(struct stj_sweep *sweep, size_t nvec)
{
    const struct stj_problem *problem = sweep->problem;
    const size_t n_threads = n_workers(), n_ranks = stj_group_size();
    struct stj_slice slice[STJ_MAX_SLICES];
    sweep->nvec = nvec;
    sweep->n_tiles = (nvec + sweep->tile_wish - 1) / sweep->tile_wish;
    const size_t widest = (nvec + sweep->n_tiles - 1) / sweep->n_tiles;
    sweep->widest = widest;
    sweep->tile_size = problem->layout->n_params * widest;
    /* By tile where that keeps the threads evenly busy; else every rank has slices of every tile. */
    const bool even =
        !by_messages() && (sweep->n_tiles % n_threads == 0 || sweep->n_tiles >= 4 * n_threads);
    sweep->slicing = by_messages() ? 1
                     : even        ? sweep->n_tiles
                                   : (sweep->n_tiles + n_ranks - 1) / n_ranks;
    sweep->max_slices = stj_problem_slices(problem, problem->max_rows, sweep->slicing, slice);
    sweep->n_scratch = 0;
    for (size_t s = 0; s < sweep->max_slices; s++) {
        size_t wanted = problem->ops->n_scratch(problem->self, slice[s].n, widest);
        sweep->n_scratch = wanted > sweep->n_scratch ? wanted : sweep->n_scratch;
    }
    sweep->n_teams = even || (sweep->max_slices == 1 && !by_messages())
                         ? (n_threads < sweep->n_tiles ? n_threads : sweep->n_tiles)
                         : 1;
}

/* Items of each arena: tiles with slots, shares, and pieces of scratch. */
static size_t n_states(const struct stj_sweep *sweep)
{
    return sweep->n_tiles * (1 + sweep->optimizer->n_slots);
}

/* Shares of a tile that are made in this memory. */
static size_t max_shares(const struct stj_sweep *sweep)
{
    return by_messages() ? sweep->max_slices / stj_group_size() + 1 : sweep->max_slices;
}

static size_t n_shares(const struct stj_sweep *sweep)
{
    return sweep->n_teams * (max_shares(sweep) + 1);
}

/* Pieces of scratch of a team: slices that meet need it to the end of their last stage. */
static size_t team_scratches(const struct stj_sweep *sweep)
{
    const bool meet = stj_problem_n_stages(sweep->problem, sweep->max_slices) > 1;
    return sweep->n_teams == 1 || meet ? sweep->max_slices : 1;
}

static size_t n_scratches(const struct stj_sweep *sweep)
{
    return sweep->n_teams * team_scratches(sweep);
}

/* Numbers of the records of a team. */
static size_t n_records(const struct stj_sweep *sweep)
{
    return stj_problem_n_records(sweep->problem, sweep->max_slices, sweep->widest);
}

static size_t n_dots(const struct stj_sweep *sweep)
{
    return sweep->n_teams * sweep->n_parts * sweep->widest;
}

/* Parameters of the largest range of a rank. */
static size_t longest_range(const struct stj_sweep *sweep)
{
    size_t longest = 0;
    for (size_t r = 0; r < stj_group_size(); r++) {
        size_t n = 0;
        for (size_t p = sweep->bounds[r]; p < sweep->bounds[r + 1]; p++)
            n += sweep->part[p].rows * sweep->part[p].cols;
        longest = n > longest ? n : longest;
    }
    return longest;
}

static size_t n_incoming(const struct stj_sweep *sweep)
{
    return by_messages() ? sweep->max_slices * longest_range(sweep) * sweep->widest : 0;
}

/* The barrier of the threads of all ranks, where they share memory. */
static enum stj_status prepare_barrier(struct stj_sweep *sweep, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (!stj_group_shares() || sweep->barrier.at)
        goto out;
    STJ_TRY(stj_arena_grow(&sweep->barrier, sizeof(struct stj_barrier), err));
    if (stj_group_rank() == 0) {
        struct stj_barrier *barrier = sweep->barrier.at;
        stj_barrier_init(barrier, true);
        barrier->n_threads = n_workers();
        if (stj_ranks_crowded())
            barrier->spins = 0;
    }
out:
    return st;
}

/* Divide a block of nvec vectors and make room for it. */
static enum stj_status prepare(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    sweep->trans = trans;
    divide(sweep, nvec);
    STJ_TRY(stj_arena_reals(&sweep->state, n_states(sweep), sweep->tile_size, err));
    STJ_TRY(stj_arena_reals(&sweep->share, n_shares(sweep), sweep->tile_size, err));
    STJ_TRY(stj_arena_reals(&sweep->incoming, n_incoming(sweep), 1, err));
    STJ_TRY(stj_arena_reals(&sweep->scratch, n_scratches(sweep), sweep->n_scratch, err));
    STJ_TRY(stj_arena_reals(&sweep->record, sweep->n_teams, n_records(sweep), err));
    STJ_TRY(stj_arena_grow(&sweep->dot, n_dots(sweep) * sizeof(double), err));
    STJ_TRY(prepare_barrier(sweep, err));
out:
    return st;
}

size_t stj_sweep_bytes(const struct stj_sweep *sweep, size_t nvec)
{
    struct stj_sweep s = *sweep;
    divide(&s, nvec);
    return sizeof(real) *
               ((n_states(&s) + n_shares(&s)) * s.tile_size + n_scratches(&s) * s.n_scratch +
                s.n_teams * n_records(&s) + n_incoming(&s)) +
           sizeof(double) * n_dots(&s);
}

/* One tile in flight. */
struct flight {
    size_t nvec;
    real *theta;
    real *slot[STJ_MAX_SLOTS];
    real *share;   /* [max_shares][tile_size] */
    real *g;       /* [tile_size]: g_dot, the sum of the shares; or g_bar */
    real *scratch; /* [team_scratches][n_scratch] */
    real *record;  /* where the slices meet */
    double *dot;   /* [n_parts][nvec]: shares of e . g, where the gradient was clipped */
};

static struct flight flight_of(const struct stj_sweep *sweep, size_t tile, size_t team)
{
    const size_t size = sweep->tile_size, n_mine = max_shares(sweep);
    struct flight f = {
        .nvec = tile_nvec(sweep, tile),
        .theta = (real *)sweep->state.at + tile * (1 + sweep->optimizer->n_slots) * size,
        .share = (real *)sweep->share.at + team * (n_mine + 1) * size,
    };
    f.g = f.share + n_mine * size;
    f.scratch = (real *)sweep->scratch.at + team * team_scratches(sweep) * sweep->n_scratch;
    f.record = (real *)sweep->record.at + team * n_records(sweep);
    f.dot = (double *)sweep->dot.at + team * sweep->n_parts * sweep->widest;
    for (size_t k = 0; k < sweep->optimizer->n_slots; k++)
        f.slot[k] = f.theta + (k + 1) * sweep->tile_size;
    return f;
}

/* What the optimizer sees of one part of a tile. */
static struct stj_update_tile update_tile(const struct stj_sweep *sweep, const struct flight *f,
                                          const struct stj_linear_step *step,
                                          const struct part *part, real *g)
{
    const size_t at = part->offset * f->nvec;
    struct stj_update_tile u = {.rows = part->rows,
                                .nvec = f->nvec,
                                .cols = part->cols,
                                .theta = f->theta + at,
                                .g = g + at};
    for (size_t k = 0; k < sweep->optimizer->n_slots; k++)
        u.slot[k] = f->slot[k] + at;
    for (size_t k = 0; k < sweep->optimizer->n_coef; k++)
        u.coef[k] = step->coef[k] + part->offset;
    return u;
}

/* The work of a step on one tile, in phases; within a phase the items are independent.
 *   before    parts: the adjoint of the update, which makes g_bar        (STJ_TRANS only)
 *   clip      parts: the differential of clipping, of g_bar              (where the step was clipped)
 *   product   slices: a share of H_t theta_dot, or of H_t g_bar; in stages, where slices meet
 *   after     parts: the sum of the shares; the tangent of the update, or theta_bar += H_t g_bar
 *   clip      parts: the same of g_dot, then the tangent of the update   (where the step was clipped) */
static void clip_dot(const struct flight *f, const struct stj_linear_step *step, size_t p,
                     const struct part *part, const real *g)
{
    stj_clip_dot(part->rows, f->nvec, part->cols, step->unit + part->offset,
                 g + part->offset * f->nvec, f->dot + p * f->nvec);
}

static void clip_project(const struct stj_sweep *sweep, const struct flight *f,
                         const struct stj_linear_step *step, size_t p, real *g)
{
    const struct part *part = &sweep->part[p];
    double dot[TILE_MOST] = {0};
    for (size_t q = 0; q < sweep->n_parts; q++)
        for (size_t j = 0; j < f->nvec; j++)
            dot[j] += f->dot[q * f->nvec + j];
    stj_clip_project(part->rows, f->nvec, part->cols, step->clip, step->unit + part->offset, dot,
                     g + part->offset * f->nvec);
}

static void before(const struct stj_sweep *sweep, const struct flight *f,
                   const struct stj_linear_step *step, size_t p)
{
    const struct stj_update_tile u = update_tile(sweep, f, step, &sweep->part[p], f->g);
    sweep->optimizer->adjoint(sweep->recipe->optimizer->config, &step->at, &u);
    if (step->unit)
        clip_dot(f, step, p, &sweep->part[p], f->g);
}

static void clip_before(const struct stj_sweep *sweep, const struct flight *f,
                        const struct stj_linear_step *step, size_t p)
{
    clip_project(sweep, f, step, p, f->g);
}

/* Is a product of one vector finite?  STJ_ENONFINITE naming step and layer. */
static enum stj_status search(const struct stj_sweep *sweep, const struct stj_linear_step *step,
                              struct stj_slice slice, const real *y, const real *scratch,
                              struct stj_error *err)
{
    const struct stj_problem *problem = sweep->problem;
    const char *layer = NULL;
    size_t i = 0;
    while (i < problem->layout->n_params && isfinite(y[i]))
        i++;
    if (i == problem->layout->n_params)
        return STJ_OK;
    if (problem->ops->suspect)
        layer = problem->ops->suspect(problem->self, slice, y, scratch);
    return stj_error_set(
        err, STJ_ENONFINITE, __FILE__, __LINE__,
        "a product with the training Jacobian (%s) has a NaN or infinity, first in "
        "step %zu%s%s",
        sweep->trans == STJ_NO_TRANS ? "J x" : "J'y", step->at.index, layer ? ", layer " : "",
        layer ? layer : "");
}

/* A step's slices, and where they are. */
struct slices {
    size_t n, n_stages;
    struct stj_slice slice[STJ_MAX_SLICES];
};

static void step_slices(const struct stj_sweep *sweep, size_t t, struct slices *s)
{
    const struct stj_problem *problem = sweep->problem;
    s->n = stj_problem_slices(problem, problem->ops->n_rows(problem->self, t), sweep->slicing,
                              s->slice);
    s->n_stages = stj_problem_n_stages(problem, s->n);
}

/* The slices of a tile meet in its flight. */
static struct stj_slice_sync meeting_of(const struct stj_sweep *sweep, const struct flight *f,
                                        const struct slices *slices, size_t s, size_t stage)
{
    return (struct stj_slice_sync){.n_slices = slices->n,
                                   .slice = s,
                                   .stage = stage,
                                   .size = stj_problem_n_record(sweep->problem, f->nvec),
                                   .record = f->record};
}

/* A stage of slice s, which makes share number `share` of those in this memory, in a scratch of its own or of all
 * of a team. */
static enum stj_status product(const struct stj_sweep *sweep, const struct flight *f,
                               const struct stj_linear_step *step, const struct slices *slices,
                               size_t s, size_t stage, size_t share, struct stj_error *err)
{
    const real *x = sweep->trans == STJ_NO_TRANS ? f->theta : f->g;
    real *y = f->share + share * sweep->tile_size;
    real *scratch = f->scratch + s % team_scratches(sweep) * sweep->n_scratch;
    struct stj_slice slice = slices->slice[s];
    slice.meeting = meeting_of(sweep, f, slices, s, stage);
    const enum stj_status st =
        sweep->problem->ops->hvp(sweep->problem->self, step->at.index, slice, step->theta,
                                 step->lin, f->nvec, x, y, scratch, err);
    const bool whole = stage + 1 == slices->n_stages;
    return st == STJ_OK && whole && sweep->searching ? search(sweep, step, slice, y, scratch, err)
                                                     : st;
}

static void update_tangent(const struct stj_sweep *sweep, const struct flight *f,
                           const struct stj_linear_step *step, size_t p)
{
    const struct stj_update_tile u = update_tile(sweep, f, step, &sweep->part[p], f->g);
    sweep->optimizer->tangent(sweep->recipe->optimizer->config, &step->at, &u);
}

/* Bounds of the ranks' ranges of numbers in a tile. */
static size_t *ranges(const struct stj_sweep *sweep)
{
    return sweep->bounds + stj_group_size() + 1;
}

/* Where the shares of number `at` of a tile lie, *ld apart. */
static const real *shares_of(const struct stj_sweep *sweep, const struct flight *f, size_t at,
                             size_t *ld)
{
    const size_t *begin = ranges(sweep) + stj_group_rank();
    *ld = by_messages() ? begin[1] - begin[0] : sweep->tile_size;
    return by_messages() ? (const real *)sweep->incoming.at + (at - begin[0]) : f->share + at;
}

/* theta_bar += the sum of the shares, for n reals from `at`.  The sum is taken in pieces on the stack: to add
 * in place, in a share, would move that share's cache lines to this processor and back. */
static void add_shares(const struct stj_sweep *sweep, const struct flight *f, size_t at, size_t n,
                       size_t n_slices)
{
    enum { PIECE = 512 };
    real sum[PIECE];
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        size_t ld = 0;
        const real *share = shares_of(sweep, f, at + i, &ld);
        stj_reduce(count, n_slices, share, ld, sum);
        for (size_t k = 0; k < count; k++)
            f->theta[at + i + k] += sum[k];
    }
}

static void after(const struct stj_sweep *sweep, const struct flight *f,
                  const struct stj_linear_step *step, size_t p, size_t n_slices)
{
    const struct part *part = &sweep->part[p];
    const size_t at = part->offset * f->nvec;
    const size_t n = part->rows * f->nvec * part->cols;
    if (sweep->trans == STJ_TRANS) {
        add_shares(sweep, f, at, n, n_slices);
        return;
    }
    size_t ld = 0;
    const real *share = shares_of(sweep, f, at, &ld);
    stj_reduce(n, n_slices, share, ld, f->g + at);
    if (step->unit)
        clip_dot(f, step, p, part, f->g);
    else
        update_tangent(sweep, f, step, p);
}

static void clip_after(const struct stj_sweep *sweep, const struct flight *f,
                       const struct stj_linear_step *step, size_t p)
{
    clip_project(sweep, f, step, p, f->g);
    update_tangent(sweep, f, step, p);
}

/* Steps first .. first + count - 1 in the order of the sweep's direction: the k-th of them. */
static size_t kth_step(const struct stj_sweep *sweep, size_t first, size_t count, size_t k)
{
    return sweep->trans == STJ_NO_TRANS ? first + k : first + count - 1 - k;
}

/* One thread takes one tile through the steps of a chunk. */
static enum stj_status run_tile(const struct stj_sweep *sweep, size_t tile, size_t team,
                                size_t first, size_t count, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct flight f = flight_of(sweep, tile, team);
    struct slices slices;
    for (size_t k = 0; k < count; k++) {
        const size_t t = kth_step(sweep, first, count, k);
        const struct stj_linear_step step = stj_linearization_cache_step(sweep->store, t);
        const bool back = sweep->trans == STJ_TRANS;
        step_slices(sweep, t, &slices);
        for (size_t p = 0; back && p < sweep->n_parts; p++)
            before(sweep, &f, &step, p);
        for (size_t p = 0; back && step.unit && p < sweep->n_parts; p++)
            clip_before(sweep, &f, &step, p);
        for (size_t i = 0; i < slices.n * slices.n_stages; i++)
            STJ_TRY(
                product(sweep, &f, &step, &slices, i % slices.n, i / slices.n, i % slices.n, err));
        for (size_t p = 0; p < sweep->n_parts; p++)
            after(sweep, &f, &step, p, slices.n);
        for (size_t p = 0; !back && step.unit && p < sweep->n_parts; p++)
            clip_after(sweep, &f, &step, p);
    }
out:
    return st;
}

static void keep_error(struct stj_error *err, const struct stj_error *mine)
{
#pragma omp critical(stj_sweep_error)
    stj_error_set(err, mine->code, mine->file, mine->line, "%s", mine->text);
}

/* The threads of a group's ranks take a tile each, in turn. */
static enum stj_status run_by_tile(const struct stj_sweep *sweep, size_t first, size_t count,
                                   struct stj_error *err)
{
    struct stj_error failure = STJ_ERROR_INIT;
    const size_t n_threads = stj_group_shares() ? stj_threads() : sweep->n_teams;
    const size_t n_teams = n_threads * stj_group_size(), mine = n_threads * stj_group_rank();
#pragma omp parallel for schedule(static, 1) num_threads((int)n_threads)
    for (size_t team = mine; team < mine + n_threads; team++)
        for (size_t tile = team; tile < sweep->n_tiles; tile += n_teams) {
            struct stj_error error = STJ_ERROR_INIT;
            if (run_tile(sweep, tile, team, first, count, &error) != STJ_OK)
                keep_error(&failure, &error);
        }
    return failure.code == STJ_OK
               ? STJ_OK
               : stj_error_set(err, failure.code, failure.file, failure.line, "%s", failure.text);
}

/* A tile that all threads of a region, on all ranks of the group, take through the steps of a chunk. */
struct team {
    const struct stj_sweep *sweep;
    struct flight f;
    struct stj_barrier own;
    struct stj_barrier *barrier; /* own, or that of the group's threads */
    struct stj_error failure;
};

typedef void phase_fn(const struct stj_sweep *sweep, const struct flight *f,
                      const struct stj_linear_step *step, size_t p);

/* The calling thread's share of the items 0 .. n - 1: *from .. its end. */
static size_t share_of(size_t n, size_t *from)
{
    const size_t thread = stj_thread_number(), size = stj_team_size();
    size_t begin = 0;
    const size_t end = stj_own_parts(n, &begin);
    *from = begin + (end - begin) * thread / size;
    return begin + (end - begin) * (thread + 1) / size;
}

/* One phase over the parts, which all threads have finished on return. */
static void run_parts(struct team *team, const struct stj_linear_step *step, phase_fn *phase)
{
    size_t p = 0;
    for (const size_t end = share_of(team->sweep->n_parts, &p); p < end; p++)
        phase(team->sweep, &team->f, step, p);
    stj_barrier_wait(team->barrier);
}

/* ---- exchanges, by messages: all threads come here, one speaks ---- */

/* A tile, of which each rank has its range: complete it. */
static void exchange_tile(struct team *team, real *tile)
{
    if (!by_messages())
        return;
    if (stj_thread_number() == 0)
        stj_group_allgatherv(ranges(team->sweep), sizeof *tile, tile);
    stj_barrier_wait(team->barrier);
}

/* Bounds that an exchange takes. */
static size_t *exchange_bounds(const struct stj_sweep *sweep)
{
    return sweep->bounds + 2 * (stj_group_size() + 1);
}

/* The shares of e . g of all parts. */
static void exchange_dots(struct team *team)
{
    const struct stj_sweep *sweep = team->sweep;
    size_t *begin = exchange_bounds(sweep);
    if (!by_messages())
        return;
    if (stj_thread_number() == 0) {
        for (size_t r = 0; r <= stj_group_size(); r++)
            begin[r] = sweep->bounds[r] * team->f.nvec;
        stj_group_allgatherv(begin, sizeof *team->f.dot, team->f.dot);
    }
    stj_barrier_wait(team->barrier);
}

/* Every rank's range of the shares of all slices. */
static void exchange_shares(struct team *team, size_t n_slices)
{
    const struct stj_sweep *sweep = team->sweep;
    size_t *begin = exchange_bounds(sweep);
    if (!by_messages())
        return;
    if (stj_thread_number() == 0) {
        stj_part_bounds(n_slices, begin);
        stj_group_alltoallv(begin, ranges(sweep), sizeof(real), team->f.share, sweep->tile_size,
                            sweep->incoming.at);
    }
    stj_barrier_wait(team->barrier);
}

/* The records that the slices left at the end of a stage. */
static void exchange_records(struct team *team, const struct slices *slices, size_t stage)
{
    const struct stj_sweep *sweep = team->sweep;
    size_t *begin = exchange_bounds(sweep);
    const struct stj_slice_sync m = meeting_of(sweep, &team->f, slices, 0, stage);
    if (!by_messages())
        return;
    if (stj_thread_number() == 0) {
        stj_part_bounds(slices->n, begin);
        stj_group_allgatherv(begin, m.size * sizeof(real), stj_slice_sync_records(&m, stage));
    }
    stj_barrier_wait(team->barrier);
}

/* A stage of this thread's slices, which all threads have finished on return. */
static void run_stage(struct team *team, const struct stj_linear_step *step,
                      const struct slices *slices, size_t stage)
{
    struct stj_error mine = STJ_ERROR_INIT;
    size_t s = 0, own = 0;
    (void)stj_own_parts(slices->n, &own);
    const size_t elsewhere = by_messages() ? own : 0;
    for (const size_t end = share_of(slices->n, &s); s < end; s++)
        if (product(team->sweep, &team->f, step, slices, s, stage, s - elsewhere, &mine) != STJ_OK)
            keep_error(&team->failure, &mine);
    stj_barrier_wait(team->barrier);
}

static void run_products(struct team *team, const struct stj_linear_step *step)
{
    const struct stj_sweep *sweep = team->sweep;
    struct slices slices;
    size_t i = 0;
    step_slices(sweep, step->at.index, &slices);
    for (size_t stage = 0; stage < slices.n_stages; stage++) {
        if (stage > 0)
            exchange_records(team, &slices, stage - 1);
        run_stage(team, step, &slices, stage);
    }
    exchange_shares(team, slices.n);
    const size_t end = share_of(sweep->n_parts, &i);
    for (; i < end; i++)
        after(sweep, &team->f, step, i, slices.n);
}

/* One step of the team: every thread calls it. */
static void run_step(struct team *team, size_t t)
{
    const struct stj_linear_step step = stj_linearization_cache_step(team->sweep->store, t);
    const bool back = team->sweep->trans == STJ_TRANS;
    if (back) {
        run_parts(team, &step, before);
        if (step.unit) {
            exchange_dots(team);
            run_parts(team, &step, clip_before);
        }
        exchange_tile(team, team->f.g);
        run_products(team, &step);
        return; /* what follows is the `before` of the same parts by the same thread */
    }
    run_products(team, &step);
    stj_barrier_wait(team->barrier);
    if (step.unit) {
        exchange_dots(team);
        run_parts(team, &step, clip_after);
    }
    exchange_tile(team, team->f.theta);
}

/* The ranges of a tile of nvec vectors. */
static void set_ranges(const struct stj_sweep *sweep, size_t nvec)
{
    size_t *begin = ranges(sweep);
    for (size_t r = 0; r <= stj_group_size(); r++) {
        const size_t p = sweep->bounds[r];
        begin[r] =
            nvec * (p < sweep->n_parts ? sweep->part[p].offset : sweep->problem->layout->n_params);
    }
}

static enum stj_status run_by_slice(const struct stj_sweep *sweep, size_t tile, size_t first,
                                    size_t count, struct stj_error *err)
{
    struct team team = {.sweep = sweep, .f = flight_of(sweep, tile, 0), .failure = STJ_ERROR_INIT};
    stj_barrier_init(&team.own, false);
    team.barrier = stj_group_shares() ? sweep->barrier.at : &team.own;
    set_ranges(sweep, team.f.nvec);
#pragma omp parallel num_threads((int)stj_threads())
    {
#pragma omp single
        team.own.n_threads = stj_team_size();
        for (size_t k = 0; k < count; k++)
            run_step(&team, kth_step(sweep, first, count, k));
    }
    stj_barrier_destroy(&team.own);
    const struct stj_error *failure = &team.failure;
    return failure->code == STJ_OK ? STJ_OK
                                   : stj_error_set(err, failure->code, failure->file, failure->line,
                                                   "%s", failure->text);
}

/* Tiles <- columns of x; slots <- 0, or theirs. */
static void load_block(const struct stj_sweep *sweep, const double *x, size_t ldx)
{
    const struct stj_layout *layout = sweep->problem->layout;
    const size_t n_ranks = stj_group_sharers();
    for (size_t tile = stj_group_rank() % n_ranks; tile < sweep->n_tiles; tile += n_ranks) {
        const struct flight f = flight_of(sweep, tile, 0);
        const double *columns = x + tile_first(sweep, tile) * ldx;
        stj_block_pack(layout, f.nvec, columns, ldx, f.theta);
        for (size_t k = 0; k < sweep->optimizer->n_slots; k++)
            if (sweep->carries_slots)
                stj_block_pack(layout, f.nvec, columns + (k + 1) * layout->n_params, ldx,
                               f.slot[k]);
            else
                memset(f.slot[k], 0, sweep->tile_size * sizeof(real));
    }
}

/* By messages: complete what each rank has a range of. */
static void complete(const struct stj_sweep *sweep, const struct flight *f)
{
    if (!by_messages())
        return;
    set_ranges(sweep, f->nvec);
    if (sweep->trans == STJ_TRANS)
        stj_group_allgatherv(ranges(sweep), sizeof(real), f->theta);
    for (size_t k = 0; sweep->carries_slots && k < sweep->optimizer->n_slots; k++)
        stj_group_allgatherv(ranges(sweep), sizeof(real), f->slot[k]);
}

static void store_block(const struct stj_sweep *sweep, double *y, size_t ldy)
{
    const struct stj_layout *layout = sweep->problem->layout;
    for (size_t tile = 0; tile < sweep->n_tiles; tile++) {
        const struct flight f = flight_of(sweep, tile, 0);
        double *columns = y + tile_first(sweep, tile) * ldy;
        complete(sweep, &f);
        stj_block_unpack(layout, f.nvec, f.theta, columns, ldy);
        for (size_t k = 0; sweep->carries_slots && k < sweep->optimizer->n_slots; k++)
            stj_block_unpack(layout, f.nvec, f.slot[k], columns + (k + 1) * layout->n_params, ldy);
    }
}

static enum stj_status run_chunk(struct stj_sweep *sweep, size_t first, size_t count,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_linearization_cache_load(sweep->store, first, count, err));
    if (sweep->n_teams > 1)
        st = run_by_tile(sweep, first, count, err);
    else
        for (size_t tile = 0; tile < sweep->n_tiles; tile++) {
            const enum stj_status mine = run_by_slice(sweep, tile, first, count, err);
            st = st == STJ_OK ? mine : st; /* on to the end, as the others of the group go */
        }
    STJ_TRY(stj_group_agree(st, err));
out:
    return st;
}

enum stj_status stj_sweep_run(struct stj_sweep *sweep, enum stj_trans trans, size_t nvec,
                              const double *x, size_t ldx, double *y, size_t ldy,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_steps = sweep->to - sweep->from;
    const size_t chunk = stj_linearization_cache_chunk(sweep->store);
    const struct stj_blas_guard guard = stj_blas_guard_take(1);
    st = prepare(sweep, trans, nvec, err);
    STJ_TRY(stj_group_agree(st, err)); /* nobody reads the last block any more */
    load_block(sweep, x, ldx);
    if (stj_group_shares())
        stj_group_barrier();
    for (size_t done = 0; done < n_steps; done += chunk) {
        const size_t count = n_steps - done < chunk ? n_steps - done : chunk;
        const size_t first = trans == STJ_NO_TRANS ? sweep->from + done : sweep->to - done - count;
        STJ_TRY(run_chunk(sweep, first, count, err));
    }
    store_block(sweep, y, ldy);
out:
    stj_blas_guard_give(guard);
    return st;
}

enum stj_status stj_sweep_explain(struct stj_sweep *sweep, enum stj_trans trans, const double *x,
                                  double *y, struct stj_error *err)
{
    sweep->searching = true;
    const enum stj_status st = stj_sweep_run(sweep, trans, 1, x, 0, y, 0, err);
    sweep->searching = false;
    return st;
}
