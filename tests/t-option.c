/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-option.c: option tables parse, refuse, explain, write and free. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "options/option.h"
#include "options/yaml.h"
#include "expect.h"
#include "temp_files.h"

/* ---- a small world of plug-ins ---- */

struct fill {
    double value;
};
static const struct stj_option fill_options[] = {
    {.name = "value",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct fill, value),
     .fallback = "0.5"},
    {.name = NULL},
};
static const struct stj_plugin_info fill_info = {
    .name = "constant", .options = fill_options, .config_size = sizeof(struct fill)};
static const struct stj_plugin_info zeros_info = {.name = "zeros"};
static const struct stj_plugin_info *const fill_list[] = {&fill_info, &zeros_info, NULL};
static const struct stj_kind fill_kind = {.what = "initializer", .list = fill_list};

struct dense {
    size_t units;
    struct stj_plugin init;
};
static const struct stj_option dense_options[] = {
    {.name = "units", .type = STJ_OPTION_SIZE, .offset = offsetof(struct dense, units), .min = 1},
    {.name = "kernel_init",
     .type = STJ_OPTION_PLUGIN,
     .offset = offsetof(struct dense, init),
     .fallback = "{type: constant, value: 2}",
     .kind = &fill_kind},
    {.name = NULL},
};
static const struct stj_plugin_info dense_info = {
    .name = "dense", .options = dense_options, .config_size = sizeof(struct dense)};
static const struct stj_plugin_info gelu_info = {.name = "gelu"};
static const struct stj_plugin_info *const layer_list[] = {&dense_info, &gelu_info, NULL};
static const struct stj_kind layer_kind = {.what = "layer", .list = layer_list};

static const struct stj_kind schedule_kind = {
    .what = "schedule", .key = "schedule", .list = fill_list};

struct inner {
    size_t epochs;
    bool has_epochs;
    double rate;
};
static const struct stj_option inner_options[] = {
    {.name = "epochs",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct inner, epochs),
     .fallback = "",
     .present_offset = offsetof(struct inner, has_epochs)},
    {.name = "learning_rate",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct inner, rate),
     .fallback = "0.1",
     .above_min = true,
     .max = 0,
     .doc = "step length"},
    {.name = NULL},
};

struct outer {
    size_t batch_size;
    uint64_t seed;
    double momentum, tol;
    bool shuffle;
    char *title;
    char *file;
    int order;
    struct stj_sizes input;
    struct stj_plugin loss, schedule;
    struct stj_plugins layers;
    struct inner training, extra;
    bool has_extra;
};
static const char *const orders[] = {"forward", "backward", "true", NULL};
#define AT(member) offsetof(struct outer, member)
static const struct stj_option outer_options[] = {
    {.name = "batch_size",
     .type = STJ_OPTION_SIZE,
     .offset = AT(batch_size),
     .min = 1,
     .doc = "samples per step"},
    {.name = "seed", .type = STJ_OPTION_SEED, .offset = AT(seed), .fallback = "0"},
    {.name = "momentum",
     .type = STJ_OPTION_REAL,
     .offset = AT(momentum),
     .fallback = "0.9",
     .min = 0,
     .max = 1,
     .below_max = true},
    {.name = "tol", .type = STJ_OPTION_REAL, .offset = AT(tol), .fallback = ""},
    {.name = "shuffle", .type = STJ_OPTION_BOOL, .offset = AT(shuffle), .fallback = "false"},
    {.name = "title", .type = STJ_OPTION_STRING, .offset = AT(title), .fallback = ""},
    {.name = "file", .type = STJ_OPTION_PATH, .offset = AT(file), .fallback = ""},
    {.name = "order",
     .type = STJ_OPTION_CHOICE,
     .offset = AT(order),
     .fallback = "backward",
     .choices = orders},
    {.name = "input", .type = STJ_OPTION_SIZES, .offset = AT(input), .fallback = "[]", .min = 1},
    {.name = "loss",
     .type = STJ_OPTION_PLUGIN,
     .offset = AT(loss),
     .fallback = "",
     .kind = &fill_kind},
    {.name = "learning_rate",
     .type = STJ_OPTION_PLUGIN,
     .offset = AT(schedule),
     .fallback = "zeros",
     .kind = &schedule_kind},
    {.name = "layers",
     .type = STJ_OPTION_PLUGINS,
     .offset = AT(layers),
     .fallback = "[]",
     .kind = &layer_kind},
    {.name = "training",
     .type = STJ_OPTION_GROUP,
     .offset = AT(training),
     .fallback = "{}",
     .group = inner_options},
    {.name = "extra",
     .type = STJ_OPTION_GROUP,
     .offset = AT(extra),
     .fallback = "",
     .group = inner_options,
     .present_offset = AT(has_extra)},
    {.name = NULL},
};

