/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/json.c: results as JSON objects. */
#include "report/json.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* jansson reports a failed allocation as NULL, and takes NULL as a failure in turn, so a builder
 * looks once, at its end: `failed` latches. */
struct builder {
    json_t *object;
    bool failed;
};

static struct builder begin(void)
{
    json_t *object = json_object();
    return (struct builder){.object = object, .failed = !object};
}

static void json_put(struct builder *b, const char *key, json_t *value)
{
    if (json_object_set_new(b->object, key, value) != 0)
        b->failed = true;
}

/* A nested object joins its parent. */
static void put_object(struct builder *b, const char *key, struct builder *inner)
{
    b->failed = b->failed || inner->failed;
    json_put(b, key, inner->object);
}

static enum stj_status finish(struct builder *b, json_t **object, struct stj_error *err)
{
    if (b->failed) {
        json_decref(b->object);
        *object = NULL;
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                             "out of memory for the JSON report");
    }
    *object = b->object;
    return STJ_OK;
}

static struct builder begin_report(void)
{
    struct builder b = begin();
    json_put(&b, "schema", json_integer(STJ_JSON_SCHEMA));
    return b;
}

/* The array with one more item (stolen); NULL, and both are gone, where one failed. */
static json_t *append(json_t *array, json_t *item, bool failed)
{
    if (json_array_append_new(array, item) == 0 && !failed)
        return array;
    json_decref(array);
    return NULL;
}

json_t *stj_json_of_real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *json_of_size(size_t n)
{
    return json_integer((json_int_t)n);
}

json_t *stj_json_of_count(double x)
{
    bool whole = fabs(x) < 1 / DBL_EPSILON && x == floor(x);
    return whole ? json_integer((json_int_t)x) : stj_json_of_real(x);
}

/* Beyond 2^63 - 1 there is no JSON integer: decimal digits in a string. */
static json_t *json_of_seed(uint64_t seed)
{
    char digits[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    return json_string(digits);
}

json_t *stj_json_of_numbers(size_t n, const double *x, json_t *(*of)(double x))
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        array = append(array, of(x[i]), false);
    return array;
}

/* A path may hold any byte; what is not UTF-8 becomes '?', since JSON text is UTF-8. */
json_t *stj_json_of_text(const char *text)
{
    json_t *value = json_string(text ? text : "");
    if (value)
        return value;
    char *ascii = NULL;
    if (stj_strdup(&ascii, text, NULL) != STJ_OK)
        return NULL;
    for (char *p = ascii; *p; p++) {
        if ((unsigned char)*p > 126)
            *p = '?';
    }
    value = json_string(ascii);
    free(ascii);
    return value;
}

/* null: a stored result, for which no state was passed through. */
static void put_storage(struct builder *b, const struct stj_storage *s)
{
    struct builder o = begin();
    struct builder bytes = begin();
    struct builder diverged = begin();
    json_put(&o, "policy", s->policy ? stj_json_of_text(stj_storage_text(s->policy)) : json_null());
    json_put(&o, "states", json_of_size(s->states));
    json_put(&o, "stored", json_of_size(s->stored));
    json_put(&o, "every", json_of_size(s->every));
    json_put(&o, "held", json_of_size(s->held));
    json_put(&o, "extra_passes", stj_json_of_real(s->extra_passes));
    json_put(&o, "kept_steps", json_of_size(s->kept_steps));
    json_put(&bytes, "states", json_of_size(s->state_bytes));
    json_put(&bytes, "linearisations", json_of_size(s->linear_bytes));
    json_put(&bytes, "work", json_of_size(s->work_bytes));
    json_put(&bytes, "budget", json_of_size(s->budget));
    json_put(&bytes, "minimum", json_of_size(s->minimum));
    put_object(&o, "memory_bytes", &bytes);
    json_put(&diverged, "step", json_of_size(s->diverged_at));
    json_put(&diverged, "compared_at", json_of_size(s->compared_at));
    json_put(&diverged, "difference", stj_json_of_real(s->difference));
    put_object(&o, "diverged", &diverged);
    if (!s->diverged)
        json_put(&o, "diverged", json_null());
    put_object(b, "trajectory", &o);
    if (!s->policy)
        json_put(b, "trajectory", json_null());
}

