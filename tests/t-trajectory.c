/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-trajectory.c: states are kept and come back bit by bit, from memory and from
 * trajectory.h5; damaged, truncated and foreign files are refused. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/h5.h"
#include "base/rng.h"
#include "expect.h"
#include "scratch.h"
#include "small_run.h"
#include "trajectory/trajectory.h"

enum { N_PARAMS = 7, N_SLOTS = 2, N_STEPS = 9, N_STATE = (1 + N_SLOTS) * N_PARAMS };
static const uint64_t seed = 20241;

static double number(size_t t, size_t i)
{
    return sin((double)(t * N_STATE + i)) / 3;
}

static struct stj_trajectory *make(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = NULL;
    real state[N_STATE];
    EXPECT_OK(stj_trajectory_create(N_PARAMS, N_SLOTS, N_STEPS, &trajectory, &err), err);
    for (size_t t = 0; t <= N_STEPS; t++) {
        for (size_t i = 0; i < N_STATE; i++)
            state[i] = (real)number(t, i);
        double loss = t < N_STEPS ? 1 / (1.0 + (double)t) : (double)NAN;
        EXPECT_OK(stj_trajectory_record(trajectory, t, state, loss, &err), err);
    }
    return trajectory;
}

/* Every number is the one that `make` recorded. */
static void check(struct stj_trajectory *trajectory)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_uint_eq(stj_trajectory_n_params(trajectory), N_PARAMS);
    ck_assert_uint_eq(stj_trajectory_n_slots(trajectory), N_SLOTS);
    ck_assert_uint_eq(stj_trajectory_n_steps(trajectory), N_STEPS);
    for (size_t first = 0; first <= N_STEPS; first++)
        for (size_t count = 1; count <= N_STEPS + 1 - first; count++) {
            struct stj_trajectory_view view;
            EXPECT_OK(stj_trajectory_visit(trajectory, first, count, &view, &err), err);
            for (size_t t = 0; t < count; t++)
                for (size_t i = 0; i < N_STATE; i++)
                    ck_assert(view.state[t * view.ld + i] == (real)number(first + t, i));
        }
    for (size_t t = 0; t < N_STEPS; t++)
        ck_assert(stj_trajectory_loss(trajectory)[t] == 1 / (1.0 + (double)t));
}

static struct stj_trajectory_about about(void)
{
    static char fingerprint[] = "0123456789abcdef", identity[] = "numerics: 1\n",
                config[] = "data: {}\n", version[] = "0", blas[] = "none";
    return (struct stj_trajectory_about){.fingerprint = fingerprint,
                                         .identity = identity,
                                         .config = config,
                                         .version = version,
                                         .blas = blas,
                                         .seed = 3,
                                         .seconds = 0.5,
                                         .train_loss = 0.25,
                                         .test_loss = (double)NAN,
                                         .test_accuracy = (double)NAN};
}

static void write_file(const char *name)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = make();
    const struct stj_trajectory_about a = about();
    EXPECT_OK(write_trajectory(trajectory, 1, scratch_path(name), &a, &err), err);
    stj_trajectory_destroy(trajectory);
}

static enum stj_status read_file(const char *name, const char *fingerprint, struct stj_error *err)
{
    struct stj_trajectory *trajectory = NULL;
    enum stj_status st =
        stj_trajectory_read(scratch_path(name), fingerprint, &trajectory, NULL, err);
    ck_assert((st == STJ_OK) == (trajectory != NULL));
    if (trajectory)
        check(trajectory);
    stj_trajectory_destroy(trajectory);
    return st;
}

START_TEST(memory)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = make();
    struct stj_trajectory_view view;
    real state[N_STATE] = {0};
    check(trajectory);
    EXPECT_FAIL(stj_trajectory_record(trajectory, N_STEPS + 1, state, 0, &err), STJ_EINVAL,
                "outside a trajectory of 9 steps", err);
    EXPECT_FAIL(stj_trajectory_visit(trajectory, N_STEPS, 2, &view, &err), STJ_EINVAL,
                "states 9 to 11", err);
    EXPECT_FAIL(stj_trajectory_visit(trajectory, 2, SIZE_MAX, &view, &err), STJ_EINVAL, "outside",
                err);
    stj_trajectory_destroy(trajectory);
    stj_trajectory_destroy(NULL);
}
END_TEST

