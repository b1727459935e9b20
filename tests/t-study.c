/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-study.c: studies through the public interface, on linear regression, where everything is
 * known: with z = [x 1] W and mean squared error, full batches and plain gradient descent,
 *
 *     J = (I - eta H)^n,   H = (2 / (rows * outputs)) [X 1]'[X 1] x I,   d z / d theta = [X 1] x I
 *
 * so that J is symmetric, every singular value comes once for each output, and a perturbation of the
 * start goes through J exactly, however large.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/report.h>
#include <spectraj/study.h>
#include <spectraj/svd.h>

#include "base/blas.h"
#include "expect.h"
#include "scratch.h"

enum { ROWS = 7, IN = 3, OUT = 2, D = IN + 1, N_PARAMS = D * OUT, STEPS = 9 };
static const double eta = 0.25;

static struct stj_error err;
static double design[ROWS * D]; /* [X 1], column-major */

static double input(size_t row, size_t column)
{
    return sin((1.3 + (double)column) * (double)row) + 0.2 * (double)column;
}

static void write_files(void)
{
    char inputs[ROWS * 100] = "", targets[ROWS * 60] = "";
    size_t a = 0, b = 0;
    for (size_t i = 0; i < ROWS; i++) {
        a += (size_t)snprintf(inputs + a, sizeof inputs - a, "%.17g,%.17g,%.17g\n", input(i, 0),
                              input(i, 1), input(i, 2));
        b += (size_t)snprintf(targets + b, sizeof targets - b, "%.6f,%.6f\n", cos((double)i),
                              (double)i / 3);
        for (size_t j = 0; j < IN; j++)
            design[j * ROWS + i] = input(i, j);
        design[IN * ROWS + i] = 1;
    }
    scratch_write_text("x.csv", inputs);
    scratch_write_text("y.csv", targets);
    scratch_write_text("c.yaml", "data:\n"
                                 "  train: {file: x.csv, targets: y.csv}\n"
                                 "  test: {file: x.csv, targets: y.csv}\n"
                                 "network:\n"
                                 "  input: [3]\n"
                                 "  layers: [{type: dense, units: 2}]\n"
                                 "  loss: mean_squared_error\n"
                                 "init: {seed: 4}\n"
                                 "training:\n"
                                 "  optimizer: {type: sgd}\n"
                                 "  learning_rate: {schedule: constant, peak: 0.25}\n"
                                 "  batch_size: 7\n"
                                 "  steps: 9\n");
}

/* A trained run with its dense Jacobian. */
static struct stj_run *trained(void)
{
    const struct stj_run_train_settings training = {.size = sizeof training, .force = true};
    struct stj_request *request = NULL;
    struct stj_result *dense = NULL;
    struct stj_run *run = NULL;
    write_files();
    EXPECT_OK(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &training, &run, &err), err);
    EXPECT_OK(stj_request_create("dense", &request, &err), err);
    EXPECT_OK(stj_analyse(run, request, NULL, &dense, &err), err);
    stj_result_destroy(dense);
    stj_request_destroy(request);
    return run;
}

static struct stj_study_result *study(struct stj_run *run, const char *name, size_t n,
                                      const struct stj_option_pair *setting)
{
    const struct stj_study_settings settings = {.n = n, .setting = setting};
    const struct stj_analysis_settings analysis = {0};
    struct stj_study_result *result = NULL;
    bool stored = true;
    EXPECT_OK(stj_analysis_study(run, NULL, name, &settings, &analysis, &result, &stored, &err),
              err);
    ck_assert(!stored);
    return result;
}

static const double *numbers(const struct stj_study_result *r, const char *item, size_t wanted)
{
    size_t n = 0;
    const double *value = stj_study_numbers(r, item, &n);
    ck_assert_msg(value && n == wanted, "%s has %zu numbers instead of %zu", item, n, wanted);
    return value;
}

