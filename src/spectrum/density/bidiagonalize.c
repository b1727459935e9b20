/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/bidiagonalize.c: Golub-Kahan bidiagonalisation, a block of probes at a time.
 *
 *     1. v_1 = g / |g|                                    g Gaussian, orthogonal to the known v
 *     2. alpha_j u_j     = A v_j  - beta_{j-1} u_{j-1}    then orthogonal to all earlier u
 *     3. beta_j  v_{j+1} = A'u_j - alpha_j v_j            then orthogonal to all earlier v
 *
 * so that A V_k = U_k B_k with B_k upper bidiagonal (Golub and Kahan 1965).  B_k'B_k is the matrix
 * of Lanczos on A'A, but is never formed: small singular values survive next to large ones.  Each
 * probe has its own B; they share nothing but the block products.
 *
 * Orthogonalisation is classical Gram-Schmidt, twice (Giraud, Langou, Rozloznik 2005), in BLAS-2,
 * one probe to a thread: same bits for any number of threads.  Every rank has its rows of the
 * bases; the coefficients of all probes are summed over the ranks together.
 *
 * An alpha or beta at or below
 *     tau = 8 max(rounding of a product, eps sqrt(n)) max_i |(alpha_i, beta_i)|
 * is rounding: it is set to zero, which moves no singular value by more than tau (Weyl), and what
 * has been explored is an invariant subspace.  So is a basis of as many vectors as there are
 * dimensions.
 *
 * Cost: 2 products a step and probe; memory 2 vectors a step and probe (one-sided: 1, none: 0),
 * divided by rows among the ranks, and 2 whole vectors a probe.
 */
#include "spectrum/density/bidiagonalize.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/ranks.h"
#include "base/rng.h"
#include "io/scratch.h"
#include "op/operator.h"
#include "spectrum/rows.h"

STJ_HOLDS(struct stj_bidiagonal, stj_bidiagonal_destroy)

/* One probe on its way. */
struct probe {
    struct stj_density_probe q;
    size_t room;   /* steps that alpha and beta have room for */
    double *u, *v; /* bases, this rank's rows: u_1..u_k and v_1..v_{k+1}, or of each only the
                        last vector where they are not kept */
    struct stj_scratch u_room, v_room;
    double scale; /* largest |(alpha_i, beta_i)| so far */
};

struct stj_bidiagonal {
    struct stj_op *a;
    struct stj_deflation deflation;
    struct stj_rows rows, cols; /* of u, of v */
    size_t n_left;              /* dimensions outside the deflated ones */
    bool keep_u, keep_v;
    double threshold;    /* tau / scale */
    const char *scratch; /* folder of the bases; NULL: in memory */
    size_t n_probes;
    struct probe *probe;
    size_t *active; /* [n_probes] probes that have not ended */
    double *x,
        *y;    /* blocks of n_probes whole vectors; right of a product, this rank's rows count */
    double *c; /* [n_probes][..] coefficients */
    double *length; /* [n_probes] */
};

double stj_bidiagonal_bytes(size_t n_rows, size_t n_cols, size_t steps,
                            enum stj_reorthogonalize how)
{
    const double rows = (double)n_rows * (how == STJ_REORTHOGONALIZE_FULL ? (double)steps : 1);
    const double cols = (double)n_cols * (how == STJ_REORTHOGONALIZE_NONE ? 1 : (double)steps + 1);
    return (rows + cols) * (double)sizeof(double);
}

/* Vector number i of a block of whole ones, from this rank's first row on. */
static double *own_rows(const struct stj_rows *rows, double *block, size_t i)
{
    return block + i * rows->n + rows->first;
}

enum basis { KNOWN, LEFT, RIGHT };

static const double *basis_of(const struct stj_bidiagonal *b, enum basis which, size_t i)
{
    const struct probe *p = b->probe + b->active[i];
    return which == KNOWN ? b->deflation.v : which == LEFT ? p->u : p->v;
}

