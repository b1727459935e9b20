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

enum { MAX_PARTS = 3 };

/* Where the numbers of a tensor are: in one array, or in several side by side. */
struct place {
    size_t n_parts, number[MAX_PARTS]; /* of the arrays in the tensor's handle */
    size_t first, of; /* outputs from `first` on, of an array of so many; of 0: all */
};

struct stj_parameter_file {
    const struct stj_run *run;
    const char *key;
    const char *slot; /* of the optimizer, whose arrays these are; NULL: they are parameters */
    bool is_series, is_vector;
    size_t n_states;
    size_t n_handles; /* tensors of a series are read in parallel, each through one of its own */
    struct stj_arrays **handle;
    struct place *place; /* [1 or n_tensors] */
    double *item, *part; /* of one tensor, as the file has it */
};

/* ---- names ---- */

/* What other programs call a tensor: of a kind of layer, or of any (kind NULL). */
static const struct convention {
    const char *kind, *tensor;
    const char *name[3]; /* of each preset; NULL: as here */
    bool packed;         /* the name takes the place of the part behind the label's last dot, too */
} conventions[] = {
    {"qkv", "kernel", {NULL, "in_proj_weight", NULL}, true},
    {"qkv", "bias", {NULL, "in_proj_bias", NULL}, true},
    {"qkv", "q_scale", {NULL, "q_norm.weight", "query_ln.scale"}, true},
    {"qkv", "k_scale", {NULL, "k_norm.weight", "key_ln.scale"}, true},
    {"q", "kernel", {NULL, "in_proj_weight", NULL}, true},
    {"q", "bias", {NULL, "in_proj_bias", NULL}, true},
    {"kv", "kernel", {NULL, "in_proj_weight", NULL}, true},
    {"kv", "bias", {NULL, "in_proj_bias", NULL}, true},
    {"out", "kernel", {NULL, "out_proj.weight", NULL}, true},
    {"out", "bias", {NULL, "out_proj.bias", NULL}, true},
    {NULL, "kernel", {NULL, "weight", NULL}, false},
    {NULL, "scale", {NULL, "weight", NULL}, false},
    {NULL, "table", {NULL, "weight", "embedding"}, false},
    {NULL, "slope", {NULL, "weight", NULL}, false},
    {NULL, "mean", {NULL, "running_mean", NULL}, false},
    {NULL, "variance", {NULL, "running_var", "var"}, false},
    {NULL, "input_kernel", {NULL, "weight_ih_l0", NULL}, false},
    {NULL, "hidden_kernel", {NULL, "weight_hh_l0", NULL}, false},
    {NULL, "input_bias", {NULL, "bias_ih_l0", NULL}, false},
    {NULL, "hidden_bias", {NULL, "bias_hh_l0", NULL}, false},
};

/* What a part of an attention may be in a file that lacks it: other modules beside the attention's
 * name, whose outputs are side by side here. */
static const struct alternative {
    const char *kind, *part[MAX_PARTS];
    bool is_array; /* they are arrays of kernels, not modules */
} alternatives[] = {
    {"qkv", {"q_proj", "k_proj", "v_proj"}, false},
    {"qkv", {"query", "key", "value"}, false},
    {"q", {"q_proj_weight"}, true},
    {"kv", {"k_proj_weight", "v_proj_weight"}, true},
    {"q", {"q_proj"}, false},
    {"kv", {"k_proj", "v_proj"}, false},
    {"q", {"query"}, false},
    {"kv", {"key", "value"}, false},
    {"out", {"o_proj"}, false},
};

/* The convention of a preset for a tensor; NULL: the tensor is called as here.  `plain`: not in
 * place of the label's part. */
static const struct convention *find_convention(int preset, const struct stj_parameter *p,
                                                bool plain)
{
    for (size_t i = 0; i < sizeof conventions / sizeof conventions[0]; i++) {
        const struct convention *c = &conventions[i];
        if (c->name[preset] && strcmp(c->tensor, p->tensor) == 0 &&
            (c->packed ? !plain && strcmp(c->kind, p->kind) == 0 : true))
            return c;
    }
    return NULL;
}

/* What the map of names says of a word; NULL: nothing. */
static const struct stj_name *find_name(const struct stj_names *names, const char *word)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->item[i].key, word) == 0)
            return &names->item[i];
    return NULL;
}

