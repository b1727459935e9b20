/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/dataset.c: from data files and row lists to inputs, labels and targets.
 *
 * Only the wanted rows of `file` are kept; where they follow each other only they are read.
 */
#include "data/dataset.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/named_arrays.h"
#include "data/rows.h"
#include "data/tokens.h"
#include "options/option_value.h"

#define FIELD(member) offsetof(struct stj_dataset_config, member)

static const char *const layouts[] = {"NHWC", "NCHW", "NCL", NULL};
static const char *const token_kinds[] = {"bytes", "ids", NULL};

const struct stj_option stj_dataset_options[] = {
    {.name = "file",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(file),
     .fallback = "",
     .doc = "data file, one sample per row; required unless `inputs` have names"},
    {.name = "rows",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(rows),
     .fallback = "",
     .doc = "text file with the rows of `file` to use, in order, from 0; default: all rows"},
    {.name = "first",
     .type = STJ_OPTION_SIZE,
     .offset = FIELD(first),
     .fallback = "0",
     .doc = "the first row of `file` to use, from 0; excludes `rows`"},
    {.name = "count",
     .type = STJ_OPTION_SIZE,
     .offset = FIELD(count),
     .fallback = "",
     .present_offset = FIELD(has_count),
     .min = 1,
     .doc = "how many rows of `file` to use; default: all from `first` on; excludes `rows`"},
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
    {.name = "layout",
     .type = STJ_OPTION_CHOICE,
     .offset = FIELD(layout),
     .fallback = "",
     .present_offset = FIELD(has_layout),
     .choices = layouts,
     .doc = "position of the channels in arrays of inputs: last (NHWC, sequences NLC), or first as "
            "in PyTorch, for images (NCHW) or sequences (NCL); default: NHWC, but NCHW for images "
            "with init.layout: pytorch"},
    {.name = "inputs",
     .type = STJ_OPTION_FILES,
     .offset = FIELD(inputs),
     .fallback = "",
     .doc = "data file that replaces the selected inputs, row by row, without scale; or a file for "
            "each of network.inputs, {image: FILE, mask: FILE}; without `file`, rows, first and "
            "count select their rows"},
    {.name = "label_file",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(label_file),
     .fallback = "",
     .doc = "data file with the class label of each row of `file`, chosen by the same `rows`"},
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
    {.name = "example",
     .type = STJ_OPTION_PATH,
     .offset = FIELD(example),
     .fallback = "",
     .doc = "data file with the number of the sample, from 0, from which each selected row was "
            "made, if rows are what single steps saw, augmented or masked; kept with the run; "
            "default: each row is a separate sample"},
    {.name = "sequence",
     .type = STJ_OPTION_SIZE,
     .offset = FIELD(sequence),
     .fallback = "",
     .min = 1,
     .doc =
         "`file` is a text: a row has this many tokens, and its labels are the tokens that follow"},
    {.name = "stride",
     .type = STJ_OPTION_SIZE,
     .offset = FIELD(stride),
     .fallback = "",
     .min = 1,
     .unit = "tokens",
     .doc = "from the beginning of one sequence to that of the next; default: `sequence`"},
    {.name = "tokens",
     .type = STJ_OPTION_CHOICE,
     .offset = FIELD(tokens),
     .fallback = "bytes",
     .choices = token_kinds,
     .doc = "what a token of a text is: a byte of the file, or a number of a data file (ids)"},
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
    free(dataset->example);
    free(dataset->label_file);
    free(dataset->label_rows);
    free(dataset);
}

static void set_crc(struct stj_dataset *ds)
{
    uint32_t crc = stj_crc32(0, ds->inputs, ds->n_rows * ds->n_features * sizeof *ds->inputs);
    if (ds->labels)
        crc = stj_crc32_sizes(crc, ds->labels, ds->n_rows * ds->n_labels);
    if (ds->targets)
        crc = stj_crc32(crc, ds->targets, ds->n_rows * ds->n_targets * sizeof *ds->targets);
    ds->crc = crc;
}

/* The rows of `file` that the set takes. */
struct selection {
    struct stj_row_list rows;
    bool in_a_row;        /* one after another: rows.item[0] .. + rows.n - 1 */
    struct stj_axes axes; /* of a row */
};

