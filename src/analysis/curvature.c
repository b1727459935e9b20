/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/curvature.c: eigenvalues of the Hessian of a loss along the training.
 *
 *     H = d^2 L / d theta^2   at theta_t,   or   G' H_loss G,   G = d outputs / d theta
 *
 * With a norm c >= |H|, whose estimate is enlarged, c I + H and c I - H are positive, and their
 * largest singular values are c + the largest and c - the smallest eigenvalues of H: they are found
 * by the solver of singular values, with all its looks for repeated and missing ones, counted by its
 * density, and taken from there to v'Hv and |Hv - (v'Hv) v|.  A negative u . v says that c was too
 * small: it is doubled.
 *
 * Beside them stands where gradient descent leaves a quadratic with eigenvalue lambda: lambda = 2 /
 * eta, and with momentum (2 + 2 mu) / eta, over 1 - dampening, or in Nesterov's form over 1 + 2 mu.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/common_options.h"
#include "analysis/print.h"
#include "analysis/store.h"
#include "base/blas.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "op/curvature.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/density/quadrature.h"
#include "spectrum/svd/svd_method.h"
#include "train/optimizers.h"

enum { DEFAULT_TOP = 10, DEFAULT_BOTTOM = 5, DEFAULT_STEPS = 4, BINS = 60, MOST_TRIES = 4 };

static const char *const matrices[] = {"hessian", "gauss_newton", NULL};
static const char *const spread[] = {"spread", NULL};
enum loss { BATCH, TRAIN, TEST };
static const char *const losses[] = {"batch", "train", "test", NULL};
static const double enlarged = 1.05, norm_tol = 1e-3, bulk_epsilon = 0.1;

struct curvature_config {
    struct stj_sizes at;
    int matrix, loss;
    bool penalty, density, has_top, has_bottom, has_density;
    size_t top, bottom, probes, steps;
    uint64_t seed;
};

#define OPTION(...) STJ_OPTION_ROW(struct curvature_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("at", SIZES, at, "spread",
           "steps t, ascending: at theta_t, before step t; spread: the first, the last and three "
           "between",
           .choices = spread, .value = "T"),
    OPTION("loss", CHOICE, loss, "train",
           "batch: of step t, as training has it; train, test: the mean over that data",
           .letter = 'l', .choices = losses, .value = "LOSS"),
    OPTION("matrix", CHOICE, matrix, "hessian",
           "gauss_newton: without the second derivatives of the network", .choices = matrices,
           .value = "NAME"),
    OPTION("penalty", BOOL, penalty, "false",
           "with the L2 penalty, and the weight decay that sgd adds to the gradient"),
    OPTION("top", SIZE, top, "", "largest eigenvalues (default: 10, where nothing is asked for)",
           .letter = 'k', .role = STJ_ROLE_EXTENT,
           .present_offset = offsetof(struct curvature_config, has_top), .max = 1e6, .value = "K"),
    OPTION("bottom", SIZE, bottom, "",
           "smallest, that is most negative (default: 5, where nothing is asked for)",
           .letter = 'b', .role = STJ_ROLE_EXTENT,
           .present_offset = offsetof(struct curvature_config, has_bottom), .max = 1e6,
           .value = "K"),
    OPTION("density", BOOL, density, "false", "how many eigenvalues lie where",
           .role = STJ_ROLE_EXTENT,
           .present_offset = offsetof(struct curvature_config, has_density)),
    OPTION("probes", SIZE, probes, "8", "random vectors of a density", .min = 1, .max = 1e6,
           .value = "P"),
    OPTION("steps", SIZE, steps, "60", "of each, of two products", .min = 1, .max = 1e6,
           .value = "M"),
    STJ_SEED_OPTION(offsetof(struct curvature_config, seed), "random vectors"),
    {.name = NULL},
};
#undef OPTION

static void curvature_complete(void *config)
{
    struct curvature_config *c = config;
    if (!c->has_top && !c->has_bottom && !c->density) {
        c->top = DEFAULT_TOP;
        c->bottom = DEFAULT_BOTTOM;
    }
    c->has_top = c->top > 0;
    c->has_bottom = c->bottom > 0;
    c->has_density = c->density;
}

static enum stj_status check_config(const void *config, struct stj_error *err)
{
    const struct curvature_config *c = config;
    const bool empty = (c->has_top || c->has_bottom) && !c->top && !c->bottom && !c->density;
    STJ_NEED(err, !empty, STJ_EINVAL, "top is 0 and bottom is 0: ask for eigenvalues or --density");
    for (size_t i = 1; i < c->at.n; i++)
        STJ_NEED(err, c->at.item[i] > c->at.item[i - 1], STJ_EINVAL,
                 "at: step %zu comes after step %zu: give steps that ascend", c->at.item[i],
                 c->at.item[i - 1]);
    return STJ_OK;
}

/* ---- the result ---- */

struct curvature_data {
    int matrix, loss;
    bool penalty, has_density, has_overlap;
    size_t n_at, n_top, n_bottom, n_vectors, n_params, n_edges, n_bins, probes, steps;
    size_t chaotic, stable; /* known directions */
    size_t *at;
    double *top, *bottom, *residual_top, *residual_bottom, *vector;
    double *eta, *momentum, *gradient_edge, *edge;
    double *right_chaotic, *right_stable, *left_chaotic, *left_stable;
    double random_chaotic, random_stable, confidence;
    double *grid, *count, *low, *high, *negative, *negative_low, *negative_high;
    size_t unconverged; /* of the values asked for */
    uint64_t seed;
};

