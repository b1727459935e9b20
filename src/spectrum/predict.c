/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/predict.c: what a solver is likely to cost.
 *
 * Density and trace take a number of products that is known beforehand.  The iterations for singular
 * pairs do not: for Lanczos it is what training Jacobians took (spectrum/svd/top.c), Arnoldi takes what it
 * plans for (spectrum/svd/arnoldi.c).  Memory is that of the largest arrays, of n numbers or more.
 */
#include "spectrum/predict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "op/operator.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/svd/svd_method.h"
#include "spectrum/trace/trace_method.h"

void stj_predict_products(struct stj_prediction *p, double jvp, double vjp, size_t block)
{
    for (size_t i = 0; i < STJ_PREDICTED_KINDS; i++) {
        struct stj_predicted_products *kind = &p->products[i];
        if (kind->block != 0 && kind->block != block)
            continue;
        kind->block = block;
        kind->jvp += jvp;
        kind->vjp += vjp;
        return;
    }
}

void stj_predict_phase(struct stj_prediction *p, double bytes, size_t block)
{
    for (size_t i = 0; i < STJ_PREDICTED_PHASES; i++)
        if (p->phase[i].block == 0) {
            p->phase[i] = (struct stj_predicted_phase){bytes, block};
            return;
        }
}

static void name_method(struct stj_prediction *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void name_method(struct stj_prediction *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->method, sizeof p->method, format, args);
    va_end(args);
}

double stj_predicted_applications(const struct stj_prediction *prediction)
{
    double sum = 0;
    for (size_t i = 0; i < STJ_PREDICTED_KINDS; i++)
        sum += prediction->products[i].jvp + prediction->products[i].vjp;
    return sum;
}

/* gesdd of a square matrix with all vectors (Golub and Van Loan). */
static double svd_flops(double n)
{
    return 22 * n * n * n;
}

void stj_dense_predict(size_t n, double matrices, struct stj_prediction *prediction)
{
    const double size = (double)n * (double)n * sizeof(double);
    stj_predict_products(prediction, (double)n, 0, n < STJ_DENSIFY_BLOCK ? n : STJ_DENSIFY_BLOCK);
    prediction->svd_flops += svd_flops((double)n);
    stj_predict_phase(prediction, matrices * size, 1);
}

/* ---- singular pairs ---- */

static bool is_named(const struct stj_svd_settings *s, const struct stj_svd_method *method)
{
    return s->method && strcmp(s->method, method->info.name) == 0;
}

static void predict_top(const struct stj_svd_settings *s, size_t n,
                        struct stj_prediction *prediction)
{
    const double vector = (double)n * sizeof(double);
    const double top = (double)s->top;
    const double ncv = (double)stj_svd_arpack_ncv(s, n);
    const double iterations = stj_svd_likely_iterations(s, n);
    if (is_named(s, &stj_svd_lapack) || (!s->method && stj_svd_prefers_dense(s, n, n))) {
        stj_dense_predict(n, 3, prediction);
        stj_predict_products(prediction, 0, top, s->top);
        name_method(prediction, "dense");
        return;
    }
    stj_predict_products(prediction, iterations + STJ_OUTSIDE_STEPS, iterations + STJ_OUTSIDE_STEPS,
                         1);
    stj_predict_products(prediction, top, top, s->top);
    stj_predict_phase(prediction, (ncv + top + 5) * vector, 1);
    /* The pairs, with what finishing them and looking outside of them take. */
    stj_predict_phase(prediction, (3 * top + 2 * STJ_OUTSIDE_STEPS + 1) * vector, s->top);
    stj_predict_phase(prediction, 4 * top * vector, s->top);
    prediction->vector_bytes += iterations * ncv * vector;
    name_method(prediction, "arpack, ncv %.0f", ncv);
}

