/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/comparison.c: gathering what several runs have.
 *
 * Nothing here knows an analysis or a study: their results are looked through as JSON objects, which
 * the schemas make.  A number is a quantity, of an array of numbers the first is one; an object with low
 * and high beside its estimate or value is one with an interval.
 */
#include "report/comparison.h"

#include <dirent.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "base/error.h"
#include "io/file.h"
#include "report/contents.h"
#include "report/json.h"
#include "study/study.h"

enum { NAME_BYTES = 256 };

/* ---- runs ---- */

static enum stj_status leave_out(struct stj_comparison *c, const char *dir, const char *why,
                                 struct stj_error *err)
{
    const size_t bytes = strlen(dir) + strlen(why) + 3;
    STJ_MUST(stj_resize(&c->left_out, c->n_left_out, c->n_left_out + 1, sizeof *c->left_out, err));
    STJ_MUST(stj_new(&c->left_out[c->n_left_out], bytes, 1, err));
    /* An error of a run begins with its folder. */
    snprintf(c->left_out[c->n_left_out++], bytes, "%s%s%s", strstr(why, dir) ? "" : dir,
             strstr(why, dir) ? "" : ": ", why);
    return STJ_OK;
}

static enum stj_status add_run(struct stj_comparison *c, const char *dir, struct stj_error *err)
{
    struct stj_error why = STJ_ERROR_INIT;
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_resize(&c->run, c->n, c->n + 1, sizeof *c->run, err));
    struct stj_compared_run *r = &c->run[c->n];
    *r = (struct stj_compared_run){.run = NULL};
    if (stj_run_open(dir, &r->run, &why) != STJ_OK)
        return leave_out(c, dir, why.text, err);
    c->n++;
    stj_run_get_info(r->run, &r->info);
    STJ_MUST(stj_run_config_json(r->run, &text, err));
    r->config = json_loads(text, 0, NULL);
    STJ_NEED(err, r->config, STJ_ENOMEM, "out of memory for the config of %s", dir);
    return STJ_OK;
}

