/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-config.c: a run's config: what is accepted, how it is completed, and each kind of mistake
 * with its file, line and column. */
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "expect.h"
#include "run/config.h"

/* One line per entry, so that a mistake is made by replacing one of them. */
static const char *const lines[] = {
    "data:",                                           /* 1 */
    "  train: {file: train.csv, label_column: 3}",     /* 2 */
    "  test: {file: /data/test.csv, label_column: 3}", /* 3 */
    "network:",                                        /* 4 */
    "  input: [3]",                                    /* 5 */
    "  layers:",                                       /* 6 */
    "    - {type: dense, units: 4}",                   /* 7 */
    "    - {type: gelu}",                              /* 8 */
    "    - {type: dense, units: 2}",                   /* 9 */
    "  loss: softmax_cross_entropy",                   /* 10 */
    "init: {seed: 7}",                                 /* 11 */
    "training:",                                       /* 12 */
    "  optimizer: {type: sgd, momentum: 0.9}",         /* 13 */
    "  learning_rate: {schedule: cosine, peak: 0.1}",  /* 14 */
    "  batch_size: 4",                                 /* 15 */
    "  epochs: 2",                                     /* 16 */
    "analysis:",                                       /* 17 */
    "  svd: {top: 5}",                                 /* 18 */
};
enum { N_LINES = sizeof lines / sizeof lines[0], TEXT_MAX = 4096 };

/* text <- the config with line `number` (from 1; 0: none) replaced. */
static void compose(size_t number, const char *line, char text[TEXT_MAX])
{
    size_t used = 0;
    for (size_t i = 0; i < N_LINES; i++)
        used += (size_t)snprintf(text + used, TEXT_MAX - used, "%s\n",
                                 i + 1 == number ? line : lines[i]);
}

/* The analysis of that name in the config; NULL: it is not there. */
static const struct stj_plugin *find_analysis(const struct stj_run_config *c, const char *name)
{
    for (size_t i = 0; i < c->analysis.n; i++)
        if (strcmp(c->analysis.item[i].info->name, name) == 0)
            return &c->analysis.item[i];
    return NULL;
}

/* Where the value of one of its options lies. */
static const void *option_of(const struct stj_plugin *analysis, const char *name)
{
    ck_assert_ptr_nonnull(analysis);
    for (const struct stj_option *row = analysis->info->options; row->name; row++)
        if (strcmp(row->name, name) == 0)
            return (const char *)analysis->config + row->offset;
    ck_abort_msg("%s has no option %s", analysis->info->name, name);
    return NULL;
}

static size_t size_of(const struct stj_run_config *c, const char *analysis, const char *name)
{
    return *(const size_t *)option_of(find_analysis(c, analysis), name);
}

static double real_of(const struct stj_run_config *c, const char *analysis, const char *name)
{
    return *(const double *)option_of(find_analysis(c, analysis), name);
}

START_TEST(accepted)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_config c = {0};
    char text[TEXT_MAX];
    compose(0, "", text);
    EXPECT_OK(stj_run_config_parse(text, "/somewhere/c.yaml", &c, &err), err);
    ck_assert_str_eq(c.data.train.file, "/somewhere/train.csv");
    ck_assert_str_eq(c.data.test.file, "/data/test.csv");
    ck_assert(c.data.has_test && c.data.train.has_label_column);
    ck_assert_uint_eq(c.network.layers.n, 3);
    ck_assert(c.init.has_seed && c.init.seed == 7 && !c.init.file);
    ck_assert(c.training.has_epochs && c.training.epochs == 2 && !c.training.has_steps);
    ck_assert(c.training.drop_last && !c.training.shuffle && c.training.seed == 0);
    ck_assert_str_eq(c.training.optimizer.info->name, "sgd");
    ck_assert_str_eq(c.training.schedule.info->name, "cosine");
    ck_assert(c.has_analysis && c.analysis.n == 1);
    ck_assert(size_of(&c, "svd", "top") == 5 && size_of(&c, "svd", "bottom") == 0);
    ck_assert(!find_analysis(&c, "dense") && !find_analysis(&c, "density"));
    stj_run_config_free(&c);
    ck_assert_ptr_null(c.data.train.file);
}
END_TEST