/* name <- what files of a preset call a tensor; *by (may be NULL) <- the key of init.names that says
 * so, or NULL. */
static void preset_name(const struct stj_run *run, int preset, const struct stj_parameter *p,
                        char name[STJ_FILE_NAME_MAX], const struct stj_name **by)
{
    const struct stj_init_config *init = &run->config.init;
    const struct stj_name *whole = find_name(&init->names, p->name);
    const struct stj_name *word = find_name(&init->names, p->tensor);
    const struct stj_name *label = find_name(&init->names, p->label);
    const struct convention *c = word ? NULL : find_convention(preset, p, label != NULL);
    char group[STJ_PARAMETER_NAME_MAX]; /* of an attention: the label without the part */
    snprintf(group, sizeof group, "%s", p->label);
    if (strrchr(group, '.'))
        *strrchr(group, '.') = '\0';
    const bool packed = c && c->packed && strcmp(group, p->label) != 0;
    if (packed)
        label = find_name(&init->names, group);
    if (by)
        *by = whole ? whole : label ? label : word;
    if (whole)
        snprintf(name, STJ_FILE_NAME_MAX, "%s", whole->value);
    else
        snprintf(name, STJ_FILE_NAME_MAX, "%s.%s",
                 label    ? label->value
                 : packed ? group
                          : p->label,
                 word ? word->value
                 : c  ? c->name[preset]
                      : p->tensor);
}

/* The same of init.file. */
static void file_name(const struct stj_run *run, const struct stj_parameter *p,
                      char name[STJ_FILE_NAME_MAX], const struct stj_name **by)
{
    preset_name(run, run->config.init.preset, p, name, by);
}

/* name <- the same of a tensor of a part's module, or of its array, in place of the attention's part
 * p. */
static void part_name(const struct stj_run *run, const struct stj_parameter *p, const char *part,
                      bool is_array, char name[STJ_FILE_NAME_MAX])
{
    char label[STJ_FILE_NAME_MAX] = "", group[STJ_PARAMETER_NAME_MAX];
    struct stj_parameter module = *p;
    snprintf(group, sizeof group, "%s", p->label);
    if (strrchr(group, '.'))
        *strrchr(group, '.') = '\0';
    const struct stj_name *renamed = find_name(&run->config.init.names, group);
    stj_text_add(label, sizeof label, "%s.%s", renamed ? renamed->value : group, part);
    if (is_array) {
        memcpy(name, label, sizeof label);
        return;
    }
    module.label = label;
    module.kind = "dense";
    module.name[0] = '\0';
    file_name(run, &module, name, NULL);
}

/* The axes that the process of a problem says its tensor has, where there is room for them. */
static void take_axes(const struct stj_run *run, size_t i, struct stj_parameter *p)
{
    const struct stj_shapes *tensors = &run->config.problem.tensors;
    if (!run->config.has_problem || i >= tensors->n ||
        tensors->item[i].sizes.n > STJ_PARAMETER_AXES)
        return;
    p->n_dims = tensors->item[i].sizes.n;
    memcpy(p->shape, tensors->item[i].sizes.item, p->n_dims * sizeof p->shape[0]);
}

