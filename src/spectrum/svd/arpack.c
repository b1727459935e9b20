/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/arpack.c: the largest singular vectors by implicitly restarted Lanczos on A'A.
 *
 * Method: dsaupd and dseupd of ARPACK-ng in reverse communication (Lehoucq, Sorensen, Yang 1998),
 * and with several ranks their twins of PARPACK (Maschhoff, Sorensen 1996), each rank with its
 * rows; which = LA, mode 1.  A pair of A'A with |A'A v - lambda v| <= tol lambda gives |A'u - sigma
 * v| <= tol sigma.
 *
 *     1. a random start vector, multiplied by A'A
 *     2. A'A V = V T + beta v e': one product and one column more, restarted when ncv are full
 *     3. now and then the eigenvalues lambda and vectors y of T, whose residual is
 *        |A'u - sigma v| = beta |y_last| / sigma
 *     4. the Ritz vectors V y of the pairs wanted, or what ARPACK itself holds to have converged
 *
 * ARPACK tests convergence only when its basis of ncv vectors is full.  It is tested here from step
 * to step, from the factorisation that ARPACK has made so far: a solve ends as soon as the pairs
 * wanted have residuals |A'u - sigma v| well below tol sigma_1, often without a restart.
 *
 * Cost: two products (A and A') a step; memory ncv vectors, divided by rows among the ranks.  Fails
 * to see sigma below about sqrt(eps) sigma_1, which does not matter for the largest.
 *
 * ARPACK keeps state between calls: one solve at a time in a process, enforced here.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <arpack.h>
#ifdef STJ_WITH_MPI
#include <parpack.h>
#endif

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "base/rng.h"
#include "op/operator.h"
#include "spectrum/rows.h"
#include "spectrum/svd/svd_method.h"

static atomic_flag arpack_busy = ATOMIC_FLAG_INIT;

enum {
    MAX_RESTARTS = 100000, /* budgets end a solve, not this */
    SHOW_EVERY = 10,       /* products, and more as the basis grows */
    MULTIPLY_START = -2,   /* an operation of ours: the product of the start vector */
    ZERO_OPERATOR = -9     /* dsaupd: A'A maps a random start vector to zero */
};

/* Everything that ARPACK is passed in every call. */
struct arpack {
    struct stj_rows rows; /* of a vector: this rank has its own in resid, v and workd */
    a_int n, nev, ncv, ldv, lworkl, info, ido;
    a_int iparam[11], ipntr[14];
    struct stj_svd_end end; /* ended from here */
    double tol;
    double unit; /* A'A is multiplied by its square, so that it has a place in doubles */
    double *resid, *v, *workd, *workl, *d;
    a_int *select;
};

/* The next of its steps. */
static void arpack_aupd(struct arpack *w)
{
#ifdef STJ_WITH_MPI
    if (w->rows.divided) {
        pdsaupd_c(stj_ranks_fortran(), &w->ido, "I", w->n, "LA", w->nev, w->tol, w->resid, w->ncv,
                  w->v, w->ldv, w->iparam, w->ipntr, w->workd, w->workl, w->lworkl, &w->info);
        return;
    }
#endif
    dsaupd_c(&w->ido, "I", w->n, "LA", w->nev, w->tol, w->resid, w->ncv, w->v, w->ldv, w->iparam,
             w->ipntr, w->workd, w->workl, w->lworkl, &w->info);
}

/* The first columns of v <- the vectors that have converged, iparam[4] of them. */
static void arpack_eupd(struct arpack *w)
{
#ifdef STJ_WITH_MPI
    if (w->rows.divided) {
        pdseupd_c(stj_ranks_fortran(), 1, "A", w->select, w->d, w->v, w->ldv, 0.0, "I", w->n, "LA",
                  w->nev, w->tol, w->resid, w->ncv, w->v, w->ldv, w->iparam, w->ipntr, w->workd,
                  w->workl, w->lworkl, &w->info);
        return;
    }
#endif
    dseupd_c(1, "A", w->select, w->d, w->v, w->ldv, 0.0, "I", w->n, "LA", w->nev, w->tol, w->resid,
             w->ncv, w->v, w->ldv, w->iparam, w->ipntr, w->workd, w->workl, w->lworkl, &w->info);
}

static void arpack_free(struct arpack *w)
{
    free(w->resid);
    free(w->v);
    free(w->workd);
    free(w->workl);
    free(w->d);
    free(w->select);
}

static size_t arpack_ncv(const struct stj_svd_settings *settings, size_t n)
{
    const size_t least = settings->top + 2;
    size_t ncv = settings->ncv ? settings->ncv : (12 * settings->top + 4) / 5;
    if (!settings->ncv && ncv < settings->top + 20)
        ncv = settings->top + 20;
    ncv = ncv < least ? least : ncv;
    return ncv < n ? ncv : n;
}

static enum stj_status arpack_init(struct arpack *w, const struct stj_svd_budget *budget,
                                   size_t n_cols, struct stj_error *err)
{
    const struct stj_svd_settings *settings = budget->settings;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    const size_t ncv = arpack_ncv(settings, n_cols);
    size_t room = 0;
    w->rows = stj_rows_of(n_cols);
    const size_t n = w->rows.count;
    STJ_MUST(stj_blas_fits(n_cols, "the number of columns of the operator", err));
    STJ_MUST(
        stj_blas_fits(ncv * (ncv + 8), "the size of ARPACK's work space, ncv (ncv + 8),", err));
    STJ_MUST(stj_size_mul(n, ncv, &room, err));
    STJ_MUST(stj_new(&w->v, room, sizeof *w->v, err));
    STJ_MUST(stj_new(&w->resid, n, sizeof *w->resid, err));
    STJ_MUST(stj_new(&w->workd, 3 * n, sizeof *w->workd, err));
    STJ_MUST(stj_new(&w->workl, ncv * (ncv + 8), sizeof *w->workl, err));
    STJ_MUST(stj_new(&w->d, settings->top, sizeof *w->d, err));
    STJ_MUST(stj_new(&w->select, ncv, sizeof *w->select, err));
    /* The arguments of every call. */
    w->n = w->ldv = (a_int)n;
    w->nev = (a_int)settings->top;
    w->ncv = (a_int)ncv;
    w->lworkl = (a_int)(ncv * (ncv + 8));
    w->tol = settings->tol;
    w->unit = 1;
    w->info = 1;      /* the start vector is ours */
    w->iparam[0] = 1; /* exact shifts */
    w->iparam[2] = MAX_RESTARTS;
    w->iparam[3] = 1;
    w->iparam[6] = 1; /* mode: A x = lambda x */
    /* Step 1, the vector. */
    STJ_MUST(stj_rng_create(settings->seed, STJ_STREAM_START, 0, &rng, err));
    stj_rows_fill_normal(&w->rows, rng, 1, w->resid);
    return STJ_OK;
}

/* Every `info` of dsaupd as a sentence with its remedy. */
static enum stj_status arpack_check_info(a_int info, const char *routine, struct stj_error *err)
{
    const char *text = "an argument was refused";
    switch (info) {
    case 0:
        return STJ_OK;
    case 1:
        text = "the limit of restarts was reached; raise tol or ncv";
        break;
    case 3:
        text = "no shifts could be applied during a restart; raise ncv relative to top";
        break;
    case -8:
        text = "LAPACK failed on the tridiagonal matrix; use another seed";
        break;
    case -9999:
        text = "no Lanczos factorisation could be built; lower ncv or use another seed";
        break;
    case -14:
        text = "no eigenvalue was found to sufficient accuracy; raise ncv";
        break;
    default:
        break;
    }
    return stj_error_set(err, STJ_ENUMERIC, __FILE__, __LINE__, "ARPACK's %s: %s (info = %d)",
                         routine, text, (int)info);
}

/* *done <- the steps of the factorisation that are complete when ARPACK asks for a product: it
 * lends a copy of the newest vector, whose column in V says how many came before. */
static enum stj_status arpack_steps_done(const struct arpack *w, size_t *done,
                                         struct stj_error *err)
{
    const size_t n = (size_t)w->n;
    const size_t ncv = (size_t)w->ncv;
    STJ_FREED double *differs = NULL; /* on how many ranks */
    STJ_MUST(stj_new(&differs, ncv, sizeof *differs, err));
    /* Where is the column that the copy equals, on all ranks? */
    for (size_t j = 0; j < ncv; j++)
        differs[j] = memcmp(w->v + j * n, w->workd + w->ipntr[0] - 1, n * sizeof *w->v) != 0;
    stj_rows_allreduce_sum(&w->rows, ncv, differs);
    for (*done = 0; *done < ncv && differs[*done] > 0;)
        ++*done;
    if (*done == ncv)
        *done = 0;
    return STJ_OK;
}

/* The factorisation at hand, A'A V = V T + beta v e': T in two columns of workl, its subdiagonal
 * (from the second row on) and its diagonal.  The beta of the last step is not there before the
 * next one is made, so who needs it takes one step less. */
struct ritz {
    size_t j;
    /* Eigenvalues of T, descending, and vectors [j][j]; T has no negative one that counts. */
    double *lambda, *y;
    double beta;
    double *work; /* owns them */
};

static enum stj_status ritz_make(const struct arpack *w, bool with_beta, struct ritz *r,
                                 struct stj_error *err)
{
    const double *t = w->workl + w->ipntr[4] - 1;
    size_t done = 0;
    *r = (struct ritz){.j = 0};
    STJ_MUST(arpack_steps_done(w, &done, err));
    const size_t j = with_beta && done > 0 ? done - 1 : done;
    r->j = j;
    if (j == 0)
        return STJ_OK;
    STJ_MUST(stj_new(&r->work, 3 * j * j + j, sizeof *r->work, err));
    /* T, symmetric and tridiagonal. */
    for (size_t i = 0; i < j; i++) {
        r->work[i * j + i] = t[(size_t)w->ncv + i];
        if (i > 0)
            r->work[i * j + i - 1] = r->work[(i - 1) * j + i] = t[i];
    }
    r->y = r->work + j * j;
    r->lambda = r->work + 3 * j * j;
    r->beta = with_beta ? fabs(t[j]) : INFINITY;
    /* Its eigenvalues: T has no negative one that counts, so they are its singular values. */
    return stj_gesdd(j, j, r->work, j, r->lambda, r->y, r->work + 2 * j * j, err);
}

/* unit |A'u - sigma v| of Ritz pair i is beta |last component| / sigma. */
static double ritz_residual(const struct ritz *r, size_t i)
{
    return r->beta * fabs(r->y[i * r->j + r->j - 1]) / sqrt(r->lambda[i]);
}

/* Between two products: show how far the values are, and end the solve when all that were wanted
 * are there. */
static enum stj_status arpack_look(struct arpack *w, const struct stj_svd_budget *budget,
                                   bool shows, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct ritz r = {0};
    double *sigma = NULL;
    STJ_TRY(ritz_make(w, true, &r, err));
    if (r.j == 0)
        goto out;
    STJ_TRY(stj_new(&sigma, 2 * r.j, sizeof *sigma, err));
    for (size_t i = 0; i < r.j; i++) {
        sigma[i] = sqrt(r.lambda[i]) / w->unit;
        sigma[r.j + i] = ritz_residual(&r, i) / w->unit;
    }
    const struct stj_svd_ritz seen = {
        .j = r.j, .sigma = sigma, .residual = sigma + r.j, .spare = 10};
    STJ_TRY(stj_svd_ritz_look(budget, &seen, shows, &w->end, err));
out:
    free(r.work);
    free(sigma);
    return st;
}

/* basis->v <- whole vectors; the Lanczos vectors are given back before. */
static enum stj_status arpack_take_whole(struct arpack *w, struct stj_svd_basis *basis,
                                         struct stj_error *err)
{
    free(w->v);
    w->v = NULL;
    return stj_rows_complete(&w->rows, basis->k, &basis->v, err);
}

/* Are the vectors of the first k still those that were tested, one step before? */
static bool ritz_same(const struct ritz *tested, const struct ritz *r, size_t k)
{
    static const double turned = 1e-10;
    for (size_t i = 0; i < k && i < tested->j; i++)
        if (fabs(stj_dot(tested->j, tested->y + i * tested->j, r->y + i * r->j)) < 1 - turned)
            return false;
    return true;
}

/* r <- the factorisation to take k pairs from: with one step more than was tested, which is better,
 * unless a value has come near theirs, and turned their vectors. */
static enum stj_status arpack_last_ritz(const struct arpack *w, size_t k, struct ritz *r,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct ritz tested = {0};
    STJ_TRY(ritz_make(w, false, r, err));
    if (!w->end.ended)
        goto out;
    STJ_TRY(ritz_make(w, true, &tested, err));
    if (!ritz_same(&tested, r, k)) {
        free(r->work);
        *r = tested;
        tested.work = NULL;
    }
out:
    free(tested.work);
    return st;
}

/* basis->v <- the Ritz vectors of the k largest values of a factorisation that was ended. */
static enum stj_status arpack_extract_ritz(struct arpack *w, size_t k, struct stj_svd_basis *basis,
                                           struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = (size_t)w->n;
    struct ritz r = {0};
    STJ_TRY(arpack_last_ritz(w, w->end.sound, &r, err));
    k = k < r.j ? k : r.j;
    if (k == 0)
        goto out;
    STJ_TRY(stj_new(&basis->v, n * k, sizeof *basis->v, err));
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, k, r.j, 1, w->v, n, r.y, r.j, 0, basis->v,
              n);
    basis->k = k;
    STJ_TRY(stj_new(&basis->ritz, k, sizeof *basis->ritz, err));
    for (size_t i = 0; i < k; i++)
        basis->ritz[i] = sqrt(r.lambda[i]) / w->unit;
    STJ_TRY(arpack_take_whole(w, basis, err));
out:
    free(r.work);
    return st;
}