START_TEST(completed)
{
    static const struct {
        const char *svd;
        size_t top, bottom;
    } cases[] = {
        {"  svd: {}", 20, 20}, {"  svd: {top: 0, bottom: 3}", 0, 3}, {"  svd: {bottom: 3}", 0, 3}};
    struct stj_error err = STJ_ERROR_INIT;
    char text[TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stj_run_config c = {0};
        compose(18, cases[i].svd, text);
        EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
        stj_analysis_find("svd")->complete(c.analysis.item[0].config);
        ck_assert_uint_eq(size_of(&c, "svd", "top"), cases[i].top);
        ck_assert_uint_eq(size_of(&c, "svd", "bottom"), cases[i].bottom);
        stj_run_config_free(&c);
    }
}
END_TEST

/* A bare number is the rate of a constant schedule, and printed as one. */
START_TEST(bare_rate)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_config c = {0};
    char text[TEXT_MAX];
    STJ_FREED char *printed = NULL;
    compose(14, "  learning_rate: 2.5e-3", text);
    EXPECT_OK(stj_run_config_parse(text, "x.yaml", &c, &err), err);
    ck_assert_str_eq(c.training.schedule.info->name, "constant");
    ck_assert(stj_schedule_eta(&c.training.schedule, 3, 10) == 2.5e-3);
    EXPECT_OK(stj_run_config_print(&c, &printed, &err), err);
    ck_assert_ptr_nonnull(strstr(printed, "schedule: constant\n    peak: 0.0025\n"));
    stj_run_config_free(&c);
}
END_TEST

START_TEST(defaults_of_groups)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_config c = {0};
    char text[TEXT_MAX];
    compose(11, "", text); /* no init */
    EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
    ck_assert(c.init.has_seed && c.init.seed == 0 && !c.init.file);
    stj_run_config_free(&c);
    compose(18, "  dense:\n    epsilon: 0.25\n  density: {}", text);
    EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
    ck_assert(real_of(&c, "dense", "epsilon") == 0.25 && !find_analysis(&c, "svd"));
    ck_assert(size_of(&c, "density", "probes") == 8 && c.analysis.n == 2);
    stj_run_config_free(&c);
    compose(17, "", text);
    char *analysis = strstr(text, "  svd:");
    *analysis = '\0'; /* no analysis */
    EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
    ck_assert(!c.has_analysis && c.analysis.n == 0);
    stj_run_config_free(&c);
}
END_TEST

/* The resolved config reads back as itself. */
START_TEST(round_trip)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_config c = {0};
    char text[TEXT_MAX];
    char *once = NULL;
    char *twice = NULL;
    compose(18, "  svd: {}\n  dense: {epsilon: 0.3}\ntrajectory: {max_bytes: 3K}", text);
    EXPECT_OK(stj_run_config_parse(text, "/a/c.yaml", &c, &err), err);
    EXPECT_OK(stj_run_config_print(&c, &once, &err), err);
    stj_run_config_free(&c);
    EXPECT_OK(stj_run_config_parse(once, "/elsewhere/config.yaml", &c, &err), err);
    EXPECT_OK(stj_run_config_print(&c, &twice, &err), err);
    ck_assert_str_eq(once, twice);
    ck_assert_ptr_nonnull(strstr(once, "file: /a/train.csv\n"));
    ck_assert_ptr_nonnull(strstr(once, "drop_last: true\n"));
    ck_assert_ptr_nonnull(strstr(once, "max_bytes: 3072\n"));
    ck_assert_ptr_null(strstr(once, "steps:"));
    stj_run_config_free(&c);
    free(once);
    free(twice);
}
END_TEST

