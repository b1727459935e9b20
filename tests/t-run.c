/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-run.c: runs from end to end on a small network: training, opening, results, validation,
 * and that nothing half-written is left when something is wrong.
 *
 * Each test is a process of its own (Check forks), so the threads of one never meet another's.
 */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spectraj/analysis.h>

#include "io/lock.h"
#include "io/log.h"
#include "expect.h"
#include "run/run_internal.h"
#include "scratch.h"
#include "small_run.h"
#include "train/optimizers.h"
#include "trajectory/trajectory.h"
#include "write_arrays.h"

enum { ROWS = 24, FEATURES = 3, CLASSES = 2, N_PARAMS = 3 * 4 + 4 + 4 * 2 + 2, N_STEPS = 12 };

static const char config_head[] = "data:\n"
                                  "  train: {file: train.csv, label_column: 3}\n"
                                  "  test: {file: test.csv, label_column: 3}\n"
                                  "network:\n"
                                  "  input: [3]\n"
                                  "  layers:\n"
                                  "    - {type: dense, units: 4}\n"
                                  "    - {type: gelu}\n"
                                  "    - {type: dense, units: 2}\n"
                                  "  loss: softmax_cross_entropy\n";
static const char config_training[] = "training:\n"
                                      "  optimizer: {type: sgd, momentum: 0.9}\n"
                                      "  learning_rate: {schedule: cosine, peak: 0.3}\n"
                                      "  batch_size: 8\n"
                                      "  epochs: 4\n";

static void write_config(const char *name, const char *init, const char *training)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s%s", config_head, init, training);
    scratch_write_text(name, text);
}

static void write_data(const char *name, size_t rows, double shift)
{
    char text[ROWS * 80] = "";
    size_t used = 0;
    for (size_t i = 0; i < rows; i++) {
        double x = sin(1.7 * (double)i + shift);
        double y = cos(2.3 * (double)i);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.6f,%.6f,%.6f,%d\n", x, y,
                                 x * y, x + 0.5 * y > 0);
    }
    scratch_write_text(name, text);
}

/* Data, and the config c.yaml; everything of an earlier test is gone. */
static void begin(void)
{
    scratch_remove("R");
    scratch_remove("R2");
    write_data("train.csv", ROWS, 0);
    write_data("test.csv", ROWS / 2, 0.3);
    write_config("c.yaml", "init: {seed: 5}\n", config_training);
}

static enum stj_status train(const char *config, const char *dir, bool force, struct stj_error *err)
{
    const struct stj_run_train_settings settings = {.size = sizeof settings, .force = force};
    return stj_run_train(scratch_path(config), scratch_path(dir), &settings, NULL, err);
}

static struct stj_run *open_run(const char *dir)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    EXPECT_OK(stj_run_open(scratch_path(dir), &run, &err), err);
    return run;
}

static struct stj_run *trained(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    begin();
    EXPECT_OK(train("c.yaml", "R", false, &err), err);
    return open_run("R");
}

static bool is_there(const char *name)
{
    return access(scratch_path(name), F_OK) == 0;
}

static void expect_open_fails(const char *dir, enum stj_status status, const char *phrase)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    EXPECT_FAIL(stj_run_open(scratch_path(dir), &run, &err), status, phrase, err);
    ck_assert_ptr_null(run);
}

/* A run that opens, for its files are whole, and that nothing can be computed of. */
static void expect_product_fails(const char *dir, enum stj_status status, const char *phrase)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = open_run(dir);
    struct stj_op *op = NULL;
    EXPECT_FAIL(stj_run_jacobian(run, 0, 0, 0, &op, &err), status, phrase, err);
    ck_assert_ptr_null(op);
    EXPECT_FAIL(stj_run_jacobian(run, 0, 0, 0, &op, &err), status, phrase, err);
    stj_run_destroy(run);
}

START_TEST(train_and_open)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_info info;
    struct stj_run_layer layer;
    double theta[N_PARAMS];
    struct stj_run *run = trained();
    ck_assert_uint_eq(scratch_count("R"), 2);
    stj_run_get_info(run, &info);
    ck_assert_uint_eq(info.n_params, N_PARAMS);
    ck_assert_uint_eq(info.n_steps, N_STEPS);
    ck_assert_uint_eq(info.n_slots, 1);
    ck_assert_uint_eq(info.n_layers, 3);
    ck_assert_uint_eq(info.batch_size, 8);
    ck_assert_uint_eq(info.train_rows, ROWS);
    ck_assert_uint_eq(info.test_rows, ROWS / 2);
    ck_assert_str_eq(info.optimizer, "sgd");
    ck_assert_str_eq(info.loss, "softmax_cross_entropy");
    ck_assert_uint_eq(strlen(info.fingerprint), 16);
    ck_assert(info.train_loss > 0 && info.train_loss < log(2)); /* it has learned */
    ck_assert(info.test_loss > 0 && info.test_accuracy >= 0.5 && info.test_accuracy <= 1);
    ck_assert(stj_run_get_layer(run, 2, &layer));
    ck_assert_str_eq(layer.type, "dense");
    ck_assert_str_eq(layer.shape, "2");
    ck_assert(layer.n_params == 10 && layer.offset == 16);
    ck_assert(!stj_run_get_layer(run, 3, &layer));
    for (size_t t = 0; t < N_STEPS; t++)
        ck_assert(isfinite(stj_run_loss_curve(run)[t]));
    EXPECT_OK(stj_run_theta(run, N_STEPS, theta, &err), err);
    EXPECT_FAIL(stj_run_theta(run, N_STEPS + 1, theta, &err), STJ_EINVAL, "outside", err);
    stj_run_destroy(run);
    stj_run_destroy(NULL);
}
END_TEST

