/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/timing.c: how fast this machine goes through the steps of a run.
 *
 * A few steps are trained from theta_0, and their Jacobian is applied to blocks of vectors with
 * linearisations kept, and to one vector with linearisations made again.  What a product costs
 * beside its steps shows in the difference between a window of all these steps and one of half of
 * them.  Each time is the median of a few, since other work on the machine comes in bursts.
 */
#include "run/timing.h"

#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"
#include "base/rng.h"
#include "op/linearization_cache.h"
#include "op/training_jacobian.h"
#include "run/run_internal.h"
#include "trajectory/record.h"

enum {
    STEPS_MOST = 16,
    TRAINED_LEAST = 4, /* steps, where a sample has fewer */
    TRAINED_MOST = STEPS_MOST + 1,
    REPEATS_LEAST = 3,
    REPEATS_MOST = 15,
    BLOCKS_MOST = 16
};

static const double enough_seconds = 0.02; /* of one measurement */

/* What is known of a run so far. */
struct stj_run_timing {
    struct stj_timing about;
    size_t most;                 /* the largest block that is measured */
    double jvp[BLOCKS_MOST + 1]; /* seconds of a step; 0: not measured */
    double vjp[BLOCKS_MOST + 1];
};

/* The few steps. */
struct sample {
    const struct stj_run *run;
    bool is_single;
    struct stj_problem *single; /* of products, then */
    size_t n, n_steps;          /* parameters, steps of the sample */
    struct stj_trajectory *trajectory;
    double *x, *y; /* [n][block] */
};

static void sample_free(struct sample *s)
{
    stj_trajectory_destroy(s->trajectory);
    stj_problem_destroy(s->single);
    free(s->x);
    free(s->y);
}

static size_t n_slots(const struct stj_run *run)
{
    return stj_recipe_n_slots(&run->recipe);
}

static int ascending_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of n > 0 times, which are put in order. */
static double median(double *time, size_t n)
{
    qsort(time, n, sizeof *time, ascending_seconds);
    return time[n / 2];
}

/* Takes the states of a training, and the time from one to the next. */
struct stopwatch {
    struct stj_trajectory *trajectory;
    size_t n_steps; /* of the trajectory: what comes later is not kept */
    double since;
    double step[TRAINED_MOST];
};

static enum stj_status take_state(void *ctx, size_t t, const real *state, double loss,
                                  struct stj_error *err)
{
    struct stopwatch *watch = ctx;
    if (t > 0)
        watch->step[t - 1] = stj_clock() - watch->since;
    if (t <= watch->n_steps)
        STJ_MUST(stj_trajectory_record(watch->trajectory, t, state, loss, err));
    watch->since = stj_clock(); /* recording and the first gradient's work space are no step */
    return STJ_OK;
}

/* Train the sample's steps, and some more that are only timed; *seconds <- of one.  From state to
 * state are an update and the next gradient; behind the last there is no gradient. */
static enum stj_status time_training(struct sample *s, double *seconds, struct stj_error *err)
{
    STJ_FREED real *state = NULL;
    STJ_FREED double *theta = NULL;
    STJ_MUST(stj_new(&state, (1 + n_slots(s->run)) * s->n, sizeof *state, err));
    STJ_MUST(stj_new(&theta, s->n, sizeof *theta, err));
    STJ_MUST(stj_run_initial(s->run, theta, err));
    for (size_t i = 0; i < s->n; i++)
        state[i] = (real)theta[i];
    stj_trajectory_destroy(s->trajectory);
    s->trajectory = NULL;
    STJ_MUST(stj_trajectory_create(s->n, n_slots(s->run), s->n_steps, &s->trajectory, err));
    struct stopwatch watch = {.trajectory = s->trajectory, .n_steps = s->n_steps};
    const size_t wanted = s->n_steps < TRAINED_LEAST ? TRAINED_LEAST : s->n_steps + 1;
    const size_t steps = wanted < s->run->n_steps ? wanted : s->run->n_steps;
    const double start = stj_clock();
    STJ_MUST(stj_train(s->run->problem, &s->run->recipe, 0, steps, state, take_state, &watch, NULL,
                       err));
    *seconds = stj_clock() - start;
    if (steps > 1)
        *seconds = median(watch.step, steps - 1);
    stj_ranks_bcast(seconds, sizeof *seconds); /* what follows depends on it */
    return STJ_OK;
}