START_TEST(impossible_sizes)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = NULL;
    EXPECT_FAIL(stj_trajectory_create(0, 1, 1, &trajectory, &err), STJ_EINVAL, "0 parameters", err);
    EXPECT_FAIL(stj_trajectory_create(1, STJ_MAX_VECTORS, 1, &trajectory, &err), STJ_EINVAL,
                "slots", err);
    EXPECT_FAIL(stj_trajectory_create(SIZE_MAX / 2, 1, 5, &trajectory, &err), STJ_ENOMEM,
                "does not fit", err);
    ck_assert_ptr_null(trajectory);
}
END_TEST

START_TEST(file)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory_about a = {0};
    write_file("a.h5");
    ck_assert_uint_eq(scratch_count("."), 1);
    EXPECT_OK(read_file("a.h5", NULL, &err), err);
    EXPECT_OK(read_file("a.h5", "0123456789abcdef", &err), err);
    EXPECT_OK(stj_trajectory_read_about(scratch_path("a.h5"), &a, &err), err);
    ck_assert_str_eq(a.identity, "numerics: 1\n");
    ck_assert_str_eq(a.config, "data: {}\n");
    ck_assert(a.seed == 3 && a.seconds == 0.5 && a.train_loss == 0.25 && isnan(a.test_loss));
    stj_trajectory_about_free(&a);
    ck_assert_ptr_null(a.identity);
    EXPECT_FAIL(read_file("a.h5", "ffffffffffffffff", &err), STJ_EMISMATCH,
                "a.h5: belongs to a run with fingerprint 0123456789abcdef, not ffffffffffffffff",
                err);
}
END_TEST

/* A random bit of a random byte: the file is refused, and named. */
START_TEST(flipped_bits)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    size_t n = 0;
    write_file("b.h5");
    unsigned char *data = scratch_read("b.h5", &n);
    int fd = open(scratch_path("b.h5"), O_WRONLY);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_CHECK, 0, &rng, &err), err);
    for (int k = 0; k < 2000; k++) {
        size_t i = stj_rng_index(rng, n);
        unsigned char flipped = (unsigned char)(data[i] ^ 1u << stj_rng_index(rng, 8));
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)i), 1);
        enum stj_status st = read_file("b.h5", NULL, &err);
        ck_assert_msg(st == STJ_EFORMAT && strstr(err.text, "b.h5: is ") && !strchr(err.text, '\n'),
                      "seed %ju, byte %zu of %zu: %s %s", (uintmax_t)seed, i, n,
                      stj_status_name(st), err.text);
        stj_error_clear(&err);
        ck_assert_int_eq(pwrite(fd, &data[i], 1, (off_t)i), 1);
    }
    EXPECT_OK(read_file("b.h5", NULL, &err), err);
    close(fd);
    stj_rng_destroy(rng);
    free(data);
}
END_TEST