/* config <- a text, as if it stood in `name`. */
static enum stj_status parse(const char *text, const char *name, struct outer *config,
                             struct stj_error *err)
{
    struct stj_yaml_node *root = NULL;
    *config = (struct outer){0};
    enum stj_status st = stj_yaml_parse(text, strlen(text), name, &root, err);
    if (st == STJ_OK)
        st = stj_options_parse(outer_options, root, config, err);
    stj_yaml_destroy(root);
    return st;
}

/* ---- parsing ---- */

static const char full[] = "batch_size: 64\n"
                           "seed: 18446744073709551615\n"
                           "momentum: 5e-1\n"
                           "tol: -1.25\n"
                           "shuffle: true\n"
                           "title: \"two\\nlines\"\n"
                           "file: sub/data.csv\n"
                           "order: forward\n"
                           "input: [28, 28, 1]\n"
                           "loss: {type: constant, value: 0.1}\n"
                           "learning_rate: {schedule: constant, value: 3}\n"
                           "layers:\n"
                           "  - {type: dense, units: 64, name: first}\n"
                           "  - gelu\n"
                           "  - {type: dense, units: 10, kernel_init: zeros}\n"
                           "training: {epochs: 0, learning_rate: 1.0e-3}\n"
                           "extra: {}\n";

static void check_plugins(const struct outer *c)
{
    ck_assert_ptr_eq(c->loss.info, &fill_info);
    ck_assert_double_eq(((const struct fill *)c->loss.config)->value, 0.1);
    ck_assert_ptr_eq(c->schedule.info, &fill_info);
    ck_assert_double_eq(((const struct fill *)c->schedule.config)->value, 3);
    ck_assert_uint_eq(c->layers.n, 3);
    const struct stj_plugin *layer = c->layers.item;
    ck_assert_ptr_eq(layer[0].info, &dense_info);
    ck_assert_str_eq(layer[0].label, "first");
    ck_assert_ptr_eq(layer[1].info, &gelu_info);
    ck_assert_ptr_null(layer[1].config);
    ck_assert_ptr_null(layer[1].label);
    const struct dense *first = layer[0].config;
    const struct dense *last = layer[2].config;
    ck_assert_uint_eq(first->units, 64);
    ck_assert_ptr_eq(first->init.info, &fill_info);
    ck_assert_double_eq(((const struct fill *)first->init.config)->value, 2);
    ck_assert_uint_eq(last->units, 10);
    ck_assert_ptr_eq(last->init.info, &zeros_info);
}

static void check_full(const struct outer *c)
{
    ck_assert_uint_eq(c->batch_size, 64);
    ck_assert(c->seed == UINT64_MAX);
    ck_assert_double_eq(c->momentum, 0.5);
    ck_assert_double_eq(c->tol, -1.25);
    ck_assert(c->shuffle);
    ck_assert_str_eq(c->title, "two\nlines");
    ck_assert_str_eq(c->file, "/nowhere/sub/data.csv");
    ck_assert_int_eq(c->order, 0);
    ck_assert_uint_eq(c->input.n, 3);
    ck_assert_uint_eq(c->input.item[1], 28);
    ck_assert(c->training.has_epochs);
    ck_assert_uint_eq(c->training.epochs, 0);
    ck_assert_double_eq(c->training.rate, 1e-3);
    ck_assert(c->has_extra);
    ck_assert(!c->extra.has_epochs);
    ck_assert_double_eq(c->extra.rate, 0.1);
    check_plugins(c);
}

START_TEST(every_type_is_parsed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct outer config;
    EXPECT_OK(parse(full, "/nowhere/t.yaml", &config, &err), err);
    check_full(&config);
    ck_assert_int_eq(config.layers.item[1].line, 14);
    ck_assert_int_eq(config.layers.item[1].column, 5);
    stj_options_free(outer_options, &config);
    const struct outer zero = {0};
    ck_assert_uint_eq(config.batch_size, 0);
    ck_assert_ptr_null(config.title);
    ck_assert_ptr_null(config.layers.item);
    ck_assert_ptr_null(config.loss.info);
    ck_assert_int_eq(config.has_extra, zero.has_extra);
    stj_options_free(outer_options, &config); /* of nothing: allowed */
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct outer c;
    EXPECT_OK(parse("batch_size: 1\n", "t.yaml", &c, &err), err);
    ck_assert_double_eq(c.momentum, 0.9);
    ck_assert_double_eq(c.tol, 0);
    ck_assert_ptr_null(c.title);
    ck_assert_ptr_null(c.file);
    ck_assert_int_eq(c.order, 1);
    ck_assert_uint_eq(c.input.n, 0);
    ck_assert_ptr_null(c.loss.info);
    ck_assert_ptr_eq(c.schedule.info, &zeros_info);
    ck_assert_double_eq(c.training.rate, 0.1);
    ck_assert(!c.training.has_epochs);
    ck_assert(!c.has_extra);
    ck_assert_double_eq(c.extra.rate, 0);
    stj_options_free(outer_options, &c);

    EXPECT_OK(parse("batch_size: 1\ninput: 7\nlearning_rate: constant\n", "t.yaml", &c, &err), err);
    ck_assert_uint_eq(c.input.n, 1);
    ck_assert_uint_eq(c.input.item[0], 7);
    ck_assert_ptr_eq(c.schedule.info, &fill_info);
    ck_assert_double_eq(((struct fill *)c.schedule.config)->value, 0.5);
    stj_options_free(outer_options, &c);
}
END_TEST

