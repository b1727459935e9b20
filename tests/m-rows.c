/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/m-rows.c: bases whose rows are divided among ranks; to be run by mpirun.
 *
 *     m-rows           every basis is divided, however short
 *     m-rows whole     none is: the bits are those of one rank
 *
 * Every case is solved by all ranks together first.  Then each rank goes on alone, solves it once more and
 * compares the two, and both with the singular values that the operator was made from.
 */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/density.h>
#include <spectraj/svd.h>
#include <spectraj/trace.h>

#include "base/blas.h"
#include "parallel/ranks.h"
#include "parallel/shared_memory.h"
#include "expect.h"
#include "known_op.h"

enum { MOST = 700, N_TOP = 8, N_BOTTOM = 4 };

static bool whole; /* no basis is divided */

/* ---- spectra: sigma[n], descending ---- */

static double decaying(size_t i, size_t n)
{
    (void)n;
    return i < 12 ? 20 * pow(0.7, (double)i) : 1 / (1 + 0.01 * (double)i);
}

static double repeated(size_t i, size_t n)
{
    (void)n;
    return i < 3 ? 5 : i < 6 ? 3 : 1 - 1e-3 * (double)i;
}

static double clustered(size_t i, size_t n)
{
    (void)n;
    return i < 12 ? 4 + 1e-7 * (double)(12 - i) : 0.5;
}

/* The identity but for a few: what a training Jacobian is like. */
static double contracting(size_t i, size_t n)
{
    const size_t from_end = n - 1 - i;
    return i < 3 ? 3 - (double)i : from_end < 6 ? pow(10, (double)from_end - 6) : 1;
}

static double identity(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 1;
}

static double zero(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 0;
}

/* Lengths whose squares are no numbers. */
static double huge(size_t i, size_t n)
{
    return 1e200 * decaying(i, n);
}

/* ---- cases ---- */

enum kind { TOP, ABOVE, BOTTOM, DENSITY, TRACE };

struct test_case {
    const char *name;
    enum kind kind;
    size_t m, n;
    double (*sigma)(size_t i, size_t n);
    const char *method;
    enum stj_reorthogonalize how;
    size_t steps;
    bool known, scratch;
    double budget, seconds;
    double tolerance; /* between ranks and one, times sigma_1, or N; 0: 1e-12, of densities 1e-9 */
    const char *error;
};

