/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/problem.h: a training problem: N parameters, n steps, and at each step a loss L_t.
 *
 * Threads: a problem does not change after its creation; any threads may call its functions,
 * several at once.  The comments below say which threads call its callbacks.
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

/* A problem defined by the caller: everything that operators, solvers and studies need of a network
 * that the library does not know.  Several threads may call the callbacks at once, for different
 * steps, unless one_at_a_time is true.  Callbacks must not keep state between calls, except what
 * `linearize` fills in. */
struct stj_problem_callbacks {
    size_t size;     /* of this struct in bytes, as the program was compiled */
    size_t n_params; /* N >= 1 */
    size_t n_steps;  /* n */
    void *ctx;       /* passed to the callbacks; borrowed */

    /* No two threads may be in the callbacks at once: threads then wait for each other, and results
     * keep their bits. */
    bool one_at_a_time;

    /* *loss <- L_step(theta); g[n_params] <- its gradient. */
    enum stj_status (*gradient)(void *ctx, size_t step, const double *theta, double *loss,
                                double *g, struct stj_error *err);

    /* y (n_params x nvec, column-major, leading dimension ldy) <- H x, the Hessian of L_step at
     * theta times a block. */
    enum stj_status (*hvp)(void *ctx, size_t step, const double *theta, size_t nvec,
                           const double *x, size_t ldx, double *y, size_t ldy,
                           struct stj_error *err);

    /* Optional, replacing the two above: L_step is a sum over the n_rows(step) rows of a batch, and
     * these callbacks return the contribution of rows first .. first + n - 1.  A batch is then
     * divided among threads, which call them for different rows at the same time; contributions are
     * added in a fixed order.  Set all three or none; max_rows is the largest value that n_rows
     * returns. */
    size_t max_rows;
    /* The number of rows in the batch of a step, 1 .. max_rows. */
    size_t (*n_rows)(void *ctx, size_t step);
    /* *loss, g <- the contribution of rows first .. first + n - 1 to those of `gradient`. */
    enum stj_status (*gradient_rows)(void *ctx, size_t step, size_t first, size_t n,
                                     const double *theta, double *loss, double *g,
                                     struct stj_error *err);
    /* y <- the contribution of rows first .. first + n - 1 to that of `hvp`. */
    enum stj_status (*hvp_rows)(void *ctx, size_t step, size_t first, size_t n, const double *theta,
                                size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err);

    /* Optional: what all products with a step's Hessian at theta share is computed once and kept
     * while memory lasts, in linear_bytes for the whole batch.  `linearize` fills in the part of
     * rows first .. first + n - 1, and hvp_linear replaces hvp and hvp_rows.  Without n_rows, first
     * is 0 and n is 1, the whole batch; with n_rows, products may be of other ranges than those
     * that were filled in. */
    size_t linear_bytes;
    /* linear <- its part that depends on the rows. */
    enum stj_status (*linearize)(void *ctx, size_t step, size_t first, size_t n,
                                 const double *theta, void *linear, struct stj_error *err);
    /* y <- the contribution of the rows to H x, from what `linearize` stored for them. */
    enum stj_status (*hvp_linear)(void *ctx, size_t step, size_t first, size_t n,
                                  const double *theta, const void *linear, size_t nvec,
                                  const double *x, size_t ldx, double *y, size_t ldy,
                                  struct stj_error *err);

    /* Optional, for runs: *loss <- the loss of all training data at theta; NULL: the last step's.
     */
    enum stj_status (*loss)(void *ctx, const double *theta, double *loss, struct stj_error *err);
};

/* *problem <- a problem with these callbacks; the struct is copied, its ctx borrowed. */
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