static void put_part(struct builder *b, const struct stj_run_part *part)
{
    struct builder o = begin();
    const char *word = part->layers ? part->layers : "";
    json_t *layers = *word ? json_array() : json_null();
    for (; *word; word += strspn(word, ",")) {
        const size_t length = strcspn(word, ",");
        if (json_array_append_new(layers, json_stringn(word, length)) != 0)
            o.failed = true;
        word += length;
    }
    json_put(&o, "from", json_of_size(part->from));
    json_put(&o, "to", json_of_size(part->to));
    json_put(&o, "layers", layers);
    json_put(&o, "state", stj_json_of_text(part->full_state ? "full" : "theta"));
    json_put(&o, "precision", stj_json_of_text(stj_precisions[part->precision]));
    put_object(b, "part", &o);
}

/* null: the run was trained here. */
static void put_imported(struct builder *b, const struct stj_run_imported *imported)
{
    struct builder o = begin();
    json_put(&o, "states", json_of_size(imported->n_states));
    json_put(&o, "deviation", stj_json_of_real(imported->deviation));
    json_put(&o, "deviation_step", json_of_size(imported->deviation_step));
    json_put(&o, "tolerance", stj_json_of_real(imported->tolerance));
    put_object(b, "imported", &o);
    if (!imported->is_imported)
        json_put(b, "imported", json_null());
}

/* The lengths of a run before it was continued. */
static json_t *json_of_lengths(const char *earlier)
{
    json_t *array = json_array();
    size_t steps = 0;
    char fingerprint[17] = "";
    for (const char *line = earlier; line && *line; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "%zu %16s", &steps, fingerprint) != 2)
            break;
        struct builder b = begin();
        json_put(&b, "n_steps", json_of_size(steps));
        json_put(&b, "fingerprint", stj_json_of_text(fingerprint));
        json_array_append_new(array, b.object);
    }
    return array;
}

static void put_training(struct builder *b, const struct stj_run_info *info)
{
    json_put(b, "n_params", json_of_size(info->n_params));
    json_put(b, "n_steps", json_of_size(info->n_steps));
    json_put(b, "train_loss", stj_json_of_real(info->train_loss));
    json_put(b, "first_loss", stj_json_of_real(info->first_loss));
    json_put(b, "diverged", json_boolean(info->diverged));
    json_put(b, "test_loss", stj_json_of_real(info->test_loss));
    json_put(b, "test_accuracy", stj_json_of_real(info->test_accuracy));
    json_put(b, "seconds", stj_json_of_real(info->seconds));
    json_put(b, "fingerprint",
             info->fingerprint ? stj_json_of_text(info->fingerprint) : json_null());
    json_put(b, "earlier", json_of_lengths(info->earlier));
    json_put(b, "average", info->average ? stj_json_of_text(info->average) : json_null());
    json_put(b, "sam_adaptive", json_boolean(info->sam_adaptive));
    json_put(b, "sam_rho", stj_json_of_real(info->sam_rho));
    json_put(b, "zero_start", info->zero_start ? stj_json_of_text(info->zero_start) : json_null());
    put_imported(b, &info->imported);
}

enum stj_status stj_json_train(const struct stj_run_info *info, const struct stj_storage *storage,
                               json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    put_training(&b, info);
    put_storage(&b, storage);
    return finish(&b, object, err);
}

static json_t *json_of_layers(const struct stj_run_layer *layers, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        struct builder b = begin();
        json_put(&b, "label", layers[i].label ? stj_json_of_text(layers[i].label) : json_null());
        json_put(&b, "type", stj_json_of_text(layers[i].type));
        json_put(&b, "shape", stj_json_of_text(layers[i].shape));
        json_put(&b, "n_params", json_of_size(layers[i].n_params));
        json_put(&b, "offset", json_of_size(layers[i].offset));
        json_put(&b, "inputs", stj_json_of_text(layers[i].inputs));
        json_put(&b, "n_frozen", json_of_size(layers[i].n_frozen));
        json_put(&b, "n_shared", json_of_size(layers[i].n_shared));
        json_put(&b, "flops", stj_json_of_real(layers[i].flops));
        json_put(&b, "bytes", json_of_size(layers[i].bytes));
        array = append(array, b.object, b.failed);
    }
    return array;
}

