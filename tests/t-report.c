/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-report.c: reports and figures of results made by hand. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spectraj/report.h>
#include <spectraj/trace.h>

#include "analysis/analyses.h"
#include "analysis/charts.h"
#include "analysis/print.h"
#include "base/error.h"
#include "base/text.h"
#include "expect.h"
#include "report/gnuplot.h"
#include "report/json.h"
#include "report/plot.h"
#include "report/text.h"
#include "temp_files.h"

static struct stj_error err;

/* What a terminal takes as a command does not reach it; letters of any alphabet do. */
START_TEST(text_of_others_has_no_control_characters)
{
    static const struct {
        const char *text, *clean;
    } row[] = {
        {"plain text, \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", NULL},
        {"\x1B[31m\a\b\t\x7F", "?[31m????"},
        {"a\nb\r\n", "a\nb?\n"},
        {"\xC2\x9B"
         "31m\xC2\xA0",
         "?31m\xC2\xA0"}, /* CSI, and a blank */
        {"\xE2\x80\xAE"
         "a\xE2\x80\x8B"
         "b",
         "?a?b"}, /* right to left, no width */
        {"\x9B"
         "31m \xE9 \xC3",
         "?31m \xE9 \xC3"},                        /* bytes of Latin-1 */
        {"\xC0\x9B \xE0\x82\x9B", "\xC0? \xE0??"}, /* the same in too many bytes */
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const char *clean = row[i].clean ? row[i].clean : row[i].text;
        struct stj_text_output output;
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        ck_assert(stream && stj_text_begin(&output));
        fputs(row[i].text, output.file);
        EXPECT_OK(stj_text_end(&output, stream, &err), err);
        fclose(stream);
        ck_assert_str_eq(text, clean);
        free(text);
    }
    stj_error_set(&err, STJ_EIO, __FILE__, __LINE__, "a%s", "\n\x1B[0m");
    stj_error_prefix(&err, "%s", "b\r");
    ck_assert_str_eq(err.text, "b?: a??[0m");
    stj_error_clear(&err);
}
END_TEST

/* Print the object and read it back, as a user's program would; the object is dropped. */
static json_t *round_trip(json_t *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    EXPECT_OK(stj_json_print(stream, object, &err), err);
    fclose(stream);
    ck_assert_msg(size > 1 && strchr(text, '\n') == text + size - 1, "not one line: %s", text);
    json_t *back = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(back != NULL, "not JSON: %s", text);
    ck_assert_int_eq(json_integer_value(json_object_get(back, "schema")), 1);
    free(text);
    json_decref(object);
    return back;
}

static const json_t *item(const json_t *object, const char *key, size_t i)
{
    return json_array_get(json_object_get(object, key), i);
}

/* What a text writer prints; free it. */
#define TEXT_OF(call)                                                                              \
    __extension__({                                                                                \
        char *text_of = NULL;                                                                      \
        size_t text_size = 0;                                                                      \
        FILE *stream = open_memstream(&text_of, &text_size);                                       \
        ck_assert_ptr_nonnull(stream);                                                             \
        call;                                                                                      \
        fclose(stream);                                                                            \
        text_of;                                                                                   \
    })

static void expect_part(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
}

static struct stj_result *result_of(const char *analysis, size_t n_params)
{
    struct stj_result *r = NULL;
    EXPECT_OK(stj_result_create(stj_analysis_find(analysis), &r, &err), err);
    r->about.n_params = n_params;
    return r;
}

/* Where a struct that a result is made of has a field. */
static void *place_of(struct stj_result *r, const char *name, const struct stj_field **field)
{
    const void *data = NULL;
    *field = stj_result_find(r, name, &data);
    ck_assert_msg(*field && data == r->data, "%s has no field %s", r->analysis->info.name, name);
    return (char *)r->data + (*field)->offset;
}

/* A single real number, which is measured thereby. */
static void set_real(struct stj_result *r, const char *name, double x)
{
    const struct stj_field *field = NULL;
    double *place = place_of(r, name, &field);
    ck_assert(field->kind == STJ_FIELD_REAL && !field->dim[0].name);
    *place = x;
    if (field->present)
        *((bool *)r->data + field->present) = true;
}

/* An array of n entries, of `size` bytes in all; it is copied, since a result owns its arrays. */
static void set_array(struct stj_result *r, const char *name, size_t n, const void *x, size_t size)
{
    const struct stj_field *field = NULL;
    void **place = place_of(r, name, &field);
    void *copy = x ? malloc(size) : NULL;
    ck_assert(field->dim[0].name && !field->dim[0].label && (copy || !x));
    if (x)
        memcpy(copy, x, size);
    *place = copy;
    *(size_t *)(void *)((char *)r->data + field->dim[0].count) = n;
}

