/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/dataset.h: the samples of a training or test set, with class labels or real targets. */
#ifndef STJ_DATA_DATASET_H
#define STJ_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

#include "options/option.h"
#include "data/axes.h"

/* One section `data.train` or `data.test` of a config. */
struct stj_dataset_config {
    char *file; /* rows of numbers: the inputs and, where label_column says so, labels; or a text;
                 * NULL: `inputs` have names and are all that is read */
    char *rows; /* which rows of `file`, in order; NULL: those from `first` on */
    size_t first, count; /* has_count false: to the end */
    bool has_count;
    size_t label_column; /* from 0; never an input */
    bool has_label_column;
    double scale; /* inputs of `file` are multiplied by it */
    int layout;   /* enum stj_data_layout */
    bool has_layout;
    /* They take the place of the inputs, unscaled, one row per row of the set; n == 0: not given.
     * Several have the names of the network's inputs.  Without `file` the rows are chosen of them. */
    struct stj_names inputs;
    char *label_file; /* labels, one or more for each row of `file`, chosen with it; or NULL */
    char *labels;  /* takes the place of the labels, one or more for each row of the set; or NULL */
    char *targets; /* real targets, one row per row of the set, no labels then; or NULL */
    char *example; /* which sample each row of the set was made of; NULL: each is one */

    /* A language model's: `file` is a sequence of tokens, a row is `sequence` of them, and its
     * labels are the tokens that come next. */
    size_t sequence; /* 0: `file` has rows */
    size_t stride;   /* tokens from one row to the next; 0: sequence */
    int tokens;      /* enum stj_tokens */
};

enum stj_tokens {
    STJ_TOKENS_BYTES, /* the bytes of a file of any kind, gzip unpacked */
    STJ_TOKENS_IDS,   /* the numbers of a data file */
};

extern const struct stj_option stj_dataset_options[];

#define STJ_IGNORED_LABEL SIZE_MAX /* in the place of a class number: the loss passes over it */

/* Everything is owned by the dataset and not to be changed once it is in use. */
struct stj_dataset {
    size_t n_rows, n_features;
    size_t n_labels, n_targets; /* of a row; 0 when there are none */
    double *inputs;             /* [n_rows][n_features] */
    size_t *labels;             /* [n_rows][n_labels], perhaps STJ_IGNORED_LABEL; or NULL */
    double *targets; /* [n_rows][n_targets], or NULL; exactly one of labels and targets is there */
    uint32_t crc;    /* CRC-32 of inputs, then labels or targets */
    uint64_t
        *example; /* [n_rows]: number of the sample that a row was made of; NULL: each is one */

    char *label_file;   /* for messages; NULL: made in a program */
    size_t *label_rows; /* [n_rows]: where in label_file a label stands; NULL: row i */
};

/* What a network makes of its data. */
struct stj_data_use {
    struct stj_axes input; /* of the samples that it reads; n == 0: left as they are */
    size_t n_named;        /* inputs that have names, side by side in a sample; 0: one without */
    const struct stj_named_input *named; /* borrowed */
    bool ignores;                        /* labels `ignored` do not count */
    double ignored;
};

/* *dataset <- what the config section says, read and checked, for this use. */
enum stj_status stj_dataset_create(const struct stj_dataset_config *config,
                                   const struct stj_data_use *use, struct stj_dataset **dataset,
                                   struct stj_error *err);

/* *label <- the number; false for one that is no class number, nor ignored. */
bool stj_label_from_number(const struct stj_data_use *use, double number, size_t *label);

/* *dataset <- copies of arrays of a program; one of labels and targets is NULL. */
enum stj_status stj_dataset_from_arrays(size_t n_rows, size_t n_features, const double *inputs,
                                        size_t n_labels, const size_t *labels, size_t n_targets,
                                        const double *targets, struct stj_dataset **dataset,
                                        struct stj_error *err);

void stj_dataset_destroy(struct stj_dataset *dataset); /* NULL is accepted */

/* An error unless the dataset has labels and all are below n_classes. */
enum stj_status stj_dataset_check_classes(const struct stj_dataset *dataset, size_t n_classes,
                                          struct stj_error *err);

/* An error unless all inputs are whole numbers below n_ids[n_features] (0: any number): tokens of a
 * vocabulary. */
enum stj_status stj_dataset_check_ids(const struct stj_dataset *dataset, const size_t *n_ids,
                                      struct stj_error *err);

#endif