/* What is to be done next.  dsaupd multiplies the start vector before all else, pdsaupd does not:
 * to go the way that one rank goes, it is given a start vector that was multiplied. */
static void arpack_next(struct arpack *w, bool first)
{
    const size_t n = (size_t)w->n;
    if (!w->rows.divided || !first) {
        arpack_aupd(w);
        return;
    }
    memcpy(w->workd, w->resid, n * sizeof *w->workd);
    w->ipntr[0] = 1;
    w->ipntr[1] = w->n + 1;
    w->ido = MULTIPLY_START;
}

/* After its product; false: the operator maps it to zero. */
static bool arpack_started(struct arpack *w)
{
    const size_t n = (size_t)w->n;
    memcpy(w->resid, w->workd + n, n * sizeof *w->resid);
    w->ido = 0;
    return stj_rows_nrm2(&w->rows, w->resid) > 0;
}

/* The reverse communication loop: a product for ido -1 and 1, the end for 99, nothing after it. */
static enum stj_status arpack_iterate(struct arpack *w, struct stj_op *normal,
                                      const struct stj_svd_budget *budget,
                                      struct stj_svd_basis *basis, struct stj_error *err)
{
    const double budget_size = budget->settings->max_applications;
    double next_look = (double)w->nev + 2;
    double next_show = SHOW_EVERY;
    /* Applications of the finishing pass, or half of a budget too small for all pairs. */
    const double finish = budget_size > 0 ? fmin(2 * (double)w->nev, budget_size / 2) : 0;
    /* Steps 1 and 2, by what ARPACK asks for. */
    for (;;) {
        arpack_next(w, basis->products == 0);
        if (w->ido == 99)
            break;
        STJ_NEED(err, w->ido == -1 || w->ido == 1 || w->ido == MULTIPLY_START, STJ_ENUMERIC,
                 "ARPACK's dsaupd asked for operation %d, which mode 1 does not have", (int)w->ido);
        /* A spent budget takes the pairs that it can still finish. */
        if (stj_svd_spent(budget, 2 + finish, &basis->stop)) {
            w->end.pairs = (size_t)w->nev;
            if (budget_size > 0 && budget_size - stj_svd_used(budget) < 2 * (double)w->nev)
                w->end.pairs = (size_t)(budget_size - stj_svd_used(budget)) / 2;
            return STJ_OK;
        }
        basis->abandoned = budget->abandon > 0 && stj_svd_used(budget) >= budget->abandon;
        if (basis->abandoned)
            return STJ_OK;
        /* Step 3: more seldom as the basis grows. */
        if (basis->products >= fmin(next_look, next_show)) {
            const bool shows = basis->products >= next_show;
            next_look = 1.03 * basis->products + 1;
            next_show = shows ? 1.05 * basis->products + SHOW_EVERY : next_show;
            STJ_MUST(arpack_look(w, budget, shows, err));
            if (w->end.ended)
                return STJ_OK;
        }
        STJ_MUST(stj_rows_apply(normal, STJ_NO_TRANS, 1, w->workd + w->ipntr[0] - 1,
                                w->workd + w->ipntr[1] - 1, err));
        w->unit = stj_op_normal_unit(normal);
        basis->products++;
        if (w->ido == MULTIPLY_START && !arpack_started(w)) {
            w->info = ZERO_OPERATOR;
            break;
        }
    }
    if (w->info == ZERO_OPERATOR) {
        basis->stop = STJ_STOP_INVARIANT_SUBSPACE;
        return STJ_OK;
    }
    basis->stop = STJ_STOP_CONVERGED;
    return arpack_check_info(w->info, "dsaupd", err);
}