/* The same after the file was opened: a state is then what it was, or refused; never another. */
START_TEST(flipped_while_open)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    size_t n = 0;
    size_t refused = 0;
    write_file("f.h5");
    unsigned char *data = scratch_read("f.h5", &n);
    int fd = open(scratch_path("f.h5"), O_WRONLY);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_CHECK, 1, &rng, &err), err);
    for (int k = 0; k < 300; k++) {
        struct stj_trajectory *trajectory = NULL;
        size_t i = stj_rng_index(rng, n);
        unsigned char flipped = (unsigned char)(data[i] ^ 1u << stj_rng_index(rng, 8));
        EXPECT_OK(stj_trajectory_read(scratch_path("f.h5"), NULL, &trajectory, NULL, &err), err);
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)i), 1);
        for (size_t t = 0; t <= N_STEPS; t++) {
            struct stj_trajectory_view view;
            enum stj_status st = stj_trajectory_visit(trajectory, t, 1, &view, &err);
            ck_assert_msg(
                st == STJ_OK || (st == STJ_EFORMAT && strstr(err.text, "f.h5: is damaged")),
                "seed %ju, byte %zu: %s %s", (uintmax_t)seed, i, stj_status_name(st), err.text);
            refused += st != STJ_OK;
            for (size_t c = 0; st == STJ_OK && c < N_STATE; c++)
                ck_assert(view.state[c] == (real)number(t, c));
            stj_error_clear(&err);
        }
        ck_assert_int_eq(pwrite(fd, &data[i], 1, (off_t)i), 1);
        stj_trajectory_destroy(trajectory);
    }
    ck_assert_uint_gt(refused, 0); /* some flips were within states */
    close(fd);
    stj_rng_destroy(rng);
    free(data);
}
END_TEST

START_TEST(truncated)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t n = 0;
    write_file("c.h5");
    unsigned char *data = scratch_read("c.h5", &n);
    for (size_t length = 1; length < n; length = length * 3 / 2 + 1) {
        scratch_write("short.h5", data, length);
        EXPECT_FAIL(read_file("short.h5", NULL, &err), STJ_EFORMAT, "short.h5: is truncated", err);
    }
    scratch_write("long.h5", data, n + 1); /* scratch_read's buffer ends in a zero */
    EXPECT_FAIL(read_file("long.h5", NULL, &err), STJ_EFORMAT, "long.h5: is damaged", err);
    free(data);
}
END_TEST

/* A file of the right format that claims what it does not hold must be refused before memory is
 * taken for it. */
START_TEST(wrong_claims)
{
    static const struct stj_h5_format format = {"spectraj-trajectory", 1,
                                                "remedy"}; /* still read */
    static const struct {
        uint64_t n_params, n_slots, n_steps;
        enum stj_status status;
        const char *phrase;
    } claims[] = {
        {4, 0, 1, STJ_OK, ""},
        {5, 0, 1, STJ_EFORMAT, "its \"states\" is 2 x 4, not 2 x 5"},
        {4, 1, 1, STJ_EFORMAT, "not 2 x 8"},
        {4, 0, 2, STJ_EFORMAT, "not 3 x 4"},
        {UINT64_C(1) << 40, 0, 1, STJ_EFORMAT, "not 2 x 1099511627776"},
        {UINT64_MAX, 3, 1, STJ_ENOMEM, "does not fit"},
        {0, 0, 1, STJ_EINVAL, "0 parameters"},
        {4, 9, 1, STJ_EINVAL, "9 slots"},
    };
    static const char *const texts[] = {"@fingerprint", "@library_version", "@blas", "identity",
                                        "config"};
    static const char *const reals[] = {"@seconds", "@train_loss", "@test_loss", "@test_accuracy"};
    const double states[8] = {0};
    struct stj_error err = STJ_ERROR_INIT;
    for (size_t c = 0; c < sizeof claims / sizeof claims[0]; c++) {
        struct stj_h5 *h5 = NULL;
        struct stj_trajectory *trajectory = NULL;
        EXPECT_OK(stj_h5_create(scratch_path("d.h5"), &format, &h5, &err), err);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            EXPECT_OK(stj_h5_put_text(h5, texts[i], "", &err), err);
        for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
            EXPECT_OK(stj_h5_put_real(h5, reals[i], 0, &err), err);
        EXPECT_OK(stj_h5_put_unsigned(h5, "@batch_seed", 0, &err), err);
        EXPECT_OK(stj_h5_put_unsigned(h5, "@n_params", claims[c].n_params, &err), err);
        EXPECT_OK(stj_h5_put_unsigned(h5, "@n_slots", claims[c].n_slots, &err), err);
        EXPECT_OK(stj_h5_put_unsigned(h5, "@n_steps", claims[c].n_steps, &err), err);
        EXPECT_OK(stj_h5_put_vector(h5, "loss", 1, states, &err), err);
        EXPECT_OK(stj_h5_put_matrix(h5, "states", 2, 4, &err), err);
        EXPECT_OK(stj_h5_put_rows(h5, "states", 0, 2, states, 4, &err), err);
        EXPECT_OK(stj_h5_commit(h5, &err), err);
        enum stj_status st =
            stj_trajectory_read(scratch_path("d.h5"), NULL, &trajectory, NULL, &err);
        ck_assert_msg(st == claims[c].status && strstr(err.text, claims[c].phrase),
                      "claim %zu: %s %s", c, stj_status_name(st), err.text);
        stj_error_clear(&err);
        stj_trajectory_destroy(trajectory);
    }
}
END_TEST

