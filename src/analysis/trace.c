/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/trace.c: traces of functions of the Jacobian, with error bars (spectrum/trace/). */
#include <math.h>
#include <stdio.h>

#include "analysis/analyses.h"
#include "analysis/common_options.h"
#include "analysis/given.h"
#include "base/error.h"
#include "analysis/print.h"
#include "spectrum/trace/trace_method.h"

static const char *const functions[] = {"trace", "frobenius", "deviation", NULL};

struct trace_config {
    struct stj_trace_settings s;
    char *of;
};

#define OPTION(...) STJ_OPTION_ROW(struct stj_trace_settings, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("function", CHOICE, function, "trace",
           "trace: tr J; frobenius: |J|^2 = tr J'J; deviation: |J - I|^2, squared Frobenius "
           "norms",
           .letter = 'f', .choices = functions, .value = "NAME"),
    OPTION("method", STRING, method, "", "estimator; 'help' lists the methods (default: xtrace)",
           .kind = &stj_trace_methods, .value = "NAME"),
    OPTION("products", SIZE, products, "100",
           "products with the matrix whose trace is taken; with as many as parameters, the trace "
           "is exact",
           .letter = 'n', .min = 1, .max = 1e9, .value = "N"),
    STJ_FRACTION_OPTION("confidence", 0, STJ_ROLE_QUESTION,
                        offsetof(struct stj_trace_settings, confidence), "0.95", "P",
                        "probability with which the interval contains the true value"),
    STJ_SEED_OPTION(offsetof(struct stj_trace_settings, seed), "random vectors"),
    STJ_OF_OPTION(offsetof(struct trace_config, of)),
    {.name = NULL},
};

/* The methods, and what is one where the products suffice for every unit vector. */
static bool method_name(size_t i, const char **name, const char **doc)
{
    if (i == 0) {
        *name = "exact";
        *doc = "every unit vector";
        return true;
    }
    return stj_trace_get_method(i - 1, name, doc);
}

#define FIELD(...) STJ_FIELD_ROW(struct stj_trace_result, __VA_ARGS__)
static const struct stj_field schema[] = {
    FIELD("function", CHOICE, function, "what was estimated: tr J, |J|_F^2 or |J - I|_F^2",
          .choices = functions),
    FIELD("method", NAME, method, "how; exact where the products sufficed for every unit vector",
          .names = method_name),
    FIELD("value", REAL, value, "the estimate", .headline = 1, .low = "low", .high = "high"),
    FIELD("error", REAL, error, "its standard error, estimated from the samples; 0: exact"),
    FIELD("low", REAL, low, "Student interval, from"),
    FIELD("high", REAL, high, "to"),
    FIELD("confidence", REAL, confidence, "how often that interval contains the true value"),
    FIELD("products", COUNT, products,
          "with the matrix whose trace it is: what the method can divide up evenly"),
    FIELD("samples", COUNT, samples, "numbers that the error is estimated from"),
    FIELD("seed", SEED, seed, "of the random vectors"),
    {.name = NULL},
};

static size_t trace_columns(const void *config, size_t n)
{
    const struct stj_trace_settings *c = config;
    (void)n;
    return c->products;
}

static void trace_predict(const struct stj_run *run, const struct stj_plan_request *request,
                          const void *config, struct stj_prediction *prediction, size_t *engine)
{
    (void)run;
    (void)engine;
    stj_trace_predict(config, request->n < request->rows ? request->n : request->rows, prediction);
}

static enum stj_status trace_check(const void *config, struct stj_error *err)
{
    const struct trace_config *c = config;
    STJ_NEED(
        err, !c->of || c->s.function == STJ_TRACE_FROBENIUS, STJ_EINVAL,
        "the derivative with respect to %s is not square, and has no trace: ask for --function "
        "frobenius",
        c->of);
    return stj_given_check(c->of, err);
}

/* What products in single precision may have done to the value, E = J_single - J:
 *     |tr E| <= sqrt(N) |E|_F,      | |J + E|_F^2 - |J|_F^2 | <= 2 |J|_F |E|_F + |E|_F^2
 * and so for J - I, with the |E|_F that was measured. */
static void trace_widen(const struct stj_analysis_context *cx, struct stj_trace_result *r)
{
    const double root = sqrt((double)cx->n);
    const double e = root * cx->about->product_error;
    if (isnan(e))
        return;
    const double by =
        r->function == STJ_TRACE_TRACE ? root * e : 2 * e * sqrt(fmax(0, r->value)) + e * e;
    r->low = r->function == STJ_TRACE_TRACE ? r->low - by : fmax(fmin(r->low, 0), r->low - by);
    r->high += by;
}

static enum stj_status trace_compute(struct stj_analysis_context *cx, const void *config,
                                     void *data, struct stj_error *err)
{
    const struct trace_config *c = config;
    struct stj_trace_settings s = c->s;
    STJ_MUST(stj_analysis_use_given(cx, c->of, true, err));
    s.size = sizeof s;
    s.progress = *cx->progress;
    STJ_MUST(stj_trace_solve(cx->op, &s, data, err));
    trace_widen(cx, data);
    return STJ_OK;
}

static void trace_print(FILE *out, const struct stj_result *result)
{
    static const char *const meaning[] = {"tr J", "|J|_F^2 = tr J'J",
                                          "|J - I|_F^2 = tr (J - I)'(J - I)"};
    const struct stj_trace_result *r = result->data;
    stj_print_given(out, &result->about);
    fprintf(out, "%s of %zu parameters\n", meaning[r->function], result->about.n_params);
    fprintf(out, "value          %.10g\n", r->value);
    fprintf(out, "error          %.3g\n", r->error);
    fprintf(out, "%.4g %% interval  %.10g .. %.10g\n", 100 * r->confidence, r->low, r->high);
    fprintf(out, "method: %s, %zu products, %zu samples; seed %llu\n", r->method, r->products,
            r->samples, (unsigned long long)r->seed);
    stj_print_cost(out, &result->about);
}

const struct stj_analysis stj_analysis_trace = {
    .info = {.name = "trace",
             .doc = "traces of the training Jacobian, with error bars",
             .options = options,
             .config_size = sizeof(struct trace_config),
             .check = trace_check},
    .description =
        "Estimate tr J, or the squared Frobenius norm of J or of J - I, from products with random\n"
        "vectors, and store the result in RUN/trace-FUNCTION.h5.  Repeating a command prints the\n"
        "stored result.\n",
    .example = "  spectraj trace digits-run --function deviation\n"
               "  spectraj trace digits-run --method hutchinson --products 400 --json\n",
    .schema = schema,
    .result_size = sizeof(struct stj_trace_result),
    .format = {.name = "spectraj-trace", .version = 1, .remedy = "compute it again with --force"},
    .name_option = "function",
    .columns = trace_columns,
    .single = true,
    .predict = trace_predict,
    .compute = trace_compute,
    .print = trace_print,
};
