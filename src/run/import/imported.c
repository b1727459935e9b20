/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/import/imported.c: finding and reading the states of a training elsewhere. */
#include "run/import/imported.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "data/named_arrays.h"
#include "run/import/parameter_file.h"

static const char key[] = "trajectory.states";

struct stj_imported {
    const struct stj_run *run;
    const char *name;  /* the config's text; its file's, or */
    size_t before;     /* of a file for each state, the characters before the number, */
    int digits;        /* the digits that it has at least, */
    const char *after; /* and what follows; NULL: one file */
    char *text;        /* room for the name of one state's file */
    size_t text_bytes;
    struct stj_parameter_file *file; /* the one file */
    size_t every, n_steps;
    bool has_last; /* the last state is given though it is not at a multiple of `every` */
};

/* ---- names ---- */

/* The place of the number in a name: %d or %06d; NULL: none. */
static const char *find_number(const char *name, int *digits, const char **after)
{
    for (const char *at = strchr(name, '%'); at; at = strchr(at + 1, '%')) {
        char *end = NULL;
        const long width = at[1] >= '0' && at[1] <= '9' ? strtol(at + 1, &end, 10) : 0;
        if (*(end ? end : at + 1) != 'd' || width > 64)
            continue;
        *digits = (int)width;
        *after = (end ? end : at + 1) + 1;
        return at;
    }
    return NULL;
}

static enum stj_status parse_name(struct stj_imported *g, struct stj_error *err)
{
    const char *after = NULL;
    int digits = 0;
    const char *at = find_number(g->name, &g->digits, &g->after);
    if (!at)
        return STJ_OK;
    g->before = (size_t)(at - g->name);
    STJ_NEED(err, !find_number(g->after, &digits, &after), STJ_ECONFIG,
             "%s: %s: has more than one place for the number of the step", key, g->name);
    g->text_bytes = strlen(g->name) + 96;
    return stj_new(&g->text, g->text_bytes, 1, err);
}

static const char *state_name(struct stj_imported *g, size_t t)
{
    snprintf(g->text, g->text_bytes, "%.*s%0*zu%s", (int)g->before, g->name, g->digits, t,
             g->after);
    return g->text;
}

/* ---- which states there are ---- */

bool stj_imported_has(const struct stj_imported *given, size_t t)
{
    return t % given->every == 0 || (given->has_last && t == given->n_steps);
}

/* text <- "3, 5 to 9": steps `every` apart that `missing` marks, as many as there is room for. */
static void list_missing(const bool *missing, size_t n, size_t every, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t k = 0; k < n; k++) {
        size_t end = k;
        if (!missing[k])
            continue;
        while (end + 1 < n && missing[end + 1])
            end++;
        if (strlen(text) + 64 > size) {
            stj_text_add(text, size, ", ...");
            return;
        }
        stj_text_add(text, size, "%s%zu", text[0] ? ", " : "", k * every);
        if (end > k)
            stj_text_add(text, size, " to %zu", end * every);
        k = end;
    }
}

/* A file for each state: all must be there. */
static enum stj_status look_for_files(struct stj_imported *g, struct stj_error *err)
{
    const size_t n = g->n_steps / g->every + 1;
    STJ_FREED bool *missing = NULL;
    size_t n_missing = 0;
    char steps[STJ_ERROR_TEXT_MAX / 2];
    STJ_MUST(stj_new(&missing, n, sizeof *missing, err));
    for (size_t k = 0; k < n; k++) {
        missing[k] = !stj_arrays_exist(state_name(g, k * g->every));
        n_missing += missing[k];
    }
    list_missing(missing, n, g->every, steps, sizeof steps);
    STJ_NEED(err, n_missing == 0, STJ_EMISMATCH,
             "%s: %s: %zu of %zu states are missing (steps: %zu, every: %zu): %s", key, g->name,
             n_missing, n, g->n_steps, g->every, steps);
    g->has_last = stj_arrays_exist(state_name(g, g->n_steps));
    return STJ_OK;
}

