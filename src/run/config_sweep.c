/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/config_sweep.c: the combinations of values that a sweep is of. */
#include <spectraj/sweep.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/config.h"

enum { RUNS_MAX = 10000, NAME_BYTES = 240 }; /* a name of 255 bytes is what file systems take */

/* A key and its values. */
struct axis {
    const char *key;
    size_t n;
    char **value; /* [n], owned */
};

struct sweep_run {
    char *name;
    struct stj_option_pair *set; /* texts of the axes */
};

struct stj_config_sweep {
    size_t n_axes, n;
    char **key; /* [n_axes], owned */
    struct axis *axis;
    struct sweep_run *run; /* [n] */
};

STJ_HOLDS(struct stj_config_sweep, stj_config_sweep_destroy)

void stj_config_sweep_destroy(struct stj_config_sweep *sweep)
{
    if (!sweep)
        return;
    for (size_t i = 0; sweep->run && i < sweep->n; i++) {
        free(sweep->run[i].name);
        free(sweep->run[i].set);
    }
    for (size_t i = 0; sweep->axis && i < sweep->n_axes; i++) {
        for (size_t k = 0; k < sweep->axis[i].n; k++)
            free(sweep->axis[i].value[k]);
        free(sweep->axis[i].value);
        free(sweep->key[i]);
    }
    free(sweep->key);
    free(sweep->axis);
    free(sweep->run);
    free(sweep);
}

static enum stj_status add_value(struct axis *axis, const char *text, size_t length,
                                 struct stj_error *err)
{
    STJ_NEED(err, axis->n < RUNS_MAX, STJ_ECONFIG, "--set %s: more than %d values", axis->key,
             RUNS_MAX);
    STJ_MUST(stj_resize(&axis->value, axis->n, axis->n + 1, sizeof *axis->value, err));
    STJ_MUST(stj_new(&axis->value[axis->n], length + 1, 1, err));
    memcpy(axis->value[axis->n++], text, length);
    return STJ_OK;
}

/* One item of a list: a value, or a range. */
static enum stj_status add_item(struct axis *axis, const char *text, size_t length,
                                struct stj_error *err)
{
    unsigned long long low = 0, high = 0;
    int end = 0;
    char number[24];
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    STJ_NEED(err, length > 0, STJ_ECONFIG, "--set %s: an item of the list of values is empty",
             axis->key);
    if (!isdigit((unsigned char)*text) ||
        sscanf(text, "%18llu..%18llu%n", &low, &high, &end) != 2 || (size_t)end != length)
        return add_value(axis, text, length, err);
    STJ_NEED(err, low <= high, STJ_ECONFIG,
             "--set %s: a range from %llu down to %llu has no number", axis->key, low, high);
    for (unsigned long long i = low; i <= high; i++) {
        snprintf(number, sizeof number, "%llu", i);
        STJ_MUST(add_value(axis, number, strlen(number), err));
    }
    return STJ_OK;
}

/* axis->value <- what stands between the commas that are in no brackets and no quotes. */
static enum stj_status split(struct axis *axis, const char *text, struct stj_error *err)
{
    size_t begin = 0, depth = 0;
    char quote = '\0';
    for (size_t i = 0;; i++) {
        const char c = text[i];
        if (!c || (c == ',' && depth == 0 && !quote)) {
            STJ_MUST(add_item(axis, text + begin, i - begin, err));
            begin = i + 1;
        }
        if (!c)
            return STJ_OK;
        if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? '\0' : c;
        depth += !quote && (c == '[' || c == '{');
        depth -= !quote && depth > 0 && (c == ']' || c == '}');
    }
}

/* *name <- that of the folder: the settings, without what folders are not called. */
static enum stj_status name_run(size_t n, const struct stj_option_pair *set, char **name,
                                struct stj_error *err)
{
    size_t bytes = 1, k = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(set[i].name) + strlen(set[i].text) + 2;
    STJ_MUST(stj_new(name, bytes, 1, err));
    for (size_t i = 0; i < n; i++)
        k += (size_t)sprintf(*name + k, "%s%s=%s", i ? "," : "", set[i].name, set[i].text);
    for (char *c = *name; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == 0x7f)
            *c = '_';
    STJ_NEED(err, k <= NAME_BYTES, STJ_ECONFIG,
             "the folder of a run would have a name of %zu bytes, more than %d: write what is long "
             "into a config of its own: %.60s...",
             k, NAME_BYTES, *name);
    return STJ_OK;
}