#define FIELD(...) STJ_FIELD_ROW(struct curvature_data, __VA_ARGS__)
#define DIM(...) STJ_FIELD_DIM(struct curvature_data, __VA_ARGS__)
#define AT .dim = {DIM("step", n_at)}
#define BY(...) .dim = {DIM("step", n_at), DIM(__VA_ARGS__)}
#define DENSITY .present = offsetof(struct curvature_data, has_density), .absent = STJ_ABSENT_OBJECT
#define OVERLAP .present = offsetof(struct curvature_data, has_overlap), .absent = STJ_ABSENT_OBJECT
static const struct stj_field schema[] = {
    FIELD("matrix", CHOICE, matrix, "whose eigenvalues these are", .choices = matrices),
    FIELD("loss", CHOICE, loss, "of which loss", .choices = losses),
    FIELD("penalty", FLAG, penalty, "with the L2 penalty and sgd's weight decay"),
    FIELD("seed", SEED, seed, "of the random vectors"),
    FIELD("n_at", COUNT, n_at, "points", .place = STJ_FIELD_IN_FILE),
    FIELD("n_top", COUNT, n_top, "largest at each", .place = STJ_FIELD_IN_FILE),
    FIELD("n_bottom", COUNT, n_bottom, "smallest at each", .place = STJ_FIELD_IN_FILE),
    FIELD("n_vectors", COUNT, n_vectors, "eigenvectors", .place = STJ_FIELD_IN_FILE),
    FIELD("vector_length", COUNT, n_params, "numbers of each", .place = STJ_FIELD_IN_FILE),
    FIELD("at", COUNT, at, "steps t: at theta_t, before step t", AT),
    FIELD("top", REAL, top, "the largest eigenvalues, descending", .headline = 1,
          BY("pair", n_top)),
    FIELD("bottom", REAL, bottom, "the smallest, ascending", BY("bottom_pair", n_bottom)),
    FIELD("residual_top", REAL, residual_top, "|Hv - lambda v|, recomputed", BY("pair", n_top)),
    FIELD("residual_bottom", REAL, residual_bottom, "the same of the smallest",
          BY("bottom_pair", n_bottom)),
    FIELD("vector", REAL, vector, "step after step, those of the largest, then of the smallest",
          .dim = {DIM("eigenvector", n_vectors), DIM("parameter", n_params)},
          .place = STJ_FIELD_IN_FILE, .lazy = true),
    FIELD("eta", REAL, eta, "learning rate of step t, where all tensors have the same", AT),
    FIELD("momentum", REAL, momentum, "of step t, of sgd", AT),
    FIELD("two_over_eta", REAL, gradient_edge, "gradient descent diverges above, 2 / eta", AT),
    FIELD("edge", REAL, edge, "sgd with its momentum does, (2 + 2 mu) / eta", AT),
    FIELD("overlap.chaotic", COUNT, chaotic, "stored singular directions above 1.1", OVERLAP),
    FIELD("overlap.stable", COUNT, stable, "and below 0.9", OVERLAP),
    FIELD("overlap.right_chaotic", REAL, right_chaotic,
          "mean squared cosine of the span of the largest and of their right vectors", AT, OVERLAP),
    FIELD("overlap.right_stable", REAL, right_stable, "of the stable right vectors", AT, OVERLAP),
    FIELD("overlap.left_chaotic", REAL, left_chaotic, "of the chaotic left vectors", AT, OVERLAP),
    FIELD("overlap.left_stable", REAL, left_stable, "of the stable left vectors", AT, OVERLAP),
    FIELD("overlap.random_chaotic", REAL, random_chaotic, "of random subspaces of those sizes",
          OVERLAP),
    FIELD("overlap.random_stable", REAL, random_stable, "the same", OVERLAP),
    FIELD("density.probes", COUNT, probes, "random vectors", DENSITY),
    FIELD("density.steps", COUNT, steps, "of each", DENSITY),
    FIELD("density.confidence", REAL, confidence, "of the intervals", DENSITY),
    FIELD("density.n_edges", COUNT, n_edges, "edges of bins", .place = STJ_FIELD_IN_FILE, DENSITY),
    FIELD("density.n_bins", COUNT, n_bins, "bins", .place = STJ_FIELD_IN_FILE, DENSITY),
    FIELD("density.edge", REAL, grid, "of the bins, ascending", BY("bin_edge", n_edges), DENSITY),
    FIELD("density.count", REAL, count, "eigenvalues in each bin", BY("bin", n_bins), DENSITY),
    FIELD("density.low", REAL, low, "from", BY("bin", n_bins), DENSITY),
    FIELD("density.high", REAL, high, "to", BY("bin", n_bins), DENSITY),
    FIELD("density.negative", REAL, negative, "eigenvalues at or below 0", AT, DENSITY),
    FIELD("density.negative_low", REAL, negative_low, "from", AT, DENSITY),
    FIELD("density.negative_high", REAL, negative_high, "to", AT, DENSITY),
    FIELD("unconverged", COUNT, unconverged,
          "eigenvalues whose residual is not small, or beside which some may be missing"),
    {.name = NULL},
};

/* ---- what is asked for ---- */

static bool is_spread(const struct curvature_config *c)
{
    return c->at.n == 0 || c->at.item[0] == STJ_SIZES_WORD(0);
}

static size_t count_steps(const struct curvature_config *c)
{
    return is_spread(c) ? DEFAULT_STEPS + 1 : c->at.n;
}

/* The time of a product in those of the run, by rows that go through the network. */
static double cost_of(const struct stj_run *run, int loss)
{
    const struct stj_dataset *data = loss == TEST ? run->test : run->train;
    double rows = 0;
    if (loss == BATCH || !data || !run->order)
        return 1 / (double)run->n_steps;
    for (size_t t = 0; t < run->n_steps; t++)
        rows += (double)stj_batch_order_count(run->order, t);
    return (double)data->n_rows / rows;
}

/* Products of stj_svd_solve with a symmetric matrix, and *bytes <- of its vectors, at least. */
static double predict_end(size_t k, size_t n, double *bytes)
{
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_prediction p = {0};
    s.top = k;
    if (k == 0)
        return 0;
    stj_svd_predict(&s, n, n, &p);
    *bytes = fmax(*bytes, stj_predict_peak(&p));
    return stj_predicted_applications(&p);
}

