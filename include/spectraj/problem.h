/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/problem.h: a training problem: N parameters, n steps, and at each step a loss L_t.
 *
 * Threads: a problem does not change once it is made; its functions may be called from any, and
 * from several at once.  From where its callbacks are called is said below.
 */
#ifndef SPECTRAJ_PROBLEM_H
#define SPECTRAJ_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_problem;

/* A problem of the caller's own: everything that operators, solvers and studies need of a network
 * that the library does not know.  The callbacks may be called from several threads at once, for
 * different steps, unless one_at_a_time is true; they must not keep state between calls, but for
 * what `linearize` makes. */
struct stj_problem_callbacks {
    size_t size;     /* of this struct in bytes, as the program was compiled */
    size_t n_params; /* N >= 1 */
    size_t n_steps;  /* n */
    void *ctx;       /* passed to the callbacks; borrowed */

    /* The callbacks must not be called from two threads at once: threads wait for each other before
     * them, and the bits are the same. */
    bool one_at_a_time;

    /* *loss <- L_step(theta); g[n_params] <- its gradient. */
    enum stj_status (*gradient)(void *ctx, size_t step, const double *theta, double *loss,
                                double *g, struct stj_error *err);

    /* y (n_params x nvec, column-major, leading dimension ldy) <- H x, the Hessian of L_step at
     * theta times a block. */
    enum stj_status (*hvp)(void *ctx, size_t step, const double *theta, size_t nvec,
                           const double *x, size_t ldx, double *y, size_t ldy,
                           struct stj_error *err);

    /* Optional: L_step is a sum over n_rows(step) rows of a batch, and these give the share of rows
     * first .. first + n - 1 instead of the two above.  A batch is then divided among threads,
     * which call them for different rows at the same time; the shares are added in a fixed order.
     * All three or none; max_rows is the largest that n_rows returns. */
    size_t max_rows;
    /* How many rows the batch of a step has, 1 .. max_rows. */
    size_t (*n_rows)(void *ctx, size_t step);
    /* *loss, g <- the share of rows first .. first + n - 1 in those of `gradient`. */
    enum stj_status (*gradient_rows)(void *ctx, size_t step, size_t first, size_t n,
                                     const double *theta, double *loss, double *g,
                                     struct stj_error *err);
    /* y <- the share of rows first .. first + n - 1 in that of `hvp`. */
    enum stj_status (*hvp_rows)(void *ctx, size_t step, size_t first, size_t n, const double *theta,
                                size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err);

    /* Optional: what products with a step's Hessian at theta have in common is made once, and kept
     * for all of them as far as memory goes: linear_bytes, of the whole batch.  `linearize` fills
     * those of rows first .. first + n - 1, and hvp_linear takes the place of hvp and hvp_rows.
     * Without n_rows, first is 0 and n is 1: all of the batch; with it products may be of other
     * ranges than those that were filled. */
    size_t linear_bytes;
    /* linear <- what of it depends on the rows. */
    enum stj_status (*linearize)(void *ctx, size_t step, size_t first, size_t n,
                                 const double *theta, void *linear, struct stj_error *err);
    /* y <- the share of the rows in H x, by what `linearize` left for them. */
    enum stj_status (*hvp_linear)(void *ctx, size_t step, size_t first, size_t n,
                                  const double *theta, const void *linear, size_t nvec,
                                  const double *x, size_t ldx, double *y, size_t ldy,
                                  struct stj_error *err);

    /* Optional, for runs: *loss <- that of all training data at theta; NULL: the last step's. */
    enum stj_status (*loss)(void *ctx, const double *theta, double *loss, struct stj_error *err);
};

/* *problem <- a problem of callbacks; the struct is copied, its ctx borrowed. */
enum stj_status stj_problem_create(const struct stj_problem_callbacks *callbacks,
                                   struct stj_problem **problem, struct stj_error *err);
void stj_problem_destroy(struct stj_problem *problem); /* NULL is accepted */

/* The numbers of parameters and of steps. */
size_t stj_problem_n_params(const struct stj_problem *problem);
size_t stj_problem_n_steps(const struct stj_problem *problem); /* see stj_problem_n_params */

#ifdef __cplusplus
}
#endif

#endif