/* basis->v <- the converged vectors (any order: they are finished afterwards). */
static enum stj_status arpack_extract(struct arpack *w, struct stj_svd_basis *basis,
                                      struct stj_error *err)
{
    const size_t n = (size_t)w->n;
    arpack_eupd(w);
    STJ_MUST(arpack_check_info(w->info, "dseupd", err));
    basis->k = w->end.sound = (size_t)w->iparam[4];
    STJ_MUST(stj_new(&basis->v, n * basis->k, sizeof *basis->v, err));
    memcpy(basis->v, w->v, n * basis->k * sizeof *basis->v);
    STJ_MUST(stj_new(&basis->ritz, basis->k, sizeof *basis->ritz, err));
    for (size_t i = 0; i < basis->k; i++)
        basis->ritz[i] = sqrt(fmax(w->d[i], 0)) / w->unit;
    return arpack_take_whole(w, basis, err);
}

/* Of a zero operator every basis is one of singular vectors: take a random one. */
static enum stj_status arpack_any_basis(const struct stj_svd_settings *settings, size_t n,
                                        struct stj_svd_basis *basis, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(stj_new(&basis->v, n * settings->top, sizeof *basis->v, err));
    STJ_MUST(stj_rng_create(settings->seed, STJ_STREAM_START, 1, &rng, err));
    stj_rng_fill_normal(rng, n * settings->top, basis->v);
    basis->k = settings->top;
    return STJ_OK;
}