static void set_reals(struct stj_result *r, const char *name, size_t n, const double *x)
{
    set_array(r, name, n, x, n * sizeof *x);
}

/* The object of a result, which is gone then, as a user's program reads it. */
static json_t *json_of(struct stj_result *r)
{
    json_t *made = NULL;
    EXPECT_OK(stj_json_result(r, &made, &err), err);
    stj_result_destroy(r);
    return round_trip(made);
}

static struct stj_result *svd_result(const double *sigma, const double *residual,
                                     const double *cosine, size_t k)
{
    struct stj_result *r = result_of("svd", 7);
    struct stj_svd_result *svd = r->data;
    *svd = (struct stj_svd_result){.n_params = 7,
                                   .requested = 3,
                                   .converged = k,
                                   .products = 12,
                                   .top = {.n_rows = 7, .n_cols = 7},
                                   .stop = STJ_STOP_MAX_APPLICATIONS,
                                   .seed = 42,
                                   .residual_excess = 2.5,
                                   .ncv = 6,
                                   .tol = 1e-10,
                                   .method = "arpack"};
    set_reals(r, "top.sigma", k, sigma);
    set_reals(r, "top.residual", k, residual);
    set_reals(r, "top.cosine", k, cosine);
    r->about.counts = (struct stj_op_counts){.jvp = 12.5, .vjp = 12, .replayed = 0, .seconds = 1};
    r->about.seconds = 1.5;
    return r;
}

START_TEST(svd_json_keeps_every_bit_and_every_key)
{
    /* 1/3 and its neighbour differ in the 17th digit only. */
    const double sigma[2] = {1.0 / 3, nextafter(1.0 / 3, 0)}, residual[2] = {5e-324, HUGE_VAL};
    const double cosine[2] = {(double)NAN, -1};
    json_t *o = json_of(svd_result(sigma, residual, cosine, 2));
    const json_t *top = json_object_get(o, "top");
    const json_t *bottom = json_object_get(o, "bottom");
    const json_t *applications = json_object_get(o, "applications");

    ck_assert_str_eq(json_string_value(json_object_get(o, "analysis")), "svd");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "n_params")), 7);
    ck_assert(json_real_value(item(top, "sigma", 0)) == sigma[0]);
    ck_assert(json_real_value(item(top, "sigma", 1)) == sigma[1]);
    ck_assert(json_real_value(item(top, "residual", 0)) == residual[0]);
    ck_assert(json_is_null(item(top, "residual", 1)));
    ck_assert(json_is_null(item(top, "cosine", 0)));
    ck_assert_int_eq(json_integer_value(json_object_get(top, "requested")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(top, "converged")), 2);
    ck_assert(json_is_integer(json_object_get(top, "products")));
    ck_assert(json_real_value(json_object_get(top, "residual_excess")) == 2.5);
    ck_assert(json_is_null(json_object_get(top, "above")));
    ck_assert(json_is_null(json_object_get(top, "outside")));
    ck_assert(json_is_null(json_object_get(top, "density")));
    ck_assert(json_is_integer(json_object_get(applications, "vjp")));
    ck_assert(json_real_value(json_object_get(applications, "jvp")) == 12.5);
    ck_assert(json_is_integer(json_object_get(applications, "replayed")));
    ck_assert(json_real_value(json_object_get(o, "seconds")) == 1.5);
    ck_assert_str_eq(json_string_value(json_object_get(o, "stop")), "max_applications");
    ck_assert_str_eq(json_string_value(json_object_get(o, "method")), "arpack");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "seed")), 42);

    /* Nothing was asked for at the other end: empty, not missing. */
    ck_assert_int_eq(json_integer_value(json_object_get(bottom, "requested")), 0);
    ck_assert(json_is_array(json_object_get(bottom, "sigma_bound")));
    ck_assert_uint_eq(json_array_size(json_object_get(bottom, "sigma_bound")), 0);
    ck_assert(json_is_array(json_object_get(bottom, "residual")));
    ck_assert_ptr_nonnull(json_object_get(bottom, "floor"));
    json_decref(o);
}
END_TEST

START_TEST(svd_json_with_nothing_converged_and_a_huge_seed)
{
    struct stj_result *r = svd_result(NULL, NULL, NULL, 0);
    struct stj_svd_result *svd = r->data;
    svd->seed = UINT64_MAX;
    svd->method = NULL;
    json_t *o = json_of(r);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(o, "top"), "sigma")), 0);
    ck_assert_str_eq(json_string_value(json_object_get(o, "seed")), "18446744073709551615");
    ck_assert(json_is_null(json_object_get(o, "method")));
    json_decref(o);
}
END_TEST

