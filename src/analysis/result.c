/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/result.c: a result as a handle: what every result has, and its fields by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <spectraj/ranks.h>
#include <spectraj/version.h>

#include "analysis/analysis.h"
#include "analysis/result_file.h"
#include "base/build_info.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"

static const char *const states[] = {"theta", "full", NULL};
const char *const stj_precisions[] = {"double", "single", "mixed", NULL};

#define FIELD(...) STJ_FIELD_ROW(struct stj_result_about, __VA_ARGS__)

/* What this request took is told to the caller and not kept; what computing took, in all, is
 * kept. */
const struct stj_field stj_about_schema[] = {
    FIELD("n_params", COUNT, n_params, "rows and columns of the Jacobian"),
    FIELD("part.from", COUNT, part.from, "first step of the window", .file = "from",
          .place = STJ_FIELD_IN_FILE),
    FIELD("part.to", COUNT, part.to, "last step of the window", .file = "to",
          .place = STJ_FIELD_IN_FILE),
    FIELD("part.state", CHOICE, state, "theta or full", .file = "state", .place = STJ_FIELD_IN_FILE,
          .choices = states),
    FIELD("given", TEXT, of, "with respect to what; null: the parameters at `from`", .later = true),
    FIELD("applications.jvp", WHOLE, counts.jvp, "products with J that this request took",
          .place = STJ_FIELD_IN_JSON),
    FIELD("applications.vjp", WHOLE, counts.vjp, "with J'", .place = STJ_FIELD_IN_JSON),
    FIELD("applications.replayed", WHOLE, counts.replayed,
          "of them, those that came from a journal", .place = STJ_FIELD_IN_JSON),
    FIELD("spent.jvp", WHOLE, spent.jvp, "products with J that the stored result took, in all",
          .file = "jvp", .later = true),
    FIELD("spent.vjp", WHOLE, spent.vjp, "with J'", .file = "vjp", .later = true),
    FIELD("spent.replayed", WHOLE, spent.replayed, "of them, those that came from a journal",
          .file = "replayed", .later = true),
    FIELD("request", TEXT, request, "what the stored result answers"),
    FIELD("command", TEXT, command, "the command that makes it again", .later = true),
    FIELD("source", TEXT, source, "results that it was made with: file, checksum, command",
          .later = true),
    FIELD("file", TEXT, file, "its name in the run", .place = STJ_FIELD_IN_JSON),
    FIELD("made.created", TEXT, created, "when, in UTC", .file = "created", .later = true),
    FIELD("made.version", TEXT, version, "by which version", .file = "spectraj", .later = true),
    FIELD("made.build", TEXT, build, "compiler and BLAS", .file = "build", .later = true),
    FIELD("made.host", TEXT, host, "on which machine", .file = "host", .later = true),
    FIELD("made.threads", COUNT, threads, "with so many threads", .file = "threads", .later = true),
    FIELD("made.ranks", COUNT, ranks, "and processes", .file = "ranks", .later = true),
    FIELD("made.precision", CHOICE, precision, "of the arithmetic", .file = "precision",
          .choices = stj_precisions, .later = true),
    FIELD("spent.single", WHOLE, single_products,
          "products with J and J' in single precision beside them, of a result in mixed",
          .file = "single", .later = true),
    FIELD("product_error", REAL, product_error,
          "of products in single precision, root mean square of |J_s x - J x| / |x|",
          .later = true),
    FIELD("seconds", REAL, seconds, "of computing it", .later = true),
    FIELD("training.diverged", FLAG, training.diverged,
          "1: the training ran away, its loss grew more than tenfold", .later = true),
    FIELD("training.first_loss", REAL, training.first_loss, "loss of the training at the start",
          .later = true),
    FIELD("training.train_loss", REAL, training.train_loss, "and at the end", .later = true),
    FIELD("training.deviation", REAL, training.deviation,
          "of a training elsewhere: how far replay lands from the given states, at most",
          .later = true),
    FIELD("training.tolerance", REAL, training.tolerance,
          "above which that was accepted on request", .later = true),
    {.name = NULL},
};

enum stj_status stj_about_begin(struct stj_result_about *about, struct stj_error *err)
{
    char host[64] = "unknown";
    char second[24] = "unknown", created[40];
    char build[160];
    struct tm utc;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc))
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(created, sizeof created, "%s.%03ldZ", second, now.tv_nsec / 1000000);
    if (gethostname(host, sizeof host) == 0)
        host[sizeof host - 1] = '\0';
    stj_build_line(sizeof build, build);
    STJ_MUST(stj_strdup(&about->created, created, err));
    STJ_MUST(stj_strdup(&about->version, stj_version(), err));
    STJ_MUST(stj_strdup(&about->build, build, err));
    STJ_MUST(stj_strdup(&about->host, host, err));
    about->threads = stj_threads();
    about->ranks = stj_n_ranks();
    return STJ_OK;
}

enum stj_status stj_about_add_source(struct stj_result_about *about, const char *file, uint32_t crc,
                                     const char *command, struct stj_error *err)
{
    char *text = NULL;
    const char *before = about->source ? about->source : "";
    command = command ? command : "";
    const size_t bytes = strlen(before) + strlen(file) + strlen(command) + 16;
    STJ_MUST(stj_new(&text, bytes, 1, err));
    snprintf(text, bytes, "%s%s%s %08x %s", before, about->source ? "\n" : "", file, crc, command);
    free(about->source);
    about->source = text;
    return STJ_OK;
}