/* What is added to "batch_size: 1\n" (or replaces it, when it has that key), and the message. */
static const struct {
    const char *text;
    const char *message;
} bad[] = {
    {"batch_size: sixty\n",
     "t.yaml:1:13: batch_size: expected an integer of at least 1, got 'sixty'"},
    {"batch_size: 0\n", "t.yaml:1:13: batch_size: expected an integer of at least 1, got '0'"},
    {"batch_size: '64'\n",
     "batch_size: expected an integer of at least 1, got the quoted text '64'"},
    {"batch_size: 1.5\n", "got '1.5'"},
    {"batch_size: -3\n", "got '-3'"},
    {"batch_size: 1e3\n", "got '1e3'"},
    {"batch_size: 007\n", "got '007'"},
    {"batch_size: 18446744073709551616\n", "got '18446744073709551616'"},
    {"batch_size:\n", "t.yaml:1:12: batch_size: expected an integer of at least 1, got nothing"},
    {"batch_size: [1]\n", "got a list"},
    {"batch_size: {a: 1}\n", "got a mapping"},
    {"{}\n",
     "t.yaml:1:1: missing key 'batch_size': expected an integer of at least 1 (samples per"},
    {"batch_sise: 1\n",
     "t.yaml:1:1: unknown key 'batch_sise' (did you mean 'batch_size'?); accepted: "
     "batch_size, seed, momentum"},
    {"[1, 2]\n", "t.yaml:1:1: expected a mapping, got a list"},
    {"seed: -1\n", "t.yaml:2:7: seed: expected an integer of at least 0, got '-1'"},
    {"momentum: 1\n", "momentum: expected a number of at least 0 and below 1, got '1'"},
    {"momentum: -0.1\n", "got '-0.1'"},
    {"momentum: 0x1p-1\n", "got '0x1p-1'"},
    {"momentum: nan\n", "got 'nan'"},
    {"momentum: .inf\n", "got '.inf'"},
    {"tol: 1e999\n", "tol: expected a number, got '1e999'"},
    {"tol: 1.5.2\n", "got '1.5.2'"},
    {"tol: '1'\n", "expected a number, got the quoted text '1'"},
    {"shuffle: yes\n", "shuffle: expected true or false, got 'yes'"},
    {"shuffle: 'true'\n", "expected true or false, got the quoted text 'true'"},
    {"title:\n", "title: expected a text, got nothing"},
    {"title: ~\n", "title: expected a text, got '~'"},
    {"title: [a]\n", "title: expected a text, got a list"},
    {"file: ''\n", "file: expected a file name, got the quoted text ''"},
    {"order: bakward\n", "order: expected one of forward, backward, true, got 'bakward' "
                         "(did you mean 'backward'?)"},
    {"order: \"a\\nb\"\n", "got the quoted text 'a?b'"},
    {"input: [3, 0]\n", "t.yaml:2:12: input[1]: expected an integer of at least 1, got '0'"},
    {"input: {a: 1}\n", "input: expected a list of integers, each of at least 1, got a mapping"},
    {"input: [3, [1]]\n", "input[1]: expected an integer of at least 1, got a list"},
    {"loss: constnt\n",
     "t.yaml:2:7: loss: unknown initializer 'constnt' (did you mean 'constant'?); "
     "accepted: constant, zeros"},
    {"loss: {value: 1}\n", "t.yaml:2:7: loss: missing key 'type': expected initializer, NAME or "
                           "{type: NAME, ...} with a NAME of constant, zeros"},
    {"loss: {type: [zeros]}\n", "t.yaml:2:14: loss: expected initializer, NAME or "},
    {"loss: [zeros]\n", "loss: expected initializer, NAME or {type: NAME, ...} with a NAME of "},
    {"loss: {type: zeros, value: 1}\n",
     "t.yaml:2:21: loss: unknown key 'value'; accepted: type, name"},
    {"loss: {typ: zeros}\n", "loss: missing key 'type'"},
    {"learning_rate: {type: zeros}\n", "learning_rate: missing key 'schedule'"},
    {"learning_rate: {schedule: zeros, type: 1}\n", "unknown key 'type'; accepted: schedule, name"},
    {"layers: dense\n", "layers: expected a list, each item: layer, NAME or"},
    {"layers: [gelu, dense]\n", "t.yaml:2:16: layers[1]: missing key 'units': expected an integer"},
    {"layers: [{type: dense, units: 0}]\n", "t.yaml:2:31: layers[0].units: expected an integer of"},
    {"layers:\n  - {type: dense, units: 3, kernel_init: {type: constant, value: x}}\n",
     "t.yaml:3:66: layers[0].kernel_init.value: expected a number, got 'x'"},
    {"layers: [{type: gelu, name: ~}]\n", "layers[0].name: expected a text, got '~'"},
    {"training:\n  learing_rate: 1\n",
     "t.yaml:3:3: training: unknown key 'learing_rate' (did you mean "
     "'learning_rate'?); accepted: epochs, learning_rate"},
    {"training: {learning_rate: 0}\n",
     "training.learning_rate: expected a number above 0, got '0'"},
    {"training:\n", "training: expected a mapping, got nothing"},
    {"extra: 3\n", "t.yaml:2:8: extra: expected a mapping, got '3'"},
};