/* The input of that name; NULL: none. */
static const struct stj_name *find_named(const struct stj_dataset_config *config, const char *name)
{
    for (size_t i = 0; i < config->inputs.n; i++)
        if (strcmp(config->inputs.item[i].key, name) == 0)
            return &config->inputs.item[i];
    return NULL;
}

/* Are all inputs given that the network reads, and no others? */
static enum stj_status check_names(const struct stj_dataset_config *config,
                                   const struct stj_data_use *use, struct stj_error *err)
{
    for (size_t k = 0; k < use->n_named; k++)
        STJ_NEED(err, find_named(config, use->named[k].axes.name), STJ_ECONFIG,
                 "inputs: no file for '%s', an input of the network; say inputs: {%s: FILE, ...}",
                 use->named[k].axes.name, use->named[k].axes.name);
    for (size_t i = 0; i < config->inputs.n; i++) {
        struct stj_suggest_search search = {.word = config->inputs.item[i].key};
        char hint[STJ_GOT_MAX];
        bool known = false;
        for (size_t k = 0; k < use->n_named; k++) {
            stj_suggest_offer(&search, use->named[k].axes.name);
            known = known || strcmp(search.word, use->named[k].axes.name) == 0;
        }
        stj_suggest_hint(&search, hint);
        STJ_NEED(err, known, STJ_ECONFIG,
                 "inputs: '%s' is none of network.inputs%s; leave it out, or name it there",
                 search.word, hint);
    }
    return STJ_OK;
}

/* Inputs by name are for a network that names them, and the other way round. */
static enum stj_status check_named(const struct stj_dataset_config *config,
                                   const struct stj_data_use *use, struct stj_error *err)
{
    bool fits = config->layout == STJ_DATA_NHWC || !config->has_layout;
    if (!use->n_named) {
        STJ_NEED(err, config->inputs.n == 0 || config->inputs.item[0].key[0] == '\0', STJ_ECONFIG,
                 "inputs: they have names, the network's one input has none: give one file, or say "
                 "network.inputs: {%s: SHAPE, ...} in the place of network.input",
                 config->inputs.item[0].key);
        return STJ_OK;
    }
    STJ_MUST(check_names(config, use, err));
    for (size_t k = 0; k < use->n_named; k++)
        fits = fits || stj_layout_is_for(config->layout, use->named[k].axes.n);
    STJ_NEED(err, fits, STJ_ECONFIG,
             "layout: %s is for no input of the network, by the number of their dimensions; leave "
             "it out",
             layouts[config->layout]);
    STJ_NEED(err, config->scale == 1, STJ_ECONFIG,
             "scale: inputs with names are not scaled; leave it out, and put a layer {type: scale, "
             "factor: %g, input: NAME} behind the one that is meant",
             config->scale);
    STJ_NEED(err, config->file || !config->has_label_column, STJ_ECONFIG,
             "label_column is a column of `file`, which is not given: give it, or labels");
    return STJ_OK;
}

/* What a config section asks for that cannot be, whatever its files hold. */
static enum stj_status check_config(const struct stj_dataset_config *config, struct stj_error *err)
{
    const char *file = config->file;
    STJ_NEED(err, file, STJ_ECONFIG,
             "missing key 'file': expected a file name (or `inputs` by name)");
    STJ_NEED(err, !(config->labels && config->targets), STJ_ECONFIG,
             "%s: labels and targets exclude each other; give one of them", file);
    STJ_NEED(err, !(config->label_file && config->has_label_column), STJ_ECONFIG,
             "%s: label_file and label_column exclude each other; give one of them", file);
    STJ_NEED(err, !(config->label_file && config->targets), STJ_ECONFIG,
             "%s: label_file and targets exclude each other; give one of them", file);
    STJ_NEED(err, !(config->rows && (config->first > 0 || config->has_count)), STJ_ECONFIG,
             "%s: rows excludes first and count", file);
    STJ_NEED(err, config->sequence || (!config->stride && config->tokens == STJ_TOKENS_BYTES),
             STJ_ECONFIG, "%s: stride and tokens are for texts: give sequence with them", file);
    STJ_NEED(err,
             !config->sequence || (!config->has_label_column && !config->label_file &&
                                   !config->labels && !config->targets && !config->inputs.n),
             STJ_ECONFIG,
             "%s: the labels of a text are its next tokens: label_column, label_file, labels, "
             "targets and inputs have no place beside sequence",
             file);
    return STJ_OK;
}