/* As many steps as are quick and small. */
static size_t choose_steps(const struct sample *s, double train_seconds)
{
    enum { BYTES_MOST = 200 << 20 };
    const struct stj_linear_bytes linear =
        stj_linearization_cache_bytes(s->single ? s->single : s->run->problem, &s->run->recipe);
    const size_t state = (1 + n_slots(s->run)) * s->n * sizeof(real);
    size_t n = STEPS_MOST;
    while (n > 2 && ((double)n * train_seconds > enough_seconds ||
                     n * (linear.step + linear.work + state) > BYTES_MOST))
        n /= 2;
    return n < s->run->n_steps ? n : s->run->n_steps;
}

/* *seconds <- of one product with a block. */
static enum stj_status time_product(struct sample *s, struct stj_op *op, enum stj_trans trans,
                                    size_t block, double *seconds, struct stj_error *err)
{
    double time[REPEATS_MOST];
    size_t n = 0;
    double passed = 0;
    STJ_MUST(stj_op_apply(op, trans, block, s->x, s->n, s->y, s->n, err));
    while (n < REPEATS_LEAST || (passed < enough_seconds && n < REPEATS_MOST)) {
        const double start = stj_clock();
        STJ_MUST(stj_op_apply(op, trans, block, s->x, s->n, s->y, s->n, err));
        time[n] = stj_clock() - start;
        stj_ranks_bcast(time + n, sizeof *time);
        passed += time[n++];
    }
    *seconds = median(time, n);
    return STJ_OK;
}

/* The operator of steps 0 .. to - 1 with linearisations kept, or with memory for one at a time. */
static enum stj_status open_window(const struct sample *s, size_t to, bool kept, struct stj_op **op,
                                   struct stj_error *err)
{
    const struct stj_linear_bytes linear =
        stj_linearization_cache_bytes(s->single ? s->single : s->run->problem, &s->run->recipe);
    const struct stj_training_jacobian_settings settings = {
        .to = to,
        .memory_bytes = kept ? 2 * (STEPS_MOST + 1) * (linear.step + linear.work) + 1
                             : linear.step + linear.work,
        .single = s->is_single,
    };
    return stj_training_jacobian_create(s->run->problem, &s->run->recipe, s->trajectory, &settings,
                                        op, err);
}