START_TEST(errors_name_place_key_value_and_remedy)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct outer config;
    char text[512];
    bool whole = strstr(bad[_i].text, "batch_si") || strchr("{[", bad[_i].text[0]);
    snprintf(text, sizeof text, "%s%s", whole ? "" : "batch_size: 1\n", bad[_i].text);
    EXPECT_FAIL(parse(text, "t.yaml", &config, &err), STJ_ECONFIG, bad[_i].message, err);
    ck_assert_ptr_null(config.layers.item);
    ck_assert_ptr_null(config.loss.config);
}
END_TEST

START_TEST(without_a_mapping_the_key_is_named)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct outer config = {0};
    struct inner inner = {0};
    EXPECT_FAIL(stj_options_parse(outer_options, NULL, &config, &err), STJ_ECONFIG,
                "missing key 'batch_size'", err);
    EXPECT_OK(stj_options_parse(inner_options, NULL, &inner, &err), err);
    ck_assert_double_eq(inner.rate, 0.1);
    ck_assert_int_eq(stj_options_parse(outer_options, NULL, &config, NULL), STJ_ECONFIG);
}
END_TEST

/* ---- paths ---- */

START_TEST(paths_are_relative_to_the_file_and_absolute_afterwards)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    struct outer config = {0};
    char wanted[512];
    char *folder = realpath(temp_folder(), NULL);
    ck_assert_ptr_nonnull(folder);
    /* The same folder by a longer name gives the same path. */
    char name[512];
    snprintf(name, sizeof name, "%s/./t.yaml", temp_folder());
    temp_write_text("t.yaml", "{batch_size: 1, file: d.csv}\n");
    EXPECT_OK(stj_yaml_read(name, &root, &err), err);
    EXPECT_OK(stj_options_parse(outer_options, root, &config, &err), err);
    snprintf(wanted, sizeof wanted, "%s/d.csv", folder);
    ck_assert_str_eq(config.file, wanted);
    stj_options_free(outer_options, &config);
    stj_yaml_destroy(root);
    free(folder);

    EXPECT_OK(parse("{batch_size: 1, file: /a/b.csv}", "/x/t.yaml", &config, &err), err);
    ck_assert_str_eq(config.file, "/a/b.csv");
    stj_options_free(outer_options, &config);
    EXPECT_OK(parse("{batch_size: 1, file: b.csv}", "t.yaml", &config, &err), err);
    ck_assert_int_eq(config.file[0], '/');
    stj_options_free(outer_options, &config);
}
END_TEST

/* ---- writing ---- */

/* again <- what is written of a config, parsed. */
static void round_trip(const struct outer *config, struct outer *again)
{
    struct stj_error err = STJ_ERROR_INIT;
    char *text = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&text, &n);
    ck_assert_ptr_nonnull(file);
    stj_options_write(file, 0, outer_options, config);
    fclose(file);
    enum stj_status st = parse(text, "/elsewhere/t.yaml", again, &err);
    ck_assert_msg(st == STJ_OK, "%s in\n%s", err.text, text);
    free(text);
}

START_TEST(written_configs_read_back_equal)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct outer config;
    struct outer again;
    EXPECT_OK(parse(full, "/nowhere/t.yaml", &config, &err), err);
    round_trip(&config, &again);
    check_full(&again);
    stj_options_free(outer_options, &config);
    stj_options_free(outer_options, &again);

    EXPECT_OK(parse("batch_size: 1\n", "/nowhere/t.yaml", &config, &err), err);
    round_trip(&config, &again);
    ck_assert(!again.has_extra);
    ck_assert(!again.training.has_epochs);
    ck_assert_ptr_null(again.title);
    ck_assert_ptr_null(again.loss.info);
    ck_assert_uint_eq(again.layers.n, 0);
    stj_options_free(outer_options, &config);
    stj_options_free(outer_options, &again);
}
END_TEST

