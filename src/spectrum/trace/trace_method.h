/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/trace_method.h: the contract of a stochastic trace estimator. */
#ifndef STJ_SPECTRUM_TRACE_TRACE_METHOD_H
#define STJ_SPECTRUM_TRACE_TRACE_METHOD_H

#include <spectraj/trace.h>

#include "options/option.h"
#include "spectrum/cost_model.h"

/* The matrix B (n x n) whose trace is wanted. */
struct stj_trace_target {
    size_t n;
    struct stj_op *b;
    struct stj_op *half; /* B = half'half, or NULL */
    size_t products;     /* with B that may be spent */
    uint64_t seed;
    const struct stj_progress *progress;
};

/* Samples of the trace: independent, or exchangeable, with the trace as their mean. */
struct stj_trace_samples {
    size_t n;
    double *sample; /* owned by the receiver */
    double offset;  /* known exactly, to be added to their mean */
    size_t products;
};

struct stj_trace_method {
    struct stj_plugin_info info;
    size_t least; /* products */
    size_t parts; /* into which it divides the products, each a block of vectors */
    size_t held;  /* blocks of that size that it holds */
    bool halves;  /* of half'half it multiplies by half alone */
    enum stj_status (*estimate)(const struct stj_trace_target *target,
                                struct stj_trace_samples *samples, struct stj_error *err);
};

extern const struct stj_kind stj_trace_methods; /* the registry: spectrum/trace/trace.c */
extern const struct stj_trace_method stj_trace_hutchinson;
extern const struct stj_trace_method stj_trace_hutchpp;
extern const struct stj_trace_method stj_trace_xtrace;

/* x (n x k) <- vectors of length sqrt(n) with uniform directions, numbers first .. of the seed. */
enum stj_status stj_trace_probes(const struct stj_trace_target *target, size_t first, size_t k,
                                 double *x, struct stj_error *err);

/* The prediction of a trace of a square operator with n columns. */
void stj_trace_predict(const struct stj_trace_settings *settings, size_t n,
                       struct stj_prediction *prediction);

enum { STJ_TRACE_BLOCK = 32 }; /* vectors between two reports */

/* y <- op x for k columns, in blocks between which progress is reported: `done` products of the
 * target before. */
enum stj_status stj_trace_apply(const struct stj_trace_target *target, struct stj_op *op, size_t k,
                                const double *x, double *y, size_t done, struct stj_error *err);

/* *op <- A - I, square; A is borrowed. */
enum stj_status stj_trace_minus_identity(struct stj_op *a, struct stj_op **op,
                                         struct stj_error *err);

/* The half width of Student's interval for the mean of n samples, which are drawn alike.  *mean and
 * its standard error *error.  Of one sample both are infinite, of none (all is known) 0. */
double stj_student_interval(size_t n, const double *sample, double confidence, double *mean,
                            double *error);

#endif