static void curvature_predict(const struct stj_run *run, const struct stj_plan_request *request,
                              const void *config, struct stj_prediction *p, size_t *engine)
{
    const struct curvature_config *c = config;
    const size_t n = request->n;
    double bytes = 0;
    double products = predict_end(1, n, &bytes) + predict_end(c->top, n, &bytes) +
                      predict_end(c->bottom, n, &bytes);
    (void)engine;
    if (c->density)
        products += 2 * (double)c->probes * (double)c->steps;
    products *= (double)count_steps(c);
    stj_predict_products(p, products * (run ? cost_of(run, c->loss) : 1), 0, 1);
    stj_predict_phase(p, bytes, 1);
    stj_predict_method(p, "%zu points, %.0f products with the matrix", count_steps(c), products);
    p->file_bytes = (double)((c->top + c->bottom) * count_steps(c)) * (double)n * sizeof(double);
}

/* Every solve begins with the same vector: products of one are those of another only where all
 * solves are the same ones. */
static void curvature_start(const void *stored, const void *wanted, struct stj_journal_start *start)
{
    const struct curvature_config *c = wanted;
    const struct curvature_data *d = stored;
    const size_t which[] = {
        (size_t)c->matrix,   (size_t)c->loss,  c->penalty, c->density, c->top,
        c->bottom,           c->probes,        c->steps,   c->seed,    d ? d->n_top : 0,
        d ? d->n_bottom : 0, d ? d->n_bins : 0};
    start->known = stj_crc32(0, which, sizeof which);
    start->known = stj_crc32(start->known, c->at.item, c->at.n * sizeof *c->at.item);
    start->known += start->known == 0;
}

static bool join(const void *stored, void *wanted)
{
    const struct curvature_config *s = stored;
    struct curvature_config *c = wanted;
    c->top = s->top > c->top ? s->top : c->top;
    c->bottom = s->bottom > c->bottom ? s->bottom : c->bottom;
    c->density = c->density || s->density;
    curvature_complete(c);
    return true;
}

static bool curvature_covers(const void *stored, const void *data, const void *wanted)
{
    const struct curvature_config *s = stored, *c = wanted;
    const struct curvature_data *d = data;
    return d->unconverged == 0 && c->top <= s->top && c->bottom <= s->bottom &&
           (s->density || !c->density);
}

/* Rows of `had` numbers <- their first k. */
static void keep_first(size_t rows, size_t had, size_t k, double *x)
{
    for (size_t r = 0; x && k < had && r < rows; r++)
        memmove(x + r * k, x + r * had, k * sizeof *x);
}

static enum stj_status curvature_view(const struct stj_analysis_context *cx, const void *config,
                                      void *data, struct stj_error *err)
{
    const struct curvature_config *c = config;
    struct curvature_data *d = data;
    (void)cx;
    (void)err;
    d->has_density = d->n_bins > 0 && (!c || c->density);
    d->has_overlap = d->chaotic + d->stable > 0;
    if (!c)
        return STJ_OK;
    keep_first(d->n_at, d->n_top, c->top, d->top);
    keep_first(d->n_at, d->n_top, c->top, d->residual_top);
    keep_first(d->n_at, d->n_bottom, c->bottom, d->bottom);
    keep_first(d->n_at, d->n_bottom, c->bottom, d->residual_bottom);
    d->n_top = c->top < d->n_top ? c->top : d->n_top;
    d->n_bottom = c->bottom < d->n_bottom ? c->bottom : d->n_bottom;
    return STJ_OK;
}

static enum stj_verdict curvature_verdict(const void *data)
{
    return ((const struct curvature_data *)data)->unconverged ? STJ_VERDICT_NOT_CONVERGED
                                                              : STJ_VERDICT_DONE;
}

/* ---- computing ---- */

/* sign H + c I */
struct shifted {
    struct stj_op *h;
    double sign, c;
};

static enum stj_status shifted_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                     size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    const struct shifted *s = ctx;
    const size_t n = stj_op_n_cols(s->h);
    (void)trans; /* symmetric */
    STJ_MUST(stj_op_apply(s->h, STJ_NO_TRANS, nvec, x, ldx, y, ldy, err));
    for (size_t j = 0; j < nvec; j++) {
        stj_scal(n, s->sign, y + j * ldy);
        stj_axpy(n, s->c, x + j * ldx, y + j * ldy);
    }
    return STJ_OK;
}

/* Everything of one computation. */
struct work {
    struct stj_analysis_context *cx;
    const struct curvature_config *config;
    struct curvature_data *d;
    double norm; /* at the point: at least that of H */
};

static enum stj_status curvature_solve(struct work *w, struct stj_op *op, size_t k, double tol,
                                       struct stj_svd_result **r, struct stj_error *err)
{
    struct stj_svd_settings s = stj_svd_settings_default();
    s.top = k;
    s.tol = tol;
    s.seed = w->config->seed;
    s.memory_bytes = w->cx->memory_bytes;
    s.progress = *w->cx->progress;
    STJ_MUST(stj_svd_solve(op, &s, r, err));
    STJ_NEED(err, (*r)->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED, "interrupted");
    return STJ_OK;
}

static enum stj_status find_norm(struct work *w, struct stj_error *err)
{
    struct stj_svd_result *r = NULL;
    const enum stj_status st = curvature_solve(w, w->cx->op, 1, norm_tol, &r, err);
    w->norm = r ? enlarged * r->sigma_1 : 0;
    stj_svd_result_destroy(r);
    return st;
}

/* lambda[k] and residual[k] <- of unit vectors, recomputed; *turned <- are they of the other end? */
static enum stj_status curvature_measure(struct work *w, const struct stj_pairs *p, double sign,
                                         double *lambda, double *residual, bool *turned,
                                         struct stj_error *err)
{
    const size_t n = w->cx->n;
    STJ_FREED double *hv = NULL;
    STJ_MUST(stj_new(&hv, n, p->k * sizeof *hv, err));
    STJ_MUST(stj_op_apply(w->cx->op, STJ_NO_TRANS, p->k, p->v, n, hv, n, err));
    for (size_t i = 0; i < p->k; i++) {
        lambda[i] = stj_dot(n, p->v + i * n, hv + i * n);
        stj_axpy(n, -lambda[i], p->v + i * n, hv + i * n);
        residual[i] = stj_nrm2(n, hv + i * n);
        *turned = *turned || w->norm + sign * lambda[i] < 0;
    }
    return STJ_OK;
}

