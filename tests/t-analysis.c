/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-analysis.c: what every analysis in the registry owes, on a small run: a schema that makes sense, a
 * result that is read back as it was computed, and an answer at no cost when it is asked again.
 *
 * A new analysis is in these tests by its line in the registry; the names in the schemas are compared by
 * schema_names.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/analysis.h>
#include <spectraj/report.h>
#include <spectraj/run.h>

#include "analysis/analysis.h"
#include "expect.h"
#include "scratch.h"

enum { ROWS = 24, MOST_ITEMS = 256 };

static const char config[] = "data:\n"
                             "  train: {file: train.csv, label_column: 3}\n"
                             "  test: {file: train.csv, label_column: 3, first: 3, count: 9}\n"
                             "network:\n"
                             "  input: [3]\n"
                             "  layers:\n"
                             "    - {type: dense, units: 4}\n"
                             "    - {type: gelu}\n"
                             "    - {type: dense, units: 2}\n"
                             "  loss: softmax_cross_entropy\n"
                             "init: {seed: 5}\n"
                             "training:\n"
                             "  optimizer: {type: sgd, momentum: 0.9}\n"
                             "  learning_rate: {schedule: cosine, peak: 0.3}\n"
                             "  batch_size: 8\n"
                             "  epochs: 4\n";

/* A new run for each test: no analysis finds what another left. */
static struct stj_run *trained(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_run_train_settings settings = {.size = sizeof settings};
    struct stj_run *run = NULL;
    char text[ROWS * 80] = "";
    size_t used = 0;
    scratch_remove("R");
    for (size_t i = 0; i < ROWS; i++) {
        const double x = sin(1.7 * (double)i), y = cos(2.3 * (double)i);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.6f,%.6f,%.6f,%d\n", x, y,
                                 x * y, x + 0.5 * y > 0);
    }
    scratch_write_text("train.csv", text);
    scratch_write_text("c.yaml", config);
    EXPECT_OK(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, &run, &err), err);
    return run;
}

static const struct stj_analysis *analysis_at(int i)
{
    return (const struct stj_analysis *)stj_analyses.list[i];
}

static int count_analyses(void)
{
    int n = 0;
    while (stj_analyses.list[n])
        n++;
    return n;
}

/* ---- the schema ---- */

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

/* The name in the file of the single value at an offset, a length; "": there is none. */
static const char *length_in_file(const struct stj_analysis *a, size_t offset)
{
    for (const struct stj_field *f = a->schema; f->name; f++)
        if (!f->dim[0].name && f->offset == offset && f->kind == STJ_FIELD_COUNT)
            return f->file ? f->file : f->name;
    return "";
}

/* Two that a file has one length of are one dimension in it; one that goes by another name where
 * lengths differ is no other one where they do not. */
static bool is_same_dim(const struct stj_analysis *a, const struct stj_field_dim *d,
                        const struct stj_field_dim *e)
{
    const char *length = length_in_file(a, d->count);
    return d->label == e->label && (d->count == e->count || d->other || e->other ||
                                    (*length && strcmp(length, length_in_file(a, e->count)) == 0));
}

static void check_dims(const struct stj_analysis *a, const struct stj_field *f)
{
    size_t n_dims = 0, labels = 0;
    for (; n_dims < STJ_FIELD_DIMS && f->dim[n_dims].name; n_dims++) {
        const struct stj_field_dim *dim = &f->dim[n_dims];
        labels += dim->label != NULL;
        ck_assert_msg(dim->label || dim->count + sizeof(size_t) <= a->result_size,
                      "%s: the length of '%s' is outside of the result", a->info.name, f->name);
        for (const struct stj_field *g = a->schema; g->name; g++)
            for (size_t j = 0; j < STJ_FIELD_DIMS && g->dim[j].name; j++)
                ck_assert_msg(strcmp(g->dim[j].name, dim->name) != 0 ||
                                  is_same_dim(a, &g->dim[j], dim),
                              "%s: dimension '%s' of '%s' is another one in '%s'", a->info.name,
                              dim->name, f->name, g->name);
    }
    for (size_t j = n_dims; j < STJ_FIELD_DIMS; j++)
        ck_assert_msg(!f->dim[j].name, "%s: '%s' lacks its first dimension", a->info.name, f->name);
    ck_assert_msg(count_of(f->name, "*") <= labels &&
                      count_of(f->name, "*") + count_of(f->name, "[]") <= n_dims,
                  "%s: '%s' spells more dimensions than it has", a->info.name, f->name);
}