/* null: a run that was not trained has none. */
static json_t *json_of_maybe(const char *text)
{
    return text ? stj_json_of_text(text) : json_null();
}

static void put_result(struct builder *b, const struct stj_contents_result *r)
{
    json_put(b, "file", stj_json_of_text(r->name));
    json_put(b, "request", json_of_maybe(r->request));
    json_put(b, "layers", json_of_maybe(r->layers));
    json_put(b, "created", json_of_maybe(r->created));
    json_put(b, "version", json_of_maybe(r->version));
}

/* null: nothing is wrong. */
static void put_trouble(struct builder *b, const struct stj_error *trouble)
{
    json_put(b, "error", trouble->code == STJ_OK ? json_null() : stj_json_of_text(trouble->text));
}

static void put_headline(struct builder *b, const struct stj_contents_result *r)
{
    const struct stj_headline *h = &r->headline;
    struct builder o = begin();
    json_put(&o, "name", stj_json_of_text(h->field ? stj_headline_name(h) : ""));
    json_put(&o, "value", stj_json_of_real(h->value));
    json_put(&o, "low", stj_json_of_real(h->low));
    json_put(&o, "high", stj_json_of_real(h->high));
    put_object(b, "headline", &o);
    if (!h->field)
        json_put(b, "headline", json_null());
}

/* What a list says of the results: all of it, the names alone, or the requests. */
enum result_words { RESULT_LISTED, RESULT_NAME, RESULT_REQUEST };

static json_t *json_of_results(const struct stj_contents *c, enum result_words words)
{
    json_t *array = json_array();
    for (size_t i = 0; i < c->n_results; i++) {
        const struct stj_contents_result *r = &c->result[i];
        struct builder b = begin();
        put_result(&b, r);
        if (words == RESULT_LISTED) {
            json_put(&b, "command", json_of_maybe(r->command));
            put_headline(&b, r);
            put_trouble(&b, &r->trouble);
        }
        const bool name = words == RESULT_NAME;
        json_t *item = name ? json_incref(json_object_get(b.object, "file")) : b.object;
        if (name)
            json_decref(b.object);
        array = append(array, item, b.failed);
    }
    return array;
}

json_t *stj_json_listed(const struct stj_listed_run *listed)
{
    const struct stj_run_info *info = &listed->contents.info;
    const bool known = listed->trouble.code == STJ_OK;
    struct builder b = begin();
    json_put(&b, "dir", stj_json_of_text(info->dir));
    json_put(&b, "created", json_of_maybe(listed->created[0] ? listed->created : NULL));
    json_put(&b, "version", json_of_maybe(info->version));
    json_put(&b, "fingerprint", json_of_maybe(info->fingerprint));
    json_put(&b, "n_params", known ? json_of_size(info->n_params) : json_null());
    json_put(&b, "n_steps", known ? json_of_size(info->n_steps) : json_null());
    json_put(&b, "optimizer", json_of_maybe(info->optimizer));
    put_trouble(&b, &listed->trouble);
    json_put(&b, "results", json_of_results(&listed->contents, RESULT_LISTED));
    if (b.failed)
        json_decref(b.object);
    return b.failed ? NULL : b.object;
}

static json_t *json_of_parameters(const struct stj_run_parameter *p, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        struct builder b = begin();
        json_put(&b, "name", stj_json_of_text(p[i].name));
        json_put(&b, "shape", stj_json_of_text(p[i].shape));
        json_put(&b, "file_name", stj_json_of_text(p[i].file_name));
        json_put(&b, "n_params", json_of_size(p[i].n_params));
        json_put(&b, "offset", json_of_size(p[i].offset));
        json_put(&b, "frozen", json_boolean(p[i].frozen));
        if (p[i].update)
            json_put(&b, "update", stj_json_of_text(p[i].update));
        array = append(array, b.object, b.failed);
    }
    return array;
}