static bool is_run(const char *dir)
{
    static const char *const file[] = {STJ_TRAJECTORY_NAME, STJ_TRAINING_JOURNAL};
    bool is = false;
    for (size_t i = 0; i < 2 && !is; i++) {
        STJ_FREED char *path = NULL;
        is = stj_path_join(dir, file[i], &path, NULL) == STJ_OK && stj_file_exists(path);
    }
    return is;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The runs in a folder that is none. */
static enum stj_status add_folder(struct stj_comparison *c, const char *dir, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct dirent **entry = NULL;
    char *path = NULL;
    const size_t before = c->n + c->n_left_out;
    const int n = scandir(dir, &entry, is_shown, alphasort);
    for (int i = 0; i < n && st == STJ_OK; i++) {
        free(path);
        path = NULL;
        st = stj_path_join(dir, entry[i]->d_name, &path, err);
        if (st == STJ_OK && is_run(path))
            st = add_run(c, path, err);
    }
    for (int i = 0; i < n; i++)
        free(entry[i]);
    free(entry);
    free(path);
    if (st == STJ_OK && c->n + c->n_left_out == before)
        st = leave_out(c, dir, "holds no run", err);
    return st;
}

/* r->label: its name alone where no other run has the same. */
static enum stj_status label_runs(struct stj_comparison *c, struct stj_error *err)
{
    bool unique = true;
    for (size_t i = 0; i < c->n; i++) {
        const char *dir = c->run[i].info.dir;
        size_t end = strlen(dir);
        while (end > 1 && dir[end - 1] == '/')
            end--;
        size_t begin = end;
        while (begin > 0 && dir[begin - 1] != '/')
            begin--;
        STJ_MUST(stj_strdup(&c->run[i].label, dir + begin, err));
        c->run[i].label[end - begin] = '\0';
        for (size_t k = 0; k < i; k++)
            unique = unique && strcmp(c->run[k].label, c->run[i].label) != 0;
    }
    for (size_t i = 0; i < c->n && !unique; i++) {
        free(c->run[i].label);
        STJ_MUST(stj_strdup(&c->run[i].label, c->run[i].info.dir, err));
    }
    return STJ_OK;
}

/* ---- configs ---- */

/* c->key's entry of the name, made where there is none. */
static enum stj_status find_key(struct stj_comparison *c, const char *name,
                                struct stj_compared_key **key, struct stj_error *err)
{
    for (size_t i = 0; i < c->n_keys; i++)
        if (strcmp(c->key[i].name, name) == 0) {
            *key = &c->key[i];
            return STJ_OK;
        }
    STJ_MUST(stj_resize(&c->key, c->n_keys, c->n_keys + 1, sizeof *c->key, err));
    *key = &c->key[c->n_keys];
    **key = (struct stj_compared_key){.name = NULL};
    c->n_keys++;
    const char *dot = strrchr(name, '.');
    (*key)->is_seed = strcmp(dot ? dot + 1 : name, "seed") == 0;
    STJ_MUST(stj_strdup(&(*key)->name, name, err));
    return stj_new(&(*key)->value, c->n, sizeof *(*key)->value, err);
}

/* Every value of run i, by the way to it. */
static enum stj_status add_leaves(struct stj_comparison *c, size_t i, const char *name,
                                  json_t *value, struct stj_error *err)
{
    struct stj_compared_key *key = NULL;
    char path[NAME_BYTES];
    const char *word = NULL;
    json_t *item = NULL;
    size_t k = 0;
    const bool is_leaf = json_object_size(value) == 0 && json_array_size(value) == 0;
    if (is_leaf) {
        STJ_MUST(find_key(c, name, &key, err));
        key->value[i] = value;
        return STJ_OK;
    }
    json_object_foreach(value, word, item)
    {
        snprintf(path, sizeof path, "%s%s%s", name, *name ? "." : "", word);
        STJ_MUST(add_leaves(c, i, path, item, err));
    }
    json_array_foreach(value, k, item)
    {
        snprintf(path, sizeof path, "%s[%zu]", name, k);
        STJ_MUST(add_leaves(c, i, path, item, err));
    }
    return STJ_OK;
}

static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) /* 1 and 1.0 */
        return json_number_value(a) == json_number_value(b);
    return a && b ? json_equal(a, b) : a == b;
}

static void free_key(struct stj_compared_key *key)
{
    free(key->name);
    free(key->value);
}

/* Keep the keys that differ. */
static void drop_common_keys(struct stj_comparison *c)
{
    size_t left = 0;
    for (size_t k = 0; k < c->n_keys; k++) {
        bool differs = false;
        for (size_t i = 1; i < c->n; i++)
            differs = differs || !same_value(c->key[k].value[0], c->key[k].value[i]);
        if (differs)
            c->key[left++] = c->key[k];
        else
            free_key(&c->key[k]);
    }
    c->n_keys = left;
}

bool stj_compare_same(const struct stj_comparison *c, size_t a, size_t b,
                      const struct stj_compared_key *besides)
{
    for (size_t k = 0; k < c->n_keys; k++)
        if (&c->key[k] != besides && !c->key[k].is_seed &&
            !same_value(c->key[k].value[a], c->key[k].value[b]))
            return false;
    return true;
}

static enum stj_status group_runs(struct stj_comparison *c, struct stj_error *err)
{
    STJ_MUST(stj_new(&c->group, c->n, sizeof *c->group, err));
    for (size_t i = 0; i < c->n; i++) {
        size_t g = 0;
        while (g < c->n_groups && !stj_compare_same(c, c->group[g].first, i, NULL))
            g++;
        if (g == c->n_groups)
            c->group[c->n_groups++].first = i;
        c->group[g].n++;
        c->run[i].group = g;
    }
    return STJ_OK;
}

/* How many different numbers a key has; 0: values that are none. */
static size_t count_numbers(const struct stj_comparison *c, const struct stj_compared_key *key)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        bool is_new = true;
        if (!json_is_number(key->value[i]))
            return 0;
        for (size_t k = 0; k < i; k++)
            is_new = is_new && !same_value(key->value[i], key->value[k]);
        n += is_new;
    }
    return n;
}

