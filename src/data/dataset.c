/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/dataset.c: from data files and row lists to inputs, labels and targets. */
#include "data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/matrix.h"
#include "data/rows.h"

#define FIELD(member) offsetof(struct stj_dataset_config, member)

const struct stj_option stj_dataset_options[] = {
    {.name = "file",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(file),
     .doc = "data file, one sample per row"},
    {.name = "rows",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(rows),
     .fallback = "",
     .doc = "text file with the rows of `file` to use, in order, from 0; default: all rows"},
    {.name = "label_column",
     .type = STJ_OPTION_SIZE,
     .offset = FIELD(label_column),
     .fallback = "",
     .present_offset = FIELD(has_label_column),
     .doc = "column of `file` that holds the class labels, from 0; never an input"},
    {.name = "scale",
     .type = STJ_OPTION_REAL,
     .offset = FIELD(scale),
     .fallback = "1",
     .doc = "factor on the inputs read from `file`"},
    {.name = "inputs",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(inputs),
     .fallback = "",
     .doc = "data file that takes the place of the selected inputs, row by row, without scale"},
    {.name = "labels",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(labels),
     .fallback = "",
     .doc = "data file with the class label of each selected row, or one for each position"},
    {.name = "targets",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(targets),
     .fallback = "",
     .doc = "data file with the real targets of each selected row, instead of labels"},
    {.name = NULL},
};

/* 2^53: below it every integer is exact in a double. */
static const double largest_integer = 9007199254740992.0;

void stj_dataset_destroy(struct stj_dataset *dataset)
{
    if (!dataset)
        return;
    free(dataset->inputs);
    free(dataset->labels);
    free(dataset->targets);
    free(dataset->label_file);
    free(dataset->label_rows);
    free(dataset);
}

static void set_crc(struct stj_dataset *ds)
{
    uint32_t crc = stj_crc32(0, ds->inputs, ds->n_rows * ds->n_features * sizeof *ds->inputs);
    if (ds->labels)
        crc = stj_crc32(crc, ds->labels, ds->n_rows * ds->n_labels * sizeof *ds->labels);
    if (ds->targets)
        crc = stj_crc32(crc, ds->targets, ds->n_rows * ds->n_targets * sizeof *ds->targets);
    ds->crc = crc;
}

static enum stj_status check_config(const struct stj_dataset_config *config,
                                    const struct stj_matrix *file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, config->has_label_column || config->labels || config->targets, STJ_ECONFIG,
              "%s: no labels: give label_column (0 to %zu), labels or targets", config->file,
              file->cols - 1);
    STJ_CHECK(err, !(config->labels && config->targets), STJ_ECONFIG,
              "%s: labels and targets exclude each other; give one of them", config->file);
    STJ_CHECK(err, !config->has_label_column || config->label_column < file->cols, STJ_ECONFIG,
              "label_column %zu is outside %s (%zu columns, 0 to %zu)", config->label_column,
              config->file, file->cols, file->cols - 1);
    STJ_CHECK(err, config->inputs || file->cols > (config->has_label_column ? 1 : 0), STJ_ECONFIG,
              "%s: its only column is the label column; there are no inputs", config->file);
out:
    return st;
}

/* inputs <- scale * (the selected rows of the file, without the label column). */
static enum stj_status take_inputs(const struct stj_dataset_config *config,
                                   const struct stj_matrix *file, const struct stj_row_list *rows,
                                   struct stj_dataset *ds, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t size = 0;
    ds->n_features = file->cols - (config->has_label_column ? 1 : 0);
    STJ_TRY(stj_size_mul(rows->n, ds->n_features, &size, err));
    STJ_TRY(stj_new(&ds->inputs, size, sizeof *ds->inputs, err));
    double *to = ds->inputs;
    for (size_t i = 0; i < rows->n; i++)
        for (size_t j = 0; j < file->cols; j++) {
            if (config->has_label_column && j == config->label_column)
                continue;
            *to = config->scale * file->data[rows->item[i] * file->cols + j];
            STJ_CHECK(err, isfinite(*to), STJ_ENONFINITE,
                      "%s: scale %g makes the value in row %zu, column %zu (from 0) overflow",
                      config->file, config->scale, rows->item[i], j);
            to++;
        }
out:
    return st;
}

