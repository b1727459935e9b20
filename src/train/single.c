/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/single.c: between callers in double and a problem in single precision.
 *
 * This file is compiled with STJ_SINGLE alone: `real` is float here, and struct stj_problem the one
 * of network_problem.c in single precision.
 *
 * Scratch: the point, the tangents and the product, rounded, then the problem's own.  Subnormal
 * numbers are zero in here: they come up in single precision where they do not in double (the
 * probabilities of a trained network's other classes), and processors take a hundred times as long
 * for them.
 */
#include "train/single.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "base/error.h"
#include "base/memory.h"
#include "base/target_clones.h"
#include "train/network_problem.h"

/* Whole numbers up to this are exact: ids of tokens, winners of a max-pool. */
#define MOST_EXACT ((size_t)1 << 24)

struct stj_single {
    struct stj_network *net;
    struct stj_problem *problem;
};

/* Doubles that have room for n floats, to whole lines of a cache. */
static size_t doubles(size_t n)
{
    return (n + 15) / 16 * 8;
}

/* Flush subnormal numbers to zero, in this thread; what to restore. */
static unsigned flush_begin(void)
{
#ifdef __SSE2__
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* flush results, and take operands as zero */
    return before;
#else
    return 0;
#endif
}

static void flush_end(unsigned before)
{
#ifdef __SSE2__
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

STJ_CLONES static void narrow(size_t n, const double *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)x[i];
}

STJ_CLONES static void widen(size_t n, const float *restrict x, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (double)x[i];
}

static enum stj_status check_whole_numbers(const struct stj_network *net, struct stj_error *err)
{
    const size_t n_in = stj_shape_size(stj_network_input(net));
    const size_t *ids = stj_network_ids(net);
    for (size_t i = 0; ids && i < n_in; i++)
        STJ_NEED(
            err, ids[i] <= MOST_EXACT, STJ_EUNSUPPORTED,
            "precision single: a vocabulary of %zu, more than the %zu whole numbers that single "
            "precision tells apart: take precision double",
            ids[i], MOST_EXACT);
    for (size_t i = 0; i < stj_network_n_layers(net); i++) {
        const size_t n = stj_shape_size(&stj_network_layer(net, i, NULL)->in);
        STJ_NEED(err, n <= MOST_EXACT, STJ_EUNSUPPORTED,
                 "precision single: %s reads %zu numbers a sample, more than the %zu that single "
                 "precision can count: take precision double",
                 stj_network_layer(net, i, NULL)->label, n, MOST_EXACT);
    }
    return STJ_OK;
}

void stj_single_destroy(void *self)
{
    struct stj_single *s = self;
    if (!s)
        return;
    stj_problem_destroy(s->problem);
    stj_network_destroy(s->net);
    free(s);
}

enum stj_status stj_single_create(const struct stj_network_config *config, const double *frozen,
                                  const struct stj_dataset *data, struct stj_batch_order *order,
                                  size_t n_steps, struct stj_single **single, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_single *s = NULL;
    STJ_TRY(stj_new(&s, 1, sizeof *s, err));
    STJ_TRY(stj_network_create(config, &s->net, err));
    STJ_TRY(check_whole_numbers(s->net, err));
    stj_network_set_frozen(s->net, frozen);
    STJ_TRY(stj_network_problem_create(s->net, data, order, n_steps, &s->problem, err));
    *single = s;
    s = NULL;
out:
    stj_single_destroy(s);
    return st;
}

size_t stj_single_n_rows(const void *self, size_t step)
{
    const struct stj_problem *p = ((const struct stj_single *)self)->problem;
    return p->ops->n_rows(p->self, step);
}

size_t stj_single_n_linear(const void *self)
{
    const struct stj_problem *p = ((const struct stj_single *)self)->problem;
    return doubles(p->ops->n_linear(p->self));
}

/* A point, or a gradient; and tangents of it. */
static size_t vector_room(const struct stj_single *s, size_t nvec)
{
    return doubles(stj_network_n_params(s->net) * nvec);
}

size_t stj_single_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    const struct stj_single *s = self;
    const size_t own = s->problem->ops->n_scratch(s->problem->self, n_rows, nvec);
    return vector_room(s, 1) + 2 * vector_room(s, nvec ? nvec : 1) + doubles(own);
}