enum stj_status stj_compare_choose_key(const struct stj_comparison *c, const char *name,
                                       const struct stj_compared_key **key, struct stj_error *err)
{
    size_t most = 1;
    *key = NULL;
    for (size_t k = 0; k < c->n_keys; k++) {
        const size_t n = count_numbers(c, &c->key[k]);
        const bool right = name ? strcmp(c->key[k].name, name) == 0 : !c->key[k].is_seed;
        if (!right || n <= most)
            continue;
        most = n;
        *key = &c->key[k];
    }
    STJ_NEED(err, *key || !name, STJ_EINVAL,
             "--by %s: the runs have no different numbers there; the table of what differs has the "
             "keys",
             name);
    return STJ_OK;
}

/* ---- quantities ---- */

/* What a run has: where its numbers go. */
struct gathering {
    struct stj_comparison *c;
    size_t run;
    const char *request; /* of the result; NULL: of the run */
    const char
        *headline; /* the name of its headline, or how those of its labels begin; NULL: none */
};

/* Is it a result's headline: the name, the first of an array, or that of a label below it?  Of a run
 * the losses. */
static bool is_headline(const struct gathering *g, const char *name)
{
    const size_t n = g->headline ? strlen(g->headline) : 0;
    if (!g->request)
        return name[0] == 't'; /* train_loss, test_loss, test_accuracy */
    if (n == 0 || strncmp(name, g->headline, n) != 0)
        return false;
    return !name[n] || name[n] == '[' || (g->headline[n - 1] == '.' && !strchr(name + n, '.'));
}

static enum stj_status put_number(const struct gathering *g, const char *name, double value,
                                  double low, double high, struct stj_error *err)
{
    struct stj_comparison *c = g->c;
    struct stj_quantity *q = c->quantity, *end = q + c->n_quantities;
    while (q < end && strcmp(q->name, name) != 0)
        q++;
    if (q == end) {
        STJ_MUST(stj_resize(&c->quantity, c->n_quantities, c->n_quantities + 1, sizeof *q, err));
        q = &c->quantity[c->n_quantities++];
        *q = (struct stj_quantity){.name = NULL};
        STJ_MUST(stj_strdup(&q->name, name, err));
        double **const column[] = {&q->value, &q->low, &q->high};
        for (size_t k = 0; k < 3; k++) {
            STJ_MUST(stj_new(column[k], c->n, sizeof **column[k], err));
            for (size_t i = 0; i < c->n; i++)
                (*column[k])[i] = (double)NAN;
        }
        if (g->request)
            STJ_MUST(stj_strdup(&q->request, g->request, err));
    }
    q->other_request = q->other_request || (g->request && strcmp(g->request, q->request) != 0);
    q->headline = q->headline || is_headline(g, name);
    q->value[g->run] = value;
    q->low[g->run] = low;
    q->high[g->run] = high;
    return STJ_OK;
}