/* The same for a file of rows, once its size is known. */
static enum stj_status check_columns(const struct stj_dataset_config *config,
                                     const struct stj_array *file, struct stj_error *err)
{
    const bool has_labels = config->has_label_column || config->label_file || config->labels;
    STJ_NEED(err, has_labels || config->targets, STJ_ECONFIG,
             "%s: no labels: give label_column (0 to %zu), label_file, labels or targets",
             config->file, file->cols - 1);
    STJ_NEED(err, !config->has_label_column || config->label_column < file->cols, STJ_ECONFIG,
             "label_column %zu is outside %s (%zu columns, 0 to %zu)", config->label_column,
             config->file, file->cols, file->cols - 1);
    STJ_NEED(err, config->inputs.n || file->cols > (config->has_label_column ? 1 : 0), STJ_ECONFIG,
             "%s: its only column is the label column; there are no inputs", config->file);
    return STJ_OK;
}

/* Which of n rows, or sequences, of the file. */
static enum stj_status select_dataset_rows(const struct stj_dataset_config *config, size_t n,
                                           struct selection *selection, struct stj_error *err)
{
    const char *what = config->sequence ? "sequences" : "rows";
    size_t count = config->has_count ? config->count : n - config->first;
    if (config->rows) {
        STJ_MUST(stj_rows_read(config->rows, config->file, n, &selection->rows, err));
        return STJ_OK;
    }
    STJ_NEED(err, config->first < n, STJ_ECONFIG, "first %zu is outside %s (%zu %s, 0 to %zu)",
             config->first, config->file, n, what, n - 1);
    STJ_NEED(err, count <= n - config->first, STJ_ECONFIG,
             "count %zu from first %zu on is more than %s has (%zu %s)", count, config->first,
             config->file, n, what);
    STJ_MUST(stj_rows_all(count, &selection->rows, err));
    for (size_t i = 0; i < count; i++)
        selection->rows.item[i] += config->first;
    selection->in_a_row = true;
    return STJ_OK;
}

/* matrix <- the selected rows of an array that was verified. */
static enum stj_status read_selected(struct stj_arrays *arrays, size_t i,
                                     const struct selection *selection, struct stj_matrix *matrix,
                                     struct stj_error *err)
{
    const struct stj_array *array = stj_arrays_get(arrays, i);
    const struct stj_row_list *rows = &selection->rows;
    STJ_HELD(stj_matrix_free) struct stj_matrix whole = {0};
    size_t size = 0;
    STJ_MUST(stj_size_mul(rows->n, array->cols, &size, err));
    if (!selection->in_a_row)
        STJ_MUST(stj_arrays_read(arrays, i, &whole, err));
    STJ_MUST(stj_new(&matrix->data, size, sizeof *matrix->data, err));
    matrix->rows = rows->n;
    matrix->cols = array->cols;
    if (selection->in_a_row)
        STJ_MUST(stj_arrays_read_rows(arrays, i, rows->item[0], rows->n, matrix->data, err));
    else
        for (size_t r = 0; r < rows->n; r++)
            memcpy(matrix->data + r * array->cols, whole.data + rows->item[r] * array->cols,
                   array->cols * sizeof *matrix->data);
    return STJ_OK;
}

/* inputs <- scale * (the selected rows of the file, without the label column); the matrix gives up
 * its values where all of them are inputs. */
static enum stj_status take_inputs(const struct stj_dataset_config *config, struct stj_matrix *file,
                                   const struct stj_row_list *rows, struct stj_dataset *ds,
                                   struct stj_error *err)
{
    const size_t cols = file->cols;
    ds->n_features = cols - (config->has_label_column ? 1 : 0);
    if (config->has_label_column) {
        STJ_MUST(stj_new(&ds->inputs, rows->n * ds->n_features, sizeof *ds->inputs, err));
    } else {
        ds->inputs = file->data;
        file->data = NULL;
    }
    const double *from = file->data ? file->data : ds->inputs;
    double *to = ds->inputs;
    for (size_t i = 0; i < rows->n * cols; i++) {
        if (config->has_label_column && i % cols == config->label_column)
            continue;
        *to = config->scale * from[i];
        STJ_NEED(err, isfinite(*to), STJ_ENONFINITE,
                 "%s: scale %g makes the value in row %zu, column %zu (from 0) overflow",
                 config->file, config->scale, rows->item[i / cols], i % cols);
        to++;
    }
    return STJ_OK;
}

