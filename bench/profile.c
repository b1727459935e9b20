/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/profile.c: tables of operations that delegate and time.
 *
 * Each thread counts for itself; the counters are added up when they are printed.  A call of a clock
 * takes about 30 ns (of that of processor time, 300), so what consists of many tiny products looks a
 * little slower than it is.
 */
#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "net/network_internal.h"

enum { MOST_THREADS = 64, MOST_NODES = 128, FORWARD = 0, BACKWARD = 1 };

struct gemm_count {
    double seconds, flops;
};

struct counters {
    double linearize, product, update;
    struct gemm_count gemm; /* within products */
    double node[MOST_NODES][2];
    double bytes[MOST_NODES]; /* of tangents that a node reads and writes, each once a pass */
    struct gemm_count node_gemm[MOST_NODES];
};

/* The profile that is attached. */
static struct {
    struct small_run *run; /* NULL: none */
    clockid_t clock;
    const struct stj_problem_ops *problem;
    const struct stj_optimizer_ops *optimizer;
    struct stj_layer *layer; /* of each node, as it was */
    struct counters counters[MOST_THREADS];
} profile;

/* All matrix products of this thread so far. */
static _Thread_local struct gemm_count gemm_so_far;

static double profile_clock(void)
{
    struct timespec t;
    clock_gettime(profile.clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct counters *mine(void)
{
    return &profile.counters[stj_thread_number()];
}

static void add_gemm(struct gemm_count *to, struct gemm_count since)
{
    to->seconds += gemm_so_far.seconds - since.seconds;
    to->flops += gemm_so_far.flops - since.flops;
}

/* Matrix products: the names that the linker's --wrap wants. */
void __real_stj_gemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
                     size_t k, real alpha, const real *a, size_t lda, const real *b, size_t ldb,
                     real beta, real *c, size_t ldc);
void __wrap_stj_gemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
                     size_t k, real alpha, const real *a, size_t lda, const real *b, size_t ldb,
                     real beta, real *c, size_t ldc);

void __wrap_stj_gemm(enum stj_blas_trans trans_a, enum stj_blas_trans trans_b, size_t m, size_t n,
                     size_t k, real alpha, const real *a, size_t lda, const real *b, size_t ldb,
                     real beta, real *c, size_t ldc)
{
    const double begin = profile.run ? profile_clock() : 0;
    __real_stj_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (!profile.run)
        return;
    gemm_so_far.seconds += profile_clock() - begin;
    gemm_so_far.flops += 2 * (double)m * (double)n * (double)k;
}

/* The problem. */
static enum stj_status timed_linearize(const void *self, size_t step, struct stj_slice slice,
                                       const real *theta, real *lin, double *loss, real *g,
                                       real *scratch, struct stj_error *err)
{
    const double begin = profile_clock();
    enum stj_status st =
        profile.problem->linearize(self, step, slice, theta, lin, loss, g, scratch, err);
    mine()->linearize += profile_clock() - begin;
    return st;
}

static enum stj_status timed_hvp(const void *self, size_t step, struct stj_slice slice,
                                 const real *theta, const real *lin, size_t nvec, const real *x,
                                 real *y, real *scratch, struct stj_error *err)
{
    const struct gemm_count since = gemm_so_far;
    const double begin = profile_clock();
    enum stj_status st =
        profile.problem->hvp(self, step, slice, theta, lin, nvec, x, y, scratch, err);
    mine()->product += profile_clock() - begin;
    add_gemm(&mine()->gemm, since);
    return st;
}

static struct stj_problem_ops timed_problem;

/* The optimizer. */
static void timed_tangent(const void *config, const struct stj_step *at,
                          const struct stj_update_tile *tile)
{
    const double begin = profile_clock();
    profile.optimizer->tangent(config, at, tile);
    mine()->update += profile_clock() - begin;
}

static void timed_adjoint(const void *config, const struct stj_step *at,
                          const struct stj_update_tile *tile)
{
    const double begin = profile_clock();
    profile.optimizer->adjoint(config, at, tile);
    mine()->update += profile_clock() - begin;
}

static struct stj_optimizer_ops timed_optimizer;