START_TEST(complete_run_is_kept)
{
    struct stj_error err = STJ_ERROR_INIT;
    bool matches = false;
    stj_run_destroy(trained());
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EEXIST,
                "R: holds a complete run; --force replaces it", err);
    EXPECT_OK(stj_run_matches(scratch_path("c.yaml"), scratch_path("R"), &matches, &err), err);
    ck_assert(matches);
    EXPECT_OK(stj_run_matches(scratch_path("c.yaml"), scratch_path("R2"), &matches, &err), err);
    ck_assert(!matches && !is_there("R2"));
    write_config("other.yaml", "init: {seed: 5}\n",
                 "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.3}, "
                 "batch_size: 8, steps: 3}\n");
    EXPECT_OK(stj_run_matches(scratch_path("other.yaml"), scratch_path("R"), &matches, &err), err);
    ck_assert(!matches);
    EXPECT_FAIL(train("other.yaml", "R", false, &err), STJ_EEXIST, "of another config: now", err);
    write_config("seed.yaml", "init: {seed: 6}\n", config_training);
    EXPECT_FAIL(train("seed.yaml", "R", false, &err), STJ_EEXIST, "now \"theta0: 26", err);

    scratch_write_text("R/svd.h5", "stale");
    scratch_write_text("R/dense-x.h5", "stale");
    scratch_write_text("R/notes.txt", "mine");
    EXPECT_OK(train("other.yaml", "R", true, &err), err);
    ck_assert(!is_there("R/svd.h5") && !is_there("R/dense-x.h5") && is_there("R/notes.txt"));
    struct stj_run *run = open_run("R");
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    ck_assert_uint_eq(info.n_steps, 3);
    stj_run_destroy(run);
}
END_TEST

/* The same config gives the same bits; the seed on the command line takes the config's place. */
START_TEST(seeds)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_info a, b;
    struct stj_run *other = NULL;
    struct stj_run *run = trained();
    const struct stj_run_train_settings same = {.size = sizeof same, .seed_given = true, .seed = 5};
    const struct stj_run_train_settings different = {
        .size = sizeof different, .force = true, .seed_given = true, .seed = 6};
    stj_run_get_info(run, &a);
    EXPECT_OK(stj_run_train(scratch_path("c.yaml"), scratch_path("R2"), &same, &other, &err), err);
    stj_run_get_info(other, &b);
    ck_assert(b.train_loss == a.train_loss);
    stj_run_destroy(other);
    EXPECT_OK(stj_run_train(scratch_path("c.yaml"), scratch_path("R2"), &different, &other, &err),
              err);
    stj_run_get_info(other, &b);
    ck_assert(b.train_loss != a.train_loss && strcmp(a.fingerprint, b.fingerprint) != 0);
    stj_run_destroy(other);
    stj_run_destroy(open_run("R2"));
    stj_run_destroy(run);
}
END_TEST

