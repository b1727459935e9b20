/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/contents.h: what `info` and `list` tell of a run. */
#ifndef STJ_REPORT_CONTENTS_H
#define STJ_REPORT_CONTENTS_H

#include <spectraj/run.h>

#include "analysis/result_file.h"

/* A stored result in words; all owned, NULL where its file does not say. */
struct stj_contents_result {
    char *name; /* of the file */
    char *request, *command, *created, *version, *source, *layers;
    char *config2; /* of the second run of a study */
    struct stj_headline headline;
    struct stj_error
        trouble; /* why nothing else is known: path, reason, and the command to mend it */
};

struct stj_contents {
    struct stj_run_info info;
    struct stj_storage storage; /* how an analysis would have the states at hand */
    size_t n_layers, n_parameters, n_results;
    struct stj_run_layer *layer; /* owned, as are the other arrays; their texts are the run's */
    struct stj_run_parameter *parameter;
    struct stj_contents_result *result; /* sorted by name */
};

/* What a result was made with: a line "FILE CHECKSUM COMMAND" of its `source`. */
struct stj_contents_source {
    const char *file, *command; /* not terminated */
    size_t file_length, command_length;
};

/* source <- that of the next line; false past the last. */
bool stj_contents_next_source(const char **lines, struct stj_contents_source *source);

/* contents->result <- the result files of contents->info.dir, each compared with its checksums; of
 * the run, too, where its fingerprint is known.  What is wrong with one is its trouble alone. */
enum stj_status stj_contents_list(struct stj_contents *contents, struct stj_error *err);

/* All of it; a result file that is damaged, or of another run, is an error. */
enum stj_status stj_contents_of(const struct stj_run *run, struct stj_contents *contents,
                                struct stj_error *err);
void stj_contents_free(struct stj_contents *contents);

/* When the trajectory of a run, or what there is of it, was written: "2026-11-30T22:12:39Z"; empty
 * where that is not known. */
enum { STJ_LISTED_DATE_MAX = 24 };
void stj_contents_when(const char *dir, char when[STJ_LISTED_DATE_MAX]);

/* A run in a list. */
struct stj_listed_run {
    char created[STJ_LISTED_DATE_MAX]; /* its states; may be empty */
    struct stj_error trouble;          /* why only its folder and results are known */
    struct stj_contents contents;      /* info and results alone */
};

#endif
