/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/directions.c: which singular directions are known, and their vectors. */
#include "study/directions.h"

#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"

enum { BLOCK = 64 }; /* vectors read at a time */

bool stj_directions_known(const struct stj_directions *d, size_t i)
{
    return i < d->n && (i < d->top || i >= d->n - d->bottom);
}

size_t stj_directions_n_known(const struct stj_directions *d)
{
    return d->top + d->bottom;
}

size_t stj_directions_item(const struct stj_directions *d, size_t k)
{
    return k < d->top ? k : d->n - d->bottom + (k - d->top);
}

bool stj_directions_degenerate(const struct stj_directions *d, size_t i)
{
    const bool above = i > 0 && stj_directions_known(d, i - 1) &&
                       fabs(d->sigma[i - 1] - d->sigma[i]) <= d->rounding;
    const bool below =
        stj_directions_known(d, i + 1) && fabs(d->sigma[i] - d->sigma[i + 1]) <= d->rounding;
    return above || below;
}

void stj_directions_text(const struct stj_directions *d, char text[STJ_DIRECTIONS_TEXT_MAX])
{
    if (d->top == d->n)
        snprintf(text, STJ_DIRECTIONS_TEXT_MAX, "all %zu, from %s", d->n, d->source);
    else if (d->bottom == 0)
        snprintf(text, STJ_DIRECTIONS_TEXT_MAX, "1 to %zu of %zu, from %s", d->top, d->n,
                 d->source);
    else if (d->top == 0)
        snprintf(text, STJ_DIRECTIONS_TEXT_MAX, "%zu to %zu of %zu, from %s", d->n - d->bottom + 1,
                 d->n, d->n, d->source);
    else
        snprintf(text, STJ_DIRECTIONS_TEXT_MAX, "1 to %zu and %zu to %zu of %zu, from %s", d->top,
                 d->n - d->bottom + 1, d->n, d->n, d->source);
}

enum stj_status stj_directions_fetch(const struct stj_directions *d, enum stj_side side,
                                     size_t first, size_t count, double *x, struct stj_error *err)
{
    char known[STJ_DIRECTIONS_TEXT_MAX];
    stj_directions_text(d, known);
    for (size_t i = first; i < first + count; i++) {
        STJ_NEED(err, i < d->n, STJ_EINVAL,
                 "direction %zu: there are %zu, as many as parameters (known are %s)", i + 1, d->n,
                 known);
        STJ_NEED(err, stj_directions_known(d, i), STJ_EINVAL,
                 "direction %zu was not computed: known are %s; 'spectraj dense' finds all, "
                 "'spectraj svd --top K --bottom K' more at the ends",
                 i + 1, known);
    }
    return d->fetch(d->ctx, side, first, count, x, err);
}

enum stj_status stj_directions_gather(const struct stj_directions *d, enum stj_side side,
                                      size_t count, const size_t *item, double *x,
                                      struct stj_error *err)
{
    size_t next = 0;
    for (size_t k = 0; k < count; k = next) {
        for (next = k + 1; next < count && item[next] == item[next - 1] + 1;)
            next++; /* neighbours are read together */
        STJ_MUST(stj_directions_fetch(d, side, item[k], next - k, x + k * d->n, err));
    }
    return STJ_OK;
}

static enum stj_status visit_block(const struct stj_directions *d, size_t first, size_t count,
                                   double *u, double *v, stj_direction_fn fn, void *ctx,
                                   struct stj_error *err)
{
    if (u)
        STJ_MUST(stj_directions_fetch(d, STJ_LEFT, first, count, u, err));
    if (v)
        STJ_MUST(stj_directions_fetch(d, STJ_RIGHT, first, count, v, err));
    for (size_t k = 0; k < count; k++)
        STJ_MUST(fn(ctx, first + k, u ? u + k * d->n : NULL, v ? v + k * d->n : NULL, err));
    return STJ_OK;
}