/* The layers: every function must see the layer with its real table, from which it may be derived. */
static size_t node_of(const struct stj_layer *layer)
{
    return (size_t)((const struct stj_node *)layer - profile.run->net->node);
}

static const struct stj_layer *real_layer(const struct stj_layer *layer)
{
    return &profile.layer[node_of(layer)];
}

/* Of a pass in which the first input's values, or their bars too (n_of_input 2), go through memory. */
static double tangent_bytes(size_t i, size_t n, size_t n_of_input)
{
    const struct stj_node *node = &profile.run->net->node[i];
    return (double)(n * (n_of_input * node->n_in + node->n_out)) * sizeof(real);
}

static size_t timed_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct stj_layer *as = real_layer(layer);
    return as->ops->n_scratch ? as->ops->n_scratch(as, batch, nvec) : 0;
}

static void timed_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    const struct stj_layer *as = real_layer(layer);
    as->ops->forward(as, y, at, scratch);
}

static void timed_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    const struct stj_layer *as = real_layer(layer);
    const size_t i = node_of(layer);
    const struct gemm_count since = gemm_so_far;
    const double begin = profile_clock();
    as->ops->forward_tangent(as, nvec, y_dot, at, x_dot, x2_dot, theta_dot, scratch);
    mine()->node[i][FORWARD] += profile_clock() - begin;
    mine()->bytes[i] += tangent_bytes(i, nvec * at->batch, 1);
    add_gemm(&mine()->node_gemm[i], since);
}

static void timed_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    const struct stj_layer *as = real_layer(layer);
    as->ops->backward(as, beta, x_bar, x2_bar, theta_bar, at, scratch);
}

static void timed_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    const struct stj_layer *as = real_layer(layer);
    const size_t i = node_of(layer);
    const struct gemm_count since = gemm_so_far;
    const double begin = profile_clock();
    as->ops->backward_tangent(as, nvec, beta, x_bar_dot, x2_bar_dot, theta_bar_dot, at, x_dot,
                              x2_dot, theta_dot, y_bar_dot, scratch);
    mine()->node[i][BACKWARD] += profile_clock() - begin;
    mine()->bytes[i] += tangent_bytes(i, nvec * at->batch, 2);
    add_gemm(&mine()->node_gemm[i], since);
}

static size_t timed_n_record(const struct stj_layer *layer, size_t nvec)
{
    const struct stj_layer *as = real_layer(layer);
    return as->ops->n_record(as, nvec);
}

static void timed_record(const struct stj_layer *layer, enum stj_pass pass, size_t nvec,
                         real *record, const struct stj_layer_values *at, const real *x_dot,
                         const real *y_bar_dot)
{
    const struct stj_layer *as = real_layer(layer);
    const double begin = profile_clock();
    as->ops->record(as, pass, nvec, record, at, x_dot, y_bar_dot);
    if (pass == STJ_FORWARD_TANGENT || pass == STJ_BACKWARD_TANGENT)
        mine()->node[node_of(layer)][pass == STJ_BACKWARD_TANGENT] += profile_clock() - begin;
}

#define TIMED_LAYER                                                                                \
    .info = {.name = "timed"}, .n_scratch = timed_n_scratch, .forward = timed_forward,             \
    .forward_tangent = timed_forward_tangent, .backward = timed_backward,                          \
    .backward_tangent = timed_backward_tangent

/* Of layers without records and with them: a network asks the table which a layer is. */
static const struct stj_layer_ops timed_layer = {TIMED_LAYER};
static const struct stj_layer_ops timed_layer_with_record = {
    TIMED_LAYER, .n_record = timed_n_record, .record = timed_record};