/* matrix <- a file that has one row for each of n rows. */
static enum stj_status read_parallel(const char *path, const char *what, size_t n,
                                     struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_matrix_read(path, matrix, err));
    STJ_CHECK(err, matrix->rows == n, STJ_EFORMAT,
              "%s: holds %zu rows of %s, but the set has %zu rows", path, matrix->rows, what, n);
out:
    return st;
}

/* inputs <- the file `inputs`, as it is. */
static enum stj_status replace_inputs(const struct stj_dataset_config *config,
                                      struct stj_dataset *ds, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_matrix matrix = {0};
    STJ_TRY(read_parallel(config->inputs, "inputs", ds->n_rows, &matrix, err));
    ds->n_features = matrix.cols;
    ds->inputs = matrix.data;
    matrix.data = NULL;
out:
    stj_matrix_free(&matrix);
    return st;
}

/* labels <- n_labels columns of a matrix from `column` on, at the given rows (NULL: all). */
static enum stj_status take_labels(const char *path, const struct stj_matrix *matrix, size_t column,
                                   size_t n_labels, const size_t *rows, struct stj_dataset *ds,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t size = 0;
    STJ_TRY(stj_strdup(&ds->label_file, path, err));
    STJ_TRY(stj_size_mul(ds->n_rows, n_labels, &size, err));
    STJ_TRY(stj_new(&ds->labels, size, sizeof *ds->labels, err));
    ds->n_labels = n_labels;
    for (size_t i = 0; i < size; i++) {
        size_t row = rows ? rows[i / n_labels] : i / n_labels;
        double label = matrix->data[row * matrix->cols + column + i % n_labels];
        STJ_CHECK(err, label >= 0 && label <= largest_integer && label == floor(label), STJ_EFORMAT,
                  "label %.17g in row %zu of %s (from 0) is not a class number, an integer from 0",
                  label, row, path);
        ds->labels[i] = (size_t)label;
    }
out:
    return st;
}

static enum stj_status replace_labels(const struct stj_dataset_config *config,
                                      struct stj_dataset *ds, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_matrix matrix = {0};
    STJ_TRY(read_parallel(config->labels, "labels", ds->n_rows, &matrix, err));
    STJ_TRY(take_labels(config->labels, &matrix, 0, matrix.cols, NULL, ds, err));
out:
    stj_matrix_free(&matrix);
    return st;
}

static enum stj_status take_targets(const struct stj_dataset_config *config, struct stj_dataset *ds,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_matrix matrix = {0};
    STJ_TRY(read_parallel(config->targets, "targets", ds->n_rows, &matrix, err));
    ds->n_targets = matrix.cols;
    ds->targets = matrix.data;
    matrix.data = NULL;
out:
    stj_matrix_free(&matrix);
    return st;
}

/* Fill a dataset that has nothing but its number of rows; `rows` ends up as its label_rows where
 * the labels come from the file itself. */
static enum stj_status fill(const struct stj_dataset_config *config, const struct stj_matrix *file,
                            struct stj_row_list *rows, struct stj_dataset *ds,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (config->inputs)
        STJ_TRY(replace_inputs(config, ds, err));
    else
        STJ_TRY(take_inputs(config, file, rows, ds, err));
    if (config->targets) {
        STJ_TRY(take_targets(config, ds, err));
    } else if (config->labels) {
        STJ_TRY(replace_labels(config, ds, err));
    } else {
        STJ_TRY(take_labels(config->file, file, config->label_column, 1, rows->item, ds, err));
        ds->label_rows = rows->item;
        *rows = (struct stj_row_list){0};
    }
    set_crc(ds);
out:
    return st;
}