enum stj_status stj_run_get_tensor(const struct stj_run *run, size_t i,
                                   struct stj_parameter *parameter, struct stj_error *err)
{
    enum stj_status st =
        stj_network_parameter(run->net, &run->config.init.layout, i, parameter, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "init.flatten");
    else
        take_axes(run, i, parameter);
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

/* ---- layouts ---- */

/* Do two layouts of a tensor have the same shape?  And the same order of its numbers? */
static bool same_shape(const struct stj_parameter *a, const struct stj_parameter *b)
{
    return a->n_dims == b->n_dims &&
           memcmp(a->shape, b->shape, a->n_dims * sizeof a->shape[0]) == 0;
}

static bool same_order(const struct stj_parameter *a, const struct stj_parameter *b)
{
    return same_shape(a, b) && a->n_axes == b->n_axes &&
           memcmp(a->order, b->order, a->n_axes * sizeof a->order[0]) == 0;
}

/* A key of init that says nothing: must it, for tensor i?  `mixed`: another key has PyTorch's
 * value.  Without one, only where the file's name is PyTorch's and the shape cannot tell. */
static enum stj_status check_layout_key(const struct stj_run *run, size_t key, bool mixed, size_t i,
                                        struct stj_error *err)
{
    static const char *const text[3][3] = {{"conv_kernel", "OIHW", "HWIO"},
                                           {"dense_kernel", "out_in", "in_out"},
                                           {"flatten", "CHW", "HWC"}};
    enum stj_status st = STJ_OK;
    struct stj_parameter_layout other = run->config.init.layout;
    struct stj_parameter p, q;
    char name[STJ_FILE_NAME_MAX];
    int *const value[] = {&other.conv, &other.dense, &other.flatten};
    *value[key] = 1;
    STJ_TRY(stj_run_get_tensor(run, i, &p, err));
    st = stj_network_parameter(run->net, &other, i, &q, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "init.flatten is not given (HWC or CHW) beside keys of PyTorch's");
        goto out;
    }
    file_name(run, &p, name, NULL);
    const char *dot = strrchr(name, '.');
    STJ_CHECK(err, !mixed || same_order(&p, &q), STJ_ECONFIG,
              "init: the layout of %s depends on %s, which is not given beside keys that say "
              "PyTorch's; add %s: %s (PyTorch's) or %s (spectraj's and JAX's), or say layout: "
              "pytorch alone",
              p.name, text[key][0], text[key][0], text[key][1], text[key][2]);
    STJ_CHECK(
        err, !dot || strcmp(dot, ".weight") != 0 || same_order(&p, &q) || !same_shape(&p, &q),
        STJ_ECONFIG,
        "init: %s is called '%s', as PyTorch does, and its shape is the same in both layouts; "
        "add %s: %s (PyTorch's) or %s (spectraj's and JAX's), or say layout: pytorch alone",
        p.name, name, text[key][0], text[key][1], text[key][2]);
out:
    return st;
}

/* A file of named tensors is refused where its numbers would be taken in an order that nobody has
 * said: shapes do not show it in square kernels and behind flattened images. */
static enum stj_status check_layouts(const struct stj_run *run, struct stj_error *err)
{
    const struct stj_init_config *init = &run->config.init;
    const bool given[] = {init->has_conv, init->has_dense, init->has_flatten};
    const bool mixed = init->layout.conv || init->layout.dense || init->layout.flatten;
    if (init->preset != STJ_PRESET_OURS || !(init->file || run->config.trajectory.states))
        return STJ_OK;
    for (size_t key = 0; key < 3; key++)
        for (size_t i = 0; i < stj_network_n_tensors(run->net) && !given[key]; i++)
            if (mixed || key < 2) /* no shape tells how an image was flattened */
                STJ_MUST(check_layout_key(run, key, mixed, i, err));
    return STJ_OK;
}

enum stj_status stj_run_describe_tensors(struct stj_run *run, struct stj_error *err)
{
    const size_t n = stj_network_n_tensors(run->net);
    STJ_MUST(stj_new(&run->tensor, n, sizeof *run->tensor, err));
    for (size_t i = 0; i < n; i++) {
        struct stj_run_tensor *t = &run->tensor[i];
        struct stj_parameter p;
        STJ_MUST(stj_run_get_tensor(run, i, &p, err));
        memcpy(t->name, p.name, sizeof t->name);
        file_name(run, &p, t->file_name, NULL);
        shape_text(p.n_dims, p.shape, t->shape, sizeof t->shape);
        t->offset = p.offset;
        t->n = p.n;
    }
    return STJ_OK;
}

/* items[n] <- the numbers of a tensor in the order of a file. */
static enum stj_status put_in_order(const struct stj_parameter *p, const double *numbers,
                                    double *items, struct stj_error *err)
{
    STJ_FREED double *count = NULL, *place = NULL;
    STJ_MUST(stj_new(&count, p->n, sizeof *count, err));
    STJ_MUST(stj_new(&place, p->n, sizeof *place, err));
    for (size_t i = 0; i < p->n; i++)
        count[i] = (double)i;
    stj_parameter_arrange(p, count, place);
    for (size_t i = 0; i < p->n; i++)
        items[(size_t)place[i]] = numbers[i];
    return STJ_OK;
}