/* sigma[D] <- the singular values of [X 1], descending. */
static void design_values(double *sigma)
{
    double a[ROWS * D];
    memcpy(a, design, sizeof a);
    EXPECT_OK(stj_gesdd(ROWS, D, a, ROWS, sigma, NULL, NULL, &err), err);
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

START_TEST(alignment_of_a_symmetric_jacobian)
{
    struct stj_run *run = trained();
    double s[D], wanted[N_PARAMS];
    design_values(s);
    for (size_t i = 0; i < N_PARAMS; i++)
        wanted[i] = fabs(pow(1 - eta * 2 * s[i / OUT] * s[i / OUT] / (ROWS * OUT), STEPS));
    qsort(wanted, N_PARAMS, sizeof *wanted, descending);
    struct stj_study_result *r = study(run, "alignment", 0, NULL);
    const double *sigma = numbers(r, "sigma", N_PARAMS);
    const double *cosine = numbers(r, "cosine", N_PARAMS);
    const double *dependent = numbers(r, "basis_dependent", N_PARAMS);
    for (size_t i = 0; i < N_PARAMS; i++) {
        /* 9 steps of rounding, in units of sigma_1 = 1. */
        ck_assert_double_eq_tol(sigma[i], wanted[i], 1e-14);
        ck_assert_msg(dependent[i] == 1, "sigma_%zu comes twice and is not marked", i + 1);
        if (sigma[i] > 1e-6) /* smaller ones: v is not determined to a part in 1e10 */
            ck_assert_double_eq_tol(fabs(cosine[i]), 1, 1e-8);
    }
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

START_TEST(a_linear_training_responds_exactly)
{
    static const struct stj_option_pair setting[] = {{"step", "1e-3,1,100"}, {"index", "3"}};
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "response", 2, setting);
    const double sigma = *numbers(r, "sigma", 1);
    const double *projection = numbers(r, "projection", 3);
    const double *complement = numbers(r, "complement", 3);
    static const double step[] = {1e-3, 1, 100};
    for (size_t i = 0; i < 3; i++) {
        /* Rounding of parameters of order 1 + s. */
        ck_assert_double_eq_tol(projection[i], step[i] * sigma, 1e-13 * (1 + step[i]));
        ck_assert_double_lt(complement[i], 1e-13 * (1 + step[i]));
    }
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

/* From step 4 on, all of theta and the kernel alone: of a linear training both are exact too, the
 * block's with the rest of the change in the complement. */
START_TEST(a_perturbation_at_a_later_step)
{
    static const char *const layers[] = {NULL, "dense0.kernel"};
    static const size_t size[] = {N_PARAMS, IN * OUT};
    struct stj_run *run = trained();
    double theta_4[N_PARAMS], loss[2];
    EXPECT_OK(stj_run_theta(run, 4, theta_4, &err), err);
    for (size_t b = 0; b < 2; b++) {
        const struct stj_option_pair setting[] = {
            {"step", "1e-3,1"}, {"index", "2"}, {"at", "4"}, {"layers", layers[b]}};
        const size_t n = layers[b] ? 4 : 3;
        const struct stj_study_settings settings = {.n = n, .setting = setting};
        const struct stj_analysis_settings analysis = {0};
        struct stj_request *request = NULL;
        struct stj_result *dense = NULL;
        struct stj_study_result *r = NULL;
        bool stored = false;
        EXPECT_FAIL(
            stj_analysis_study(run, NULL, "response", &settings, &analysis, &r, &stored, &err),
            STJ_EINVAL, "--from 4", err);
        EXPECT_OK(stj_request_create("dense", &request, &err), err);
        EXPECT_OK(stj_request_set(request, "from", "4", &err), err);
        if (layers[b])
            EXPECT_OK(stj_request_set(request, "layers", layers[b], &err), err);
        EXPECT_OK(stj_analyse(run, request, NULL, &dense, &err), err);
        stj_result_destroy(dense);
        stj_request_destroy(request);
        r = study(run, "response", n, setting);
        const double sigma = *numbers(r, "sigma", 1);
        const double *projection = numbers(r, "projection", 2);
        const double *complement = numbers(r, "complement", 2);
        ck_assert(*numbers(r, "at", 1) == 4);
        ck_assert(*numbers(r, "directions.top", 1) == (double)size[b]);
        loss[b] = *numbers(r, "initial_test_loss", 1);
        for (size_t i = 0; i < 2; i++) {
            const double step = i ? 1 : 1e-3;
            ck_assert_double_eq_tol(projection[i], step * sigma, 1e-13 * (1 + step));
            ck_assert(layers[b] ? complement[i] > 1e-3 * step : complement[i] < 1e-13);
        }
        stj_study_result_destroy(r);
    }
    ck_assert(loss[0] == loss[1] && loss[0] > 0);
    stj_run_destroy(run);
}
END_TEST

/* J is a power of I - eta H: within eigenvectors of it, it has their values, in any complete basis all
 * of them. */
START_TEST(restricted_trainings_have_jacobians)
{
    static const struct stj_option_pair setting[] = {{"k", "3,8"}, {"jacobian", "8"}};
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "alignment", 0, NULL);
    double wanted[N_PARAMS];
    char item[64];
    memcpy(wanted, numbers(r, "sigma", N_PARAMS), sizeof wanted);
    stj_study_result_destroy(r);
    r = study(run, "restrict", 2, setting);
    const size_t n = (size_t)*numbers(r, "n_jacobians", 1);
    ck_assert(n == 10);
    for (size_t i = 0; i < n; i++) {
        snprintf(item, sizeof item, "jacobians[%zu].k", i);
        const size_t k = (size_t)*numbers(r, item, 1);
        snprintf(item, sizeof item, "jacobians[%zu].family", i);
        const char *family = stj_study_text(r, item);
        const bool last = strcmp(family, "stable") == 0, first = strcmp(family, "chaotic") == 0;
        snprintf(item, sizeof item, "jacobians[%zu].sigma", i);
        const double *sigma = numbers(r, item, k);
        for (size_t j = 0; j < k && (k == N_PARAMS || first || last); j++)
            ck_assert_double_eq_tol(sigma[j], wanted[last ? N_PARAMS - k + j : j], 1e-13);
    }
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

START_TEST(displacement_is_divided_up)
{
    struct stj_run *run = trained();
    double theta_0[N_PARAMS], theta_n[N_PARAMS], sum = 0;
    struct stj_study_result *r = study(run, "displacement", 0, NULL);
    EXPECT_OK(stj_run_theta(run, 0, theta_0, &err), err);
    EXPECT_OK(stj_run_theta(run, STEPS, theta_n, &err), err);
    for (size_t i = 0; i < N_PARAMS; i++)
        sum += (theta_n[i] - theta_0[i]) * (theta_n[i] - theta_0[i]);
    ck_assert_double_eq_tol(*numbers(r, "displacement", 1), sqrt(sum), 1e-14);
    const double *projection = numbers(r, "projection", N_PARAMS);
    double squares = 0;
    for (size_t i = 0; i < N_PARAMS; i++)
        squares += projection[i] * projection[i];
    ck_assert_double_eq_tol(squares, sum, 1e-13);
    const double shares = *numbers(r, "regions.chaotic.share", 1) +
                          *numbers(r, "regions.bulk.share", 1) +
                          *numbers(r, "regions.stable.share", 1);
    ck_assert_double_eq_tol(shares, 1, 1e-13);
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

/* The masses of a group over a complete orthonormal basis are its dimensions, those of all groups in
 * one vector its length. */
START_TEST(layers_divide_up_every_vector)
{
    static const char *const side[] = {"left", "right"};
    static const size_t size[] = {OUT, IN * OUT}; /* bias and kernel */
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "layers", 0, NULL);
    char item[64];
    ck_assert(*numbers(r, "n_tensors", 1) == 2 && *numbers(r, "n_heads", 1) == 0);
    for (size_t s = 0; s < 2; s++) {
        double whole[N_PARAMS] = {0};
        for (size_t k = 0; k < 2; k++) {
            double sum = 0;
            snprintf(item, sizeof item, "tensors[%zu].%s", k, side[s]);
            const double *mass = numbers(r, item, N_PARAMS);
            for (size_t i = 0; i < N_PARAMS; i++) {
                sum += mass[i];
                whole[i] += mass[i];
            }
            ck_assert_double_eq_tol(sum, (double)size[k], 1e-13);
        }
        snprintf(item, sizeof item, "participation.%s", side[s]);
        const double *p = numbers(r, item, N_PARAMS);
        for (size_t i = 0; i < N_PARAMS; i++) {
            ck_assert_double_eq_tol(whole[i], 1, 1e-14);
            ck_assert(p[i] > 1 - 1e-14 && p[i] < N_PARAMS + 1e-12);
        }
    }
    ck_assert_str_eq(stj_study_text(r, "neurons[0].layer"), "dense0");
    ck_assert_double_eq_tol(numbers(r, "neurons[0].share", OUT)[0], 1.0 / OUT, 1e-15);
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

/* z moves by [x 1] S along S, and the divergence is |[x 1] S|^2 / 2 for two outputs: summed over a
 * complete basis of steps, the mean over the rows of |[x 1]|^2. */
START_TEST(divergence_of_a_linear_network)
{
    static const struct stj_option_pair setting[] = {{"data", "train"}, {"step", "0.5"}};
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "divergence", 2, setting);
    const double *mean = numbers(r, "datasets[0].mean", N_PARAMS);
    const double *max = numbers(r, "datasets[0].max", N_PARAMS);
    double sum = 0, wanted = 0;
    for (size_t i = 0; i < N_PARAMS; i++) {
        sum += mean[i];
        ck_assert(max[i] >= mean[i]);
    }
    for (size_t i = 0; i < ROWS * D; i++)
        wanted += 0.25 * design[i] * design[i] / ROWS;
    ck_assert_double_eq_tol(sum, wanted, 1e-12);
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

START_TEST(function_jacobian_of_a_linear_network)
{
    struct stj_run *run = trained();
    struct stj_op *op = NULL;
    struct stj_svd_settings svd = stj_svd_settings_default();
    struct stj_svd_result *pairs = NULL;
    double s[D];
    design_values(s);
    struct stj_study_result *r = study(run, "function-jacobian", 0, NULL);
    const double *sigma = numbers(r, "function_sigma", N_PARAMS);
    for (size_t i = 0; i < N_PARAMS; i++)
        ck_assert_double_eq_tol(sigma[i], s[i / OUT], 1e-13);
    ck_assert(*numbers(r, "rank", 1) == N_PARAMS && *numbers(r, "null_dimension", 1) == 0);
    ck_assert_str_eq(stj_study_text(r, "data"), "test");
    stj_study_result_destroy(r);
    /* The operator by itself: one row, of two outputs. */
    const double x[IN] = {1, 2, -2};
    EXPECT_OK(stj_run_function_jacobian(run, 0, 1, x, &op, &err), err);
    ck_assert(stj_op_n_rows(op) == OUT && stj_op_n_cols(op) == N_PARAMS);
    svd.top = 2;
    EXPECT_OK(stj_svd_solve(op, &svd, &pairs, &err), err);
    ck_assert_double_eq_tol(pairs->top.sigma[1], sqrt(1 + 4 + 4 + 1), 1e-12);
    stj_svd_result_destroy(pairs);
    stj_op_destroy(op);
    op = NULL;
    EXPECT_FAIL(stj_run_function_jacobian(run, 0, ROWS + 1, NULL, &op, &err), STJ_EINVAL,
                "8 rows of inputs, but the data set has 7", err);
    EXPECT_FAIL(stj_run_function_jacobian(run, STEPS + 1, 0, NULL, &op, &err), STJ_EINVAL,
                "step 10", err);
    stj_run_destroy(run);
}
END_TEST

/* One row leaves a null space of N - 2 dimensions. */
START_TEST(null_space_of_one_row)
{
    static const struct stj_option_pair setting[] = {{"rows", "1"}};
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "function-jacobian", 1, setting);
    const double *share = numbers(r, "null_share", N_PARAMS);
    double sum = 0;
    for (size_t i = 0; i < N_PARAMS; i++)
        sum += share[i];
    ck_assert(*numbers(r, "null_dimension", 1) == N_PARAMS - OUT);
    ck_assert_double_eq_tol(sum, N_PARAMS - OUT, 1e-13); /* the trace of the projection */
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

/* What a report says of a study. */
static char *report(const struct stj_study_result *r, enum stj_report_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    EXPECT_OK(stj_report_study(stream, format, r, &err), err);
    fclose(stream);
    return text;
}

/* Every figure that begins with the name of a study has numbers. */
static void expect_figures(struct stj_run *run, const char *study_name, const char *tag)
{
    const char *name = NULL, *doc = NULL;
    size_t figures = 0;
    for (size_t i = 0; stj_report_figure(i, &name, &doc); i++) {
        char *text = NULL;
        size_t size = 0;
        if (strncmp(name, study_name, strlen(study_name)) != 0)
            continue;
        FILE *stream = open_memstream(&text, &size);
        EXPECT_OK(stj_report_plot_data(stream, STJ_REPORT_TEXT, run, tag, name, NULL, &err), err);
        fclose(stream);
        ck_assert_msg(strncmp(text, "series,", 7) == 0 && strchr(text, '\n')[1], "figure %s: %s",
                      name, text);
        free(text);
        figures++;
    }
    ck_assert_msg(figures > 0, "study %s has no figure", study_name);
}

/* Every study is computed, stored, read back as it was, in JSON to the last digit, and drawn. */
START_TEST(every_study_is_stored_and_reported)
{
    struct stj_run *run = trained();
    struct stj_study_about about;
    const struct stj_analysis_settings analysis = {.tag = "again"};
    const struct stj_study_settings settings = {.seed = 3};
    for (size_t i = 0; stj_study_get(i, &about); i++) {
        char *text[2] = {NULL, NULL};
        ck_assert(about.doc[0] && about.description[0] && about.example[0]);
        for (int k = 0; k < 2; k++) {
            struct stj_study_result *r = NULL;
            bool stored = false;
            EXPECT_OK(stj_analysis_study(run, about.two_runs ? run : NULL, about.name, &settings,
                                         &analysis, &r, &stored, &err),
                      err);
            ck_assert_int_eq(stored, k == 1);
            text[k] = report(r, STJ_REPORT_JSON);
            char *table = report(r, STJ_REPORT_TEXT);
            ck_assert_msg(strchr(table, '\n'), "%s prints nothing", about.name);
            free(table);
            stj_study_result_destroy(r);
        }
        ck_assert_msg(strcmp(text[0], text[1]) == 0, "%s:\n%s%s", about.name, text[0], text[1]);
        free(text[0]);
        free(text[1]);
        expect_figures(run, about.name, analysis.tag);
    }
    stj_run_destroy(run);
}
END_TEST

/* J = (I - eta H)^n with a constant H: along v_i the norm at t is sigma_i^(t/n). */
START_TEST(growth_of_a_linear_training)
{
    static const struct stj_option_pair setting[] = {{"index", "1,3"}, {"random", "2"}};
    struct stj_run *run = trained();
    struct stj_study_result *r = study(run, "growth", 2, setting);
    const double *step = numbers(r, "step", STEPS + 1);
    const double *rms = numbers(r, "random_rms", STEPS + 1);
    for (int k = 0; k < 2; k++) {
        char name[32];
        snprintf(name, sizeof name, "singular[%d].norm", k);
        const double *norm = numbers(r, name, STEPS + 1);
        snprintf(name, sizeof name, "singular[%d].sigma", k);
        const double sigma = numbers(r, name, 1)[0];
        for (size_t t = 0; t <= STEPS; t++) {
            ck_assert(step[t] == (double)t);
            ck_assert_double_eq_tol(norm[t], pow(sigma, (double)t / STEPS), 1e-13);
        }
    }
    const double *a = numbers(r, "random[0].norm", STEPS + 1);
    const double *b = numbers(r, "random[1].norm", STEPS + 1);
    for (size_t t = 0; t <= STEPS; t++)
        ck_assert_double_eq_tol(rms[t], hypot(a[t], b[t]) / sqrt(2), 1e-14);
    /* Student's interval of two: 12.7062 standard errors to either side. */
    const double *low = numbers(r, "random_rms_low", STEPS + 1);
    const double *high = numbers(r, "random_rms_high", STEPS + 1);
    for (size_t t = 0; t <= STEPS; t++) {
        const double half = 12.7062047 * fabs(a[t] * a[t] - b[t] * b[t]) / 2;
        ck_assert_double_eq_tol(low[t], sqrt(fmax(rms[t] * rms[t] - half, 0)), 1e-7);
        ck_assert_double_eq_tol(high[t], sqrt(rms[t] * rms[t] + half), 1e-7);
    }
    ck_assert(a[0] == 1 && a[STEPS] < 1);
    stj_study_result_destroy(r);
    stj_run_destroy(run);
}
END_TEST

START_TEST(wrong_requests)
{
    struct stj_run *run = trained();
    struct stj_study_result *r = NULL;
    const struct stj_analysis_settings analysis = {0};
    struct stj_study_settings settings = {0};
    const struct stj_option *option = stj_study_options("response");
    bool stored = false;
    EXPECT_FAIL(stj_analysis_study(run, NULL, "alignmant", &settings, &analysis, &r, &stored, &err),
                STJ_ECONFIG, "alignment", err);
    EXPECT_FAIL(stj_analysis_study(run, run, "alignment", &settings, &analysis, &r, &stored, &err),
                STJ_EINVAL, "one run", err);
    EXPECT_FAIL(stj_analysis_study(run, NULL, "overlap", &settings, &analysis, &r, &stored, &err),
                STJ_EINVAL, "two runs", err);
    const struct stj_option_pair wrong[] = {{"indez", "1"}};
    settings = (struct stj_study_settings){.n = 1, .setting = wrong};
    EXPECT_FAIL(stj_analysis_study(run, NULL, "response", &settings, &analysis, &r, &stored, &err),
                STJ_ECONFIG, "'indez' (did you mean 'index'?)", err);
    EXPECT_FAIL(stj_result_read_study(run, "none", NULL, &r, &err), STJ_EINVAL, "no study 'none'",
                err);
    EXPECT_OK(stj_result_read_study(run, "response", NULL, &r, &err), err);
    ck_assert_ptr_null(r);
    ck_assert(option && strcmp(option->name, "index") == 0 &&
              strcmp(stj_option_get_value(option), "N") == 0);
    ck_assert_ptr_null(stj_study_options("none"));
    stj_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("studies");
    TCase *tests = tcase_create("studies");
    tcase_set_timeout(tests, 60);
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, alignment_of_a_symmetric_jacobian);
    tcase_add_test(tests, a_linear_training_responds_exactly);
    tcase_add_test(tests, displacement_is_divided_up);
    tcase_add_test(tests, a_perturbation_at_a_later_step);
    tcase_add_test(tests, restricted_trainings_have_jacobians);
    tcase_add_test(tests, layers_divide_up_every_vector);
    tcase_add_test(tests, divergence_of_a_linear_network);
    tcase_add_test(tests, function_jacobian_of_a_linear_network);
    tcase_add_test(tests, null_space_of_one_row);
    tcase_add_test(tests, growth_of_a_linear_training);
    tcase_add_test(tests, wrong_requests);
    suite_add_tcase(suite, tests);
    TCase *conformance = tcase_create("conformance"); /* of every study of the registry */
    tcase_set_timeout(conformance, 60);
    tcase_add_unchecked_fixture(conformance, scratch_begin, scratch_end);
    tcase_add_test(conformance, every_study_is_stored_and_reported);
    suite_add_tcase(suite, conformance);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