START_TEST(initial_parameters_from_a_file)
{
    struct stj_error err = STJ_ERROR_INIT;
    char text[4096] = "";
    double theta[N_PARAMS];
    size_t used = 0;
    begin();
    for (size_t i = 0; i < N_PARAMS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.17g\n", 0.01 * (double)i);
    scratch_write_text("theta.csv", text);
    write_config("f.yaml", "init: {file: theta.csv}\n", config_training);
    EXPECT_OK(train("f.yaml", "R", false, &err), err);
    unlink(scratch_path("theta.csv")); /* an open run has its theta_0 */
    struct stj_run *run = open_run("R");
    EXPECT_OK(stj_run_theta(run, 0, theta, &err), err);
    for (size_t i = 0; i < N_PARAMS; i++)
        ck_assert(theta[i] == 0.01 * (double)i);
    stj_run_destroy(run);
}
END_TEST

/* Files of the parameters and slots of a state, as another program would leave them. */
static void write_state(const struct stj_optimizer_ops *ops, const real *state)
{
    static const struct named_array tensor[] = {{"dense0.bias", 1, {4}, NULL},
                                                {"dense0.kernel", 2, {3, 4}, NULL},
                                                {"dense2.bias", 1, {2}, NULL},
                                                {"dense2.kernel", 2, {4, 2}, NULL}};
    enum { N = 4, MOST = 1 + STJ_MAX_SLOTS };
    double value[MOST * N_PARAMS];
    char name[MOST * N][64];
    struct named_array array[MOST * N];
    struct bytes b = {0};
    size_t at = 0;
    for (size_t i = 0; i < (1 + ops->n_slots) * N_PARAMS; i++)
        value[i] = (double)state[i];
    for (size_t i = 0; i < (1 + ops->n_slots) * N; i++) {
        array[i] = tensor[i % N];
        snprintf(name[i], sizeof name[i], "%s%s%s", tensor[i % N].name, i < N ? "" : ".",
                 i < N ? "" : ops->slot[i / N - 1]);
        array[i].name = name[i];
        array[i].value = value + at;
        at += array[i].shape[0] * (array[i].n_dims == 2 ? array[i].shape[1] : 1);
    }
    bytes_safetensors(&b, array, N);
    scratch_write("p.safetensors", b.item, b.n);
    bytes_free(&b);
    bytes_safetensors(&b, array + N, ops->n_slots * N);
    scratch_write("s.safetensors", b.item, b.n);
    bytes_free(&b);
}

/* A training that begins where another was, with what its optimizer had, has its bits. */
static const char *const resumed_optimizer[] = {
    "{type: sgd, momentum: 0.9, dampening: 0.3}",
    "adam",
    "{type: adam, amsgrad: true}",
    "{type: adamw, weight_decay: 0.1}",
    "{type: nadam, weight_decay: 0.1}",
    "{type: rmsprop, momentum: 0.5, centered: true}",
    "{type: adagrad, lr_decay: 0.1, initial_accumulator_value: 0.2}",
    "lamb",
    "{type: lars, momentum: 0.5}",
};
START_TEST(resumed)
{
    enum { AT = 6 };
    static const char format[] = "training: {optimizer: %s, learning_rate: {schedule: constant, "
                                 "peak: 0.05}, batch_size: 8, steps: %d}\n";
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory_view view;
    struct stj_validation v;
    char training[512];
    begin();
    snprintf(training, sizeof training, format, resumed_optimizer[_i], N_STEPS);
    write_config("whole.yaml", "init: {seed: 5}\n", training);
    EXPECT_OK(train("whole.yaml", "R", false, &err), err);
    struct stj_run *whole = open_run("R");
    const size_t n = stj_run_state_size(whole);
    EXPECT_OK(stj_trajectory_visit(whole->trajectory, AT, 1, &view, &err), err);
    write_state(stj_recipe_optimizer(&whole->recipe), view.state);
    snprintf(training, sizeof training, format, resumed_optimizer[_i], N_STEPS - AT);
    write_config("rest.yaml",
                 "init: {file: p.safetensors, slots: s.safetensors, step: 6, conv_kernel: HWIO, "
                 "dense_kernel: in_out, flatten: HWC}\n",
                 training);
    EXPECT_OK(train("rest.yaml", "R2", false, &err), err);
    unlink(scratch_path("s.safetensors")); /* an open run has its slots */
    struct stj_run *rest = open_run("R2");
    for (size_t t = 0; t <= N_STEPS - AT; t++) {
        real state[(1 + STJ_MAX_SLOTS) * N_PARAMS];
        EXPECT_OK(stj_trajectory_visit(whole->trajectory, AT + t, 1, &view, &err), err);
        memcpy(state, view.state, n * sizeof *state);
        EXPECT_OK(stj_trajectory_visit(rest->trajectory, t, 1, &view, &err), err);
        ck_assert_msg(memcmp(state, view.state, n * sizeof *state) == 0,
                      "%s: state %zu of the resumed training differs", resumed_optimizer[_i], t);
    }
    EXPECT_OK(stj_run_validate(rest, NULL, 1, 0, NULL, &v, &err), err);
    ck_assert(v.passed);
    stj_run_destroy(whole);
    stj_run_destroy(rest);
}
END_TEST

/* What a file of slots may lack, or cannot be. */
START_TEST(bad_slots)
{
    struct stj_error err = STJ_ERROR_INIT;
    real state[3 * N_PARAMS] = {0};
    begin();
    state[2 * N_PARAMS + 5] = -1;
    write_state(&stj_optimizer_adam, state);
    static const struct {
        const char *init, *optimizer, *phrase;
    } bad[] = {
        {"slots: s.safetensors", "adam", "slots are those after a step"},
        {"step: 3", "adam", "slots are those after a step"},
        {"slots: s.safetensors, step: 3", "sgd", "sgd has no state with these options"},
        {"slots: s.safetensors, step: 3", "{type: sgd, momentum: 0.9}", "momentum_buffer"},
        {"slots: s.safetensors, step: 3", "adam", "exp_avg_sq of parameter 5 is -1"},
        {"slots: p.safetensors, step: 3", "adam", "dense0.bias.exp_avg"},
        {"slots: none.npz, step: 3", "adam", "init.slots"},
        {"slots: train.csv, step: 3", "adam", "has no array 'dense0.bias.exp_avg'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char init[256], training[256];
        snprintf(
            init, sizeof init,
            "init: {file: p.safetensors, %s, conv_kernel: HWIO, dense_kernel: in_out, flatten: "
            "HWC}\n",
            bad[i].init);
        snprintf(training, sizeof training,
                 "training: {optimizer: %s, learning_rate: {schedule: constant, peak: 0.1}, "
                 "batch_size: 8, steps: 2}\n",
                 bad[i].optimizer);
        write_config("bad.yaml", init, training);
        ck_assert_msg(train("bad.yaml", "R", false, &err) != STJ_OK &&
                          strstr(err.text, bad[i].phrase),
                      "%s: '%s' is not in '%s'", bad[i].init, bad[i].phrase, err.text);
        stj_error_clear(&err);
        ck_assert(!is_there("R"));
    }
}
END_TEST

#define ONE_STEP                                                                                   \
    "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.1}, batch_size: 1, "   \
    "steps: 1}\n"

/* Each mistake: one line, and no directory. */
START_TEST(bad_input)
{
    static const struct {
        const char *name, *text; /* a file that is written before */
        const char *init, *training;
        enum stj_status status;
        const char *phrase;
    } cases[] = {
        {"train.csv", "1,2,3,0\n1,2,1\n", "", ONE_STEP, STJ_EFORMAT, "train.csv"},
        {"train.csv", "1,2,3,0\n1,x,3,1\n", "", ONE_STEP, STJ_EFORMAT, "train.csv"},
        {"train.csv", "1,2,3,0\n1,2,3,2\n", "", ONE_STEP, STJ_EFORMAT, "label 2 in row 1"},
        {"train.csv", "1,2,3,0.5\n", "", ONE_STEP, STJ_EFORMAT, "label 0.5"},
        {"train.csv", "1,2,3,0,4\n", "", ONE_STEP, STJ_ECONFIG, "4 features"},
        {"test.csv", "1,2,3,7\n", "", ONE_STEP, STJ_EFORMAT, "label 7"},
        {"theta.csv", "1\n2\n3\n", "init: {file: theta.csv}\n", config_training, STJ_EMISMATCH,
         "theta0 has 3 numbers, the network has 26 parameters"},
        {"x", "", "init: {file: none.npy}\n", config_training, STJ_EIO, "none.npy"},
        {"x", "", "",
         "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.1}, "
         "batch_size: 25, steps: 3}\n",
         STJ_EINVAL, "batch_size 25 is larger than the 24 rows"},
        {"x", "", "",
         "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 1e200}, "
         "batch_size: 8, steps: 3}\n",
         STJ_ENONFINITE, "training diverged"},
        {"x", "", "", "training: {}\n", STJ_ECONFIG, "bad.yaml:11:11: training: missing key"},
    };
    struct stj_error err = STJ_ERROR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        scratch_write_text(cases[i].name, cases[i].text);
        write_config("bad.yaml", cases[i].init, cases[i].training);
        enum stj_status st = train("bad.yaml", "R", false, &err);
        ck_assert_msg(st == cases[i].status, "case %zu: %s %s", i, stj_status_name(st), err.text);
        ck_assert_msg(strstr(err.text, cases[i].phrase) && !strchr(err.text, '\n'), "case %zu: %s",
                      i, err.text);
        ck_assert_msg(!is_there("R"), "case %zu leaves a directory", i);
        stj_error_clear(&err);
    }
    begin();
    EXPECT_FAIL(train("none.yaml", "R", false, &err), STJ_EIO, "none.yaml", err);
    unlink(scratch_path("train.csv"));
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EIO, "train.csv", err);
    ck_assert(!is_there("R"));
}
END_TEST