static const char *const texts[] = {
    "plain",
    "true",
    "null",
    "~",
    "",
    " lead",
    "trail ",
    "a: b",
    "# no",
    "12",
    "-1e3",
    "- x",
    "\"q\"",
    "back\\slash",
    "tab\t",
    "two\nlines",
    "\r",
    "\x01\x7F",
    "[a, b]",
    "*alias",
    "&anchor",
    "!tag",
    "100%",
    "@x",
    "`x",
    "é",
    "日本語",
    "\xC2\x85",
    "\xE2\x80\xA8",
    "\xEF\xBB\xBF",
    "\xF0\x9F\x98\x80",
    "a/b.c-d+e_f",
    "Yes",
    "'single'",
    "{",
};

START_TEST(any_text_reads_back_equal)
{
    struct outer config = {.batch_size = 1, .schedule = {.info = &zeros_info}};
    struct outer again;
    char text[32];
    snprintf(text, sizeof text, "%s", texts[_i]);
    config.training.rate = 1;
    config.title = text;
    round_trip(&config, &again);
    ck_assert_str_eq(again.title, texts[_i]);
    stj_options_free(outer_options, &again);
}
END_TEST

/* Doubles of random bits: every one that is finite comes back bit for bit. */
START_TEST(reals_read_back_bit_for_bit)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double value;
        double again = 0;
        char text[STJ_REAL_TEXT_MAX];
        memcpy(&value, &state, sizeof value);
        if (!(value - value == 0))
            continue;
        stj_number_print_real(value, text);
        ck_assert_msg(stj_number_real(text, &again) && memcmp(&value, &again, 8) == 0,
                      "%.17g was written as %s", value, text);
    }
    char text[STJ_REAL_TEXT_MAX];
    stj_number_print_real(0.1, text);
    ck_assert_str_eq(text, "0.1");
}
END_TEST

/* A program that runs in a locale with a decimal comma reads and writes the same files. */
START_TEST(numbers_do_not_depend_on_the_locale)
{
    static const char *const comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    for (size_t i = 0; i < sizeof comma / sizeof comma[0]; i++)
        if (setlocale(LC_ALL, comma[i]))
            break;
    double value = 0;
    char text[STJ_REAL_TEXT_MAX];
    ck_assert(stj_number_real("-2.5e-1", &value));
    ck_assert_double_eq(value, -0.25);
    ck_assert(!stj_number_real("0,25", &value));
    stj_number_print_real(0.25, text);
    ck_assert_str_eq(text, "0.25");
    setlocale(LC_ALL, "C");
}
END_TEST

/* ---- names ---- */

struct pairs {
    size_t index;
    bool flag;
    char *file;
    struct stj_sizes k;
    struct stj_reals step;
    struct stj_names names;
    size_t bytes;
    uint64_t seed;
    char *method;
    bool has_method;
};
static bool method_name(size_t i, const char **name, const char **doc)
{
    static const char *const names[] = {"hutchinson", "xtrace"};
    *name = i < 2 ? names[i] : NULL;
    *doc = i == 1 ? "fewer products" : "";
    return i < 2;
}
static const struct stj_option pairs_options[] = {
    {.name = "index",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct pairs, index),
     .fallback = "1",
     .min = 1},
    {.name = "flag",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct pairs, flag),
     .fallback = "false"},
    {.name = "file",
     .type = STJ_OPTION_PATH,
     .offset = offsetof(struct pairs, file),
     .fallback = ""},
    {.name = "k", .type = STJ_OPTION_SIZES, .offset = offsetof(struct pairs, k), .fallback = ""},
    {.name = "step",
     .type = STJ_OPTION_REALS,
     .offset = offsetof(struct pairs, step),
     .fallback = "[1, 2.5]",
     .above_min = true},
    {.name = "names",
     .type = STJ_OPTION_NAMES,
     .offset = offsetof(struct pairs, names),
     .fallback = ""},
    {.name = "bytes",
     .type = STJ_OPTION_BYTES,
     .offset = offsetof(struct pairs, bytes),
     .fallback = "2K",
     .min = 1,
     .unit = "byte",
     .doc = "memory"},
    {.name = "seed",
     .type = STJ_OPTION_SEED,
     .offset = offsetof(struct pairs, seed),
     .fallback = "",
     .max = 9223372036854775808.0,
     .below_max = true},
    {.name = "method",
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct pairs, method),
     .present_offset = offsetof(struct pairs, has_method),
     .fallback = "",
     .names = method_name,
     .value = "HOW",
     .doc = "which"},
    {.name = NULL},
};

