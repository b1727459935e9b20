/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/engine.c: how near products with the training Jacobian come to the speed of a DGEMM.
 *
 *     engine [--case NAME] [--threads N] [--repeat R] [--profile] [--cpu-time] [--single]
 *
 * prints one line of JSON for each case and number of threads (1, and N if that is more; 2 if not
 * given).  In each round, for each number of threads in turn, products with J and with J' of a block
 * of vectors are timed, and then a DGEMM on as many BLAS threads; the first round, in which the
 * primal quantities are made and kept, does not count.  All figures are medians over what was timed.
 *
 *     seconds    of one product with a block, the mean of J and J'
 *     gflops     useful arithmetic of the tangents (bench/flops.c) over seconds
 *     fraction   gflops over those of the DGEMM
 *     speedup    seconds on one thread over seconds
 *     times_double   with --single, products in single precision: seconds in double over seconds
 *
 * Data and parameters are drawn from a seed: nothing here depends on their values.
 *
 * On a machine that others use as well, --cpu-time counts the processor time of this process instead
 * of the time that passes.  It does not see waiting, so it is refused for more than one thread.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spectraj/progress.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "flops.h"
#include "op/training_jacobian.h"
#include "profile.h"

enum {
    DGEMM_SIZE = 2048,
    MOST_SAMPLES = 1024, /* that are kept of one timing */
    MOST_THREAD_COUNTS = 2
};

static const double least_seconds = 0.25;         /* of one round of one timing */
static const size_t kept_bytes = (size_t)4 << 30; /* all cases fit */

struct bench_case {
    const char *name;
    size_t vectors;
    struct small_spec spec;
};

#define SGD "{type: sgd, momentum: 0.9}"
#define COSINE "{schedule: cosine, peak: 0.1}"
#define DIGITS                                                                                     \
    {                                                                                              \
        .network = "{input: [64], layers: [{type: dense, units: 64}, gelu, {type: dense, units: "  \
                   "10}], loss: softmax_cross_entropy}",                                           \
        .optimizer = SGD, .schedule = COSINE, .rows = 1600, .batch = 64, .steps = 625, .seed = 1   \
    }
#define LENET                                                                                      \
    {                                                                                              \
        .network = "{input: [28, 28, 1], layers: ["                                                \
                   "{type: conv2d, filters: 6, kernel: 5, padding: same}, relu, "                  \
                   "{type: average_pool, window: 2}, "                                             \
                   "{type: conv2d, filters: 16, kernel: 5}, relu, "                                \
                   "{type: average_pool, window: 2}, flatten, "                                    \
                   "{type: dense, units: 120}, relu, {type: dense, units: 84}, relu, "             \
                   "{type: dense, units: 10}], loss: softmax_cross_entropy}",                      \
        .optimizer = SGD, .schedule = COSINE, .rows = 800, .batch = 200, .steps = 4, .seed = 3     \
    }
#define BLOCK                                                                                      \
    "{type: residual, layers: [layer_norm, {type: attention, heads: 4}]}, "                        \
    "{type: residual, layers: [layer_norm, {type: dense, units: 512}, gelu, "                      \
    "{type: dense, units: 128}]}, "
#define CAUSAL_BLOCK                                                                               \
    "{type: residual, layers: [layer_norm, {type: attention, heads: 4, causal: true}]}, "          \
    "{type: residual, layers: [layer_norm, {type: dense, units: 512}, gelu, "                      \
    "{type: dense, units: 128}]}, "

/* A stage of ResNet-20: three blocks, the first of which may halve the image. */
#define CONV(filters) "{type: conv2d, filters: " filters ", kernel: 3, padding: 1, bias: false}, "
#define HALF(filters)                                                                              \
    "{type: conv2d, filters: " filters ", kernel: 3, stride: 2, padding: 1, bias: false}, "
#define PROJECTION(filters)                                                                        \
    "shortcut: [{type: conv2d, filters: " filters                                                  \
    ", kernel: 1, stride: 2, bias: false}, batch_norm], "