static void set_count(struct stj_result *r, const char *name, size_t x)
{
    const struct stj_field *field = NULL;
    size_t *place = place_of(r, name, &field);
    ck_assert(field->kind == STJ_FIELD_COUNT && !field->dim[0].name);
    *place = x;
}

static struct stj_result *dense_result(const double *sigma, const double *cosine, size_t n)
{
    struct stj_result *r = result_of("dense", n);
    const struct stj_regions regions = stj_regions_count(n, sigma, 0.1);
    set_reals(r, "sigma", n, sigma);
    set_reals(r, "cosine", n, cosine);
    set_count(r, "regions.chaotic", regions.chaotic);
    set_count(r, "regions.bulk", regions.bulk);
    set_count(r, "regions.stable", regions.stable);
    set_real(r, "epsilon", 0.1);
    set_real(r, "seconds_build", 2);
    set_real(r, "seconds_svd", 3);
    return r;
}

START_TEST(dense_json)
{
    const double sigma[4] = {3, 1, 0.5, 0}, cosine[4] = {0.5, 1, 0, (double)NAN};
    json_t *o = json_of(dense_result(sigma, cosine, 4));
    const json_t *regions = json_object_get(o, "regions");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "n_params")), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert(json_number_value(item(o, "sigma", i)) == sigma[i]);
    ck_assert(json_number_value(item(o, "cosine", 0)) == 0.5 && json_is_null(item(o, "cosine", 3)));
    ck_assert(json_number_value(json_object_get(o, "epsilon")) == 0.1);
    ck_assert_int_eq(json_integer_value(json_object_get(regions, "chaotic")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(regions, "bulk")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(regions, "stable")), 2);
    ck_assert(json_number_value(json_object_get(o, "seconds_build")) == 2);
    ck_assert(json_number_value(json_object_get(o, "seconds_svd")) == 3);
    json_decref(o);
}
END_TEST

/* With one bin between edges, and one functional of which the error is not known. */
static struct stj_result *density_result(void)
{
    const struct stj_density_count count = {5, 4, 6, 3, 7, 0.5, 0.25};
    const double edge[] = {0.5, (double)INFINITY};
    struct stj_result *r = result_of("density", 15);
    *(struct stj_density_result *)(uintptr_t)stj_analysis_density_of(r) =
        (struct stj_density_result){
            .n_params = 15,
            .regions = {.epsilon = 0.1, .chaotic = count, .bulk = count, .stable = count},
            .missed_above = {.compared = true, .sigma = 1.5, .estimate = 2, .low = 1},
        };
    set_real(r, "functionals.log_volume.value", -2);
    set_real(r, "functionals.log_volume.error", (double)INFINITY);
    set_array(r, "between[].from", 1, edge, sizeof edge);
    set_array(r, "between[].count.estimate", 1, &count, sizeof count);
    return r;
}

START_TEST(density_json_has_null_for_what_is_unknown)
{
    struct stj_result *r = density_result();
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    EXPECT_OK(stj_report_result(stream, STJ_REPORT_TEXT, r, &err), err);
    fclose(stream);
    ck_assert_msg(strstr(text, "missing: about 2.0"), "no warning in:\n%s", text);
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);

    json_t *o = json_of(r);
    const json_t *part = json_object_get(json_object_get(o, "regions"), "stable");
    ck_assert(json_real_value(json_object_get(part, "enclosure_high")) == 7);
    part = json_object_get(json_object_get(o, "functionals"), "log_volume");
    ck_assert(json_real_value(json_object_get(part, "value")) == -2);
    ck_assert(json_is_null(json_object_get(part, "error")));
    part = json_object_get(o, "known");
    ck_assert(json_real_value(json_object_get(json_object_get(part, "missed_above"), "sigma")) ==
              1.5);
    ck_assert(json_is_null(json_object_get(json_object_get(part, "missed_below"), "sigma")));
    part = item(o, "between", 0);
    ck_assert(json_real_value(json_object_get(part, "from")) == 0.5);
    ck_assert(json_is_null(json_object_get(part, "to")));
    ck_assert(json_real_value(json_object_get(json_object_get(part, "count"), "low")) == 4);
    ck_assert(json_is_array(json_object_get(o, "curve")));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "curve")), 0);
    ck_assert_ptr_null(json_object_get(o, "gap"));
    json_decref(o);
}
END_TEST

