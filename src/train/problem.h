/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/problem.h: what training and its derivative need to know of a problem.
 *
 * A problem gives, for each step t, the gradient of L_t and products of its Hessian with tiles of
 * tangents.  There are two: a network with a data set (train/network_problem.c) and the caller's
 * callbacks (train/callback_problem.c).
 *
 * Work is divided into *slices* of the step's batch: rows first .. first + n - 1 of n_rows(step).
 * Gradients and Hessian-vector products are sums over slices; how a batch is sliced follows from
 * its shape alone, so the bits do not depend on the number of threads.
 */
#ifndef STJ_TRAIN_PROBLEM_H
#define STJ_TRAIN_PROBLEM_H

#include <stdbool.h>

#include <spectraj/problem.h>

#include "base/block.h"
#include "base/memory.h"
#include "parallel/slice_sync.h"

struct stj_single;

struct stj_slice {
    size_t first, n;
    struct stj_slice_sync meeting;         /* with the others of its batch */
    struct stj_given_tangents *given;      /* of hvp; NULL: as a rule */
    const struct stj_curvature *curvature; /* of hvp of a network; NULL: the Hessian, as a rule */
    bool transposed; /* of hvp: the adjoint, where the product is not with a Hessian */
};

/* Numbers that samples are given: `width` of each, with `cols` to a position. */
struct stj_given_shape {
    size_t n_samples, width, cols;
    double size; /* the root of their mean square */
};

struct stj_problem_ops {
    void (*destroy)(void *self);

    /* Rows of step's batch; 1: cannot be sliced. */
    size_t (*n_rows)(const void *self, size_t step);

    /* Reals of a linearisation of one step, and of scratch for a slice of n_rows rows and nvec
     * tangents (0: primal work only). */
    size_t (*n_linear)(const void *self);
    size_t (*n_scratch)(const void *self, size_t n_rows, size_t nvec);

    /* Where slices depend on each other: stages of linearize and hvp, and numbers of a record for a
     * product with nvec tangents (0: linearize); every stage has the same arguments and scratch
     * (parallel/slice_sync.h).  NULL: one stage. */
    size_t (*n_stages)(const void *self);
    size_t (*n_record)(const void *self, size_t nvec);

    /* The slice's rows of lin <- the primal quantities at theta (see net/network.h).  *loss and g
     * (either may be NULL) <- the slice's share. */
    enum stj_status (*linearize)(const void *self, size_t step, struct stj_slice slice,
                                 const real *theta, real *lin, double *loss, real *g, real *scratch,
                                 struct stj_error *err);

    /* y <- the slice's share of H x; x and y are tiles. */
    enum stj_status (*hvp)(const void *self, size_t step, struct stj_slice slice, const real *theta,
                           const real *lin, size_t nvec, const real *x, real *y, real *scratch,
                           struct stj_error *err);

    /* Where a NaN or infinity came up in the product of one vector that has just left y and
     * scratch: the name of a layer, borrowed.  NULL, or no such function: it cannot be told. */
    const char *(*suspect)(const void *self, struct stj_slice slice, const real *y,
                           const real *scratch);

    /* Are there activations that switch, as of relu and max-pool?  NULL: it cannot be told. */
    bool (*switches)(const void *self);

    /* What samples are given, weights in the loss, inputs or targets: *shape <- of it, refused, saying
     * why, where hvp does not know it; which samples a step's linearisation is of; and *varied <- the
     * same problem with that larger by shift [n_samples][width].  shift NULL: not larger, and hvp
     * knows it, which may take another linearisation.  All NULL: there are no samples; rows NULL:
     * those of every step are all samples. */
    enum stj_status (*given)(const void *self, enum stj_given given, struct stj_given_shape *shape,
                             struct stj_error *err);
    const size_t *(*rows)(const void *self, const real *lin);
    enum stj_status (*vary)(const void *self, enum stj_given given, const double *shift,
                            void **varied, struct stj_error *err);

    /* *single <- the same problem in single precision (train/single.h), which borrows what this one
     * does.  NULL: there is none. */
    enum stj_status (*single)(const void *self, size_t n_steps, struct stj_single **single,
                              struct stj_error *err);
};