/* The k eigenvalues at the end of a sign, with their vectors, from the end on. */
static enum stj_status find_end(struct work *w, double sign, size_t k, double *lambda,
                                double *residual, double *vector, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct shifted s = {.h = w->cx->op, .sign = sign};
    struct stj_op *op = NULL;
    struct stj_svd_result *r = NULL;
    bool turned = true;
    if (k == 0)
        return STJ_OK;
    STJ_TRY(stj_op_create(w->cx->n, w->cx->n, shifted_apply, NULL, &s, &op, err));
    for (size_t try = 0; turned && try < MOST_TRIES; try++, w->norm *= turned ? 2 : 1) {
        s.c = w->norm > 0 ? w->norm : 1; /* of zero, all are */
        turned = false;
        stj_svd_result_destroy(r);
        r = NULL;
        STJ_TRY(curvature_solve(w, op, k, 0, &r, err));
        STJ_CHECK(err, r->top.k == k, STJ_ENUMERIC, "%zu of %zu eigenvalues were found", r->top.k,
                  k);
        STJ_TRY(curvature_measure(w, &r->top, sign, lambda, residual, &turned, err));
    }
    STJ_CHECK(
        err, !turned, STJ_ENUMERIC,
        "the norm of the matrix could not be bounded: is it symmetric? run spectraj validate");
    memcpy(vector, r->top.v, k * w->cx->n * sizeof *vector);
    if (r->stop == STJ_STOP_INCOMPLETE)
        w->d->unconverged += k > r->converged ? k - r->converged : 1;
out:
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    return st;
}

/* Insertion by `sign` descending: eigenvalues that differ by rounding may have changed places. */
static void sort_end(size_t k, double sign, size_t n, double *lambda, double *residual,
                     double *vector)
{
    for (size_t i = 1; i < k; i++)
        for (size_t j = i; j > 0 && sign * lambda[j] > sign * lambda[j - 1]; j--) {
            double *const pair[] = {lambda + j, residual + j};
            for (size_t p = 0; p < 2; p++) {
                const double kept = pair[p][0];
                pair[p][0] = pair[p][-1];
                pair[p][-1] = kept;
            }
            for (size_t x = 0; x < n; x++) {
                const double kept = vector[j * n + x];
                vector[j * n + x] = vector[(j - 1) * n + x];
                vector[(j - 1) * n + x] = kept;
            }
        }
}

static enum stj_status find_pairs(struct work *w, size_t s, struct stj_error *err)
{
    struct curvature_data *d = w->d;
    const size_t k = d->n_top, b = d->n_bottom, n = w->cx->n;
    double *top = d->vector + s * (k + b) * n, *bottom = top + k * n;
    STJ_MUST(find_end(w, 1, k, d->top + s * k, d->residual_top + s * k, top, err));
    STJ_MUST(find_end(w, -1, b, d->bottom + s * b, d->residual_bottom + s * b, bottom, err));
    sort_end(k, 1, n, d->top + s * k, d->residual_top + s * k, top);
    sort_end(b, -1, n, d->bottom + s * b, d->residual_bottom + s * b, bottom);
    return STJ_OK;
}

/* *low and *high <- where the quadrature has mass, as eigenvalues. */
static enum stj_status find_range(const struct stj_density_result *r, double c, double *low,
                                  double *high, struct stj_error *err)
{
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&sigma, 2 * r->steps, sizeof *sigma, err));
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < r->n_probes; i++) {
        const size_t k = r->probe[i].k;
        STJ_MUST(stj_gauss_rule(r->probe + i, k, sigma, sigma + r->steps, err));
        *high = fmax(*high, sigma[0] - c);
        *low = fmin(*low, sigma[k - 1] - c);
    }
    return STJ_OK;
}

static enum stj_status put_density(struct work *w, size_t s, const struct stj_density_result *r,
                                   double c, struct stj_error *err)
{
    struct curvature_data *d = w->d;
    struct stj_density_count count[BINS], negative;
    double edge[BINS + 1], low = 0, high = 0;
    STJ_MUST(find_range(r, c, &low, &high, err));
    const double margin = fmax((high - low) / (BINS - 2), 1e-12 * c);
    for (size_t i = 0; i <= BINS; i++) {
        const double x = low - margin + (high - low + 2 * margin) * (double)i / BINS;
        edge[i] = fmax(x + c, 0);
        d->grid[s * (BINS + 1) + i] = x;
    }
    STJ_MUST(stj_density_histogram(r, BINS + 1, edge, 0, count, err));
    for (size_t i = 0; i < BINS; i++) {
        d->count[s * BINS + i] = count[i].estimate;
        d->low[s * BINS + i] = count[i].low;
        d->high[s * BINS + i] = count[i].high;
    }
    STJ_MUST(stj_density_histogram(r, 2, (const double[]){0, c}, 0, &negative, err));
    d->negative[s] = negative.estimate;
    d->negative_low[s] = negative.low;
    d->negative_high[s] = negative.high;
    d->confidence = r->confidence;
    d->steps = r->steps > d->steps ? r->steps : d->steps;
    return STJ_OK;
}

