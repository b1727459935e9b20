/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-yaml.c: the YAML tree knows its places and refuses what it must. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/yaml.h"
#include "expect.h"
#include "temp_files.h"

static enum stj_status parse(const char *text, struct stj_yaml_node **root, struct stj_error *err)
{
    return stj_yaml_parse(text, strlen(text), "t.yaml", root, err);
}

START_TEST(tree_has_values_and_places)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    EXPECT_OK(parse("a: 1\n"
                    "b: {c: [x, 'y z', \"\\u00e9\"], d: ~}\n"
                    "'e':\n"
                    "  - |\n"
                    "    text\n",
                    &root, &err),
              err);
    ck_assert_int_eq(root->type, STJ_YAML_MAPPING);
    ck_assert_uint_eq(root->n, 3);
    ck_assert_str_eq(root->file, "t.yaml");

    const struct stj_yaml_node *a = stj_yaml_get(root, "a");
    ck_assert_str_eq(a->text, "1");
    ck_assert(!a->quoted);
    ck_assert_int_eq(a->line, 1);
    ck_assert_int_eq(a->column, 4);

    const struct stj_yaml_node *c = stj_yaml_get(stj_yaml_get(root, "b"), "c");
    ck_assert_int_eq(c->type, STJ_YAML_SEQUENCE);
    ck_assert_uint_eq(c->n, 3);
    ck_assert_str_eq(c->item[1].text, "y z");
    ck_assert(c->item[1].quoted);
    ck_assert_int_eq(c->item[1].line, 2);
    ck_assert_int_eq(c->item[1].column, 12);
    ck_assert_str_eq(c->item[2].text, "\xC3\xA9");

    ck_assert_str_eq(root->key[2].text, "e");
    ck_assert_int_eq(root->key[2].line, 3);
    ck_assert_str_eq(root->item[2].item[0].text, "text\n");
    ck_assert(root->item[2].item[0].quoted);
    ck_assert_ptr_null(stj_yaml_get(root, "c"));
    ck_assert_ptr_null(stj_yaml_get(a, "x"));
    ck_assert_ptr_null(stj_yaml_get(NULL, "x"));
    stj_yaml_destroy(root);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} bad[] = {
    {"", "t.yaml:1:1: the file is empty"},
    {"# only a comment\n", "the file is empty"},
    {"a: &x 1\n", "t.yaml:1:4: anchors"},
    {"a: &x [1]\n", "t.yaml:1:4: anchors"},
    {"a: &x {b: 1}\n", "t.yaml:1:4: anchors"},
    {"a: 1\nb: *x\n", "t.yaml:2:4: aliases"},
    {"*x : 1\n", "t.yaml:1:1: aliases"},
    {"a: !!int 1\n", "t.yaml:1:4: tags"},
    {"a: !x [1]\n", "t.yaml:1:4: tags"},
    {"a: !x {b: 1}\n", "t.yaml:1:4: tags"},
    {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1: duplicate key 'a', first given at line 1"},
    {"{a: 1, \"a\": 2}\n", "t.yaml:1:8: duplicate key 'a'"},
    {"? [a, b]\n: 1\n", "t.yaml:1:3: a key must be a plain word"},
    {"? {a: b}\n: 1\n", "t.yaml:1:3: a key must be a plain word"},
    {"\"a\\nb\": 1\n", "t.yaml:1:1: a key must be a plain word on one line"},
    {"a: \"x\\0y\"\n", "t.yaml:1:4: a text with a NUL character"},
    {"a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document"},
    {"a: [1, 2\nb: 3\n", "t.yaml:2:2: not valid YAML"},
    {"a: 1\n b: 2\n", "t.yaml:2:3: not valid YAML: mapping values are not allowed"},
    {"a:\n\t- 1\n", "t.yaml:2:1: not valid YAML"},
    {"a: 1\nb: \xFF\n", "t.yaml:2:4: not valid YAML: invalid leading UTF-8 octet"},
    {"a: 'x\n", "not valid YAML: found unexpected end of stream"},
};

START_TEST(what_is_ruled_out_is_refused_with_its_place)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    EXPECT_FAIL(parse(bad[_i].text, &root, &err), STJ_ECONFIG, bad[_i].message, err);
    ck_assert_ptr_null(root);
}
END_TEST

