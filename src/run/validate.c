/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/validate.c: a run checked against itself.
 *
 *   adjoint             |<Jx,y> - <x,J'y>| relative, over 5 Gaussian pairs     at most 1e-12
 *   finite differences  whole trainings from theta_0 +- h x against J x        at most 1e-6, or
 *                       what the differences themselves are good to (op/difference.c)
 *   what was given      the first two of d theta_to / d w, d inputs, d targets, d eta, shifted by +- h x
 *   single precision    |E x| / |J x|, E = J_single - J, 4 Gaussian vectors, J' too: at most 1e-3
 *   replay              training again from theta_0                            the same bits
 *   dense               top singular values against LAPACK's of the dense J    at most 1e-9 sigma_1
 *                       bounds of the smallest: how far below LAPACK's         at most 1e-9 sigma_1
 *
 * The limits: J x and J'y are sums of n_steps products whose rounding errors stay near eps =
 * 1e-16 of their norms, so 1e-12 leaves room for four digits of growth; central differences have
 * an error of order h^2 + eps/h, 1e-10 at the best h, of a map that can magnify it by sigma_1.
 *
 * J is a product of matrices close to the identity, each known to some eps of its vectors.  A J
 * that is no larger, zero for one, has errors relative to the vectors and not to its products: of
 * these nothing is known but that they are small.
 */
#include <math.h>
#include <spectraj/svd.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/difference.h"
#include "op/operator.h"
#include "op/training_jacobian.h"
#include "op/given_jacobian.h"
#include "run/memory_budget.h"
#include "run/run_internal.h"
#include "spectrum/svd/svd_method.h"
#include "trajectory/record.h"

enum { ADJOINT_PAIRS = 5, DENSE_PAIRS = 5, GIVEN_RUNGS = 5, MOST_GIVEN = 1 << 20 };
static const struct {
    enum stj_given given;
    size_t at;
} looked_at[] = {{STJ_GIVEN_WEIGHTS, offsetof(struct stj_validation, weights)},
                 {STJ_GIVEN_INPUTS, offsetof(struct stj_validation, inputs)},
                 {STJ_GIVEN_TARGETS, offsetof(struct stj_validation, targets)},
                 {STJ_GIVEN_RATES, offsetof(struct stj_validation, rates)},
                 {STJ_GIVEN_MOMENTA, offsetof(struct stj_validation, momenta)},
                 {STJ_GIVEN_DECAYS, offsetof(struct stj_validation, decays)},
                 {STJ_GIVEN_SCALES, offsetof(struct stj_validation, scales)}};
enum { N_GIVEN = sizeof looked_at / sizeof looked_at[0] };
static const double adjoint_limit = 1e-12;
static const double difference_limit = 1e-6;
static const double dense_limit_error = 1e-9;
static const double single_limit = 1e-3;

/* A training that is compared with a recorded one, state by state. */
struct replay {
    const struct stj_recipe *recipe;
    struct stj_trajectory *trajectory;
    size_t n, n_state, to;
    bool identical;
};

static enum stj_status compare_crc(struct replay *replay, size_t t, const real *state,
                                   struct stj_error *err)
{
    uint64_t crc = 0;
    STJ_MUST(stj_trajectory_crc(replay->trajectory, t, &crc, err));
    if (crc != stj_state_crc(replay->n_state, state))
        replay->identical = false;
    return STJ_OK;
}

static enum stj_status compare_state(void *ctx, size_t t, const real *state, double loss,
                                     struct stj_error *err)
{
    struct replay *replay = ctx;
    if (!stj_trajectory_is_imported(replay->trajectory, t))
        STJ_MUST(compare_crc(replay, t, state, err));
    if (t < replay->to && !isnan(loss) && /* NaN behind the last step trained */
        memcmp(&loss, &stj_trajectory_loss(replay->trajectory)[t], sizeof loss) != 0)
        replay->identical = false;
    return STJ_OK;
}

/* Training landed at state t, which was given: go on from the given parameters and the slots landed
 * with, which together are what was recorded. */
static enum stj_status take_recorded(struct replay *replay, size_t t, real *state,
                                     struct stj_error *err)
{
    struct stj_trajectory_view view;
    STJ_MUST(stj_trajectory_visit(replay->trajectory, t, 1, &view, err));
    stj_recipe_replace(replay->recipe, replay->n, t, view.state, state);
    return compare_crc(replay, t, state, err);
}