static enum stj_status arpack_top(struct stj_op *a, const struct stj_svd_budget *budget,
                                  struct stj_svd_basis *basis, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct arpack w = {0};
    struct stj_op *normal = NULL;
    const bool busy = atomic_flag_test_and_set(&arpack_busy);
    STJ_CHECK(err, !busy, STJ_EINVAL,
              "another solve with ARPACK is running in this process; ARPACK allows one at a time");
    /* Steps 1 to 3. */
    STJ_TRY(arpack_init(&w, budget, stj_op_n_cols(a), err));
    basis->ncv = (size_t)w.ncv;
    STJ_TRY(stj_op_create_scaled_normal(a, &normal, err));
    STJ_TRY(arpack_iterate(&w, normal, budget, basis, err));
    if (basis->abandoned)
        goto out;
    /* Step 4: ended from here, by ARPACK, at a zero operator, or by a budget. */
    if (w.end.ended)
        STJ_TRY(arpack_extract_ritz(&w, w.end.pairs, basis, err));
    else if (basis->stop == STJ_STOP_CONVERGED)
        STJ_TRY(arpack_extract(&w, basis, err));
    else if (basis->stop == STJ_STOP_INVARIANT_SUBSPACE)
        STJ_TRY(arpack_any_basis(budget->settings, stj_op_n_cols(a), basis, err));
    else if (basis->stop != STJ_STOP_INTERRUPTED)
        STJ_TRY(arpack_extract_ritz(&w, w.end.pairs, basis, err));
    basis->sound = w.end.sound < basis->k ? w.end.sound : basis->k;
out:
    if (!busy)
        atomic_flag_clear(&arpack_busy);
    stj_op_destroy(normal);
    arpack_free(&w);
    return st;
}