static const struct test_case cases[] = {
    {"largest", TOP, 61, 61, decaying, .method = "arpack"},
    {"largest, chosen method", TOP, 601, 601, decaying, .method = NULL},
    {"largest, dense", TOP, 61, 61, decaying, .method = "dense"},
    {"largest of a tall one", TOP, 90, 61, decaying, .method = "arpack"},
    {"largest of a wide one", TOP, 41, 75, decaying, .method = "arpack"},
    {"largest, huge", TOP, 61, 61, huge, .method = "dense"},
    {"repeated", TOP, 101, 101, repeated, .method = "arpack"},
    {"clustered", TOP, 101, 101, clustered, .method = "arpack"},
    {"largest, half of them known", TOP, 301, 301, decaying, .method = "arpack", .known = true},
    {"repeated, half of them known", TOP, 101, 101, repeated, .method = "arpack", .known = true},
    {"identity", TOP, 61, 61, identity, .method = "arpack"},
    {"zero", TOP, 61, 61, zero, .method = "arpack"},
    {"all above", ABOVE, 101, 101, decaying, .method = "arpack"},
    {"largest by lanczos", TOP, 61, 61, decaying, .method = "lanczos"},
    {"largest of a tall one by lanczos", TOP, 90, 61, decaying, .method = "lanczos"},
    {"largest of a wide one by lanczos", TOP, 41, 75, decaying, .method = "lanczos"},
    {"largest, huge, by lanczos", TOP, 61, 61, huge, .method = "lanczos"},
    {"repeated, by lanczos", TOP, 101, 101, repeated, .method = "lanczos"},
    {"half of them known, by lanczos", TOP, 301, 301, decaying, .method = "lanczos", .known = true},
    {"zero, by lanczos", TOP, 61, 61, zero, .method = "lanczos"},
    {"all above, by lanczos", ABOVE, 101, 101, decaying, .method = "lanczos"},
    {"a small budget, by lanczos", TOP, 301, 301, decaying, .method = "lanczos", .budget = 50},
    {"few rows, largest by arpack", TOP, 11, 11, decaying, .method = "arpack"},
    {"few rows, largest", TOP, 11, 11, decaying, .method = NULL},
    {"three rows, largest", TOP, 3, 3, decaying, .method = NULL},
    {"one row, largest", TOP, 1, 1, decaying, .method = NULL},
    {"a small budget", TOP, 301, 301, decaying, .method = "arpack", .budget = 50},
    {"no time", TOP, 301, 301, decaying, .method = "arpack", .seconds = 1e-9,
     .tolerance = INFINITY},
    {"smallest", BOTTOM, 121, 121, contracting, .method = "arnoldi", .tolerance = 1e-9},
    {"smallest, with a budget", BOTTOM, 601, 601, contracting, .method = "arnoldi", .budget = 300,
     .tolerance = 1e-9},
    {"smallest, a tiny budget", BOTTOM, 121, 121, contracting, .method = "arnoldi", .budget = 5,
     .tolerance = 1e-9},
    {"smallest, dense", BOTTOM, 61, 61, contracting, .method = "dense"},
    {"smallest of the identity", BOTTOM, 61, 61, identity, .method = "arnoldi"},
    {"smallest of few rows", BOTTOM, 12, 12, contracting, .method = "arnoldi", .budget = 100,
     .tolerance = 1e-9},
    {"smallest, no time", BOTTOM, 301, 301, contracting, .method = "arnoldi", .seconds = 1e-9,
     .tolerance = INFINITY},
    {"smallest, half of them known", BOTTOM, 121, 121, contracting, .method = "arnoldi",
     .tolerance = 1e-9, .known = true},
    {"density", DENSITY, 601, 601, decaying, .steps = 40},
    {"density of a tall one", DENSITY, 90, 61, decaying, .steps = 20},
    {"density of a wide one", DENSITY, 41, 75, decaying, .steps = 20},
    {"density, one-sided", DENSITY, 301, 301, contracting, .how = STJ_REORTHOGONALIZE_ONE_SIDED,
     .steps = 8},
    {"density, no reorthogonalisation", DENSITY, 301, 301, decaying,
     .how = STJ_REORTHOGONALIZE_NONE, .steps = 8},
    {"density of known triplets' rest", DENSITY, 301, 301, decaying, .steps = 30, .known = true},
    {"density in files", DENSITY, 301, 301, decaying, .steps = 30, .scratch = true},
    {"density of the identity", DENSITY, 61, 61, identity, .steps = 30},
    {"density to the end", DENSITY, 13, 13, decaying, .steps = 30},
    {"density of three rows", DENSITY, 3, 3, decaying, .steps = 30},
    {"density of one row", DENSITY, 1, 1, decaying, .steps = 30},
    {"density, a small budget", DENSITY, 301, 301, decaying, .steps = 30, .budget = 31},
    {"density, no time", DENSITY, 301, 301, decaying, .steps = 30, .seconds = 1e-9},
    {"trace", TRACE, 301, 301, decaying, .method = NULL},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* ---- what came of one ---- */

struct outcome {
    enum stj_status st;
    struct stj_error err;
    size_t n;
    double value[MOST], residual[MOST]; /* singular values, or estimates */
    double applications, products, orthogonality;
    enum stj_stop stop;
};

static struct outcome together[N_CASES];

static double least(const struct test_case *c)
{
    return (double)(c->m < c->n ? c->m : c->n);
}

static size_t at_most(size_t wanted, const struct test_case *c)
{
    return wanted < (size_t)least(c) ? wanted : (size_t)least(c);
}

static void take_svd(const struct test_case *c, struct stj_op *op, struct outcome *o)
{
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_svd_result *r = NULL;
    struct stj_svd_result *half = NULL;
    s.top = c->kind == TOP ? at_most(N_TOP, c) : 0;
    s.bottom = c->kind == BOTTOM ? N_BOTTOM : 0;
    s.above = c->kind == ABOVE ? 1.5 : 0;
    s.method = c->method;
    s.max_applications = c->budget;
    s.max_seconds = c->seconds;
    s.seed = 5;
    if (c->known) {
        s.top /= 2;
        s.bottom /= 2;
        o->st = stj_svd_solve(op, &s, &half, &o->err);
        s.known_top = half ? &half->top : NULL;
        s.known_bottom = half ? &half->bottom : NULL;
        s.top *= 2;
        s.bottom *= 2;
    }
    if (o->st == STJ_OK)
        o->st = stj_svd_solve(op, &s, &r, &o->err);
    stj_svd_result_destroy(half);
    if (o->st != STJ_OK)
        return;
    const struct stj_pairs *p = c->kind == BOTTOM ? &r->bottom : &r->top;
    o->n = p->k;
    for (size_t i = 0; i < p->k; i++) {
        o->value[i] = p->sigma[i];
        o->residual[i] = p->residual[i];
        for (size_t j = 0; j <= i; j++) {
            double dot = -(double)(i == j);
            for (size_t t = 0; t < p->n_cols; t++)
                dot += p->v[i * p->n_cols + t] * p->v[j * p->n_cols + t];
            o->orthogonality = fmax(o->orthogonality, fabs(dot));
        }
    }
    o->stop = r->stop;
    o->products = r->products + r->bottom_products;
    o->applications = r->counts.jvp + r->counts.vjp;
    stj_svd_result_destroy(r);
}

static void take_density(const struct test_case *c, struct stj_op *op, struct outcome *o)
{
    struct stj_density_settings s = stj_density_settings_default();
    struct stj_density_result *r = NULL;
    struct stj_svd_settings svd = stj_svd_settings_default();
    struct stj_svd_result *known = NULL;
    svd.top = N_TOP;
    s.probes = 3;
    s.steps = c->steps;
    s.seed = 7;
    s.reorthogonalize = c->how;
    s.max_applications = c->budget;
    s.max_seconds = c->seconds;
    s.scratch = c->scratch ? "." : NULL;
    if (c->known) {
        o->st = stj_svd_solve(op, &svd, &known, &o->err);
        s.known[0] = known ? &known->top : NULL;
    }
    const struct stj_op_counts before = stj_op_get_counts(op);
    if (o->st == STJ_OK)
        o->st = stj_density_solve(op, &s, &r, &o->err);
    if (o->st == STJ_OK) {
        const struct stj_density_counts *count = &r->regions;
        const struct stj_density_count *region[] = {&count->chaotic, &count->bulk, &count->stable};
        for (size_t i = 0; i < 3; i++) {
            o->value[o->n++] = region[i]->estimate;
            o->value[o->n++] = region[i]->low;
            o->value[o->n++] = region[i]->high;
        }
        o->value[o->n++] = (double)r->steps;
        o->value[o->n++] = (double)r->n_probes;
        o->stop = r->stop;
        o->applications =
            stj_op_get_counts(op).jvp - before.jvp + stj_op_get_counts(op).vjp - before.vjp;
    }
    stj_density_result_destroy(r);
    stj_svd_result_destroy(known);
}

static void take_trace(struct stj_op *op, struct outcome *o)
{
    struct stj_trace_settings s = stj_trace_settings_default();
    struct stj_trace_result r;
    s.products = 40;
    o->st = stj_trace_solve(op, &s, &r, &o->err);
    if (o->st == STJ_OK)
        o->value[o->n++] = r.value;
}

/* A = U diag(sigma) U', so that A - I has as low a rank as sigma - 1. */
static void make_symmetric(struct known_matrix *k, const double *sigma)
{
    const size_t n = k->n;
    memset(k->a, 0, n * n * sizeof *k->a);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n; c++)
            stj_axpy(n, sigma[i] * k->u[i * n + c], k->u + i * n, k->a + c * n);
}