static enum stj_status check_replay(const struct stj_training_window *w,
                                    const struct stj_progress *progress, bool *identical,
                                    struct stj_error *err)
{
    struct stj_trajectory_view view;
    STJ_FREED real *state = NULL;
    struct replay replay = {
        .recipe = w->recipe, .trajectory = w->trajectory, .to = w->to, .identical = true};
    size_t t = w->from;
    replay.n = stj_trajectory_n_params(w->trajectory);
    replay.n_state = (1 + stj_trajectory_n_slots(w->trajectory)) * replay.n;
    STJ_MUST(stj_new(&state, replay.n_state, sizeof *state, err));
    STJ_MUST(stj_trajectory_visit(w->trajectory, w->from, 1, &view, err));
    memcpy(state, view.state, replay.n_state * sizeof *state);
    while (t < w->to) {
        const size_t begin = t++;
        while (t < w->to && !stj_trajectory_is_imported(w->trajectory, t))
            t++;
        STJ_MUST(stj_progress_report(progress, "training", (double)(begin - w->from),
                                     (double)(w->to - w->from), err));
        STJ_MUST(stj_train(w->problem, w->recipe, begin, t, state, compare_state, &replay,
                           t - begin == w->to - w->from ? progress : NULL, err));
        if (stj_trajectory_is_imported(w->trajectory, t))
            STJ_MUST(take_recorded(&replay, t, state, err));
    }
    *identical = replay.identical;
    return STJ_OK;
}

/* Trainings for which what was given is shifted along x. */
struct given_difference {
    enum stj_given given;
    size_t n, n_given;
    double *x, *shift, *dx, *now, *before; /* before: of the rung before */
    double size;                           /* |D x| */
};

static void given_difference_free(struct given_difference *d)
{
    free(d->x);
    free(d->shift);
    free(d->dx);
    free(d->now);
    free(d->before);
}

/* x is of the size of what was given. */
static enum stj_status given_difference_init(struct given_difference *d, struct stj_op *jacobian,
                                             struct stj_op *op, uint64_t seed,
                                             struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    d->n = stj_op_n_rows(op);
    d->n_given = stj_op_n_cols(op);
    STJ_MUST(stj_new(&d->x, d->n_given, sizeof *d->x, err));
    STJ_MUST(stj_new(&d->shift, d->n_given, sizeof *d->shift, err));
    STJ_MUST(stj_new(&d->dx, d->n, sizeof *d->dx, err));
    STJ_MUST(stj_new(&d->now, d->n, sizeof *d->now, err));
    STJ_MUST(stj_new(&d->before, d->n, sizeof *d->before, err));
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_CHECK, 1, &rng, err));
    stj_rng_fill_normal(rng, d->n_given, d->x);
    stj_scal(d->n_given, stj_given_jacobian_size(jacobian, d->given), d->x);
    STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, 1, d->x, d->n_given, d->dx, d->n, err));
    d->size = stj_nrm2(d->n, d->dx);
    return STJ_OK;
}

/* d->now <- the central difference at h. */
static enum stj_status difference_given(struct given_difference *d, const struct stj_op *jacobian,
                                        double h, struct stj_error *err)
{
    STJ_FREED double *minus = NULL;
    STJ_MUST(stj_new(&minus, d->n, sizeof *minus, err));
    for (int sign = -1; sign <= 1; sign += 2) {
        for (size_t i = 0; i < d->n_given; i++)
            d->shift[i] = sign * h * d->x[i];
        STJ_MUST(stj_given_jacobian_train(jacobian, d->given, d->shift, sign < 0 ? minus : d->now,
                                          NULL, err));
    }
    for (size_t i = 0; i < d->n; i++)
        d->now[i] = (d->now[i] - minus[i]) / (2 * h);
    return STJ_OK;
}

/* |a - b|, relative to a size that may be zero. */
static double distance(const struct given_difference *d, const double *a, const double *b,
                       double size)
{
    double sum = 0;
    for (size_t i = 0; i < d->n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum) / (size > 0 ? size : 1);
}