/* What every result has beside its own numbers. */
static bool is_about(const char *word)
{
    static const char *const more[] = {"schema", "analysis",   "study",      "n_params", "seed",
                                       "part",   "trajectory", "self_check", "cost",     "epsilon"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (strcmp(word, more[i]) == 0)
            return true;
    for (const struct stj_field *f = stj_about_schema; f->name; f++) {
        const size_t n = strcspn(f->name, ".");
        if (strncmp(f->name, word, n) == 0 && word[n] == '\0')
            return true;
    }
    return false;
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* The numbers of an object, at any depth. */
static enum stj_status put_numbers(const struct gathering *g, const char *name, json_t *object,
                                   bool whole, struct stj_error *err)
{
    char path[NAME_BYTES];
    const char *word = NULL;
    json_t *item = NULL;
    const bool bounded = isfinite(number_of(object, "low")) && isfinite(number_of(object, "high"));
    json_object_foreach(object, word, item)
    {
        json_t *first = json_array_get(item, 0);
        while (json_is_array(first)) /* of a matrix */
            first = json_array_get(first, 0);
        const bool estimate = strcmp(word, "estimate") == 0 || strcmp(word, "value") == 0;
        if ((whole && is_about(word)) ||
            (bounded && (strcmp(word, "low") == 0 || strcmp(word, "high") == 0)))
            continue;
        if (bounded && estimate && json_is_number(item)) {
            STJ_MUST(put_number(g, name, json_number_value(item), number_of(object, "low"),
                                number_of(object, "high"), err));
            continue;
        }
        snprintf(path, sizeof path, "%s.%s%s%s", name, word, json_is_array(item) ? "[0]" : "",
                 json_is_array(json_array_get(item, 0)) ? "[0]" : "");
        if (json_is_object(item))
            STJ_MUST(put_numbers(g, path, item, false, err));
        else if (json_is_number(item) || json_is_number(first))
            STJ_MUST(put_number(g, path, json_number_value(first ? first : item), (double)NAN,
                                (double)NAN, err));
    }
    return STJ_OK;
}

/* text <- the headline of an analysis, "svd.top.sigma", or how it begins, "density.regions.". */
static const char *headline_of(const char *result, const struct stj_field *schema,
                               char text[NAME_BYTES])
{
    for (const struct stj_field *f = schema; f->name; f++) {
        if (f->headline != 1)
            continue;
        const char *star = strstr(f->name, ".*");
        /* A value with bounds has the name of what it is in. */
        const size_t n = star ? (size_t)(star - f->name) + 1 : strlen(f->name);
        const bool alone = f->low && !star && !strchr(f->name, '.');
        snprintf(text, NAME_BYTES, "%s%s%.*s", result, alone ? "" : ".", alone ? 0 : (int)n,
                 f->name);
        return text;
    }
    return NULL;
}

/* The study of a file study-NAME or study-NAME-TAG, and *tag; NULL: there is none. */
static const char *study_of(const char *name, const char **tag)
{
    const char *best = NULL;
    size_t most = 0;
    for (size_t i = 0; stj_studies.list[i]; i++) {
        const size_t n = strlen(stj_studies.list[i]->name);
        if (n < most || strncmp(name, stj_studies.list[i]->name, n) != 0 ||
            (name[n] && name[n] != '-'))
            continue;
        most = n;
        best = stj_studies.list[i]->name;
        *tag = name[n] ? name + n + 1 : NULL;
    }
    return best;
}

/* *object <- a stored result as JSON, and how its headline begins. */
static enum stj_status read_object(struct stj_run *run, const char *name, json_t **object,
                                   const char **headline, char text[NAME_BYTES],
                                   struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *result = NULL;
    STJ_HELD(stj_study_result_destroy_at) struct stj_study_result *study = NULL;
    if (strncmp(name, "study-", 6) == 0) {
        const char *tag = NULL, *word = study_of(name + 6, &tag);
        if (word)
            STJ_MUST(stj_result_read_study(run, word, tag, &study, err));
        return study ? stj_json_study(study, object, err) : STJ_OK;
    }
    STJ_MUST(stj_result_read(run, name, NULL, &result, err));
    if (!result)
        return STJ_OK;
    *headline = headline_of(name, result->analysis->schema, text);
    return stj_json_result(result, object, err);
}

/* The numbers of a stored result; one that cannot be read is left out, and said. */
static enum stj_status put_result(struct gathering *g, const struct stj_contents_result *r,
                                  struct stj_error *err)
{
    struct stj_error why = r->trouble;
    struct stj_compared_run *run = &g->c->run[g->run];
    char name[NAME_BYTES], text[NAME_BYTES];
    json_t *object = NULL;
    snprintf(name, sizeof name, "%s", r->name);
    name[strlen(name) > 3 ? strlen(name) - 3 : 0] = '\0'; /* .h5 */
    g->request = r->request ? r->request : "";
    g->headline = NULL;
    if (why.code == STJ_OK)
        (void)read_object(run->run, name, &object, &g->headline, text, &why);
    if (why.code == STJ_ENOMEM)
        return stj_error_pass(&why, err);
    if (why.code != STJ_OK)
        return leave_out(g->c, run->info.dir, why.text, err);
    const enum stj_status st = put_numbers(g, name, object, true, err);
    json_decref(object);
    return st;
}

static enum stj_status comparison_gather(struct stj_comparison *c, size_t i, struct stj_error *err)
{
    const struct stj_run_info *info = &c->run[i].info;
    STJ_HELD(stj_contents_free) struct stj_contents contents = {.info = *info};
    struct gathering g = {.c = c, .run = i};
    const double none = (double)NAN;
    STJ_MUST(put_number(&g, "n_params", (double)info->n_params, none, none, err));
    STJ_MUST(put_number(&g, "n_steps", (double)info->n_steps, none, none, err));
    STJ_MUST(put_number(&g, "train_loss", info->train_loss, none, none, err));
    if (isfinite(info->test_loss))
        STJ_MUST(put_number(&g, "test_loss", info->test_loss, none, none, err));
    if (isfinite(info->test_accuracy))
        STJ_MUST(put_number(&g, "test_accuracy", info->test_accuracy, none, none, err));
    STJ_MUST(stj_contents_list(&contents, err));
    for (size_t k = 0; k < contents.n_results; k++)
        STJ_MUST(put_result(&g, &contents.result[k], err));
    return STJ_OK;
}

struct stj_group_mean stj_compare_mean(const struct stj_comparison *c, const struct stj_quantity *q,
                                       size_t group)
{
    const struct stj_compared_group *g = &c->group[group];
    const double n = (double)g->n;
    double sum = 0, squares = 0;
    if (g->n == 1)
        return (struct stj_group_mean){q->value[g->first], q->low[g->first], q->high[g->first]};
    for (size_t i = 0; i < c->n; i++)
        sum += c->run[i].group == group ? q->value[i] : 0;
    for (size_t i = 0; i < c->n; i++)
        squares += c->run[i].group == group ? pow(q->value[i] - sum / n, 2) : 0;
    const double half = gsl_cdf_tdist_Pinv(0.975, n - 1) * sqrt(squares / (n - 1) / n);
    return (struct stj_group_mean){sum / n, sum / n - half, sum / n + half};
}

/* ---- all of it ---- */

void stj_comparison_free(struct stj_comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        json_decref(c->run[i].config);
        stj_run_destroy(c->run[i].run);
        free(c->run[i].label);
    }
    for (size_t i = 0; i < c->n_keys; i++)
        free_key(&c->key[i]);
    for (size_t i = 0; i < c->n_quantities; i++) {
        struct stj_quantity *q = &c->quantity[i];
        free(q->name);
        free(q->request);
        free(q->value);
        free(q->low);
        free(q->high);
    }
    for (size_t i = 0; i < c->n_left_out; i++)
        free(c->left_out[i]);
    free(c->left_out);
    free(c->run);
    free(c->key);
    free(c->quantity);
    free(c->group);
}

enum stj_status stj_compare_runs(size_t n, char *const *dir, struct stj_comparison *c,
                                 struct stj_error *err)
{
    for (size_t i = 0; i < n; i++) {
        STJ_NOT_NULL(err, dir[i]);
        STJ_NEED(err, stj_file_exists(dir[i]), STJ_EIO, "%s: there is no such folder", dir[i]);
        STJ_MUST(is_run(dir[i]) ? add_run(c, dir[i], err) : add_folder(c, dir[i], err));
    }
    STJ_NEED(err, c->n > 1, STJ_EINVAL,
             "%zu run%s to compare, and it takes two: name runs, or folders of runs%s%s", c->n,
             c->n == 1 ? "" : "s", c->n_left_out ? "; " : "", c->n_left_out ? c->left_out[0] : "");
    STJ_MUST(label_runs(c, err));
    for (size_t i = 0; i < c->n; i++)
        STJ_MUST(add_leaves(c, i, "", c->run[i].config, err));
    drop_common_keys(c);
    STJ_MUST(group_runs(c, err));
    for (size_t i = 0; i < c->n; i++)
        STJ_MUST(comparison_gather(c, i, err));
    return STJ_OK;
}
