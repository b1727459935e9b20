/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/zero_start.c: optimizers that divide by the root of second moments, where these are zero.
 *
 * A tensor whose gradients are all exactly zero at the first step (behind a layer that starts at
 * zero: an adapter, a head) has second moments that are zero, and a move of them is divided by eps
 * alone: by Adam |J x| is some eta / eps = 1e5 times |x| and more.  That is what the training does,
 * and seldom what was meant.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "run/run_internal.h"

enum { WORTH_SAYING = 1000 }; /* times that a move is multiplied */

/* The value of an option of the optimizer; 0: it has none of that name. */
static double option_of(const struct stj_plugin *optimizer, const char *name)
{
    for (const struct stj_option *row = optimizer->info->options; row && row->name; row++)
        if (strcmp(row->name, name) == 0 && row->type == STJ_OPTION_REAL)
            return *(const double *)stj_option_field(optimizer->config, row->offset);
    return 0;
}

/* What a move of a gradient that is zero is multiplied by. */
static double zero_factor(const struct stj_rule *rule, size_t n_steps)
{
    const double eps = option_of(rule->optimizer, "eps");
    const double root = option_of(rule->optimizer, "eps_root");
    const double start = option_of(rule->optimizer, "initial_accumulator_value");
    return stj_schedule_eta(rule->schedule, 0, n_steps) / (eps + sqrt(root + start));
}

static bool all_zero(size_t n, const real *x)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

/* text <- the tensors whose gradients g are zero, where that matters: "NAME, NAME"; *factor <- the
 * largest of theirs. */
static void list_zeros(const struct stj_run *run, const real *g, char *text, size_t size,
                       double *factor)
{
    const struct stj_layout *layout = run->problem->layout;
    size_t n = 0;
    for (size_t i = 0; i < layout->n_tensors; i++) {
        const struct stj_tensor_shape *tensor = &layout->tensor[i];
        const struct stj_rule rule =
            stj_recipe_rule(&run->recipe, stj_recipe_rule_of(&run->recipe, i));
        const double its = zero_factor(&rule, run->n_steps);
        if (!(its > WORTH_SAYING) || !all_zero(tensor->rows * tensor->cols, g + tensor->offset))
            continue;
        if (n < 3)
            stj_text_add(text, size, "%s%s", n ? ", " : "", run->tensor[i].name);
        n++;
        *factor = fmax(*factor, its);
    }
    if (n > 3)
        stj_text_add(text, size, " and %zu more", n - 3);
}

enum stj_status stj_run_find_zero_start(struct stj_run *run, const double *theta,
                                        struct stj_error *err)
{
    STJ_HELD(stj_gradient_work_destroy_at) struct stj_gradient_work *work = NULL;
    STJ_FREED real *state = NULL, *g = NULL; /* with room for the point that sam climbs to */
    const size_t n = run->problem->layout->n_params;
    char names[512] = "", text[1024] = "";
    double factor = 0;
    if (!stj_recipe_optimizer(&run->recipe)->squares || run->config.init.slots)
        return STJ_OK;
    STJ_MUST(stj_new(&state, n, sizeof *state, err));
    STJ_MUST(stj_new(&g, 2 * n, sizeof *g, err));
    for (size_t i = 0; i < n; i++)
        state[i] = (real)theta[i];
    STJ_MUST(stj_gradient_work_create(run->problem, &work, err));
    STJ_MUST(stj_step_gradient(run->problem, &run->recipe, 0, state, NULL, g, g + n, work, err));
    list_zeros(run, g, names, sizeof names, &factor);
    if (!names[0])
        return STJ_OK;
    snprintf(text, sizeof text,
             "%s: gradients exactly zero at step 0, where %s divides what moves them by eps alone: "
             "multiplied by up to %.0e",
             names, run->recipe.optimizer->info->name, factor);
    return stj_strdup(&run->about.zero_start, text, err);
}