/* matrix <- a file that has one row for each of n rows. */
static enum stj_status read_parallel(const char *path, const char *what, size_t n,
                                     struct stj_matrix *matrix, struct stj_error *err)
{
    STJ_MUST(stj_matrix_read(path, matrix, err));
    STJ_NEED(err, matrix->rows == n, STJ_EFORMAT,
             "%s: holds %zu rows of %s, but the set has %zu rows", path, matrix->rows, what, n);
    return STJ_OK;
}

/* inputs <- the file `inputs`, as it is, *axes <- of a row of it. */
static enum stj_status replace_inputs(const struct stj_dataset_config *config,
                                      struct stj_dataset *ds, struct stj_axes *axes,
                                      struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_MUST(read_parallel(config->inputs.item[0].value, "inputs", ds->n_rows, &matrix, err));
    *axes = stj_row_axes(matrix.n_dims, matrix.shape);
    ds->n_features = matrix.cols;
    ds->inputs = matrix.data;
    matrix.data = NULL;
    return STJ_OK;
}

bool stj_label_from_number(const struct stj_data_use *use, double number, size_t *label)
{
    const bool ignored = use->ignores && number == use->ignored;
    const bool is_class = number >= 0 && number <= largest_integer && number == floor(number);
    if (ignored || is_class)
        *label = ignored ? STJ_IGNORED_LABEL : (size_t)number;
    return ignored || is_class;
}

/* labels <- n_labels columns of a matrix from `column` on; its rows have these numbers in the file
 * (NULL: their own). */
static enum stj_status take_dataset_labels(const char *path, const struct stj_matrix *matrix,
                                           size_t column, size_t n_labels, const size_t *rows,
                                           const struct stj_data_use *use, struct stj_dataset *ds,
                                           struct stj_error *err)
{
    size_t size = 0;
    STJ_MUST(stj_strdup(&ds->label_file, path, err));
    STJ_MUST(stj_size_mul(ds->n_rows, n_labels, &size, err));
    STJ_MUST(stj_new(&ds->labels, size, sizeof *ds->labels, err));
    ds->n_labels = n_labels;
    for (size_t i = 0; i < size; i++) {
        const size_t row = i / n_labels;
        const double label = matrix->data[row * matrix->cols + column + i % n_labels];
        STJ_NEED(err, stj_label_from_number(use, label, &ds->labels[i]), STJ_EFORMAT,
                 "label %.17g in row %zu of %s (from 0) is not a class number, an integer from 0%s",
                 label, rows ? rows[row] : row, path,
                 label == -100 ? " (to pass over it, give the loss ignore_index: -100)" : "");
    }
    return STJ_OK;
}

static enum stj_status replace_labels(const struct stj_dataset_config *config,
                                      const struct stj_data_use *use, struct stj_dataset *ds,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_matrix matrix = {0};
    st = read_parallel(config->labels, "labels", ds->n_rows, &matrix, err);
    if (st == STJ_EFORMAT && matrix.rows != ds->n_rows && (config->rows || config->has_count))
        stj_error_prefix(err, "labels (label_file is for a label for each row of `file`)");
    STJ_TRY(st);
    STJ_TRY(take_dataset_labels(config->labels, &matrix, 0, matrix.cols, NULL, use, ds, err));
out:
    stj_matrix_free(&matrix);
    return st;
}

/* labels <- the selected rows of label_file, which has one for each of the n_rows of `file`. */
static enum stj_status select_labels(const struct stj_dataset_config *config, size_t n_rows,
                                     const struct selection *selection,
                                     const struct stj_data_use *use, struct stj_dataset *ds,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *arrays = NULL;
    struct stj_matrix matrix = {0};
    size_t i = 0;
    STJ_TRY(stj_arrays_open_one(config->label_file, &arrays, &i, err));
    STJ_TRY(stj_arrays_verify(arrays, i, err));
    STJ_CHECK(err, stj_arrays_get(arrays, i)->rows == n_rows, STJ_EFORMAT,
              "%s: holds %zu rows of labels, but %s has %zu rows", config->label_file,
              stj_arrays_get(arrays, i)->rows, config->file, n_rows);
    STJ_TRY(read_selected(arrays, i, selection, &matrix, err));
    STJ_TRY(take_dataset_labels(config->label_file, &matrix, 0, matrix.cols, selection->rows.item,
                                use, ds, err));
out:
    stj_matrix_free(&matrix);
    stj_arrays_close(arrays);
    return st;
}