/* The table and the object that a schema alone makes. */
START_TEST(texts_of_a_schema)
{
    struct stj_result *r = result_of("trace", 7);
    *(struct stj_trace_result *)r->data =
        (struct stj_trace_result){.function = STJ_TRACE_DEVIATION,
                                  .method = "xtrace",
                                  .value = 2.5,
                                  .error = 0.5,
                                  .low = 1.5,
                                  .high = (double)INFINITY,
                                  .confidence = 0.9,
                                  .products = 6,
                                  .samples = 3,
                                  .seed = ((uint64_t)1 << 53) + 1};
    char *text = TEXT_OF(stj_print_fields(stream, r));
    expect_part(text, " deviation\n");
    expect_part(text, " 2.5\n");
    expect_part(text, " -\n"); /* the end of the interval that is not a number */
    expect_part(text, " 9007199254740993\n");
    free(text);
    json_t *o = json_of(r);
    ck_assert_str_eq(json_string_value(json_object_get(o, "analysis")), "trace");
    ck_assert_str_eq(json_string_value(json_object_get(o, "function")), "deviation");
    ck_assert_str_eq(json_string_value(json_object_get(o, "method")), "xtrace");
    ck_assert(json_real_value(json_object_get(o, "value")) == 2.5);
    ck_assert(json_is_null(json_object_get(o, "high")));
    ck_assert_int_eq(json_integer_value(json_object_get(o, "products")), 6);
    ck_assert(json_integer_value(json_object_get(o, "seed")) == 9007199254740993);
    json_decref(o);
}
END_TEST

START_TEST(validate_json_has_dense_or_null)
{
    struct stj_validation v = {.adjoint_error = 1e-16,
                               .finite_difference_error = 1e-9,
                               .finite_difference_step = 1e-5,
                               .replay_identical = true,
                               .dense_max_sigma_error = (double)NAN,
                               .passed = true};
    json_t *made = NULL;
    EXPECT_OK(stj_json_validate(&v, &made, &err), err);
    json_t *o = round_trip(made);
    ck_assert(json_is_null(json_object_get(o, "dense")));
    ck_assert(json_is_true(json_object_get(o, "passed")));
    ck_assert(json_is_true(json_object_get(o, "replay_identical")));
    json_decref(o);

    v.dense_max_sigma_error = 0.25;
    v.passed = false;
    EXPECT_OK(stj_json_validate(&v, &made, &err), err);
    o = round_trip(made);
    ck_assert(json_real_value(json_object_get(json_object_get(o, "dense"), "max_sigma_error")) ==
              0.25);
    ck_assert(json_is_false(json_object_get(o, "passed")));
    json_decref(o);
}
END_TEST

static const struct stj_run_info run_info = {.dir = "caf\xe9/run",
                                             .fingerprint = "0123456789abcdef",
                                             .optimizer = "sgd",
                                             .loss = "softmax_cross_entropy",
                                             .n_params = 310,
                                             .n_steps = 20,
                                             .n_slots = 1,
                                             .n_layers = 1,
                                             .batch_size = 64,
                                             .train_rows = 1600,
                                             .train_loss = 2.5,
                                             .test_loss = (double)NAN,
                                             .test_accuracy = (double)NAN,
                                             .seconds = 0.5,
                                             .version = "0.1.0",
                                             .blas = "OpenBLAS"};

START_TEST(info_json_without_test_set_and_with_any_path)
{
    const struct stj_run_layer layer = {
        .label = "dense0", .type = "dense", .shape = "4", .n_params = 260};
    char name[] = "svd.h5", request[] = "svd from 0 to 20 top 3";
    struct stj_contents_result results[] = {{.name = name, .request = request}};
    const struct stj_run_parameter parameter = {
        .name = "dense0.bias", .shape = "[4]", .file_name = "d.bias", .n_params = 4};
    const struct stj_contents contents = {.info = run_info,
                                          .n_layers = 1,
                                          .layer = (struct stj_run_layer *)(uintptr_t)&layer,
                                          .n_parameters = 1,
                                          .parameter =
                                              (struct stj_run_parameter *)(uintptr_t)&parameter,
                                          .n_results = 1,
                                          .result = results};
    json_t *made = NULL;
    EXPECT_OK(stj_json_info(&contents, &made, &err), err);
    json_t *o = round_trip(made);
    /* A byte that is not UTF-8 has no place in JSON. */
    ck_assert_str_eq(json_string_value(json_object_get(o, "dir")), "caf?/run");
    ck_assert(json_is_null(json_object_get(o, "test_loss")));
    ck_assert(json_is_null(json_object_get(o, "test_accuracy")));
    ck_assert_int_eq(json_integer_value(json_object_get(item(o, "layers", 0), "n_params")), 260);
    ck_assert_str_eq(json_string_value(json_object_get(item(o, "parameters", 0), "file_name")),
                     "d.bias");
    ck_assert_str_eq(json_string_value(item(o, "results", 0)), "svd.h5");
    const json_t *asked = item(o, "requests", 0);
    ck_assert_str_eq(json_string_value(json_object_get(asked, "file")), "svd.h5");
    ck_assert_str_eq(json_string_value(json_object_get(asked, "request")), request);
    ck_assert(json_is_null(json_object_get(asked, "created")));
    json_decref(o);
}
END_TEST