START_TEST(names_are_a_mapping_of_the_users_own)
{
    static const char text[] = "names: {kernel: weight, a.b: \"no\", \"x: y\": 7}\n";
    struct stj_error err = STJ_ERROR_INIT;
    for (int again = 0; again < 2; again++) {
        struct stj_yaml_node *root = NULL;
        struct pairs config = {0};
        char *printed = NULL;
        size_t size = 0;
        EXPECT_OK(stj_yaml_parse(text, strlen(text), "t.yaml", &root, &err), err);
        EXPECT_OK(stj_options_parse(pairs_options, root, &config, &err), err);
        stj_yaml_destroy(root);
        if (again) { /* what is written reads back as the same */
            FILE *file = open_memstream(&printed, &size);
            stj_options_write(file, 0, pairs_options, &config);
            fclose(file);
            stj_options_free(pairs_options, &config);
            EXPECT_OK(stj_yaml_parse(printed, size, "t.yaml", &root, &err), err);
            EXPECT_OK(stj_options_parse(pairs_options, root, &config, &err), err);
            stj_yaml_destroy(root);
            free(printed);
        }
        ck_assert_uint_eq(config.names.n, 3);
        ck_assert_str_eq(config.names.item[0].key, "kernel");
        ck_assert_str_eq(config.names.item[0].value, "weight");
        ck_assert_str_eq(config.names.item[1].value, "no");
        ck_assert_str_eq(config.names.item[2].key, "x: y");
        ck_assert_str_eq(config.names.item[2].value, "7");
        stj_options_free(pairs_options, &config);
        ck_assert_uint_eq(config.names.n, 0);
    }
}
END_TEST

/* A list of sizes, or a word, which is written as it was read. */
START_TEST(lists_may_be_words)
{
    static const char *const words[] = {"valid", "same", NULL};
    static const struct stj_option options[] = {
        {.name = "padding", .type = STJ_OPTION_SIZES, .fallback = "valid", .choices = words},
        {.name = NULL},
    };
    static const struct {
        const char *text, *written; /* NULL: refused */
    } lists[] = {{"{}", "padding: valid\n"},
                 {"padding: same", "padding: same\n"},
                 {"padding: 2", "padding: [2]\n"},
                 {"padding: [0, 1]", "padding: [0, 1]\n"},
                 {"padding: saem", NULL},
                 {"padding: [same]", NULL},
                 {"padding: 1.5", NULL}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct stj_error err = STJ_ERROR_INIT;
        struct stj_yaml_node *root = NULL;
        struct stj_sizes padding = {0};
        char *printed = NULL;
        size_t size = 0;
        EXPECT_OK(stj_yaml_parse(lists[i].text, strlen(lists[i].text), "t.yaml", &root, &err), err);
        const enum stj_status st = stj_options_parse(options, root, &padding, &err);
        stj_yaml_destroy(root);
        ck_assert_msg((st == STJ_OK) == (lists[i].written != NULL), "%s", lists[i].text);
        if (st != STJ_OK)
            continue;
        FILE *file = open_memstream(&printed, &size);
        stj_options_write(file, 0, options, &padding);
        fclose(file);
        ck_assert_str_eq(printed, lists[i].written);
        free(printed);
        stj_options_free(options, &padding);
    }
}
END_TEST

static void expect_pair_fails(const char *name, const char *text, const char *part)
{
    const struct stj_option_pair pair = {name, text};
    struct pairs config = {0};
    struct stj_error err = STJ_ERROR_INIT;
    EXPECT_FAIL(stj_options_parse_pairs(pairs_options, 1, &pair, &config, &err), STJ_ECONFIG, part,
                err);
}

START_TEST(options_are_parsed_from_pairs)
{
    static const struct stj_option_pair pair[] = {
        {"step", "1e-3,0.5"}, {"k", "7"}, {"flag", "true"}, {"file", "it's: a [name]"}};
    struct pairs config = {0};
    struct stj_error err = STJ_ERROR_INIT;
    EXPECT_OK(stj_options_parse_pairs(pairs_options, 4, pair, &config, &err), err);
    ck_assert_uint_eq(config.index, 1);
    ck_assert(config.flag);
    ck_assert_uint_eq(config.k.n, 1);
    ck_assert_uint_eq(config.k.item[0], 7);
    ck_assert_uint_eq(config.step.n, 2);
    ck_assert_double_eq(config.step.item[0], 1e-3);
    ck_assert_double_eq(config.step.item[1], 0.5);
    ck_assert_msg(config.file[0] == '/' && strstr(config.file, "/it's: a [name]"), "%s",
                  config.file);
    stj_options_free(pairs_options, &config);
    EXPECT_OK(stj_options_parse_pairs(pairs_options, 0, NULL, &config, &err), err);
    ck_assert_uint_eq(config.k.n, 0);
    ck_assert_double_eq(config.step.item[1], 2.5);
    stj_options_free(pairs_options, &config);
    expect_pair_fails("index", "0", "index is '0', not an integer of at least 1");
    expect_pair_fails("step", "1,0", "step[1] is '0', not a number above 0");
    expect_pair_fails("k", "1,,2", "k[1] is empty, not an integer of at least 0");
    expect_pair_fails("indx", "1", "unknown key 'indx' (did you mean 'index'?)");
    const struct stj_option_pair twice[] = {{"k", "1"}, {"k", "2"}};
    EXPECT_FAIL(stj_options_parse_pairs(pairs_options, 2, twice, &config, &err), STJ_ECONFIG,
                "k: is given twice", err);
}
END_TEST