/* The derivative with respect to something given, where the operator has one beside it. */
static enum stj_status check_given(struct stj_op *jacobian, enum stj_given given, uint64_t seed,
                                   const struct stj_progress *progress,
                                   struct stj_given_validation *v, struct stj_error *err)
{
    STJ_HELD(given_difference_free) struct given_difference d = {.given = given};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    double largest = 0, h = 0x1p-7;
    v->adjoint_error = v->difference_error = v->difference_resolution = (double)NAN;
    if (!stj_given_jacobian_is_there(jacobian, given))
        return STJ_OK;
    STJ_MUST(stj_given_jacobian_create(jacobian, given, &op, err));
    if (stj_op_n_cols(op) > MOST_GIVEN) { /* vectors that nobody has counted with */
        v->too_many = stj_op_n_cols(op);
        return STJ_OK;
    }
    STJ_MUST(stj_op_adjoint_check(op, ADJOINT_PAIRS, seed, stj_identity_rounding, &v->adjoint_error,
                                  &largest, err));
    STJ_MUST(given_difference_init(&d, jacobian, op, seed, err));
    for (size_t k = 0; k < GIVEN_RUNGS; k++, h /= 8) {
        STJ_MUST(stj_progress_report(progress, stj_given_name(given), (double)k,
                                     (double)GIVEN_RUNGS, err));
        const enum stj_status st = difference_given(&d, jacobian, h, err);
        if (st != STJ_ENONFINITE)
            STJ_MUST(st);
        const double error = st == STJ_OK ? distance(&d, d.now, d.dx, d.size) : (double)INFINITY;
        if (st != STJ_OK) /* so far away training leaves the finite numbers */
            stj_error_clear(err);
        /* Relative to the difference itself: where D x is 1e9, as of a gradient of zero that Adam
         * divides by its eps, differences that are short of it by far tell nothing. */
        const double change =
            k == 0 ? (double)INFINITY : distance(&d, d.now, d.before, stj_nrm2(d.n, d.now));
        if (k == 0 || error < v->difference_error) {
            v->difference_error = error;
            v->difference_resolution = change;
        } else if (k == 1) { /* the first is the best so far */
            v->difference_resolution = change;
        }
        memcpy(d.before, d.now, d.n * sizeof *d.now);
    }
    return STJ_OK;
}

/* Nothing contradicts it: within the limit, or the differences cannot tell. */
static bool given_passes(const struct stj_given_validation *v, bool may_switch)
{
    const double resolution = v->difference_resolution;
    return isnan(v->adjoint_error) ||
           (v->adjoint_error <= adjoint_limit &&
            (v->difference_error <= fmax(difference_limit, 4 * resolution) || resolution > 1e-3 ||
             may_switch));
}

/* Of all that the training was given; *pass: nothing contradicts it. */
static enum stj_status check_all_given(struct stj_op *jacobian, uint64_t seed,
                                       const struct stj_progress *progress,
                                       struct stj_validation *v, bool *pass, struct stj_error *err)
{
    *pass = true;
    for (size_t i = 0; i < N_GIVEN; i++) {
        struct stj_given_validation *one =
            (struct stj_given_validation *)(void *)((char *)v + looked_at[i].at);
        STJ_MUST(check_given(jacobian, looked_at[i].given, seed, progress, one, err));
        *pass = *pass && given_passes(one, v->may_switch);
    }
    return STJ_OK;
}

/* sigma[n] <- all singular values, from the dense Jacobian. */
static enum stj_status dense_values(struct stj_op *op, const struct stj_progress *progress,
                                    double *sigma, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *a = NULL;
    size_t n = stj_op_n_cols(op);
    size_t size = 0;
    STJ_TRY(stj_size_mul(n, n, &size, err));
    STJ_TRY(stj_new(&a, size, sizeof *a, err));
    STJ_TRY(stj_op_densify(op, 0, a, n, progress, err));
    struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    st = stj_gesdd(n, n, a, n, sigma, NULL, NULL, err);
    stj_blas_guard_give(guard);
out:
    free(a);
    return st;
}

/* *result <- pairs of one end, iteratively (top: ARPACK unless it cannot; bottom: Arnoldi). */
static enum stj_status iterate_end(struct stj_op *op, uint64_t seed, bool bottom,
                                   const struct stj_progress *progress,
                                   struct stj_svd_result **result, struct stj_error *err)
{
    const size_t n = stj_op_n_cols(op);
    struct stj_svd_settings settings = stj_svd_settings_default();
    settings.top = bottom ? 0 : n < DENSE_PAIRS ? n : DENSE_PAIRS;
    settings.bottom = bottom ? DENSE_PAIRS : 0;
    settings.method = bottom ? "arnoldi" : NULL;
    settings.seed = seed;
    if (progress)
        settings.progress = *progress;
    STJ_MUST(stj_svd_solve(op, &settings, result, err));
    STJ_NEED(err, (*result)->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED,
             "validation was interrupted");
    return STJ_OK;
}

/* What errors of singular values are relative to. */
static double size_of(double sigma_1)
{
    return sigma_1 > stj_identity_rounding ? sigma_1 : 1;
}