static enum stj_status open_states_file(struct stj_imported *g, struct stj_error *err)
{
    const size_t n = g->n_steps / g->every + 1;
    STJ_MUST(stj_parameter_file_open(g->run, key, g->name, true, &g->file, err));
    const size_t n_states = stj_parameter_file_n_states(g->file);
    STJ_NEED(err, n_states >= n, STJ_EMISMATCH,
             "%s: %s: has %zu of %zu states (steps: %zu, every: %zu); missing: %zu to %zu", key,
             g->name, n_states, n, g->n_steps, g->every, n_states * g->every, (n - 1) * g->every);
    g->has_last = n_states == n + 1 && g->n_steps % g->every != 0;
    STJ_NEED(err, n_states == n || g->has_last, STJ_EMISMATCH,
             "%s: %s: has %zu states, more than the %zu that there are (steps: %zu, every: %zu); "
             "training.steps and trajectory.every say how many",
             key, g->name, n_states, n, g->n_steps, g->every);
    return STJ_OK;
}

static enum stj_status open_given(const struct stj_run *run, bool look, struct stj_imported **given,
                                  struct stj_error *err)
{
    STJ_HELD(stj_imported_close_at) struct stj_imported *g = NULL;
    STJ_MUST(stj_new(&g, 1, sizeof *g, err));
    g->run = run;
    g->name = run->config.trajectory.states;
    g->n_steps = run->n_steps;
    STJ_MUST(stj_run_every(run, &g->every, err));
    STJ_MUST(parse_name(g, err));
    if (!g->after)
        STJ_MUST(open_states_file(g, err));
    else if (look)
        STJ_MUST(look_for_files(g, err));
    *given = g;
    g = NULL;
    return STJ_OK;
}

enum stj_status stj_imported_open(const struct stj_run *run, struct stj_imported **given,
                                  struct stj_error *err)
{
    return open_given(run, true, given, err);
}

void stj_imported_close(struct stj_imported *given)
{
    if (!given)
        return;
    stj_parameter_file_close(given->file);
    free(given->text);
    free(given);
}

/* ---- reading ---- */

enum stj_status stj_imported_read(struct stj_imported *given, size_t t, double *theta,
                                  double *frozen, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_parameter_file *own = NULL;
    size_t k = 0;
    if (given->after)
        STJ_TRY(stj_parameter_file_open(given->run, key, state_name(given, t), false, &own, err));
    else
        k = t / given->every + (t % given->every != 0);
    st = stj_parameter_file_read(own ? own : given->file, k, theta, frozen, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "%s: given state %zu", key, t);
out:
    stj_parameter_file_close(own);
    return st;
}

enum stj_status stj_imported_initial(const struct stj_run *run, double *theta, double *frozen,
                                     struct stj_error *err)
{
    STJ_HELD(stj_imported_close_at) struct stj_imported *given = NULL;
    STJ_MUST(open_given(run, false, &given, err));
    return stj_imported_read(given, 0, theta, frozen, err);
}

/* ---- the survey ---- */

static bool all_single(size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if ((double)(float)x[i] != x[i])
            return false;
    return true;
}

enum stj_status stj_imported_survey(struct stj_run *run, struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    const size_t n_frozen = stj_network_n_frozen(run->net);
    STJ_HELD(stj_imported_close_at) struct stj_imported *given = NULL;
    STJ_FREED double *frozen = NULL, *theta = NULL;
    bool single = true;
    run->given.crc = 0;
    if (!run->config.trajectory.states)
        return STJ_OK;
    STJ_MUST(stj_imported_open(run, &given, err));
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    STJ_MUST(stj_new(&frozen, 2 * n_frozen, sizeof *frozen, err));
    for (size_t t = 0; t <= run->n_steps; t++) {
        if (!stj_imported_has(given, t))
            continue;
        STJ_MUST(stj_imported_read(given, t, theta, t ? frozen + n_frozen : frozen, err));
        STJ_NEED(
            err, t == 0 || memcmp(frozen, frozen + n_frozen, n_frozen * sizeof *frozen) == 0,
            STJ_EMISMATCH,
            "%s: parameters that the config says are frozen are others in given state %zu than "
            "in the first: they were trained there (network.trainable)",
            key, t);
        run->given.crc = stj_crc32(run->given.crc, theta, n * sizeof *theta);
        single = single && all_single(n, theta);
    }
    run->given.eps = single || sizeof(real) < sizeof(double) ? FLT_EPSILON : DBL_EPSILON;
    return STJ_OK;
}