enum stj_status stj_json_info(const struct stj_contents *contents, json_t **object,
                              struct stj_error *err)
{
    const struct stj_run_info *info = &contents->info;
    struct builder b = begin_report();
    put_training(&b, info);
    put_storage(&b, &contents->storage);
    json_put(&b, "trained", json_boolean(info->trained));
    json_put(&b, "dir", json_of_maybe(info->dir));
    json_put(&b, "optimizer", stj_json_of_text(info->optimizer));
    json_put(&b, "loss", stj_json_of_text(info->loss));
    json_put(&b, "n_slots", json_of_size(info->n_slots));
    json_put(&b, "batch_size", json_of_size(info->batch_size));
    json_put(&b, "accumulate", json_of_size(info->accumulate));
    json_put(&b, "train_rows", json_of_size(info->train_rows));
    json_put(&b, "n_examples", json_of_size(info->n_examples));
    json_put(&b, "test_rows", json_of_size(info->test_rows));
    json_put(&b, "unused", stj_json_of_text(info->unused ? info->unused : ""));
    json_put(&b, "version", json_of_maybe(info->version));
    json_put(&b, "blas", json_of_maybe(info->blas));
    json_put(&b, "layers", json_of_layers(contents->layer, contents->n_layers));
    json_put(&b, "parameters", json_of_parameters(contents->parameter, contents->n_parameters));
    json_put(&b, "results", json_of_results(contents, RESULT_NAME));
    json_put(&b, "requests", json_of_results(contents, RESULT_REQUEST));
    return finish(&b, object, err);
}

static json_t *json_of_items(const struct stj_plan *plan)
{
    json_t *array = json_array();
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        struct builder b = begin();
        json_put(&b, "name", stj_json_of_text(item->name));
        json_put(&b, "settings", stj_json_of_text(item->settings));
        json_put(&b, "method", stj_json_of_text(item->method));
        json_put(&b, "applications", stj_json_of_real(item->applications));
        json_put(&b, "seconds", stj_json_of_real(item->seconds));
        json_put(&b, "memory_bytes", json_of_size(item->memory_bytes));
        json_put(&b, "disk_bytes", json_of_size(item->disk_bytes));
        json_put(&b, "ranks_per_product", json_of_size(item->ranks_per_product));
        json_put(&b, "bytes_per_application", stj_json_of_real(item->bytes_per_application));
        json_put(&b, "affordable", json_boolean(item->affordable));
        json_put(&b, "reason", stj_json_of_text(item->reason));
        array = append(array, b.object, b.failed);
    }
    return array;
}

/* The largest of what is affordable. */
static void put_plan_memory(struct builder *b, const struct stj_plan *plan)
{
    struct builder o = begin();
    struct stj_plan_item most = {.engine_bytes = 0};
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        if (item->affordable && item->memory_bytes > most.memory_bytes)
            most = *item;
    }
    json_put(&o, "engine", json_of_size(most.engine_bytes));
    json_put(&o, "trajectory", json_of_size(most.trajectory_bytes));
    json_put(&o, "basis", json_of_size(most.basis_bytes));
    json_put(&o, "resident", json_of_size(plan->resident_bytes));
    json_put(&o, "peak", json_of_size(most.memory_bytes));
    json_put(&o, "free", json_of_size(plan->free_bytes));
    put_object(b, "memory_bytes", &o);
}

enum stj_status stj_json_plan(const struct stj_plan *plan, json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    json_put(&b, "n_params", json_of_size(plan->n_params));
    json_put(&b, "n_steps", json_of_size(plan->n_steps));
    put_plan_memory(&b, plan);
    json_put(&b, "seconds_per_application", stj_json_of_real(plan->seconds_per_application));
    json_put(&b, "seconds_per_step", stj_json_of_real(plan->seconds_per_step));
    json_put(&b, "max_seconds", stj_json_of_real(plan->max_seconds));
    json_put(&b, "ranks", json_of_size(plan->ranks.n > 1 ? plan->ranks.n : 1));
    json_put(&b, "analyses", json_of_items(plan));
    return finish(&b, object, err);
}

/* ---- results of analyses ---- */