START_TEST(unsuitable_folders)
{
    struct stj_error err = STJ_ERROR_INIT;
    begin();
    scratch_write_text("file", "");
    EXPECT_FAIL(train("c.yaml", "file", false, &err), STJ_EEXIST, "is a file, not a directory",
                err);
    EXPECT_FAIL(train("c.yaml", "none/R", false, &err), STJ_EIO, "none/R: cannot be created", err);
    mkdir(scratch_path("R"), 0777);
    scratch_write_text("R/thesis.tex", "");
    EXPECT_FAIL(train("c.yaml", "R", true, &err), STJ_EEXIST,
                "is not a run and not empty (it has thesis.tex)", err);
    ck_assert_uint_eq(scratch_count("R"), 1);
    unlink(scratch_path("R/thesis.tex"));
    scratch_write_text("R/trajectory.h5.new.tmp", "left by a killed process");
    scratch_write_text("R/config.yaml", "of an incomplete run");
    expect_open_fails("R", STJ_EFORMAT, "is not complete");
    EXPECT_OK(train("c.yaml", "R", false, &err), err);
    ck_assert_uint_eq(scratch_count("R"), 2);
    stj_run_destroy(open_run("R"));
}
END_TEST

static int count_steps(void *ctx, const char *what, double done, double total)
{
    (void)what;
    *(size_t *)ctx += done < total;
    return 0;
}

static int stop_late(void *ctx, const char *what, double done, double total)
{
    (void)ctx, (void)what, (void)total;
    return done >= 5;
}

/* What an interrupted training has done is kept, and the same call goes on from there; an old run is
 * whole until the new one takes its place. */
START_TEST(interrupted)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_train_settings settings = {.size = sizeof settings,
                                              .progress = {.fn = stop_late}};
    struct stj_run *run = NULL;
    begin();
    EXPECT_FAIL(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, NULL, &err),
                STJ_EINTERRUPTED,
                "training was interrupted; 5 of 13 states are kept, to go on:", err);
    ck_assert_uint_eq(scratch_count("R"), 1);
    expect_open_fails("R", STJ_EFORMAT, "R: its training is not finished; go on with:");
    settings.progress.fn = count_steps;
    size_t steps = 0;
    settings.progress.ctx = &steps;
    EXPECT_OK(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, &run, &err), err);
    ck_assert_uint_eq(steps, N_STEPS - 4); /* from state 4, the fifth */
    ck_assert_uint_eq(scratch_count("R"), 2);
    EXPECT_OK(train("c.yaml", "R2", false, &err), err);
    struct stj_run *whole = open_run("R2");
    for (size_t t = 0; t <= N_STEPS; t++) {
        double a[N_PARAMS];
        double b[N_PARAMS];
        EXPECT_OK(stj_run_theta(run, t, a, &err), err);
        EXPECT_OK(stj_run_theta(whole, t, b, &err), err);
        ck_assert_mem_eq(a, b, sizeof a);
    }
    ck_assert_mem_eq(stj_run_loss_curve(run), stj_run_loss_curve(whole), N_STEPS * sizeof(double));
    stj_run_destroy(whole);
    stj_run_destroy(run);
}
END_TEST

START_TEST(interrupted_replacement)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_train_settings settings = {
        .size = sizeof settings, .force = true, .progress = {.fn = stop_late}};
    bool matches = true;
    stj_run_destroy(trained());
    EXPECT_FAIL(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, NULL, &err),
                STJ_EINTERRUPTED, "are kept, to go on", err);
    ck_assert_uint_eq(scratch_count("R"), 3);
    stj_run_destroy(open_run("R")); /* the old run is whole */
    EXPECT_OK(stj_run_matches(scratch_path("c.yaml"), scratch_path("R"), &matches, &err), err);
    ck_assert(!matches); /* there is something to be finished */
    write_config("seed.yaml", "init: {seed: 6}\n", config_training);
    EXPECT_FAIL(train("seed.yaml", "R", false, &err), STJ_EEXIST,
                "R: holds an unfinished training of another config: now \"theta0: 26, crc32", err);
    EXPECT_OK(train("c.yaml", "R", false, &err), err);
    ck_assert_uint_eq(scratch_count("R"), 2);
    stj_run_destroy(open_run("R"));
}
END_TEST

