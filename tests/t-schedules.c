/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-schedules.c: learning rates against values worked out by hand.
 *
 * Tolerance: each rate is a handful of operations on the peak, so 8 eps of it. */
#include <float.h>
#include <math.h>

#include "options/yaml.h"
#include "expect.h"
#include "small_run.h"

static double eta(const char *text, size_t step, size_t n_steps)
{
    struct stj_plugin plugin;
    parse_plugin(&stj_schedules, text, &plugin);
    const double value = stj_schedule_eta(&plugin, step, n_steps);
    stj_plugin_free(&plugin);
    return value;
}

static void check(const char *text, size_t step, size_t n_steps, double wanted)
{
    const double got = eta(text, step, n_steps);
    ck_assert_msg(fabs(got - wanted) <= 8 * DBL_EPSILON * fabs(wanted),
                  "%s: step %zu of %zu is %.17g, not %.17g", text, step, n_steps, got, wanted);
}

static void refused(const char *text, const char *part)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    struct stj_plugin plugin = {0};
    EXPECT_OK(stj_yaml_parse(text, strlen(text), "test", &root, &err), err);
    EXPECT_FAIL(stj_plugin_parse(&stj_schedules, root, &plugin, &err), STJ_ECONFIG, part, err);
    stj_yaml_destroy(root);
}

START_TEST(constant_and_step_are_piecewise_constant)
{
    check("{schedule: constant, peak: 0.3}", 0, 7, 0.3);
    check("{schedule: constant, peak: 0.3}", 6, 7, 0.3);
    const char *text = "{schedule: step, peak: 0.8, gamma: 0.5, every: 3}";
    static const double wanted[] = {0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1};
    for (size_t t = 0; t < 10; t++)
        check(text, t, 10, wanted[t]);
}
END_TEST

START_TEST(cosine_and_polynomial_decay_over_all_steps)
{
    check("{schedule: cosine, peak: 0.1}", 0, 4, 0.1);
    check("{schedule: cosine, peak: 0.1}", 1, 4, 0.1 * (2 + sqrt(2)) / 4);
    check("{schedule: cosine, peak: 0.1}", 2, 4, 0.05);
    check("{schedule: cosine, peak: 0.1}", 3, 4, 0.1 * (2 - sqrt(2)) / 4);
    check("{schedule: cosine, peak: 0.1, final: 0.2}", 2, 4, 0.1 * 0.6);
    check("{schedule: cosine, peak: 0.1, final: 1}", 3, 4, 0.1);
    check("{schedule: polynomial, peak: 2}", 1, 4, 1.5);
    check("{schedule: polynomial, peak: 2, power: 2}", 3, 4, 0.125);
    check("{schedule: polynomial, peak: 2, power: 2, final: 0.5}", 2, 4, 2 * (0.5 + 0.5 * 0.25));
    check("{schedule: polynomial, peak: 2, power: 0}", 3, 4, 2);
}
END_TEST

/* From torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10): with pct_start = 0.3 the peak
 * is at step 2, so the rise has shares 0, 1/2, 1 and the fall k/7 from step 2 on. */
START_TEST(one_cycle_is_pytorchs)
{
    const double pi = acos(-1.0);
    const char *text = "{schedule: one_cycle, peak: 1}";
    check(text, 0, 10, 0.04);
    check(text, 1, 10, (0.04 + 1) / 2);
    check(text, 2, 10, 1);
    for (size_t t = 3; t < 10; t++)
        check(text, t, 10, 4e-6 + (1 - 4e-6) / 2 * (1 + cos(pi * (double)(t - 2) / 7)));
    const char *linear = "{schedule: one_cycle, peak: 2, rise: 0.5, div_factor: 4, "
                         "final_div_factor: 5, anneal: linear}";
    static const double wanted[] = {0.5, 1.25, 2, 1.3666666666666667, 0.7333333333333333, 0.1};
    for (size_t t = 0; t < 6; t++)
        check(linear, t, 6, wanted[t]);
    for (size_t n = 1; n < 9; n++) /* too short for a rise, or for a fall */
        for (size_t t = 0; t < n; t++)
            for (int k = 0; k < 3; k++) {
                static const char *const edge[] = {"{schedule: one_cycle, peak: 1, rise: 0}",
                                                   "{schedule: one_cycle, peak: 1, rise: 1}",
                                                   "{schedule: one_cycle, peak: 1}"};
                const double rate = eta(edge[k], t, n);
                ck_assert_msg(rate > 0 && rate <= 1, "%s: %g at step %zu of %zu", edge[k], rate, t,
                              n);
            }
}
END_TEST

