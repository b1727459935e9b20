/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-file.c: files are whole or absent, also on a full disk; paths. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/crc.h"
#include "io/file.h"
#include "base/rng.h"
#include "expect.h"
#include "scratch.h"

/* stj_file_write_text while no file can grow beyond `bytes`.  The limit also holds for the file
 * through which Check reports, so nothing is asserted under it. */
static enum stj_status write_limited(size_t bytes, const char *path, const char *text,
                                     struct stj_error *err)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    int set = setrlimit(RLIMIT_FSIZE, &limit);
    enum stj_status st = stj_file_write_text(path, text, err);
    limit.rlim_cur = RLIM_INFINITY;
    set |= setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(set, 0);
    return st;
}

START_TEST(text_is_written_and_replaced)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t bytes;
    char *text = NULL;
    ck_assert_int_eq(stj_file_write_text(scratch_path("a"), "first\n", &err), STJ_OK);
    ck_assert_int_eq(stj_file_write_text(scratch_path("a"), "2\n", &err), STJ_OK);
    unsigned char *data = scratch_read("a", &bytes);
    ck_assert_uint_eq(bytes, 2);
    ck_assert_mem_eq(data, "2\n", 2);
    ck_assert_int_eq(stj_file_read_text(scratch_path("a"), 2, &text, &err), STJ_OK);
    ck_assert_str_eq(text, "2\n");
    free(text);
    ck_assert_int_eq(stj_file_read_text(scratch_path("a"), 1, &text, &err), STJ_EFORMAT);
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(scratch_count("."), 1);
    free(data);
}
END_TEST

START_TEST(leftover_of_a_killed_process_is_replaced)
{
    struct stj_error err = STJ_ERROR_INIT;
    char *temporary = NULL;
    ck_assert_int_eq(stj_file_temporary(scratch_path("b"), &temporary, &err), STJ_OK);
    scratch_write_text("b.tmp", "half a fi");
    ck_assert_int_eq(access(temporary, F_OK), 0); /* the name is what this test thinks it is */
    ck_assert_int_eq(stj_file_write_text(scratch_path("b"), "whole", &err), STJ_OK);
    ck_assert_int_ne(access(temporary, F_OK), 0);
    free(temporary);
}
END_TEST

START_TEST(full_disk_keeps_the_old_file)
{
    struct stj_error err = STJ_ERROR_INIT;
    char big[4096];
    size_t bytes;
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    ck_assert_int_eq(stj_file_write_text(scratch_path("c"), "old", &err), STJ_OK);
    size_t before = scratch_count(".");
    ck_assert_int_eq(write_limited(1000, scratch_path("c"), big, &err), STJ_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, scratch_path("c")));
    ck_assert_ptr_nonnull(strstr(err.text, "File too large"));
    ck_assert_ptr_null(strchr(err.text, '\n'));
    ck_assert_uint_eq(scratch_count("."), before);
    unsigned char *data = scratch_read("c", &bytes);
    ck_assert_uint_eq(bytes, 3);
    free(data);
}
END_TEST

START_TEST(no_folder)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_int_eq(stj_file_write_text(scratch_path("none/d"), "text", &err), STJ_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "none/d: cannot be written: No such file"));
}
END_TEST

START_TEST(commit_failure_removes_the_temporary)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_int_eq(mkdir(scratch_path("folder"), 0777), 0);
    scratch_write_text("folder.tmp", "text");
    /* A file cannot replace a folder. */
    ck_assert_int_eq(stj_file_commit(scratch_path("folder.tmp"), scratch_path("folder"), &err),
                     STJ_EIO);
    ck_assert_int_ne(access(scratch_path("folder.tmp"), F_OK), 0);
    ck_assert(stj_file_exists(scratch_path("folder")));
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *folder, *name, *joined;
    } join[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"a", "/b", "/b"}, {"", "b", "b"},
    };
    static const struct {
        const char *path, *folder;
    } split[] = {{"a/b/c", "a/b"}, {"c", "."}, {"/c", "/"}, {"a/", "a"}};
    struct stj_error err = STJ_ERROR_INIT;
    char *text = NULL;
    for (size_t i = 0; i < sizeof join / sizeof join[0]; i++) {
        ck_assert_int_eq(stj_path_join(join[i].folder, join[i].name, &text, &err), STJ_OK);
        ck_assert_str_eq(text, join[i].joined);
        free(text);
    }
    for (size_t i = 0; i < sizeof split / sizeof split[0]; i++) {
        ck_assert_int_eq(stj_path_folder(split[i].path, &text, &err), STJ_OK);
        ck_assert_str_eq(text, split[i].folder);
        free(text);
    }
}
END_TEST

/* The same as zlib's, whatever the length, the alignment and the pieces. */
START_TEST(checksums_are_those_of_zlib)
{
    enum { BYTES = 5000 };
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    unsigned char data[BYTES];
    EXPECT_OK(stj_rng_create(17, STJ_STREAM_CHECK, 0, &rng, &err), err);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)stj_rng_index(rng, 256);
    for (int k = 0; k < 3000; k++) {
        const size_t first = stj_rng_index(rng, 70);
        const size_t n = stj_rng_index(rng, k % 2 ? 400 : BYTES - 70);
        const size_t part = stj_rng_index(rng, n + 1);
        const uint32_t want = (uint32_t)crc32(0, data + first, (uInt)n);
        const uint32_t head = stj_crc32(0, data + first, part);
        ck_assert_uint_eq(stj_crc32(0, data + first, n), want);
        ck_assert_uint_eq(stj_crc32(head, data + first + part, n - part), want);
    }
    stj_rng_destroy(rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, checksums_are_those_of_zlib);
    tcase_add_test(tests, text_is_written_and_replaced);
    tcase_add_test(tests, leftover_of_a_killed_process_is_replaced);
    tcase_add_test(tests, full_disk_keeps_the_old_file);
    tcase_add_test(tests, no_folder);
    tcase_add_test(tests, commit_failure_removes_the_temporary);
    tcase_add_test(tests, paths);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