START_TEST(a_schema_makes_sense)
{
    const struct stj_analysis *a = analysis_at(_i);
    char name[STJ_FIELD_NAME_MAX], other[STJ_FIELD_NAME_MAX];
    ck_assert_msg(a->schema && a->schema[0].name && a->result_size > 0, "%s has no result",
                  a->info.name);
    ck_assert(a->info.doc && a->description && a->example && a->predict && a->compute);
    ck_assert(a->format.name && a->format.version > 0 && a->format.remedy);
    for (const struct stj_field *f = a->schema; f->name; f++) {
        check_dims(a, f);
        ck_assert_msg(f->doc && f->doc[0], "%s: '%s' has no meaning", a->info.name, f->name);
        ck_assert_msg(f->offset < a->result_size, "%s: '%s' is outside of the result", a->info.name,
                      f->name);
        ck_assert_msg((f->kind == STJ_FIELD_CHOICE) == (f->choices != NULL) &&
                          (f->kind == STJ_FIELD_NAME) == (f->names != NULL),
                      "%s: '%s' has the words of another kind", a->info.name, f->name);
        for (const struct stj_field *g = a->schema; g != f; g++)
            ck_assert_msg(
                strcmp(f->name, g->name) != 0 &&
                    (!stj_field_in(f, STJ_FIELD_IN_FILE) || !stj_field_in(g, STJ_FIELD_IN_FILE) ||
                     strcmp(stj_field_file_name(f, name), stj_field_file_name(g, other)) != 0),
                "%s: '%s' and '%s' have one name", a->info.name, f->name, g->name);
    }
}
END_TEST

/* ---- results ---- */

static struct stj_result *ask(struct stj_run *run, const struct stj_analysis *a, bool force)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_request *request = NULL;
    struct stj_result *result = NULL;
    EXPECT_OK(stj_request_create(a->info.name, &request, &err), err);
    if (force)
        EXPECT_OK(stj_request_set(request, "force", "true", &err), err);
    EXPECT_OK(stj_analyse(run, request, NULL, &result, &err), err);
    ck_assert_str_eq(stj_result_analysis(result), a->info.name);
    stj_request_destroy(request);
    return result;
}

/* Cut what lies between the two out of a text, the first of them included. */
static void cut(char *text, const char *from, const char *to)
{
    char *begin = strstr(text, from);
    ck_assert_msg(begin, "the object lacks '%s': %s", from, text);
    char *end = strstr(begin, to);
    ck_assert_msg(end, "the object lacks '%s': %s", to, text);
    memmove(begin, end, strlen(end) + 1);
}

/* The JSON object without what is told of this request alone: products, memory, checks. */
static char *lasting_json(const struct stj_result *result)
{
    struct stj_error err = STJ_ERROR_INIT;
    char *text = NULL;
    EXPECT_OK(stj_result_json(result, &text, &err), err);
    cut(text, "\"applications\": ", "\"spent\": ");
    char *rest = strstr(text, ", \"trajectory\": "); /* the last three: this, cost, self_check */
    ck_assert_msg(rest, "the object does not end with its costs: %s", text);
    *rest = '\0';
    return text;
}

static void expect_free_answer(const struct stj_result *result)
{
    ck_assert(stj_result_is_stored(result));
    ck_assert(stj_result_number(result, "applications.jvp") == 0);
    ck_assert(stj_result_number(result, "applications.vjp") == 0);
    ck_assert(stj_result_number(result, "applications.replayed") == 0);
}