enum { NAME_BYTES = 160 };

/* The value of a key (borrowed), a new `fresh` (stolen) when there is none; NULL without memory. */
static json_t *member(json_t *object, const char *key, json_t *fresh)
{
    json_t *value = json_object_get(object, key);
    if (value)
        json_decref(fresh);
    else if (json_object_set_new(object, key, fresh) == 0)
        value = fresh;
    return value;
}

/* The object number i of an array, which is made when it is the next one. */
static json_t *element(json_t *array, size_t i)
{
    if (array && i == json_array_size(array) && json_array_append_new(array, json_object()) != 0)
        return NULL;
    return json_array_get(array, i);
}

int stj_json_put_at(json_t *object, const char *name, json_t *value)
{
    char key[NAME_BYTES];
    const char *dot = strchr(name, '.');
    while (object && dot) {
        const size_t length = (size_t)(dot - name);
        memcpy(key, name, length);
        key[length] = '\0';
        char *bracket = strchr(key, '[');
        if (bracket) {
            *bracket = '\0';
            object = element(member(object, key, json_array()), strtoul(bracket + 1, NULL, 10));
        } else {
            object = member(object, key, json_object());
        }
        name = dot + 1;
        dot = strchr(name, '.');
    }
    if (object)
        return json_object_set_new(object, name, value);
    json_decref(value);
    return -1;
}

/* null: a stored result. */
static void put_cost(struct builder *b, const struct stj_cost *cost)
{
    if (cost->peak_bytes == 0) {
        json_put(b, "cost", json_null());
        return;
    }
    struct builder o = begin();
    json_put(&o, "peak_memory_bytes", json_of_size(cost->peak_bytes));
    json_put(&o, "planned_memory_bytes",
             cost->planned ? json_of_size(cost->planned_bytes) : json_null());
    json_put(&o, "planned_seconds",
             cost->planned ? stj_json_of_real(cost->planned_seconds) : json_null());
    put_object(b, "cost", &o);
}

/* null: nothing was checked, as in a stored result. */
static void put_self_check(struct builder *b, const struct stj_self_check *check)
{
    struct builder object = begin();
    if (check->checks == 0) {
        json_put(b, "self_check", json_null());
        json_decref(object.object);
        return;
    }
    json_put(&object, "checks", json_of_size(check->checks));
    json_put(&object, "adjoint_error", stj_json_of_real(check->adjoint_error));
    json_put(&object, "orthogonality", stj_json_of_real(check->orthogonality));
    put_object(b, "self_check", &object);
}

/* text <- the name with entry i of its first dimension, and j of its second, in their places;
 * returns how many dimensions the name spells. */
static size_t spell_name(const struct stj_field *field, size_t i, size_t j, char text[NAME_BYTES])
{
    const size_t at[STJ_FIELD_DIMS] = {i, j};
    size_t used = 0, spelled = 0;
    for (const char *c = field->name; *c && used + 1 < NAME_BYTES; c++) {
        if (*c == '[' || *c == '*') {
            const char *const *label = field->dim[spelled].label;
            used +=
                (size_t)(*c == '['
                             ? snprintf(text + used, NAME_BYTES - used, "[%zu]", at[spelled])
                             : snprintf(text + used, NAME_BYTES - used, "%s", label[at[spelled]]));
            spelled++;
            c += *c == '[';
        } else {
            text[used++] = *c;
        }
    }
    text[used < NAME_BYTES ? used : NAME_BYTES - 1] = '\0';
    return spelled;
}

static json_t *json_of_words(const char *text)
{
    json_t *array = json_array();
    for (const char *word = text; *word; word += strspn(word, " ")) {
        const size_t n = strcspn(word, " ");
        array = append(array, json_stringn(word, n), false);
        word += n;
    }
    return array;
}