static enum stj_status take_targets(const struct stj_dataset_config *config, struct stj_dataset *ds,
                                    struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_MUST(read_parallel(config->targets, "targets", ds->n_rows, &matrix, err));
    ds->n_targets = matrix.cols;
    ds->targets = matrix.data;
    matrix.data = NULL;
    return STJ_OK;
}

/* The inputs of a network that has one. */
static enum stj_status read_one_input(const struct stj_dataset_config *config,
                                      const struct stj_data_use *use, struct stj_matrix *file,
                                      const struct selection *selection, struct stj_dataset *ds,
                                      struct stj_error *err)
{
    const bool replaced = config->inputs.n > 0;
    struct stj_axes axes = selection->axes;
    if (replaced)
        STJ_MUST(replace_inputs(config, ds, &axes, err));
    else
        STJ_MUST(take_inputs(config, file, &selection->rows, ds, err));
    if (config->has_label_column && !replaced)
        axes = (struct stj_axes){.n = 1, .length = {ds->n_features}, .rows = axes.rows};
    if (use->input.n == 0)
        return STJ_OK;
    return stj_inputs_arrange(replaced ? config->inputs.item[0].value : config->file,
                              config->layout, &axes, &use->input, ds->n_rows, ds->inputs, err);
}

/* Without `file`, the rows of the set are rows of every input; else they are those of `file`, and an
 * input has one for each. */
static bool chooses_inputs(const struct stj_dataset_config *config)
{
    return config->file == config->inputs.item[0].value;
}

/* Columns of ds->inputs <- one input's file, of which `selection` are rows, all of them n_rows. */
static enum stj_status read_named_input(const struct stj_dataset_config *config,
                                        const struct stj_named_input *input, const char *path,
                                        size_t n_rows, const struct selection *selection,
                                        struct stj_dataset *ds, struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_HELD(stj_arrays_close_at) struct stj_arrays *arrays = NULL;
    size_t i = 0;
    STJ_MUST(stj_arrays_open_one(path, &arrays, &i, err));
    STJ_MUST(stj_arrays_verify(arrays, i, err));
    const struct stj_array *array = stj_arrays_get(arrays, i);
    STJ_NEED(err, array->rows == n_rows, STJ_EFORMAT, "%s: has %zu rows, %s has %zu%s", path,
             array->rows, config->file, n_rows,
             chooses_inputs(config) ? "" : " chosen: give each of them a row");
    STJ_NEED(err, array->cols == input->size, STJ_ECONFIG,
             "%s: has %zu numbers a row, network.inputs.%s says %zu; change network.inputs or the "
             "file",
             path, array->cols, input->axes.name, input->size);
    const struct stj_axes axes = stj_row_axes(array->n_dims, array->shape);
    const enum stj_data_layout layout =
        stj_layout_is_for(config->layout, input->axes.n) ? config->layout : STJ_DATA_NHWC;
    STJ_MUST(read_selected(arrays, i, selection, &matrix, err));
    STJ_MUST(stj_inputs_arrange(path, layout, &axes, &input->axes, ds->n_rows, matrix.data, err));
    for (size_t r = 0; r < ds->n_rows; r++)
        memcpy(ds->inputs + r * ds->n_features + input->first, matrix.data + r * input->size,
               input->size * sizeof *ds->inputs);
    return STJ_OK;
}

/* The file of each of the network's inputs. */
static enum stj_status read_named(const struct stj_dataset_config *config,
                                  const struct stj_data_use *use, size_t n_rows,
                                  const struct selection *selection, struct stj_dataset *ds,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_named_input *last = &use->named[use->n_named - 1];
    struct selection all = {.in_a_row = true};
    size_t size = 0;
    const bool chooses = chooses_inputs(config);
    ds->n_features = last->first + last->size;
    STJ_TRY(stj_size_mul(ds->n_rows, ds->n_features, &size, err));
    STJ_TRY(stj_new(&ds->inputs, size, sizeof *ds->inputs, err));
    STJ_TRY(stj_rows_all(ds->n_rows, &all.rows, err));
    for (size_t k = 0; k < use->n_named; k++) {
        const struct stj_name *item = find_named(config, use->named[k].axes.name);
        st = read_named_input(config, &use->named[k], item->value, chooses ? n_rows : ds->n_rows,
                              chooses ? selection : &all, ds, err);
        if (st != STJ_OK)
            stj_error_prefix(err, "inputs.%s", use->named[k].axes.name);
        STJ_TRY(st);
    }
out:
    stj_rows_free(&all.rows);
    return st;
}