static void expect_same_numbers(const struct stj_result *a, const struct stj_result *b,
                                const char *name)
{
    struct stj_error err = STJ_ERROR_INIT;
    double *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    EXPECT_OK(stj_result_numbers(a, name, &x, &n, &err), err);
    EXPECT_OK(stj_result_numbers(b, name, &y, &m, &err), err);
    ck_assert_msg(n == m, "'%s' has %zu numbers, read back %zu", name, n, m);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(x[i] == y[i] || (isnan(x[i]) && isnan(y[i])),
                      "'%s', number %zu, is %.17g, read back %.17g", name, i, x[i], y[i]);
    free(x);
    free(y);
}

/* An item of the computed result and the same of what was read. */
static void expect_same_item(const struct stj_result *a, const struct stj_result *b, size_t i)
{
    struct stj_result_item x, y;
    ck_assert(stj_result_get_item(a, i, &x) && stj_result_get_item(b, i, &y));
    ck_assert_str_eq(x.name, y.name);
    ck_assert_msg(x.n_dims == y.n_dims && x.n[0] == y.n[0] && x.n[1] == y.n[1],
                  "'%s' is %zu by %zu, read back %zu by %zu", x.name, x.n[0], x.n[1], y.n[0],
                  y.n[1]);
    ck_assert_msg(!x.text == !y.text && (!x.text || strcmp(x.text, y.text) == 0),
                  "'%s' is '%s', read back '%s'", x.name, x.text ? x.text : "",
                  y.text ? y.text : "");
    if (x.n_dims > 0) {
        expect_same_numbers(a, b, x.name);
    } else if (strncmp(x.name, "applications.", strlen("applications.")) != 0) {
        const double p = stj_result_number(a, x.name), q = stj_result_number(b, x.name);
        ck_assert_msg(p == q || (isnan(p) && isnan(q)), "'%s' is %.17g, read back %.17g", x.name, p,
                      q);
    }
}

static void expect_same_result(const struct stj_result *a, const struct stj_result *b)
{
    struct stj_result_item item;
    size_t n = 0;
    char *x = lasting_json(a), *y = lasting_json(b);
    ck_assert_str_eq(x, y);
    free(x);
    free(y);
    for (; stj_result_get_item(a, n, &item); n++)
        expect_same_item(a, b, n);
    ck_assert(n > 0 && n < MOST_ITEMS && !stj_result_get_item(b, n, &item));
}

/* Arrays along a dimension are of one length: the columns of a table, the names of xarray. */
static void expect_one_length(const struct stj_result *result)
{
    struct stj_result_item x, y;
    for (size_t i = 0; stj_result_get_item(result, i, &x); i++)
        for (size_t k = 0; k < i && stj_result_get_item(result, k, &y); k++)
            for (size_t j = 0; j < x.n_dims * y.n_dims; j++) {
                const size_t p = j % x.n_dims, q = j / x.n_dims;
                ck_assert_msg(strcmp(x.dim[p], y.dim[q]) != 0 || x.n[p] == y.n[q],
                              "'%s' is %zu long in '%s', %zu in '%s'", x.dim[p], x.n[p], x.name,
                              y.n[q], y.name);
            }
}

/* name <- "R/FILE" of a result; base <- FILE without its ending. */
static void file_of(const struct stj_result *result, char name[128], char base[128])
{
    const char *file = stj_result_text(result, "file");
    ck_assert(file && strlen(file) > strlen(".h5") && strlen(file) < 100);
    snprintf(name, 128, "R/%s", file);
    snprintf(base, 128, "%.*s", (int)(strlen(file) - strlen(".h5")), file);
}