/* A log that says nothing, of another processor, or of a later version. */
START_TEST(unusable_training_logs)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_train_settings settings = {.size = sizeof settings,
                                              .progress = {.fn = stop_late}};
    struct stj_log *log = NULL;
    struct stj_lock *lock = NULL;
    char *header = NULL;
    begin();
    mkdir(scratch_path("R"), 0777);
    scratch_write_text("R/train.journal", "torn");
    EXPECT_OK(train("c.yaml", "R", false, &err), err);
    scratch_remove("R");
    EXPECT_FAIL(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, NULL, &err),
                STJ_EINTERRUPTED, "", err);
    EXPECT_OK(stj_log_read_header(scratch_path("R/train.journal"), &header, &err), err);
    EXPECT_OK(stj_lock_take(scratch_path("R"), NULL, NULL, &lock, &err), err);
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EEXIST, "is in use by another spectraj",
                err);
    stj_lock_release(lock);
    EXPECT_OK(stj_log_open(scratch_path("R/train.journal"), header, &log, &err), err);
    stj_log_close(log);
    memcpy(strstr(header, "\nblas ") + 6, "Other", 5);
    EXPECT_OK(stj_log_open(scratch_path("R/train.journal"), header, &log, &err), err);
    stj_log_close(log);
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EMISMATCH, "begun with \"Other", err);
    memcpy(header, "spectraj-training 9", 19);
    EXPECT_OK(stj_log_open(scratch_path("R/train.journal"), header, &log, &err), err);
    stj_log_close(log);
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EFORMAT, "of another version", err);
    EXPECT_OK(train("c.yaml", "R", true, &err), err);
    stj_run_destroy(open_run("R"));
    free(header);
}
END_TEST

/* The journal of a training had another name once: it is named, renamed it is gone on with. */
START_TEST(training_journal_of_an_earlier_version)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_train_settings settings = {.size = sizeof settings,
                                              .progress = {.fn = stop_late}};
    char path[4096], old[4096];
    begin();
    EXPECT_FAIL(stj_run_train(scratch_path("c.yaml"), scratch_path("R"), &settings, NULL, &err),
                STJ_EINTERRUPTED, "", err);
    snprintf(path, sizeof path, "%s", scratch_path("R/train.journal"));
    snprintf(old, sizeof old, "%s", scratch_path("R/train.log"));
    ck_assert_int_eq(rename(path, old), 0);
    EXPECT_FAIL(train("c.yaml", "R", false, &err), STJ_EEXIST, "rename train.log to", err);
    ck_assert(access(old, F_OK) == 0 && access(path, F_OK) != 0);
    ck_assert_int_eq(rename(old, path), 0);
    EXPECT_OK(train("c.yaml", "R", false, &err), err);
    scratch_write_text("R/train.log", "old");
    EXPECT_OK(train("c.yaml", "R", true, &err), err);
    ck_assert(access(old, F_OK) != 0);
}
END_TEST

/* Train while no file can grow beyond `bytes`; nothing is asserted meanwhile (see t-file.c). */
static enum stj_status train_limited(size_t bytes, bool force, struct stj_error *err)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    int set = setrlimit(RLIMIT_FSIZE, &limit);
    enum stj_status st = train("c.yaml", "R", force, err);
    limit.rlim_cur = RLIM_INFINITY;
    set |= setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(set, 0);
    return st;
}

/* The states that the disk could take are kept, and gone on from; where there are none, nothing is. */
START_TEST(full_disk)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t continued = 0;
    for (size_t bytes = 0; bytes < 16000; bytes += 1300) {
        begin();
        EXPECT_FAIL(train_limited(bytes, false, &err), STJ_EIO, "cannot be written: File too large",
                    err);
        if (!is_there("R"))
            continue;
        continued++;
        ck_assert_uint_eq(scratch_count("R"), 1);
        EXPECT_OK(train("c.yaml", "R", false, &err), err);
        ck_assert_uint_eq(scratch_count("R"), 2);
        stj_run_destroy(open_run("R"));
    }
    ck_assert_uint_ge(continued, 4);
    stj_run_destroy(trained());
    EXPECT_FAIL(train_limited(900, true, &err), STJ_EIO, "cannot be written", err);
    ck_assert_uint_eq(scratch_count("R"), 2);
    stj_run_destroy(open_run("R"));
}
END_TEST

/* Replace the first occurrence of `from` in a file; both have the same length. */
static void edit(const char *name, const char *from, const char *to)
{
    size_t n = 0;
    unsigned char *data = scratch_read(name, &n);
    char *at = strstr((char *)data, from);
    ck_assert_ptr_nonnull(at);
    memcpy(at, to, strlen(to));
    scratch_write(name, data, n);
    free(data);
}

