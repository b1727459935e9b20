/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/trace.c: traces: checks, the matrix that is meant, the method, the error bar.
 *
 * Error bar: the standard error of the samples' mean, and Student's interval with one degree of
 * freedom less than samples.  Where the products suffice for all unit vectors the trace is summed
 * exactly.
 */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/operator.h"
#include "spectrum/trace/trace_method.h"

enum { BLOCK = STJ_TRACE_BLOCK };

static const struct stj_plugin_info *const method_list[] = {
    &stj_trace_xtrace.info,
    &stj_trace_hutchpp.info,
    &stj_trace_hutchinson.info,
    NULL,
};

const struct stj_kind stj_trace_methods = {.what = "method", .list = method_list};

bool stj_trace_get_method(size_t i, const char **name, const char **doc)
{
    if (!name || !doc || i + 1 >= sizeof method_list / sizeof method_list[0])
        return false;
    *name = method_list[i]->name;
    *doc = method_list[i]->doc;
    return true;
}

static const char *const function_text[] = {
    [STJ_TRACE_TRACE] = "trace",
    [STJ_TRACE_FROBENIUS] = "frobenius",
    [STJ_TRACE_DEVIATION] = "deviation",
};

enum { N_FUNCTIONS = sizeof function_text / sizeof function_text[0] };

const char *stj_trace_function_text(enum stj_trace_function function)
{
    return (size_t)function < N_FUNCTIONS ? function_text[function] : "unknown";
}

bool stj_trace_function_parse(const char *text, enum stj_trace_function *function)
{
    for (size_t i = 0; text && function && i < N_FUNCTIONS; i++)
        if (strcmp(text, function_text[i]) == 0) {
            *function = (enum stj_trace_function)i;
            return true;
        }
    return false;
}

void stj_trace_settings_init(struct stj_trace_settings *settings, size_t size)
{
    const struct stj_trace_settings defaults = {.products = 100, .confidence = 0.95};
    stj_settings_fill(settings, size, &defaults, sizeof defaults);
}

enum stj_status stj_trace_probes(const struct stj_trace_target *target, size_t first, size_t k,
                                 double *x, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    const size_t n = target->n;
    for (size_t j = 0; j < k; j++) {
        STJ_MUST(stj_rng_create(target->seed, STJ_STREAM_PROBES, first + j, &rng, err));
        stj_rng_fill_normal(rng, n, x + j * n);
        stj_rng_destroy(rng);
        rng = NULL;
        stj_scal(n, sqrt((double)n) / stj_nrm2(n, x + j * n), x + j * n);
    }
    return STJ_OK;
}

enum stj_status stj_trace_apply(const struct stj_trace_target *target, struct stj_op *op, size_t k,
                                const double *x, double *y, size_t done, struct stj_error *err)
{
    const size_t n = stj_op_n_cols(op);
    const size_t m = stj_op_n_rows(op);
    for (size_t first = 0; first < k; first += BLOCK) {
        const size_t width = k - first < BLOCK ? k - first : BLOCK;
        STJ_MUST(stj_progress_report(target->progress, "trace", (double)(done + first),
                                     (double)target->products, err));
        STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, width, x + first * n, n, y + first * m, m, err));
    }
    return STJ_OK;
}

/* All unit vectors: samples->offset <- the trace. */
static enum stj_status exact_estimate(const struct stj_trace_target *target,
                                      struct stj_trace_samples *samples, struct stj_error *err)
{
    struct stj_op *op = target->half ? target->half : target->b;
    const size_t n = target->n;
    const size_t m = stj_op_n_rows(op);
    STJ_FREED double *x = NULL;
    STJ_FREED double *y = NULL;
    STJ_MUST(stj_new(&x, n * BLOCK, sizeof *x, err));
    STJ_MUST(stj_new(&y, m * BLOCK, sizeof *y, err));
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t width = n - first < BLOCK ? n - first : BLOCK;
        memset(x, 0, n * BLOCK * sizeof *x);
        for (size_t j = 0; j < width; j++)
            x[j * n + first + j] = 1;
        STJ_MUST(stj_trace_apply(target, op, width, x, y, first, err));
        for (size_t j = 0; j < width; j++)
            samples->offset +=
                target->half ? stj_dot(m, y + j * m, y + j * m) : y[j * m + first + j];
    }
    samples->products = n;
    return STJ_OK;
}

static enum stj_status trace_find_method(const struct stj_trace_settings *s,
                                         const struct stj_trace_method **method,
                                         struct stj_error *err)
{
    const struct stj_plugin_info *info = &stj_trace_xtrace.info;
    if (s->method)
        STJ_MUST(stj_kind_find(&stj_trace_methods, s->method, &info, err));
    *method = (const struct stj_trace_method *)info;
    return STJ_OK;
}