/* Fill a dataset that has nothing but its number of rows from the selected rows of a file that has
 * n_rows; `selection` gives up its list to label_rows where labels come with the file's rows. */
static enum stj_status fill_dataset(const struct stj_dataset_config *config, size_t n_rows,
                                    const struct stj_data_use *use, struct stj_matrix *file,
                                    struct selection *selection, struct stj_dataset *ds,
                                    struct stj_error *err)
{
    if (config->targets)
        STJ_MUST(take_targets(config, ds, err));
    else if (config->labels)
        STJ_MUST(replace_labels(config, use, ds, err));
    else if (config->label_file)
        STJ_MUST(select_labels(config, n_rows, selection, use, ds, err));
    else
        STJ_MUST(take_dataset_labels(config->file, file, config->label_column, 1,
                                     selection->rows.item, use, ds, err));
    if (use->n_named)
        STJ_MUST(read_named(config, use, n_rows, selection, ds, err));
    else
        STJ_MUST(read_one_input(config, use, file, selection, ds, err));
    if (ds->labels && !config->labels) {
        ds->label_rows = selection->rows.item;
        selection->rows = (struct stj_row_list){0};
    }
    return STJ_OK;
}

static enum stj_status read_dataset_rows(const struct stj_dataset_config *config,
                                         const struct stj_data_use *use, struct stj_dataset *ds,
                                         struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *arrays = NULL;
    struct stj_matrix file = {0};
    struct selection selection = {0};
    size_t i = 0;
    STJ_TRY(stj_arrays_open_one(config->file, &arrays, &i, err));
    STJ_TRY(stj_arrays_verify(arrays, i, err));
    const struct stj_array *array = stj_arrays_get(arrays, i);
    const size_t n_rows = array->rows;
    selection.axes = stj_row_axes(array->n_dims, array->shape);
    STJ_TRY(check_columns(config, array, err));
    STJ_TRY(select_dataset_rows(config, n_rows, &selection, err));
    if (!use->n_named || config->has_label_column)
        STJ_TRY(read_selected(arrays, i, &selection, &file, err));
    stj_arrays_close(arrays);
    arrays = NULL;
    ds->n_rows = selection.rows.n;
    STJ_TRY(fill_dataset(config, n_rows, use, &file, &selection, ds, err));
out:
    stj_rows_free(&selection.rows);
    stj_matrix_free(&file);
    stj_arrays_close(arrays);
    return st;
}

/* Inputs and labels of the selected sequences of a text. */
static enum stj_status read_text(const struct stj_dataset_config *config,
                                 const struct stj_data_use *use, struct stj_dataset *ds,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_token_list list = {0};
    struct selection selection = {0};
    size_t n = 0;
    size_t size = 0;
    const size_t length = config->sequence;
    const size_t stride = config->stride ? config->stride : length;
    STJ_CHECK(err, config->scale == 1 && !config->has_layout, STJ_ECONFIG,
              "%s: tokens are not scaled, and have no layout; leave out scale and layout",
              config->file);
    STJ_TRY(stj_tokens_read(config->file, config->tokens == STJ_TOKENS_BYTES, &list, err));
    STJ_TRY(stj_tokens_count(&list, config->file, length, stride, &n, err));
    STJ_TRY(select_dataset_rows(config, n, &selection, err));
    ds->n_rows = selection.rows.n;
    assert(ds->n_rows == 0 || selection.rows.item);
    ds->n_features = ds->n_labels = length;
    STJ_TRY(stj_size_mul(ds->n_rows, length, &size, err));
    STJ_TRY(stj_new(&ds->inputs, size, sizeof *ds->inputs, err));
    STJ_TRY(stj_new(&ds->labels, size, sizeof *ds->labels, err));
    STJ_TRY(stj_strdup(&ds->label_file, config->file, err));
    for (size_t r = 0; r < ds->n_rows; r++)
        for (size_t k = 0; k < length; k++) {
            const size_t at = selection.rows.item[r] * stride + k;
            ds->inputs[r * length + k] = (double)stj_token(&list, at);
            stj_label_from_number(use, (double)stj_token(&list, at + 1),
                                  &ds->labels[r * length + k]);
        }
    ds->label_rows = selection.rows.item;
    selection.rows = (struct stj_row_list){0};
out:
    stj_rows_free(&selection.rows);
    stj_tokens_free(&list);
    return st;
}

