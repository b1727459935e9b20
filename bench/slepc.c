/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/slepc.c: how many products the largest singular pairs of a run cost, here and in SLEPc.
 *
 *   make bench-slepc RUN=DIR [K=50] [NCV=120]
 *
 * SLEPc's `cross` (eigenvalues of A'A by Krylov-Schur) and `trlanczos` (thick-restart Golub-Kahan) get the same
 * operator as a shell matrix, the same ncv, and a tolerance that asks for the same residual: 1e-10 sigma_1.  A product
 * is one with A and one with A'.  For the comparison alone; nothing else needs SLEPc (Debian's slepc-dev).
 */
#include <slepcsvd.h>
#include <stdio.h>
#include <stdlib.h>

#include <spectraj.h>

static struct stj_op *jacobian;
static size_t n_params, products[2];

static PetscErrorCode multiply(Mat matrix, Vec x, Vec y, enum stj_trans trans)
{
    struct stj_error err = STJ_ERROR_INIT;
    const PetscScalar *in = NULL;
    PetscScalar *out = NULL;
    (void)matrix;
    VecGetArrayRead(x, &in);
    VecGetArray(y, &out);
    const enum stj_status st = stj_op_apply(jacobian, trans, 1, in, n_params, out, n_params, &err);
    VecRestoreArrayRead(x, &in);
    VecRestoreArray(y, &out);
    products[trans]++;
    return st == STJ_OK ? 0 : PETSC_ERR_LIB;
}

static PetscErrorCode multiply_a(Mat matrix, Vec x, Vec y)
{
    return multiply(matrix, x, y, STJ_NO_TRANS);
}

static PetscErrorCode multiply_at(Mat matrix, Vec x, Vec y)
{
    return multiply(matrix, x, y, STJ_TRANS);
}

static void report(const char *method, size_t k, size_t ncv, size_t converged, double sigma,
                   double count)
{
    printf("{\"case\":\"top-pairs\",\"method\":\"%s\",\"k\":%zu,\"ncv\":%zu,\"converged\":%zu,"
           "\"last_sigma\":%.12g,\"products\":%.6g}\n",
           method, k, ncv, converged, sigma, count);
    fflush(stdout);
}

static void run_slepc(const char *type, size_t k, size_t ncv)
{
    Mat matrix;
    SVD svd;
    PetscInt converged = 0;
    PetscReal sigma = 0;
    const PetscInt n = (PetscInt)n_params;
    products[0] = products[1] = 0;
    MatCreateShell(PETSC_COMM_SELF, n, n, n, n, NULL, &matrix);
    MatShellSetOperation(matrix, MATOP_MULT, (void (*)(void))multiply_a);
    MatShellSetOperation(matrix, MATOP_MULT_TRANSPOSE, (void (*)(void))multiply_at);
    SVDCreate(PETSC_COMM_SELF, &svd);
    SVDSetOperators(svd, matrix, NULL);
    SVDSetType(svd, type);
    SVDSetImplicitTranspose(svd, PETSC_TRUE);
    SVDSetDimensions(svd, (PetscInt)k, (PetscInt)ncv, PETSC_DEFAULT);
    SVDSetTolerances(svd, 1e-10, 100000);
    SVDSetWhichSingularTriplets(svd, SVD_LARGEST);
    SVDSolve(svd);
    SVDGetConverged(svd, &converged);
    if (converged >= (PetscInt)k)
        SVDGetSingularTriplet(svd, (PetscInt)k - 1, &sigma, NULL, NULL);
    report(type, k, ncv, (size_t)converged, sigma, 0.5 * (double)(products[0] + products[1]));
    SVDDestroy(&svd);
    MatDestroy(&matrix);
}

static enum stj_status run_ours(size_t k, size_t ncv, struct stj_error *err)
{
    struct stj_svd_settings settings = stj_svd_settings_default();
    struct stj_svd_result *result = NULL;
    settings.top = k;
    settings.ncv = ncv;
    settings.method = "arpack";
    const enum stj_status st = stj_svd_solve(jacobian, &settings, &result, err);
    if (st == STJ_OK)
        report("spectraj", k, ncv, result->converged,
               result->top.k ? result->top.sigma[result->top.k - 1] : 0, result->products);
    stj_svd_result_destroy(result);
    return st;
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    const size_t k = argc > 2 ? strtoul(argv[2], NULL, 10) : 50;
    const size_t ncv = argc > 3 ? strtoul(argv[3], NULL, 10) : 120;
    int none = 1;
    if (argc < 2) {
        fprintf(stderr, "usage: slepc RUN [K [NCV]]\n");
        return EXIT_FAILURE;
    }
    SlepcInitialize(&none, &argv, NULL, NULL);
    enum stj_status st = stj_run_open(argv[1], &run, &err);
    if (st == STJ_OK)
        st = stj_run_jacobian(run, 0, 0, 0, &jacobian, &err);
    if (st == STJ_OK) {
        n_params = stj_op_n_cols(jacobian);
        st = run_ours(k, ncv, &err);
    }
    if (st == STJ_OK) {
        run_slepc(SVDCROSS, k, ncv);
        run_slepc(SVDTRLANCZOS, k, ncv);
    } else {
        fprintf(stderr, "slepc: %s\n", err.text);
    }
    stj_op_destroy(jacobian);
    stj_run_destroy(run);
    SlepcFinalize();
    return st == STJ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
