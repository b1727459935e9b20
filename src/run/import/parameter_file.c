/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/import/parameter_file.c: finding the tensors of a network in a file, and reading them. */
#include "run/import/parameter_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "data/named_arrays.h"

struct stj_parameter_file {
    const struct stj_run *run;
    const char *key;
    bool is_series, is_vector;
    size_t n_states;
    size_t n_handles; /* tensors of a series are read in parallel, each through one of its own */
    struct stj_arrays **handle;
    size_t *number; /* [1 or n_tensors]: of the array in its handle */
    double *item;   /* of one tensor, as the file has it */
};

/* ---- names ---- */

/* The value of a key in the map of names, or the word itself. */
static const char *renamed(const struct stj_names *names, const char *word)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->item[i].key, word) == 0)
            return names->item[i].value;
    return word;
}

/* name <- what init.file calls a tensor. */
static void file_name(const struct stj_run *run, const struct stj_parameter *p,
                      char name[STJ_FILE_NAME_MAX])
{
    const struct stj_names *names = &run->config.init.names;
    const char *whole = renamed(names, p->name);
    if (whole != p->name)
        snprintf(name, STJ_FILE_NAME_MAX, "%s", whole);
    else
        snprintf(name, STJ_FILE_NAME_MAX, "%s.%s", renamed(names, p->label),
                 renamed(names, p->tensor));
}

enum stj_status stj_run_get_tensor(const struct stj_run *run, size_t i,
                                   struct stj_parameter *parameter, struct stj_error *err)
{
    enum stj_status st =
        stj_network_parameter(run->net, &run->config.init.layout, i, parameter, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "init.flatten");
    return st;
}

/* text <- "[3, 4]" */
static void shape_text(size_t n_dims, const size_t *shape, char *text, size_t size)
{
    text[0] = '\0';
    stj_text_add(text, size, "[");
    for (size_t d = 0; d < n_dims; d++)
        stj_text_add(text, size, "%s%zu", d ? ", " : "", shape[d]);
    stj_text_add(text, size, "]");
}

enum stj_status stj_run_describe_tensors(struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_network_n_tensors(run->net);
    STJ_TRY(stj_new(&run->tensor, n, sizeof *run->tensor, err));
    for (size_t i = 0; i < n; i++) {
        struct stj_run_tensor *t = &run->tensor[i];
        struct stj_parameter p;
        STJ_TRY(stj_run_get_tensor(run, i, &p, err));
        memcpy(t->name, p.name, sizeof t->name);
        file_name(run, &p, t->file_name);
        shape_text(p.n_dims, p.shape, t->shape, sizeof t->shape);
        t->offset = p.offset;
        t->n = p.n;
    }
out:
    return st;
}

/* Every key of the map of names must mean something. */
static enum stj_status check_names(const struct stj_run *run, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_names *names = &run->config.init.names;
    for (size_t k = 0; k < names->n; k++) {
        struct stj_suggest_search search = {.word = names->item[k].key};
        char hint[STJ_GOT_MAX];
        bool known = false;
        for (size_t i = 0; i < stj_network_n_tensors(run->net) && !known; i++) {
            struct stj_parameter p;
            STJ_TRY(stj_run_get_tensor(run, i, &p, err));
            known = strcmp(search.word, p.name) == 0 || strcmp(search.word, p.label) == 0 ||
                    strcmp(search.word, p.tensor) == 0;
            stj_suggest_offer(&search, p.label);
            stj_suggest_offer(&search, p.tensor);
        }
        stj_suggest_hint(&search, hint);
        STJ_CHECK(err, known, STJ_ECONFIG,
                  "init.names: '%s' is no tensor, layer or kind of tensor of the network%s",
                  names->item[k].key, hint);
    }
out:
    return st;
}

/* ---- finding ---- */

static struct stj_arrays *handle_of(const struct stj_parameter_file *file, size_t i)
{
    return file->handle[i < file->n_handles ? i : 0];
}

static const struct stj_array *array_of(const struct stj_parameter_file *file, size_t i)
{
    return stj_arrays_get(handle_of(file, i), file->number[i]);
}

/* text <- the shape that the file should have of a tensor: in a series with its states in front. */
static void expected_text(const struct stj_parameter_file *file, const struct stj_parameter *p,
                          char text[STJ_SHAPE_TEXT_MAX])
{
    char shape[STJ_SHAPE_TEXT_MAX];
    char states[32] = "";
    shape_text(p->n_dims, p->shape, shape, sizeof shape);
    if (file->is_series && file->n_states)
        snprintf(states, sizeof states, "%zu, ", file->n_states);
    else if (file->is_series)
        snprintf(states, sizeof states, "states, ");
    snprintf(text, STJ_SHAPE_TEXT_MAX, "[%s%.60s", states, shape + 1);
}

