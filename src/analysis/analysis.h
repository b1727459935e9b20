/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/analysis.h: the contract of an analysis.
 *
 * An analysis computes something of a Jacobian of a run and keeps it in the run's folder.  It is
 * one file and one line in analysis/analyses.c: a table of options, a plan, a computation that
 * fills a plain struct, and the schema of that struct.  The command with its help, manual page and
 * completion, the group `analysis.NAME` of configs, `plan`, `run`, `report`, `export`, `info` and
 * `list`, the result file and the JSON object follow from these.
 *
 * What may differ between two requests is said by the roles of the options (options/option.h).
 * Questions differ in the part of the Jacobian and in the options of role QUESTION; each has a file
 * of its own.  Options of role EXTENT say how much of an answer is wanted: a stored answer that
 * covers the request serves it, and one that does not is where the next computation begins; it is
 * replaced by one that answers both.
 */
#ifndef STJ_ANALYSIS_ANALYSIS_H
#define STJ_ANALYSIS_ANALYSIS_H

#include <stdio.h>

#include <spectraj/analysis.h>
#include <spectraj/cost.h>
#include <spectraj/plan.h>

#include "base/memory.h"
#include "analysis/schema.h"
#include "base/chart.h"
#include "io/h5.h"
#include "options/option.h"
#include "run/run_internal.h"
#include "spectrum/cost_model.h"

/* What is to be planned: a part of a run and what there is to work on it with. */
struct stj_plan_request {
    struct stj_run_part part;
    size_t memory_bytes;         /* 0: the default */
    size_t n;                    /* columns of the operator; 0: all parameters */
    size_t rows;                 /* 0: as many as columns */
    struct stj_plan_ranks ranks; /* 0: those at hand */
};

/* An analysis that leaves the division of its memory to the common rule. */
#define STJ_ENGINE_NOT_DIVIDED SIZE_MAX

struct stj_journal_start; /* analysis/store.h */

/* What a computation gets; everything is borrowed. */
struct stj_analysis_context {
    struct stj_run *run;
    const struct stj_run_part *part; /* resolved: `to` is a step, `layers` are tensors or NULL */
    size_t n;                        /* rows and columns of its Jacobian */
    struct stj_op *op;               /* that Jacobian; its products survive an interruption */
    const void *wanted;              /* the options of the request, before they were joined */
    void *stored;                    /* the answer so far, which may be taken apart; NULL: none */
    bool resumes;                    /* the journal is of a computation that knew nothing of it */
    size_t memory_bytes;             /* of the process; 0: no limit was given */
    size_t engine_bytes; /* of it for states and linearisations, of each operator; 0: the default */
    const struct stj_progress *progress;
    struct stj_result_about *about; /* self_check.orthogonality may be noted there */
    struct stj_result_op *kept;     /* the operator's journal: of analyses.c alone */
};

/* The operator is needed no more: what it holds makes room. */
void stj_analysis_release_op(struct stj_analysis_context *cx);

/* An operator, which is taken over, is computed with from here on, and has the journal of the one
 * before: of an analysis that is of another matrix.  What it is of is in start->known. */
enum stj_status stj_analysis_use_op(struct stj_analysis_context *cx, struct stj_op *op,
                                    struct stj_error *err);

/* The result was made with the help of another, which is noted. */
enum stj_status stj_analysis_note_source(struct stj_analysis_context *cx,
                                         const struct stj_result *source, struct stj_error *err);

/* Is the result what was asked for? */
enum stj_verdict { STJ_VERDICT_DONE, STJ_VERDICT_NOT_CONVERGED, STJ_VERDICT_INTERRUPTED };

struct stj_analysis_figure {
    const char *name, *doc;
    enum stj_status (*make)(const struct stj_result *result, struct stj_chart *chart,
                            struct stj_error *err);
};

struct stj_analysis {
    struct stj_plugin_info info; /* name, a line of doc, options, size of their struct */
    const char *description, *example;
    const char *unconverged; /* what VERDICT_NOT_CONVERGED means; NULL: it never is */
    const struct stj_field *schema;
    size_t result_size; /* of the struct that the schema is of */
    struct stj_h5_format format;
    const char *name_option; /* an option whose value is part of the file's name; NULL: none */
    bool single, mixed;      /* precisions that it has beside double */
    bool counts_pairs;       /* its options top and bottom count pairs of the matrix */

    /* What was not given and follows from what was.  NULL: nothing does. */
    void (*complete)(void *config);

    /* Columns of the blocks that it multiplies, for dividing ranks.  NULL: 1. */
    size_t (*columns)(const void *config, size_t n);

    /* prediction (zeroed but for ranks and shortest) <- what computing would take; *engine
     * (STJ_ENGINE_NOT_DIVIDED before) <- bytes for states and linearisations where the analysis
     * divides its memory itself.  Refused: why is said in place of the method. */
    void (*predict)(const struct stj_run *run, const struct stj_plan_request *request,
                    const void *config, struct stj_prediction *prediction, size_t *engine);

    /* config <- its part number i, where parts have costs of their own that a plan shows apart;
     * false past the last.  NULL: it is one. */
    bool (*split)(size_t i, void *config);

