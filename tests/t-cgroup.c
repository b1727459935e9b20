/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-cgroup.c: the memory that control groups of both versions leave, from copies of their files. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cgroup.h"
#include "base/memory.h"
#include "scratch.h"

/* A group in the folder `name`, in the files of version 1 or 2. */
static void group(const char *name, int version, const char *limit, const char *usage,
                  const char *cache)
{
    static const char *const files[2][2] = {{"memory.limit_in_bytes", "memory.usage_in_bytes"},
                                            {"memory.max", "memory.current"}};
    const char *total = version == 1 ? "total_" : "";
    char path[256];
    char text[256];
    (void)mkdir(scratch_path(name), 0700);
    snprintf(path, sizeof path, "%s/%s", name, files[version - 1][0]);
    scratch_write_text(path, limit);
    snprintf(path, sizeof path, "%s/%s", name, files[version - 1][1]);
    scratch_write_text(path, usage);
    snprintf(path, sizeof path, "%s/memory.stat", name);
    snprintf(text, sizeof text, "cache 77777\n%sactive_file 500\n%sinactive_file %s\n", total,
             total, cache);
    scratch_write_text(path, text);
}

static size_t free_with(const char *list)
{
    scratch_write_text("list", list);
    return stj_cgroup_free(scratch_path("list"), scratch_path("."));
}

START_TEST(the_tightest_of_nested_groups_counts)
{
    scratch_remove(".");
    group("job", 2, "1000000\n", "700000\n", "100000");
    group("job/step", 2, "max\n", "600000\n", "0");
    ck_assert_uint_eq(free_with("0::/job/step\n"), 400500);
    group("job/step", 2, "650000\n", "600000\n", "0");
    ck_assert_uint_eq(free_with("0::/job/step\n"), 50500);
    ck_assert_uint_eq(free_with("0::/job\n"), 400500);
    group("job/step", 2, "500000\n", "600000\n", "0"); /* lowered since */
    ck_assert_uint_eq(free_with("0::/job/step\n"), 0);
}
END_TEST

START_TEST(version_1_has_its_own_hierarchy)
{
    scratch_remove(".");
    (void)mkdir(scratch_path("memory"), 0700);
    group("memory/job", 1, "2000000\n", "900000\n", "400000");
    ck_assert_uint_eq(free_with("9:name=systemd:/job\n4:cpu,memory:/job\n0::/\n"), 1500500);
    ck_assert_uint_eq(free_with("4:memory2:/job\n"), SIZE_MAX);
    group("memory/job", 1, "9223372036854771712\n", "900000\n", "0"); /* none, as it is written */
    ck_assert_uint_gt(free_with("4:memory:/job\n"), (size_t)1 << 60);
}
END_TEST

/* In a container the path is the machine's, of which only the root is seen. */
START_TEST(folders_that_are_not_there_are_passed_over)
{
    scratch_remove(".");
    group("memory", 1, "3000000\n", "1000000\n", "0");
    ck_assert_uint_eq(free_with("4:memory:/docker/0123456789abcdef\n"), 2000500);
    group(".", 2, "5000\n", "1000\n", "0");
    ck_assert_uint_eq(free_with("0::/\n"), 4500);
    ck_assert_uint_eq(free_with("0::/../other\n"), 4500);
}
END_TEST

START_TEST(what_is_no_list_limits_nothing)
{
    scratch_remove(".");
    ck_assert_uint_eq(free_with(""), SIZE_MAX);
    ck_assert_uint_eq(free_with("0\nmemory\n::\n0:\n"), SIZE_MAX);
    ck_assert_uint_eq(free_with("0::/job\n"), SIZE_MAX);
    ck_assert_uint_eq(stj_cgroup_free(scratch_path("none"), scratch_path(".")), SIZE_MAX);
    group("job", 2, "many\n", "1\n", "0");
    ck_assert_uint_eq(free_with("0::/job\n"), SIZE_MAX);
    ck_assert_uint_gt(stj_memory_available(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory of control groups");
    TCase *tc = tcase_create("cgroup");
    tcase_add_unchecked_fixture(tc, scratch_begin, scratch_end);
    tcase_add_test(tc, the_tightest_of_nested_groups_counts);
    tcase_add_test(tc, version_1_has_its_own_hierarchy);
    tcase_add_test(tc, folders_that_are_not_there_are_passed_over);
    tcase_add_test(tc, what_is_no_list_limits_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
