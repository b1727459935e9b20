/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/jacobian_block.c: the Jacobians of a run: windows of its steps, blocks of its parameters, the
 * full state. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/ranks.h"
#include "options/option_value.h"
#include "op/training_jacobian.h"
#include "run/run_internal.h"

static void name_idle(const struct stj_run *run, const struct stj_progress *progress)
{
    char names[160] = "";
    size_t length = 0, n_idle = 0;
    struct stj_slice slice[STJ_MAX_SLICES];
    const size_t n_ranks = stj_group_size();
    const size_t n = stj_problem_slices(run->problem, run->problem->max_rows, 1, slice);
    for (size_t r = 0; r < n_ranks; r++) {
        if (stj_share_begin(n, r, n_ranks) < stj_share_begin(n, r + 1, n_ranks))
            continue;
        if (length + 8 < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%zu",
                                       n_idle ? ", " : "", r);
        n_idle++;
    }
    if (n_idle > 0)
        stj_progress_warn(progress,
                          "%zu of the %zu ranks that make a product are idle (%s of each group): "
                          "its batches have %zu slice%s",
                          n_idle, n_ranks, names, n, n == 1 ? "" : "s");
}

void stj_run_divide(const struct stj_run *run, size_t n_columns,
                    const struct stj_progress *progress)
{
    stj_ranks_divide_for(n_columns);
    name_idle(run, progress);
}

/* Does the word name the tensor, or a layer that it is of? */
static bool names_tensor(const char *word, size_t length, const char *tensor)
{
    return strncmp(word, tensor, length) == 0 && (tensor[length] == '\0' || tensor[length] == '.');
}

static bool is_layer(const struct stj_run *run, const char *word, size_t length)
{
    struct stj_run_layer layer;
    for (size_t i = 0; stj_run_get_layer(run, i, &layer); i++)
        if (layer.label && strlen(layer.label) == length && strncmp(layer.label, word, length) == 0)
            return true;
    return false;
}

static enum stj_status fail_name(const struct stj_run *run, const char *word, size_t length,
                                 struct stj_error *err)
{
    char name[128];
    char hint[STJ_GOT_MAX];
    struct stj_suggest_search search = {.word = name};
    struct stj_run_layer layer;
    struct stj_run_parameter parameter;
    snprintf(name, sizeof name, "%.*s", (int)(length < 100 ? length : 100), word);
    if (is_layer(run, word, length))
        return stj_error_set(
            err, STJ_EINVAL, __FILE__, __LINE__,
            "layers: '%s' is a layer without parameters that are trained; leave it out", name);
    for (size_t i = 0; stj_run_get_layer(run, i, &layer); i++)
        if (layer.label && layer.n_params)
            stj_suggest_offer(&search, layer.label);
    for (size_t i = 0; stj_run_get_parameter(run, i, &parameter); i++)
        stj_suggest_offer(&search, parameter.name);
    stj_suggest_hint(&search, hint);
    return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                         "layers: the run has no layer or tensor '%s'%s; spectraj info lists them",
                         name, hint);
}

/* chosen[i] <- tensor i is named in the list. */
static enum stj_status choose_by_name(const struct stj_run *run, const char *layers, bool *chosen,
                                      struct stj_error *err)
{
    struct stj_run_parameter parameter;
    for (const char *word = layers;;) {
        const size_t length = strcspn(word, ",");
        bool found = false;
        for (size_t i = 0; length && stj_run_get_parameter(run, i, &parameter); i++)
            if (names_tensor(word, length, parameter.name))
                found = chosen[i] = true;
        if (!found)
            STJ_MUST(fail_name(run, word, length, err));
        if (!word[length])
            break;
        word += length + 1;
    }
    return STJ_OK;
}

/* The tensors of a part, in order; `all`: there is nothing to choose. */
struct choice {
    size_t n_tensors;
    bool *chosen;
    bool all;
};