START_TEST(sizes_in_bytes)
{
    static const struct {
        const char *text;
        size_t value;
    } good[] = {{"7", 7},
                {"800M", (size_t)800 << 20},
                {"8G", (size_t)8 << 30},
                {"3KiB", 3072},
                {"16777215T", (size_t)16777215 << 40}};
    static const char *const wrong[] = {"0",
                                        "8X",
                                        "8GX",
                                        "G",
                                        "-1G",
                                        "1.5G",
                                        "8g",
                                        "8 G",
                                        "00K",
                                        "99999999T",
                                        "99999999999999999999999"};
    struct pairs config = {0};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const struct stj_option_pair pair = {"bytes", good[i].text};
        EXPECT_OK(stj_options_parse_pairs(pairs_options, 1, &pair, &config, &err), err);
        ck_assert_uint_eq(config.bytes, good[i].value);
        stj_options_free(pairs_options, &config);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_pair_fails("bytes", wrong[i], "', not a size such as 800M or 8G of at least 1");
    EXPECT_OK(stj_yaml_parse("bytes: 8G", 9, "t.yaml", &root, &err), err);
    EXPECT_OK(stj_options_parse(pairs_options, root, &config, &err), err);
    ck_assert_uint_eq(config.bytes, (size_t)8 << 30);
    stj_options_free(pairs_options, &config);
    stj_yaml_destroy(root);
    EXPECT_OK(stj_options_parse_pairs(pairs_options, 0, NULL, &config, &err), err);
    ck_assert_uint_eq(config.bytes, 2048);
    stj_options_free(pairs_options, &config);
}
END_TEST

START_TEST(texts_of_pairs_and_their_names)
{
    static const struct stj_option_pair good[] = {
        {"method", "xtrace"}, {"file", "~"}, {"seed", "9223372036854775807"}};
    struct pairs config = {0};
    struct stj_error err = STJ_ERROR_INIT;
    EXPECT_OK(stj_options_parse_pairs(pairs_options, 3, good, &config, &err), err);
    ck_assert_str_eq(config.method, "xtrace");
    ck_assert(config.has_method && config.seed == INT64_MAX);
    ck_assert_ptr_nonnull(strstr(config.file, "/~"));
    stj_options_free(pairs_options, &config);
    ck_assert(!config.has_method && !config.method);
    expect_pair_fails("seed", "9223372036854775808",
                      "seed is '9223372036854775808', not an integer of at least 0 and below "
                      "9223372036854775808");
    expect_pair_fails("method", "xtrase",
                      "method is 'xtrase', not one of hutchinson, xtrace (did you mean 'xtrace'?)");
    expect_pair_fails("method", "", "method is empty, not one of hutchinson, xtrace");
    /* Without a struct they are only checked. */
    EXPECT_OK(stj_options_parse_pairs(pairs_options, 3, good, NULL, &err), err);
    const struct stj_option_pair wrong = {"k", "1,x"};
    EXPECT_FAIL(stj_options_parse_pairs(pairs_options, 1, &wrong, NULL, &err), STJ_ECONFIG,
                "k[1] is 'x', not an integer of at least 0", err);
    EXPECT_FAIL(stj_options_parse_pairs(NULL, 0, NULL, &config, &err), STJ_EINVAL, "table", err);
    const struct stj_option_pair nothing = {"k", NULL};
    EXPECT_FAIL(stj_options_parse_pairs(pairs_options, 1, &nothing, &config, &err), STJ_EINVAL,
                "option 1 of 1 has no name or no text", err);
}
END_TEST

static void expect_said(const struct stj_option *option, bool in_config, const char *expected)
{
    char text[STJ_OPTION_TEXT_MAX];
    stj_option_describe(option, in_config, text, sizeof text);
    ck_assert_str_eq(text, expected);
}