START_TEST(a_result_is_kept_as_it_was_computed)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_analysis *a = analysis_at(_i);
    struct stj_run *run = trained();
    struct stj_result *computed = ask(run, a, false), *read = NULL;
    char name[128], base[128];
    size_t n = 0, m = 0;
    file_of(computed, name, base);
    ck_assert(!stj_result_is_stored(computed));
    ck_assert(stj_result_number(computed, "applications.jvp") +
                  stj_result_number(computed, "applications.vjp") >
              0);
    ck_assert(stj_result_is_complete(computed, NULL));
    ck_assert_msg(scratch_count("R") == 3, "%zu files beside %s: the run has two",
                  scratch_count("R") - 1, name);
    unsigned char *before = scratch_read(name, &n);
    expect_one_length(computed);

    struct stj_result *again = ask(run, a, false);
    expect_free_answer(again);
    expect_same_result(computed, again);
    stj_result_destroy(again);

    /* Another process opens the run anew, and may read without asking. */
    stj_run_destroy(run);
    EXPECT_OK(stj_run_open(scratch_path("R"), &run, &err), err);
    again = ask(run, a, false);
    expect_free_answer(again);
    expect_same_result(computed, again);
    EXPECT_OK(stj_result_read(run, base, NULL, &read, &err), err);
    ck_assert_msg(read, "%s is not found by its name", base);
    expect_free_answer(read);
    ck_assert_str_eq(stj_result_text(read, "request"), stj_result_text(computed, "request"));
    expect_one_length(read);

    unsigned char *after = scratch_read(name, &m);
    ck_assert_msg(n == m && memcmp(before, after, n) == 0, "asking again changed %s", name);
    ck_assert_uint_eq(scratch_count("R"), 3);
    free(before);
    free(after);
    stj_result_destroy(read);
    stj_result_destroy(again);
    stj_result_destroy(computed);
    stj_run_destroy(run);
}
END_TEST

START_TEST(a_result_is_computed_again_when_that_is_asked)
{
    const struct stj_analysis *a = analysis_at(_i);
    struct stj_run *run = trained();
    struct stj_result *first = ask(run, a, false), *forced = ask(run, a, true);
    ck_assert(!stj_result_is_stored(forced));
    ck_assert(stj_result_number(forced, "applications.jvp") ==
              stj_result_number(first, "applications.jvp"));
    ck_assert_str_eq(stj_result_text(forced, "file"), stj_result_text(first, "file"));
    ck_assert_str_eq(stj_result_text(forced, "request"), stj_result_text(first, "request"));
    ck_assert_uint_eq(scratch_count("R"), 3);
    stj_result_destroy(forced);
    stj_result_destroy(first);
    stj_run_destroy(run);
}
END_TEST

/* ---- operators by themselves ---- */

/* A x of a 7 x 5 matrix with `scale` (i + 1) on its diagonal and zeros elsewhere, and a count of the products that are
 * left before one fails. */
struct diagonal {
    double scale;
    size_t left;
};

static enum stj_status multiply_diagonal(void *ctx, enum stj_trans trans, size_t nvec,
                                         const double *x, size_t ldx, double *y, size_t ldy,
                                         struct stj_error *err)
{
    struct diagonal *d = ctx;
    const size_t n_out = trans == STJ_NO_TRANS ? 7 : 5;
    if (d->left-- == 0)
        return stj_error_set(err, STJ_EINTERRUPTED, __FILE__, __LINE__, "enough");
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < n_out; i++)
            y[j * ldy + i] = i < 5 ? d->scale * (double)(i + 1) * x[j * ldx + i] : 0;
    return STJ_OK;
}

static enum stj_status solve_diagonal(struct diagonal *d, const char *seed, const char *journal,
                                      struct stj_result **result, struct stj_error *err)
{
    struct stj_op *op = NULL;
    struct stj_request *request = NULL;
    EXPECT_OK(stj_op_create(7, 5, multiply_diagonal, NULL, d, &op, err), *err);
    EXPECT_OK(stj_request_create("svd", &request, err), *err);
    EXPECT_OK(stj_request_set(request, "top", "2", err), *err);
    EXPECT_OK(stj_request_set(request, "method", "arpack", err), *err);
    EXPECT_OK(stj_request_set(request, "seed", seed, err), *err);
    const enum stj_status st = stj_analyse_op(op, request, journal, NULL, result, err);
    stj_request_destroy(request);
    stj_op_destroy(op);
    return st;
}