enum stj_status stj_run_get_array(const struct stj_run *run, const char *layout, size_t i,
                                  const double *numbers, double *items, struct stj_run_array *array,
                                  struct stj_error *err)
{
    static const struct stj_parameter_layout theirs = {STJ_CONV_OIHW, STJ_DENSE_OUT_IN,
                                                       STJ_FLATTEN_CHW};
    static const struct stj_parameter_layout ours = {0};
    struct stj_parameter p;
    char name[STJ_FILE_NAME_MAX];
    STJ_NOT_NULL(err, run, layout, array);
    const bool pytorch = strcmp(layout, "pytorch") == 0;
    STJ_NEED(err, pytorch || strcmp(layout, "network") == 0, STJ_EINVAL,
             "layout is '%.40s'; there are network and pytorch", layout);
    STJ_MUST(stj_network_parameter(run->net, pytorch ? &theirs : &ours, i, &p, err));
    take_axes(run, i, &p);
    preset_name(run, STJ_PRESET_PYTORCH, &p, name, NULL);
    *array = (struct stj_run_array){.n_dims = p.n_dims};
    snprintf(array->name, sizeof array->name, "%s", pytorch ? name : p.name);
    memcpy(array->shape, p.shape, p.n_dims * sizeof p.shape[0]);
    return numbers && items ? put_in_order(&p, numbers, items, err) : STJ_OK;
}

/* text <- the first key of the map of names that means nothing here but is near to something that
 * does, a slip perhaps; "": there is none. */
static enum stj_status find_slip(const struct stj_run *run, char *text, size_t size,
                                 struct stj_error *err)
{
    const struct stj_names *names = &run->config.init.names;
    text[0] = '\0';
    for (size_t k = 0; k < names->n && !text[0]; k++) {
        const char *word = names->item[k].key;
        struct stj_suggest_search search = {.word = word};
        char hint[STJ_GOT_MAX];
        bool known = false;
        for (size_t i = 0; i < stj_network_n_tensors(run->net) && !known; i++) {
            struct stj_parameter p;
            STJ_MUST(stj_run_get_tensor(run, i, &p, err));
            known = strcmp(word, p.name) == 0 || strcmp(word, p.label) == 0 ||
                    strcmp(word, p.tensor) == 0;
            stj_suggest_offer(&search, p.name);
            stj_suggest_offer(&search, p.label);
            stj_suggest_offer(&search, p.tensor);
        }
        stj_suggest_hint(&search, hint);
        if (!known && search.best)
            snprintf(text, size, "; %s: init.names: the network has no '%s'%s",
                     names->item[k].place, word, hint);
    }
    return STJ_OK;
}

/* ---- finding ---- */

static struct stj_arrays *handle_of(const struct stj_parameter_file *file, size_t i)
{
    return file->handle[i < file->n_handles ? i : 0];
}