/* ds->example <- the numbers of the file. */
static enum stj_status read_examples(const char *path, struct stj_dataset *ds,
                                     struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_MUST(read_parallel(path, "examples", ds->n_rows, &matrix, err));
    STJ_NEED(err, matrix.cols == 1, STJ_EFORMAT,
             "%s: has %zu numbers a row, expected one: the sample that it was made of", path,
             matrix.cols);
    STJ_MUST(stj_new(&ds->example, ds->n_rows, sizeof *ds->example, err));
    for (size_t i = 0; i < ds->n_rows; i++) {
        const double number = matrix.data[i];
        STJ_NEED(err, number >= 0 && number <= largest_integer && number == floor(number),
                 STJ_EFORMAT,
                 "%s: the example of row %zu (from 0) is %.17g, expected an integer from 0", path,
                 i, number);
        ds->example[i] = (uint64_t)number;
    }
    return STJ_OK;
}

enum stj_status stj_dataset_create(const struct stj_dataset_config *section,
                                   const struct stj_data_use *use, struct stj_dataset **dataset,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_dataset *ds = NULL;
    struct stj_dataset_config with_file = *section;
    const struct stj_dataset_config *config = &with_file;
    *dataset = NULL;
    STJ_TRY(check_named(section, use, err));
    if (!section->file && use->n_named)
        with_file.file = section->inputs.item[0].value;
    STJ_TRY(check_config(config, err));
    STJ_TRY(stj_new(&ds, 1, sizeof *ds, err));
    if (config->sequence)
        STJ_TRY(read_text(config, use, ds, err));
    else
        STJ_TRY(read_dataset_rows(config, use, ds, err));
    if (config->example)
        STJ_TRY(read_examples(config->example, ds, err));
    set_crc(ds);
    *dataset = ds;
    ds = NULL;
out:
    stj_dataset_destroy(ds);
    return st;
}

/* *copy <- n * m doubles, all finite. */
static enum stj_status copy_reals(const double *from, const char *what, size_t n, size_t m,
                                  double **copy, struct stj_error *err)
{
    size_t size = 0;
    STJ_MUST(stj_size_mul(n, m, &size, err));
    STJ_MUST(stj_new(copy, size, sizeof **copy, err));
    for (size_t i = 0; i < size; i++) {
        STJ_NEED(err, isfinite(from[i]), STJ_ENONFINITE, "%s of row %zu: %g is not finite", what,
                 i / m, from[i]);
        (*copy)[i] = from[i];
    }
    return STJ_OK;
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
    const size_t m = dataset->n_labels;
    STJ_NEED(err, dataset->labels, STJ_EINVAL,
             "the data has real targets, but the network's loss needs class labels");
    for (size_t i = 0; i < dataset->n_rows * m; i++)
        STJ_NEED(err, dataset->labels[i] < n_classes || dataset->labels[i] == STJ_IGNORED_LABEL,
                 STJ_EFORMAT,
                 "label %zu in row %zu of %s (from 0) is outside the %zu classes of the network's "
                 "output",
                 dataset->labels[i], dataset->label_rows ? dataset->label_rows[i / m] : i / m,
                 dataset->label_file ? dataset->label_file : "the data", n_classes);
    return STJ_OK;
}

enum stj_status stj_dataset_check_ids(const struct stj_dataset *dataset, const size_t *n_ids,
                                      struct stj_error *err)
{
    const size_t m = dataset->n_features;
    for (size_t i = 0; i < dataset->n_rows * m; i++) {
        const double id = dataset->inputs[i];
        if (n_ids[i % m] == 0)
            continue;
        STJ_NEED(err, id >= 0 && id == floor(id), STJ_EFORMAT,
                 "input %.17g at row %zu, position %zu (from 0) is not a token id, an integer from "
                 "0 (is there a scale other than 1?)",
                 id, i / m, i % m);
        STJ_NEED(err, id < (double)n_ids[i % m], STJ_EFORMAT,
                 "token id %.0f at row %zu, position %zu is outside the vocabulary of %zu (from 0)",
                 id, i / m, i % m, n_ids[i % m]);
    }
    return STJ_OK;
}
