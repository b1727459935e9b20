/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/predict.c: how many probes go together, and what a density is likely to cost.
 *
 * Every probe takes 2 products a step.  Where P ranks divide the rows, a probe in flight of s steps
 * takes
 *     N (2 s + 1) / P + 2 N
 * numbers on each rank, N / P rounded up.
 */
#include <math.h>

#include "base/memory.h"
#include "spectrum/density/bidiagonalize.h"

size_t stj_density_memory(const struct stj_density_settings *settings)
{
    return settings->memory_bytes ? settings->memory_bytes : stj_memory_available() / 4;
}

/* Probes whose bases of so many bytes fit. */
static size_t probes_that_fit(const struct stj_density_settings *s, double bytes, size_t memory)
{
    const double n = floor((double)memory / bytes);
    return n < (double)s->probes ? (size_t)n : s->probes;
}

size_t stj_density_in_flight(const struct stj_density_settings *settings, size_t n_rows,
                             size_t n_cols, size_t steps, size_t memory,
                             enum stj_reorthogonalize *how)
{
    *how = settings->reorthogonalize;
    if (*how == STJ_REORTHOGONALIZE_AUTO) {
        const double bytes = stj_bidiagonal_bytes(n_rows, n_cols, steps, STJ_REORTHOGONALIZE_FULL);
        const size_t full = probes_that_fit(settings, bytes, memory);
        const bool enough = full >= 1 && 2 * full >= settings->probes;
        *how = enough || full >= 4 ? STJ_REORTHOGONALIZE_FULL : STJ_REORTHOGONALIZE_ONE_SIDED;
    }
    return probes_that_fit(settings, stj_bidiagonal_bytes(n_rows, n_cols, steps, *how), memory);
}

void stj_density_predict(const struct stj_density_settings *settings, size_t m, size_t n,
                         struct stj_prediction *prediction)
{
    const size_t memory = stj_density_memory(settings);
    const size_t steps = settings->steps < n ? settings->steps : n;
    const double probes = (double)settings->probes;
    enum stj_reorthogonalize how = settings->reorthogonalize;
    const size_t rows = stj_predict_rows(prediction, m), cols = stj_predict_rows(prediction, n);
    const size_t in_flight = stj_density_in_flight(settings, rows, cols, steps, memory, &how);
    const double products = probes * (double)steps;
    const double basis = stj_bidiagonal_bytes(rows, cols, steps, how);
    const size_t block = in_flight > 0 ? in_flight : 1;
    double bytes = (double)block * ((double)m + (double)n) * sizeof(double);
    prediction->refused = in_flight == 0 && !settings->scratch;
    /* Finished blocks stay while there is room: they could take more steps. */
    const double blocks = fmax(floor((double)memory / ((double)block * basis)), 1);
    if (!settings->scratch)
        bytes += fmin(blocks * (double)block, probes) * basis;
    /* Known triplets: u and v as they were given, and the rows of v to stay orthogonal to. */
    for (size_t i = 0; i < 2; i++)
        if (settings->known[i])
            bytes += (double)settings->known[i]->k * ((double)m + (double)n + (double)cols) *
                     sizeof(double);
    stj_predict_products(prediction, products, products, block);
    stj_predict_phase(prediction, bytes, block);
    /* Two passes over half of the final basis on average, each reading it twice. */
    prediction->vector_bytes += products * 2 * basis;
    stj_predict_method(prediction, "%s reorthogonalisation, %zu probes at a time%s",
                       stj_reorthogonalize_text(how), in_flight,
                       settings->scratch ? ", on disk" : "");
}