void stj_trace_predict(const struct stj_trace_settings *s, size_t n, struct stj_prediction *p)
{
    const struct stj_trace_method *method = NULL;
    if (trace_find_method(s, &method, NULL) != STJ_OK)
        return;
    const bool exact = s->products >= n; /* all unit vectors, in blocks of two at once */
    const size_t part = exact ? BLOCK : s->products / method->parts;
    const size_t k = part > 0 ? part : 1;
    const double products = (double)(exact ? n : k * method->parts);
    const bool half = s->function == STJ_TRACE_TRACE || exact || method->halves;
    stj_predict_products(p, products, half ? 0 : products, k < BLOCK ? k : BLOCK);
    stj_predict_phase(p, (double)((exact ? 2 : method->held) * k * n) * sizeof(double),
                      k < BLOCK ? k : BLOCK);
    if (!exact && method->parts > 1) /* a QR and products with its basis */
        p->vector_bytes += 8 * (double)k * (double)k * (double)n;
    stj_predict_method(p, "%s", exact ? "exact" : method->info.name);
}

static enum stj_status trace_check_settings(const struct stj_op *a,
                                            const struct stj_trace_settings *s,
                                            const struct stj_trace_method **method,
                                            struct stj_error *err)
{
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    STJ_NEED(err, (size_t)s->function < N_FUNCTIONS, STJ_EINVAL,
             "function is %d, not one of trace, frobenius and deviation", (int)s->function);
    STJ_NEED(err, s->confidence > 0 && s->confidence < 1, STJ_EINVAL,
             "confidence is %g, it must lie between 0 and 1, both excluded", s->confidence);
    STJ_NEED(err, m == n || s->function == STJ_TRACE_FROBENIUS, STJ_EINVAL,
             "%s wants a square operator, this one is %zu x %zu: only frobenius has no such need",
             function_text[s->function], m, n);
    STJ_MUST(trace_find_method(s, method, err));
    STJ_NEED(err, s->products >= n || s->products >= (*method)->least, STJ_EINVAL,
             "products is %zu, %s needs at least %zu", s->products, (*method)->info.name,
             (*method)->least);
    return STJ_OK;
}

/* target->half and target->b; *shifted and *normal are the operators made for it. */
static enum stj_status trace_make_target(struct stj_op *a, enum stj_trace_function function,
                                         struct stj_trace_target *target, struct stj_op **shifted,
                                         struct stj_op **normal, struct stj_error *err)
{
    target->n = stj_op_n_cols(a);
    target->b = a;
    if (function == STJ_TRACE_TRACE)
        return STJ_OK;
    target->half = a;
    if (function == STJ_TRACE_DEVIATION) {
        STJ_MUST(stj_trace_minus_identity(a, shifted, err));
        target->half = *shifted;
    }
    STJ_MUST(stj_op_create_normal(target->half, normal, err));
    target->b = *normal;
    return STJ_OK;
}

double stj_student_interval(size_t n, const double *sample, double confidence, double *mean,
                            double *error)
{
    double square = 0;
    *mean = 0;
    *error = n == 1 ? HUGE_VAL : 0;
    for (size_t i = 0; i < n; i++)
        *mean += sample[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (sample[i] - *mean) * (sample[i] - *mean);
    if (n < 2)
        return *error;
    const double dof = (double)n - 1;
    *error = sqrt(square / dof / (double)n);
    return *error * gsl_cdf_tdist_Pinv((1 + confidence) / 2, dof);
}

static void trace_summarise(const struct stj_trace_samples *s, struct stj_trace_result *r)
{
    double mean = 0;
    const double half = stj_student_interval(s->n, s->sample, r->confidence, &mean, &r->error);
    r->value = s->offset + mean;
    r->samples = s->n;
    r->products = s->products;
    r->low = r->value - half;
    r->high = r->value + half;
}

enum stj_status stj_trace_solve(struct stj_op *a, const struct stj_trace_settings *settings,
                                struct stj_trace_result *result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, a, result);
    const struct stj_trace_settings *s = settings;
    const struct stj_trace_method *method = NULL;
    const struct stj_op_counts begin = stj_op_get_counts(a);
    const double clock = stj_clock();
    const struct stj_blas_guard guard = stj_blas_guard_take(1);
    struct stj_trace_samples samples = {0};
    struct stj_op *shifted = NULL;
    struct stj_op *normal = NULL;
    STJ_TRY(trace_check_settings(a, s, &method, err));
    struct stj_trace_target target = {
        .products = s->products, .seed = s->seed, .progress = &s->progress};
    STJ_TRY(trace_make_target(a, s->function, &target, &shifted, &normal, err));
    const bool exact = s->products >= target.n;
    STJ_TRY((exact ? exact_estimate : method->estimate)(&target, &samples, err));
    *result = (struct stj_trace_result){.n_params = target.n,
                                        .function = s->function,
                                        .method = exact ? "exact" : method->info.name,
                                        .confidence = s->confidence,
                                        .seed = s->seed};
    trace_summarise(&samples, result);
    result->counts = stj_op_counts_since(a, &begin);
    result->seconds = stj_clock() - clock;
out:
    stj_blas_guard_give(guard);
    free(samples.sample);
    stj_op_destroy(normal);
    stj_op_destroy(shifted);
    return st;
}