static enum stj_status find_density(struct work *w, size_t s, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct shifted shifted = {.h = w->cx->op, .sign = 1, .c = w->norm > 0 ? w->norm : 1};
    struct stj_op *op = NULL;
    struct stj_density_result *r = NULL;
    struct stj_density_settings settings = stj_density_settings_default();
    settings.probes = w->config->probes;
    settings.steps = w->config->steps;
    settings.seed = w->config->seed;
    settings.memory_bytes = w->cx->memory_bytes;
    settings.progress = *w->cx->progress;
    STJ_TRY(stj_op_create(w->cx->n, w->cx->n, shifted_apply, NULL, &shifted, &op, err));
    STJ_TRY(stj_density_solve(op, &settings, &r, err));
    STJ_CHECK(err, r->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED, "interrupted");
    STJ_TRY(put_density(w, s, r, shifted.c, err));
out:
    stj_density_result_destroy(r);
    stj_op_destroy(op);
    return st;
}

/* ---- beside them ---- */

/* A number or flag of an optimizer's config by name; 0: it has none. */
static double optimizer_number(const struct stj_rule *rule, const char *name)
{
    for (const struct stj_option *row = rule->optimizer->info->options; row && row->name; row++) {
        const char *at = (const char *)rule->optimizer->config + row->offset;
        if (strcmp(row->name, name) != 0)
            continue;
        if (row->type == STJ_OPTION_BOOL)
            return *(const bool *)at;
        if (row->type == STJ_OPTION_REAL)
            return *(const double *)at;
        if (row->type == STJ_OPTION_BY_STEP)
            return ((const struct stj_by_step *)at)->value;
    }
    return 0;
}

static bool is_sgd(const struct stj_run *run)
{
    return !run->process && strcmp(run->recipe.optimizer->info->name, "sgd") == 0;
}

/* The edge of stability at step t, where all tensors have the same rule. */
static void note_edge(struct work *w, size_t s)
{
    const struct stj_run *run = w->cx->run;
    struct curvature_data *d = w->d;
    const size_t t = d->at[s];
    const struct stj_rule rule = stj_recipe_rule(&run->recipe, 0);
    d->eta[s] = d->momentum[s] = d->gradient_edge[s] = d->edge[s] = (double)NAN;
    if (t >= run->n_steps)
        return;
    const struct stj_step step = stj_recipe_step(&run->recipe, 0, t, run->n_steps);
    const double mu = step.has_momentum ? step.momentum : optimizer_number(&rule, "momentum");
    const bool nesterov = optimizer_number(&rule, "nesterov") > 0;
    const bool damped = step.count > 0 && mu > 0;
    for (size_t g = 1; g <= run->recipe.n_groups; g++)
        if (stj_recipe_step(&run->recipe, g, t, run->n_steps).eta != step.eta)
            return;
    d->eta[s] = step.eta;
    d->gradient_edge[s] = step.eta > 0 ? 2 / step.eta : (double)NAN;
    if (!is_sgd(run) || run->recipe.n_groups > 0)
        return;
    const double share = nesterov ? 1 + 2 * mu
                         : damped ? 1 - optimizer_number(&rule, "dampening")
                                  : 1;
    d->momentum[s] = mu;
    if (step.eta > 0 && share > 0)
        d->edge[s] = (2 + 2 * mu) / (step.eta * share);
}

/* |E'V|^2 / min(k, m), of orthonormal columns. */
static enum stj_status overlap(size_t n, size_t k, const double *e, size_t m, const double *v,
                               double *mean, struct stj_error *err)
{
    STJ_FREED double *product = NULL;
    *mean = (double)NAN;
    if (k == 0 || m == 0)
        return STJ_OK;
    STJ_MUST(stj_new(&product, k, m * sizeof *product, err));
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, m, n, 1, e, n, v, n, 0, product, k);
    const double length = stj_nrm2(k * m, product);
    *mean = length * length / (double)(k < m ? k : m);
    return STJ_OK;
}

static double expected_overlap(size_t n, size_t k, size_t m)
{
    return k && m ? (double)(k > m ? k : m) / (double)n : (double)NAN;
}

/* Of the span of the largest, with what is stored of the run's chaotic and stable directions. */
static enum stj_status find_overlaps(struct work *w, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *svd = NULL;
    struct curvature_data *d = w->d;
    const size_t n = w->cx->n, k = d->n_top, all = k + d->n_bottom;
    STJ_MUST(stj_result_of_part(w->cx->run, "svd", w->cx->part, &svd, err));
    const struct stj_svd_result *r = svd ? stj_analysis_svd_of(svd) : NULL;
    if (!r || k == 0)
        return STJ_OK;
    d->has_overlap = true;
    while (d->chaotic < r->top.k && r->top.sigma[d->chaotic] > 1 + bulk_epsilon)
        d->chaotic++;
    while (d->stable < r->bottom.k && r->bottom.sigma[d->stable] < 1 - bulk_epsilon)
        d->stable++;
    d->random_chaotic = expected_overlap(n, k, d->chaotic);
    d->random_stable = expected_overlap(n, k, d->stable);
    for (size_t s = 0; s < d->n_at; s++) {
        const double *e = d->vector + s * all * n;
        STJ_MUST(overlap(n, k, e, d->chaotic, r->top.v, d->right_chaotic + s, err));
        STJ_MUST(overlap(n, k, e, d->chaotic, r->top.u, d->left_chaotic + s, err));
        STJ_MUST(overlap(n, k, e, d->stable, r->bottom.v, d->right_stable + s, err));
        STJ_MUST(overlap(n, k, e, d->stable, r->bottom.u, d->left_stable + s, err));
    }
    return stj_analysis_note_source(w->cx, svd, err);
}

/* ---- the points ---- */