START_TEST(refused_when_opened)
{
    size_t n = 0;
    stj_run_destroy(trained());
    expect_open_fails("nowhere", STJ_EIO, "nowhere: no such run");

    edit("R/config.yaml", "batch_size: 8", "batch_size: 6");
    expect_open_fails("R", STJ_EMISMATCH, "\"batch_size: 6\" where the run has \"batch_size: 8\"");
    edit("R/config.yaml", "batch_size: 6", "batch_sise: 8");
    expect_open_fails("R", STJ_ECONFIG, "did you mean 'batch_size'?");
    edit("R/config.yaml", "batch_sise: 8", "batch_size: 8");

    write_data("train.csv", ROWS, 1e-6);
    expect_product_fails("R", STJ_EMISMATCH, "the data changed since the training: \"data.train:");
    write_data("train.csv", ROWS, 0);
    write_data("test.csv", ROWS / 2, 0.4);
    expect_product_fails("R", STJ_EMISMATCH, "the data changed since the training: \"data.test:");
    unlink(scratch_path("test.csv"));
    expect_product_fails("R", STJ_EIO, "R: data.test: ");
    write_data("test.csv", ROWS / 2, 0.3);
    stj_run_destroy(open_run("R"));

    unsigned char *own = scratch_read("R/trajectory.h5", &n);
    scratch_write("R/trajectory.h5", own, n / 2);
    expect_open_fails("R", STJ_EFORMAT, "trajectory.h5: is truncated");
    scratch_write("R/trajectory.h5", own, n);
    stj_run_destroy(open_run("R"));
    scratch_write_text("R/trajectory.h5", "theta");
    expect_open_fails("R", STJ_EFORMAT, "trajectory.h5: is not an HDF5 file");
    unlink(scratch_path("R/trajectory.h5"));
    expect_open_fails("R", STJ_EFORMAT, "R: is not complete: it has no trajectory.h5");
    unlink(scratch_path("R/config.yaml"));
    expect_open_fails("R", STJ_EFORMAT, "R: is not a run: it has no config.yaml");
    /* What may not be looked at is not called missing; a link to itself is so for root as well. */
    ck_assert_int_eq(symlink("config.yaml", scratch_path("R/config.yaml")), 0);
    scratch_write("R/trajectory.h5", own, n);
    expect_open_fails("R", STJ_EIO, "R/config.yaml: cannot open: Too many levels");
    unlink(scratch_path("R/config.yaml"));
    free(own);
}
END_TEST

/* text <- without its first line that holds `part`. */
static void drop_line(char *text, const char *part)
{
    char *at = strstr(text, part);
    ck_assert_ptr_nonnull(at);
    while (at > text && at[-1] != '\n')
        at--;
    char *next = strchr(at, '\n') + 1;
    memmove(at, next, strlen(next) + 1);
}

/* A run of a library that did not know the key drop_last yet opens: the default is what it did. */
START_TEST(older_run_opens)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = NULL;
    struct stj_trajectory_about about = {0};
    bool matches = false;
    stj_run_destroy(trained());
    const char *path = scratch_path("R/trajectory.h5");
    EXPECT_OK(stj_trajectory_read(path, NULL, &trajectory, &about, &err), err);
    drop_line(about.identity, "drop_last: true");
    drop_line(about.config, "drop_last: true");
    EXPECT_OK(write_trajectory(trajectory, 1, path, &about, &err), err);
    expect_open_fails("R", STJ_EMISMATCH,
                      "contradicts itself"); /* the fingerprint is not its hash */
    stj_run_fingerprint(about.identity, about.fingerprint);
    EXPECT_OK(write_trajectory(trajectory, 1, scratch_path("R/trajectory.h5"), &about, &err), err);
    stj_run_destroy(open_run("R"));
    EXPECT_OK(stj_run_matches(scratch_path("c.yaml"), scratch_path("R"), &matches, &err), err);
    ck_assert(matches);
    stj_trajectory_about_free(&about);
    stj_trajectory_destroy(trajectory);
}
END_TEST

/* The trajectory of another run under this run's config. */
START_TEST(foreign_trajectory)
{
    struct stj_error err = STJ_ERROR_INIT;
    stj_run_destroy(trained());
    write_config("momentum.yaml", "init: {seed: 5}\n",
                 "training: {optimizer: {type: sgd, momentum: 0.8}, learning_rate: {schedule: "
                 "cosine, peak: 0.3}, batch_size: 8, epochs: 4}\n");
    EXPECT_OK(train("momentum.yaml", "R2", false, &err), err);
    ck_assert_int_eq(rename(scratch_path("R2/trajectory.h5"), scratch_path("R/trajectory.h5")), 0);
    expect_open_fails("R", STJ_EMISMATCH, "\"momentum: 0.9\" where the run has \"momentum: 0.8\"");
}
END_TEST

/* *result <- an analysis with options "NAME", "TEXT", ..., NULL. */
static enum stj_status ask(struct stj_run *run, const char *analysis, const char *const *option,
                           struct stj_result **result, struct stj_error *err)
{
    struct stj_request *request = NULL;
    enum stj_status st = stj_request_create(analysis, &request, err);
    for (size_t i = 0; st == STJ_OK && option[i]; i += 2)
        st = stj_request_set(request, option[i], option[i + 1], err);
    if (st == STJ_OK)
        st = stj_analyse(run, request, NULL, result, err);
    stj_request_destroy(request);
    return st;
}
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Products that a request took. */
static double cost_of(const struct stj_result *r)
{
    return stj_result_number(r, "applications.jvp") + stj_result_number(r, "applications.vjp");
}

/* An array has the same bits in two results. */
static void expect_same(const struct stj_result *a, const struct stj_result *b, const char *name,
                        size_t wanted)
{
    struct stj_error err = STJ_ERROR_INIT;
    double *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    EXPECT_OK(stj_result_numbers(a, name, &x, &n, &err), err);
    EXPECT_OK(stj_result_numbers(b, name, &y, &m, &err), err);
    ck_assert_msg(n == wanted && m == wanted, "%s has %zu and %zu numbers", name, n, m);
    ck_assert_mem_eq(x, y, n * sizeof *x);
    stj_free(x);
    stj_free(y);
}

