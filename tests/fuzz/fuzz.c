/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz.c: every reader of files from strangers, for libFuzzer: FUZZ_TARGET names one of the table below.
 *
 * The input becomes a file of the format's name (a config, a manifest: a text), and is read as spectraj reads it:
 * whole, and in parts.  Whatever it holds, the answer is a value or an error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/h5.h"
#include "io/log.h"
#include "io/manifest.h"
#include "base/memory.h"
#include "data/named_arrays.h"
#include "run/config.h"
#include "train/process_problem.h"
#include "trajectory/trajectory.h"

static char folder[4096]; /* in TMPDIR */
static char path[sizeof folder + 64];

/* ---- data files ---- */

static void read_array(struct stj_arrays *arrays, size_t i)
{
    const struct stj_array *array = stj_arrays_get(arrays, i);
    struct stj_matrix matrix = {0};
    double *row = NULL;
    if (stj_arrays_verify(arrays, i, NULL) != STJ_OK)
        return;
    if (stj_arrays_read(arrays, i, &matrix, NULL) == STJ_OK && array->rows > 0 &&
        stj_new(&row, array->cols, sizeof *row, NULL) == STJ_OK)
        for (size_t k = array->rows; k-- > 0 && k + 4 > array->rows;)
            (void)stj_arrays_read_rows(arrays, i, k, 1, row, NULL);
    free(row);
    stj_matrix_free(&matrix);
}

static void arrays_target(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    if (stj_arrays_open(path, &arrays, &err) == STJ_OK) {
        (void)stj_arrays_find(arrays, "kernel", &i, NULL);
        for (i = 0; i < stj_arrays_count(arrays); i++)
            read_array(arrays, i);
    }
    stj_arrays_close(arrays);
}

/* ---- results, trajectories, logs ---- */

static void get_item(struct stj_h5 *file, const struct stj_h5_item_info *item)
{
    double *value = NULL;
    char *text = NULL;
    uint64_t *number = NULL;
    if (item->kind == STJ_H5_TEXT)
        (void)stj_h5_get_text(file, item->name, &text, NULL);
    else if (stj_h5_expect(file, item->name, item->rows, item->cols, NULL) != STJ_OK)
        return;
    else if (item->kind == STJ_H5_UNSIGNED) {
        if (stj_new(&number, item->rows, sizeof *number, NULL) == STJ_OK)
            (void)stj_h5_get_unsigneds(file, item->name, item->rows, number, NULL);
    } else if (stj_new(&value, item->rows * item->cols, sizeof *value, NULL) == STJ_OK) {
        (void)stj_h5_get_vector(file, item->name, item->rows, value, NULL);
        (void)stj_h5_get_rows(file, item->name, 0, item->rows, item->cols, value, item->cols, NULL);
    }
    free(number);
    free(value);
    free(text);
}

static void result_target(void)
{
    /* Of any kind, and as new as it says. */
    static const struct stj_h5_format any = {.name = NULL, .version = UINT_MAX, .remedy = "none"};
    struct stj_h5 *file = NULL;
    struct stj_h5_item_info item;
    if (stj_h5_open(path, &any, &file, NULL) != STJ_OK)
        return;
    for (size_t i = 0; stj_h5_item_at(file, i, &item); i++)
        get_item(file, &item);
    stj_h5_close(file);
}

static void trajectory_target(void)
{
    struct stj_trajectory_about about = {0};
    struct stj_trajectory *trajectory = NULL;
    struct stj_trajectory_view view;
    (void)stj_trajectory_read_about(path, &about, NULL);
    stj_trajectory_about_free(&about);
    if (stj_trajectory_read(path, NULL, &trajectory, &about, NULL) == STJ_OK)
        (void)stj_trajectory_visit(trajectory, 0, 1, &view, NULL);
    stj_trajectory_destroy(trajectory);
    stj_trajectory_about_free(&about);
}

static void log_target(void)
{
    struct stj_log *log = NULL;
    char *header = NULL;
    char byte;
    if (stj_log_read_header(path, &header, NULL) == STJ_OK && header &&
        stj_log_open(path, header, &log, NULL) == STJ_OK) {
        for (size_t i = 0; i < stj_log_n_records(log); i++)
            for (size_t k = 0; k < 4; k++)
                (void)stj_log_read(log, i, k * stj_log_bytes(log, i) / 4, 1, &byte, NULL);
        (void)stj_log_truncate(log, 1, NULL);
    }
    stj_log_close(log);
    free(header);
}

/* ---- texts ---- */

static void config_target(void)
{
    struct stj_run_config config = {0};
    char *text = NULL;
    if (stj_run_config_read(path, NULL, &config, NULL) == STJ_OK)
        (void)stj_run_config_print(&config, &text, NULL);
    stj_run_config_free(&config);
    free(text);
}

