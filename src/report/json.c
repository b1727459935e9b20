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

static void put(struct builder *b, const char *key, json_t *value)
{
    if (json_object_set_new(b->object, key, value) != 0)
        b->failed = true;
}

/* A nested object joins its parent. */
static void put_object(struct builder *b, const char *key, struct builder *inner)
{
    b->failed = b->failed || inner->failed;
    put(b, key, inner->object);
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
    put(&b, "schema", json_integer(STJ_JSON_SCHEMA));
    return b;
}

json_t *stj_json_of_real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *json_of_size(size_t n)
{
    return json_integer((json_int_t)n);
}

/* A count of products: a whole number unless windows of a run were applied. */
static json_t *json_of_count(double x)
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

json_t *stj_json_of_reals(size_t n, const double *x)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, stj_json_of_real(x[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
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
    put(&o, "policy", s->policy ? stj_json_of_text(stj_storage_text(s->policy)) : json_null());
    put(&o, "states", json_of_size(s->states));
    put(&o, "stored", json_of_size(s->stored));
    put(&o, "every", json_of_size(s->every));
    put(&o, "held", json_of_size(s->held));
    put(&o, "extra_passes", stj_json_of_real(s->extra_passes));
    put(&o, "kept_steps", json_of_size(s->kept_steps));
    put(&bytes, "states", json_of_size(s->state_bytes));
    put(&bytes, "linearisations", json_of_size(s->linear_bytes));
    put(&bytes, "work", json_of_size(s->work_bytes));
    put(&bytes, "budget", json_of_size(s->budget));
    put(&bytes, "minimum", json_of_size(s->minimum));
    put_object(&o, "memory_bytes", &bytes);
    put(&diverged, "step", json_of_size(s->diverged_at));
    put(&diverged, "compared_at", json_of_size(s->compared_at));
    put(&diverged, "difference", stj_json_of_real(s->difference));
    put_object(&o, "diverged", &diverged);
    if (!s->diverged)
        put(&o, "diverged", json_null());
    put_object(b, "trajectory", &o);
    if (!s->policy)
        put(b, "trajectory", json_null());
}

/* null: not of a run. */
static void put_part(struct builder *b, const struct stj_part *part)
{
    struct builder o = begin();
    json_t *layers = part->layers[0] ? json_array() : json_null();
    for (const char *word = part->layers; *word; word += strspn(word, ",")) {
        const size_t length = strcspn(word, ",");
        if (json_array_append_new(layers, json_stringn(word, length)) != 0)
            o.failed = true;
        word += length;
    }
    put(&o, "from", json_of_size(part->from));
    put(&o, "to", json_of_size(part->to));
    put(&o, "layers", layers);
    put(&o, "state", stj_json_of_text(part->full_state ? "full" : "theta"));
    put_object(b, "part", &o);
    if (part->to == 0)
        put(b, "part", json_null());
}

/* null: the run was trained here. */
static void put_imported(struct builder *b, const struct stj_run_imported *imported)
{
    struct builder o = begin();
    put(&o, "states", json_of_size(imported->n_states));
    put(&o, "deviation", stj_json_of_real(imported->deviation));
    put(&o, "deviation_step", json_of_size(imported->deviation_step));
    put(&o, "tolerance", stj_json_of_real(imported->tolerance));
    put_object(b, "imported", &o);
    if (!imported->is_imported)
        put(b, "imported", json_null());
}

static void put_training(struct builder *b, const struct stj_run_info *info)
{
    put(b, "n_params", json_of_size(info->n_params));
    put(b, "n_steps", json_of_size(info->n_steps));
    put(b, "train_loss", stj_json_of_real(info->train_loss));
    put(b, "test_loss", stj_json_of_real(info->test_loss));
    put(b, "test_accuracy", stj_json_of_real(info->test_accuracy));
    put(b, "seconds", stj_json_of_real(info->seconds));
    put(b, "fingerprint", info->fingerprint ? stj_json_of_text(info->fingerprint) : json_null());
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
        put(&b, "label", layers[i].label ? stj_json_of_text(layers[i].label) : json_null());
        put(&b, "type", stj_json_of_text(layers[i].type));
        put(&b, "shape", stj_json_of_text(layers[i].shape));
        put(&b, "n_params", json_of_size(layers[i].n_params));
        put(&b, "offset", json_of_size(layers[i].offset));
        if (json_array_append_new(array, b.object) != 0 || b.failed) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *json_of_names(char *const *names, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        if (json_array_append_new(array, stj_json_of_text(names[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *json_of_parameters(const struct stj_run_parameter *p, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        struct builder b = begin();
        put(&b, "name", stj_json_of_text(p[i].name));
        put(&b, "shape", stj_json_of_text(p[i].shape));
        put(&b, "file_name", stj_json_of_text(p[i].file_name));
        put(&b, "n_params", json_of_size(p[i].n_params));
        put(&b, "offset", json_of_size(p[i].offset));
        if (json_array_append_new(array, b.object) != 0 || b.failed) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* null: a run that was not trained has none. */
static json_t *json_of_maybe(const char *text)
{
    return text ? stj_json_of_text(text) : json_null();
}

enum stj_status stj_json_info(const struct stj_contents *contents, json_t **object,
                              struct stj_error *err)
{
    const struct stj_run_info *info = &contents->info;
    struct builder b = begin_report();
    put_training(&b, info);
    put_storage(&b, &contents->storage);
    put(&b, "trained", json_boolean(info->trained));
    put(&b, "dir", json_of_maybe(info->dir));
    put(&b, "optimizer", stj_json_of_text(info->optimizer));
    put(&b, "loss", stj_json_of_text(info->loss));
    put(&b, "n_slots", json_of_size(info->n_slots));
    put(&b, "batch_size", json_of_size(info->batch_size));
    put(&b, "train_rows", json_of_size(info->train_rows));
    put(&b, "test_rows", json_of_size(info->test_rows));
    put(&b, "version", json_of_maybe(info->version));
    put(&b, "blas", json_of_maybe(info->blas));
    put(&b, "layers", json_of_layers(contents->layer, contents->n_layers));
    put(&b, "parameters", json_of_parameters(contents->parameter, contents->n_parameters));
    put(&b, "results", json_of_names(contents->result, contents->n_results));
    return finish(&b, object, err);
}

static void put_outside(struct builder *b, const struct stj_svd_outside *outside)
{
    if (!outside->checked) {
        put(b, "outside", json_null());
        return;
    }
    struct builder o = begin();
    put(&o, "sigma", stj_json_of_real(outside->sigma));
    put(&o, "missed", json_of_size(outside->missed));
    put_object(b, "outside", &o);
}

static void put_counted(struct builder *b, const struct stj_svd_result *r)
{
    if (!r->counted.compared) {
        put(b, "density", json_null());
        return;
    }
    struct builder o = begin();
    put(&o, "low", stj_json_of_real(r->counted.low));
    put(&o, "high", stj_json_of_real(r->counted.high));
    put(&o, "agrees", json_boolean(stj_svd_count_agrees(r)));
    put_object(b, "density", &o);
}

static json_t *json_of_items(const struct stj_plan *plan)
{
    json_t *array = json_array();
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        struct builder b = begin();
        put(&b, "name", stj_json_of_text(item->name));
        put(&b, "settings", stj_json_of_text(item->settings));
        put(&b, "method", stj_json_of_text(item->method));
        put(&b, "applications", stj_json_of_real(item->applications));
        put(&b, "seconds", stj_json_of_real(item->seconds));
        put(&b, "memory_bytes", json_of_size(item->memory_bytes));
        put(&b, "ranks_per_product", json_of_size(item->ranks_per_product));
        put(&b, "bytes_per_application", stj_json_of_real(item->bytes_per_application));
        put(&b, "affordable", json_boolean(item->affordable));
        put(&b, "reason", stj_json_of_text(item->reason));
        if (json_array_append_new(array, b.object) != 0 || b.failed) {
            json_decref(array);
            return NULL;
        }
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
    put(&o, "engine", json_of_size(most.engine_bytes));
    put(&o, "trajectory", json_of_size(most.trajectory_bytes));
    put(&o, "basis", json_of_size(most.basis_bytes));
    put(&o, "resident", json_of_size(plan->resident_bytes));
    put(&o, "peak", json_of_size(most.memory_bytes));
    put(&o, "free", json_of_size(plan->free_bytes));
    put_object(b, "memory_bytes", &o);
}

enum stj_status stj_json_plan(const struct stj_plan *plan, json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "n_params", json_of_size(plan->n_params));
    put(&b, "n_steps", json_of_size(plan->n_steps));
    put_plan_memory(&b, plan);
    put(&b, "seconds_per_application", stj_json_of_real(plan->seconds_per_application));
    put(&b, "seconds_per_step", stj_json_of_real(plan->seconds_per_step));
    put(&b, "max_seconds", stj_json_of_real(plan->max_seconds));
    put(&b, "ranks", json_of_size(plan->ranks.n > 1 ? plan->ranks.n : 1));
    put(&b, "analyses", json_of_items(plan));
    return finish(&b, object, err);
}

/* null: a stored result. */
static void put_cost(struct builder *b, const struct stj_cost *cost)
{
    if (cost->peak_bytes == 0) {
        put(b, "cost", json_null());
        return;
    }
    struct builder o = begin();
    put(&o, "peak_memory_bytes", json_of_size(cost->peak_bytes));
    put(&o, "planned_memory_bytes",
        cost->planned ? json_of_size(cost->planned_bytes) : json_null());
    put(&o, "planned_seconds",
        cost->planned ? stj_json_of_real(cost->planned_seconds) : json_null());
    put_object(b, "cost", &o);
}

static void put_top(struct builder *b, const struct stj_svd_result *r)
{
    struct builder top = begin();
    put(&top, "requested", json_of_size(r->requested));
    put(&top, "converged", json_of_size(r->converged));
    put(&top, "products", json_of_count(r->products));
    put(&top, "sigma", stj_json_of_reals(r->top.k, r->top.sigma));
    put(&top, "residual", stj_json_of_reals(r->top.k, r->top.residual));
    put(&top, "cosine", stj_json_of_reals(r->top.k, r->top.cosine));
    put(&top, "above", r->above > 0 ? stj_json_of_real(r->above) : json_null());
    put(&top, "straddling", json_of_size(r->straddling));
    put(&top, "residual_excess", stj_json_of_real(r->residual_excess));
    put_outside(&top, &r->outside);
    put_counted(&top, r);
    put_object(b, "top", &top);
}

/* The keys are always there; without a request no floor was measured. */
static void put_bottom(struct builder *b, const struct stj_svd_result *r)
{
    struct builder bottom = begin();
    put(&bottom, "requested", json_of_size(r->bottom_requested));
    put(&bottom, "converged", json_of_size(r->bottom_converged));
    put(&bottom, "products", json_of_count(r->bottom_products));
    put(&bottom, "sigma_bound", stj_json_of_reals(r->bottom.k, r->bottom.sigma));
    put(&bottom, "residual", stj_json_of_reals(r->bottom.k, r->bottom.residual));
    put(&bottom, "cosine", stj_json_of_reals(r->bottom.k, r->bottom.cosine));
    put(&bottom, "below", r->below > 0 ? stj_json_of_real(r->below) : json_null());
    put(&bottom, "floor", r->bottom_requested ? stj_json_of_real(r->floor) : json_null());
    put(&bottom, "method", r->bottom_method ? stj_json_of_text(r->bottom_method) : json_null());
    put(&bottom, "ncv", json_of_size(r->bottom_ncv));
    put_object(b, "bottom", &bottom);
}

/* null: nothing was checked, as in a stored result. */
static void put_self_check(struct builder *b, const struct stj_self_check *check)
{
    struct builder object = begin();
    if (check->checks == 0) {
        put(b, "self_check", json_null());
        json_decref(object.object);
        return;
    }
    put(&object, "checks", json_of_size(check->checks));
    put(&object, "adjoint_error", stj_json_of_real(check->adjoint_error));
    put(&object, "orthogonality", stj_json_of_real(check->orthogonality));
    put_object(b, "self_check", &object);
}

enum stj_status stj_json_svd(const struct stj_svd_result *r, json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    struct builder applications = begin();
    put(&b, "n_params", json_of_size(r->n_params));
    put_top(&b, r);
    put_bottom(&b, r);
    put(&applications, "jvp", json_of_count(r->counts.jvp));
    put(&applications, "vjp", json_of_count(r->counts.vjp));
    put(&applications, "replayed", json_of_count(r->counts.replayed));
    put_object(&b, "applications", &applications);
    put(&b, "seconds", stj_json_of_real(r->seconds));
    put(&b, "stop", stj_json_of_text(stj_stop_text(r->stop)));
    put(&b, "method", r->method ? stj_json_of_text(r->method) : json_null());
    put(&b, "seed", json_of_seed(r->seed));
    put(&b, "ncv", json_of_size(r->ncv));
    put(&b, "tol", stj_json_of_real(r->tol));
    put_part(&b, &r->part);
    put_storage(&b, &r->storage);
    put_cost(&b, &r->cost);
    put_self_check(&b, &r->self_check);
    return finish(&b, object, err);
}

enum stj_status stj_json_dense(const struct stj_dense_result *r, json_t **object,
                               struct stj_error *err)
{
    struct builder b = begin_report();
    struct builder regions = begin();
    put(&b, "n_params", json_of_size(r->n_params));
    put(&b, "sigma", stj_json_of_reals(r->n_params, r->sigma));
    put(&b, "cosine", stj_json_of_reals(r->cosine ? r->n_params : 0, r->cosine));
    put(&b, "epsilon", stj_json_of_real(r->epsilon));
    put(&regions, "chaotic", json_of_size(r->regions.chaotic));
    put(&regions, "bulk", json_of_size(r->regions.bulk));
    put(&regions, "stable", json_of_size(r->regions.stable));
    put_object(&b, "regions", &regions);
    put(&b, "seconds_build", stj_json_of_real(r->seconds_build));
    put(&b, "seconds_svd", stj_json_of_real(r->seconds_svd));
    put_part(&b, &r->part);
    put_storage(&b, &r->storage);
    put_cost(&b, &r->cost);
    put_self_check(&b, &r->self_check);
    return finish(&b, object, err);
}

static void put_count(struct builder *b, const char *key, const struct stj_density_count *c)
{
    struct builder count = begin();
    put(&count, "estimate", stj_json_of_real(c->estimate));
    put(&count, "low", stj_json_of_real(c->low));
    put(&count, "high", stj_json_of_real(c->high));
    put(&count, "enclosure_low", stj_json_of_real(c->enclosure_low));
    put(&count, "enclosure_high", stj_json_of_real(c->enclosure_high));
    put(&count, "sampling", stj_json_of_real(c->sampling));
    put(&count, "finite_steps", stj_json_of_real(c->finite_steps));
    put_object(b, key, &count);
}

static void put_counts(struct builder *b, const struct stj_density_counts *c)
{
    struct builder regions = begin();
    put_count(&regions, "chaotic", &c->chaotic);
    put_count(&regions, "bulk", &c->bulk);
    put_count(&regions, "stable", &c->stable);
    put_object(b, "regions", &regions);
}

static void put_missed(struct builder *b, const char *key, const struct stj_density_missed *m)
{
    struct builder missed = begin();
    put(&missed, "sigma", m->compared ? stj_json_of_real(m->sigma) : json_null());
    put(&missed, "estimate", m->compared ? stj_json_of_real(m->estimate) : json_null());
    put(&missed, "low", m->compared ? stj_json_of_real(m->low) : json_null());
    put_object(b, key, &missed);
}

static void put_known(struct builder *b, const struct stj_density_result *r)
{
    struct builder known = begin();
    put(&known, "deflated", json_of_size(r->n_known));
    put_missed(&known, "missed_above", &r->missed_above);
    put_missed(&known, "missed_below", &r->missed_below);
    put_object(b, "known", &known);
}

static void put_measured(struct builder *b, const char *key, const struct stj_measured *m)
{
    struct builder measured = begin();
    put(&measured, "value", stj_json_of_real(m->value));
    put(&measured, "error", stj_json_of_real(m->error));
    put_object(b, key, &measured);
}

static void put_functionals(struct builder *b, const struct stj_density_functionals *f)
{
    struct builder all = begin();
    put(&all, "floor", stj_json_of_real(f->floor));
    put_measured(&all, "below_floor", &f->below_floor);
    put_measured(&all, "log_volume", &f->log_volume);
    put_measured(&all, "mean_log", &f->mean_log);
    put_measured(&all, "lyapunov", &f->lyapunov);
    put_measured(&all, "participation_ratio", &f->participation_ratio);
    put_measured(&all, "effective_rank", &f->effective_rank);
    put_measured(&all, "frobenius_squared", &f->frobenius_squared);
    put_object(b, "functionals", &all);
}

static void put_gap(struct builder *b, const struct stj_density_gap *gap)
{
    struct builder found = begin();
    put(&found, "found", json_boolean(gap->found));
    if (gap->found) {
        put(&found, "epsilon", stj_json_of_real(gap->epsilon));
        put(&found, "depth", stj_json_of_real(gap->depth));
        put_counts(&found, &gap->counts);
    }
    put_object(b, "gap", &found);
}

/* An object joins an array. */
static void append(struct builder *b, json_t *array, struct builder *item)
{
    b->failed = b->failed || item->failed;
    if (json_array_append_new(array, item->object) != 0)
        b->failed = true;
}

static void put_extras(struct builder *b, const struct stj_density_extras *x)
{
    json_t *curve = json_array();
    json_t *bins = json_array();
    for (size_t i = 0; i < x->n_curve; i++) {
        struct builder point = begin();
        put(&point, "epsilon", stj_json_of_real(x->curve[i].epsilon));
        put_counts(&point, &x->curve[i]);
        append(b, curve, &point);
    }
    for (size_t i = 0; i + 1 < x->n_edges; i++) {
        struct builder bin = begin();
        put(&bin, "from", stj_json_of_real(x->edge[i]));
        put(&bin, "to", stj_json_of_real(x->edge[i + 1]));
        put_count(&bin, "count", &x->region[i]);
        append(b, bins, &bin);
    }
    put(b, "curve", curve);
    put(b, "between", bins);
    if (x->functionals)
        put_functionals(b, x->functionals);
    if (x->gap)
        put_gap(b, x->gap);
}

static void put_applications(struct builder *b, const struct stj_op_counts *counts)
{
    struct builder applications = begin();
    put(&applications, "jvp", json_of_count(counts->jvp));
    put(&applications, "vjp", json_of_count(counts->vjp));
    put(&applications, "replayed", json_of_count(counts->replayed));
    put_object(b, "applications", &applications);
}

enum stj_status stj_json_density(const struct stj_density_result *r,
                                 const struct stj_density_extras *extras, json_t **object,
                                 struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "n_params", json_of_size(r->n_params));
    put(&b, "epsilon", stj_json_of_real(r->epsilon));
    put(&b, "confidence", stj_json_of_real(r->confidence));
    put(&b, "probes", json_of_size(r->n_probes));
    put(&b, "steps", json_of_size(r->steps));
    put_counts(&b, &r->regions);
    put_applications(&b, &r->counts);
    put(&b, "seconds", stj_json_of_real(r->seconds));
    put(&b, "stop", stj_json_of_text(stj_stop_text(r->stop)));
    put(&b, "seed", json_of_seed(r->seed));
    put(&b, "reorthogonalize", stj_json_of_text(stj_reorthogonalize_text(r->reorthogonalize)));
    put(&b, "in_flight", json_of_size(r->in_flight));
    put(&b, "sigma_1", stj_json_of_real(r->sigma_1));
    put(&b, "floor", stj_json_of_real(r->floor));
    put_known(&b, r);
    put_extras(&b, extras);
    put_part(&b, &r->part);
    put_storage(&b, &r->storage);
    put_cost(&b, &r->cost);
    put_self_check(&b, &r->self_check);
    return finish(&b, object, err);
}

enum stj_status stj_json_trace(const struct stj_trace_result *r, json_t **object,
                               struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "n_params", json_of_size(r->n_params));
    put(&b, "function", stj_json_of_text(stj_trace_function_text(r->function)));
    put(&b, "method", stj_json_of_text(r->method));
    put(&b, "value", stj_json_of_real(r->value));
    put(&b, "error", stj_json_of_real(r->error));
    put(&b, "low", stj_json_of_real(r->low));
    put(&b, "high", stj_json_of_real(r->high));
    put(&b, "confidence", stj_json_of_real(r->confidence));
    put(&b, "products", json_of_size(r->products));
    put(&b, "samples", json_of_size(r->samples));
    put_applications(&b, &r->counts);
    put(&b, "seconds", stj_json_of_real(r->seconds));
    put(&b, "seed", json_of_seed(r->seed));
    put_part(&b, &r->part);
    put_storage(&b, &r->storage);
    put_cost(&b, &r->cost);
    put_self_check(&b, &r->self_check);
    return finish(&b, object, err);
}

enum stj_status stj_json_validate(const struct stj_validation *v, json_t **object,
                                  struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "adjoint_error", stj_json_of_real(v->adjoint_error));
    put(&b, "finite_difference_error", stj_json_of_real(v->finite_difference_error));
    put(&b, "finite_difference_step", stj_json_of_real(v->finite_difference_step));
    put(&b, "finite_difference_single_steps", json_of_size(v->single_steps));
    put(&b, "replay_identical", json_boolean(v->replay_identical));
    if (isnan(v->dense_max_sigma_error)) {
        put(&b, "dense", json_null());
    } else {
        struct builder dense = begin();
        put(&dense, "max_sigma_error", stj_json_of_real(v->dense_max_sigma_error));
        put(&dense, "bottom_violation", stj_json_of_real(v->dense_bottom_violation));
        put(&dense, "bottom_excess", stj_json_of_real(v->dense_bottom_excess));
        put_object(&b, "dense", &dense);
    }
    put(&b, "passed", json_boolean(v->passed));
    put_part(&b, &v->part);
    put_storage(&b, &v->storage);
    return finish(&b, object, err);
}

enum stj_status stj_json_plot(const char *figure, const char *path, json_t **object,
                              struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "figure", stj_json_of_text(figure));
    put(&b, "file", stj_json_of_text(path));
    return finish(&b, object, err);
}

enum stj_status stj_json_run(json_t *train, json_t *svd, json_t *density, json_t *dense,
                             json_t **object, struct stj_error *err)
{
    struct builder b = begin_report();
    put(&b, "train", json_incref(train));
    put(&b, "svd", svd ? json_incref(svd) : json_null());
    put(&b, "density", density ? json_incref(density) : json_null());
    put(&b, "dense", dense ? json_incref(dense) : json_null());
    return finish(&b, object, err);
}

enum stj_status stj_json_print(FILE *out, const json_t *object, struct stj_error *err)
{
    char *text = json_dumps(object, JSON_REAL_PRECISION(17));
    if (!text)
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                             "out of memory for the JSON report");
    bool lost = fputs(text, out) == EOF || fputc('\n', out) == EOF;
    free(text);
    if (lost)
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "the report could not be written");
    return STJ_OK;
}