enum stj_status profile_attach(struct small_run *run, clockid_t clock, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_network *net = run->net;
    STJ_CHECK(err, stj_threads() <= MOST_THREADS, STJ_EUNSUPPORTED,
              "a profile of %zu threads: it has room for %d", stj_threads(), MOST_THREADS);
    STJ_CHECK(err, net->n_nodes <= MOST_NODES, STJ_EUNSUPPORTED,
              "a profile of %zu nodes: it has room for %d", net->n_nodes, MOST_NODES);
    STJ_TRY(stj_new(&profile.layer, net->n_nodes, sizeof *profile.layer, err));
    profile.clock = clock;
    profile.problem = run->problem->ops;
    timed_problem = *profile.problem;
    timed_problem.linearize = timed_linearize;
    timed_problem.hvp = timed_hvp;
    run->problem->ops = &timed_problem;
    profile.optimizer = stj_recipe_optimizer(&run->recipe);
    timed_optimizer = *profile.optimizer;
    timed_optimizer.tangent = timed_tangent;
    timed_optimizer.adjoint = timed_adjoint;
    run->optimizer.info = &timed_optimizer.info;
    for (size_t i = 0; i < net->n_nodes; i++) {
        profile.layer[i] = net->node[i].layer;
        net->node[i].layer.ops =
            profile.layer[i].ops->record ? &timed_layer_with_record : &timed_layer;
    }
    profile.run = run;
    profile_reset();
out:
    return st;
}

void profile_detach(void)
{
    struct small_run *run = profile.run;
    if (!run)
        return;
    run->problem->ops = profile.problem;
    run->optimizer.info = &profile.optimizer->info;
    for (size_t i = 0; i < run->net->n_nodes; i++)
        run->net->node[i].layer.ops = profile.layer[i].ops;
    free(profile.layer);
    profile.layer = NULL;
    profile.run = NULL;
}

void profile_reset(void)
{
    memset(profile.counters, 0, sizeof profile.counters);
}

static void add_counters(struct counters *sum, const struct counters *more)
{
    sum->linearize += more->linearize;
    sum->product += more->product;
    sum->update += more->update;
    sum->gemm.seconds += more->gemm.seconds;
    sum->gemm.flops += more->gemm.flops;
    for (size_t i = 0; i < MOST_NODES; i++) {
        sum->node[i][FORWARD] += more->node[i][FORWARD];
        sum->node[i][BACKWARD] += more->node[i][BACKWARD];
        sum->bytes[i] += more->bytes[i];
        sum->node_gemm[i].seconds += more->node_gemm[i].seconds;
        sum->node_gemm[i].flops += more->node_gemm[i].flops;
    }
}

/* In 10^9 a second; 0 of what was not called. */
static double rate(double amount, double seconds)
{
    return seconds > 0 ? 1e-9 * amount / seconds : 0;
}

void profile_print(FILE *file, double thread_seconds)
{
    struct counters sum = {0};
    for (size_t k = 0; k < MOST_THREADS; k++)
        add_counters(&sum, &profile.counters[k]);
    double loss = sum.product;
    fprintf(file, "\"linearize\":%.4f,\"product\":%.4f,\"update\":%.4f,\"rest\":%.4f",
            sum.linearize / thread_seconds, sum.product / thread_seconds,
            sum.update / thread_seconds,
            1 - (sum.linearize + sum.product + sum.update) / thread_seconds);
    fprintf(file, ",\"gemm\":%.4f,\"gemm_gflops\":%.4g,\"nodes\":[",
            sum.gemm.seconds / thread_seconds, rate(sum.gemm.flops, sum.gemm.seconds));
    for (size_t i = 0; i < profile.run->net->n_nodes; i++) {
        fprintf(file,
                "{\"node\":\"%s\",\"forward\":%.4f,\"backward\":%.4f,\"gbytes\":%.4g,"
                "\"gemm\":%.4f,\"gemm_gflops\":%.4g},",
                profile.run->net->node[i].label, sum.node[i][FORWARD] / thread_seconds,
                sum.node[i][BACKWARD] / thread_seconds,
                rate(sum.bytes[i], sum.node[i][FORWARD] + sum.node[i][BACKWARD]),
                sum.node_gemm[i].seconds / thread_seconds,
                rate(sum.node_gemm[i].flops, sum.node_gemm[i].seconds));
        loss -= sum.node[i][FORWARD] + sum.node[i][BACKWARD];
    }
    fprintf(file, "{\"node\":\"loss\",\"backward\":%.4f}]", loss / thread_seconds);
}