/* Not a file, but from a stranger too: what the process of a problem says of itself. */
static void hello_target(void)
{
    struct stj_hello hello = {0};
    char *text = NULL;
    const size_t bytes = stj_file_bytes(path);
    FILE *file = fopen(path, "rb");
    if (file && stj_new(&text, bytes + 1, 1, NULL) == STJ_OK &&
        fread(text, 1, bytes, file) == bytes &&
        stj_hello_read(text, bytes, &hello, NULL) == STJ_OK) {
        if (!stj_hello_set(&hello, "train") || hello.n_params == 0)
            abort();
        stj_hello_free(&hello);
    }
    if (file)
        (void)fclose(file);
    free(text);
}

/* The same, and then its answers: `cat` gives what the input has, whatever is asked for. */
static void frames_target(void)
{
    char *command[] = {(char[]){"cat"}, path};
    char here[] = "/";
    const struct stj_process_config config = {
        .command = {.n = 2, .item = command}, .directory = here, .timeout = 5};
    struct stj_process *process = NULL;
    double theta[4] = {1, 2, 3, 4}, y[4] = {0}, loss = 0;
    real lin = 0, given[4] = {1, 2, 3, 4};
    struct stj_given_tangents tangents = {.given = STJ_GIVEN_WEIGHTS};
    struct stj_given_shape shape;
    if (stj_process_open(&config, &process, NULL) != STJ_OK)
        return;
    const struct stj_hello *hello = stj_process_hello(process);
    struct stj_tensor_shape tensor = {.rows = 1, .cols = hello->n_params};
    const struct stj_layout layout = {hello->n_params, 1, &tensor};
    struct stj_problem *problem = NULL;
    struct stj_slice slice = {.n = 1, .meeting = {.n_slices = 1}};
    const struct stj_named_set *set = stj_hello_set(hello, "train");
    if (hello->n_params <= 4 && stj_process_initial(process, 1, theta, NULL) == STJ_OK &&
        stj_process_problem_create(process, &layout, 3, &problem, NULL) == STJ_OK) {
        const struct stj_problem_ops *ops = problem->ops;
        (void)ops->linearize(problem->self, 0, slice, theta, &lin, &loss, y, NULL, NULL);
        (void)ops->hvp(problem->self, 0, slice, theta, &lin, 1, theta, y, NULL, NULL);
        (void)stj_process_loss(process, set, theta, &loss, NULL, NULL);
        (void)stj_process_loss(process, set, theta, &loss, y, NULL);
        if (ops->given(problem->self, STJ_GIVEN_WEIGHTS, &shape, NULL) == STJ_OK &&
            shape.n_samples <= 4) {
            slice.given = &tangents;
            tangents.dot = given;
            (void)ops->hvp(problem->self, 0, slice, theta, &lin, 1, theta, y, NULL, NULL);
            tangents.dot = NULL;
            tangents.bar = given;
            (void)ops->hvp(problem->self, 0, slice, theta, &lin, 1, theta, y, NULL, NULL);
        }
    }
    stj_problem_destroy(problem);
    stj_process_close(process);
}

static void manifest_target(void)
{
    struct stj_manifest manifest = {0};
    char *text = NULL;
    char *again = NULL;
    const size_t bytes = stj_file_bytes(path);
    if (stj_file_read_text(path, 1 << 20, &text, NULL) == STJ_OK &&
        stj_manifest_parse(text, bytes, &manifest, NULL) == STJ_OK &&
        stj_manifest_print(&manifest, &again, NULL) == STJ_OK &&
        (strlen(again) != bytes || memcmp(again, text, bytes) != 0))
        abort(); /* what is printed is what is parsed */
    stj_manifest_clear(&manifest);
    free(again);
    free(text);
}

static const struct target {
    const char *name, *file;
    void (*run)(void);
} targets[] = {
    {"config", "c.yaml", config_target},
    {"csv", "x.csv", arrays_target},
    {"csv-gz", "x.csv.gz", arrays_target},
    {"idx", "x-idx3-ubyte", arrays_target},
    {"npy", "x.npy", arrays_target},
    {"npz", "x.npz", arrays_target},
    {"safetensors", "x.safetensors", arrays_target},
    {"result", "x.h5", result_target},
    {"trajectory", "trajectory.h5", trajectory_target},
    {"log", "x.log", log_target},
    {"hello", "hello", hello_target},
    {"frames", "frames", frames_target},
    {"manifest", "manifest", manifest_target},
};

static const struct target *target;

static void clean_up(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("FUZZ_TARGET");
    (void)argc, (void)argv;
    for (size_t i = 0; name && i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i].name, name) == 0)
            target = &targets[i];
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/spectraj-fuzz-XXXXXX", place ? place : "/tmp");
    if (!target || !mkdtemp(folder)) {
        fprintf(stderr, "FUZZ_TARGET names no target, or there is no folder\n");
        exit(99);
    }
    snprintf(path, sizeof path, "%s/%s", folder, target->file);
    atexit(clean_up);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || stj_file_write_all(fd, data, size) != 0)
        abort();
    close(fd);
    target->run();
    return 0;
}