/* The first good array of a series says how many states there are. */
static bool has_state_shape(struct stj_parameter_file *file, const struct stj_array *array,
                            const struct stj_parameter *p)
{
    const size_t front = file->is_series;
    bool same = array->n_dims == p->n_dims + front;
    for (size_t d = 0; same && d < p->n_dims; d++)
        same = array->shape[d + front] == p->shape[d];
    if (same && front && file->n_states == 0)
        file->n_states = array->shape[0];
    return same && (!front || array->shape[0] == file->n_states);
}

/* What does not fit: the first in a sentence, the others in a word. */
struct faults {
    size_t n;
    struct stj_error first;
    char others[STJ_ERROR_TEXT_MAX / 2];
    size_t n_left_out;
};

static void add_other(struct faults *faults, const char *name, const char *what)
{
    const size_t used = strlen(faults->others);
    if (used + strlen(name) + strlen(what) + 32 > sizeof faults->others)
        faults->n_left_out++;
    else
        stj_text_add(faults->others, sizeof faults->others, "%s%s %s", used ? ", " : "", name,
                     what);
}

static enum stj_status report_faults(struct faults *faults, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char rest[48] = "";
    if (faults->n_left_out)
        snprintf(rest, sizeof rest, " and %zu more", faults->n_left_out);
    STJ_CHECK(err, faults->n != 1, faults->first.code, "%s", faults->first.text);
    STJ_CHECK(err, faults->n == 0, faults->first.code, "%.480s; and %s%s", faults->first.text,
              faults->others, rest);
out:
    return st;
}

static void check_tensor(struct stj_parameter_file *file, size_t i, const struct stj_parameter *p,
                         struct faults *faults)
{
    struct stj_error err = STJ_ERROR_INIT;
    const char *name = file->run->tensor[i].file_name;
    char expected[STJ_SHAPE_TEXT_MAX];
    char got[STJ_SHAPE_TEXT_MAX];
    char what[STJ_SHAPE_TEXT_MAX + 16] = "is missing";
    if (stj_arrays_find(handle_of(file, i), name, &file->number[i], &err) == STJ_OK) {
        const struct stj_array *array = array_of(file, i);
        if (array->problem || has_state_shape(file, array, p))
            return;
        shape_text(array->n_dims, array->shape, got, sizeof got);
        expected_text(file, p, expected);
        snprintf(what, sizeof what, "has %s", got);
        stj_error_set(&err, STJ_EMISMATCH, __FILE__, __LINE__,
                      "%s: %s:%s has the shape %s, expected %s for %s (init.conv_kernel, "
                      "dense_kernel and flatten say how the file lays tensors out)",
                      file->key, stj_arrays_path(handle_of(file, i)), array->name, got, expected,
                      p->name);
    } else {
        expected_text(file, p, expected);
        stj_error_prefix(&err, "%s: %s of shape %s", file->key, p->name, expected);
    }
    if (faults->n++ == 0)
        faults->first = err;
    else
        add_other(faults, name, what);
}

static enum stj_status find_tensors(struct stj_parameter_file *file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct faults faults = {.first = STJ_ERROR_INIT};
    size_t largest = 0;
    STJ_TRY(check_names(file->run, err));
    for (size_t i = 0; i < stj_network_n_tensors(file->run->net); i++) {
        struct stj_parameter p;
        STJ_TRY(stj_run_get_tensor(file->run, i, &p, err));
        check_tensor(file, i, &p, &faults);
        largest = p.n > largest ? p.n : largest;
    }
    STJ_TRY(report_faults(&faults, err));
    STJ_TRY(stj_new(&file->item, largest, sizeof *file->item, err));
out:
    return st;
}