/* With P ranks n (ncv + k + 4) / P numbers, and the whole vectors of a product. */
static enum stj_status arpack_predict(const struct stj_svd_settings *s, size_t m, size_t n,
                                      bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    const size_t ncv = arpack_ncv(s, n);
    const size_t n_ranks = stj_predict_ranks(p);
    const bool divided = stj_predict_divides(p, n);
    const double rows = (double)stj_predict_rows(p, n) * sizeof(double);
    const double whole = (divided ? 3 : 1) * (double)n * sizeof(double);
    const double iterations = stj_svd_likely_products(s, n, 1);
    (void)m;
    (void)bottom;
    STJ_NEED(err, s->top < n && ncv > s->top && (s->method || ncv < n), STJ_EINVAL,
             "arpack needs top < ncv <= %zu columns, top is %zu: use method dense", n, s->top);
    STJ_NEED(err, !divided || n >= n_ranks, STJ_EINVAL,
             "arpack needs a column for each of the %zu ranks, the operator has %zu: use method "
             "dense or fewer ranks",
             n_ranks, n);
    stj_predict_products(p, iterations, iterations, 1);
    stj_predict_phase(p, (double)(ncv + s->top + 4) * rows + whole, 1);
    p->vector_bytes += iterations * (double)ncv * rows;
    stj_predict_method(p, "arpack, ncv %zu", ncv);
    return STJ_OK;
}

const struct stj_svd_method stj_svd_arpack = {
    .info = {.name = "arpack", .doc = "implicitly restarted Lanczos on A'A (ARPACK-ng)"},
    .top = arpack_top,
    .predict = arpack_predict,
};