START_TEST(svd_is_stored)
{
    static const char *const same[] = {"seed",          "ncv",           "tol",
                                       "top.converged", "top.requested", "top.products"};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_result *a = NULL, *b = NULL;
    struct stj_run *run = trained();
    EXPECT_OK(stj_result_read(run, "svd", NULL, &b, &err), err);
    ck_assert_ptr_null(b);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "3"), &a, &err), err);
    ck_assert(!stj_result_is_stored(a) && cost_of(a) > 0 && stj_result_is_complete(a, NULL));
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "3"), &b, &err), err);
    ck_assert(stj_result_is_stored(b) && cost_of(b) == 0);
    ck_assert_uint_eq((size_t)stj_result_number(b, "n_params"), N_PARAMS);
    expect_same(a, b, "top.sigma", 3);
    expect_same(a, b, "top.residual", 3);
    expect_same(a, b, "top.cosine", 3);
    expect_same(a, b, "top.u", 3 * N_PARAMS);
    expect_same(a, b, "top.v", 3 * N_PARAMS);
    ck_assert_str_eq(stj_result_text(a, "method"), stj_result_text(b, "method"));
    ck_assert_str_eq(stj_result_text(a, "stop"), stj_result_text(b, "stop"));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        ck_assert_double_eq(stj_result_number(a, same[i]), stj_result_number(b, same[i]));
    stj_result_destroy(b);
    EXPECT_OK(stj_result_read(run, "svd", NULL, &b, &err), err);
    expect_same(a, b, "top.sigma", 3);
    stj_result_destroy(b);

    EXPECT_OK(ask(run, "svd", OPTIONS("top", "2", "tag", "few"), &b, &err), err);
    ck_assert(!stj_result_is_stored(b) && is_there("R/svd-few.h5") && is_there("R/svd.h5"));
    stj_result_destroy(b);
    /* A part of what is stored is answered from it; another question has a file of its own. */
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "2"), &b, &err), err);
    ck_assert(stj_result_is_stored(b) && cost_of(b) == 0);
    ck_assert_double_eq(stj_result_number(b, "top.requested"), 2);
    stj_result_destroy(b);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "2", "seed", "3"), &b, &err), err);
    ck_assert(cost_of(b) > 0 && is_there("R/svd-seed-3.h5"));
    stj_result_destroy(b);
    EXPECT_FAIL(ask(run, "svd", OPTIONS("top", "2", "seed", "3", "tag", "few"), &b, &err),
                STJ_EEXIST, "another question", err);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "3", "force", "true"), &b, &err), err);
    ck_assert(!stj_result_is_stored(b) && cost_of(b) > 0);
    stj_result_destroy(b);
    EXPECT_FAIL(ask(run, "svd", OPTIONS("tag", "../x"), &b, &err), STJ_EINVAL, "tag", err);
    EXPECT_FAIL(ask(run, "svd", OPTIONS("from", "5", "to", "5"), &b, &err), STJ_EINVAL, "window",
                err);
    stj_result_destroy(a);
    stj_run_destroy(run);
    ck_assert_uint_eq(scratch_count("R"), 5); /* config, trajectory and three results */
}
END_TEST

START_TEST(results_of_another_run_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_result *result = NULL;
    struct stj_run *run = trained();
    write_config("seed.yaml", "init: {seed: 6}\n", config_training);
    EXPECT_OK(train("seed.yaml", "R2", false, &err), err);
    struct stj_run *other = open_run("R2");
    EXPECT_OK(ask(other, "svd", OPTIONS("top", "2"), &result, &err), err);
    stj_result_destroy(result);
    ck_assert_int_eq(rename(scratch_path("R2/svd.h5"), scratch_path("R/svd.h5")), 0);
    EXPECT_FAIL(ask(run, "svd", OPTIONS("top", "2"), &result, &err), STJ_EMISMATCH,
                "is a result of the run with fingerprint", err);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "2", "force", "true"), &result, &err), err);
    stj_result_destroy(result);
    scratch_write_text("R/svd.h5", "nothing");
    EXPECT_FAIL(ask(run, "svd", OPTIONS("top", "2"), &result, &err), STJ_EFORMAT,
                "compute it again with --force", err);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "2", "force", "true"), &result, &err), err);
    stj_result_destroy(result);
    stj_run_destroy(other);
    stj_run_destroy(run);
}
END_TEST