START_TEST(options_are_described)
{
    const struct stj_option *index = &pairs_options[0], *flag = &pairs_options[1];
    const struct stj_option *bytes = &pairs_options[6], *method = &pairs_options[8];
    const char *name = NULL;
    const char *doc = NULL;
    expect_said(bytes, false, "memory (default: 2K)");
    expect_said(bytes, true, "memory (size such as 800M or 8G, in byte, at least 1; default: 2K)");
    expect_said(flag, false, "");
    expect_said(flag, true, " (true or false; default: false)");
    expect_said(method, false, "which");
    expect_said(method, true, "which (one of hutchinson, xtrace)");
    expect_said(&outer_options[0], false, "samples per step (required)");
    expect_said(&outer_options[0], true, "samples per step (integer, at least 1; required)");
    ck_assert_str_eq(stj_option_get_value(index), "N");
    ck_assert_str_eq(stj_option_get_value(method), "HOW");
    ck_assert_ptr_null(stj_option_get_value(flag));
    ck_assert(stj_option_get_name(method, 1, &name, &doc) && strcmp(name, "xtrace") == 0 &&
              strcmp(doc, "fewer products") == 0);
    ck_assert(!stj_option_get_name(method, 2, &name, &doc));
    ck_assert(!stj_option_get_name(index, 0, &name, &doc));
    const struct stj_option order = {.type = STJ_OPTION_CHOICE, .choices = orders};
    const struct stj_option layer = {.type = STJ_OPTION_STRING, .kind = &layer_kind};
    ck_assert(stj_option_get_name(&order, 2, &name, &doc) && strcmp(name, "true") == 0);
    ck_assert(!stj_option_get_name(&order, 3, &name, &doc));
    ck_assert(!stj_option_get_name(&order, 4, &name, &doc));
    ck_assert(stj_option_get_name(&layer, 1, &name, &doc) && strcmp(name, "gelu") == 0);
    ck_assert(!stj_option_get_name(&layer, 2, &name, &doc));
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
    static const char *const names[] = {"dense", "gelu", "conv", "learning_rate", "sgd"};
    const size_t n = sizeof names / sizeof names[0];
    ck_assert_str_eq(stj_suggest("dnese", names, n), "dense");
    ck_assert_str_eq(stj_suggest("Dense", names, n), "dense");
    ck_assert_str_eq(stj_suggest("relu", names, n), "gelu");
    ck_assert_str_eq(stj_suggest("learing_rat", names, n), "learning_rate");
    ck_assert_str_eq(stj_suggest("sdg", names, n), "sgd");
    ck_assert_ptr_null(stj_suggest("transformer", names, n));
    ck_assert_ptr_null(stj_suggest("", names, n));
    ck_assert_ptr_null(stj_suggest("x", names, n));
    char huge[5000];
    memset(huge, 'd', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    ck_assert_ptr_null(stj_suggest(huge, names, n));
}
END_TEST

START_TEST(plugins_are_found_by_name)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_plugin_info *info = NULL;
    struct stj_plugin plugin;
    struct stj_yaml_node *node = NULL;
    EXPECT_OK(stj_kind_find(&layer_kind, "gelu", &info, &err), err);
    ck_assert_ptr_eq(info, &gelu_info);
    EXPECT_FAIL(stj_kind_find(&layer_kind, "gelo", &info, &err), STJ_ECONFIG,
                "unknown layer 'gelo' (did you mean 'gelu'?); accepted: dense, gelu", err);
    ck_assert_ptr_null(info);
    EXPECT_OK(stj_yaml_parse("{type: dense, units: 2}", 23, "t.yaml", &node, &err), err);
    EXPECT_OK(stj_plugin_parse(&layer_kind, node, &plugin, &err), err);
    ck_assert_uint_eq(((struct dense *)plugin.config)->units, 2);
    stj_plugin_free(&plugin);
    ck_assert_ptr_null(plugin.config);
    EXPECT_FAIL(stj_plugin_parse(&fill_kind, node, &plugin, &err), STJ_ECONFIG,
                "t.yaml:1:8: unknown initializer 'dense'", err);
    stj_yaml_destroy(node);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option");
    TCase *tc = tcase_create("option");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_test(tc, every_type_is_parsed);
    tcase_add_test(tc, defaults_are_filled_in);
    tcase_add_loop_test(tc, errors_name_place_key_value_and_remedy, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tc, without_a_mapping_the_key_is_named);
    tcase_add_test(tc, paths_are_relative_to_the_file_and_absolute_afterwards);
    tcase_add_test(tc, written_configs_read_back_equal);
    tcase_add_loop_test(tc, any_text_reads_back_equal, 0, sizeof texts / sizeof texts[0]);
    tcase_add_test(tc, reals_read_back_bit_for_bit);
    tcase_add_test(tc, numbers_do_not_depend_on_the_locale);
    tcase_add_test(tc, options_are_parsed_from_pairs);
    tcase_add_test(tc, sizes_in_bytes);
    tcase_add_test(tc, texts_of_pairs_and_their_names);
    tcase_add_test(tc, options_are_described);
    tcase_add_test(tc, names_are_a_mapping_of_the_users_own);
    tcase_add_test(tc, lists_may_be_words);
    tcase_add_test(tc, the_nearest_name_is_suggested);
    tcase_add_test(tc, plugins_are_found_by_name);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