static void solve(const struct test_case *c, struct outcome *o)
{
    double sigma[MOST];
    for (size_t i = 0; i < (size_t)least(c); i++)
        sigma[i] = c->sigma(i, (size_t)least(c));
    struct known_matrix *k = known_matrix_create(c->m, c->n, sigma, 11);
    if (c->sigma == contracting)
        make_symmetric(k, sigma);
    struct stj_op *op = known_matrix_op(k);
    *o = (struct outcome){.err = STJ_ERROR_INIT};
    if (c->kind == DENSITY)
        take_density(c, op, o);
    else if (c->kind == TRACE)
        take_trace(op, o);
    else
        take_svd(c, op, o);
    stj_op_destroy(op);
    known_matrix_free(k);
}

/* ---- comparisons ---- */

/* By the rounding of a product and of sums in another order. */
static double tolerance(const struct test_case *c)
{
    if (c->kind == DENSITY)
        return (c->tolerance > 0 ? c->tolerance : 1e-9) * least(c);
    if (c->kind == TRACE)
        return 1e-9 * least(c);
    const double sigma_1 = fmax(c->sigma(0, (size_t)least(c)), DBL_MIN);
    return (c->tolerance > 0 ? c->tolerance : 1e-12) * sigma_1;
}

static void check_truth(const struct test_case *c, const struct outcome *o)
{
    const size_t n = (size_t)least(c);
    const double sigma_1 = fmax(c->sigma(0, n), DBL_MIN);
    ck_assert_msg(o->orthogonality < 1e-12, "%s: orthogonality %g", c->name, o->orthogonality);
    if (c->budget > 0 || c->seconds > 0)
        return;
    const size_t wanted = c->kind == TOP ? at_most(N_TOP, c) : o->n;
    ck_assert_msg(o->n == wanted && o->n > 0, "%s: %zu values", c->name, o->n);
    for (size_t i = 0; i < o->n; i++) {
        const double true_sigma = c->sigma(c->kind == BOTTOM ? n - 1 - i : i, n);
        const double error = o->value[i] - true_sigma;
        if (c->kind == BOTTOM)
            ck_assert_msg(error >= -1e-13 * sigma_1 && error <= 1e-9 * sigma_1,
                          "%s: bound %zu is %g, the value %g", c->name, i, o->value[i], true_sigma);
        else
            ck_assert_msg(fabs(error) <= 1e-12 * sigma_1 && o->residual[i] <= 1e-9 * sigma_1,
                          "%s: sigma %zu is %.17g, not %.17g; residual %g", c->name, i, o->value[i],
                          true_sigma, o->residual[i]);
    }
}