/* A value of a field as its kind says. */
static json_t *json_of_value(const struct stj_field *field, const void *data, size_t i, size_t j)
{
    const double x = stj_field_number(field, data, i, j);
    const char *text = stj_field_text(field, data);
    switch (field->kind) {
    case STJ_FIELD_REAL:
        return stj_json_of_real(x);
    case STJ_FIELD_WHOLE:
        return stj_json_of_count(x);
    case STJ_FIELD_COUNT:
        return json_integer((json_int_t)x);
    case STJ_FIELD_SEED:
        return json_of_seed(*(const uint64_t *)stj_field_at(field, data, i, j));
    case STJ_FIELD_FLAG:
        return json_boolean(x != 0);
    case STJ_FIELD_CHOICE:
    case STJ_FIELD_TEXT:
    case STJ_FIELD_NAME:
        break;
    }
    if (text && field->list)
        return json_of_words(text);
    return text ? stj_json_of_text(text) : json_null();
}

static json_t *json_of_row(const struct stj_field *field, const void *data, size_t i, size_t n)
{
    const size_t fold = field->fold ? *(const size_t *)((const char *)data + field->fold) : 1;
    json_t *array = json_array(), *piece = NULL;
    for (size_t j = 0; j < n; j++) {
        if (fold > 1 && j % fold == 0)
            piece = json_array();
        if (fold > 1)
            piece = append(piece, json_of_value(field, data, i, j), false);
        else
            array = append(array, json_of_value(field, data, i, j), false);
        if (fold > 1 && (j + 1) % fold == 0)
            array = append(array, piece, false);
    }
    return array;
}

static json_t *json_of_array(const struct stj_field *field, const void *data,
                             const struct stj_field_view *view)
{
    const size_t n = view->n[0];
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        array = append(array,
                       view->n_dims > 1 ? json_of_row(field, data, i, view->n[1])
                                        : json_of_value(field, data, i, 0),
                       false);
    return array;
}

/* The way to the first dimension that the name spells: "curve" of "curve[].epsilon". */
static void put_empty(struct builder *b, const struct stj_field *field)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(field->name, "[*"), field->name);
    if (!json_object_get(b->object, name))
        json_put(b, name, json_array());
}

static void put_array(struct builder *b, const struct stj_field *field, const void *data)
{
    char name[NAME_BYTES];
    const struct stj_field_view view = stj_field_view(field, data);
    const size_t spelled = spell_name(field, 0, 0, name);
    if (spelled == 0) {
        b->failed |= stj_json_put_at(b->object, name, json_of_array(field, data, &view)) != 0;
        return;
    }
    if (view.n[0] == 0)
        put_empty(b, field);
    for (size_t i = 0; i < view.n[0]; i++)
        for (size_t j = 0; j < view.n[1]; j++) {
            (void)spell_name(field, i, j, name);
            b->failed |= stj_json_put_at(b->object, name, json_of_value(field, data, i, j)) != 0;
        }
}

static void put_absent(struct builder *b, const struct stj_field *field)
{
    char name[NAME_BYTES], top[NAME_BYTES];
    snprintf(name, sizeof name, "%s", field->name);
    if (field->absent == STJ_ABSENT_KEY)
        return;
    if (field->absent == STJ_ABSENT_OBJECT)
        *strrchr(name, '.') = '\0';
    snprintf(top, sizeof top, "%.*s", (int)strcspn(name, "."), name);
    if (json_is_null(json_object_get(b->object, top))) /* and all in it */
        return;
    b->failed |= stj_json_put_at(b->object, name, json_null()) != 0;
}

static void put_field(struct builder *b, const struct stj_field *field, const void *data)
{
    if (!stj_field_in(field, STJ_FIELD_IN_JSON))
        return;
    if (!stj_field_is_there(field, data))
        put_absent(b, field);
    else if (field->dim[0].name)
        put_array(b, field, data);
    else
        b->failed |= stj_json_put_at(b->object, field->name, json_of_value(field, data, 0, 0)) != 0;
}

enum stj_status stj_json_result(const struct stj_result *r, json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    const struct stj_field *field = NULL;
    const void *data = NULL;
    json_put(&b, "analysis", stj_json_of_text(r->analysis->info.name));
    for (size_t i = 0; (field = stj_result_field(r, i, &data)); i++)
        put_field(&b, field, data);
    put_part(&b, &r->about.part);
    put_storage(&b, &r->about.storage);
    put_cost(&b, &r->about.cost);
    put_self_check(&b, &r->about.self_check);
    return finish(&b, object, err);
}