struct stj_problem {
    const struct stj_problem_ops *ops;
    void *self;
    size_t n_steps;
    size_t max_rows; /* of any step's batch */
    const struct stj_layout *layout;
    size_t least_rows; /* of a slice, 0 as 1 */
    bool one_rank;     /* of one slice, which one rank of a group makes, whatever the tile */
};

enum { STJ_MAX_SLICES = 64 };

/* A batch has at least as many slices as the group has ranks, where its rows suffice.
 * slice[STJ_MAX_SLICES] <- the slices of n_rows rows of the problem for work that has `n_tiles`
 * independent tiles beside them (1 for a gradient); returns their number. */
size_t stj_problem_slices(const struct stj_problem *problem, size_t n_rows, size_t n_tiles,
                          struct stj_slice *slice);

/* Slices of the largest batch, the same way; *n_scratch <- the scratch of any of them for nvec
 * tangents. */
size_t stj_problem_most_slices(const struct stj_problem *problem, size_t n_tiles, size_t nvec,
                               size_t *n_scratch);

/* A product of one vector with the Hessian of a step, in the time of one of a block's. */
double stj_problem_lone(const struct stj_problem *problem);

/* Stages of work on n_slices slices, numbers of a slice's record, and of the records of a batch. */
size_t stj_problem_n_stages(const struct stj_problem *problem, size_t n_slices);
size_t stj_problem_n_record(const struct stj_problem *problem, size_t nvec);
size_t stj_problem_n_records(const struct stj_problem *problem, size_t n_slices, size_t nvec);

/* May activations switch where the parameters move? */
bool stj_problem_may_switch(const struct stj_problem *problem);

/* How many the largest batch has for a gradient that so many ranks make together. */
size_t stj_problem_n_slices(const struct stj_problem *problem, size_t n_ranks);

STJ_HOLDS(struct stj_problem, stj_problem_destroy)

/* STJ_EUNSUPPORTED where hvp, of a problem that is no network, is asked for more than the product with
 * its Hessian (of one that knows `weights` of samples: and more than them). */
enum stj_status stj_slice_check(const struct stj_slice *slice, bool weights, struct stj_error *err);

/* "weights of samples" */
const char *stj_given_name(enum stj_given given);

/* The two of the operations above.  The problem is borrowed; STJ_EUNSUPPORTED for one without samples. */
enum stj_status stj_problem_given(const struct stj_problem *problem, enum stj_given given,
                                  struct stj_given_shape *shape, struct stj_error *err);
enum stj_status stj_problem_vary(const struct stj_problem *problem, enum stj_given given,
                                 const double *shift, struct stj_problem **varied,
                                 struct stj_error *err);

/* Of a problem of callbacks: the same, borrowed, whose parameters are tensors; and *loss <- that of
 * all its data at theta. */
enum stj_status stj_callback_problem_place(const struct stj_problem *problem,
                                           const struct stj_layout *layout, size_t n_steps,
                                           struct stj_problem **placed, struct stj_error *err);
enum stj_status stj_callback_problem_loss(const struct stj_problem *problem, const double *theta,
                                          double *loss, struct stj_error *err);

/* *single <- the same problem whose linearisations and products are in single precision; it borrows
 * what the problem does, and its layout.  STJ_EUNSUPPORTED for one that is no network. */
enum stj_status stj_problem_single(const struct stj_problem *problem, struct stj_problem **single,
                                   struct stj_error *err);

/* Are the problem's vectors far larger than a core's cache?  Then every slice costs the writing and
 * adding of its share in memory, so work is divided into fewer slices and into more, thinner
 * tiles. */
bool stj_problem_is_large(const struct stj_problem *problem);

/* Work space for whole gradients, reused from step to step. */
struct stj_gradient_work;
enum stj_status stj_gradient_work_create(const struct stj_problem *problem,
                                         struct stj_gradient_work **work, struct stj_error *err);
void stj_gradient_work_destroy(struct stj_gradient_work *work);
STJ_HOLDS(struct stj_gradient_work, stj_gradient_work_destroy)
size_t stj_gradient_work_bytes(const struct stj_problem *problem);

/* *loss <- L_step(theta), g[n_params] <- its gradient: linearisations of all slices in parallel, on
 * the threads of the group's ranks, summed in order.  Same bits at any number of threads. */
enum stj_status stj_problem_gradient(const struct stj_problem *problem, size_t step,
                                     const real *theta, double *loss, real *g,
                                     struct stj_gradient_work *work, struct stj_error *err);

#endif
