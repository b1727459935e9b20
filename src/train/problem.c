/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/problem.c: slicing of batches, and whole gradients as ordered sums over slices. */
#include "train/problem.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/share_sum.h"

enum {
    WORK_ITEMS = 8,      /* that a step should offer to the threads */
    WORK_ITEMS_LARGE = 4 /* the same of a large problem */
};

bool stj_problem_is_large(const struct stj_problem *problem)
{
    return problem->layout->n_params >= 1 << 17;
}

bool stj_problem_may_switch(const struct stj_problem *problem)
{
    return !problem->ops->switches || problem->ops->switches(problem->self);
}

static size_t count_slices(const struct stj_problem *problem, size_t n_rows, size_t n_tiles,
                           size_t n_ranks)
{
    const size_t usual = stj_problem_is_large(problem) ? WORK_ITEMS_LARGE : WORK_ITEMS;
    const size_t items = usual > n_ranks ? usual : n_ranks;
    const size_t wanted = (items + n_tiles - 1) / n_tiles;
    const size_t most = problem->least_rows ? n_rows / problem->least_rows : n_rows;
    const size_t n = wanted < most ? wanted : most;
    return n < 1 ? 1 : n > STJ_MAX_SLICES ? STJ_MAX_SLICES : n;
}

size_t stj_problem_n_slices(const struct stj_problem *problem, size_t n_ranks)
{
    return count_slices(problem, problem->max_rows, 1, n_ranks);
}

size_t stj_problem_slices(const struct stj_problem *problem, size_t n_rows, size_t n_tiles,
                          struct stj_slice *slice)
{
    const size_t n = count_slices(problem, n_rows, n_tiles, stj_group_size());
    for (size_t s = 0; s < n; s++) {
        slice[s].first = n_rows * s / n;
        slice[s].n = n_rows * (s + 1) / n - slice[s].first;
        slice[s].meeting = (struct stj_slice_sync){.n_slices = n, .slice = s};
        slice[s].given = NULL;
        slice[s].curvature = NULL;
        slice[s].transposed = false;
    }
    return n;
}

size_t stj_problem_most_slices(const struct stj_problem *problem, size_t n_tiles, size_t nvec,
                               size_t *n_scratch)
{
    struct stj_slice slice[STJ_MAX_SLICES];
    const size_t n = stj_problem_slices(problem, problem->max_rows, n_tiles, slice);
    *n_scratch = 0;
    for (size_t s = 0; s < n; s++) {
        size_t wanted = problem->ops->n_scratch(problem->self, slice[s].n, nvec);
        *n_scratch = wanted > *n_scratch ? wanted : *n_scratch;
    }
    return n;
}

/* Measured: 1.4 for 64 rows of 4810 parameters, whose step takes a core 60 microseconds.  Longer
 * steps hide what threads wait, and so do batches of more slices than two. */
double stj_problem_lone(const struct stj_problem *problem)
{
    static const double short_step = 3e5; /* rows times parameters */
    const double work = (double)problem->max_rows * (double)problem->layout->n_params;
    const bool few = count_slices(problem, problem->max_rows, 1, 1) <= 2;
    if (!few || problem->max_rows <= 1 || problem->one_rank)
        return 1;
    return 1 + 0.4 * (work > short_step ? short_step / work : 1);
}

size_t stj_problem_n_stages(const struct stj_problem *problem, size_t n_slices)
{
    return n_slices > 1 && problem->ops->n_stages ? problem->ops->n_stages(problem->self) : 1;
}

size_t stj_problem_n_record(const struct stj_problem *problem, size_t nvec)
{
    return problem->ops->n_record ? problem->ops->n_record(problem->self, nvec) : 0;
}

size_t stj_problem_n_records(const struct stj_problem *problem, size_t n_slices, size_t nvec)
{
    return n_slices > 1 ? stj_slice_sync_n_records(n_slices) * stj_problem_n_record(problem, nvec)
                        : 0;
}