#define RESNET_BLOCK(shortcut, first, filters)                                                     \
    "{type: residual, " shortcut "layers: [" first                                                 \
    "batch_norm, relu, " CONV(filters) "batch_norm]}, relu, "
#define PLAIN_BLOCK(filters) RESNET_BLOCK("", CONV(filters), filters)
#define HALVING_BLOCK(filters) RESNET_BLOCK(PROJECTION(filters), HALF(filters), filters)

static const struct bench_case cases[] = {
    {"digits-block64", 64, DIGITS},
    {"density-block8", 8, DIGITS},
    {"digits-single", 1, DIGITS},
    {"mlp-784-512-512-10-block16",
     16,
     {.network = "{input: [784], layers: [{type: dense, units: 512}, relu, {type: dense, units: "
                 "512}, relu, {type: dense, units: 10}], loss: softmax_cross_entropy}",
      .optimizer = SGD,
      .schedule = COSINE,
      .rows = 1280,
      .batch = 128,
      .steps = 10,
      .seed = 2}},
    {"lenet-block8", 8, LENET},
    {"lenet-single", 1, LENET},
    {"transformer-block8",
     8,
     {.network =
          "{input: [64], layers: [{type: embedding, vocabulary: 64, width: 128}, positions, " BLOCK
              BLOCK "layer_norm, {type: dense, units: 64}], loss: softmax_cross_entropy}",
      .optimizer = SGD,
      .schedule = COSINE,
      .rows = 48,
      .batch = 16,
      .steps = 3,
      .seed = 4}},
    {"gpt-tied-block8",
     8,
     {.network = "{input: [128], layers: [{type: embedding, vocabulary: 256, width: 128, name: "
                 "wte}, positions, " CAUSAL_BLOCK CAUSAL_BLOCK
                 "layer_norm, {type: dense, units: 256, bias: false, share: {kernel: wte.table}}], "
                 "loss: softmax_cross_entropy}",
      .optimizer = SGD,
      .schedule = COSINE,
      .rows = 16,
      .batch = 8,
      .steps = 2,
      .seed = 5}},
    {"mobilenet-block8",
     8,
     {.network = "{input: [32, 32, 16], layers: ["
                 "{type: conv2d, filters: 64, kernel: 1, bias: false}, batch_norm, relu, "
                 "{type: conv2d, filters: 64, kernel: 3, padding: 1, groups: 64, bias: false}, "
                 "batch_norm, relu, {type: conv2d, filters: 16, kernel: 1, bias: false}, "
                 "{type: group_norm, groups: 4}, layer_norm, "
                 "global_average_pool, {type: dense, units: 10}], loss: softmax_cross_entropy}",
      .optimizer = SGD,
      .schedule = COSINE,
      .rows = 32,
      .batch = 32,
      .steps = 1,
      .seed = 7}},
    {"resnet20-block8",
     8,
     {.network = "{input: [32, 32, 3], layers: [" CONV("16") "batch_norm, relu, " PLAIN_BLOCK("16")
          PLAIN_BLOCK("16") PLAIN_BLOCK("16") HALVING_BLOCK("32") PLAIN_BLOCK("32")
              PLAIN_BLOCK("32") HALVING_BLOCK("64") PLAIN_BLOCK("64")
                  PLAIN_BLOCK("64") "global_average_pool, {type: dense, units: 10}], "
                                    "loss: softmax_cross_entropy}",
      .optimizer = SGD,
      .schedule = COSINE,
      .rows = 64,
      .batch = 64,
      .steps = 1,
      .seed = 6}},
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

struct settings {
    const char *only;                /* NULL: every case */
    size_t threads, repeat, vectors; /* vectors 0: those of the case */
    bool profile, cpu_time, single;
};

static clockid_t clock_used = CLOCK_MONOTONIC;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(clock_used, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct samples {
    size_t n;
    double seconds[MOST_SAMPLES];
};

static void add_sample(struct samples *s, double seconds)
{
    if (s->n < MOST_SAMPLES)
        s->seconds[s->n++] = seconds;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct samples *s)
{
    qsort(s->seconds, s->n, sizeof *s->seconds, compare);
    return (s->seconds[(s->n - 1) / 2] + s->seconds[s->n / 2]) / 2;
}

/* What is timed on one number of threads. */
struct timing {
    size_t threads;
    struct samples product[2]; /* with J, with J' */
    struct samples twice[2];   /* in double, where the products are in single precision */
    struct samples dgemm;
};

/* Three square matrices. */
struct dgemm {
    double *a, *b, *c;
};

static enum stj_status dgemm_create(struct dgemm *d, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = (size_t)DGEMM_SIZE * DGEMM_SIZE;
    STJ_TRY(seeded_normal(n, 5, &d->a, err));
    STJ_TRY(seeded_normal(n, 6, &d->b, err));
    STJ_TRY(stj_new(&d->c, n, sizeof *d->c, err));
out:
    return st;
}

static void dgemm_free(struct dgemm *d)
{
    free(d->a);
    free(d->b);
    free(d->c);
}

static void time_dgemm(const struct dgemm *d, size_t threads, struct samples *samples)
{
    const size_t n = DGEMM_SIZE;
    const struct stj_blas_guard guard = stj_blas_guard_take(threads);
    const double begin = seconds_now();
    double now = begin;
    do {
        const double last = now;
        stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, n, n, 1, d->a, n, d->b, n, 0, d->c, n);
        now = seconds_now();
        add_sample(samples, now - last);
    } while (now - begin < least_seconds);
    stj_blas_guard_give(guard);
}

/* The Jacobian of a case and a block to multiply it with. */
struct subject {
    const struct bench_case *what;
    struct small_run *run;
    double flops; /* of a product with the block */
    struct stj_op *jacobian;
    struct stj_problem *single; /* NULL: products are in double */
    struct stj_op *twice;       /* the Jacobian in double then */
    double *x, *y;              /* [n][vectors] */
};

static enum stj_status subject_create(struct subject *s, const struct bench_case *what,
                                      const struct settings *wanted, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_training_jacobian_settings settings = {.memory_bytes = kept_bytes};
    s->what = what;
    STJ_TRY(small_run_make(&what->spec, &s->run, err));
    s->flops = (double)what->vectors * (double)what->spec.steps *
               tangent_flops(s->run->net, what->spec.batch);
    if (wanted->profile)
        STJ_TRY(profile_attach(s->run, clock_used, err));
    STJ_TRY(stj_training_jacobian_create(s->run->problem, &s->run->recipe, s->run->trajectory,
                                         &settings, &s->jacobian, err));
    if (wanted->single) {
        s->twice = s->jacobian;
        s->jacobian = NULL;
        STJ_TRY(stj_problem_single(s->run->problem, &s->single, err));
        STJ_TRY(stj_training_jacobian_create(s->single, &s->run->recipe, s->run->trajectory,
                                             &settings, &s->jacobian, err));
    }
    STJ_TRY(seeded_normal(s->run->n * what->vectors, 7, &s->x, err));
    STJ_TRY(stj_new(&s->y, s->run->n * what->vectors, sizeof *s->y, err));
out:
    return st;
}

static void subject_free(struct subject *s)
{
    stj_op_destroy(s->jacobian);
    stj_op_destroy(s->twice);
    stj_problem_destroy(s->single);
    profile_detach();
    small_run_destroy(s->run);
    free(s->x);
    free(s->y);
}

/* Products in one direction, at least one. */
static enum stj_status time_products(const struct subject *s, struct stj_op *op,
                                     enum stj_trans trans, struct samples *samples,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = s->run->n;
    const double begin = seconds_now();
    double now = begin;
    do {
        const double last = now;
        STJ_TRY(stj_op_apply(op, trans, s->what->vectors, s->x, n, s->y, n, err));
        now = seconds_now();
        add_sample(samples, now - last);
    } while (now - begin < least_seconds);
out:
    return st;
}

static enum stj_status run_round(const struct subject *s, struct timing *t, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    stj_set_threads(t->threads);
    STJ_TRY(time_products(s, s->jacobian, STJ_NO_TRANS, &t->product[0], err));
    STJ_TRY(time_products(s, s->jacobian, STJ_TRANS, &t->product[1], err));
    if (s->twice) {
        STJ_TRY(time_products(s, s->twice, STJ_NO_TRANS, &t->twice[0], err));
        STJ_TRY(time_products(s, s->twice, STJ_TRANS, &t->twice[1], err));
    }
out:
    return st;
}

/* seconds_alone: of one product on one thread; 0: not known. */
static void print_timing(const struct subject *s, struct timing *t, double seconds_alone)
{
    const double jvp = median(&t->product[0]);
    const double vjp = median(&t->product[1]);
    const double seconds = (jvp + vjp) / 2;
    const double gflops = 1e-9 * s->flops / seconds;
    const double n = DGEMM_SIZE;
    const double dgemm = 1e-9 * 2 * n * n * n / median(&t->dgemm);
    printf("{\"case\":\"%s\",\"threads\":%zu,\"vectors\":%zu,\"n_params\":%zu,\"steps\":%zu,"
           "\"gflops\":%.4g,\"seconds\":%.4g,\"seconds_jvp\":%.4g,\"seconds_vjp\":%.4g,"
           "\"dgemm_gflops\":%.4g,\"fraction\":%.4f",
           s->what->name, t->threads, s->what->vectors, s->run->n, s->what->spec.steps, gflops,
           seconds, jvp, vjp, dgemm, gflops / dgemm);
    if (seconds_alone > 0)
        printf(",\"speedup\":%.3f", seconds_alone / seconds);
    if (s->twice)
        printf(",\"precision\":\"single\",\"times_double\":%.3f",
               (median(&t->twice[0]) + median(&t->twice[1])) / 2 / seconds);
    puts("}");
    fflush(stdout);
}

static enum stj_status measure(const struct subject *s, const struct settings *settings,
                               const struct dgemm *dgemm, struct timing *t, size_t n_counts,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double alone = 0;
    for (size_t round = 0; round <= settings->repeat; round++)
        for (size_t k = 0; k < n_counts; k++) {
            if (round == 1)
                t[k] = (struct timing){.threads = t[k].threads};
            STJ_TRY(run_round(s, &t[k], err));
            time_dgemm(dgemm, t[k].threads, &t[k].dgemm);
        }
    for (size_t k = 0; k < n_counts; k++) {
        print_timing(s, &t[k], alone);
        alone = (median(&t[k].product[0]) + median(&t[k].product[1])) / 2;
    }
out:
    return st;
}

/* Instead of `measure`: where the time goes. */
static enum stj_status take_profile(const struct subject *s, const struct settings *settings,
                                    struct timing *t, size_t n_counts, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    for (size_t k = 0; k < n_counts; k++) {
        STJ_TRY(run_round(s, &t[k], err));
        t[k] = (struct timing){.threads = t[k].threads};
        profile_reset();
        const double begin = seconds_now();
        for (size_t round = 0; round < settings->repeat; round++)
            STJ_TRY(run_round(s, &t[k], err));
        const double seconds = seconds_now() - begin;
        printf("{\"case\":\"%s\",\"threads\":%zu,\"vectors\":%zu,\"seconds\":%.4g,", s->what->name,
               t[k].threads, s->what->vectors,
               (median(&t[k].product[0]) + median(&t[k].product[1])) / 2);
        profile_print(stdout, seconds * (double)t[k].threads);
        puts("}");
        fflush(stdout);
    }
out:
    return st;
}

static enum stj_status run_case(const struct bench_case *what, const struct settings *settings,
                                const struct dgemm *dgemm, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct subject s = {0};
    struct timing *t = NULL;
    const size_t n_counts = settings->threads > 1 ? MOST_THREAD_COUNTS : 1;
    struct bench_case of = *what;
    of.vectors = settings->vectors ? settings->vectors : what->vectors;
    STJ_TRY(stj_new(&t, MOST_THREAD_COUNTS, sizeof *t, err));
    t[0].threads = 1;
    t[1].threads = settings->threads;
    stj_set_threads(settings->threads);
    STJ_TRY(subject_create(&s, &of, settings, err));
    if (settings->profile)
        STJ_TRY(take_profile(&s, settings, t, n_counts, err));
    else
        STJ_TRY(measure(&s, settings, dgemm, t, n_counts, err));
out:
    subject_free(&s);
    free(t);
    return st;
}

static bool parse_count(const char *text, size_t most, size_t *value)
{
    char *end = NULL;
    const unsigned long n = strtoul(text, &end, 10);
    *value = n;
    return text[0] >= '0' && text[0] <= '9' && !*end && n >= 1 && n <= most;
}

static const struct bench_case *find_case(const char *name)
{
    for (size_t i = 0; i < N_CASES; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}

static int usage(const char *what)
{
    fprintf(stderr,
            "engine: %s\n"
            "usage: engine [--case NAME] [--threads N] [--vectors K] [--repeat R] [--profile] "
            "[--cpu-time] [--single]\n"
            "N: 1 to 64 (2); K: 1 to 1000 (the case's); R, rounds that count: 1 to 1000 (5); "
            "cases:\n",
            what);
    for (size_t i = 0; i < N_CASES; i++)
        fprintf(stderr, "    %s\n", cases[i].name);
    return EXIT_FAILURE;
}

/* What is wrong with the command line, or NULL. */
static const char *parse_arguments(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {
        {"case", required_argument, NULL, 'c'},   {"threads", required_argument, NULL, 't'},
        {"repeat", required_argument, NULL, 'r'}, {"vectors", required_argument, NULL, 'v'},
        {"profile", no_argument, NULL, 'p'},      {"cpu-time", no_argument, NULL, 'u'},
        {"single", no_argument, NULL, 's'},       {NULL, 0, NULL, 0},
    };
    int key;
    opterr = 0;
    while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (key == 'c')
            s->only = optarg;
        else if (key == 'p')
            s->profile = true;
        else if (key == 'u')
            s->cpu_time = true;
        else if (key == 's')
            s->single = true;
        else if (key == 't' && !parse_count(optarg, 64, &s->threads))
            return "--threads takes a number from 1 to 64";
        else if (key == 'r' && !parse_count(optarg, 1000, &s->repeat))
            return "--repeat takes a number from 1 to 1000";
        else if (key == 'v' && !parse_count(optarg, 1000, &s->vectors))
            return "--vectors takes a number from 1 to 1000";
        else if (key == '?')
            return "an unknown option, or one without its value";
    }
    if (optind < argc)
        return "there are no arguments beside the options";
    if (s->cpu_time && s->threads > 1)
        return "--cpu-time needs --threads 1";
    return s->only && !find_case(s->only) ? "there is no such case" : NULL;
}

int main(int argc, char **argv)
{
    enum stj_status st = STJ_OK;
    struct stj_error err = STJ_ERROR_INIT;
    struct settings settings = {.threads = 2, .repeat = 5};
    struct dgemm dgemm = {0};
    const char *wrong = parse_arguments(argc, argv, &settings);
    if (wrong)
        return usage(wrong);
    if (settings.cpu_time)
        clock_used = CLOCK_PROCESS_CPUTIME_ID;
    STJ_TRY(dgemm_create(&dgemm, &err));
    for (size_t i = 0; i < N_CASES; i++)
        if (!settings.only || strcmp(settings.only, cases[i].name) == 0)
            STJ_TRY(run_case(&cases[i], &settings, &dgemm, &err));
out:
    dgemm_free(&dgemm);
    if (st != STJ_OK)
        fprintf(stderr, "engine: %s\n", err.text);
    return st == STJ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