static const struct stj_array *array_of(const struct stj_parameter_file *file, size_t i)
{
    return stj_arrays_get(handle_of(file, i), file->place[i].number[0]);
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

/* The first axis from d on that is not of length 1. */
static size_t skip_ones(const size_t *shape, size_t n_dims, size_t d)
{
    while (d < n_dims && shape[d] == 1)
        d++;
    return d;
}

static bool has_same_but_ones(const size_t *shape, size_t n_dims, const struct stj_parameter *p)
{
    for (size_t d = 0, e = 0;; d++, e++) {
        d = skip_ones(shape, n_dims, d);
        e = skip_ones(p->shape, p->n_dims, e);
        if (d == n_dims || e == p->n_dims)
            return d == n_dims && e == p->n_dims;
        if (shape[d] != p->shape[e])
            return false;
    }
}

/* Is axis d of p two axes here, heads and the numbers of a head? */
static bool has_heads(const size_t *shape, size_t d, const struct stj_parameter *p)
{
    const size_t n = p->n_dims - d - 1;
    return shape[d + 1] == p->head && shape[d] * shape[d + 1] == p->shape[d] &&
           memcmp(shape, p->shape, d * sizeof *shape) == 0 &&
           memcmp(shape + d + 2, p->shape + d + 1, n * sizeof *shape) == 0;
}

/* A table or vector may have more axes, of length 1, as a class token [1, 1, width] does; and an
 * attention's projection one for its heads. */
static bool has_shape(const size_t *shape, size_t n_dims, const struct stj_parameter *p)
{
    if (n_dims == p->n_dims)
        return memcmp(shape, p->shape, n_dims * sizeof *shape) == 0;
    for (size_t d = 0; p->head && n_dims == p->n_dims + 1 && d < p->n_dims; d++)
        if (has_heads(shape, d, p))
            return true;
    return n_dims > p->n_dims && p->n_dims <= 2 && has_same_but_ones(shape, n_dims, p);
}

/* The first good array of a series says how many states there are. */
static bool has_state_shape(struct stj_parameter_file *file, const struct stj_array *array,
                            const struct stj_parameter *p)
{
    const size_t front = file->is_series;
    const bool same =
        array->n_dims >= front && has_shape(array->shape + front, array->n_dims - front, p);
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

static enum stj_status report_faults(const struct stj_run *run, struct faults *faults,
                                     struct stj_error *err)
{
    char rest[48] = "";
    char slip[STJ_ERROR_TEXT_MAX / 4] = "";
    if (faults->n == 0)
        return STJ_OK;
    STJ_MUST(find_slip(run, slip, sizeof slip, err));
    if (faults->n_left_out)
        snprintf(rest, sizeof rest, " and %zu more", faults->n_left_out);
    STJ_NEED(err, faults->n != 1, faults->first.code, "%s%s", faults->first.text, slip);
    STJ_NEED(err, false, faults->first.code, "%.480s%s; and %s%s", faults->first.text, slip,
             faults->others, rest);
    return STJ_OK;
}

static void add_fault(struct faults *faults, const struct stj_error *err, const char *name,
                      const char *what)
{
    if (faults->n++ == 0)
        faults->first = *err;
    else
        add_other(faults, name, what);
}

/* Array `number` is to have the shape of p, all of a tensor or a part. */
static void check_shape(struct stj_parameter_file *file, size_t i, size_t number,
                        const struct stj_parameter *p, struct faults *faults)
{
    struct stj_error err = STJ_ERROR_INIT;
    char heads[48] = "";
    char expected[STJ_SHAPE_TEXT_MAX], got[STJ_SHAPE_TEXT_MAX], what[STJ_SHAPE_TEXT_MAX + 16];
    const struct stj_array *array = stj_arrays_get(handle_of(file, i), number);
    if (array->problem || has_state_shape(file, array, p))
        return;
    shape_text(array->n_dims, array->shape, got, sizeof got);
    expected_text(file, p, expected);
    snprintf(what, sizeof what, "has %s", got);
    if (p->head)
        snprintf(heads, sizeof heads, ", in heads of %zu", p->head);
    stj_error_set(&err, STJ_EMISMATCH, __FILE__, __LINE__,
                  "%s: %s:%s has the shape %s, expected %s for %s%s (init.conv_kernel, "
                  "dense_kernel and flatten say how the file lays tensors out)",
                  file->key, stj_arrays_path(handle_of(file, i)), array->name, got, expected,
                  p->name, heads);
    add_fault(faults, &err, array->name, what);
}

/* The axis of a projection's outputs in the file. */
static size_t output_axis(const struct stj_parameter_file *file, const struct stj_parameter *p)
{
    return p->n_dims == 2 && file->run->config.init.layout.dense == STJ_DENSE_IN_OUT ? 1 : 0;
}

/* PyTorch packs the queries' projection of a cross-attention with that of the keys and values: p is
 * the first third of the outputs of such an array, or the other two.  Returns the whole, whose part
 * that is; else p. */
static struct stj_parameter packed_of(struct stj_parameter_file *file, size_t i,
                                      const struct stj_parameter *p)
{
    struct stj_parameter whole = *p;
    struct place *place = &file->place[i];
    const bool is_q = strcmp(p->kind, "q") == 0;
    const size_t axis = output_axis(file, p), n = p->shape[axis];
    const struct stj_array *array = stj_arrays_get(handle_of(file, i), place->number[0]);
    if (!is_q && strcmp(p->kind, "kv") != 0)
        return whole;
    whole.shape[axis] = is_q ? 3 * n : n / 2 * 3;
    if (array->problem || !has_state_shape(file, array, &whole))
        return *p;
    place->of = whole.shape[axis];
    place->first = is_q ? 0 : n / 2;
    return whole;
}

/* Part j of the outputs of p: queries are as many as inputs, keys and values share the rest. */
static struct stj_parameter part_of(const struct stj_parameter_file *file,
                                    const struct stj_parameter *p, size_t n_parts, size_t j)
{
    struct stj_parameter part = *p;
    size_t *n = &part.shape[output_axis(file, p)];
    if (n_parts == MAX_PARTS)
        *n = j == 0 ? p->width : (*n - p->width) / 2;
    else
        *n /= n_parts;
    return part;
}

/* name[STJ_FILE_NAME_MAX] <- what the file calls the array of a tensor of that name. */
static const char *array_name(const struct stj_parameter_file *file, const char *tensor,
                              char name[STJ_FILE_NAME_MAX])
{
    snprintf(name, STJ_FILE_NAME_MAX, "%.180s%s%s", tensor, file->slot ? "." : "",
             file->slot ? file->slot : "");
    return name;
}

/* Are there modules of this alternative in place of the part p of an attention?  The first decides,
 * what the others lack is a fault. */
static bool find_parts(struct stj_parameter_file *file, size_t i, const struct stj_parameter *p,
                       const struct alternative *other, struct faults *faults)
{
    struct place *place = &file->place[i];
    char module[STJ_FILE_NAME_MAX], name[STJ_FILE_NAME_MAX];
    size_t n = 0;
    while (n < MAX_PARTS && other->part[n])
        n++;
    for (size_t j = 0; j < n; j++) {
        struct stj_error err = STJ_ERROR_INIT;
        part_name(file->run, p, other->part[j], other->is_array, module);
        array_name(file, module, name);
        if (stj_arrays_find(handle_of(file, i), name, &place->number[j], &err) == STJ_OK) {
            const struct stj_parameter part = part_of(file, p, n, j);
            check_shape(file, i, place->number[j], &part, faults);
        } else if (j > 0) {
            stj_error_prefix(&err, "%s: %s, of %s", file->key, p->name, other->part[j]);
            add_fault(faults, &err, name, "is missing");
        } else {
            return false;
        }
    }
    place->n_parts = n;
    return true;
}

/* Names of others, where the config says whose conventions the file has: then its layout is known. */
static bool find_alternative(struct stj_parameter_file *file, size_t i,
                             const struct stj_parameter *p, struct faults *faults)
{
    const bool is_projection = strcmp(p->tensor, "kernel") == 0 || strcmp(p->tensor, "bias") == 0;
    const size_t n = sizeof alternatives / sizeof alternatives[0];
    for (size_t k = 0; is_projection && k < n; k++)
        if (file->run->config.init.preset != STJ_PRESET_OURS &&
            strcmp(alternatives[k].kind, p->kind) == 0 &&
            !(alternatives[k].is_array && strcmp(p->tensor, "kernel") != 0) &&
            find_parts(file, i, p, &alternatives[k], faults))
            return true;
    return false;
}

static void check_tensor(struct stj_parameter_file *file, size_t i, const struct stj_parameter *p,
                         struct faults *faults)
{
    struct stj_error err = STJ_ERROR_INIT;
    char name[STJ_FILE_NAME_MAX];
    array_name(file, file->run->tensor[i].file_name, name);
    char expected[STJ_SHAPE_TEXT_MAX];
    char renamed[STJ_FILE_NAME_MAX];
    const struct stj_name *by = NULL;
    file->place[i].n_parts = 1;
    if (stj_arrays_find(handle_of(file, i), name, &file->place[i].number[0], &err) == STJ_OK) {
        const struct stj_parameter whole = packed_of(file, i, p);
        check_shape(file, i, file->place[i].number[0], &whole, faults);
    } else if (!find_alternative(file, i, p, faults)) {
        expected_text(file, p, expected);
        file_name(file->run, p, renamed, &by);
        stj_error_prefix(&err, "%s: %s of shape %s%s%.300s", file->key, p->name, expected,
                         by ? ", named by " : "", by ? by->place : "");
        add_fault(faults, &err, name, "is missing");
    }
}

static enum stj_status find_tensors(struct stj_parameter_file *file, struct stj_error *err)
{
    struct faults faults = {.first = STJ_ERROR_INIT};
    size_t largest = 0;
    STJ_MUST(check_layouts(file->run, err));
    for (size_t i = 0; i < stj_network_n_tensors(file->run->net); i++) {
        struct stj_parameter p;
        STJ_MUST(stj_run_get_tensor(file->run, i, &p, err));
        if (!file->slot || !p.frozen)
            check_tensor(file, i, &p, &faults);
        largest = p.n > largest ? p.n : largest;
    }
    STJ_MUST(report_faults(file->run, &faults, err));
    STJ_MUST(stj_new(&file->part, 3 * largest, sizeof *file->part, err)); /* it may be a third */
    return stj_new(&file->item, largest, sizeof *file->item, err);
}

static enum stj_status check_vector(struct stj_parameter_file *file, const char *text,
                                    struct stj_error *err)
{
    const struct stj_init_config *init = &file->run->config.init;
    const struct stj_array *array = array_of(file, 0);
    const size_t frozen = stj_network_n_frozen(file->run->net);
    const size_t n = stj_network_n_params(file->run->net) + (file->is_series ? 0 : frozen);
    STJ_NEED(err,
             init->names.n == 0 && init->layout.conv == 0 && init->layout.dense == 0 &&
                 init->layout.flatten == 0 && init->preset == STJ_PRESET_OURS,
             STJ_ECONFIG,
             "init: layout, names, conv_kernel, dense_kernel and flatten are for files of named "
             "tensors, "
             "%s is one vector%s",
             text, file->is_series ? " for each state" : "");
    STJ_NEED(err, array->problem || file->is_series || array->rows * array->cols == n,
             STJ_EMISMATCH, "%s: %s: theta0 has %zu numbers, the network has %zu parameters%s",
             file->key, text, array->rows * array->cols, n,
             frozen ? ", frozen ones among them" : "");
    STJ_NEED(err, !file->is_series || frozen == 0, STJ_EUNSUPPORTED,
             "%s: %s: is one vector for each state, and parameters of the network are frozen: give "
             "an array for each tensor",
             file->key, text);
    const size_t whole = stj_run_state_size(file->run);
    STJ_NEED(err, array->problem || !file->is_series || array->cols == n || array->cols == whole,
             STJ_EMISMATCH, "%s: %s: its states have %zu numbers, the network has %zu parameters",
             file->key, text, array->cols, n);
    file->n_states = array->rows;
    return stj_new(&file->item,
                   array->problem    ? 1
                   : file->is_series ? array->cols
                                     : n,
                   sizeof *file->item, err);
}

/* A handle for each tensor of a series. */
static enum stj_status open_handles(struct stj_parameter_file *file, struct stj_error *err)
{
    const size_t n = stj_network_n_tensors(file->run->net);
    for (; file->is_series && file->n_handles < n; file->n_handles++)
        STJ_MUST(
            stj_arrays_open(stj_arrays_path(file->handle[0]), &file->handle[file->n_handles], err));
    return STJ_OK;
}

/* See that what was found can be read. */
static enum stj_status verify(struct stj_parameter_file *file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = file->is_vector ? 1 : stj_network_n_tensors(file->run->net);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < file->place[i].n_parts; j++)
            STJ_TRY(stj_arrays_verify(handle_of(file, i), file->place[i].number[j], err));
    if (!file->is_series)
        file->n_states = 1;
out:
    if (st != STJ_OK)
        stj_error_prefix(err, "%s", file->key);
    return st;
}

static enum stj_status open_file(const struct stj_run *run, const char *key, const char *text,
                                 const char *slot, bool is_series, struct stj_parameter_file **file,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_parameter_file *made = NULL;
    const size_t n = stj_network_n_tensors(run->net);
    STJ_TRY(stj_new(&made, 1, sizeof *made, err));
    made->run = run;
    made->key = key;
    made->slot = slot;
    made->is_series = is_series;
    STJ_TRY(stj_new(&made->handle, n + 1, sizeof *made->handle, err));
    STJ_TRY(stj_new(&made->place, n + 1, sizeof *made->place, err));
    made->place[0].n_parts = 1;
    st = stj_arrays_open_file(text, &made->handle[0], &made->place[0].number[0], &made->is_vector,
                              err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "%s", key);
        goto out;
    }
    made->n_handles = 1;
    const bool is_alone = stj_arrays_count(made->handle[0]) == 1;
    made->is_vector |=
        is_alone && !slot && (n != 1 || !stj_arrays_get(made->handle[0], 0)->name[0]);
    STJ_CHECK(err, !made->is_vector || !slot, STJ_EMISMATCH,
              "%s: %s: is one vector, the slots of an optimizer are arrays called TENSOR.SLOT", key,
              text);
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

enum stj_status stj_parameter_file_open(const struct stj_run *run, const char *key,
                                        const char *text, bool is_series,
                                        struct stj_parameter_file **file, struct stj_error *err)
{
    return open_file(run, key, text, NULL, is_series, file, err);
}

enum stj_status stj_slot_file_open(const struct stj_run *run, const char *key, const char *text,
                                   const char *slot, struct stj_parameter_file **file,
                                   struct stj_error *err)
{
    return open_file(run, key, text, slot, false, file, err);
}

void stj_parameter_file_close(struct stj_parameter_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->n_handles; i++)
        stj_arrays_close(file->handle[i]);
    free(file->handle);
    free(file->place);
    free(file->item);
    free(file->part);
    free(file);
}