void stj_problem_destroy(struct stj_problem *problem)
{
    if (!problem)
        return;
    if (problem->self)
        problem->ops->destroy(problem->self);
    free(problem);
}

const char *stj_given_name(enum stj_given given)
{
    static const char *const name[] = {"the first parameters", "weights of samples",
                                       "inputs of samples",    "targets of samples",
                                       "rates of steps",       "momenta of steps",
                                       "decays of steps",      "scales of groups' rates"};
    return name[given];
}

enum stj_status stj_slice_check(const struct stj_slice *slice, bool weights, struct stj_error *err)
{
    const struct stj_given_tangents *given = slice->given;
    STJ_NEED(err, !given || (weights && given->given == STJ_GIVEN_WEIGHTS), STJ_EUNSUPPORTED,
             "products with %s need a problem that is a network and its data; this one is not",
             stj_given_name(given->given));
    STJ_NEED(err, !slice->curvature || !slice->curvature->zero, STJ_EUNSUPPORTED,
             "products with a Gauss-Newton matrix need the layers of a network, and this problem "
             "gives those with its Hessian alone: take the Hessian");
    return STJ_OK;
}

enum stj_status stj_problem_given(const struct stj_problem *problem, enum stj_given given,
                                  struct stj_given_shape *shape, struct stj_error *err)
{
    STJ_NEED(err, problem->ops->given, STJ_EUNSUPPORTED,
             "%s need a problem that is a network and its data; this one's losses are the caller's",
             stj_given_name(given));
    return problem->ops->given(problem->self, given, shape, err);
}

enum stj_status stj_problem_vary(const struct stj_problem *problem, enum stj_given given,
                                 const double *shift, struct stj_problem **varied,
                                 struct stj_error *err)
{
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *p = NULL;
    struct stj_given_shape shape;
    STJ_MUST(stj_problem_given(problem, given, &shape, err));
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    *p = *problem;
    p->self = NULL;
    STJ_MUST(problem->ops->vary(problem->self, given, shift, &p->self, err));
    *varied = p;
    p = NULL;
    return STJ_OK;
}

size_t stj_problem_n_params(const struct stj_problem *problem)
{
    return problem ? problem->layout->n_params : 0;
}

size_t stj_problem_n_steps(const struct stj_problem *problem)
{
    return problem ? problem->n_steps : 0;
}

/* What became of a slice. */
struct slice_end {
    double loss;
    enum stj_status status;
};

struct stj_gradient_work {
    struct stj_arena lin, scratch, g; /* [STJ_MAX_SLICES] of the latter two */
    struct stj_arena record;          /* of the slices, where they meet */
    struct stj_arena end;             /* [STJ_MAX_SLICES] struct slice_end */
    size_t n_scratch;
    struct stj_share_sum sum;
};

enum stj_status stj_gradient_work_create(const struct stj_problem *problem,
                                         struct stj_gradient_work **work, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_gradient_work *w = NULL;
    size_t n_params = problem->layout->n_params;
    STJ_TRY(stj_new(&w, 1, sizeof *w, err));
    const size_t n = stj_problem_most_slices(problem, 1, 0, &w->n_scratch);
    STJ_TRY(stj_arena_reals(&w->lin, 1, problem->ops->n_linear(problem->self), err));
    STJ_TRY(stj_arena_reals(&w->scratch, n, w->n_scratch, err));
    STJ_TRY(stj_arena_reals(&w->g, n, n_params, err));
    STJ_TRY(stj_arena_reals(&w->record, 1, stj_problem_n_records(problem, n, 0), err));
    STJ_TRY(stj_arena_grow(&w->end, STJ_MAX_SLICES * sizeof(struct slice_end), err));
    STJ_TRY(stj_share_sum_init(&w->sum, n_params, n, err));
    *work = w;
    w = NULL;
out:
    stj_gradient_work_destroy(w);
    return st;
}

size_t stj_gradient_work_bytes(const struct stj_problem *problem)
{
    size_t n_scratch = 0;
    const size_t n = stj_problem_most_slices(problem, 1, 0, &n_scratch);
    return sizeof(real) *
           (problem->ops->n_linear(problem->self) + n * (n_scratch + problem->layout->n_params) +
            stj_problem_n_records(problem, n, 0));
}

