/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/cost_model.c: what a solver is likely to cost.
 *
 * Density and trace take a number of products that is known beforehand.  The iterations for singular
 * pairs do not: for Lanczos it is what training Jacobians took (spectrum/svd/top.c), Arnoldi takes what it
 * plans for (spectrum/svd/arnoldi.c).  Memory is that of the largest arrays, of n numbers or more.
 *
 * Where P ranks divide the rows, and k pairs are wanted, the largest of
 *     top        N (ncv + k + 4) / P + 3 N           Lanczos vectors, and a product of whole vectors
 *                2 N k + N (k + 12) / P + 3 N        the pairs, and what looks outside of them
 *                3 N k                               finishing
 *     bottom     N (m + 2 p') / P + 2 N p + 3 m^2    m Arnoldi vectors, p' in S, p of them seeds
 *                3 N k                               residuals
 *     density    N (2 s + 1) / P + 2 N               for each probe in flight, with s steps
 * numbers on each rank, N / P rounded up; with one rank the vectors of a product are those of the basis, and
 * 3 N is N, 2 N p nothing.
 */
#include "spectrum/cost_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "op/operator.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/rows.h"
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

static size_t n_ranks(const struct stj_prediction *prediction)
{
    return prediction->ranks ? prediction->ranks : stj_n_ranks();
}

/* Bytes of a vector of which a rank has its rows. */
static double rows_bytes(const struct stj_prediction *prediction, size_t n)
{
    return (double)stj_rows_share(n, n_ranks(prediction)) * sizeof(double);
}

static bool is_named(const struct stj_svd_settings *s, const struct stj_svd_method *method)
{
    return s->method && strcmp(s->method, method->info.name) == 0;
}

static void predict_top(const struct stj_svd_settings *s, size_t n,
                        struct stj_prediction *prediction)
{
    const double vector = (double)n * sizeof(double);
    const double rows = rows_bytes(prediction, n);
    const double whole =
        stj_rows_divide(n, n_ranks(prediction)) ? 3 : 1; /* vectors of a single product */
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
    stj_predict_phase(prediction, (ncv + top + 4) * rows + whole * vector, 1);
    /* The pairs, with what finishing them and looking outside of them take. */
    stj_predict_phase(prediction, (2 * top + whole) * vector + (top + 2 * STJ_OUTSIDE_STEPS) * rows,
                      s->top);
    stj_predict_phase(prediction, 3 * top * vector, s->top);
    prediction->vector_bytes += iterations * ncv * rows;
    name_method(prediction, "arpack, ncv %.0f", ncv);
}

static void predict_bottom(const struct stj_svd_settings *s, size_t n,
                           struct stj_prediction *prediction)
{
    const double vector = (double)n * sizeof(double);
    const double rows = rows_bytes(prediction, n);
    const double k = (double)s->bottom;
    if (is_named(s, &stj_svd_lapack) || (!s->method && stj_svd_prefers_dense_bottom(s, n, n, 0))) {
        stj_dense_predict(n, 3, prediction);
        stj_predict_products(prediction, 0, k, s->bottom);
        name_method(prediction, "dense");
        return;
    }
    const struct stj_arnoldi_plan plan = stj_arnoldi_plan(s, n, 1, prediction->shortest, 0);
    const double m = (double)plan.m;
    const double rest = plan.total - m * plan.fraction;
    stj_predict_products(prediction, m * plan.fraction, 0, STJ_ARNOLDI_BLOCK);
    stj_predict_products(prediction, rest, k, s->bottom);
    const bool divided = stj_rows_divide(n, n_ranks(prediction));
    const double whole = divided ? 2 * (double)plan.p : 0;
    stj_predict_phase(prediction,
                      (m + 2 * (rest + (double)plan.p)) * rows + whole * vector + 24 * m * m,
                      STJ_ARNOLDI_BLOCK);
    if (divided)
        stj_predict_phase(prediction, 3 * k * vector, s->bottom);
    prediction->vector_bytes += m * m * rows;
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
    const size_t rows = stj_rows_share(n, n_ranks(prediction));
    const size_t in_flight = stj_density_in_flight(settings, rows, rows, steps, memory, &how);
    const double products = probes * (double)steps;
    const double basis = stj_bidiagonal_bytes(rows, rows, steps, how);
    const size_t block = in_flight > 0 ? in_flight : 1;
    prediction->refused = in_flight == 0 && !settings->scratch;
    /* Finished blocks stay while there is room: they could take more steps. */
    const double blocks = fmax(floor((double)memory / ((double)block * basis)), 1);
    const double kept = fmin(blocks * (double)block, probes) * basis;
    stj_predict_products(prediction, products, products, block);
    stj_predict_phase(prediction,
                      (settings->scratch ? 0 : kept) + 2 * (double)(block * n) * sizeof(double),
                      block);
    /* Known triplets: u and v as they were given, and the rows of v to stay orthogonal to. */
    for (size_t i = 0; i < 2; i++)
        if (settings->known[i])
            prediction->phase[0].bytes +=
                (double)settings->known[i]->k * (2 * (double)n + (double)rows) * sizeof(double);
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