static void predict_bottom(const struct stj_svd_settings *s, size_t n,
                           struct stj_prediction *prediction)
{
    const double vector = (double)n * sizeof(double);
    const double k = (double)s->bottom;
    if (is_named(s, &stj_svd_lapack) || (!s->method && stj_svd_prefers_dense_bottom(s, n, n, 0))) {
        stj_dense_predict(n, 3, prediction);
        stj_predict_products(prediction, 0, k, s->bottom);
        name_method(prediction, "dense");
        return;
    }
    const struct stj_arnoldi_plan plan = stj_arnoldi_plan(s, n, 1, true, 0);
    const double m = (double)plan.m;
    const double rest = plan.total - m * plan.fraction;
    stj_predict_products(prediction, m * plan.fraction, 0, STJ_ARNOLDI_BLOCK);
    stj_predict_products(prediction, rest, k, s->bottom);
    stj_predict_phase(prediction, (m + 2 * (rest + (double)plan.p)) * vector + 24 * m * m,
                      STJ_ARNOLDI_BLOCK);
    prediction->vector_bytes += m * m * vector;
    prediction->svd_flops += svd_flops(m);
    name_method(prediction, "arnoldi, %zu vectors on %.0f %% of the steps", plan.m,
                100 * plan.fraction);
}

void stj_svd_predict(const struct stj_svd_settings *settings, size_t n,
                     struct stj_prediction *prediction)
{
    if (settings->top > 0)
        predict_top(settings, n, prediction);
    if (settings->bottom > 0)
        predict_bottom(settings, n, prediction);
}

/* ---- density and trace ---- */

void stj_density_predict(const struct stj_density_settings *settings, size_t n,
                         struct stj_prediction *prediction)
{
    const size_t memory =
        settings->memory_bytes ? settings->memory_bytes : stj_memory_available() / 4;
    const size_t steps = settings->steps < n ? settings->steps : n;
    const double probes = (double)settings->probes;
    enum stj_reorthogonalize how = settings->reorthogonalize;
    const size_t in_flight = stj_density_in_flight(settings, n, n, steps, memory, &how);
    const double products = probes * (double)steps;
    const double basis = stj_bidiagonal_bytes(n, n, steps, how);
    const size_t block = in_flight > 0 ? in_flight : 1;
    /* Finished blocks stay while there is room: they could take more steps. */
    const double blocks = fmax(floor((double)memory / ((double)block * basis)), 1);
    const double kept = fmin(blocks * (double)block, probes) * basis;
    stj_predict_products(prediction, products, products, block);
    stj_predict_phase(prediction,
                      (settings->scratch ? 0 : kept) + 2 * (double)(block * n) * sizeof(double),
                      block);
    /* Known triplets: u and v as they were given, and a copy of v to stay orthogonal to. */
    for (size_t i = 0; i < 2; i++)
        if (settings->known[i])
            prediction->phase[0].bytes +=
                3.0 * (double)(settings->known[i]->k * n) * sizeof(double);
    /* Two passes over half of the final basis on average, each reading it twice. */
    prediction->vector_bytes += products * 2 * basis;
    name_method(prediction, "%s reorthogonalisation, %zu probes at a time%s",
                stj_reorthogonalize_text(how), in_flight, settings->scratch ? ", on disk" : "");
}

void stj_trace_predict(const struct stj_trace_settings *settings, size_t n,
                       struct stj_prediction *prediction)
{
    const double products = fmin((double)settings->products, (double)n);
    const size_t half = (size_t)(products / 2) > 0 ? (size_t)(products / 2) : 1;
    const size_t block = half < STJ_TRACE_BLOCK ? half : STJ_TRACE_BLOCK;
    const bool normal = settings->function != STJ_TRACE_TRACE;
    stj_predict_products(prediction, products, normal ? products : 0, block);
    stj_predict_phase(prediction, 4 * (double)half * (double)n * sizeof(double), block);
    prediction->vector_bytes += 8 * (double)half * (double)half * (double)n;
    name_method(prediction, "%s", settings->method ? settings->method : "xtrace");
}
