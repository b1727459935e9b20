/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/analyses.c: the registry of analyses. */
#include "analysis/analyses.h"

#include <string.h>

/* In the order in which `spectraj run` does them: a density takes the singular pairs out that are
 * known. */
static const struct stj_plugin_info *const list[] = {
    &stj_analysis_svd.info,       &stj_analysis_density.info,
    &stj_analysis_trace.info,     &stj_analysis_dense.info,
    &stj_analysis_influence.info, &stj_analysis_curvature.info,
    &stj_analysis_exponents.info, NULL,
};

const struct stj_kind stj_analyses = {.what = "analysis", .list = list};

const struct stj_analysis *stj_analysis_find(const char *name)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i]->name, name) == 0)
            return (const struct stj_analysis *)list[i];
    return NULL;
}

bool stj_run_get_analysis(const struct stj_run *run, size_t i, const char **name)
{
    if (!run || !name)
        return false;
    const struct stj_plugins *asked = &run->config.analysis;
    for (size_t k = 0; list[k]; k++)
        for (size_t j = 0; j < asked->n; j++)
            if (asked->item[j].info == list[k] && i-- == 0) {
                *name = list[k]->name;
                return true;
            }
    return false;
}

bool stj_analysis_get(size_t i, struct stj_analysis_about *about)
{
    if (!about || i >= sizeof list / sizeof list[0] - 1)
        return false;
    const struct stj_analysis *a = (const struct stj_analysis *)list[i];
    *about = (struct stj_analysis_about){.name = a->info.name,
                                         .doc = a->info.doc,
                                         .description = a->description,
                                         .example = a->example,
                                         .unconverged = a->unconverged,
                                         .options = a->info.options};
    return true;
}