static const struct stj_storage storage = {.policy = STJ_STORAGE_DISK_REPLAY,
                                           .states = 626,
                                           .stored = 27,
                                           .every = 25,
                                           .held = 33,
                                           .diverged = true,
                                           .diverged_at = 31,
                                           .compared_at = 50,
                                           .difference = 2e-12};

START_TEST(train_json_says_how_states_are_kept)
{
    json_t *made = NULL;
    EXPECT_OK(stj_json_train(&run_info, &storage, &made, &err), err);
    json_t *o = round_trip(made);
    ck_assert(json_real_value(json_object_get(o, "train_loss")) == 2.5);
    const json_t *kept = json_object_get(o, "trajectory");
    ck_assert_str_eq(json_string_value(json_object_get(kept, "policy")), "disk and replay");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(kept, "diverged"), "step")),
                     31);
    json_decref(o);
}
END_TEST

/* A run of four rows, described and not trained. */
static struct stj_run *small_run(void)
{
    static const char config[] =
        "data: {train: {file: a.csv, label_column: 2}}\n"
        "network: {input: [2], layers: [{type: dense, units: 2}], loss: softmax_cross_entropy}\n"
        "training: {optimizer: {type: sgd}, learning_rate: {schedule: constant, peak: 0.1},\n"
        "  batch_size: 2, steps: 3}\n";
    struct stj_run *run = NULL;
    temp_write_text("a.csv", "1,2,0\n2,1,1\n0,3,0\n3,0,1\n");
    EXPECT_OK(stj_run_describe(temp_write_text("c.yaml", config), &run, &err), err);
    return run;
}

/* A run with one of the results that there may be: null for each of the others. */
START_TEST(run_json_has_null_for_what_is_missing)
{
    const double sigma[2] = {2, 1}, cosine[2] = {1, 1};
    struct stj_run *run = small_run();
    struct stj_result *dense = dense_result(sigma, cosine, 2);
    struct stj_analysis_about about;
    for (size_t n = 0; n < 2; n++) {
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        EXPECT_OK(stj_report_run(stream, STJ_REPORT_JSON, run, n, &dense, &err), err);
        fclose(stream);
        json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(o != NULL, "not JSON: %s", text);
        free(text);
        ck_assert_int_eq(json_integer_value(json_object_get(o, "schema")), 1);
        ck_assert_int_eq(
            json_integer_value(json_object_get(json_object_get(o, "train"), "n_params")), 6);
        for (size_t i = 0; stj_analysis_get(i, &about); i++) {
            const json_t *part = json_object_get(o, about.name);
            if (n > 0 && strcmp(about.name, "dense") == 0)
                ck_assert(json_number_value(item(part, "sigma", 0)) == 2);
            else
                ck_assert_msg(json_is_null(part), "%s is not null", about.name);
        }
        json_decref(o);
    }
    stj_result_destroy(dense);
    stj_run_destroy(run);
}
END_TEST

START_TEST(texts_for_people)
{
    const double sigma[4] = {3, 1, 0.5, 0}, cosine[4] = {0.5, (double)NAN, 0, 0};
    const double residual[4] = {1e-12, 2e-12, 0, 0};
    struct stj_result *r = dense_result(sigma, cosine, 4);
    char *text = TEXT_OF(EXPECT_OK(stj_report_result(stream, STJ_REPORT_TEXT, r, &err), err));
    expect_part(text, "chaotic");
    expect_part(text, "25.00 %");
    expect_part(text, "50.00 %");
    free(text);
    stj_result_destroy(r);

    r = svd_result(sigma, residual, cosine, 2);
    text = TEXT_OF(EXPECT_OK(stj_report_result(stream, STJ_REPORT_TEXT, r, &err), err));
    expect_part(text, "2 of 3 converged");
    expect_part(text, "max_applications");
    expect_part(text, " -\n"); /* the cosine that is not a number */
    ck_assert_ptr_null(strstr(text, "nan"));
    expect_part(text, "12.5 products with J,");
    free(text);

    r->about.counts = (struct stj_op_counts){.jvp = 0};
    text = TEXT_OF(EXPECT_OK(stj_report_result(stream, STJ_REPORT_TEXT, r, &err), err));
    expect_part(text, "stored result");
    free(text);
    stj_result_destroy(r);

    text = TEXT_OF(stj_text_train(stream, &run_info, &storage));
    expect_part(text, "310 parameters");
    expect_part(text, "states         626, one every 25 on disk, replay between");
    expect_part(text, "LEFT THE RECORD at step 31: relative difference 2e-12 at step 50");
    ck_assert_ptr_null(strstr(text, "test loss"));
    free(text);
}
END_TEST

