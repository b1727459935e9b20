/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/studies.c: the registry of studies, and what it says to the outside. */
#include "study/studies.h"

#include <string.h>

static const struct stj_plugin_info *const list[] = {
    &stj_study_alignment.info,         &stj_study_displacement.info,  &stj_study_response.info,
    &stj_study_restrict.info,          &stj_study_divergence.info,    &stj_study_overlap.info,
    &stj_study_function_jacobian.info, &stj_study_distributions.info, &stj_study_growth.info,
    &stj_study_influence_regions.info, &stj_study_layers.info,        NULL,
};

const struct stj_kind stj_studies = {.what = "study", .list = list};

enum { N_STUDIES = sizeof list / sizeof list[0] - 1 };

static const struct stj_study_ops *ops_of(size_t i)
{
    return (const struct stj_study_ops *)list[i];
}

const struct stj_study_ops *stj_study_find_ops(const char *name)
{
    for (size_t i = 0; i < N_STUDIES; i++)
        if (strcmp(list[i]->name, name) == 0)
            return ops_of(i);
    return NULL;
}

bool stj_study_get(size_t i, struct stj_study_about *about)
{
    if (i >= N_STUDIES)
        return false;
    *about = (struct stj_study_about){.name = list[i]->name,
                                      .doc = list[i]->doc,
                                      .description = ops_of(i)->description,
                                      .example = ops_of(i)->example,
                                      .two_runs = ops_of(i)->two_runs};
    return true;
}

const struct stj_option *stj_study_options(const char *study)
{
    const struct stj_study_ops *ops = study ? stj_study_find_ops(study) : NULL;
    return ops ? ops->info.options : NULL;
}