enum stj_status stj_directions_visit(const struct stj_directions *d, bool want_u, bool want_v,
                                     stj_direction_fn fn, void *ctx, struct stj_error *err)
{
    STJ_FREED double *u = NULL, *v = NULL;
    if (want_u)
        STJ_MUST(stj_new(&u, BLOCK * d->n, sizeof *u, err));
    if (want_v)
        STJ_MUST(stj_new(&v, BLOCK * d->n, sizeof *v, err));
    for (size_t i = 0; i < d->n;) {
        const size_t end = i < d->top ? d->top : d->n;
        const size_t first = i < d->top ? i : i < d->n - d->bottom ? d->n - d->bottom : i;
        const size_t count = end - first < BLOCK ? end - first : BLOCK;
        STJ_MUST(visit_block(d, first, count, u, v, fn, ctx, err));
        i = first + count;
    }
    return STJ_OK;
}

void stj_directions_add(const struct stj_directions *d, double a, const double *x, double *theta)
{
    if (!d->at)
        stj_axpy(d->n, a, x, theta);
    for (size_t i = 0; d->at && i < d->n; i++)
        theta[d->at[i]] += a * x[i];
}

enum stj_status stj_directions_put(const struct stj_directions *d, struct stj_study_result *r,
                                   struct stj_error *err)
{
    STJ_MUST(stj_study_put_text(r, d->source, err, "directions.source"));
    STJ_MUST(stj_study_put_count(r, d->top, err, "directions.top"));
    STJ_MUST(stj_study_put_count(r, d->bottom, err, "directions.bottom"));
    return stj_study_put_count(r, d->n - stj_directions_n_known(d), err, "directions.missing");
}

enum stj_status stj_directions_put_list(const struct stj_directions *d, struct stj_study_result *r,
                                        struct stj_error *err)
{
    const size_t n = stj_directions_n_known(d);
    STJ_FREED size_t *index = NULL, *degenerate = NULL;
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&index, n, sizeof *index, err));
    STJ_MUST(stj_new(&degenerate, n, sizeof *degenerate, err));
    STJ_MUST(stj_new(&sigma, n, sizeof *sigma, err));
    for (size_t k = 0; k < n; k++) {
        const size_t i = stj_directions_item(d, k);
        index[k] = i + 1;
        sigma[k] = d->sigma[i];
        degenerate[k] = stj_directions_degenerate(d, i);
    }
    STJ_MUST(stj_study_put_counts(r, n, index, err, "index"));
    STJ_MUST(stj_study_put_reals(r, n, sigma, err, "sigma"));
    return stj_study_put_counts(r, n, degenerate, err, "basis_dependent");
}

void stj_directions_print(FILE *out, const struct stj_study_result *r)
{
    const char *source = stj_study_text(r, "directions.source");
    const size_t top = (size_t)stj_study_number(r, "directions.top");
    const size_t bottom = (size_t)stj_study_number(r, "directions.bottom");
    const size_t n = top + bottom + (size_t)stj_study_number(r, "directions.missing");
    const struct stj_directions d = {
        .n = n, .top = top, .bottom = bottom, .source = source ? source : "an unknown file"};
    char text[STJ_DIRECTIONS_TEXT_MAX];
    stj_directions_text(&d, text);
    fprintf(out, "directions: %s\n", text);
    if (stj_study_find(r, "layers") && stj_study_text(r, "layers"))
        fprintf(out, "of the block of %s alone\n", stj_study_text(r, "layers"));
    if (d.bottom > 0)
        fprintf(out,
                "of the last %zu, sigma is an upper bound: others as small may lie between them\n",
                d.bottom);
    if (stj_directions_n_known(&d) < n)
        fprintf(out,
                "lacking: %zu to %zu; 'spectraj dense' finds all, 'spectraj svd --top K --bottom "
                "K' more at the ends\n",
                d.top + 1, n - d.bottom);
}
