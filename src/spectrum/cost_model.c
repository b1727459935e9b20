/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/cost_model.c: the arithmetic of predictions: products by kind, memory by phase.
 *
 * What a solver takes is said by the solver.  Memory is that of its largest arrays, of n numbers or
 * more, on the rank that holds most.
 */
#include "spectrum/cost_model.h"

#include <stdarg.h>
#include <stdio.h>

#include "op/operator.h"
#include "spectrum/rows.h"

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

void stj_predict_phase_alone(struct stj_prediction *p, double bytes)
{
    p->alone_bytes = bytes > p->alone_bytes ? bytes : p->alone_bytes;
}

void stj_predict_method(struct stj_prediction *p, const char *format, ...)
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

double stj_predicted_cost(const struct stj_prediction *prediction)
{
    double sum = 0;
    for (size_t i = 0; i < STJ_PREDICTED_KINDS; i++) {
        const struct stj_predicted_products *kind = &prediction->products[i];
        const bool lone = kind->block == 1 && prediction->lone > 0;
        sum += (kind->jvp + kind->vjp) * (lone ? prediction->lone : 1);
    }
    return sum;
}

size_t stj_predict_ranks(const struct stj_prediction *p)
{
    return p->ranks ? p->ranks : stj_n_ranks();
}

bool stj_predict_divides(const struct stj_prediction *p, size_t n)
{
    return stj_rows_divide(n, stj_predict_ranks(p));
}

size_t stj_predict_rows(const struct stj_prediction *p, size_t n)
{
    return stj_rows_share(n, stj_predict_ranks(p));
}

double stj_predict_peak(const struct stj_prediction *p)
{
    double bytes = 0;
    for (size_t i = 0; i < STJ_PREDICTED_PHASES; i++)
        bytes = p->phase[i].bytes > bytes ? p->phase[i].bytes : bytes;
    return bytes;
}

/* gesdd with all vectors (Golub and Van Loan). */
void stj_predict_svd(struct stj_prediction *p, double n)
{
    p->svd_flops += 22 * n * n * n;
}

void stj_dense_predict(size_t n, double matrices, struct stj_prediction *prediction)
{
    const double size = (double)n * (double)n * sizeof(double);
    stj_predict_products(prediction, (double)n, 0, n < STJ_DENSIFY_BLOCK ? n : STJ_DENSIFY_BLOCK);
    stj_predict_svd(prediction, (double)n);
    stj_predict_phase(prediction, matrices * size, 1);
}
