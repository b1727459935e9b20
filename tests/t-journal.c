/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-journal.c: the record log drops torn tails and nothing else; a journalled computation that is
 * begun again replays what was finished, bit for bit, and repeats no product. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spectraj/svd.h>

#include "io/log.h"
#include "expect.h"
#include "op/journal.h"
#include "op/operator.h"
#include "small_run.h"
#include "temp_files.h"

static struct stj_log *open_log(const char *path, const char *header)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_log *log = NULL;
    EXPECT_OK(stj_log_open(path, header, &log, &err), err);
    return log;
}

static void append_number(struct stj_log *log, uint32_t tag, double x)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_log_piece piece[] = {{&x, sizeof x}, {"tail", 4}};
    EXPECT_OK(stj_log_append(log, tag, piece, 2, &err), err);
}

static double number(struct stj_log *log, size_t i)
{
    struct stj_error err = STJ_ERROR_INIT;
    double x = 0;
    EXPECT_OK(stj_log_read(log, i, 0, sizeof x, &x, &err), err);
    return x;
}

START_TEST(records_survive_and_torn_tails_do_not)
{
    const char *path = temp_path("a.log");
    struct stat info;
    struct stj_log *log = open_log(path, "header");
    for (uint32_t i = 0; i < 5; i++)
        append_number(log, i + 1, i);
    stj_log_close(log);
    ck_assert_int_eq(stat(path, &info), 0);
    const long frame = 24 + 12;
    for (long cut = 0; cut <= 2 * frame; cut++) {
        ck_assert_int_eq(truncate(path, info.st_size - cut), 0);
        log = open_log(path, "header");
        const size_t want = 5 - (size_t)((cut + frame - 1) / frame);
        ck_assert_msg(stj_log_n_records(log) == want, "cut %ld: %zu records, not %zu", cut,
                      stj_log_n_records(log), want);
        for (size_t i = 0; i < want; i++) {
            ck_assert_double_eq(number(log, i), (double)i);
            ck_assert_uint_eq(stj_log_tag(log, i), i + 1);
        }
        for (size_t i = want; i < 5; i++) /* and it goes on where it was cut */
            append_number(log, (uint32_t)i + 1, (double)i);
        stj_log_close(log);
    }
}
END_TEST

START_TEST(a_flipped_byte_ends_the_log_there)
{
    const char *path = temp_path("a.log");
    struct stj_log *log = open_log(path, "header");
    for (uint32_t i = 0; i < 4; i++)
        append_number(log, i, i);
    stj_log_close(log);
    const long begin = 24 + 6;
    for (long at = begin; at < begin + 4 * 36; at += 5) {
        FILE *file = fopen(path, "r+b");
        fseek(file, at, SEEK_SET);
        const int was = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(was ^ 0x10, file);
        fclose(file);
        log = open_log(path, "header");
        ck_assert_msg(stj_log_n_records(log) == (size_t)((at - begin) / 36), "flip at %ld", at);
        for (size_t i = stj_log_n_records(log); i < 4; i++)
            append_number(log, (uint32_t)i, (double)i);
        stj_log_close(log);
    }
}
END_TEST

START_TEST(another_header_begins_anew)
{
    const char *path = temp_path("a.log");
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_log *log = open_log(path, "one run");
    append_number(log, 1, 7);
    append_number(log, 1, 8);
    EXPECT_OK(stj_log_truncate(log, 1, &err), err);
    ck_assert_uint_eq(stj_log_n_records(log), 1);
    stj_log_close(log);
    log = open_log(path, "one run");
    ck_assert_uint_eq(stj_log_n_records(log), 1);
    stj_log_close(log);
    log = open_log(path, "another");
    ck_assert_uint_eq(stj_log_n_records(log), 0);
    stj_log_close(log);
}
END_TEST

static const struct small_spec spec = {
    .network = "{input: [9], layers: [{type: dense, units: 12}, gelu, {type: dense, units: 5}], "
               "loss: softmax_cross_entropy}",
    .optimizer = "{type: sgd, momentum: 0.9}",
    .schedule = "{schedule: constant, peak: 0.3}",
    .rows = 64,
    .batch = 32,
    .steps = 30,
    .seed = 5};

/* A solve that is stopped after `limit` products by its operator. */
struct stopper {
    struct stj_op *inner;
    double limit;
};

static enum stj_status stop_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                  size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct stopper *s = ctx;
    if ((s->limit -= (double)nvec) < 0)
        return stj_error_set(err, STJ_EINTERRUPTED, __FILE__, __LINE__, "stopped");
    return stj_op_apply(s->inner, trans, nvec, x, ldx, y, ldy, err);
}

static enum stj_status solve(struct stj_op *jacobian, const char *path, const char *method,
                             size_t top, size_t bottom, double limit, struct stj_svd_result **r,
                             struct stj_error *err)
{
    struct stopper stopper = {jacobian, limit};
    struct stj_svd_settings settings = stj_svd_settings_default();
    struct stj_op *stopping = NULL;
    struct stj_op *op = NULL;
    struct stj_log *log = open_log(path, "run");
    EXPECT_OK(stj_op_create(stj_op_n_rows(jacobian), stj_op_n_cols(jacobian), stop_apply, NULL,
                            &stopper, &stopping, err),
              *err);
    EXPECT_OK(stj_op_create_journal(stopping, log, &op, err), *err);
    settings.top = top;
    settings.bottom = bottom;
    settings.method = method;
    settings.max_applications = bottom ? 120 : 0;
    const enum stj_status st = stj_svd_solve(op, &settings, r, err);
    stj_op_destroy(op);
    stj_op_destroy(stopping);
    stj_log_close(log);
    return st;
}