size_t stj_parameter_file_n_states(const struct stj_parameter_file *file)
{
    return file->n_states;
}

/* ---- reading ---- */

/* value <- part j of tensor i, or of its k-th state in a series; *n <- how many numbers. */
static enum stj_status read_array(struct stj_parameter_file *file, size_t i, size_t j, size_t k,
                                  double *value, size_t *n, struct stj_error *err)
{
    const size_t number = file->place[i].number[j];
    const struct stj_array *array = stj_arrays_get(handle_of(file, i), number);
    const size_t rows = file->is_series ? 1 : array->rows;
    *n = rows * array->cols;
    return stj_arrays_read_rows(handle_of(file, i), number, file->is_series ? k : 0, rows, value,
                                err);
}

/* file->item <- tensor i, its parts side by side along the axis of the outputs. */
static enum stj_status read_tensor(struct stj_parameter_file *file, size_t i, size_t k,
                                   const struct stj_parameter *p, struct stj_error *err)
{
    const struct place *place = &file->place[i];
    const size_t rows = output_axis(file, p) ? p->shape[0] : 1;
    const size_t cols = p->n / rows;
    size_t n = 0, at = 0;
    if (place->n_parts == 1 && place->of == 0)
        return read_array(file, i, 0, k, file->item, &n, err);
    if (place->of) { /* cols of each row, behind those of the outputs before them */
        const size_t one = cols / p->shape[output_axis(file, p)];
        STJ_MUST(read_array(file, i, 0, k, file->part, &n, err));
        for (size_t r = 0; r < rows; r++)
            memcpy(file->item + r * cols, file->part + (r * place->of + place->first) * one,
                   cols * sizeof *file->item);
        return STJ_OK;
    }
    for (size_t j = 0; j < place->n_parts; j++, at += n / rows) {
        STJ_MUST(read_array(file, i, j, k, file->part, &n, err));
        for (size_t r = 0; r < rows; r++)
            memcpy(file->item + r * cols + at, file->part + r * (n / rows),
                   n / rows * sizeof *file->item);
    }
    return STJ_OK;
}

enum stj_status stj_parameter_file_read(struct stj_parameter_file *file, size_t k, double *theta,
                                        double *frozen, struct stj_error *err)
{
    size_t n = 0;
    if (file->is_vector)
        STJ_MUST(read_array(file, 0, 0, k, file->item, &n, err));
    if (file->is_vector && file->is_series) { /* perhaps with slots behind theta */
        memcpy(theta, file->item, stj_network_n_params(file->run->net) * sizeof *theta);
        return STJ_OK;
    }
    for (size_t i = 0; i < stj_network_n_tensors(file->run->net); i++) {
        struct stj_parameter p;
        STJ_MUST(stj_run_get_tensor(file->run, i, &p, err));
        double *to = p.frozen ? frozen : theta;
        if (!to)
            continue;
        if (file->is_vector) {
            memcpy(to + p.offset, file->item + p.position, p.n * sizeof *to);
            continue;
        }
        STJ_MUST(read_tensor(file, i, k, &p, err));
        stj_parameter_arrange(&p, file->item, to + p.offset);
    }
    return STJ_OK;
}