/* What `spectraj run` computes: each analysis with its options, in the order of the config. */
START_TEST(analyses_by_name)
{
    static const struct {
        const char *line;
        size_t n;
        const char *first, *written;
    } cases[] = {
        {"analysis: {svd: {top: 5}, trace: {}}", 2, "svd", "  svd:\n    top: 5\n"},
        {"analysis: {trace: {}, svd: {top: 5}}", 2, "trace", "  trace:\n    function: trace\n"},
        {"analysis: {trace: {function: deviation, products: 7}}", 1, "trace",
         "  trace:\n    function: deviation\n    products: 7\n"},
        {"analysis: {density: {edges: \"0.5,inf\", gap: true}}", 1, "density", "gap: true\n"},
        {"analysis: {}", 0, NULL, "analysis: {}\n"},
    };
    struct stj_error err = STJ_ERROR_INIT;
    char text[TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stj_run_config c = {0}, again = {0};
        char *once = NULL, *twice = NULL;
        compose(17, cases[i].line, text);
        *strstr(text, "  svd: {top: 5}\n") = '\0';
        EXPECT_OK(stj_run_config_parse(text, "/a/c.yaml", &c, &err), err);
        ck_assert_uint_eq(c.analysis.n, cases[i].n);
        ck_assert(c.has_analysis);
        if (cases[i].first)
            ck_assert_str_eq(c.analysis.item[0].info->name, cases[i].first);
        EXPECT_OK(stj_run_config_print(&c, &once, &err), err);
        ck_assert_msg(strstr(once, cases[i].written), "'%s' is not in:\n%s", cases[i].written,
                      once);
        EXPECT_OK(stj_run_config_parse(once, "/b/config.yaml", &again, &err), err);
        ck_assert_uint_eq(again.analysis.n, c.analysis.n);
        for (size_t k = 0; k < c.analysis.n; k++)
            ck_assert_ptr_eq(again.analysis.item[k].info, c.analysis.item[k].info);
        EXPECT_OK(stj_run_config_print(&again, &twice, &err), err);
        ck_assert_str_eq(once, twice);
        stj_run_config_free(&c);
        stj_run_config_free(&again);
        free(once);
        free(twice);
    }
}
END_TEST

/* The recipe does not depend on paths, on the initial parameters' source and on the analyses. */
START_TEST(recipe)
{
    static const struct {
        size_t number;
        const char *line;
        bool same;
    } cases[] = {
        {2, "  train: {file: moved.csv, label_column: 3}", true},
        {11, "init: {seed: 8}", true},
        {18, "  dense: {}", true},
        {16, "  epochs: 3", false},
        {13, "  optimizer: {type: sgd, momentum: 0.8}", false},
        {7, "    - {type: dense, units: 5}", false},
    };
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run_config c = {0};
    char text[TEXT_MAX];
    char *first = NULL;
    compose(0, "", text);
    EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
    EXPECT_OK(stj_run_config_print_recipe(&c, &first, &err), err);
    stj_run_config_free(&c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *other = NULL;
        compose(cases[i].number, cases[i].line, text);
        EXPECT_OK(stj_run_config_parse(text, "c.yaml", &c, &err), err);
        EXPECT_OK(stj_run_config_print_recipe(&c, &other, &err), err);
        ck_assert_msg((strcmp(first, other) == 0) == cases[i].same, "%s", cases[i].line);
        stj_run_config_free(&c);
        free(other);
    }
    free(first);
}
END_TEST

