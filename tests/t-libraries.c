/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-libraries.c: the numerical libraries are the ones that the code was written for.
 *
 * ARPACK with integers of another width than its header says reads sizes as garbage, and a second
 * BLAS may capture cblas_dgemm: both compile, link and fail only here.
 */
#define _GNU_SOURCE /* dladdr */
#include <config.h>

#include <arpack.h>
#include <cblas.h>
#include <check.h>
#include <dlfcn.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <spectraj/version.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas_library.h"

enum { N = 10, NEV = 3, NCV = 8, LWORKL = NCV * (NCV + 8) };

/* y = A x for the second-difference matrix A = tridiag(-1, 2, -1), whose eigenvalues are
 * 2 - 2 cos(k pi / (N + 1)). */
static void second_difference(const double *x, double *y)
{
    for (size_t i = 0; i < N; i++)
        y[i] = 2 * x[i] - (i > 0 ? x[i - 1] : 0) - (i + 1 < N ? x[i + 1] : 0);
}

/* Whatever ARPACK does with integers of the wrong width, it must not also be lucky: iparam and
 * ipntr are followed by guards. */
struct arpack_space {
    a_int iparam[11], iparam_guard;
    a_int ipntr[11], ipntr_guard;
    double resid[N], v[N * NCV], workd[3 * N], workl[LWORKL];
};

static int iterate(struct arpack_space *s)
{
    a_int ido = 0;
    a_int info = 1; /* resid is the start vector */
    for (size_t i = 0; i < N; i++)
        s->resid[i] = 1.0 + (double)i;
    s->iparam[0] = 1;   /* exact shifts */
    s->iparam[2] = 100; /* restarts */
    s->iparam[6] = 1;   /* standard problem */
    for (int products = 0; products < 1000; products++) {
        dsaupd_c(&ido, "I", N, "LA", NEV, 0.0, s->resid, NCV, s->v, N, s->iparam, s->ipntr,
                 s->workd, s->workl, LWORKL, &info);
        if (ido != 1 && ido != -1)
            break;
        second_difference(s->workd + s->ipntr[0] - 1, s->workd + s->ipntr[1] - 1);
    }
    ck_assert_int_eq(ido, 99);
    return (int)info;
}

START_TEST(arpack_has_the_integers_of_its_header)
{
    struct arpack_space s = {.iparam_guard = 4711, .ipntr_guard = 4712};
    ck_assert_int_eq(iterate(&s), 0);
    ck_assert_int_eq(s.iparam[4], NEV); /* converged, in the integer's own units */
    ck_assert_int_eq(s.iparam_guard, 4711);
    ck_assert_int_eq(s.ipntr_guard, 4712);

    double d[NEV], z[N * NEV];
    a_int select[NCV] = {0};
    a_int info = 0;
    dseupd_c(1, "A", select, d, z, N, 0.0, "I", N, "LA", NEV, 0.0, s.resid, NCV, s.v, N, s.iparam,
             s.ipntr, s.workd, s.workl, LWORKL, &info);
    ck_assert_int_eq(info, 0);
    /* Weyl: a backward-stable solver moves an eigenvalue by a modest multiple of eps |A|, and
     * |A| < 4 here; N counts the rounded operations of a product and of the small solve. */
    const double bound = 4 * 4 * N * DBL_EPSILON;
    const double pi = acos(-1.0);
    for (int k = 0; k < NEV; k++) {
        double exact = 2 - 2 * cos((N - NEV + 1 + k) * pi / (N + 1));
        ck_assert_msg(fabs(d[k] - exact) <= bound, "eigenvalue %d: %.17g, exactly %.17g", k, d[k],
                      exact);
    }
}
END_TEST

START_TEST(lapacke_has_the_integers_of_its_header)
{
    /* A wrong width reads m or lda as 0 or as a huge number: refused, or the values are wrong. */
    double a[6] = {3, 0, 0, 0, 4, 0}; /* 3 x 2, column-major */
    double sigma[2], u[6], vt[4];
    lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', 3, 2, a, 3, sigma, u, 3, vt, 2);
    ck_assert_int_eq(info, 0);
    ck_assert(fabs(sigma[0] - 4) <= 16 * DBL_EPSILON); /* a few ulp of a diagonal matrix */
    ck_assert(fabs(sigma[1] - 3) <= 16 * DBL_EPSILON);
}
END_TEST

#ifdef HAVE_OPENBLAS
static void ck_in_openblas(void (*function)(void), const char *name)
{
    void *address = NULL;
    Dl_info where;
    memcpy(&address, &function, sizeof address);
    ck_assert_msg(dladdr(address, &where) != 0, "%s lies in no library", name);
    const char *file = strrchr(where.dli_fname, '/');
    file = file ? file + 1 : where.dli_fname;
    ck_assert_msg(strncmp(file, "libopenblas", strlen("libopenblas")) == 0,
                  "%s comes from %s, not from OpenBLAS: link -lopenblas first", name,
                  where.dli_fname);
}

START_TEST(blas_is_openblas)
{
    ck_in_openblas((void (*)(void))cblas_dgemm, "cblas_dgemm");
    ck_in_openblas((void (*)(void))cblas_ddot, "cblas_ddot");
}
END_TEST
#endif

START_TEST(summaries_say_what_is_there)
{
    ck_assert(strstr(stj_build_summary(), "OpenBLAS"));
    ck_assert(strstr(stj_build_summary(), "ARPACK-NG"));
    ck_assert(strlen(stj_version()) > 0);

    size_t length = stj_runtime_summary(NULL, 0);
    ck_assert(length > 0);
    char *text = malloc(length + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(stj_runtime_summary(text, length + 1), length);
    ck_assert_uint_eq(strlen(text), length);
    ck_assert(strstr(text, stj_blas_kernel()));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libraries");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, arpack_has_the_integers_of_its_header);
    tcase_add_test(tests, lapacke_has_the_integers_of_its_header);
#ifdef HAVE_OPENBLAS
    tcase_add_test(tests, blas_is_openblas);
#endif
    tcase_add_test(tests, summaries_say_what_is_there);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
