/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/study.h: the contract of a study.
 *
 * A study is one file and one line in study/studies.c: a table of options, a computation that fills
 * a result, a table for people, and the figures, as charts made of the result alone.  Result file,
 * JSON, command line, help, `plot` and CSV follow from these.
 */
#ifndef STJ_STUDY_STUDY_H
#define STJ_STUDY_STUDY_H

#include <stdio.h>

#include "analysis/common_options.h"
#include "base/chart.h"
#include "io/log.h"
#include "options/option.h"
#include "run/run_internal.h"
#include "study/directions.h"
#include "study/result.h"

/* What a study gets.  Everything is borrowed. */
struct stj_study_context {
    struct stj_run *run;
    struct stj_run *other;                   /* NULL unless two_runs */
    const struct stj_directions *directions; /* NULL: none is known, or `needs` says nothing */
    const struct stj_directions *other_directions; /* of `other` */
    struct stj_log *log; /* for pieces of work that are finished; empty or of this request */
    size_t memory_bytes; /* 0: a quarter of what is free */
    uint64_t seed;
    const struct stj_progress *progress;
    struct stj_self_check *check; /* of the study's products: see stj_study_note_check */
};

/* The row of an option that many studies have. */
#define STJ_STUDY_EPSILON(where)                                                                   \
    STJ_FRACTION_OPTION("epsilon", 0, STJ_ROLE_QUESTION, where, "0.1", "X",                        \
                        "half width of the bulk: chaotic above 1 + X, stable below 1 - X")

/* When and where a study perturbs: the directions are those of J(at -> n), of these layers alone. */
struct stj_study_where {
    size_t at;
    bool has_at;
    char *layers; /* NULL: all */
};

/* Its rows, the member of a config being called `where`. */
#define STJ_STUDY_WHERE(struct_)                                                                   \
    STJ_OPTION_ROW(struct_, "at", SIZE, where.at, "",                                              \
                   "directions of J(T -> n), perturbed at step T (default: 0, the start)",         \
                   .present_offset = offsetof(struct_, where.has_at), .value = "T"),               \
        STJ_OPTION_ROW(struct_, "layers", STRING, where.layers, "",                                \
                       "directions within these layers or tensors alone, as of svd --layers",      \
                       .value = "NAME,...")

/* at and layers (null: all) of a result. */
enum stj_status stj_study_put_where(const struct stj_study_where *where, struct stj_study_result *r,
                                    struct stj_error *err);

/* Singular vectors of stored results. */
enum stj_study_needs {
    STJ_STUDY_NEEDS_NOTHING,
    STJ_STUDY_LIKES_DIRECTIONS, /* uses those that there are */
    STJ_STUDY_NEEDS_DIRECTIONS, /* some of them, of each run */
};

struct stj_study_figure {
    const char
        *name; /* the study's, or it with something behind; of what needs an option, another */
    const char *doc;
    enum stj_status (*make)(const struct stj_study_result *r, struct stj_chart *chart,
                            struct stj_error *err);
};

struct stj_study_ops {
    struct stj_plugin_info info; /* name, a line of doc, options */
    const char *description, *example;
    bool two_runs;
    bool needs_network; /* layers or data; a run may have a process in the place of them */
    enum stj_study_needs needs;
    /* Where a config says what they are of; NULL: the whole training. */
    const struct stj_study_where *(*where)(const void *config);
    bool multiplies; /* by a training Jacobian: the ranks are divided for that */
    bool keeps_log;  /* has pieces of work worth keeping */

    /* Options that were not given and that the run's config decides.  NULL: none. */
    enum stj_status (*complete)(const struct stj_run *run, void *config, struct stj_error *err);

    /* r (with the item n_params) <- the result.  STJ_EINTERRUPTED when progress asks to stop: the
     * log stays. */
    enum stj_status (*run)(const struct stj_study_context *cx, const void *config,
                           struct stj_study_result *r, struct stj_error *err);

    /* A table; errors of the stream are the caller's to look for. */
    void (*print)(FILE *out, const struct stj_study_result *r);

    const struct stj_study_figure *figures; /* ends with a NULL doc */
};

extern const struct stj_kind stj_studies; /* the registry: study/studies.c */

/* The study of a name; NULL: there is none. */
const struct stj_study_ops *stj_study_find_ops(const char *name);

/* check <- also what the products of op, which is watched (stj_op_watch), found of each other.  The
 * result has it as the item self_check. */
void stj_study_note_check(struct stj_self_check *check, const struct stj_op *op);

/* loss and accuracy of the run's network on a data set (NULL: both NaN) at theta. */
enum stj_status stj_study_evaluate(const struct stj_run *run, const struct stj_dataset *data,
                                   const double *theta, double *loss, double *accuracy,
                                   struct stj_error *err);

/* Name the axis of the indices of the n directions that there are, and give it a range: from 0, or
 * from the first where they are the last of all. */
void stj_study_index_axis(struct stj_axis *axis, size_t n, const double *index);

/* chart <- the vector `item` against the index, coloured by region (the items epsilon, index,
 * sigma, basis_dependent); labels of y and the title are the caller's. */
enum stj_status stj_study_chart_directions(const struct stj_study_result *r, const char *item,
                                           struct stj_chart *chart, struct stj_error *err);

#endif