/* Numbers from which all ranks take their decisions are the same on all of them, bit for bit. */
START_TEST(all_solve_together)
{
    for (size_t i = 0; i < N_CASES; i++)
        solve(&cases[i], &together[i]);
    for (size_t i = 0; i < N_CASES; i++) {
        struct outcome first = together[i];
        stj_ranks_bcast(first.value, sizeof first.value);
        const bool differs = memcmp(first.value, together[i].value, sizeof first.value) != 0;
        ck_assert_msg(!stj_ranks_allreduce_or(differs), "%s: other bits on another rank",
                      cases[i].name);
    }
    stj_ranks_leave_others();
}
END_TEST

START_TEST(ranks_agree_with_one)
{
    const struct test_case *c = &cases[_i];
    const struct outcome *o = &together[_i];
    struct outcome one;
    solve(c, &one);
    ck_assert_msg(o->st == one.st, "%s: %s (%s), alone %s (%s)", c->name, stj_status_name(o->st),
                  o->err.text, stj_status_name(one.st), one.err.text);
    ck_assert_msg(one.st == STJ_OK, "%s: %s", c->name, one.err.text);
    const double limit = whole ? 0 : tolerance(c);
    ck_assert_msg(o->n == one.n && o->stop == one.stop, "%s: %zu values, %s; alone %zu, %s",
                  c->name, o->n, stj_stop_text(o->stop), one.n, stj_stop_text(one.stop));
    for (size_t i = 0; i < o->n; i++)
        ck_assert_msg(fabs(o->value[i] - one.value[i]) <= limit,
                      "%s: value %zu is %.17g, alone %.17g (limit %g)", c->name, i, o->value[i],
                      one.value[i], limit);
    if (c->kind == DENSITY || whole)
        ck_assert_msg(o->applications == one.applications, "%s: %g applications, alone %g", c->name,
                      o->applications, one.applications);
    if (c->budget > 0)
        ck_assert_msg(o->applications <= c->budget, "%s: %g applications", c->name,
                      o->applications);
    if (c->kind == TOP || c->kind == ABOVE || c->kind == BOTTOM)
        check_truth(c, o);
}
END_TEST

/* Memory that ranks share has one name for all of a group, whatever each had in groups before. */
START_TEST(memory_of_a_group_after_another_division)
{
    const size_t bytes = 4096;
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arena arena = {.at = NULL};
    const size_t n_ranks = stj_n_ranks();
    if (n_ranks == 4)
        ck_assert_int_eq(stj_ranks_divide(2, &err), STJ_OK);
    if (stj_group() == 0)
        ck_assert_msg(stj_arena_grow(&arena, bytes, &err) == STJ_OK, "%s", err.text);
    stj_arena_free(&arena);
    ck_assert_int_eq(stj_ranks_divide(0, &err), STJ_OK);
    ck_assert_msg(stj_ranks_agree(stj_arena_grow(&arena, bytes, &err), &err) == STJ_OK, "%s",
                  err.text);
    stj_arena_free(&arena);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rows of bases divided among ranks");
    TCase *t = tcase_create("rows");
    tcase_add_test(t, memory_of_a_group_after_another_division);
    tcase_add_test(t, all_solve_together); /* before others: there is no way back from alone */
    tcase_add_loop_test(t, ranks_agree_with_one, 0, N_CASES);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    whole = argc > 1 && strcmp(argv[1], "whole") == 0;
    if (stj_ranks_begin(&err) != STJ_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 99;
    }
    if (!whole)
        stj_rows_divide_from(0);
    const size_t n_ranks = stj_n_ranks();
    SRunner *runner = srunner_create(suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    const int failed = srunner_ntests_failed(runner);
    if (stj_ranks_speaks(failed ? STJ_ENUMERIC : STJ_OK)) {
        printf("%zu ranks, %d cases%s\n", n_ranks, (int)N_CASES, whole ? ", whole" : "");
        srunner_print(runner, CK_NORMAL);
    }
    srunner_free(runner);
    stj_ranks_end(failed != 0);
    return failed != 0;
}