/* run <- combination number i, which the config takes. */
static enum stj_status make_run(const char *config_path, const struct stj_config_sweep *sweep,
                                size_t i, struct sweep_run *run, struct stj_error *err)
{
    struct stj_run_config config = {.has_data = false};
    STJ_MUST(stj_new(&run->set, sweep->n_axes, sizeof *run->set, err));
    for (size_t a = sweep->n_axes; a-- > 0;) {
        const struct axis *axis = &sweep->axis[a];
        run->set[a] = (struct stj_option_pair){axis->key, axis->value[i % axis->n]};
        i /= axis->n;
    }
    STJ_MUST(name_run(sweep->n_axes, run->set, &run->name, err));
    const struct stj_run_changes changes = {.n = sweep->n_axes, .set = run->set};
    const enum stj_status st = stj_run_config_read(config_path, &changes, &config, err);
    stj_run_config_free(&config);
    if (st != STJ_OK)
        stj_error_prefix(err, "%s", run->name);
    return st;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum stj_status refuse_same_names(const struct stj_config_sweep *sweep,
                                         struct stj_error *err)
{
    STJ_FREED const char **name = NULL;
    STJ_MUST(stj_new(&name, sweep->n, sizeof *name, err));
    for (size_t i = 0; i < sweep->n; i++)
        name[i] = sweep->run[i].name;
    qsort(name, sweep->n, sizeof *name, compare_names);
    for (size_t i = 1; i < sweep->n; i++)
        STJ_NEED(err, strcmp(name[i - 1], name[i]) != 0, STJ_ECONFIG,
                 "two runs would be called %s: give each value once", name[i]);
    return STJ_OK;
}

enum stj_status stj_config_sweep_create(const char *config_path, size_t n,
                                        const struct stj_option_pair *set,
                                        struct stj_config_sweep **sweep, struct stj_error *err)
{
    STJ_HELD(stj_config_sweep_destroy_at) struct stj_config_sweep *made = NULL;
    STJ_NOT_NULL(err, config_path, set, sweep);
    *sweep = NULL;
    STJ_NEED(err, n > 0, STJ_EINVAL, "a sweep needs a key with its values: --set KEY=VALUE,...");
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    STJ_MUST(stj_new(&made->key, n, sizeof *made->key, err));
    STJ_MUST(stj_new(&made->axis, n, sizeof *made->axis, err));
    made->n_axes = n;
    size_t runs = 1;
    for (size_t i = 0; i < n; i++) {
        STJ_NOT_NULL(err, set[i].name, set[i].text);
        STJ_MUST(stj_strdup(&made->key[i], set[i].name, err));
        made->axis[i].key = made->key[i];
        STJ_MUST(split(&made->axis[i], set[i].text, err));
        runs *= made->axis[i].n;
        STJ_NEED(err, runs <= RUNS_MAX, STJ_ECONFIG, "the combinations are more than %d runs",
                 RUNS_MAX);
    }
    STJ_MUST(stj_new(&made->run, runs, sizeof *made->run, err));
    made->n = runs;
    for (size_t i = 0; i < runs; i++)
        STJ_MUST(make_run(config_path, made, i, &made->run[i], err));
    STJ_MUST(refuse_same_names(made, err));
    *sweep = made;
    made = NULL;
    return STJ_OK;
}

bool stj_config_sweep_get(const struct stj_config_sweep *sweep, size_t i,
                          struct stj_config_sweep_run *run)
{
    if (!sweep || !run || i >= sweep->n)
        return false;
    *run = (struct stj_config_sweep_run){sweep->run[i].name, sweep->n_axes, sweep->run[i].set};
    return true;
}