START_TEST(a_stream_that_cannot_be_written_is_an_error)
{
    const double sigma[2] = {2, 1}, cosine[2] = {1, 1};
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        return;
    setvbuf(full, NULL, _IONBF, 0);
    struct stj_result *dense = dense_result(sigma, cosine, 2);
    EXPECT_FAIL(stj_report_result(full, STJ_REPORT_JSON, dense, &err), STJ_EIO, "written", err);
    EXPECT_FAIL(stj_report_result(full, STJ_REPORT_TEXT, dense, &err), STJ_EIO, "written", err);
    stj_result_destroy(dense);
    fclose(full);
}
END_TEST

/* The script of a spectrum with all three regions and a zero. */
static FILE *make_script(const struct stj_canvas *canvas)
{
    static const double sigma[5] = {8, 1.05, 0.95, 1e-3, 0};
    FILE *script = NULL;
    struct stj_chart chart = {.n_series = 0};
    EXPECT_OK(stj_gnuplot_script(&script, &err), err);
    EXPECT_OK(stj_chart_spectrum(&chart, 5, sigma, 5, NULL, 0.1, 0, &err), err);
    stj_plot_chart(script, canvas, &chart);
    stj_chart_free(&chart);
    return script;
}

/* A floor of rounding is a line where values lie below it, and it can be drawn. */
START_TEST(a_spectrum_has_a_line_at_its_floor)
{
    static const double sigma[3] = {8, 1.05, 0.5};
    static const double floors[] = {0, 1e-14, 0.4, 0.5, 3};
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++) {
        struct stj_chart chart = {.n_series = 0};
        EXPECT_OK(stj_chart_spectrum(&chart, 3, sigma, 3, NULL, 0.1, floors[i], &err), err);
        ck_assert_uint_eq(chart.n_series, floors[i] < sigma[2] ? 3 : 4);
        if (chart.n_series == 4)
            ck_assert(chart.series[3].y[0] == floors[i] && chart.series[3].y[1] == floors[i]);
        stj_chart_free(&chart);
    }
}
END_TEST

START_TEST(script_of_a_spectrum)
{
    struct stj_canvas canvas;
    char text[8192];
    EXPECT_OK(stj_canvas_of("figure.SVG", NULL, &canvas, &err), err);
    FILE *script = make_script(&canvas);
    rewind(script);
    text[fread(text, 1, sizeof text - 1, script)] = '\0';
    fclose(script);
    expect_part(text, "$series0 << EOD\n1 8\nEOD\n");
    expect_part(text, "$series1 << EOD\n2 1.05\n3 0.95\nEOD\n");
    expect_part(text, "$series2 << EOD\n4 0.001\n\nEOD\n"); /* no place for 0 on a log axis */
    expect_part(text, "stable: 2 (40.0 %)");
    expect_part(text, "plot 1.1");
    expect_part(text, ", 0.9");
    expect_part(text, "set logscale y");
    expect_part(text, "1 value below");
}
END_TEST

START_TEST(numbers_of_a_chart)
{
    static const double x[3] = {1, 2, 3};
    static const double y[3] = {0.1, NAN, 1e-300};
    struct stj_chart chart = {.n_series = 0};
    char *text = NULL;
    size_t size = 0;
    stj_axis_name(&chart.x, "index", "");
    stj_axis_name(&chart.y, "a,b", "");
    EXPECT_OK(stj_chart_add(&chart, STJ_CHART_LINE, STJ_CHART_BLUE, 3, x, y, &err, "the \"one\""),
              err);
    EXPECT_OK(stj_chart_add(&chart, STJ_CHART_LINE, STJ_CHART_BLUE, 1, NULL, y, &err, "s"), err);
    FILE *stream = open_memstream(&text, &size);
    stj_plot_csv(stream, &chart);
    fclose(stream);
    ck_assert_str_eq(text, "series,index,a_b\n"
                           "the _one_,1,0.10000000000000001\n"
                           "the _one_,2,nan\n"
                           "the _one_,3,1e-300\n"
                           "s,1,0.10000000000000001\n");
    free(text);
    stj_chart_free(&chart);
}
END_TEST