/* Are there enough values for both ends? */
static bool has_bottom(size_t n)
{
    return n >= 2 * DENSE_PAIRS + 4;
}

/* Bounds of the smallest values must not lie below the truth; how far they lie above is told. */
static enum stj_status compare_bottom(struct stj_op *op, uint64_t seed, const double *sigma,
                                      const struct stj_progress *progress, struct stj_validation *v,
                                      struct stj_error *err)
{
    const size_t n = stj_op_n_cols(op);
    STJ_HELD(stj_svd_result_destroy_at) struct stj_svd_result *result = NULL;
    v->dense_bottom_violation = 0;
    v->dense_bottom_excess = 0;
    if (!has_bottom(n))
        return STJ_OK;
    STJ_MUST(iterate_end(op, seed, true, progress, &result, err));
    for (size_t i = 0; i < result->bottom.k; i++) {
        const double excess = (result->bottom.sigma[i] - sigma[n - 1 - i]) / size_of(sigma[0]);
        v->dense_bottom_violation = fmax(v->dense_bottom_violation, -excess);
        v->dense_bottom_excess = fmax(v->dense_bottom_excess, excess);
    }
    return STJ_OK;
}

static enum stj_status compare_dense(struct stj_op *op, uint64_t seed,
                                     const struct stj_progress *progress, struct stj_validation *v,
                                     struct stj_error *err)
{
    STJ_HELD(stj_svd_result_destroy_at) struct stj_svd_result *result = NULL;
    STJ_FREED double *sigma = NULL;
    const size_t n = stj_op_n_cols(op);
    STJ_MUST(stj_new(&sigma, n, sizeof *sigma, err));
    STJ_MUST(dense_values(op, progress, sigma, err));
    STJ_MUST(iterate_end(op, seed, false, progress, &result, err));
    const bool all = result->top.k == result->requested; /* a missing pair is a failure */
    v->dense_max_sigma_error = all ? 0 : (double)INFINITY;
    for (size_t i = 0; i < result->top.k; i++)
        v->dense_max_sigma_error = fmax(v->dense_max_sigma_error,
                                        fabs(result->top.sigma[i] - sigma[i]) / size_of(sigma[0]));
    return compare_bottom(op, seed, sigma, progress, v, err);
}

enum stj_status stj_validate_jacobian(struct stj_op *op, uint64_t seed, size_t dense_limit,
                                      const struct stj_progress *progress, struct stj_validation *v,
                                      struct stj_error *err)
{
    struct stj_training_window window;
    struct stj_difference d;
    bool given_pass = false;
    *v = (struct stj_validation){.dense_max_sigma_error = (double)NAN};
    STJ_NEED(err, stj_training_jacobian_window(op, &window), STJ_EINTERNAL,
             "only a training Jacobian can be validated");
    STJ_MUST(stj_progress_report(progress, "adjoint identity", 0, 1, err));
    STJ_MUST(stj_op_adjoint_check(op, ADJOINT_PAIRS, seed, stj_identity_rounding, &v->adjoint_error,
                                  &v->largest_product, err));
    STJ_MUST(stj_difference_check(op, seed, difference_limit, &d, progress, err));
    v->finite_difference_error = d.error;
    v->finite_difference_step = d.step;
    v->finite_difference_resolution = d.resolution;
    v->finite_difference_resolved = d.resolved;
    v->finite_difference_agrees = d.agrees;
    v->finite_difference_whole_error = d.whole_error;
    v->finite_difference_whole_resolution = d.whole_resolution;
    v->may_switch = d.may_switch;
    v->single_steps = d.n_steps;
    STJ_MUST(check_all_given(op, seed, progress, v, &given_pass, err));
    STJ_MUST(check_replay(&window, progress, &v->replay_identical, err));
    if (stj_op_n_cols(op) <= dense_limit)
        STJ_MUST(compare_dense(op, seed, progress, v, err));
    v->passed = v->adjoint_error <= adjoint_limit && d.agrees && v->replay_identical &&
                given_pass &&
                (isnan(v->dense_max_sigma_error) ||
                 fmax(v->dense_max_sigma_error, v->dense_bottom_violation) <= dense_limit_error);
    stj_training_jacobian_storage(op, &v->storage);
    return STJ_OK;
}