enum stj_status stj_result_create(const struct stj_analysis *analysis, struct stj_result **result,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_new(result, 1, sizeof **result, err));
    (*result)->analysis = analysis;
    (*result)->about.product_error = (double)NAN; /* in double */
    STJ_TRY(stj_new(&(*result)->data, 1, analysis->result_size, err));
out:
    if (st != STJ_OK) {
        stj_result_destroy(*result);
        *result = NULL;
    }
    return st;
}

void stj_about_free(struct stj_result_about *about)
{
    stj_schema_free(stj_about_schema, about);
    free(about->layers);
    free(about->of);
}

void stj_result_destroy(struct stj_result *result)
{
    if (!result)
        return;
    if (result->data && result->analysis->destroy)
        result->analysis->destroy(result->data);
    else if (result->data)
        stj_schema_free(result->analysis->schema, result->data);
    stj_about_free(&result->about);
    free(result->path);
    free(result->data);
    free(result->to_go_on);
    free(result);
}

/* ---- to the outside ---- */

const char *stj_result_analysis(const struct stj_result *result)
{
    return result ? result->analysis->info.name : NULL;
}

bool stj_result_is_stored(const struct stj_result *result)
{
    return result && result->about.stored;
}

bool stj_result_is_complete(const struct stj_result *result, bool *interrupted)
{
    enum stj_verdict verdict = STJ_VERDICT_DONE;
    if (result && result->analysis->verdict)
        verdict = result->analysis->verdict(result->data);
    if (interrupted)
        *interrupted = verdict == STJ_VERDICT_INTERRUPTED;
    return result && verdict == STJ_VERDICT_DONE;
}

/* Field number i of the analysis' own and then of those that all results have; *data <- what it is
 * of. */
const struct stj_field *stj_result_field(const struct stj_result *result, size_t i,
                                         const void **data)
{
    const struct stj_field *own = result->analysis->schema;
    size_t n = 0;
    while (own[n].name)
        n++;
    const struct stj_field *field = i < n ? &own[i] : &stj_about_schema[i - n];
    *data = i < n ? result->data : &result->about;
    return field->name ? field : NULL;
}

const struct stj_field *stj_result_find(const struct stj_result *result, const char *name,
                                        const void **data)
{
    const struct stj_field *field = stj_schema_find(result->analysis->schema, name);
    *data = field ? result->data : &result->about;
    return field ? field : stj_schema_find(stj_about_schema, name);
}

bool stj_result_get_item(const struct stj_result *result, size_t i, struct stj_result_item *item)
{
    const void *data = NULL;
    const struct stj_field *field = result && item ? stj_result_field(result, i, &data) : NULL;
    if (!field)
        return false;
    const struct stj_field_view view = stj_field_view(field, data);
    *item = (struct stj_result_item){.name = field->name,
                                     .unit = field->unit,
                                     .doc = field->doc,
                                     .n_dims = view.n_dims,
                                     .n = {view.n[0], view.n[1]},
                                     .dim = {field->dim[0].name, field->dim[1].name},
                                     .text = stj_field_text(field, data)};
    return true;
}

const char *stj_result_to_go_on(const struct stj_result *result)
{
    return result ? result->to_go_on : NULL;
}

double stj_result_number(const struct stj_result *result, const char *name)
{
    const void *data = NULL;
    const struct stj_field *field = result && name ? stj_result_find(result, name, &data) : NULL;
    if (!field || field->dim[0].name || !stj_field_is_there(field, data))
        return (double)NAN;
    return stj_field_number(field, data, 0, 0);
}

const char *stj_result_text(const struct stj_result *result, const char *name)
{
    const void *data = NULL;
    const struct stj_field *field = result && name ? stj_result_find(result, name, &data) : NULL;
    return field && !field->dim[0].name ? stj_field_text(field, data) : NULL;
}

enum stj_status stj_result_numbers(const struct stj_result *result, const char *name,
                                   double **numbers, size_t *n, struct stj_error *err)
{
    const void *data = NULL;
    STJ_NEED(err, result && name && numbers && n, STJ_EINVAL,
             "numbers of a result: a result, a name and places for the numbers are needed");
    const struct stj_field *field = stj_result_find(result, name, &data);
    *numbers = NULL;
    *n = 0;
    STJ_NEED(err, field && field->dim[0].name, STJ_EINVAL, "a result of %s has no array '%.60s'",
             result->analysis->info.name, name);
    if (field->lazy && result->path)
        STJ_MUST(stj_field_load(result->path, &result->analysis->format, field, result->data, err));
    const struct stj_field_view view = stj_field_view(field, data);
    STJ_MUST(stj_new(numbers, view.n[0] * view.n[1], sizeof **numbers, err));
    for (size_t i = 0; i < view.n[0]; i++)
        for (size_t j = 0; j < view.n[1]; j++)
            (*numbers)[(*n)++] = stj_field_number(field, data, i, j);
    return STJ_OK;
}