    /* wanted <- what answers the stored request too; false: no one result answers both.  NULL: an
     * answer to the same question serves every request. */
    bool (*join)(const void *stored, void *wanted);

    /* Does a stored result, which answers the joined request, hold what is wanted, as far as the
     * wanted effort would bring it?  NULL: when it is complete. */
    bool (*covers)(const void *stored, const void *data, const void *wanted);

    /* start (zeroed) <- which of several computations a request is, what is stored of it (NULL:
     * nothing) being what it begins with.  NULL: there is one, and it begins with nothing. */
    void (*start)(const void *stored, const void *wanted, struct stj_journal_start *start);

    /* STJ_ENOMEM, with the numbers, where it cannot fit an operator with n columns: asked before
     * anything is made. memory_bytes as in the context.  NULL: it fits. */
    enum stj_status (*fits)(size_t n, size_t memory_bytes, struct stj_error *err);

    /* data (zeroed) <- the result.  A spent budget is a result, an interruption too where something
     * is in hand. */
    enum stj_status (*compute)(struct stj_analysis_context *cx, const void *config, void *data,
                               struct stj_error *err);

    /* data, computed or read, <- what of it answers this request (config NULL: all that is stored),
     * and what follows without products.  NULL: nothing changes. */
    enum stj_status (*view)(const struct stj_analysis_context *cx, const void *config, void *data,
                            struct stj_error *err);

    void (*destroy)(void *data);                   /* its own; NULL: stj_schema_free */
    enum stj_verdict (*verdict)(const void *data); /* NULL: done */

    /* A table for people; NULL: made from the schema.  Errors of the stream are the caller's to
     * look for. */
    void (*print)(FILE *out, const struct stj_result *result);

    const struct stj_analysis_figure *figures; /* ends with a NULL doc; NULL: none */
};

extern const struct stj_kind stj_analyses; /* the registry: analysis/analyses.c */

/* The analysis of a name; NULL: there is none. */
const struct stj_analysis *stj_analysis_find(const char *name);

/* What every result has. */
struct stj_result_about {
    bool stored;                      /* it was read, and cost nothing */
    char *file;                       /* its name in the run's folder; NULL: it has none yet */
    char *request, *command, *source; /* see docs/results-format.md; owned */
    char *created, *version, *build, *host;
    size_t threads, ranks;
    size_t n_params;          /* rows and columns of the Jacobian */
    struct stj_run_part part; /* layers is that below */
    char *of;                 /* what it is the derivative by; NULL: theta at `from`; owned */
    char *layers;             /* tensors, separated by commas; NULL: all; owned */
    int state;                /* index into theta, full: part.full_state as a file has it */
    int precision;            /* index into stj_precisions, as a file has it */
    double single_products;   /* with J and J' in single precision, of a result in mixed */
    double product_error; /* of products in single precision, rms of |E x| / |x|; NaN: in double */
    struct stj_op_counts spent;  /* what computing it took, in all */
    struct stj_op_counts counts; /* what this request took: nothing where it is stored */
    double seconds;              /* of computing */
    struct stj_storage storage;  /* of the run's states; zero where it is stored */
    struct stj_cost cost;        /* the same */
    struct stj_self_check self_check;
    struct stj_training_remarks training; /* of the run, as it is */
};

extern const struct stj_field stj_about_schema[];
extern const char *const stj_precisions[]; /* by enum stj_precision */

/* about <- when, by what and where: here and now. */
enum stj_status stj_about_begin(struct stj_result_about *about, struct stj_error *err);
void stj_about_free(struct stj_result_about *about);

/* about->source <- a line more: the file of a result that it was made with, the checksum of its
 * content, and the command that made it (NULL: not known). */
enum stj_status stj_about_add_source(struct stj_result_about *about, const char *file, uint32_t crc,
                                     const char *command, struct stj_error *err);

struct stj_result {
    const struct stj_analysis *analysis;
    uint32_t crc; /* of the content of the file that it was read from */
    struct stj_result_about about;
    char *path;     /* of that file, for fields that are read when asked for; owned */
    void *data;     /* the analysis' own struct */
    char *to_go_on; /* see stj_result_to_go_on; owned */
};

/* Field number i, the analysis' own before those that all results have, or that of a name; NULL:
 * there is none. *data <- the struct that it is of. */
const struct stj_field *stj_result_field(const struct stj_result *result, size_t i,
                                         const void **data);
const struct stj_field *stj_result_find(const struct stj_result *result, const char *name,
                                        const void **data);

/* *result <- an empty one. */
enum stj_status stj_result_create(const struct stj_analysis *analysis, struct stj_result **result,
                                  struct stj_error *err);

/* *result <- the stored result of an analysis for this part of the run's Jacobian that has no tag,
 * whatever its other settings are; NULL: there is none. */
enum stj_status stj_result_of_part(struct stj_run *run, const char *analysis,
                                   const struct stj_run_part *part, struct stj_result **result,
                                   struct stj_error *err);

STJ_HOLDS(struct stj_result, stj_result_destroy)

#endif