START_TEST(mistakes)
{
    static const struct {
        size_t number;
        const char *line;
        const char *phrase;
    } cases[] = {
        {15, "  batchsize: 4",
         "c.yaml:15:3: training: unknown key 'batchsize' (did you mean "
         "'batch_size'?)"},
        {15, "", "missing key 'batch_size'"},
        {15, "  batch_size: four", "c.yaml:15:15: training.batch_size: expected"},
        {15, "  batch_size: 4.5", "c.yaml:15:15: training.batch_size: expected"},
        {15, "  batch_size: -4", "c.yaml:15:15: training.batch_size: expected"},
        {15, "  batch_size: 0", "c.yaml:15:15: training.batch_size"},
        {15, "  batch_size: 4\n  batch_size: 4", "c.yaml:16:3"},
        {16, "  epochs: 2\n  steps: 3",
         "c.yaml:17:10: training: epochs and steps exclude each other"},
        {16, "", "training: missing key: expected epochs or steps"},
        {16, "  epochs: 0", "c.yaml:16:11: training.epochs"},
        {11, "init: {seed: 1, file: t.npy}",
         "c.yaml:11:14: init: file and seed exclude each other"},
        {11, "init: {}", "c.yaml:11:7: init: missing key: expected file or seed"},
        {11, "init: {seeed: 1}", "c.yaml:11:8: init: unknown key 'seeed' (did you mean 'seed'?)"},
        {13, "  optimizer: {type: sgdd}",
         "c.yaml:13:21: training.optimizer: unknown optimizer "
         "'sgdd' (did you mean 'sgd'?)"},
        {13, "  optimizer: {type: sgd, momentum: 1.5}",
         "c.yaml:13:36: training.optimizer.momentum"},
        {13, "  optimizer: {type: sgd, momentum: .nan}", "training.optimizer.momentum"},
        {14, "  learning_rate: {schedule: cosin, peak: 0.1}", "(did you mean 'cosine'?)"},
        {14, "  learning_rate: {peak: 0.1}",
         "c.yaml:14:18: training.learning_rate: missing key 'schedule'"},
        {14, "  learning_rate: fast", "c.yaml:14:18: training.learning_rate"},
        {7, "    - {type: dense}", "c.yaml:7:7: network.layers[0]: missing key 'units'"},
        {7, "    - {type: dens, units: 4}",
         "network.layers[0]: unknown layer 'dens' (did you mean"},
        {5, "  input: 3.5", "c.yaml:5:10: network.input"},
        {10, "  loss: softmax", "c.yaml:10:9: network.loss: unknown loss 'softmax'"},
        {10, "", "network: missing key 'loss'"},
        {2, "  train: {label_column: 3}", "c.yaml:2:10: data.train: missing key 'file'"},
        {2, "  train: train.csv", "c.yaml:2:10: data.train: expected a mapping"},
        {2, "  trian: {file: a, label_column: 3}", "data: unknown key 'trian'"},
        {18, "  svd: {top: [1]}", "c.yaml:18:14: analysis.svd.top"},
        {18, "  dense: {epsilon: 1}", "c.yaml:18:20: analysis.dense.epsilon"},
        {18, "  dense: {epsilon: 0}", "c.yaml:18:20: analysis.dense.epsilon"},
        {18, "  sdv: {}",
         "c.yaml:18:3: analysis: unknown analysis 'sdv' (did you mean 'svd'?); accepted: svd, "
         "density"},
        {18, "  svd: {top: 5, trce: {}}", "c.yaml:18:17: analysis.svd: unknown key 'trce'"},
        {18, "  svd: {top: 5}\n  trce: {}",
         "c.yaml:19:3: analysis: unknown analysis 'trce' (did you mean 'trace'?)"},
        {18, "  svd: {topp: 5}",
         "c.yaml:18:9: analysis.svd: unknown key 'topp' (did you mean 'top'?)"},
        {18, "  svd: {top: -1}", "c.yaml:18:14: analysis.svd.top: expected"},
        {18, "  svd: {method: lanczoss}", "c.yaml:18:17: analysis.svd.method"},
        {18, "  trace: {products: 0}", "c.yaml:18:21: analysis.trace.products"},
        {18, "  trace: {function: tracee}", "c.yaml:18:21: analysis.trace.function"},
        {18, "  density: {edges: \"0.5,x\"}", "c.yaml:18:12: analysis.density: "},
        {18, "  svd: 5", "c.yaml:18:8: analysis.svd: expected a mapping"},
        {18, "  [svd]", "c.yaml:18:3: analysis: expected a mapping"},
        {18, "  svd: {top: 5}\n  svd: {top: 6}", "c.yaml:19:3"},
        {18, "  svd: &a {}", "c.yaml:18"},
        {18, "  svd: {", "c.yaml:"},
    };
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_run_config zero = {0};
    char text[TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stj_run_config c = {0};
        compose(cases[i].number, cases[i].line, text);
        enum stj_status st = stj_run_config_parse(text, "c.yaml", &c, &err);
        ck_assert_msg(st == STJ_ECONFIG || st == STJ_EFORMAT, "\"%s\": %s", cases[i].line,
                      stj_status_name(st));
        ck_assert_msg(strstr(err.text, cases[i].phrase) && !strchr(err.text, '\n'),
                      "\"%s\":\nmessage  %s\nexpected %s", cases[i].line, err.text,
                      cases[i].phrase);
        ck_assert_msg(memcmp(&c, &zero, sizeof c) == 0, "\"%s\" leaves something behind",
                      cases[i].line);
        stj_error_clear(&err);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_test(tests, accepted);
    tcase_add_test(tests, completed);
    tcase_add_test(tests, bare_rate);
    tcase_add_test(tests, defaults_of_groups);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, analyses_by_name);
    tcase_add_test(tests, recipe);
    tcase_add_test(tests, mistakes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