static void check_same(const struct stj_pairs *a, const struct stj_pairs *b)
{
    ck_assert_uint_eq(a->k, b->k);
    if (a->k == 0)
        return;
    ck_assert_mem_eq(a->sigma, b->sigma, a->k * sizeof(double));
    ck_assert_mem_eq(a->residual, b->residual, a->k * sizeof(double));
    ck_assert_mem_eq(a->u, b->u, a->k * a->n_rows * sizeof(double));
    ck_assert_mem_eq(a->v, b->v, a->k * a->n_cols * sizeof(double));
}

/* Stopped after nine products each time (the widest block has eight) and begun again on the same log. */
START_TEST(an_interrupted_solve_goes_on_with_the_same_bits)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_svd_result *want = NULL;
    struct stj_svd_result *got = NULL;
    static const char *const methods[] = {"arpack", "arnoldi", "lanczos"};
    const size_t top = _i != 1 ? 4 : 0;
    const size_t bottom = _i == 1 ? 4 : 0;
    EXPECT_OK(solve(jacobian, temp_path("want.log"), methods[_i], top, bottom, 1e9, &want, &err),
              err);
    const double all = want->counts.jvp + want->counts.vjp;
    double computed = 0;
    for (int tries = 0; !got && tries < 1000; tries++) {
        const struct stj_op_counts before = stj_op_get_counts(jacobian);
        const enum stj_status st =
            solve(jacobian, temp_path("got.log"), methods[_i], top, bottom, 9, &got, &err);
        ck_assert_msg(st == STJ_OK || st == STJ_EINTERRUPTED, "%s", err.text);
        stj_error_clear(&err);
        const struct stj_op_counts after = stj_op_get_counts(jacobian);
        computed += after.jvp + after.vjp - before.jvp - before.vjp;
    }
    ck_assert_ptr_nonnull(got);
    check_same(&want->top, &got->top);
    check_same(&want->bottom, &got->bottom);
    ck_assert_double_eq(got->counts.jvp + got->counts.vjp, all);
    ck_assert_msg(computed == all, "%g products were computed for a solve of %g", computed, all);
    stj_svd_result_destroy(want);
    stj_svd_result_destroy(got);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

START_TEST(a_larger_request_goes_on_from_a_smaller_one)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_svd_result *few = NULL;
    struct stj_svd_result *more = NULL;
    EXPECT_OK(solve(jacobian, temp_path("a.log"), "arpack", 3, 0, 1e9, &few, &err), err);
    EXPECT_OK(solve(jacobian, temp_path("a.log"), "arpack", 12, 0, 1e9, &more, &err), err);
    ck_assert_msg(more->counts.replayed >= (double)few->ncv, "%g replayed, ncv was %zu",
                  more->counts.replayed, few->ncv);
    ck_assert_uint_eq(more->converged, 12);
    stj_svd_result_destroy(few);
    stj_svd_result_destroy(more);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

START_TEST(windows_write_into_the_same_journal)
{
    enum { K = 2 };
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    struct stj_op *jacobian = small_run_jacobian(run, 0, 0, 0, 0);
    const size_t n = run->n;
    double *x = normal_numbers(n * K, 3);
    double *y = calloc(2 * n * K, sizeof *y);
    double *z = calloc(n, sizeof *z);
    for (int again = 0; again < 2; again++) {
        struct stj_log *log = open_log(temp_path("a.log"), "run");
        struct stj_op *op = NULL;
        struct stj_op *window = NULL;
        EXPECT_OK(stj_op_create_journal(jacobian, log, &op, &err), err);
        EXPECT_OK(stj_op_create_prefix(op, 0.5, &window, &err), err);
        EXPECT_OK(stj_op_apply(window, STJ_NO_TRANS, K, x, n, y + (size_t)again * n * K, n, &err),
                  err);
        EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, x, n, z, n, &err), err);
        ck_assert_double_eq(stj_op_get_counts(op).jvp, 0.5 * K);
        ck_assert_double_eq(stj_op_get_counts(op).vjp, 1);
        ck_assert_double_eq(stj_op_get_counts(op).replayed, again ? 0.5 * K + 1 : 0);
        stj_op_destroy(window);
        stj_op_destroy(op);
        stj_log_close(log);
    }
    ck_assert_mem_eq(y, y + n * K, n * K * sizeof *y);
    free(x);
    free(y);
    free(z);
    stj_op_destroy(jacobian);
    small_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record log and journal");
    TCase *tc = tcase_create("journal");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, records_survive_and_torn_tails_do_not);
    tcase_add_test(tc, a_flipped_byte_ends_the_log_there);
    tcase_add_test(tc, another_header_begins_anew);
    tcase_add_loop_test(tc, an_interrupted_solve_goes_on_with_the_same_bits, 0, 3);
    tcase_add_test(tc, a_larger_request_goes_on_from_a_smaller_one);
    tcase_add_test(tc, windows_write_into_the_same_journal);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