START_TEST(gaps_and_odd_texts_of_a_chart)
{
    static const double y[5] = {1, 2, NAN, 3, -4};
    struct stj_chart chart = {.n_series = 0};
    struct stj_canvas canvas;
    char text[8192];
    FILE *script = NULL;
    EXPECT_OK(stj_canvas_of("figure.svg", NULL, &canvas, &err), err);
    EXPECT_OK(stj_gnuplot_script(&script, &err), err);
    stj_chart_title(&chart, "a' ; system('x')\n");
    chart.y.log = true;
    EXPECT_OK(stj_chart_add(&chart, STJ_CHART_LINE, STJ_CHART_BLUE, 5, NULL, y, &err, "s"), err);
    stj_plot_chart(script, &canvas, &chart);
    rewind(script);
    text[fread(text, 1, sizeof text - 1, script)] = '\0';
    fclose(script);
    stj_chart_free(&chart);
    expect_part(text, "$series0 << EOD\n1 1\n2 2\n\n4 3\n\nEOD\n");
    expect_part(text, "set title 'a  ; system( x ) '\n"); /* a quote would end the text */
}
END_TEST

/* Markup of our own is drawn, what a user's file is called stays as it is. */
START_TEST(names_in_texts_of_a_chart)
{
    struct stj_chart chart = {.n_series = 0};
    struct stj_canvas canvas;
    char name[64], text[4096], plain[STJ_CHART_TEXT_MAX];
    FILE *script = NULL;
    EXPECT_OK(stj_canvas_of("figure.svg", NULL, &canvas, &err), err);
    EXPECT_OK(stj_gnuplot_script(&script, &err), err);
    stj_chart_quote("test_a{b}", name, sizeof name);
    stj_chart_title(&chart, "v_{12} on %s", name);
    stj_plot_chart(script, &canvas, &chart);
    rewind(script);
    text[fread(text, 1, sizeof text - 1, script)] = '\0';
    fclose(script);
    expect_part(text, "set title 'v_{12} on test\\_a\\{b\\}'\n");
    stj_chart_plain(chart.title, plain);
    ck_assert_str_eq(plain, "v_12 on test_a{b}");
    stj_chart_free(&chart);
}
END_TEST

/* One gap between two pieces and one behind the last; none before the first. */
START_TEST(what_is_too_small_leaves_one_gap)
{
    double x[] = {1, 2, 3, 4, 5, 6, 7};
    double y[] = {0.1, 2, 3, 0.5, 0.2, 1, 0};
    const size_t n = stj_chart_drop_below(7, x, y, 1);
    ck_assert_uint_eq(n, 5);
    ck_assert(x[0] == 2 && y[0] == 2 && y[1] == 3 && isnan(y[2]) && x[3] == 6 && y[3] == 1);
    ck_assert(isnan(y[4]));
}
END_TEST

/* 10000 points on a line of 1000 pixels: some are left out, but not the ends, nor any of the CSV. */
START_TEST(lines_are_thinned_to_what_is_seen)
{
    enum { MANY = 10000 };
    struct stj_chart chart = {.n_series = 0};
    struct stj_canvas canvas;
    static double y[MANY];
    char line[64], last[64] = "";
    FILE *script = NULL;
    size_t lines = 0;
    for (size_t i = 0; i < MANY; i++)
        y[i] = i == 5000 ? 3 : 1; /* a spike of one point */
    EXPECT_OK(stj_canvas_of("figure.svg", NULL, &canvas, &err), err);
    EXPECT_OK(stj_gnuplot_script(&script, &err), err);
    EXPECT_OK(stj_chart_add(&chart, STJ_CHART_LINE, STJ_CHART_BLUE, MANY, NULL, y, &err, "s"), err);
    stj_plot_chart(script, &canvas, &chart);
    rewind(script);
    bool spike = false;
    while (fgets(line, sizeof line, script) && strcmp(line, "EOD\n") != 0) {
        spike = spike || strcmp(line, "5001 3\n") == 0;
        lines++;
        snprintf(last, sizeof last, "%s", line);
    }
    fclose(script);
    stj_chart_free(&chart);
    ck_assert_msg(lines > 900 && lines < 1200, "%zu lines", lines);
    ck_assert(spike);
    ck_assert_str_eq(last, "10000 1\n");
}
END_TEST

START_TEST(canvases)
{
    struct stj_canvas canvas;
    EXPECT_OK(stj_canvas_of("a.b/c.pdf", NULL, &canvas, &err), err);
    expect_part(canvas.terminal, "pdfcairo");
    EXPECT_OK(stj_canvas_of("x.png", NULL, &canvas, &err), err);
    expect_part(canvas.terminal, "pngcairo");
    EXPECT_OK(stj_canvas_of(NULL, NULL, &canvas, &err), err);
    expect_part(canvas.terminal, "dumb size 79,24");
    EXPECT_FAIL(stj_canvas_of("x.jpeg", NULL, &canvas, &err), STJ_EINVAL, ".svg, .pdf or .png",
                err);
    EXPECT_FAIL(stj_canvas_of(".svg", NULL, &canvas, &err), STJ_EINVAL, ".svg", err);
}
END_TEST