/* x -= Q (Q'x) for the k columns of Q and the vectors x of the active probes. */
static void probes_project_out(const struct stj_bidiagonal *b, size_t n_active, enum basis which,
                               size_t k, double *x)
{
    const struct stj_rows *rows = which == LEFT ? &b->rows : &b->cols;
    const size_t n = rows->count;
    const size_t ld = stj_rows_ld(rows);
    if (k == 0)
        return;
    memset(b->c, 0, n_active * k * sizeof *b->c); /* gemv leaves them where there are no rows */
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)stj_threads())
    for (size_t i = 0; i < n_active; i++)
        stj_gemv(STJ_BLAS_TRANS, n, k, 1, basis_of(b, which, i), ld, own_rows(rows, x, i), 0,
                 b->c + i * k);
    stj_rows_allreduce_sum(rows, n_active * k, b->c);
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)stj_threads())
    for (size_t i = 0; i < n_active; i++)
        stj_gemv(STJ_BLAS_NO_TRANS, n, k, -1, basis_of(b, which, i), ld, b->c + i * k, 1,
                 own_rows(rows, x, i));
}

/* The vectors x of the active probes, orthogonal to k vectors of their left or right bases and, on
 * the right, to the known ones; length <- theirs. */
static void probes_orthogonalize(const struct stj_bidiagonal *b, size_t n_active, enum basis which,
                                 size_t k, double *x)
{
    const struct stj_rows *rows = which == LEFT ? &b->rows : &b->cols;
    for (int pass = 0; pass < 2; pass++) {
        if (which == RIGHT)
            probes_project_out(b, n_active, KNOWN, b->deflation.k, x);
        probes_project_out(b, n_active, which, k, x);
    }
    stj_rows_norms(rows, n_active, x + rows->first, rows->n, b->length);
}

static void probe_free(struct probe *p)
{
    free(p->q.alpha);
    free(p->q.beta);
    stj_scratch_free(&p->u_room);
    stj_scratch_free(&p->v_room);
}

/* Room for `steps` steps, keeping what is there. */
static enum stj_status probe_grow(const struct stj_bidiagonal *b, struct probe *p, size_t steps,
                                  struct stj_error *err)
{
    const size_t old = p->room;
    const size_t n_u = b->keep_u ? steps : 1;
    const size_t n_v = b->keep_v ? steps + 1 : 1;
    size_t bytes = 0;
    if (old > 0 && steps <= old)
        return STJ_OK;
    STJ_MUST(stj_size_mul(b->rows.count, n_u * sizeof(double), &bytes, err));
    STJ_MUST(stj_scratch_grow(&p->u_room, b->scratch, bytes, err));
    STJ_MUST(stj_size_mul(b->cols.count, n_v * sizeof(double), &bytes, err));
    STJ_MUST(stj_scratch_grow(&p->v_room, b->scratch, bytes, err));
    p->u = p->u_room.at;
    p->v = p->v_room.at;
    STJ_MUST(stj_resize(&p->q.alpha, old, steps, sizeof(double), err));
    STJ_MUST(stj_resize(&p->q.beta, old, steps, sizeof(double), err));
    p->room = steps;
    return STJ_OK;
}

static void keep_vector(size_t n, const double *x, double *basis)
{
    if (n > 0)
        memcpy(basis, x, n * sizeof *x);
}

/* Room for `steps` steps of all probes that have not ended. */
static enum stj_status bidiagonal_grow(struct stj_bidiagonal *b, size_t steps,
                                       struct stj_error *err)
{
    const size_t most = steps + 1 > b->deflation.k ? steps + 1 : b->deflation.k;
    for (size_t i = 0; i < b->n_probes; i++)
        if (!b->probe[i].q.exact)
            STJ_MUST(probe_grow(b, b->probe + i, steps, err));
    return stj_resize(&b->c, 0, most * b->n_probes, sizeof *b->c, err);
}

/* The first vectors of the probes, of which the first is number `first` of the seed's stream. */
static enum stj_status bidiagonal_start(struct stj_bidiagonal *b, uint64_t seed, size_t first,
                                        struct stj_error *err)
{
    const size_t n = b->cols.count;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    for (size_t i = 0; i < b->n_probes; i++) {
        STJ_MUST(stj_rng_create(seed, STJ_STREAM_PROBES, first + i, &rng, err));
        stj_rows_fill_normal(&b->cols, rng, 1, own_rows(&b->cols, b->x, i));
        stj_rng_destroy(rng);
        rng = NULL;
        b->active[i] = i;
    }
    /* Step 1: orthogonal to the known v, and of length 1. */
    probes_orthogonalize(b, b->n_probes, RIGHT, 0, b->x);
    for (size_t i = 0; i < b->n_probes; i++) {
        double *x = own_rows(&b->cols, b->x, i);
        b->probe[i].q.mass = b->length[i] * b->length[i];
        stj_scal(n, 1 / b->length[i], x);
        keep_vector(n, x, b->probe[i].v);
    }
    return STJ_OK;
}