const char *stj_difference_verdict(const struct stj_validation *v)
{
    if (v->finite_difference_agrees)
        return "agrees";
    return v->finite_difference_resolved ? "contradicts" : "unresolved";
}

static void put_given(struct builder *b, const char *name, const struct stj_given_validation *v)
{
    char key[48];
    snprintf(key, sizeof key, "%s_adjoint_error", name);
    json_put(b, key, stj_json_of_real(v->adjoint_error));
    snprintf(key, sizeof key, "%s_difference_error", name);
    json_put(b, key, stj_json_of_real(v->difference_error));
    snprintf(key, sizeof key, "%s_difference_resolution", name);
    json_put(b, key, stj_json_of_real(v->difference_resolution));
    snprintf(key, sizeof key, "%s_too_many", name);
    json_put(b, key, v->too_many ? json_of_size(v->too_many) : json_null());
}

enum stj_status stj_json_validate(const struct stj_validation *v, json_t **object,
                                  struct stj_error *err)
{
    struct builder b = begin_report();
    json_put(&b, "adjoint_error", stj_json_of_real(v->adjoint_error));
    json_put(&b, "largest_product", stj_json_of_real(v->largest_product));
    json_put(&b, "finite_difference_error", stj_json_of_real(v->finite_difference_error));
    json_put(&b, "finite_difference_step", stj_json_of_real(v->finite_difference_step));
    json_put(&b, "finite_difference_resolution", stj_json_of_real(v->finite_difference_resolution));
    json_put(&b, "finite_difference_verdict", json_string(stj_difference_verdict(v)));
    json_put(&b, "finite_difference_single_steps", json_of_size(v->single_steps));
    json_put(&b, "finite_difference_whole_error",
             stj_json_of_real(v->finite_difference_whole_error));
    json_put(&b, "finite_difference_whole_resolution",
             stj_json_of_real(v->finite_difference_whole_resolution));
    json_put(&b, "may_switch", json_boolean(v->may_switch));
    put_given(&b, "weights", &v->weights);
    put_given(&b, "inputs", &v->inputs);
    put_given(&b, "targets", &v->targets);
    put_given(&b, "rates", &v->rates);
    put_given(&b, "momenta", &v->momenta);
    put_given(&b, "decays", &v->decays);
    put_given(&b, "scales", &v->scales);
    json_put(&b, "single_error", stj_json_of_real(v->single_error));
    json_put(&b, "single_error_rms", stj_json_of_real(v->single_error_rms));
    json_put(&b, "replay_identical", json_boolean(v->replay_identical));
    if (isnan(v->dense_max_sigma_error)) {
        json_put(&b, "dense", json_null());
    } else {
        struct builder dense = begin();
        json_put(&dense, "max_sigma_error", stj_json_of_real(v->dense_max_sigma_error));
        json_put(&dense, "bottom_violation", stj_json_of_real(v->dense_bottom_violation));
        json_put(&dense, "bottom_excess", stj_json_of_real(v->dense_bottom_excess));
        put_object(&b, "dense", &dense);
    }
    json_put(&b, "passed", json_boolean(v->passed));
    put_imported(&b, &v->imported);
    put_part(&b, &v->part);
    put_storage(&b, &v->storage);
    return finish(&b, object, err);
}

enum stj_status stj_json_plot(const char *figure, const char *path, json_t **object,
                              struct stj_error *err)
{
    struct builder b = begin_report();
    json_put(&b, "figure", stj_json_of_text(figure));
    json_put(&b, "file", stj_json_of_text(path));
    return finish(&b, object, err);
}

enum stj_status stj_json_print(FILE *out, const json_t *object, struct stj_error *err)
{
    /* ASCII: a terminal takes some characters beyond it as commands. */
    char *text = json_dumps(object, JSON_REAL_PRECISION(17) | JSON_ENSURE_ASCII);
    if (!text)
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                             "out of memory for the JSON report");
    bool lost = fputs(text, out) == EOF || fputc('\n', out) == EOF;
    free(text);
    if (lost)
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "the report could not be written");
    return STJ_OK;
}
