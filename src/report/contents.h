/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/contents.h: what `info` tells of a run. */
#ifndef STJ_REPORT_CONTENTS_H
#define STJ_REPORT_CONTENTS_H

#include <spectraj/run.h>

/* A stored result in words; all owned, NULL where its file does not say. */
struct stj_contents_result {
    char *name; /* of the file */
    char *request, *command, *created, *version, *source, *layers;
};

struct stj_contents {
    struct stj_run_info info;
    struct stj_storage storage; /* how an analysis would have the states at hand */
    size_t n_layers, n_parameters, n_results;
    struct stj_run_layer *layer; /* owned, as are the other arrays; their texts are the run's */
    struct stj_run_parameter *parameter;
    struct stj_contents_result *result; /* sorted by name */
};

/* All of it; every result file is compared with its checksums, and must be of the run. */
enum stj_status stj_contents_of(const struct stj_run *run, struct stj_contents *contents,
                                struct stj_error *err);
void stj_contents_free(struct stj_contents *contents);

#endif