static enum stj_status check_request(const struct work *w, struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const struct curvature_config *c = w->config;
    STJ_NEED(err, run, STJ_EUNSUPPORTED,
             "curvature is of the losses of a run: an operator by itself has none");
    const struct stj_run_part *part = w->cx->part;
    STJ_NEED(err, part->from == 0 && part->to == run->n_steps, STJ_EUNSUPPORTED,
             "curvature is at single steps: give --at in the place of --from and --to");
    STJ_NEED(err, !part->layers && !part->full_state, STJ_EUNSUPPORTED,
             "curvature is of all parameters: leave out the full state and the choice of layers");
    STJ_NEED(err, stj_recipe_optimizer(&run->recipe) != &stj_optimizer_own_step, STJ_EUNSUPPORTED,
             "curvature is of losses, and the steps of this run are its process's own "
             "(optimizer: " STJ_OWN_STEP "), of which no Hessian is known: take the Jacobian of "
             "step t, svd --from t --to t+1");
    if (c->loss != BATCH || c->matrix)
        STJ_MUST(stj_run_need_network(
            run, c->matrix ? "a Gauss-Newton matrix" : "curvature of a data set's loss", err));
    STJ_NEED(err, c->loss != TEST || run->test, STJ_EINVAL,
             "the run has no test data: give --loss train or batch");
    STJ_NEED(err, !c->penalty || !run->process, STJ_EUNSUPPORTED,
             "the loss of this run is a program's, its penalty is in it: leave out --penalty");
    return STJ_OK;
}

/* d->at <- those asked for, or some from the first to the last that the loss has. */
static enum stj_status take_steps(struct work *w, struct stj_error *err)
{
    const struct stj_sizes *at = &w->config->at;
    struct curvature_data *d = w->d;
    const size_t n_steps = w->cx->run->n_steps;
    const size_t last = w->config->loss == BATCH ? n_steps - 1 : n_steps;
    STJ_MUST(stj_new(&d->at, count_steps(w->config), sizeof *d->at, err));
    for (size_t i = 0; i < count_steps(w->config); i++) {
        const size_t t = is_spread(w->config) ? last * i / DEFAULT_STEPS : at->item[i];
        STJ_NEED(err, t <= last, STJ_EINVAL, "at: step %zu: %s are 0 to %zu%s", t,
                 last < n_steps ? "steps with a batch" : "the states of this run", last,
                 last < n_steps && t == n_steps ? ", give --loss train for the end" : "");
        if (d->n_at == 0 || t > d->at[d->n_at - 1])
            d->at[d->n_at++] = t;
    }
    return STJ_OK;
}

static enum stj_status make_room(struct work *w, struct stj_error *err)
{
    struct curvature_data *d = w->d;
    const size_t n_at = d->n_at, n = w->cx->n;
    double **const of_step[] = {&d->eta,          &d->momentum,      &d->gradient_edge,
                                &d->edge,         &d->right_chaotic, &d->right_stable,
                                &d->left_chaotic, &d->left_stable,   &d->negative,
                                &d->negative_low, &d->negative_high};
    struct {
        double **x;
        size_t size;
    } const others[] = {{&d->top, d->n_top},          {&d->bottom, d->n_bottom},
                        {&d->residual_top, d->n_top}, {&d->residual_bottom, d->n_bottom},
                        {&d->grid, d->n_edges},       {&d->count, d->n_bins},
                        {&d->low, d->n_bins},         {&d->high, d->n_bins}};
    for (size_t i = 0; i < sizeof of_step / sizeof *of_step; i++)
        STJ_MUST(stj_new(of_step[i], n_at, sizeof(double), err));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        STJ_MUST(stj_new(others[i].x, n_at, others[i].size * sizeof(double), err));
    size_t numbers = 0;
    STJ_MUST(stj_size_mul(d->n_vectors, n, &numbers, err));
    return stj_new(&d->vector, numbers, sizeof(double), err);
}

/* The operator takes the place of the run's Jacobian, with its journal. */
static enum stj_status make_operator(struct work *w, struct stj_error *err)
{
    struct stj_run *run = w->cx->run;
    const struct curvature_config *c = w->config;
    const struct stj_rule rule = stj_recipe_rule(&run->recipe, 0);
    const double l2 = run->config.network.l2, decay = optimizer_number(&rule, "weight_decay");
    const struct stj_dataset *data = c->loss == TRAIN ? run->train : run->test;
    struct stj_curvature_settings s = {.problem = run->problem,
                                       .net = run->net,
                                       .data = c->loss == BATCH ? NULL : data,
                                       .gauss_newton = c->matrix == 1,
                                       .penalty = c->penalty};
    struct stj_op *op = NULL;
    STJ_NEED(err, !c->penalty || !is_sgd(run) || run->recipe.n_groups == 0, STJ_EUNSUPPORTED,
             "groups of tensors may have weight decays of their own: leave out --penalty");
    if (c->penalty)
        s.shift = (is_sgd(run) ? decay : 0) + (s.data || s.gauss_newton ? l2 : 0);
    if (s.data)
        STJ_MUST(stj_network_check_data(run->net, s.data, err));
    STJ_MUST(stj_curvature_create(&s, &op, err));
    return stj_analysis_use_op(w->cx, op, err);
}

static enum stj_status move(struct work *w, size_t s, struct stj_error *err)
{
    struct stj_run *run = w->cx->run;
    struct stj_trajectory_view at;
    STJ_MUST(stj_progress_report(w->cx->progress, "curvature", (double)s, (double)w->d->n_at, err));
    STJ_MUST(stj_trajectory_visit(run->trajectory, w->d->at[s], 1, &at, err));
    STJ_MUST(stj_curvature_move(w->cx->kept->inner, w->d->at[s], at.state, err));
    STJ_MUST(find_norm(w, err));
    STJ_NEED(err, w->norm > 0 || w->config->matrix == 0 || w->config->penalty, STJ_EINVAL,
             "the Gauss-Newton matrix is zero at step %zu: the loss %s has no second derivative "
             "with respect to the outputs there; take --matrix hessian, or the logits as outputs",
             w->d->at[s], stj_network_loss(run->net)->info.name);
    return STJ_OK;
}