double stj_bidiagonal_tau(double n, double rounding)
{
    return 8 * fmax(rounding, DBL_EPSILON * sqrt(n));
}

enum stj_status stj_bidiagonal_create(struct stj_op *a, const struct stj_deflation *deflation,
                                      size_t first, size_t n_probes, uint64_t seed, size_t steps,
                                      enum stj_reorthogonalize how, const char *scratch,
                                      struct stj_bidiagonal **block, struct stj_error *err)
{
    STJ_HELD(stj_bidiagonal_destroy_at) struct stj_bidiagonal *b = NULL;
    size_t room = 0;
    STJ_MUST(stj_new(&b, 1, sizeof *b, err));
    const size_t m = stj_op_n_rows(a);
    const size_t n = stj_op_n_cols(a);
    const size_t most = m > n ? m : n;
    *b = (struct stj_bidiagonal){
        .a = a, .deflation = *deflation, .rows = stj_rows_of(m), .cols = stj_rows_of(n)};
    b->n_left = n - deflation->k;
    b->scratch = scratch;
    b->keep_u = how == STJ_REORTHOGONALIZE_FULL;
    b->keep_v = how != STJ_REORTHOGONALIZE_NONE;
    b->threshold = stj_bidiagonal_tau((double)most, stj_op_rounding(a));
    STJ_MUST(stj_blas_fits(most, "the number of rows or columns of the operator", err));
    STJ_MUST(stj_size_mul(most, n_probes, &room, err));
    STJ_MUST(stj_new(&b->x, room, sizeof *b->x, err));
    STJ_MUST(stj_new(&b->y, room, sizeof *b->y, err));
    STJ_MUST(stj_new(&b->active, n_probes, sizeof *b->active, err));
    STJ_MUST(stj_new(&b->probe, n_probes, sizeof *b->probe, err));
    STJ_MUST(stj_new(&b->length, n_probes, sizeof *b->length, err));
    b->n_probes = n_probes;
    STJ_MUST(bidiagonal_grow(b, steps, err));
    STJ_MUST(bidiagonal_start(b, seed, first, err));
    *block = b;
    b = NULL;
    return STJ_OK;
}

void stj_bidiagonal_destroy(struct stj_bidiagonal *block)
{
    if (!block)
        return;
    for (size_t i = 0; i < block->n_probes; i++)
        probe_free(block->probe + i);
    free(block->probe);
    free(block->active);
    free(block->x);
    free(block->y);
    free(block->c);
    free(block->length);
    free(block);
}

void stj_bidiagonal_freeze(struct stj_bidiagonal *block)
{
    for (size_t i = 0; i < block->n_probes; i++) {
        struct probe *p = block->probe + i;
        stj_scratch_free(&p->u_room);
        stj_scratch_free(&p->v_room);
        p->u = p->v = NULL;
    }
    free(block->x);
    free(block->y);
    block->x = block->y = NULL;
}

bool stj_bidiagonal_frozen(const struct stj_bidiagonal *block)
{
    return !block->x;
}

size_t stj_bidiagonal_probes(const struct stj_bidiagonal *block)
{
    return block->n_probes;
}

const struct stj_density_probe *stj_bidiagonal_probe(const struct stj_bidiagonal *block, size_t i)
{
    return &block->probe[i].q;
}

/* Where vector number j of a basis lies. */
static double *basis_vector(double *basis, bool kept, size_t n, size_t j)
{
    return basis + (kept ? j * n : 0);
}

/* x, of this length, <- normalised, its length returned; 0, and x zero, when it is rounding next to
 * tau. */
static double normalise_or_zero(size_t n, double *x, double length, double tau)
{
    if (length <= tau) {
        if (n > 0)
            memset(x, 0, n * sizeof *x);
        return 0;
    }
    stj_scal(n, 1 / length, x);
    return length;
}

