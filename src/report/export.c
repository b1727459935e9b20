/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/export.c: the arrays of a result file as CSV or NPY files, one for each.
 *
 * RESULT-NAME.csv has a line for each row of the array, numbers with 17 digits and commas between
 * them; RESULT-NAME.npy is NumPy's format 1.0, float64 or uint64, C order.  Numbers and texts of
 * the file go to RESULT-attributes.csv as "name,value".
 */
#include <spectraj/report.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/store.h"
#include "base/error.h"
#include "io/file.h"
#include "io/h5.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/contents.h"

/* One array on its way out. */
struct export
{
    struct stj_h5 *in;
    struct stj_h5_item_info item;
    enum stj_export_format format;
    FILE *out;
};

static void write_npy_header(const struct export *e)
{
    char text[128];
    char shape[64];
    if (e->item.kind == STJ_H5_MATRIX)
        snprintf(shape, sizeof shape, "(%zu, %zu)", e->item.rows, e->item.cols);
    else
        snprintf(shape, sizeof shape, "(%zu,)", e->item.rows);
    /* Magic, version and length take 10 bytes; with the text, padded, it is 128 in all. */
    const int length =
        snprintf(text, sizeof text, "{'descr': '<%s8', 'fortran_order': False, 'shape': %s, }",
                 e->item.kind == STJ_H5_UNSIGNED ? "u" : "f", shape);
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, e->out);
    fprintf(e->out, "%-*s\n", 117, length > 0 ? text : "");
}