static enum stj_status curvature_compute(struct stj_analysis_context *cx, const void *config,
                                         void *data, struct stj_error *err)
{
    const struct curvature_config *c = config;
    struct curvature_data *d = data;
    struct work w = {.cx = cx, .config = c, .d = d};
    STJ_MUST(check_request(&w, err));
    STJ_MUST(take_steps(&w, err));
    d->matrix = c->matrix;
    d->loss = c->loss;
    d->penalty = c->penalty;
    d->seed = c->seed;
    d->n_top = c->top;
    d->n_bottom = c->bottom;
    d->n_vectors = d->n_at * (c->top + c->bottom);
    d->n_params = cx->n;
    d->has_density = c->density;
    d->n_bins = c->density ? BINS : 0;
    d->n_edges = c->density ? BINS + 1 : 0;
    d->probes = c->probes;
    STJ_MUST(make_room(&w, err));
    STJ_MUST(make_operator(&w, err));
    for (size_t s = 0; s < d->n_at; s++) {
        STJ_MUST(move(&w, s, err));
        note_edge(&w, s);
        STJ_MUST(find_pairs(&w, s, err));
        if (c->density)
            STJ_MUST(find_density(&w, s, err));
    }
    return find_overlaps(&w, err);
}

/* ---- for people ---- */

static void print_number(FILE *out, double x)
{
    if (isfinite(x))
        fprintf(out, "  %12.6g", x);
    else
        fprintf(out, "  %12s", "-");
}

static void print_end(FILE *out, const struct curvature_data *d, const char *what, size_t k,
                      const double *lambda, const double *residual)
{
    for (size_t i = 0; i < k; i++) {
        fprintf(out, "%-8s %3zu", i ? "" : what, i + 1);
        double worst = 0;
        for (size_t s = 0; s < d->n_at; s++) {
            print_number(out, lambda[s * k + i]);
            worst = fmax(worst, residual[s * k + i]);
        }
        fprintf(out, "  %9.1e\n", worst);
    }
}

static void curvature_print_row(FILE *out, const struct curvature_data *d, const char *name,
                                const double *x)
{
    fprintf(out, "%-12s", name);
    for (size_t s = 0; s < d->n_at; s++)
        print_number(out, x[s]);
    fputc('\n', out);
}

static void print_overlaps(FILE *out, const struct curvature_data *d)
{
    fprintf(out,
            "mean squared cosine of the largest %zu and the stored directions of J: %zu chaotic "
            "(random: %.2g), %zu stable (random: %.2g)\n",
            d->n_top, d->chaotic, d->random_chaotic, d->stable, d->random_stable);
    curvature_print_row(out, d, "v chaotic", d->right_chaotic);
    curvature_print_row(out, d, "u chaotic", d->left_chaotic);
    curvature_print_row(out, d, "v stable", d->right_stable);
    curvature_print_row(out, d, "u stable", d->left_stable);
}

static void curvature_print(FILE *out, const struct stj_result *result)
{
    const struct curvature_data *d = result->data;
    fprintf(out, "eigenvalues of the %s of the %s loss%s, %zu parameters\n",
            d->matrix ? "Gauss-Newton matrix" : "Hessian",
            d->loss == BATCH ? "batch's" : losses[d->loss], d->penalty ? " with its penalty" : "",
            d->n_params);
    fprintf(out, "%-12s", "step");
    for (size_t s = 0; s < d->n_at; s++)
        fprintf(out, "  %12zu", d->at[s]);
    fprintf(out, "%s\n", d->n_top + d->n_bottom ? "   residual" : "");
    print_end(out, d, "largest", d->n_top, d->top, d->residual_top);
    print_end(out, d, "smallest", d->n_bottom, d->bottom, d->residual_bottom);
    curvature_print_row(out, d, "2/eta", d->gradient_edge);
    curvature_print_row(out, d, "(2+2mu)/eta", d->edge);
    if (d->has_density) {
        curvature_print_row(out, d, "at most 0", d->negative);
        curvature_print_row(out, d, "  from", d->negative_low);
        curvature_print_row(out, d, "  to", d->negative_high);
    }
    if (d->has_overlap)
        print_overlaps(out, d);
    if (d->unconverged > 0)
        fprintf(out, "NOT CONVERGED: %zu values, or some beside them may be missing\n",
                d->unconverged);
    fprintf(out, "seed %llu; J below is this matrix\n", (unsigned long long)d->seed);
    stj_print_cost(out, &result->about);
}

/* A line through column i of rows of k numbers; what is above the figure is a gap. */
static enum stj_status add_line(const struct curvature_data *d, struct stj_chart *chart,
                                enum stj_chart_style style, enum stj_chart_colour colour, size_t k,
                                size_t i, const double *values, const char *name,
                                struct stj_error *err)
{
    STJ_FREED double *x = NULL, *y = NULL;
    STJ_MUST(stj_new(&x, d->n_at, sizeof *x, err));
    STJ_MUST(stj_new(&y, d->n_at, sizeof *y, err));
    for (size_t s = 0; s < d->n_at; s++) {
        x[s] = (double)d->at[s];
        y[s] = values[s * k + i] <= chart->y.high ? values[s * k + i] : (double)NAN;
    }
    return stj_chart_add(chart, style, colour, d->n_at, x, y, err, "%s", name);
}

/* The k values of an end: the first in front of the next, which have one name in the figure and
 * their number in its CSV. */
static enum stj_status add_end(const struct curvature_data *d, struct stj_chart *chart,
                               enum stj_chart_colour first, enum stj_chart_colour next, size_t k,
                               const double *values, const char *name, const char *names,
                               struct stj_error *err)
{
    for (size_t i = k; i-- > 0;) {
        char key[STJ_CHART_NAME_MAX];
        const char *shown = i == 0 ? name : i == k - 1 ? names : "";
        STJ_MUST(
            add_line(d, chart, STJ_CHART_BOTH, i == 0 ? first : next, k, i, values, shown, err));
        if (i > 0) {
            snprintf(key, sizeof key, "%s_%zu", name, i + 1);
            stj_chart_key(chart, key);
        }
    }
    return STJ_OK;
}