/* A file of version 1, whose matrices have HDF5's Fletcher-32 filter; one of a version to come. */
START_TEST(other_versions)
{
    static const struct stj_h5_format newer = {"spectraj-trajectory", 3, "remedy"};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = NULL;
    struct stj_h5 *h5 = NULL;
    char path[4096];
    const char *source = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/trajectory-v1.h5", source ? source : ".");
    EXPECT_OK(stj_trajectory_read(path, NULL, &trajectory, NULL, &err), err);
    ck_assert_uint_eq(stj_trajectory_n_params(trajectory), 14);
    ck_assert_uint_eq(stj_trajectory_n_slots(trajectory), 1);
    ck_assert_uint_eq(stj_trajectory_n_steps(trajectory), 5);
    for (size_t t = 0; t <= 5; t++) {
        struct stj_trajectory_view view;
        EXPECT_OK(stj_trajectory_visit(trajectory, t, 1, &view, &err), err);
        for (size_t i = 0; t == 0 && i < 14; i++)
            ck_assert(view.state[14 + i] == 0); /* the momentum begins so */
    }
    stj_trajectory_destroy(trajectory);
    EXPECT_OK(stj_h5_create(scratch_path("new.h5"), &newer, &h5, &err), err);
    EXPECT_OK(stj_h5_commit(h5, &err), err);
    EXPECT_FAIL(stj_trajectory_read(scratch_path("new.h5"), NULL, &trajectory, NULL, &err),
                STJ_EFORMAT, "has version 3 of its format, this library reads up to 2", err);
}
END_TEST

START_TEST(full_disk_keeps_the_old_file)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = make();
    const struct stj_trajectory_about a = about();
    struct rlimit limit = {.rlim_cur = 4000, .rlim_max = RLIM_INFINITY};
    write_file("e.h5");
    size_t before = scratch_count(".");
    signal(SIGXFSZ, SIG_IGN);
    int set = setrlimit(RLIMIT_FSIZE, &limit); /* nothing is asserted under it: see t-file.c */
    enum stj_status st = write_trajectory(trajectory, 1, scratch_path("e.h5"), &a, &err);
    limit.rlim_cur = RLIM_INFINITY;
    set |= setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(set, 0);
    EXPECT_FAIL(st, STJ_EIO, "e.h5: cannot be written: File too large", err);
    ck_assert_uint_eq(scratch_count("."), before);
    EXPECT_OK(read_file("e.h5", NULL, &err), err);
    stj_trajectory_destroy(trajectory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trajectory");
    TCase *tests = tcase_create("trajectory");
    tcase_set_timeout(tests, 60);
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, file); /* first: it counts the files */
    tcase_add_test(tests, memory);
    tcase_add_test(tests, impossible_sizes);
    tcase_add_test(tests, flipped_bits);
    tcase_add_test(tests, flipped_while_open);
    tcase_add_test(tests, truncated);
    tcase_add_test(tests, wrong_claims);
    tcase_add_test(tests, other_versions);
    tcase_add_test(tests, full_disk_keeps_the_old_file);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