START_TEST(warmup_rises_to_what_follows)
{
    const char *text = "{schedule: warmup, warmup_steps: 4, then: {schedule: cosine, peak: 0.8}}";
    static const double rise[] = {0, 0.2, 0.4, 0.6, 0.8};
    for (size_t t = 0; t <= 4; t++)
        check(text, t, 12, rise[t]);
    check(text, 8, 12, 0.4); /* half of the eight steps that are left */
    check("{schedule: warmup, warmup_steps: 4, start: 0.5, then: {schedule: constant, peak: 1}}", 1,
          9, 0.625);
    check("{schedule: warmup, warmup_steps: 0, then: {schedule: polynomial, peak: 1}}", 0, 4, 1);
    check("{schedule: warmup, warmup_steps: 20, then: {schedule: cosine, peak: 1}}", 5, 10, 0.25);
}
END_TEST

START_TEST(a_sequence_gives_each_part_its_steps)
{
    const char *text =
        "{schedule: sequence, steps: [2, 4], parts: [{schedule: constant, peak: 5}, "
        "{schedule: polynomial, peak: 1}, {schedule: warmup, warmup_steps: 1, start: "
        "0.5, then: {schedule: constant, peak: 3}}]}";
    static const double wanted[] = {5, 5, 1, 0.75, 0.5, 0.25, 1.5, 3, 3};
    for (size_t t = 0; t < 9; t++)
        check(text, t, 9, wanted[t]);
    check("{schedule: sequence, steps: [], parts: [{schedule: polynomial, peak: 1}]}", 1, 4, 0.75);
    check("{schedule: sequence, steps: 3, parts: [{schedule: polynomial, peak: 3}, {schedule: "
          "constant, peak: 1}]}",
          1, 2, 2); /* training ends within the first part */
}
END_TEST

/* torch.optim.lr_scheduler.CyclicLR(base_lr=1, max_lr=3, step_size_up=2, step_size_down=4). */
START_TEST(cyclic_is_pytorchs)
{
#define CYCLE "base: 1, peak: 3, up: 2, down: 4"
    static const double height[] = {0, 0.5, 1, 0.75, 0.5, 0.25};
    for (size_t t = 0; t < 14; t++) {
        check("{schedule: cyclic, " CYCLE "}", t, 14, 1 + 2 * height[t % 6]);
        check("{schedule: cyclic, " CYCLE ", mode: triangular2}", t, 14,
              1 + 2 * height[t % 6] * pow(0.5, (double)(t / 6)));
        check("{schedule: cyclic, " CYCLE ", mode: exp_range, gamma: 0.9}", t, 14,
              1 + 2 * height[t % 6] * pow(0.9, (double)t));
    }
    check("{schedule: cyclic, base: 0, peak: 1, up: 4}", 6, 9, 0.5);
}
END_TEST

static double momentum(const char *text, size_t step, size_t n_steps)
{
    struct stj_plugin plugin;
    parse_plugin(&stj_schedules, text, &plugin);
    const double value = stj_schedule_momentum(&plugin, step, n_steps);
    stj_plugin_free(&plugin);
    return value;
}