/* depth nested lists around a number. */
static char *nested(size_t depth)
{
    char *text = calloc(2 * depth + 2, 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', depth);
    text[depth] = '1';
    memset(text + depth + 1, ']', depth);
    return text;
}

START_TEST(depth_is_limited_to_32)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    char *deepest = nested(31);
    char *too_deep = nested(32);
    char *far_too_deep = nested(100000);
    EXPECT_OK(parse(deepest, &root, &err), err);
    stj_yaml_destroy(root);
    EXPECT_FAIL(parse(too_deep, &root, &err), STJ_ECONFIG, "t.yaml:1:33: nested deeper than 32",
                err);
    EXPECT_FAIL(parse(far_too_deep, &root, &err), STJ_ECONFIG, "nested deeper than 32", err);
    free(deepest);
    free(too_deep);
    free(far_too_deep);
}
END_TEST

/* "[piece,piece,...]" with n pieces, or "{0:x,1:x,...}" when piece is NULL. */
static char *repeated(const char *piece, size_t n)
{
    size_t size = n * 16 + 3;
    char *text = calloc(size, 1);
    ck_assert_ptr_nonnull(text);
    size_t used = (size_t)snprintf(text, size, piece ? "[" : "{");
    for (size_t i = 0; i < n; i++)
        used += piece ? (size_t)snprintf(text + used, size - used, "%s,", piece)
                      : (size_t)snprintf(text + used, size - used, "%zu: x,", i);
    text[used] = piece ? ']' : '}';
    return text;
}

START_TEST(sizes_are_limited)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    char *many_nodes = repeated("1", 200000);
    char *many_keys = repeated(NULL, 1001);
    char *keys = repeated(NULL, 1000);
    char *long_text = calloc(4 * 1024 * 1024 + 2, 1);
    ck_assert_ptr_nonnull(long_text);
    memset(long_text, '#', 4 * 1024 * 1024 + 1);
    EXPECT_FAIL(parse(many_nodes, &root, &err), STJ_ECONFIG, "more than 200000 values", err);
    EXPECT_FAIL(parse(many_keys, &root, &err), STJ_ECONFIG, "more than 1000 keys", err);
    EXPECT_FAIL(parse(long_text, &root, &err), STJ_ECONFIG, "larger than", err);
    EXPECT_OK(parse(keys, &root, &err), err);
    ck_assert_uint_eq(root->n, 1000);
    stj_yaml_destroy(root);
    free(many_nodes);
    free(many_keys);
    free(keys);
    free(long_text);
}
END_TEST

START_TEST(files_are_read_and_named)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    const char *path = temp_write_text("good.yaml", "a: 1\n");
    EXPECT_OK(stj_yaml_read(path, &root, &err), err);
    ck_assert_str_eq(root->file, path);
    ck_assert_str_eq(stj_yaml_get(root, "a")->file, path);
    stj_yaml_destroy(root);
    EXPECT_FAIL(stj_yaml_read(temp_path("absent.yaml"), &root, &err), STJ_EIO,
                "absent.yaml: cannot open: No such file", err);
    EXPECT_FAIL(stj_yaml_read(temp_folder(), &root, &err), STJ_EIO, "cannot read", err);
    EXPECT_FAIL(stj_yaml_read(temp_write_text("bad.yaml", "a: [\n"), &root, &err), STJ_ECONFIG,
                "bad.yaml:2:1: not valid YAML", err);
    stj_yaml_destroy(NULL);
}
END_TEST

/* Texts whose last byte lies where reading asks for more memory, or one before or behind it; and one
 * that is too long as a file too. */
START_TEST(files_of_any_length_are_read_whole)
{
    static const size_t length[] = {16383, 16384,           16385,
                                    65536, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1};
    struct stj_error err = STJ_ERROR_INIT;
    for (size_t i = 0; i < sizeof length / sizeof length[0]; i++) {
        struct stj_yaml_node *root = NULL;
        char *text = malloc(length[i] + 1);
        memset(text, '#', length[i]);
        memcpy(text, "a: 1\n", 5);
        memcpy(text + length[i] - 5, "\nb: 2", 6);
        const char *path = temp_write_text("long.yaml", text);
        if (length[i] > 4 * 1024 * 1024) {
            EXPECT_FAIL(stj_yaml_read(path, &root, &err), STJ_ECONFIG, "larger than", err);
        } else {
            EXPECT_OK(stj_yaml_read(path, &root, &err), err);
            ck_assert_uint_eq(root->n, 2);
            ck_assert_str_eq(stj_yaml_get(root, "b")->text, "2");
        }
        stj_yaml_destroy(root);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tc = tcase_create("yaml");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_test(tc, tree_has_values_and_places);
    tcase_add_loop_test(tc, what_is_ruled_out_is_refused_with_its_place, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(tc, depth_is_limited_to_32);
    tcase_add_test(tc, sizes_are_limited);
    tcase_add_test(tc, files_are_read_and_named);
    tcase_add_test(tc, files_of_any_length_are_read_whole);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
