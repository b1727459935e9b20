/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-initializers.c: moments and bounds of every initialiser of the registry.
 *
 * Over n draws the mean of a law of standard deviation s has standard error s / sqrt(n), and the
 * mean square about the law's mean has s^2 sqrt((kurtosis - 1) / n); both must lie within five of
 * them (one in a million and a half would not, and the seeds are fixed). */
#include <math.h>
#include <stdlib.h>

#include "options/yaml.h"
#include "expect.h"
#include "net/initializer.h"
#include "small_run.h"

enum { N = 200000, FAN_IN = 12, FAN_OUT = 20 };

/* What is known of a law; low and high are never passed, and nearly reached. */
struct law {
    const char *text;
    double mean, variance, kurtosis;
    double low, high;
};

/* The standard normal law within [-2, 2]: variance, and kurtosis E z^4 / variance^2 from
 * E z^4 = 3 E z^2 - 2^3 c, with c = 2 phi(2) / (2 Phi(2) - 1). */
#define CUT 0.77374130355
#define CUT_KURTOSIS ((3 * CUT - 8 * 0.1131293482) / (CUT * CUT))

/* The law cut at two standard deviations that has the given variance afterwards. */
static struct law scaled_normal(const char *text, double variance)
{
    const double end = 2 * sqrt(variance / CUT);
    return (struct law){text, 0, variance, CUT_KURTOSIS, -end, end};
}

static struct law flat(const char *text, double low, double high)
{
    return (struct law){text, (low + high) / 2, (high - low) * (high - low) / 12, 1.8, low, high};
}

static struct law flat_of_variance(const char *text, double variance)
{
    return flat(text, -sqrt(3 * variance), sqrt(3 * variance));
}

static size_t fill_laws(struct law *law)
{
    const double lecun = 1.0 / FAN_IN;
    const double glorot = 2.0 / (FAN_IN + FAN_OUT);
    const double he = 2.0 / FAN_IN;
    size_t n = 0;
    law[n++] = scaled_normal("lecun_normal", lecun);
    law[n++] = scaled_normal("glorot_normal", glorot);
    law[n++] = scaled_normal("he_normal", he);
    law[n++] = flat_of_variance("lecun_uniform", lecun);
    law[n++] = flat_of_variance("glorot_uniform", glorot);
    law[n++] = flat_of_variance("he_uniform", he);
    law[n++] = flat("pytorch_default", -1 / sqrt(FAN_IN), 1 / sqrt(FAN_IN));
    law[n++] = flat("uniform", 0, 1);
    law[n++] = flat("{type: uniform, min: -3, max: -1.5}", -3, -1.5);
    law[n++] = (struct law){"normal", 0, 1, 3, -INFINITY, INFINITY};
    law[n++] =
        (struct law){"{type: normal, mean: 2, stddev: 0.5}", 2, 0.25, 3, -INFINITY, INFINITY};
    law[n++] = (struct law){
        "{type: truncated_normal, mean: -1, stddev: 3}", -1, 9 * CUT, CUT_KURTOSIS, -7, 5};
    law[n++] = (struct law){"zeros", 0, 0, 1, 0, 0};
    law[n++] = (struct law){"ones", 1, 0, 1, 1, 1};
    law[n++] = (struct law){"{type: constant, value: -0.75}", -0.75, 0, 1, -0.75, -0.75};
    return n;
}

enum { N_LAWS = 15, N_SEEDS = 3 };

static double *draw(const char *text, size_t n, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_plugin plugin;
    struct stj_rng *rng = NULL;
    double *w = calloc(n, sizeof *w);
    parse_plugin(&stj_initializers, text, &plugin);
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_INIT, 0, &rng, &err), err);
    ((const struct stj_initializer_ops *)plugin.info)
        ->fill(plugin.config, n, FAN_IN, FAN_OUT, rng, w);
    stj_rng_destroy(rng);
    stj_plugin_free(&plugin);
    return w;
}

START_TEST(moments_and_bounds_are_those_of_the_law)
{
    struct law law[N_LAWS + 1];
    ck_assert_uint_eq(fill_laws(law), N_LAWS);
    const struct law *want = &law[_i % N_LAWS];
    const uint64_t seed = 1 + (uint64_t)_i / N_LAWS;
    double *w = draw(want->text, N, seed);
    double mean = 0, square = 0, low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < N; i++) {
        mean += w[i];
        square += (w[i] - want->mean) * (w[i] - want->mean);
        low = fmin(low, w[i]);
        high = fmax(high, w[i]);
    }
    mean /= N;
    square /= N;
    /* 1e-12: rounding of the sums of constants, whose standard errors are zero */
    const double mean_error = 5 * sqrt(want->variance / N) + 1e-12;
    const double square_error = 5 * want->variance * sqrt((want->kurtosis - 1) / N) + 1e-12;
    ck_assert_msg(fabs(mean - want->mean) <= mean_error, "%s, seed %zu: mean %g, not %g +- %g",
                  want->text, (size_t)seed, mean, want->mean, mean_error);
    ck_assert_msg(fabs(square - want->variance) <= square_error,
                  "%s, seed %zu: variance %g, not %g +- %g", want->text, (size_t)seed, square,
                  want->variance, square_error);
    ck_assert_msg(low >= want->low && high <= want->high, "%s, seed %zu: [%g, %g] not in [%g, %g]",
                  want->text, (size_t)seed, low, high, want->low, want->high);
    if (isfinite(want->high)) /* half a percent of a cut normal law at its end: 1 in 900 draws */
        ck_assert_msg(low - want->low + want->high - high <= 0.01 * (want->high - want->low),
                      "%s, seed %zu: [%g, %g] stays far inside [%g, %g]", want->text, (size_t)seed,
                      low, high, want->low, want->high);
    free(w);
}
END_TEST

/* A new initialiser must get a law above. */
START_TEST(every_initialiser_of_the_registry_has_a_law)
{
    struct law law[N_LAWS + 1];
    const size_t n = fill_laws(law);
    for (size_t i = 0; stj_initializers.list[i]; i++) {
        bool known = false;
        for (size_t k = 0; k < n; k++)
            known |= strstr(law[k].text, stj_initializers.list[i]->name) != NULL;
        ck_assert_msg(known, "no law for the initialiser %s", stj_initializers.list[i]->name);
    }
}
END_TEST

START_TEST(the_same_seed_gives_the_same_numbers)
{
    double *a = draw("he_normal", 100, 5);
    double *b = draw("he_normal", 100, 5);
    double *c = draw("he_normal", 100, 6);
    ck_assert(memcmp(a, b, 100 * sizeof *a) == 0);
    ck_assert(memcmp(a, c, 100 * sizeof *a) != 0);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(a_uniform_law_needs_its_ends_in_order)
{
    static const char text[] = "{type: uniform, min: 1, max: 0.5}";
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    struct stj_plugin plugin = {0};
    EXPECT_OK(stj_yaml_parse(text, strlen(text), "test", &root, &err), err);
    EXPECT_FAIL(stj_plugin_parse(&stj_initializers, root, &plugin, &err), STJ_ECONFIG,
                "min is 1 and max 0.5", err);
    stj_yaml_destroy(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("initialisers");
    TCase *tc = tcase_create("laws");
    tcase_add_loop_test(tc, moments_and_bounds_are_those_of_the_law, 0, N_LAWS * N_SEEDS);
    tcase_add_test(tc, every_initialiser_of_the_registry_has_a_law);
    tcase_add_test(tc, the_same_seed_gives_the_same_numbers);
    tcase_add_test(tc, a_uniform_law_needs_its_ends_in_order);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
