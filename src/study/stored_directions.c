/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/stored_directions.c: the singular directions that the result files of a run hold.
 *
 * Of svd.h5 the pairs count that are pairs: residual at most 1e-3.  The smallest ones are bounds:
 * what is certain of their vectors is that J shrinks them so far, whatever the residual, not that
 * none is missing between them.  Those count that J shrinks by a tenth.
 */
#include "study/stored_directions.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "analysis/analyses.h"
#include "analysis/request.h"
#include "analysis/store.h"

static const double most_residual = 1e-3, most_bound = 0.9;

/* Vectors that differ by less than a thousandth part: their singular values are a thousand times
 * the rounding of a product apart. */
static const double rounding_factor = 1e3;

static enum stj_status fetch(void *ctx, enum stj_side side, size_t first, size_t count, double *x,
                             struct stj_error *err)
{
    static const char *const name[2][2] = {{"u", "v"}, {"bottom_u", "bottom_v"}};
    struct stj_stored_directions *s = ctx;
    const size_t n = s->d.n;
    const size_t in_top = first >= s->d.top          ? 0
                          : s->d.top - first < count ? s->d.top - first
                                                     : count;
    if (in_top > 0)
        STJ_MUST(stj_h5_get_rows(s->file, name[0][side], first, in_top, n, x, n, err));
    /* The smallest are stored ascending. */
    for (size_t i = in_top; i < count; i++)
        STJ_MUST(
            stj_h5_get_rows(s->file, name[1][side], n - 1 - (first + i), 1, n, x + i * n, n, err));
    return STJ_OK;
}

/* Is the file of the whole training, and of all parameters? */
static enum stj_status is_whole(struct stj_h5 *file, const struct stj_run_info *info, bool *whole,
                                struct stj_error *err)
{
    size_t from = 0, to = 0, n = 0;
    STJ_MUST(stj_h5_get_size(file, "@from", &from, err));
    STJ_MUST(stj_h5_get_size(file, "@to", &to, err));
    STJ_MUST(stj_h5_get_size(file, "@n_params", &n, err));
    *whole = from == 0 && to == info->n_steps && n == info->n_params;
    return STJ_OK;
}

/* Open the file of the whole training unless it is absent or, by its name alone, of a window. */
static enum stj_status open_whole(const struct stj_run *run, const struct stj_analysis *analysis,
                                  struct stj_h5 **file, struct stj_error *err)
{
    char slug[STJ_PART_TEXT_MAX], name[STJ_PART_TEXT_MAX + 16];
    struct stj_run_info info;
    bool whole = false;
    stj_run_get_info(run, &info);
    const struct stj_run_part part = {.to = info.n_steps};
    snprintf(name, sizeof name, "%s%s", analysis->info.name,
             stj_part_slug(&part, info.first_steps, slug));
    STJ_MUST(stj_result_open(run, &analysis->format, name, NULL, file, err));
    const enum stj_status st = *file ? is_whole(*file, &info, &whole, err) : STJ_OK;
    if (*file && !whole) {
        stj_h5_close(*file);
        *file = NULL;
    }
    return st;
}

/* *value <- a vector of n numbers (owned by the caller). */
static enum stj_status get_vector(struct stj_h5 *file, const char *name, size_t n, double **value,
                                  struct stj_error *err)
{
    STJ_MUST(stj_h5_expect(file, name, n, 1, err));
    STJ_MUST(stj_new(value, n, sizeof **value, err));
    return stj_h5_get_vector(file, name, n, *value, err);
}

static enum stj_status take_dense(struct stj_stored_directions *s, struct stj_error *err)
{
    s->d.source = "dense.h5";
    s->d.top = s->d.n;
    return stj_h5_get_vector(s->file, "sigma", s->d.n, s->d.sigma, err);
}

/* *count <- the leading pairs of an end with a small residual, or a small bound; their values to
 * sigma[], from the other end when they are the smallest. */
static enum stj_status take_end(struct stj_stored_directions *s, const char *pairs,
                                const char *sigma_name, const char *residual_name, bool smallest,
                                size_t *count, struct stj_error *err)
{
    STJ_FREED double *sigma = NULL, *residual = NULL;
    size_t k = 0;
    STJ_MUST(stj_h5_get_size(s->file, pairs, &k, err));
    STJ_MUST(get_vector(s->file, sigma_name, k, &sigma, err));
    STJ_MUST(get_vector(s->file, residual_name, k, &residual, err));
    for (*count = 0; *count < k && (residual[*count] <= most_residual ||
                                    (smallest && sigma[*count] <= most_bound));
         ++*count)
        s->d.sigma[smallest ? s->d.n - 1 - *count : *count] = sigma[*count];
    return STJ_OK;
}

static enum stj_status take_svd(struct stj_stored_directions *s, struct stj_error *err)
{
    s->d.source = "svd.h5";
    STJ_MUST(take_end(s, "@pairs", "sigma", "residual", false, &s->d.top, err));
    STJ_MUST(
        take_end(s, "@bottom_pairs", "bottom_sigma", "bottom_residual", true, &s->d.bottom, err));
    if (s->d.bottom > s->d.n - s->d.top)
        s->d.bottom = s->d.n - s->d.top;
    return STJ_OK;
}

static enum stj_status take(struct stj_stored_directions *s, const struct stj_run_info *info,
                            struct stj_error *err)
{
    s->d.n = info->n_params;
    STJ_MUST(stj_new(&s->d.sigma, s->d.n, sizeof *s->d.sigma, err));
    for (size_t i = 0; i < s->d.n; i++)
        s->d.sigma[i] = (double)NAN;
    STJ_MUST(s->dense ? take_dense(s, err) : take_svd(s, err));
    STJ_NEED(err, stj_directions_n_known(&s->d) > 0, STJ_EINVAL,
             "%s: svd.h5 has no singular pair with a residual of at most %g, and no bound of at "
             "most %g: run 'spectraj svd' with more applications, or 'spectraj dense'",
             info->dir, most_residual, most_bound);
    STJ_MUST(stj_h5_get_text(s->file, "@request", &s->d.request, err));
    if (stj_h5_has(s->file, "@command"))
        STJ_MUST(stj_h5_get_text(s->file, "@command", &s->command, err));
    const double largest = s->d.top ? s->d.sigma[0] : 1;
    s->d.rounding = rounding_factor * DBL_EPSILON * largest * sqrt((double)info->n_steps);
    s->d.fetch = fetch;
    s->d.ctx = s;
    return STJ_OK;
}

enum stj_status stj_stored_directions_open(struct stj_run *run, bool needed,
                                           struct stj_stored_directions *stored,
                                           struct stj_error *err)
{
    struct stj_run_info info;
    *stored = (struct stj_stored_directions){.dense = true};
    stj_run_get_info(run, &info);
    STJ_MUST(open_whole(run, &stj_analysis_dense, &stored->file, err));
    if (!stored->file) {
        stored->dense = false;
        STJ_MUST(open_whole(run, &stj_analysis_svd, &stored->file, err));
    }
    if (!stored->file && !needed)
        return STJ_OK;
    STJ_NEED(err, stored->file, STJ_EINVAL,
             "%s holds no singular vectors of the whole training yet: run 'spectraj dense %s', or "
             "'spectraj svd %s' for the two ends of the spectrum, first",
             info.dir, info.dir, info.dir);
    return take(stored, &info, err);
}

void stj_stored_directions_close(struct stj_stored_directions *stored)
{
    stj_h5_close(stored->file);
    free(stored->d.sigma);
    free(stored->d.request);
    free(stored->command);
    *stored = (struct stj_stored_directions){.file = NULL};
}