size_t stj_single_n_stages(const void *self)
{
    const struct stj_problem *p = ((const struct stj_single *)self)->problem;
    return p->ops->n_stages(p->self);
}

size_t stj_single_n_record(const void *self, size_t nvec)
{
    const struct stj_problem *p = ((const struct stj_single *)self)->problem;
    return doubles(p->ops->n_record(p->self, nvec));
}

/* The same slice, whose records lie as far apart as the caller's. */
static struct stj_slice slice_in(struct stj_slice slice)
{
    slice.meeting.size *= 2;
    return slice;
}

/* Is it the last of the slice's stages? */
static bool ends(const struct stj_single *s, const struct stj_slice *slice)
{
    return slice->meeting.stage + 1 >= stj_problem_n_stages(s->problem, slice->meeting.n_slices);
}

/* What lies in a scratch. */
struct parts {
    float *theta, *x, *y, *scratch;
};

static struct parts parts_of(const struct stj_single *s, size_t nvec, double *scratch)
{
    double *x = scratch + vector_room(s, 1);
    double *y = x + vector_room(s, nvec);
    double *own = y + vector_room(s, nvec);
    return (struct parts){(float *)(void *)scratch, (float *)(void *)x, (float *)(void *)y,
                          (float *)(void *)own};
}

enum stj_status stj_single_linearize(const void *self, size_t step, struct stj_slice slice,
                                     const double *theta, double *lin, double *loss, double *g,
                                     double *scratch, struct stj_error *err)
{
    const struct stj_single *s = self;
    const size_t n = stj_network_n_params(s->net);
    const struct parts p = parts_of(s, 1, scratch);
    if (slice.meeting.stage == 0)
        narrow(n, theta, p.theta);
    const unsigned before = flush_begin();
    const enum stj_status st =
        s->problem->ops->linearize(s->problem->self, step, slice_in(slice), p.theta,
                                   (float *)(void *)lin, loss, g ? p.y : NULL, p.scratch, err);
    flush_end(before);
    if (g && ends(s, &slice))
        widen(n, p.y, g);
    return st;
}

enum stj_status stj_single_hvp(const void *self, size_t step, struct stj_slice slice,
                               const double *theta, const double *lin, size_t nvec, const double *x,
                               double *y, double *scratch, struct stj_error *err)
{
    const struct stj_single *s = self;
    const size_t n = stj_network_n_params(s->net);
    const struct parts p = parts_of(s, nvec, scratch);
    STJ_NEED(err, !slice.given && !slice.curvature, STJ_EUNSUPPORTED,
             "products in single precision are with the Hessian alone: take precision double");
    if (slice.meeting.stage == 0) {
        narrow(n, theta, p.theta);
        narrow(n * nvec, x, p.x);
    }
    const unsigned before = flush_begin();
    const enum stj_status st =
        s->problem->ops->hvp(s->problem->self, step, slice_in(slice), p.theta,
                             (const float *)(const void *)lin, nvec, p.x, p.y, p.scratch, err);
    flush_end(before);
    if (ends(s, &slice))
        widen(n * nvec, p.y, y);
    return st;
}

const char *stj_single_suspect(const void *self, struct stj_slice slice, const double *y,
                               const double *scratch)
{
    const struct stj_single *s = self;
    const struct parts p = parts_of(s, 1, (double *)scratch);
    (void)y;
    return s->problem->ops->suspect(s->problem->self, slice, p.y, p.scratch);
}

bool stj_single_switches(const void *self)
{
    const struct stj_problem *p = ((const struct stj_single *)self)->problem;
    return p->ops->switches(p->self);
}