/* about <- the part with `to` and names resolved; the run owns these. */
static enum stj_status describe_part(struct stj_run *run, const struct stj_run_part *part,
                                     struct stj_run_part *about, struct stj_error *err)
{
    size_t n = 0;
    free(run->part_names);
    run->part_names = NULL;
    STJ_MUST(stj_run_part_size(run, part, &n, &run->part_names, err));
    *about = *part;
    about->to = part->to ? part->to : run->n_steps;
    about->layers = run->part_names[0] ? run->part_names : NULL;
    return STJ_OK;
}

void stj_validate_predict(const struct stj_run *run, size_t n, size_t dense_limit,
                          struct stj_prediction *p)
{
    const double vector = (double)n * sizeof(double);
    const size_t slots = stj_recipe_n_slots(&run->recipe);
    const double training = (double)((1 + slots) * stj_network_n_params(run->net)) * sizeof(real) +
                            (double)stj_train_work_bytes(run->problem, &run->recipe);
    struct stj_svd_settings top = stj_svd_settings_default();
    struct stj_svd_settings bottom = top;
    stj_predict_products(p, ADJOINT_PAIRS, ADJOINT_PAIRS, ADJOINT_PAIRS);
    stj_predict_products(p, N_GIVEN * ADJOINT_PAIRS, N_GIVEN * ADJOINT_PAIRS, ADJOINT_PAIRS);
    stj_predict_products(p, 2, 0, 1);
    stj_predict_phase(p, 4 * ADJOINT_PAIRS * vector, ADJOINT_PAIRS);
    stj_predict_phase(p, 4 * vector + training, ADJOINT_PAIRS); /* the sweep keeps its work space */
    p->trainings += STJ_DIFFERENCE_TRAININGS + 1 + N_GIVEN * 2 * GIVEN_RUNGS;
    if (n > dense_limit)
        return;
    stj_dense_predict(n, 1, p);
    top.top = n < DENSE_PAIRS ? n : DENSE_PAIRS;
    bottom.top = 0;
    bottom.bottom = DENSE_PAIRS;
    bottom.method = "arnoldi";
    stj_svd_predict(&top, n, n, p);
    if (has_bottom(n))
        stj_svd_predict(&bottom, n, n, p);
}

/* Products in single precision, where the part asks for them. */
static enum stj_status check_single(struct stj_run *run, const struct stj_run_part *part,
                                    size_t engine, uint64_t seed, struct stj_validation *v,
                                    struct stj_error *err)
{
    struct stj_single_error e;
    v->single_error = v->single_error_rms = (double)NAN;
    if (part->precision != STJ_PRECISION_SINGLE)
        return STJ_OK;
    STJ_MUST(stj_run_single_error(run, part, engine, seed, &e, err));
    v->single_error = e.relative;
    v->single_error_rms = e.absolute;
    v->passed = v->passed && e.relative <= single_limit;
    return STJ_OK;
}

enum stj_status stj_run_validate(struct stj_run *run, const struct stj_run_part *part,
                                 uint64_t seed, size_t dense_limit,
                                 const struct stj_progress *progress, struct stj_validation *v,
                                 struct stj_error *err)
{
    static const struct stj_run_part whole = {.from = 0};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    struct stj_prediction p = {.svd_flops = 0};
    struct stj_run_info info;
    size_t n = 0;
    STJ_NOT_NULL(err, run, v);
    *v = (struct stj_validation){.dense_max_sigma_error = (double)NAN};
    STJ_MUST(stj_run_need_data(run, err));
    stj_run_divide(run, 1, progress);
    part = part ? part : &whole;
    STJ_NEED(err, part->precision != STJ_PRECISION_MIXED, STJ_EINVAL,
             "validate measures products in double and in single: take precision single");
    STJ_MUST(stj_run_part_size(run, part, &n, NULL, err));
    stj_validate_predict(run, n, dense_limit, &p);
    STJ_MUST(stj_run_check_limit(run, part, run->memory, &p, err));
    const size_t engine = stj_run_engine_bytes(run, part, run->memory, &p);
    struct stj_run_part in_double = *part;
    in_double.precision = STJ_PRECISION_DOUBLE;
    STJ_MUST(stj_run_part_jacobian(run, &in_double, engine, &op, err));
    STJ_MUST(stj_validate_jacobian(op, seed, dense_limit, progress, v, err));
    stj_op_destroy(op);
    op = NULL;
    STJ_MUST(check_single(run, part, engine, seed, v, err));
    STJ_MUST(describe_part(run, part, &v->part, err));
    stj_run_get_info(run, &info);
    v->imported = info.imported;
    if (run->memory > 0)
        v->storage.budget = run->memory;
    return STJ_OK;
}