static enum stj_status choose_tensors(const struct stj_run *run, const char *layers,
                                      struct choice *c, struct stj_error *err)
{
    struct stj_run_parameter parameter;
    *c = (struct choice){.all = true};
    while (stj_run_get_parameter(run, c->n_tensors, &parameter))
        c->n_tensors++;
    if (!layers)
        return STJ_OK;
    STJ_MUST(stj_new(&c->chosen, c->n_tensors, sizeof *c->chosen, err));
    STJ_MUST(choose_by_name(run, layers, c->chosen, err));
    for (size_t i = 0; i < c->n_tensors; i++)
        c->all = c->all && c->chosen[i];
    return STJ_OK;
}

/* ranges <- where they lie in the state. */
static enum stj_status find_ranges(const struct stj_run *run, const struct choice *c,
                                   size_t n_vectors, struct stj_ranges *ranges,
                                   struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    for (size_t k = 0; k < n_vectors; k++)
        for (size_t i = 0; i < c->n_tensors; i++) {
            struct stj_run_parameter parameter;
            stj_run_get_parameter(run, i, &parameter);
            if (c->chosen[i])
                STJ_MUST(stj_ranges_add(ranges, k * n + parameter.offset, parameter.n_params, err));
        }
    return STJ_OK;
}

/* theta, and the slots with the full state. */
static size_t part_vectors(const struct stj_run *run, const struct stj_run_part *part)
{
    return 1 + (part->full_state ? stj_recipe_n_slots(&run->recipe) : 0);
}

enum stj_status stj_run_part_jacobian(struct stj_run *run, const struct stj_run_part *part,
                                      size_t memory_bytes, struct stj_op **op,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_NOT_NULL(err, run, part, op);
    struct choice c = {0};
    struct stj_ranges ranges = {0};
    struct stj_op *inner = NULL;
    const struct stj_training_jacobian_settings settings = {
        .from = part->from,
        .to = part->to,
        .memory_bytes = memory_bytes ? memory_bytes : run->memory,
        .full_state = part->full_state,
        .single = part->precision == STJ_PRECISION_SINGLE};
    STJ_TRY(stj_run_check_trained(run, err));
    STJ_TRY(stj_run_need_data(run, err));
    STJ_TRY(choose_tensors(run, part->layers, &c, err));
    STJ_TRY(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                         &inner, err));
    if (!c.all) {
        STJ_TRY(find_ranges(run, &c, part_vectors(run, part), &ranges, err));
        st = stj_op_create_restricted(inner, &ranges, op, err);
    } else {
        *op = inner;
    }
    inner = NULL;
out:
    stj_op_destroy(inner);
    stj_ranges_free(&ranges);
    free(c.chosen);
    return st;
}

enum stj_status stj_run_jacobian(struct stj_run *run, size_t from, size_t to, size_t memory_bytes,
                                 struct stj_op **op, struct stj_error *err)
{
    const struct stj_run_part part = {.from = from, .to = to};
    return stj_run_part_jacobian(run, &part, memory_bytes, op, err);
}

/* *names <- the chosen tensors, separated by commas. */
static enum stj_status list_tensor_names(const struct stj_run *run, const struct choice *c,
                                         char **names, struct stj_error *err)
{
    struct stj_run_parameter parameter;
    size_t bytes = 1;
    for (size_t i = 0; stj_run_get_parameter(run, i, &parameter); i++)
        bytes += strlen(parameter.name) + 1;
    STJ_MUST(stj_new(names, bytes, 1, err));
    for (size_t i = 0; !c->all && stj_run_get_parameter(run, i, &parameter); i++) {
        const size_t used = strlen(*names);
        if (c->chosen[i])
            snprintf(*names + used, bytes - used, "%s%s", used ? "," : "", parameter.name);
    }
    return STJ_OK;
}

enum stj_status stj_run_part_size(const struct stj_run *run, const struct stj_run_part *part,
                                  size_t *n, char **names, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_NOT_NULL(err, run, part, n);
    struct choice c = {0};
    struct stj_run_parameter parameter;
    STJ_TRY(choose_tensors(run, part->layers, &c, err));
    *n = 0;
    for (size_t i = 0; stj_run_get_parameter(run, i, &parameter); i++)
        *n += c.all || c.chosen[i] ? parameter.n_params : 0;
    *n *= part_vectors(run, part);
    if (names)
        STJ_TRY(list_tensor_names(run, &c, names, err));
out:
    free(c.chosen);
    return st;
}