static enum stj_status check_vector(struct stj_parameter_file *file, const char *text,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_init_config *init = &file->run->config.init;
    const struct stj_array *array = array_of(file, 0);
    const size_t frozen = stj_network_n_frozen(file->run->net);
    const size_t n = stj_network_n_params(file->run->net) + (file->is_series ? 0 : frozen);
    STJ_CHECK(err,
              init->names.n == 0 && init->layout.conv == 0 && init->layout.dense == 0 &&
                  init->layout.flatten == 0,
              STJ_ECONFIG,
              "init: names, conv_kernel, dense_kernel and flatten are for files of named tensors, "
              "%s is one vector%s",
              text, file->is_series ? " for each state" : "");
    STJ_CHECK(err, array->problem || file->is_series || array->rows * array->cols == n,
              STJ_EMISMATCH, "%s: %s: theta0 has %zu numbers, the network has %zu parameters%s",
              file->key, text, array->rows * array->cols, n,
              frozen ? ", frozen ones among them" : "");
    STJ_CHECK(
        err, !file->is_series || frozen == 0, STJ_EUNSUPPORTED,
        "%s: %s: is one vector for each state, and parameters of the network are frozen: give "
        "an array for each tensor",
        file->key, text);
    const size_t whole = stj_run_state_size(file->run);
    STJ_CHECK(err, array->problem || !file->is_series || array->cols == n || array->cols == whole,
              STJ_EMISMATCH, "%s: %s: its states have %zu numbers, the network has %zu parameters",
              file->key, text, array->cols, n);
    file->n_states = array->rows;
    STJ_TRY(stj_new(&file->item,
                    array->problem    ? 1
                    : file->is_series ? array->cols
                                      : n,
                    sizeof *file->item, err));
out:
    return st;
}

/* A handle for each tensor of a series. */
static enum stj_status open_handles(struct stj_parameter_file *file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_network_n_tensors(file->run->net);
    for (; file->is_series && file->n_handles < n; file->n_handles++)
        STJ_TRY(
            stj_arrays_open(stj_arrays_path(file->handle[0]), &file->handle[file->n_handles], err));
out:
    return st;
}

/* See that what was found can be read. */
static enum stj_status verify(struct stj_parameter_file *file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = file->is_vector ? 1 : stj_network_n_tensors(file->run->net);
    for (size_t i = 0; i < n; i++)
        STJ_TRY(stj_arrays_verify(handle_of(file, i), file->number[i], err));
    if (!file->is_series)
        file->n_states = 1;
out:
    if (st != STJ_OK)
        stj_error_prefix(err, "%s", file->key);
    return st;
}

enum stj_status stj_parameter_file_open(const struct stj_run *run, const char *key,
                                        const char *text, bool is_series,
                                        struct stj_parameter_file **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_parameter_file *made = NULL;
    const size_t n = stj_network_n_tensors(run->net);
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    made->run = run;
    made->key = key;
    made->is_series = is_series;
    STJ_TRY(stj_new(&made->handle, n + 1, sizeof *made->handle, err));
    STJ_TRY(stj_new(&made->number, n + 1, sizeof *made->number, err));
    st = stj_arrays_open_file(text, &made->handle[0], &made->number[0], &made->is_vector, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "%s", key);
        goto out;
    }
    made->n_handles = 1;
    const bool is_alone = stj_arrays_count(made->handle[0]) == 1;
    made->is_vector |= is_alone && (n != 1 || !stj_arrays_get(made->handle[0], 0)->name[0]);
    if (!made->is_vector)
        STJ_TRY(open_handles(made, err));
    STJ_TRY(made->is_vector ? check_vector(made, text, err) : find_tensors(made, err));
    STJ_TRY(verify(made, err));
    *file = made;
    made = NULL;
out:
    stj_parameter_file_close(made);
    return st;
}

void stj_parameter_file_close(struct stj_parameter_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->n_handles; i++)
        stj_arrays_close(file->handle[i]);
    free(file->handle);
    free(file->number);
    free(file->item);
    free(file);
}

size_t stj_parameter_file_n_states(const struct stj_parameter_file *file)
{
    return file->n_states;
}

/* ---- reading ---- */

/* value <- array i, or the k-th state of a series. */
static enum stj_status read_array(struct stj_parameter_file *file, size_t i, size_t k,
                                  double *value, struct stj_error *err)
{
    return stj_arrays_read_rows(handle_of(file, i), file->number[i], file->is_series ? k : 0,
                                file->is_series ? 1 : array_of(file, i)->rows, value, err);
}

enum stj_status stj_parameter_file_read(struct stj_parameter_file *file, size_t k, double *theta,
                                        double *frozen, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (file->is_vector)
        STJ_TRY(read_array(file, 0, k, file->item, err));
    if (file->is_vector && file->is_series) { /* perhaps with slots behind theta */
        memcpy(theta, file->item, stj_network_n_params(file->run->net) * sizeof *theta);
        goto out;
    }
    for (size_t i = 0; i < stj_network_n_tensors(file->run->net); i++) {
        struct stj_parameter p;
        STJ_TRY(stj_run_get_tensor(file->run, i, &p, err));
        double *to = p.frozen ? frozen : theta;
        if (!to)
            continue;
        if (file->is_vector) {
            memcpy(to + p.offset, file->item + p.position, p.n * sizeof *to);
            continue;
        }
        STJ_TRY(read_array(file, i, k, file->item, err));
        stj_parameter_arrange(&p, file->item, to + p.offset);
    }
out:
    return st;
}
