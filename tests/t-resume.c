/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-resume.c: a training that is killed goes on where it was, and ends with the same bits.
 *
 * The command is killed (SIGKILL) at moments drawn uniformly over the time that an undisturbed training
 * takes, and started again; states, losses and the order of the batches are then compared with those
 * of the undisturbed one.  Dropout, shuffling, clipping and Adam are all functions of state, seed and step.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/lock.h"
#include "io/file.h"
#include "base/rng.h"
#include "expect.h"
#include "scratch.h"
#include "trajectory/trajectory.h"

enum { KILLS = 20, ROWS = 60 };
static const uint64_t seed = 4711;

static const char config[] = "data: {train: {file: train.csv, label_column: 3}}\n"
                             "network:\n"
                             "  input: [3]\n"
                             "  layers:\n"
                             "    - {type: dense, units: 24}\n"
                             "    - tanh\n"
                             "    - {type: dropout, rate: 0.2, seed: 4}\n"
                             "    - {type: dense, units: 2}\n"
                             "  loss: softmax_cross_entropy\n"
                             "init: {seed: 3}\n"
                             "training:\n"
                             "  optimizer: {type: adam, eps_root: 1.0e-8}\n"
                             "  learning_rate: {schedule: cosine, peak: 0.01}\n"
                             "  clip_norm: 0.5\n"
                             "  batch_size: 16\n"
                             "  drop_last: false\n"
                             "  shuffle: true\n"
                             "  steps: 3000\n";

static void write_inputs(const char *text)
{
    char data[ROWS * 40] = "";
    size_t used = 0;
    for (size_t i = 0; i < ROWS; i++)
        used += (size_t)snprintf(data + used, sizeof data - used, "%zu,%zu,%zu,%zu\n", i * 7 % 11,
                                 i * 5 % 13, i * 3 % 7, i % 2);
    scratch_write_text("train.csv", data);
    scratch_write_text("c.yaml", text);
}

/* Start `spectraj train c.yaml -o RUN [option]`; its messages go to the file `err`. */
static pid_t start(const char *run, const char *option)
{
    const char *spectraj = getenv("SPECTRAJ");
    ck_assert_msg(spectraj != NULL, "the variable SPECTRAJ must name the program");
    const pid_t pid = fork();
    if (pid == 0) {
        if (chdir(scratch_path(".")) != 0 || !freopen("err", "w", stderr) ||
            !freopen("/dev/null", "w", stdout))
            _exit(99);
        execl(spectraj, "spectraj", "train", "c.yaml", "-o", run, option, (char *)NULL);
        _exit(99);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

/* The exit status, or minus the signal. */
static int finish(pid_t pid)
{
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool is_complete(const char *run)
{
    char log[64];
    char trajectory[64];
    snprintf(log, sizeof log, "%s/train.journal", run);
    snprintf(trajectory, sizeof trajectory, "%s/trajectory.h5", run);
    return access(scratch_path(log), F_OK) != 0 && access(scratch_path(trajectory), F_OK) == 0;
}

static void pause_for(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}

struct content {
    struct stj_trajectory *trajectory;
    struct stj_trajectory_about about;
};

static struct content read_run(const char *run)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct content c = {0};
    char name[64];
    snprintf(name, sizeof name, "%s/trajectory.h5", run);
    EXPECT_OK(stj_trajectory_read(scratch_path(name), NULL, &c.trajectory, &c.about, &err), err);
    return c;
}

static void content_free(struct content *c)
{
    stj_trajectory_destroy(c->trajectory);
    stj_trajectory_about_free(&c->about);
}

static void expect_same(const char *run, const struct content *whole, const char *when)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct content c = read_run(run);
    char lock[64];
    const size_t n_steps = stj_trajectory_n_steps(whole->trajectory);
    const size_t n_state = (1 + stj_trajectory_n_slots(whole->trajectory)) *
                           stj_trajectory_n_params(whole->trajectory);
    ck_assert_uint_eq(stj_trajectory_n_steps(c.trajectory), n_steps);
    for (size_t t = 0; t <= n_steps; t++) {
        struct stj_trajectory_view a;
        struct stj_trajectory_view b;
        EXPECT_OK(stj_trajectory_visit(c.trajectory, t, 1, &a, &err), err);
        EXPECT_OK(stj_trajectory_visit(whole->trajectory, t, 1, &b, &err), err);
        ck_assert_msg(memcmp(a.state, b.state, n_state * sizeof *a.state) == 0,
                      "%s: seed %ju, state %zu differs", when, (uintmax_t)seed, t);
    }
    ck_assert_mem_eq(stj_trajectory_loss(c.trajectory), stj_trajectory_loss(whole->trajectory),
                     n_steps * sizeof(double));
    ck_assert(c.about.train_loss == whole->about.train_loss);
    ck_assert_str_eq(c.about.fingerprint, whole->about.fingerprint);
    /* config.yaml and trajectory.h5; a process that was killed may leave its lock file. */
    snprintf(lock, sizeof lock, "%s/" STJ_LOCK_NAME, run);
    ck_assert_uint_eq(scratch_count(run), access(scratch_path(lock), F_OK) == 0 ? 3 : 2);
    content_free(&c);
}

/* The undisturbed training, and how long it takes. */
static struct content undisturbed(double *seconds)
{
    scratch_remove("WHOLE");
    const double begin = stj_clock();
    ck_assert_int_eq(finish(start("WHOLE", NULL)), 0);
    *seconds = stj_clock() - begin;
    return read_run("WHOLE");
}

START_TEST(killed_at_any_moment)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    double seconds = 0;
    size_t killed = 0;
    write_inputs(config);
    struct content whole = undisturbed(&seconds);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_CHECK, 0, &rng, &err), err);
    for (int k = 0; k < KILLS; k++) {
        char when[64];
        const double moment = seconds * stj_rng_uniform(rng);
        snprintf(when, sizeof when, "killed after %.3f of %.3f s", moment, seconds);
        scratch_remove("R");
        const pid_t pid = start("R", NULL);
        pause_for(moment);
        kill(pid, SIGKILL);
        const int status = finish(pid);
        ck_assert_msg(status == -SIGKILL || status == 0, "%s: status %d", when, status);
        killed += status == -SIGKILL;
        if (!is_complete("R")) /* else it was killed while it took its leave */
            ck_assert_msg(finish(start("R", NULL)) == 0, "%s: does not go on", when);
        expect_same("R", &whole, when);
    }
    ck_assert_uint_ge(
        killed, KILLS / 4); /* moments before the end, where the machine is as fast as before */
    stj_rng_destroy(rng);
    content_free(&whole);
}
END_TEST