/* s <- trained steps, and vectors for a block; *train_seconds <- of one step. */
static enum stj_status sample_init(struct sample *s, const struct stj_run *run, bool single,
                                   size_t block, double *train_seconds, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    size_t size = 0;
    *s = (struct sample){
        .run = run, .is_single = single, .n = stj_network_n_params(run->net), .n_steps = 1};
    if (single)
        STJ_MUST(stj_problem_single(run->problem, &s->single, err));
    STJ_MUST(time_training(s, train_seconds, err)); /* warms up, too */
    s->n_steps = choose_steps(s, *train_seconds);
    STJ_MUST(time_training(s, train_seconds, err));
    STJ_MUST(stj_size_mul(block, s->n, &size, err));
    STJ_MUST(stj_new(&s->x, size, sizeof *s->x, err));
    STJ_MUST(stj_new(&s->y, size, sizeof *s->y, err));
    STJ_MUST(stj_rng_create(0, STJ_STREAM_START, 0, &rng, err));
    stj_rng_fill_normal(rng, size, s->x);
    return STJ_OK;
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

/* The largest block whose vectors do not take much of the memory. */
static enum stj_status most_block(const struct sample *s, size_t *most, struct stj_error *err)
{
    const size_t limit = stj_memory_available() / 8;
    for (*most = BLOCKS_MOST; *most > 1; *most /= 2) {
        const struct stj_training_jacobian_settings settings = {.memory_bytes = SIZE_MAX / 4,
                                                                .single = s->is_single};
        struct stj_storage storage;
        STJ_MUST(stj_training_jacobian_predict(s->run->problem, &s->run->recipe, s->trajectory,
                                               &settings, *most, &storage, err));
        if (storage.work_bytes + 2 * *most * s->n * sizeof(double) <= limit)
            break;
    }
    return STJ_OK;
}

/* What a product costs beside its steps, of a product with the kept window that takes `whole`. */
static enum stj_status time_beside(struct sample *s, double whole, double *seconds,
                                   struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *half = NULL;
    double of_half = 0;
    *seconds = 0;
    if (s->n_steps < 4)
        return STJ_OK;
    STJ_MUST(open_window(s, s->n_steps / 2, true, &half, err));
    STJ_MUST(time_product(s, half, STJ_NO_TRANS, 1, &of_half, err));
    const double rest = positive(2 * of_half - whole);
    *seconds = rest < whole / 2 ? rest : whole / 2;
    return STJ_OK;
}

static enum stj_status time_linearisation(struct sample *s, double whole, struct stj_timing *m,
                                          struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    double again = 0;
    m->linearize = m->train;
    if (s->n_steps < 2) /* a chunk of one step is always kept */
        return STJ_OK;
    STJ_MUST(open_window(s, 0, false, &op, err));
    STJ_MUST(time_product(s, op, STJ_NO_TRANS, 1, &again, err));
    m->linearize = positive(again - whole) / (double)s->n_steps;
    return STJ_OK;
}

/* Everything but larger blocks. */
static enum stj_status measure_timing(const struct stj_run *run, bool single,
                                      struct stj_run_timing *m, struct stj_error *err)
{
    STJ_HELD(sample_free) struct sample s = {.run = run};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    double jvp = 0;
    double vjp = 0;
    STJ_MUST(sample_init(&s, run, single, 1, &m->about.train, err));
    STJ_MUST(most_block(&s, &m->most, err));
    STJ_MUST(open_window(&s, 0, true, &op, err));
    STJ_MUST(time_product(&s, op, STJ_NO_TRANS, 1, &jvp, err));
    STJ_MUST(time_product(&s, op, STJ_TRANS, 1, &vjp, err));
    stj_op_destroy(op);
    op = NULL;
    STJ_MUST(time_beside(&s, jvp, &m->about.sweep, err));
    STJ_MUST(time_linearisation(&s, jvp, &m->about, err));
    m->jvp[1] = positive(jvp - m->about.sweep) / (double)s.n_steps;
    m->vjp[1] = positive(vjp - m->about.sweep) / (double)s.n_steps;
    return STJ_OK;
}

static bool is_single(enum stj_precision precision)
{
    return precision == STJ_PRECISION_SINGLE;
}

static enum stj_status prepare_timing(struct stj_run *run, enum stj_precision precision,
                                      struct stj_error *err)
{
    STJ_FREED struct stj_run_timing *made = NULL;
    if (run->meter[is_single(precision)])
        return STJ_OK;
    STJ_MUST(stj_run_need_data(run, err));
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    STJ_MUST(measure_timing(run, is_single(precision), made, err));
    run->meter[is_single(precision)] = made;
    made = NULL;
    return STJ_OK;
}

enum stj_status stj_run_time(struct stj_run *run, enum stj_precision precision,
                             const struct stj_timing **meter, struct stj_error *err)
{
    enum stj_status st = prepare_timing(run, precision, err);
    if (st == STJ_OK)
        *meter = &run->meter[is_single(precision)]->about;
    return st;
}

/* Blocks cost no more than their vectors one by one. */
static double limit_seconds(double seconds, double limit)
{
    return seconds < limit ? seconds : limit;
}

static enum stj_status measure_block(struct stj_run *run, enum stj_precision precision,
                                     size_t block, struct stj_error *err)
{
    struct stj_run_timing *m = run->meter[is_single(precision)];
    STJ_HELD(sample_free) struct sample s = {.run = run};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    double seconds = 0;
    STJ_MUST(sample_init(&s, run, is_single(precision), block, &seconds, err));
    STJ_MUST(open_window(&s, 0, true, &op, err));
    const double steps = (double)s.n_steps;
    STJ_MUST(time_product(&s, op, STJ_NO_TRANS, block, &seconds, err));
    m->jvp[block] =
        limit_seconds(positive(seconds - m->about.sweep) / steps, (double)block * m->jvp[1]);
    STJ_MUST(time_product(&s, op, STJ_TRANS, block, &seconds, err));
    m->vjp[block] =
        limit_seconds(positive(seconds - m->about.sweep) / steps, (double)block * m->vjp[1]);
    return STJ_OK;
}

enum stj_status stj_run_time_block(struct stj_run *run, enum stj_precision precision, size_t block,
                                   bool backward, double *seconds, struct stj_error *err)
{
    STJ_MUST(prepare_timing(run, precision, err));
    const struct stj_run_timing *m = run->meter[is_single(precision)];
    const size_t measured = block < m->most ? block : m->most;
    if (m->jvp[measured] == 0)
        STJ_MUST(measure_block(run, precision, measured, err));
    *seconds = (backward ? m->vjp : m->jvp)[measured] * (double)block / (double)measured;
    return STJ_OK;
}

/* ---- the machine ---- */

static const double fallback_rate = 1e9; /* where there is no memory to measure with */

double stj_timing_svd_rate(void)
{
    static double rate = 0;
    const size_t n = 320;
    double *a = NULL;
    if (rate > 0 || stj_new(&a, 3 * n * n + n, sizeof *a, NULL) != STJ_OK)
        return rate > 0 ? rate : fallback_rate;
    for (size_t i = 0; i < n * n; i++)
        a[i] = (double)(i * 7919 % 1013) - 500;
    const struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    const double start = stj_clock();
    (void)stj_gesdd(n, n, a, n, a + n * n, a + n * n + n, a + 2 * n * n + n, NULL);
    rate = 22 * (double)(n * n * n) / (stj_clock() - start + 1e-9);
    stj_blas_guard_give(guard);
    free(a);
    return rate;
}

/* Larger than a cache. */
enum { STREAM = 1 << 17 };

double stj_timing_vector_rate(void)
{
    static double rate = 0;
    enum { COLS = 4 };
    double coefficients[COLS] = {0};
    double *a = NULL;
    if (rate > 0 || stj_new(&a, (COLS + 1) * STREAM, sizeof *a, NULL) != STJ_OK)
        return rate > 0 ? rate : fallback_rate;
    const double start = stj_clock();
    stj_gemv(STJ_BLAS_TRANS, STREAM, COLS, 1, a, STREAM, a + COLS * STREAM, 0, coefficients);
    stj_gemv(STJ_BLAS_NO_TRANS, STREAM, COLS, 0, a, STREAM, coefficients, 1, a + COLS * STREAM);
    rate = 2.0 * COLS * STREAM * sizeof *a / (stj_clock() - start + 1e-9);
    free(a);
    return rate;
}

double stj_timing_crc_rate(void)
{
    static double rate = 0;
    real *a = NULL;
    if (rate > 0 || stj_new(&a, STREAM, sizeof *a, NULL) != STJ_OK)
        return rate > 0 ? rate : fallback_rate;
    const double start = stj_clock();
    volatile uint32_t crc = stj_state_crc(STREAM, a);
    (void)crc;
    rate = (double)STREAM * sizeof *a / (stj_clock() - start + 1e-9);
    free(a);
    return rate;
}