/* Step j of the active probes, left half: y = A v_j become u_j. */
static void take_left(const struct stj_bidiagonal *b, size_t n_active)
{
    const size_t j = b->probe[b->active[0]].q.k;
    const size_t n = b->rows.count;
    /* y = A v_j - beta_{j-1} u_{j-1} */
    for (size_t i = 0; i < n_active && j > 0; i++) {
        const struct probe *p = b->probe + b->active[i];
        stj_axpy(n, -p->q.beta[j - 1], basis_vector(p->u, b->keep_u, n, j - 1),
                 own_rows(&b->rows, b->y, i));
    }
    /* y orthogonal to u_1 .. u_{j-1}; alpha_j its length */
    probes_orthogonalize(b, n_active, LEFT, b->keep_u ? j : 0, b->y);
    for (size_t i = 0; i < n_active; i++) {
        struct probe *p = b->probe + b->active[i];
        double *y = own_rows(&b->rows, b->y, i);
        p->q.alpha[j] = normalise_or_zero(n, y, b->length[i], b->threshold * p->scale);
        keep_vector(n, y, basis_vector(p->u, b->keep_u, n, j));
    }
}

/* Right half: x = A'u_j become v_{j+1}, and the step is complete. */
static void take_right(const struct stj_bidiagonal *b, size_t n_active)
{
    const size_t j = b->probe[b->active[0]].q.k;
    const size_t n = b->cols.count;
    /* x = A'u_j - alpha_j v_j */
    for (size_t i = 0; i < n_active; i++) {
        const struct probe *p = b->probe + b->active[i];
        stj_axpy(n, -p->q.alpha[j], basis_vector(p->v, b->keep_v, n, j),
                 own_rows(&b->cols, b->x, i));
    }
    /* x orthogonal to the known v and v_1 .. v_j; beta_j its length */
    probes_orthogonalize(b, n_active, RIGHT, b->keep_v ? j + 1 : 0, b->x);
    for (size_t i = 0; i < n_active; i++) {
        struct probe *p = b->probe + b->active[i];
        double *x = own_rows(&b->cols, b->x, i);
        const double alpha = p->q.alpha[j];
        const double tau = b->threshold * fmax(p->scale, alpha);
        const bool full = b->keep_v && j + 1 >= b->n_left;
        const double beta = alpha == 0 || full ? 0 : normalise_or_zero(n, x, b->length[i], tau);
        p->q.beta[j] = beta;
        p->q.k = j + 1;
        p->q.exact = beta == 0;
        p->scale = fmax(p->scale, hypot(alpha, beta));
        if (!p->q.exact)
            keep_vector(n, x, basis_vector(p->v, b->keep_v, n, j + 1));
    }
}

/* One step of the n_active probes, which are all as far. */
static enum stj_status bidiagonal_step(struct stj_bidiagonal *b, size_t n_active,
                                       struct stj_error *err)
{
    const size_t m = b->rows.n;
    const size_t n = b->cols.n;
    for (size_t i = 0; i < n_active; i++) {
        const struct probe *p = b->probe + b->active[i];
        keep_vector(b->cols.count, basis_vector(p->v, b->keep_v, b->cols.count, p->q.k),
                    own_rows(&b->cols, b->x, i));
    }
    /* Step 2, all probes in one block product. */
    stj_rows_allgatherv(&b->cols, n_active, b->x, n);
    STJ_MUST(stj_op_apply(b->a, STJ_NO_TRANS, n_active, b->x, n, b->y, m, err));
    take_left(b, n_active);
    /* Step 3, likewise. */
    stj_rows_allgatherv(&b->rows, n_active, b->y, m);
    STJ_MUST(stj_op_apply(b->a, STJ_TRANS, n_active, b->y, m, b->x, n, err));
    take_right(b, n_active);
    return STJ_OK;
}

/* active <- the probes that have not ended and have fewer than `steps` steps. */
static size_t find_active(struct stj_bidiagonal *b, size_t steps)
{
    size_t n_active = 0;
    for (size_t i = 0; i < b->n_probes; i++)
        if (!b->probe[i].q.exact && b->probe[i].q.k < steps)
            b->active[n_active++] = i;
    return n_active;
}

enum stj_status stj_bidiagonal_advance(struct stj_bidiagonal *block, size_t steps,
                                       stj_bidiagonal_stop_fn stop, void *ctx, bool *stopped,
                                       struct stj_error *err)
{
    *stopped = false;
    STJ_NEED(err, !stj_bidiagonal_frozen(block), STJ_EINTERNAL,
             "a block of probes without its bases was asked for more steps");
    STJ_MUST(bidiagonal_grow(block, steps, err));
    for (;;) {
        const size_t n_active = find_active(block, steps);
        if (n_active == 0)
            break;
        *stopped = stop(ctx, 2 * (double)n_active * stj_op_cost(block->a));
        if (*stopped)
            break;
        STJ_MUST(bidiagonal_step(block, n_active, err));
    }
    return STJ_OK;
}
