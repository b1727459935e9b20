/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-lock.c: who may write into a folder: parts, the whole, and locks that go with their process. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/lock.h"
#include "expect.h"
#include "scratch.h"

static struct stj_lock *take(const char *name)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_lock *lock = NULL;
    EXPECT_OK(stj_lock_take(scratch_path("."), name, NULL, &lock, &err), err);
    ck_assert_ptr_nonnull(lock);
    return lock;
}

/* The lock is refused, naming this process or another, and what it writes. */
static void refused(const char *name, pid_t pid, const char *writes)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_lock *lock = NULL;
    char text[128];
    char host[64] = "";
    ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
    snprintf(text, sizeof text, "(process %ld on %s, writing %s)", (long)pid, host, writes);
    EXPECT_FAIL(stj_lock_take(scratch_path("."), name, NULL, &lock, &err), STJ_EEXIST, text, err);
    ck_assert_ptr_null(lock);
}

/* Parts keep off their own name and the whole, the whole everything; the last one leaves nothing. */
START_TEST(parts_and_the_whole)
{
    struct stj_lock *svd = take("svd.h5");
    struct stj_lock *dense = take("dense.h5");
    refused("svd.h5", getpid(), "svd.h5");
    refused("dense.h5", getpid(), "dense.h5");
    refused(NULL, getpid(), "dense.h5"); /* the last who came */
    stj_lock_release(dense);
    refused(NULL, getpid(), "svd.h5");
    stj_lock_release(take("dense.h5"));
    stj_lock_release(svd);
    ck_assert_uint_eq(scratch_count("."), 0);
    struct stj_lock *whole = take(NULL);
    refused(NULL, getpid(), "the whole run");
    refused("svd.h5", getpid(), "the whole run");
    stj_lock_release(whole);
    ck_assert_uint_eq(scratch_count("."), 0);
    stj_lock_release(NULL);
}
END_TEST

/* What a dead process leaves is neither in the way nor in a message. */
START_TEST(a_dead_owner_has_no_lock)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct stj_lock *lock = NULL;
        if (stj_lock_take(scratch_path("."), "svd.h5", NULL, &lock, NULL) == STJ_OK &&
            write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    refused("svd.h5", pid, "svd.h5");
    refused(NULL, pid, "svd.h5");
    struct stj_lock *other = take("dense.h5");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    refused(NULL, getpid(), "dense.h5");
    stj_lock_release(take("svd.h5"));
    stj_lock_release(other);
    ck_assert_uint_eq(scratch_count("."), 0);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

/* Many processes, each of which writes "in" and then "out": never two at once, although the file of the
 * locks comes and goes. */
START_TEST(one_at_a_time)
{
    enum { PROCESSES = 6, ROUNDS = 40 };
    pid_t pid[PROCESSES];
    size_t bytes = 0;
    for (size_t p = 0; p < PROCESSES; p++) {
        pid[p] = fork();
        ck_assert_int_ge(pid[p], 0);
        for (int done = 0; pid[p] == 0 && done < ROUNDS;) {
            struct stj_lock *lock = NULL;
            if (stj_lock_take(scratch_path("."), p % 2 ? NULL : "part", NULL, &lock, NULL) !=
                STJ_OK)
                continue;
            FILE *file = fopen(scratch_path("trace"), "ab");
            setbuf(file, NULL);
            fputs("(", file);
            fputs(")", file);
            fclose(file);
            stj_lock_release(lock);
            done++;
        }
        if (pid[p] == 0)
            _exit(0);
    }
    for (size_t p = 0; p < PROCESSES; p++)
        ck_assert_int_eq(waitpid(pid[p], NULL, 0), pid[p]);
    unsigned char *trace = scratch_read("trace", &bytes);
    ck_assert_uint_eq(bytes, 2 * PROCESSES * ROUNDS);
    for (size_t i = 0; i < bytes; i++)
        ck_assert_int_eq(trace[i], i % 2 ? ')' : '(');
    free(trace);
    ck_assert_uint_eq(scratch_count("."), 1);
    scratch_remove("trace");
}
END_TEST

START_TEST(no_folder_to_lock)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_lock *lock = NULL;
    EXPECT_FAIL(stj_lock_take(scratch_path("absent"), NULL, NULL, &lock, &err), STJ_EIO,
                "absent: cannot be written", err);
    ck_assert_ptr_null(lock);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tests = tcase_create("lock");
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, parts_and_the_whole);
    tcase_add_test(tests, a_dead_owner_has_no_lock);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_test(tests, no_folder_to_lock);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
