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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Is the file of the part? */
static enum stj_status is_of_part(const struct stj_stored_directions *s, bool *same,
                                  struct stj_error *err)
{
    size_t from = 0, to = 0, n = 0;
    STJ_FREED char *tensors = NULL;
    STJ_MUST(stj_h5_get_size(s->file, "@from", &from, err));
    STJ_MUST(stj_h5_get_size(s->file, "@to", &to, err));
    STJ_MUST(stj_h5_get_size(s->file, "@n_params", &n, err));
    *same = from == s->part.from && to == s->part.to && n == s->d.n;
    if (*same && s->part.layers) {
        STJ_MUST(stj_h5_get_text(s->file, "layers", &tensors, err));
        *same = strcmp(tensors, s->part.layers) == 0;
    }
    return STJ_OK;
}

/* Open the file of the part unless it is absent or, by its name alone, of another one. */
static enum stj_status open_part(const struct stj_run *run, const struct stj_analysis *analysis,
                                 struct stj_stored_directions *s, struct stj_error *err)
{
    char slug[STJ_PART_TEXT_MAX], name[STJ_PART_TEXT_MAX + 16];
    struct stj_run_info info;
    bool same = false;
    stj_run_get_info(run, &info);
    snprintf(name, sizeof name, "%s%s", analysis->info.name,
             stj_part_slug(&s->part, info.first_steps, slug));
    STJ_MUST(stj_result_open(run, &analysis->format, name, NULL, &s->file, err));
    const enum stj_status st = s->file ? is_of_part(s, &same, err) : STJ_OK;
    if (s->file && !same) {
        stj_h5_close(s->file);
        s->file = NULL;
    }
    snprintf(s->source, sizeof s->source, "%s.h5",
             s->part.layers || s->part.from ? name : analysis->info.name);
    return st;
}

/* s->at <- where the block's parameters lie in theta: its tensors are named in that order. */
static enum stj_status find_parameters(const struct stj_run *run, struct stj_stored_directions *s,
                                       struct stj_error *err)
{
    struct stj_run_parameter p;
    const char *name = s->part.layers;
    size_t n = 0;
    if (!name)
        return STJ_OK;
    STJ_MUST(stj_new(&s->at, s->d.n, sizeof *s->at, err));
    for (size_t i = 0; *name && stj_run_get_parameter(run, i, &p); i++) {
        const size_t length = strcspn(name, ",");
        if (strlen(p.name) != length || strncmp(p.name, name, length) != 0)
            continue;
        for (size_t k = 0; k < p.n_params && n < s->d.n; k++)
            s->at[n++] = p.offset + k;
        name += length + (name[length] == ',');
    }
    s->d.at = s->at;
    return STJ_OK;
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
    STJ_MUST(stj_new(&s->d.sigma, s->d.n, sizeof *s->d.sigma, err));
    for (size_t i = 0; i < s->d.n; i++)
        s->d.sigma[i] = (double)NAN;
    s->d.source = s->source;
    STJ_MUST(s->dense ? take_dense(s, err) : take_svd(s, err));
    STJ_NEED(err, stj_directions_n_known(&s->d) > 0, STJ_EINVAL,
             "%s: %s has no singular pair with a residual of at most %g, and no bound of at "
             "most %g: run 'spectraj svd' with more applications, or 'spectraj dense'",
             info->dir, s->source, most_residual, most_bound);
    STJ_MUST(stj_h5_get_text(s->file, "@request", &s->d.request, err));
    if (stj_h5_has(s->file, "@command"))
        STJ_MUST(stj_h5_get_text(s->file, "@command", &s->command, err));
    const double largest = s->d.top ? s->d.sigma[0] : 1;
    s->d.rounding =
        rounding_factor * DBL_EPSILON * largest * sqrt((double)(s->part.to - s->part.from));
    s->d.fetch = fetch;
    s->d.ctx = s;
    return STJ_OK;
}

static enum stj_status fail_without(const struct stj_run_info *info,
                                    const struct stj_run_part *wanted,
                                    const struct stj_stored_directions *s, struct stj_error *err)
{
    char options[200] = "", what[64] = "the whole training";
    if (s->part.from)
        snprintf(what, sizeof what, "J(%zu -> %zu)", s->part.from, s->part.to);
    if (s->part.layers)
        snprintf(what + strlen(what), sizeof what - strlen(what), ", of that block");
    if (s->part.from)
        snprintf(options, sizeof options, " --from %zu", s->part.from);
    if (s->part.layers)
        snprintf(options + strlen(options), sizeof options - strlen(options), " --layers %.120s",
                 wanted->layers);
    return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                         "%s holds no singular vectors of %s yet: run 'spectraj dense %s%s', or "
                         "'spectraj svd %s%s' for the two ends of the spectrum, first",
                         info->dir, what, info->dir, options, info->dir, options);
}

enum stj_status stj_stored_directions_open(struct stj_run *run, const struct stj_run_part *part,
                                           bool needed, struct stj_stored_directions *stored,
                                           struct stj_error *err)
{
    static const struct stj_run_part whole = {0};
    struct stj_run_info info;
    *stored = (struct stj_stored_directions){.dense = true, .part = part ? *part : whole};
    struct stj_run_part *p = &stored->part;
    stj_run_get_info(run, &info);
    p->to = info.n_steps;
    STJ_NEED(err, p->from < p->to, STJ_EINVAL,
             "at: step %zu must be before the last of the run, %zu", p->from, p->to);
    STJ_MUST(stj_run_part_size(run, p, &stored->d.n, &stored->tensors, err));
    p->layers = stored->tensors[0] ? stored->tensors : NULL;
    STJ_MUST(open_part(run, &stj_analysis_dense, stored, err));
    if (!stored->file) {
        stored->dense = false;
        STJ_MUST(open_part(run, &stj_analysis_svd, stored, err));
    }
    if (!stored->file && needed)
        return fail_without(&info, part ? part : &whole, stored, err);
    if (!stored->file) {
        stored->d.n = 0;
        return STJ_OK;
    }
    STJ_MUST(find_parameters(run, stored, err));
    return take(stored, &info, err);
}

void stj_stored_directions_close(struct stj_stored_directions *stored)
{
    stj_h5_close(stored->file);
    free(stored->d.sigma);
    free(stored->d.request);
    free(stored->command);
    free(stored->tensors);
    free(stored->at);
    *stored = (struct stj_stored_directions){.file = NULL};
}
