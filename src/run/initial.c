/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/initial.c: the initial parameters of a run: drawn, or read from a file.
 *
 * A file of one array without a name (NPY, CSV), or an array named as FILE:NAME, is the whole
 * parameter vector in the network's order.  Any other file has an array for each tensor, found by
 * name and brought from the file's layout to ours (net/parameter_map.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/option_value.h"
#include "data/named_arrays.h"
#include "run/run_internal.h"

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

static enum stj_status get_tensor(const struct stj_run *run, size_t i, struct stj_parameter *p,
                                  struct stj_error *err)
{
    enum stj_status st = stj_network_parameter(run->net, &run->config.init.layout, i, p, err);
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
        STJ_TRY(get_tensor(run, i, &p, err));
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
        struct stj_nearest_search search = {.word = names->item[k].key};
        char hint[STJ_GOT_MAX];
        bool known = false;
        for (size_t i = 0; i < stj_network_n_tensors(run->net) && !known; i++) {
            struct stj_parameter p;
            STJ_TRY(get_tensor(run, i, &p, err));
            known = strcmp(search.word, p.name) == 0 || strcmp(search.word, p.label) == 0 ||
                    strcmp(search.word, p.tensor) == 0;
            stj_nearest_offer(&search, p.label);
            stj_nearest_offer(&search, p.tensor);
        }
        stj_nearest_hint(&search, hint);
        STJ_CHECK(err, known, STJ_ECONFIG,
                  "init.names: '%s' is no tensor, layer or kind of tensor of the network%s",
                  names->item[k].key, hint);
    }
out:
    return st;
}

static bool has_shape(const struct stj_array *array, const struct stj_parameter *p)
{
    bool same = array->n_dims == p->n_dims;
    for (size_t d = 0; same && d < p->n_dims; d++)
        same = array->shape[d] == p->shape[d];
    return same;
}

static enum stj_status read_tensor(const struct stj_run *run, struct stj_arrays *arrays,
                                   size_t number, double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_run_tensor *tensor = &run->tensor[number];
    struct stj_matrix matrix = {0};
    struct stj_parameter p;
    char got[STJ_SHAPE_TEXT_MAX * 2];
    size_t i = 0;
    STJ_TRY(get_tensor(run, number, &p, err));
    st = stj_arrays_find(arrays, tensor->file_name, &i, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "init.file: %s of shape %s", p.name, tensor->shape);
        goto out;
    }
    const struct stj_array *array = stj_arrays_get(arrays, i);
    shape_text(array->n_dims, array->shape, got, sizeof got);
    STJ_CHECK(err, array->problem || has_shape(array, &p), STJ_EMISMATCH,
              "init.file: %s:%s has the shape %s, expected %s for %s (init.conv_kernel, "
              "dense_kernel and flatten say how the file lays tensors out)",
              stj_arrays_path(arrays), array->name, got, tensor->shape, p.name);
    st = stj_arrays_read(arrays, i, &matrix, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "init.file");
        goto out;
    }
    stj_parameter_arrange(&p, matrix.data, theta + p.offset);
out:
    stj_matrix_free(&matrix);
    return st;
}

static enum stj_status read_tensors(const struct stj_run *run, struct stj_arrays *arrays,
                                    double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    for (size_t i = 0; i < stj_network_n_tensors(run->net); i++)
        STJ_TRY(read_tensor(run, arrays, i, theta, err));
out:
    return st;
}

static enum stj_status read_vector(const struct stj_run *run, struct stj_arrays *arrays, size_t i,
                                   double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_init_config *init = &run->config.init;
    const struct stj_array *array = stj_arrays_get(arrays, i);
    const size_t n = stj_network_n_params(run->net);
    STJ_CHECK(err,
              init->names.n == 0 && init->layout.conv == 0 && init->layout.dense == 0 &&
                  init->layout.flatten == 0,
              STJ_ECONFIG,
              "init: names, conv_kernel, dense_kernel and flatten are for files of named tensors, "
              "%s is one vector",
              init->file);
    STJ_CHECK(err, array->problem || (array->rows * array->cols == n), STJ_EMISMATCH,
              "init.file: %s: theta0 has %zu numbers, the network has %zu parameters", init->file,
              array->rows * array->cols, n);
    STJ_TRY(stj_arrays_verify(arrays, i, err));
    STJ_TRY(stj_arrays_read_rows(arrays, i, 0, array->rows, theta, err));
out:
    return st;
}

static enum stj_status read_initial(const struct stj_run *run, double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    bool is_named = false;
    st = stj_arrays_open_file(run->config.init.file, &arrays, &i, &is_named, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "init.file");
        goto out;
    }
    if (is_named || (stj_arrays_count(arrays) == 1 && !stj_arrays_get(arrays, 0)->name[0])) {
        st = read_vector(run, arrays, i, theta, err);
    } else {
        STJ_TRY(check_names(run, err));
        st = read_tensors(run, arrays, theta, err);
    }
out:
    stj_arrays_close(arrays);
    return st;
}

enum stj_status stj_run_initial(const struct stj_run *run, double *theta, struct stj_error *err)
{
    if (run->config.init.file)
        return read_initial(run, theta, err);
    return stj_network_initialize(run->net, run->config.init.seed, theta, err);
}
