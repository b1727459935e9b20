/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/schedules/listed.c: a value for each step, as given: list and file.  So a plateau's rates
 * are replayed, or any others that were recorded where the training was. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/matrix.h"
#include "train/schedules.h"

#define OPTION(...) STJ_OPTION_ROW(struct stj_listed, __VA_ARGS__)
static const struct stj_option list_options[] = {
    OPTION("values", REALS, values, NULL, "the value of each step", .min = 0, .max = 1e300),
    {.name = NULL},
};

static const struct stj_option file_options[] = {
    OPTION("file", PATH, file, NULL,
           "file with the value of each step, a vector of numbers (one in a .npz: FILE:NAME)"),
    {.name = NULL},
};

static enum stj_status list_check(const void *config, struct stj_error *err)
{
    STJ_NEED(err, ((const struct stj_listed *)config)->values.n > 0, STJ_ECONFIG,
             "values is empty, it needs one for each step");
    return STJ_OK;
}

static double listed_eta(const void *config, size_t step, size_t n_steps)
{
    const struct stj_listed *c = config;
    (void)n_steps;
    return step < c->values.n ? c->values.item[step] : (double)NAN;
}

enum stj_status stj_schedule_file_read(struct stj_listed *listed, struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    if (listed->values.n > 0)
        return STJ_OK;
    STJ_MUST(stj_matrix_read(listed->file, &matrix, err));
    STJ_NEED(err, matrix.cols == 1 || matrix.rows == 1, STJ_EMISMATCH,
             "%s: is %zu x %zu, expected a vector with the value of each step", listed->file,
             matrix.rows, matrix.cols);
    for (size_t i = 0; i < matrix.rows * matrix.cols; i++)
        STJ_NEED(err, matrix.data[i] >= 0, STJ_EFORMAT,
                 "%s: step %zu has %g, expected a number of at least 0", listed->file, i,
                 matrix.data[i]);
    listed->values = (struct stj_reals){matrix.rows * matrix.cols, matrix.data};
    matrix.data = NULL;
    return STJ_OK;
}

static void file_free(void *config)
{
    free(((struct stj_listed *)config)->values.item);
}

const struct stj_schedule_ops stj_schedule_list = {
    .info = {.name = "list",
             .doc = "the value of each step, as listed; a bare list too",
             .options = list_options,
             .config_size = sizeof(struct stj_listed),
             .check = list_check},
    .eta = listed_eta,
};

const struct stj_schedule_ops stj_schedule_file = {
    .info = {.name = "file",
             .doc = "the value of each step, from a file: as recorded elsewhere",
             .options = file_options,
             .config_size = sizeof(struct stj_listed),
             .free = file_free},
    .eta = listed_eta,
};