/* OneCycleLR's and CyclicLR's momenta go the other way, between 0.85 and 0.95, 0.8 and 0.9. */
START_TEST(a_momentum_cycles_where_it_is_asked_to)
{
    const char *one = "{schedule: one_cycle, peak: 1, cycle_momentum: true}";
    const double fall = 0.95 + (0.85 - 0.95) * (1 + cos(acos(-1.0) * 3 / 7)) / 2;
    ck_assert(isnan(momentum("{schedule: one_cycle, peak: 1}", 0, 10)));
    ck_assert(isnan(momentum("{schedule: cyclic, base: 0, peak: 1}", 0, 10)));
    ck_assert(isnan(momentum("{schedule: cosine, peak: 1}", 0, 10)));
    ck_assert_double_eq_tol(momentum(one, 0, 10), 0.95, 1e-15);
    ck_assert_double_eq_tol(momentum(one, 1, 10), 0.9, 1e-15);
    ck_assert_double_eq_tol(momentum(one, 2, 10), 0.85, 1e-15);
    ck_assert_double_eq_tol(momentum(one, 5, 10), fall, 1e-15);
    ck_assert_double_eq_tol(momentum(one, 9, 10), 0.95, 1e-15);
    const char *many = "{schedule: cyclic, " CYCLE ", mode: triangular2, cycle_momentum: true}";
    ck_assert_double_eq_tol(momentum(many, 0, 14), 0.9, 1e-15);
    ck_assert_double_eq_tol(momentum(many, 2, 14), 0.8, 1e-15);
    ck_assert_double_eq_tol(momentum(many, 8, 14), 0.85, 1e-15);
}
END_TEST

START_TEST(lists_products_milestones_and_scales)
{
    static const double wanted[] = {0.4, 0.3, 0.2, 0.1};
    for (size_t t = 0; t < 4; t++) {
        check("[0.4, 0.3, 0.2, 0.1]", t, 4, wanted[t]);
        check("{schedule: list, values: [0.4, 0.3, 0.2, 0.1], scale: 0.5}", t, 4, wanted[t] / 2);
        check("{schedule: product, parts: [{schedule: list, values: [4, 3, 2, 1]}, {schedule: "
              "constant, peak: 0.1}]}",
              t, 4, wanted[t]);
    }
    ck_assert(isnan(eta("[0.4, 0.3]", 2, 4)));
    const char *falls = "{schedule: multistep, peak: 8, gamma: 0.5, milestones: [2, 5, 5]}";
    static const double rates[] = {8, 8, 4, 4, 4, 1, 1};
    for (size_t t = 0; t < 7; t++)
        check(falls, t, 7, rates[t]);
}
END_TEST

START_TEST(bad_schedules_are_refused)
{
    refused("[]", "values is empty");
    refused("[0.1, -1]", "values[1]");
    refused("{schedule: product, parts: []}", "parts is empty");
    refused("{schedule: file}", "file");
    refused("{schedule: cyclic, base: 2, peak: 1}", "base is 2, above the peak 1");
    refused("{schedule: cyclic, base: 0, peak: 1, max_momentum: 0.5}", "add cycle_momentum");
    refused("{schedule: one_cycle, peak: 1, base_momentum: 0.5}", "add cycle_momentum");
    refused("{schedule: multistep, peak: 1}", "milestones");
    refused("{schedule: sequence, steps: [1], parts: []}", "parts is empty");
    refused("{schedule: sequence, steps: [1, 2], parts: [{schedule: constant, peak: 1}]}",
            "1 parts need 0 numbers of steps, got 2");
    refused("{schedule: step, peak: 1, every: 0}", "every");
    refused("{schedule: cosine, peak: 1, final: 1.5}", "final");
    refused("{schedule: warmup, warmup_steps: 3}", "then");
    refused("{schedule: one_cycle, peak: 1, div_factor: 0}", "div_factor");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedules");
    TCase *tc = tcase_create("values");
    tcase_add_test(tc, constant_and_step_are_piecewise_constant);
    tcase_add_test(tc, cosine_and_polynomial_decay_over_all_steps);
    tcase_add_test(tc, one_cycle_is_pytorchs);
    tcase_add_test(tc, warmup_rises_to_what_follows);
    tcase_add_test(tc, a_sequence_gives_each_part_its_steps);
    tcase_add_test(tc, cyclic_is_pytorchs);
    tcase_add_test(tc, a_momentum_cycles_where_it_is_asked_to);
    tcase_add_test(tc, lists_products_milestones_and_scales);
    tcase_add_test(tc, bad_schedules_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