enum stj_status stj_dataset_create(const struct stj_dataset_config *config,
                                   struct stj_dataset **dataset, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_matrix file = {0};
    struct stj_row_list rows = {0};
    struct stj_dataset *ds = NULL;
    *dataset = NULL;
    STJ_TRY(stj_matrix_read(config->file, &file, err));
    STJ_TRY(check_config(config, &file, err));
    if (config->rows)
        STJ_TRY(stj_rows_read(config->rows, config->file, file.rows, &rows, err));
    else
        STJ_TRY(stj_rows_all(file.rows, &rows, err));
    STJ_TRY(stj_new(&ds, 1, sizeof *ds, err));
    ds->n_rows = rows.n;
    STJ_TRY(fill(config, &file, &rows, ds, err));
    *dataset = ds;
    ds = NULL;
out:
    stj_dataset_destroy(ds);
    stj_rows_free(&rows);
    stj_matrix_free(&file);
    return st;
}

/* *copy <- n * m doubles, all finite. */
static enum stj_status copy_reals(const double *from, const char *what, size_t n, size_t m,
                                  double **copy, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t size = 0;
    STJ_TRY(stj_size_mul(n, m, &size, err));
    STJ_TRY(stj_new(copy, size, sizeof **copy, err));
    for (size_t i = 0; i < size; i++) {
        STJ_CHECK(err, isfinite(from[i]), STJ_ENONFINITE, "%s of row %zu: %g is not finite", what,
                  i / m, from[i]);
        (*copy)[i] = from[i];
    }
out:
    return st;
}

enum stj_status stj_dataset_from_arrays(size_t n_rows, size_t n_features, const double *inputs,
                                        size_t n_labels, const size_t *labels, size_t n_targets,
                                        const double *targets, struct stj_dataset **dataset,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_dataset *ds = NULL;
    size_t size = 0;
    *dataset = NULL;
    STJ_CHECK(err, n_rows > 0 && n_features > 0, STJ_EINVAL,
              "a dataset of %zu rows and %zu features is empty", n_rows, n_features);
    STJ_CHECK(err, !labels != !targets && (targets ? n_targets : n_labels) > 0, STJ_EINVAL,
              "a dataset needs either labels or targets, at least one per row");
    STJ_TRY(stj_new(&ds, 1, sizeof *ds, err));
    ds->n_rows = n_rows;
    ds->n_features = n_features;
    STJ_TRY(copy_reals(inputs, "input", n_rows, n_features, &ds->inputs, err));
    if (targets) {
        ds->n_targets = n_targets;
        STJ_TRY(copy_reals(targets, "target", n_rows, n_targets, &ds->targets, err));
    } else {
        ds->n_labels = n_labels;
        STJ_TRY(stj_size_mul(n_rows, n_labels, &size, err));
        STJ_TRY(stj_new(&ds->labels, size, sizeof *ds->labels, err));
        memcpy(ds->labels, labels, size * sizeof *labels);
    }
    set_crc(ds);
    *dataset = ds;
    ds = NULL;
out:
    stj_dataset_destroy(ds);
    return st;
}

enum stj_status stj_dataset_check_classes(const struct stj_dataset *dataset, size_t n_classes,
                                          struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = dataset->n_labels;
    STJ_CHECK(err, dataset->labels, STJ_EINVAL,
              "the data has real targets, but the network's loss needs class labels");
    for (size_t i = 0; i < dataset->n_rows * m; i++)
        STJ_CHECK(err, dataset->labels[i] < n_classes, STJ_EFORMAT,
                  "label %zu in row %zu of %s (from 0) is outside the %zu classes of the network's "
                  "output",
                  dataset->labels[i], dataset->label_rows ? dataset->label_rows[i / m] : i / m,
                  dataset->label_file ? dataset->label_file : "the data", n_classes);
out:
    return st;
}

enum stj_status stj_dataset_check_ids(const struct stj_dataset *dataset, size_t n_ids,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t m = dataset->n_features;
    for (size_t i = 0; i < dataset->n_rows * m; i++) {
        const double id = dataset->inputs[i];
        STJ_CHECK(
            err, id >= 0 && id == floor(id), STJ_EFORMAT,
            "input %.17g at row %zu, position %zu (from 0) is not a token id, an integer from "
            "0 (is there a scale other than 1?)",
            id, i / m, i % m);
        STJ_CHECK(
            err, id < (double)n_ids, STJ_EFORMAT,
            "token id %.0f at row %zu, position %zu is outside the vocabulary of %zu (from 0)", id,
            i / m, i % m, n_ids);
    }
out:
    return st;
}