static void write_row(const struct export *e, size_t n, const double *value)
{
    if (e->format == STJ_EXPORT_NPY) {
        fwrite(value, sizeof *value, n, e->out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        fprintf(e->out, "%s%.17g", i ? "," : "", value[i]);
    fputc('\n', e->out);
}

static enum stj_status write_matrix(const struct export *e, struct stj_error *err)
{
    STJ_FREED double *row = NULL;
    STJ_MUST(stj_h5_expect(e->in, e->item.name, e->item.rows, e->item.cols, err));
    STJ_MUST(stj_new(&row, e->item.cols, sizeof *row, err));
    for (size_t i = 0; i < e->item.rows; i++) {
        STJ_MUST(stj_h5_get_rows(e->in, e->item.name, i, 1, e->item.cols, row, e->item.cols, err));
        write_row(e, e->item.cols, row);
    }
    return STJ_OK;
}

static enum stj_status write_reals(const struct export *e, struct stj_error *err)
{
    STJ_FREED double *value = NULL;
    STJ_MUST(stj_h5_expect(e->in, e->item.name, e->item.rows, 1, err));
    STJ_MUST(stj_new(&value, e->item.rows, sizeof *value, err));
    STJ_MUST(stj_h5_get_vector(e->in, e->item.name, e->item.rows, value, err));
    for (size_t i = 0; i < e->item.rows; i++)
        write_row(e, 1, value + i);
    return STJ_OK;
}

static enum stj_status write_unsigneds(const struct export *e, struct stj_error *err)
{
    STJ_FREED uint64_t *value = NULL;
    STJ_MUST(stj_h5_expect(e->in, e->item.name, e->item.rows, 1, err));
    STJ_MUST(stj_new(&value, e->item.rows, sizeof *value, err));
    STJ_MUST(stj_h5_get_unsigneds(e->in, e->item.name, e->item.rows, value, err));
    if (e->format == STJ_EXPORT_NPY)
        fwrite(value, sizeof *value, e->item.rows, e->out);
    for (size_t i = 0; e->format == STJ_EXPORT_CSV && i < e->item.rows; i++)
        fprintf(e->out, "%" PRIu64 "\n", value[i]);
    return STJ_OK;
}

/* A file that is whole or absent, filled by `write`. */
typedef enum stj_status (*write_fn)(const struct export *e, struct stj_error *err);
static enum stj_status write_file(struct export *e, const char *path, write_fn write,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *temporary = NULL;
    STJ_TRY(stj_file_temporary(path, &temporary, err));
    e->out = stj_file_create_stream(temporary);
    if (!e->out) {
        st = stj_file_failed(path, "written", errno, err);
        goto out;
    }
    if (e->format == STJ_EXPORT_NPY)
        write_npy_header(e);
    st = write(e, err);
    int failed = ferror(e->out);
    failed |= fclose(e->out);
    if (st != STJ_OK || failed) {
        remove(temporary);
        STJ_TRY(st);
        st = stj_file_failed(path, "written", errno, err);
        goto out;
    }
    STJ_TRY(stj_file_commit(temporary, path, err));
out:
    free(temporary);
    return st;
}

/* Every number and text of the file, one a line. */
static enum stj_status write_attributes(const struct export *e, struct stj_error *err)
{
    struct stj_h5_item_info item;
    STJ_FREED char *text = NULL;
    fputs("name,value\n", e->out);
    for (size_t i = 0; stj_h5_item_at(e->in, i, &item); i++) {
        double real = 0;
        uint64_t whole = 0;
        if (item.name[0] != '@')
            continue;
        if (item.kind == STJ_H5_REAL) {
            STJ_MUST(stj_h5_get_real(e->in, item.name, &real, err));
            fprintf(e->out, "%s,%.17g\n", item.name + 1, real);
        } else if (item.kind == STJ_H5_UNSIGNED) {
            STJ_MUST(stj_h5_get_unsigned(e->in, item.name, &whole, err));
            fprintf(e->out, "%s,%" PRIu64 "\n", item.name + 1, whole);
        } else {
            STJ_MUST(stj_h5_get_text(e->in, item.name, &text, err));
            fprintf(e->out, "%s,\"", item.name + 1);
            for (const char *p = text; *p; p++)
                fprintf(e->out, *p == '"' ? "\"\"" : "%c", *p);
            fputs("\"\n", e->out);
            free(text);
            text = NULL;
        }
    }
    return STJ_OK;
}

static enum stj_status export_item(struct export *e, const char *dir, const char *result,
                                   const char *what, write_fn write, const char *ending, FILE *told,
                                   struct stj_error *err)
{
    struct stj_text_output text;
    char name[256];
    STJ_FREED char *path = NULL;
    snprintf(name, sizeof name, "%.100s-%.100s.%s", result, what, ending);
    STJ_NEED(err, !strchr(name, '/'), STJ_EFORMAT,
             "an array of the result %s is named '%s', which no file can be", result, what);
    STJ_MUST(stj_path_join(dir, name, &path, err));
    STJ_MUST(write_file(e, path, write, err));
    if (stj_text_begin(&text))
        fprintf(text.file, "%s\n", path);
    return stj_text_end(&text, told, err);
}

static enum stj_status export_result(const char *run_dir, const char *result,
                                     enum stj_export_format format, const char *dir, FILE *told,
                                     struct stj_error *err)
{
    static const write_fn write_of[] = {[STJ_H5_REAL] = write_reals,
                                        [STJ_H5_UNSIGNED] = write_unsigneds,
                                        [STJ_H5_MATRIX] = write_matrix};
    STJ_HELD(stj_h5_close_at) struct stj_h5 *in = NULL;
    STJ_FREED char *path = NULL;
    char name[256];
    snprintf(name, sizeof name, "%.200s.h5", result);
    STJ_MUST(stj_path_join(run_dir, name, &path, err));
    STJ_NEED(err, !strchr(result, '/') && stj_file_exists(path), STJ_EINVAL,
             "%s holds no result '%s' (spectraj info lists them)", run_dir, result);
    STJ_MUST(stj_h5_open(path, &stj_any_result_format, &in, err));
    struct export e = {.in = in, .format = format};
    for (size_t i = 0; stj_h5_item_at(e.in, i, &e.item); i++)
        if (e.item.name[0] != '@' && e.item.kind != STJ_H5_TEXT)
            STJ_MUST(export_item(&e, dir, result, e.item.name, write_of[e.item.kind],
                                 format == STJ_EXPORT_NPY ? "npy" : "csv", told, err));
    e.format = STJ_EXPORT_CSV;
    return export_item(&e, dir, result, "attributes", write_attributes, "csv", told, err);
}

static bool has_result(const struct stj_contents *c, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < c->n_results; i++)
        if (strncmp(c->result[i].name, name, n) == 0 && strcmp(c->result[i].name + n, ".h5") == 0)
            return true;
    return false;
}

enum stj_status stj_report_export(FILE *out, struct stj_run *run, const char *result,
                                  enum stj_export_format format, const char *dir,
                                  struct stj_error *err)
{
    char whole[STJ_RESULT_NAME_BYTES];
    STJ_NOT_NULL(err, out, run, dir);
    STJ_HELD(stj_contents_free) struct stj_contents contents = {.n_results = 0};
    STJ_MUST(stj_contents_of(run, &contents, err));
    STJ_NEED(err, mkdir(dir, 0777) == 0 || errno == EEXIST, STJ_EIO,
             "%s: cannot be made a folder: %s", dir, strerror(errno));
    if (result && !has_result(&contents, result))
        result = stj_result_of_whole(run, result, whole);
    if (result)
        return export_result(contents.info.dir, result, format, dir, out, err);
    STJ_NEED(err, contents.n_results > 0, STJ_EINVAL, "%s holds no results yet", contents.info.dir);
    for (size_t i = 0; i < contents.n_results; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.250s", contents.result[i].name);
        char *end = strrchr(name, '.');
        if (end && strcmp(end, ".h5") == 0)
            *end = '\0';
        STJ_MUST(export_result(contents.info.dir, name, format, dir, out, err));
    }
    return STJ_OK;
}