static bool gnuplot_is_there(void)
{
    return system("command -v gnuplot > /dev/null") == 0;
}

START_TEST(gnuplot_draws_whole_files_and_text)
{
    struct stj_canvas canvas;
    if (!gnuplot_is_there())
        return;
    const char *path = temp_path("it's $(figure).svg");
    EXPECT_OK(stj_canvas_of(path, NULL, &canvas, &err), err);
    FILE *script = make_script(&canvas);
    EXPECT_OK(stj_gnuplot_draw(script, &canvas, stdout, &err), err);
    fclose(script);
    ck_assert_int_eq(access(path, R_OK), 0);

    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    EXPECT_OK(stj_canvas_of(NULL, stream, &canvas, &err), err);
    script = make_script(&canvas);
    EXPECT_OK(stj_gnuplot_draw(script, &canvas, stream, &err), err);
    fclose(script);
    fclose(stream);
    expect_part(text, "N = 5");
    expect_part(text, "chaotic: 1 (20.0 %)");
    free(text);
}
END_TEST

START_TEST(a_failing_gnuplot_leaves_no_file)
{
    struct stj_canvas canvas;
    FILE *script = NULL;
    const char *path = temp_path("figure.svg");
    EXPECT_OK(stj_canvas_of(path, NULL, &canvas, &err), err);
    if (gnuplot_is_there()) {
        EXPECT_OK(stj_gnuplot_script(&script, &err), err);
        fprintf(script, "set terminal svg\nplot nonsense(x\n");
        EXPECT_FAIL(stj_gnuplot_draw(script, &canvas, stdout, &err), STJ_EIO, "gnuplot failed",
                    err);
        fclose(script);
    }
    ck_assert_int_eq(setenv("PATH", temp_folder(), 1), 0);
    script = make_script(&canvas);
    EXPECT_FAIL(stj_gnuplot_draw(script, &canvas, stdout, &err), STJ_EUNSUPPORTED, "gnuplot-nox",
                err);
    fclose(script);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(figures_are_listed)
{
    const char *name = NULL, *doc = NULL;
    size_t n = 0;
    while (stj_report_figure(n, &name, &doc))
        n++;
    ck_assert_uint_ge(n, 2);
    ck_assert(stj_report_figure(0, &name, &doc) && strcmp(name, "spectrum") == 0);
    EXPECT_FAIL(stj_report_plot(stdout, STJ_REPORT_TEXT, NULL, NULL, "none", NULL, &err),
                STJ_EINVAL, "none", err);
    EXPECT_FAIL(stj_report_plot(stdout, STJ_REPORT_JSON, NULL, NULL, "loss", NULL, &err),
                STJ_EINVAL, "JSON", err);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = tcase_create("report");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, svd_json_keeps_every_bit_and_every_key);
    tcase_add_test(tc, svd_json_with_nothing_converged_and_a_huge_seed);
    tcase_add_test(tc, dense_json);
    tcase_add_test(tc, density_json_has_null_for_what_is_unknown);
    tcase_add_test(tc, validate_json_has_dense_or_null);
    tcase_add_test(tc, info_json_without_test_set_and_with_any_path);
    tcase_add_test(tc, texts_of_a_schema);
    tcase_add_test(tc, train_json_says_how_states_are_kept);
    tcase_add_test(tc, run_json_has_null_for_what_is_missing);
    tcase_add_test(tc, texts_for_people);
    tcase_add_test(tc, a_stream_that_cannot_be_written_is_an_error);
    tcase_add_test(tc, script_of_a_spectrum);
    tcase_add_test(tc, a_spectrum_has_a_line_at_its_floor);
    tcase_add_test(tc, canvases);
    tcase_add_test(tc, text_of_others_has_no_control_characters);
    tcase_add_test(tc, numbers_of_a_chart);
    tcase_add_test(tc, what_is_too_small_leaves_one_gap);
    tcase_add_test(tc, names_in_texts_of_a_chart);
    tcase_add_test(tc, lines_are_thinned_to_what_is_seen);
    tcase_add_test(tc, gaps_and_odd_texts_of_a_chart);
    tcase_add_test(tc, gnuplot_draws_whole_files_and_text);
    tcase_add_test(tc, a_failing_gnuplot_leaves_no_file);
    tcase_add_test(tc, figures_are_listed);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