START_TEST(dense_is_stored_and_agrees_with_svd)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_result *top = NULL, *a = NULL, *b = NULL;
    double *sigma = NULL, *cosine = NULL, *largest = NULL;
    size_t n = 0;
    struct stj_run *run = trained();
    EXPECT_FAIL(ask(run, "dense", OPTIONS("memory", "1000"), &a, &err), STJ_ENOMEM,
                "26 parameters needs", err);
    ck_assert_uint_eq(scratch_count("R"), 2);
    EXPECT_OK(ask(run, "dense", OPTIONS("epsilon", "0.1"), &a, &err), err);
    EXPECT_OK(stj_result_numbers(a, "sigma", &sigma, &n, &err), err);
    ck_assert(!stj_result_is_stored(a) && n == N_PARAMS);
    EXPECT_OK(stj_result_numbers(a, "cosine", &cosine, &n, &err), err);
    ck_assert_double_eq(stj_result_number(a, "regions.chaotic") +
                            stj_result_number(a, "regions.bulk") +
                            stj_result_number(a, "regions.stable"),
                        N_PARAMS);
    for (size_t i = 0; i < N_PARAMS; i++) {
        ck_assert(sigma[i] >= 0 && (i == 0 || sigma[i] <= sigma[i - 1]));
        ck_assert(fabs(cosine[i]) <= 1 + 1e-14); /* unit vectors within some eps */
    }
    /* Another epsilon needs no new decomposition. */
    EXPECT_OK(ask(run, "dense", OPTIONS("epsilon", "0.5"), &b, &err), err);
    ck_assert(stj_result_is_stored(b) && stj_result_number(b, "epsilon") == 0.5);
    ck_assert(stj_result_number(b, "regions.bulk") >= stj_result_number(a, "regions.bulk"));
    expect_same(a, b, "sigma", N_PARAMS);
    expect_same(a, b, "cosine", N_PARAMS);
    stj_result_destroy(b);
    EXPECT_OK(stj_result_read(run, "dense", NULL, &b, &err), err);
    ck_assert(stj_result_number(b, "epsilon") == 0.1);
    ck_assert(stj_result_number(b, "regions.bulk") == stj_result_number(a, "regions.bulk"));
    expect_same(a, b, "v", (size_t)N_PARAMS * N_PARAMS);
    EXPECT_OK(ask(run, "svd", OPTIONS("top", "4"), &top, &err), err);
    EXPECT_OK(stj_result_numbers(top, "top.sigma", &largest, &n, &err), err);
    for (size_t i = 0; i < 4; i++) /* residuals are below 1e-10 sigma_1, so are the errors */
        ck_assert_double_eq_tol(largest[i], sigma[i], 1e-9 * sigma[0]);
    stj_free(sigma);
    stj_free(cosine);
    stj_free(largest);
    stj_result_destroy(top);
    stj_result_destroy(a);
    stj_result_destroy(b);
    stj_run_destroy(run);
}
END_TEST

START_TEST(validation_passes)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_validation v;
    struct stj_run *run = trained();
    EXPECT_OK(stj_run_validate(run, NULL, 1, 100, NULL, &v, &err), err);
    ck_assert_msg(v.passed && v.replay_identical && v.adjoint_error <= 1e-12 &&
                      v.finite_difference_error <= 1e-6 && v.dense_max_sigma_error <= 1e-9,
                  "adjoint %g, differences %g at %g, replay %d, dense %g", v.adjoint_error,
                  v.finite_difference_error, v.finite_difference_step, v.replay_identical,
                  v.dense_max_sigma_error);
    EXPECT_OK(stj_run_validate(run, NULL, 1, 10, NULL, &v, &err), err);
    ck_assert(v.passed && isnan(v.dense_max_sigma_error));
    stj_run_destroy(run);
}
END_TEST

/* A trajectory whose states are not those of the training, under correct checksums. */
START_TEST(validation_notices_a_wrong_state)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_trajectory *trajectory = NULL;
    struct stj_trajectory_about about = {0};
    struct stj_trajectory *wrong = NULL;
    struct stj_trajectory_view view;
    struct stj_validation v;
    real state[2 * N_PARAMS];
    stj_run_destroy(trained());
    EXPECT_OK(stj_trajectory_read(scratch_path("R/trajectory.h5"), NULL, &trajectory, &about, &err),
              err);
    EXPECT_OK(stj_trajectory_create(N_PARAMS, 1, N_STEPS, &wrong, &err), err);
    for (size_t t = 0; t <= N_STEPS; t++) {
        EXPECT_OK(stj_trajectory_visit(trajectory, t, 1, &view, &err), err);
        memcpy(state, view.state, sizeof state);
        if (t == 7)
            state[3] = (real)nextafter((double)state[3], 1e9);
        const double loss = t < N_STEPS ? stj_trajectory_loss(trajectory)[t] : (double)NAN;
        EXPECT_OK(stj_trajectory_record(wrong, t, state, loss, &err), err);
    }
    EXPECT_FAIL(stj_trajectory_record(trajectory, 7, state, 0, &err), STJ_EINVAL,
                "a trajectory of a file", err);
    EXPECT_OK(write_trajectory(wrong, 1, scratch_path("R/trajectory.h5"), &about, &err), err);
    stj_trajectory_about_free(&about);
    stj_trajectory_destroy(trajectory);
    stj_trajectory_destroy(wrong);
    struct stj_run *run = open_run("R");
    EXPECT_OK(stj_run_validate(run, NULL, 1, 0, NULL, &v, &err), err);
    ck_assert(!v.replay_identical && !v.passed);
    stj_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, train_and_open);
    tcase_add_test(tests, complete_run_is_kept);
    tcase_add_test(tests, seeds);
    tcase_add_test(tests, initial_parameters_from_a_file);
    tcase_add_loop_test(tests, resumed, 0,
                        (int)(sizeof resumed_optimizer / sizeof resumed_optimizer[0]));
    tcase_add_test(tests, bad_slots);
    tcase_add_test(tests, bad_input);
    tcase_add_test(tests, unsuitable_folders);
    tcase_add_test(tests, interrupted);
    tcase_add_test(tests, interrupted_replacement);
    tcase_add_test(tests, unusable_training_logs);
    tcase_add_test(tests, training_journal_of_an_earlier_version);
    tcase_add_test(tests, full_disk);
    tcase_add_test(tests, refused_when_opened);
    tcase_add_test(tests, older_run_opens);
    tcase_add_test(tests, foreign_trajectory);
    tcase_add_test(tests, svd_is_stored);
    tcase_add_test(tests, results_of_another_run_are_refused);
    tcase_add_test(tests, dense_is_stored_and_agrees_with_svd);
    tcase_add_test(tests, validation_passes);
    tcase_add_test(tests, validation_notices_a_wrong_state);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
