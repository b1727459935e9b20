/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/problem.c: slicing of batches, and whole gradients as ordered sums over slices. */
#include "train/problem.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

enum {
    WORK_ITEMS = 8,      /* that a step should offer to the threads */
    WORK_ITEMS_LARGE = 4 /* the same of a large problem */
};

bool stj_problem_is_large(const struct stj_problem *problem)
{
    return problem->layout->n_params >= 1 << 17;
}

size_t stj_problem_slices(const struct stj_problem *problem, size_t n_rows, size_t n_tiles,
                          struct stj_slice *slice)
{
    const size_t items = stj_problem_is_large(problem) ? WORK_ITEMS_LARGE : WORK_ITEMS;
    size_t wanted = (items + n_tiles - 1) / n_tiles;
    size_t most = problem->least_rows ? n_rows / problem->least_rows : n_rows;
    size_t n = wanted < most ? wanted : most;
    n = n < 1 ? 1 : n > STJ_MAX_SLICES ? STJ_MAX_SLICES : n;
    for (size_t s = 0; s < n; s++) {
        slice[s].first = n_rows * s / n;
        slice[s].n = n_rows * (s + 1) / n - slice[s].first;
    }
    return n;
}

void stj_problem_destroy(struct stj_problem *problem)
{
    if (!problem)
        return;
    if (problem->self)
        problem->ops->destroy(problem->self);
    free(problem);
}

size_t stj_problem_n_params(const struct stj_problem *problem)
{
    return problem->layout->n_params;
}

size_t stj_problem_n_steps(const struct stj_problem *problem)
{
    return problem->n_steps;
}

struct stj_gradient_work {
    real *lin;
    real *scratch, *g; /* [STJ_MAX_SLICES] of each */
    size_t n_scratch;
};

/* Sizes of the work space for any step: slices, and the scratch of each. */
static size_t work_slices(const struct stj_problem *problem, size_t *n_scratch)
{
    struct stj_slice slice[STJ_MAX_SLICES];
    const size_t n = stj_problem_slices(problem, problem->max_rows, 1, slice);
    *n_scratch = 0;
    for (size_t s = 0; s < n; s++) {
        size_t wanted = problem->ops->n_scratch(problem->self, slice[s].n, 0);
        *n_scratch = wanted > *n_scratch ? wanted : *n_scratch;
    }
    return n;
}

enum stj_status stj_gradient_work_create(const struct stj_problem *problem,
                                         struct stj_gradient_work **work, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_gradient_work *w = NULL;
    size_t n_params = problem->layout->n_params;
    STJ_TRY(stj_new(&w, 1, sizeof *w, err));
    const size_t n = work_slices(problem, &w->n_scratch);
    STJ_TRY(stj_new(&w->lin, problem->ops->n_linear(problem->self), sizeof *w->lin, err));
    STJ_TRY(stj_new(&w->scratch, n * w->n_scratch, sizeof *w->scratch, err));
    STJ_TRY(stj_new(&w->g, n * n_params, sizeof *w->g, err));
    *work = w;
    w = NULL;
out:
    stj_gradient_work_destroy(w);
    return st;
}

size_t stj_gradient_work_bytes(const struct stj_problem *problem)
{
    size_t n_scratch = 0;
    const size_t n = work_slices(problem, &n_scratch);
    return sizeof(real) *
           (problem->ops->n_linear(problem->self) + n * (n_scratch + problem->layout->n_params));
}

void stj_gradient_work_destroy(struct stj_gradient_work *work)
{
    if (!work)
        return;
    free(work->lin);
    free(work->scratch);
    free(work->g);
    free(work);
}

enum stj_status stj_problem_gradient(const struct stj_problem *problem, size_t step,
                                     const real *theta, double *loss, real *g,
                                     struct stj_gradient_work *work, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n_params = problem->layout->n_params;
    const struct stj_problem_ops *ops = problem->ops;
    struct stj_slice slice[STJ_MAX_SLICES];
    double share[STJ_MAX_SLICES];
    enum stj_status status[STJ_MAX_SLICES];
    struct stj_error error[STJ_MAX_SLICES] = {0};
    const size_t n = stj_problem_slices(problem, ops->n_rows(problem->self, step), 1, slice);
#pragma omp parallel for schedule(static, 1) num_threads((int)stj_threads())
    for (size_t s = 0; s < n; s++)
        status[s] = ops->linearize(problem->self, step, slice[s], theta, work->lin, &share[s],
                                   g ? work->g + s * n_params : NULL,
                                   work->scratch + s * work->n_scratch, &error[s]);
    double sum = 0;
    for (size_t s = 0; s < n; s++) {
        STJ_CHECK(err, status[s] == STJ_OK, status[s], "%s", error[s].text);
        sum += share[s];
    }
    if (loss)
        *loss = sum;
    if (g)
        stj_reduce(n_params, n, work->g, n_params, g);
out:
    return st;
}
