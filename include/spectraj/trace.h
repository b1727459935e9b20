/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/trace.h: traces of functions of an operator, from products with random vectors.
 *
 * Threads: one solve at a time in a process (spectraj/progress.h explains why); any thread may call
 * the other functions.
 */
#ifndef SPECTRAJ_TRACE_H
#define SPECTRAJ_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <spectraj/op.h>
#include <spectraj/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What to estimate. */
enum stj_trace_function {
    STJ_TRACE_TRACE,     /* tr A */
    STJ_TRACE_FROBENIUS, /* |A|_F^2 = tr A'A */
    STJ_TRACE_DEVIATION, /* |A - I|_F^2 = tr (A - I)'(A - I) */
};

/* "trace", "frobenius", "deviation"; never NULL. */
const char *stj_trace_function_text(enum stj_trace_function function);

/* *function <- the value of that name; false for any other text. */
bool stj_trace_function_parse(const char *text, enum stj_trace_function *function);

/* What to estimate and how; start from stj_trace_settings_default. */
struct stj_trace_settings {
    size_t size;                      /* of this struct in bytes, as the program was compiled */
    enum stj_trace_function function; /* of A */
    const char *method;               /* name of a method; NULL: xtrace */
    size_t products;   /* with the matrix whose trace is estimated: A, A'A or (A-I)'(A-I) */
    double confidence; /* of low .. high */
    uint64_t seed;     /* of the random vectors */
    struct stj_progress progress; /* between products */
};

/* settings (of `size` bytes) <- tr A by xtrace with 100 products, confidence 0.95. */
void stj_trace_settings_init(struct stj_trace_settings *settings, size_t size);

/* The same as a value. */
static inline struct stj_trace_settings stj_trace_settings_default(void)
{
    struct stj_trace_settings settings;
    stj_trace_settings_init(&settings, sizeof settings);
    return settings;
}

/* An estimate; it owns nothing. */
struct stj_trace_result {
    size_t n_params;                  /* columns of A */
    enum stj_trace_function function; /* what was estimated */
    const char *method;               /* "exact" if the products suffice for every unit vector */
    double value;                     /* the estimate */
    double error;                     /* standard error, estimated from the samples; 0: exact */
    double low, high;                 /* Student's t interval */
    double confidence;                /* of low .. high */
    size_t products;                  /* used: as many as the method can divide evenly */
    size_t samples;                   /* numbers from which the error is estimated */
    /* Total cost; Hutchinson's |A x|^2 needs no products with A'. */
    struct stj_op_counts counts;
    double seconds; /* wall-clock time */
    uint64_t seed;  /* as in the settings */
};

/* result <- the estimate.  tr A and the deviation need a square operator.  Cost: settings.products
 * products with A and, for functions other than tr A, as many with A'. */
enum stj_status stj_trace_solve(struct stj_op *a, const struct stj_trace_settings *settings,
                                struct stj_trace_result *result, struct stj_error *err);

/* "hutchinson": "mean of ...": name and doc of method i; false past the last. */
bool stj_trace_get_method(size_t i, const char **name, const char **doc);

#ifdef __cplusplus
}
#endif

#endif