START_TEST(an_operator_has_results_by_name)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct diagonal d = {2, SIZE_MAX};
    struct stj_result *result = NULL;
    double *u = NULL, *sigma = NULL;
    size_t n = 0;
    EXPECT_OK(solve_diagonal(&d, "0", NULL, &result, &err), err);
    EXPECT_OK(stj_result_numbers(result, "top.sigma", &sigma, &n, &err), err);
    ck_assert_uint_eq(n, 2); /* residuals of 1e-10 sigma_1 are worth more in a symmetric problem */
    ck_assert(fabs(sigma[0] - 10) < 1e-9 && fabs(sigma[1] - 8) < 1e-9);
    EXPECT_OK(stj_result_numbers(result, "top.u", &u, &n, &err), err);
    ck_assert_uint_eq(n, 2 * 7);
    ck_assert(fabs(fabs(u[4]) - 1) < 1e-9 && fabs(fabs(u[7 + 3]) - 1) < 1e-9);
    ck_assert(stj_result_is_complete(result, NULL));
    ck_assert_ptr_null(stj_result_text(result, "file"));
    stj_free(u);
    stj_free(sigma);
    stj_result_destroy(result);
}
END_TEST

START_TEST(a_journal_goes_on_and_knows_its_operator)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_result *result = NULL;
    struct diagonal d = {2, 3};
    scratch_remove("d.journal");
    /* 1. interrupted by its third product: two are kept */
    ck_assert_int_eq(solve_diagonal(&d, "0", scratch_path("d.journal"), &result, &err),
                     STJ_EINTERRUPTED);
    ck_assert_msg(strstr(err.text, "products are kept in"), "%s", err.text);
    stj_error_clear(&err);
    /* 2. another operator, another question, and what is no journal, are refused */
    d = (struct diagonal){3, SIZE_MAX};
    ck_assert_int_eq(solve_diagonal(&d, "0", scratch_path("d.journal"), &result, &err),
                     STJ_EMISMATCH);
    ck_assert_msg(strstr(err.text, "of another operator"), "%s", err.text);
    stj_error_clear(&err);
    d = (struct diagonal){2, SIZE_MAX};
    ck_assert_int_eq(solve_diagonal(&d, "1", scratch_path("d.journal"), &result, &err),
                     STJ_EMISMATCH);
    stj_error_clear(&err);
    scratch_write_text("mine.txt", "not a journal");
    ck_assert_int_eq(solve_diagonal(&d, "0", scratch_path("mine.txt"), &result, &err), STJ_EFORMAT);
    stj_error_clear(&err);
    /* 3. and the same goes on from them */
    EXPECT_OK(solve_diagonal(&d, "0", scratch_path("d.journal"), &result, &err), err);
    ck_assert(stj_result_number(result, "applications.replayed") >= 2);
    ck_assert(fabs(stj_result_number(result, "top.sigma_1") - 10) < 1e-9);
    stj_result_destroy(result);
}
END_TEST

START_TEST(what_is_not_stored_can_be_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = trained();
    struct stj_request *request = NULL;
    struct stj_result *result = NULL;
    EXPECT_OK(stj_request_create("svd", &request, &err), err);
    EXPECT_OK(stj_request_set(request, "top", "3", &err), err);
    EXPECT_OK(stj_request_set(request, "stored", "true", &err), err);
    ck_assert_int_eq(stj_analyse(run, request, NULL, &result, &err), STJ_EINVAL);
    ck_assert_msg(strstr(err.text, "spectraj svd") && strstr(err.text, "--top 3"), "%s", err.text);
    stj_request_destroy(request);
    stj_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analyses");
    TCase *tc = tcase_create("conformance");
    const int n = count_analyses();
    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, scratch_begin, scratch_end);
    tcase_add_loop_test(tc, a_schema_makes_sense, 0, n);
    tcase_add_loop_test(tc, a_result_is_kept_as_it_was_computed, 0, n);
    tcase_add_loop_test(tc, a_result_is_computed_again_when_that_is_asked, 0, n);
    tcase_add_test(tc, an_operator_has_results_by_name);
    tcase_add_test(tc, a_journal_goes_on_and_knows_its_operator);
    tcase_add_test(tc, what_is_not_stored_can_be_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