/* One training killed again and again, each time a little later than the last. */
START_TEST(killed_again_and_again)
{
    double seconds = 0;
    write_inputs(config);
    struct content whole = undisturbed(&seconds);
    scratch_remove("R");
    size_t killed = 0;
    for (double moment = seconds / 40; !is_complete("R"); moment += seconds / 40) {
        const pid_t pid = start("R", NULL);
        pause_for(moment);
        kill(pid, SIGKILL);
        const int status = finish(pid);
        ck_assert_msg(status == -SIGKILL || status == 0, "status %d", status);
        killed += status == -SIGKILL;
    }
    ck_assert_uint_ge(killed, 2);
    expect_same("R", &whole, "killed again and again");
    content_free(&whole);
}
END_TEST

/* Does the file of messages hold the text, in one line? */
static void expect_message(const char *part)
{
    size_t n = 0;
    char *text = (char *)scratch_read("err", &n);
    ck_assert_msg(strstr(text, part) && strchr(text, '\n') == text + n - 1, "'%s' lacks '%s'", text,
                  part);
    free(text);
}

START_TEST(asked_to_stop)
{
    char text[2 * sizeof config];
    write_inputs(config);
    snprintf(text, sizeof text, "%s", config);
    memcpy(strstr(text, "steps: 3000"), "steps: 9999", 11);
    scratch_write_text("c.yaml", text);
    const pid_t pid = start("R", "--seed=3");
    while (stj_file_bytes(scratch_path("R/train.journal")) < 20000) /* a few states */
        pause_for(0.002);
    kill(pid, SIGINT);
    ck_assert_int_eq(finish(pid), 130);
    expect_message("are kept, to go on: spectraj train c.yaml -o R --seed=3");
    ck_assert_int_eq(finish(start("R", "--seed=4")), 1); /* another config */
    expect_message("R: holds an unfinished training of another config: now \"theta0:");
    ck_assert_int_eq(finish(start("R", NULL)), 1); /* training.seed is 0 there */
    expect_message("of another config: now \"seed: 0\" where the run has \"seed: 3\"");
    ck_assert_int_eq(finish(start("R", "--seed=3")), 0);
    ck_assert_int_eq(finish(start("R", "--seed=3")), 1); /* complete */
    expect_message("R: holds a complete run; --force replaces it");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, killed_at_any_moment);
    tcase_add_test(tests, killed_again_and_again);
    tcase_add_test(tests, asked_to_stop);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