void stj_gradient_work_destroy(struct stj_gradient_work *work)
{
    if (!work)
        return;
    stj_arena_free(&work->lin);
    stj_arena_free(&work->scratch);
    stj_arena_free(&work->g);
    stj_arena_free(&work->record);
    stj_arena_free(&work->end);
    stj_share_sum_free(&work->sum);
    free(work);
}

/* All of `what` [n slices][item bytes], of which each rank of the group has its slices', is known
 * to all of them. */
static void tell_group(size_t n, size_t item, void *what)
{
    if (stj_group_shares())
        stj_group_barrier();
    stj_share_parts(n, item, what);
}

/* One gradient. */
struct gradient {
    const struct stj_problem *problem;
    size_t step, n_slices, n_stages;
    struct stj_slice slice[STJ_MAX_SLICES];
    const real *theta;
    real *share; /* [n_slices][n_params]; NULL: only the loss is wanted */
    struct stj_gradient_work *work;
    struct stj_error failure; /* of a slice of this rank */
};

/* This rank's slices go through a stage; before the next, all know the records of all. */
static void linearize_own_slices(struct gradient *c, size_t stage)
{
    const struct stj_problem *problem = c->problem;
    struct stj_gradient_work *work = c->work;
    struct slice_end *end = work->end.at;
    struct stj_slice_sync meeting = {
        .n_slices = c->n_slices,
        .stage = stage,
        .size = stj_problem_n_record(problem, 0),
        .record = work->record.at,
    };
    size_t first = 0;
    const size_t last = stj_own_parts(c->n_slices, &first);
#pragma omp parallel for schedule(static, 1) num_threads((int)stj_threads())
    for (size_t s = first; s < last; s++) {
        struct stj_error mine = STJ_ERROR_INIT;
        if (stage > 0 && end[s].status != STJ_OK)
            continue;
        c->slice[s].meeting = meeting;
        c->slice[s].meeting.slice = s;
        end[s].status = problem->ops->linearize(
            problem->self, c->step, c->slice[s], c->theta, work->lin.at, &end[s].loss,
            c->share ? c->share + s * problem->layout->n_params : NULL,
            (real *)work->scratch.at + s * work->n_scratch, &mine);
        if (end[s].status != STJ_OK)
#pragma omp critical(stj_gradient_error)
            stj_error_pass(&mine, &c->failure);
    }
    if (stage + 1 < c->n_stages)
        tell_group(c->n_slices, meeting.size * sizeof(real),
                   stj_slice_sync_records(&meeting, stage));
}

enum stj_status stj_problem_gradient(const struct stj_problem *problem, size_t step,
                                     const real *theta, double *loss, real *g,
                                     struct stj_gradient_work *work, struct stj_error *err)
{
    struct slice_end *end = work->end.at;
    struct gradient c = {.problem = problem,
                         .step = step,
                         .theta = theta,
                         .share = g ? work->g.at : NULL,
                         .work = work,
                         .failure = STJ_ERROR_INIT};
    const size_t n =
        stj_problem_slices(problem, problem->ops->n_rows(problem->self, step), 1, c.slice);
    double sum = 0;
    c.n_slices = n;
    c.n_stages = stj_problem_n_stages(problem, n);
    for (size_t stage = 0; stage < c.n_stages; stage++)
        linearize_own_slices(&c, stage);
    tell_group(n, sizeof *end, end);
    for (size_t s = 0; s < n; s++) {
        STJ_NEED(err, end[s].status == STJ_OK, end[s].status, "%s",
                 c.failure.text[0] ? c.failure.text : "another rank failed");
        sum += end[s].loss;
    }
    if (loss)
        *loss = sum;
    if (g)
        stj_share_sum_run(&work->sum, n, work->g.at, g);
    else if (stj_group_shares())
        stj_group_barrier(); /* the ends may be written again */
    return STJ_OK;
}