/* The figure goes a little beyond the eigenvalues, and up to the lowest of the edges. */
static void choose_range(const struct curvature_data *d, struct stj_chart *chart)
{
    double low = 0, high = 0, edge = INFINITY;
    for (size_t i = 0; i < d->n_at * d->n_top; i++) {
        high = fmax(high, d->top[i]);
        low = fmin(low, d->top[i]);
    }
    for (size_t i = 0; i < d->n_at * d->n_bottom; i++)
        low = fmin(low, d->bottom[i]);
    for (size_t s = 0; s < d->n_at; s++)
        edge = fmin(edge, isnan(d->edge[s]) ? fmin(edge, d->gradient_edge[s]) : d->edge[s]);
    chart->y.high = 1.1 * (isfinite(edge) && edge > high && edge < 30 * high ? edge : high);
    chart->y.low = 1.1 * low;
    if (!(chart->y.low < chart->y.high))
        chart->y.high = chart->y.low + 1;
}

static enum stj_status make_curvature(const struct stj_result *result, struct stj_chart *chart,
                                      struct stj_error *err)
{
    const struct curvature_data *d = result->data;
    STJ_NEED(err, d->n_top + d->n_bottom > 0, STJ_EINVAL,
             "%s holds no eigenvalues: run 'spectraj curvature' with --top first",
             result->about.file);
    stj_chart_title(chart, "Eigenvalues of the %s of the %s loss, N = %zu",
                    d->matrix ? "Gauss-Newton matrix" : "Hessian",
                    d->loss == BATCH ? "batch's" : losses[d->loss], d->n_params);
    stj_axis_name(&chart->x, "step", "step t");
    stj_axis_name(&chart->y, "lambda", "eigenvalue");
    choose_range(d, chart);
    STJ_MUST(add_end(d, chart, STJ_CHART_VERMILLION, STJ_CHART_ORANGE, d->n_top, d->top, "largest",
                     "next largest", err));
    STJ_MUST(add_end(d, chart, STJ_CHART_BLUE, STJ_CHART_SKY_BLUE, d->n_bottom, d->bottom,
                     "smallest", "next smallest", err));
    STJ_MUST(add_line(d, chart, STJ_CHART_BROKEN, STJ_CHART_GREY, 1, 0, d->gradient_edge, "2 / eta",
                      err));
    return add_line(d, chart, STJ_CHART_BROKEN, STJ_CHART_BLACK, 1, 0, d->edge, "(2 + 2 mu) / eta",
                    err);
}

static enum stj_status make_density(const struct stj_result *result, struct stj_chart *chart,
                                    struct stj_error *err)
{
    static const enum stj_chart_colour colours[] = {
        STJ_CHART_BLUE,   STJ_CHART_GREEN,    STJ_CHART_ORANGE, STJ_CHART_VERMILLION,
        STJ_CHART_PURPLE, STJ_CHART_SKY_BLUE, STJ_CHART_BLACK,  STJ_CHART_GREY};
    static const double least = 0.01; /* of an eigenvalue in a bin */
    const struct curvature_data *d = result->data;
    double x[BINS], y[BINS];
    STJ_NEED(err, d->has_density, STJ_EINVAL,
             "%s holds no density: run 'spectraj curvature' with --density first",
             result->about.file);
    stj_chart_title(chart, "Eigenvalues of the %s of the %s loss, from %zu probes of %zu steps",
                    d->matrix ? "Gauss-Newton matrix" : "Hessian",
                    d->loss == BATCH ? "batch's" : losses[d->loss], d->probes, d->steps);
    stj_axis_name(&chart->x, "lambda", "eigenvalue");
    stj_axis_name(&chart->y, "count", "eigenvalues in a bin");
    chart->y.log = true;
    for (size_t s = 0; s < d->n_at; s++) {
        const double *edge = d->grid + s * d->n_edges;
        for (size_t i = 0; i < d->n_bins; i++) {
            x[i] = (edge[i] + edge[i + 1]) / 2;
            y[i] = d->count[s * d->n_bins + i];
        }
        const size_t n = stj_chart_drop_below(d->n_bins, x, y, least);
        STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH,
                               colours[s % (sizeof colours / sizeof *colours)], n, x, y, err,
                               "step %zu: %.0f at most 0 (%.0f to %.0f)", d->at[s], d->negative[s],
                               d->negative_low[s], d->negative_high[s]));
    }
    return STJ_OK;
}

static const struct stj_analysis_figure figures[] = {
    {"curvature", "eigenvalues of a Hessian along the training, with the edge of stability",
     make_curvature},
    {"curvature_density", "how many eigenvalues of a Hessian lie where", make_density},
    {.doc = NULL},
};

const struct stj_analysis stj_analysis_curvature = {
    .info = {.name = "curvature",
             .doc = "eigenvalues of the Hessian of a loss along the training",
             .options = options,
             .config_size = sizeof(struct curvature_config),
             .check = check_config},
    .description =
        "Find the largest and the smallest eigenvalues of the Hessian of a loss, or of its\n"
        "Gauss-Newton matrix, at steps of the training, or with --density how many lie where,\n"
        "and keep them in RUN/curvature.h5.  The loss is without weight decay, and not of an\n"
        "average of states.  Beside them stand 2/eta and (2+2mu)/eta of each step, and how the\n"
        "largest lie to the chaotic and stable directions of J where svd has stored some.\n",
    .example = "  spectraj curvature digits-run --at 0,25,100\n"
               "  spectraj curvature digits-run --loss batch --at 0,50,100,200 --top 1\n"
               "  spectraj curvature digits-run --density --matrix gauss_newton --at 100\n",
    .unconverged = "eigenvalues did not converge, or some may be missing",
    .counts_pairs = true,
    .schema = schema,
    .result_size = sizeof(struct curvature_data),
    .format = {.name = "spectraj-curvature",
               .version = 1,
               .remedy = "compute it again with --force"},
    .complete = curvature_complete,
    .predict = curvature_predict,
    .join = join,
    .covers = curvature_covers,
    .start = curvature_start,
    .compute = curvature_compute,
    .view = curvature_view,
    .verdict = curvature_verdict,
    .print = curvature_print,
    .figures = figures,
};
