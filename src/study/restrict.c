/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/restrict.c: training within a few directions of the space of parameters.
 *
 *     theta = theta_0 + B z,      z trained by the run's own recipe: gradient B'g, slots in z
 *
 * B holds right singular vectors, for each k in a list:
 *
 *     chaotic      the k of the largest singular values
 *     stable       the k of the smallest
 *     bulk         the k nearest to 1
 *     complement   the k farthest from 1: bulk is left out as far as possible
 *     random       k orthonormal random vectors: the control
 *
 * On request with the singular values of d z_n / d z_0 of each training, which is k x k.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "parallel/ranks.h"
#include "study/restricted_jacobian.h"
#include "study/retrain.h"
#include "study/studies.h"
#include "train/optimizers.h"

enum family { CHAOTIC, STABLE, BULK, COMPLEMENT, RANDOM, N_FAMILIES };

static const char *const family_name[N_FAMILIES] = {"chaotic", "stable", "bulk", "complement",
                                                    "random"};
static const enum stj_chart_colour family_colour[N_FAMILIES] = {
    STJ_CHART_VERMILLION, STJ_CHART_BLUE, STJ_CHART_GREEN, STJ_CHART_PURPLE, STJ_CHART_BLACK};

struct restrict_config {
    struct stj_sizes k;
    size_t jacobian;
    bool has_jacobian;
};

static const size_t default_k[] = {10, 20, 50, 100, 200, 500, 1000, 2000};

#define OPTION(...) STJ_OPTION_ROW(struct restrict_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("k", SIZES, k, "",
           "dimensions to train within, at most the number of parameters (default: those of "
           "10,20,50,100,200,500,1000,2000)",
           .min = 1),
    OPTION("jacobian", SIZE, jacobian, "",
           "also the singular values of the Jacobian d z_n / d z_0 of each training within at most "
           "K directions, by as many products (default: of none)",
           .present_offset = offsetof(struct restrict_config, has_jacobian), .min = 1,
           .value = "K"),
    {.name = NULL},
};

/* The copies: family f with k[j] directions is copy f * n_k + j, without those that are not
 * known. */
struct plan {
    const struct stj_directions *d;
    uint64_t seed;
    size_t n_k;
    size_t *k;
    double *theta_0;
    size_t *by_distance; /* directions by |sigma - 1|, nearest first; NULL unless all are known */
    size_t n_copies;
    size_t *family, *which, *columns; /* [n_copies] */
};

static void plan_free(struct plan *p)
{
    free(p->k);
    free(p->theta_0);
    free(p->by_distance);
    free(p->family);
    free(p->which);
    free(p->columns);
}

/* ---- which directions ---- */

struct distance {
    double distance;
    size_t i;
};

static int nearer(const void *a, const void *b)
{
    const struct distance *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

static enum stj_status sort_by_distance(struct plan *p, struct stj_error *err)
{
    const size_t n = p->d->n;
    STJ_FREED struct distance *list = NULL;
    if (stj_directions_n_known(p->d) < n)
        return STJ_OK;
    STJ_MUST(stj_new(&list, n, sizeof *list, err));
    STJ_MUST(stj_new(&p->by_distance, n, sizeof *p->by_distance, err));
    for (size_t i = 0; i < n; i++)
        list[i] = (struct distance){fabs(p->d->sigma[i] - 1), i};
    qsort(list, n, sizeof *list, nearer);
    for (size_t i = 0; i < n; i++)
        p->by_distance[i] = list[i].i;
    return STJ_OK;
}

/* Direction j of the k of a family. */
static size_t member(const struct plan *p, enum family f, size_t k, size_t j)
{
    const size_t n = p->d->n;
    switch (f) {
    case CHAOTIC:
        return j;
    case STABLE:
        return n - k + j;
    case BULK:
        return p->by_distance[j];
    default:
        return p->by_distance[n - k + j];
    }
}

static bool is_known(const struct plan *p, enum family f, size_t k)
{
    const struct stj_directions *d = p->d;
    const bool all = stj_directions_n_known(d) == d->n;
    switch (f) {
    case CHAOTIC:
        return all || k <= d->top;
    case STABLE:
        return all || k <= d->bottom;
    case RANDOM:
        return true;
    default:
        return all;
    }
}

static int by_number(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static enum stj_status restrict_gather(const struct plan *p, enum family f, size_t k, double *basis,
                                       struct stj_error *err)
{
    STJ_FREED size_t *item = NULL;
    STJ_MUST(stj_new(&item, k, sizeof *item, err));
    for (size_t j = 0; j < k; j++)
        item[j] = member(p, f, k, j);
    qsort(item, k, sizeof *item, by_number); /* neighbours are read together */
    return stj_directions_gather(p->d, STJ_RIGHT, k, item, basis, err);
}

/* basis <- k random directions: the first k of one sequence, made orthonormal. */
static enum stj_status restrict_draw(const struct plan *p, size_t k, double *basis,
                                     struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(stj_rng_create(p->seed, STJ_STREAM_STUDY, 1, &rng, err));
    stj_rng_fill_normal(rng, k * p->d->n, basis);
    return stj_qr(p->d->n, k, basis, p->d->n, NULL, err);
}

static enum stj_status begin(void *ctx, size_t copy, struct stj_copy *start, struct stj_error *err)
{
    const struct plan *p = ctx;
    const enum family f = (enum family)p->family[copy];
    const size_t k = p->columns[copy];
    size_t size = 0;
    memcpy(start->theta, p->theta_0, p->d->n * sizeof *start->theta);
    STJ_MUST(stj_size_mul(k, p->d->n, &size, err));
    STJ_MUST(stj_new(&start->basis, size, sizeof *start->basis, err));
    start->k = k;
    return f == RANDOM ? restrict_draw(p, k, start->basis, err)
                       : restrict_gather(p, f, k, start->basis, err);
}

/* ---- the plan ---- */

/* The k asked for, or those of the default list that fit. */
static enum stj_status list_k(struct plan *p, const struct stj_sizes *given, struct stj_error *err)
{
    const size_t *from = given->n ? given->item : default_k;
    const size_t n = given->n ? given->n : sizeof default_k / sizeof default_k[0];
    STJ_MUST(stj_new(&p->k, n, sizeof *p->k, err));
    for (size_t i = 0; i < n; i++) {
        STJ_NEED(err, !given->n || from[i] <= p->d->n, STJ_EINVAL,
                 "study restrict: k: %zu directions, but there are %zu, as many as parameters",
                 from[i], p->d->n);
        if (from[i] <= p->d->n)
            p->k[p->n_k++] = from[i];
    }
    if (p->n_k == 0) /* a tiny network */
        p->k[p->n_k++] = p->d->n;
    return STJ_OK;
}

static enum stj_status list_copies(struct plan *p, struct stj_error *err)
{
    STJ_MUST(stj_new(&p->family, N_FAMILIES * p->n_k, sizeof *p->family, err));
    STJ_MUST(stj_new(&p->which, N_FAMILIES * p->n_k, sizeof *p->which, err));
    STJ_MUST(stj_new(&p->columns, N_FAMILIES * p->n_k, sizeof *p->columns, err));
    for (enum family f = CHAOTIC; f < N_FAMILIES; f++)
        for (size_t j = 0; j < p->n_k; j++) {
            if (!is_known(p, f, p->k[j]))
                continue;
            p->family[p->n_copies] = f;
            p->which[p->n_copies] = j;
            p->columns[p->n_copies++] = p->k[j];
        }
    return STJ_OK;
}

static enum stj_status make_plan(const struct stj_study_context *cx,
                                 const struct restrict_config *c, struct plan *p,
                                 struct stj_error *err)
{
    p->d = cx->directions;
    p->seed = cx->seed;
    STJ_MUST(list_k(p, &c->k, err));
    STJ_MUST(sort_by_distance(p, err));
    STJ_MUST(list_copies(p, err));
    STJ_MUST(stj_new(&p->theta_0, p->d->n, sizeof *p->theta_0, err));
    return stj_run_theta(cx->run, 0, p->theta_0, err);
}

/* ---- the result ---- */

/* loss, accuracy [N_FAMILIES][n_k] <- of all copies; NaN where directions lack or training left the
 * finite numbers. */
static enum stj_status train_all(const struct stj_study_context *cx, struct plan *p, double *loss,
                                 double *accuracy, struct stj_error *err)
{
    const struct stj_retraining work = {.problem = cx->run->problem,
                                        .recipe = &cx->run->recipe,
                                        .n_copies = p->n_copies,
                                        .columns = p->columns,
                                        .memory_bytes = cx->memory_bytes,
                                        .begin = begin,
                                        .ctx = p,
                                        .log = cx->log,
                                        .progress = cx->progress};
    STJ_HELD(stj_retrained_destroy_at) struct stj_retrained *done = NULL;
    STJ_FREED double *theta = NULL;
    bool finite = false;
    for (size_t i = 0; i < N_FAMILIES * p->n_k; i++)
        loss[i] = accuracy[i] = (double)NAN;
    STJ_MUST(stj_new(&theta, p->d->n, sizeof *theta, err));
    STJ_MUST(stj_retrain(&work, &done, err));
    for (size_t i = 0; i < p->n_copies; i++) {
        const size_t at = p->family[i] * p->n_k + p->which[i];
        STJ_MUST(stj_retrained_theta(done, i, theta, &finite, err));
        if (finite)
            STJ_MUST(
                stj_study_evaluate(cx->run, cx->run->test, theta, &loss[at], &accuracy[at], err));
    }
    return STJ_OK;
}

/* The copies within at most `most` directions: family, k, and the singular values. */
static enum stj_status put_jacobians(const struct stj_study_context *cx, struct plan *p,
                                     size_t most, struct stj_study_result *r, struct stj_error *err)
{
    size_t n = 0;
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&sigma, most < p->d->n ? most : p->d->n, sizeof *sigma, err));
    for (size_t i = 0; i < p->n_copies; i++) {
        STJ_FREED double *origin = NULL, *basis = NULL;
        struct stj_copy copy = {.k = 0};
        bool finite = false;
        if (p->columns[i] > most)
            continue;
        STJ_MUST(stj_new(&origin, p->d->n, sizeof *origin, err));
        copy.theta = origin;
        const enum stj_status st = begin(p, i, &copy, err);
        basis = copy.basis;
        STJ_MUST(st);
        const struct stj_subspace subspace = {copy.k, basis, origin};
        STJ_MUST(stj_restricted_jacobian(cx, &subspace, sigma, &finite, err));
        STJ_MUST(stj_study_put_text(r, family_name[p->family[i]], err, "jacobians[%zu].family", n));
        STJ_MUST(stj_study_put_count(r, copy.k, err, "jacobians[%zu].k", n));
        STJ_MUST(stj_study_put_reals(r, copy.k, sigma, err, "jacobians[%zu].sigma", n++));
    }
    return stj_study_put_count(r, n, err, "n_jacobians");
}

static enum stj_status restrict_put(const struct stj_study_context *cx, const struct plan *p,
                                    const double *loss, const double *accuracy,
                                    struct stj_study_result *r, struct stj_error *err)
{
    double initial_loss = 0, initial_accuracy = 0;
    STJ_MUST(stj_directions_put(p->d, r, err));
    STJ_MUST(stj_study_put_counts(r, p->n_k, p->k, err, "k"));
    for (enum family f = CHAOTIC; f < N_FAMILIES; f++) {
        STJ_MUST(
            stj_study_put_reals(r, p->n_k, loss + f * p->n_k, err, "%s.test_loss", family_name[f]));
        STJ_MUST(stj_study_put_reals(r, p->n_k, accuracy + f * p->n_k, err, "%s.test_accuracy",
                                     family_name[f]));
    }
    STJ_MUST(stj_study_evaluate(cx->run, cx->run->test, p->theta_0, &initial_loss,
                                &initial_accuracy, err));
    STJ_MUST(stj_study_put_real(r, initial_loss, err, "initial_test_loss"));
    STJ_MUST(stj_study_put_real(r, initial_accuracy, err, "initial_test_accuracy"));
    STJ_MUST(stj_study_put_real(r, cx->run->about.test_loss, err, "trained_test_loss"));
    return stj_study_put_real(r, cx->run->about.test_accuracy, err, "trained_test_accuracy");
}

static enum stj_status restrict_run(const struct stj_study_context *cx, const void *config,
                                    struct stj_study_result *r, struct stj_error *err)
{
    STJ_HELD(plan_free) struct plan p = {.d = NULL};
    STJ_FREED double *accuracy = NULL, *loss = NULL;
    STJ_NEED(err, cx->run->test, STJ_EINVAL,
             "%s has no test set, and study restrict compares test losses: give data.test in the "
             "config",
             cx->run->dir);
    const struct restrict_config *c = config;
    STJ_NEED(err, stj_recipe_optimizer(&cx->run->recipe) != &stj_optimizer_own_step,
             STJ_EUNSUPPORTED,
             "study restrict: the steps of this run are its process's own (optimizer: " STJ_OWN_STEP
             "), and there is no gradient to be restricted: take a problem with gradients");
    STJ_NEED(err, c->jacobian == 0 || stj_n_ranks() == 1, STJ_EUNSUPPORTED,
             "study restrict: --jacobian is for one process: leave out mpirun");
    STJ_MUST(make_plan(cx, config, &p, err));
    STJ_MUST(stj_new(&loss, N_FAMILIES * p.n_k, sizeof *loss, err));
    STJ_MUST(stj_new(&accuracy, N_FAMILIES * p.n_k, sizeof *accuracy, err));
    STJ_MUST(train_all(cx, &p, loss, accuracy, err));
    STJ_MUST(restrict_put(cx, &p, loss, accuracy, r, err));
    return c->jacobian > 0 ? put_jacobians(cx, &p, c->jacobian, r, err) : STJ_OK;
}

static const char *jacobian_family(const struct stj_study_result *r, size_t i)
{
    char item[STJ_STUDY_NAME_MAX];
    snprintf(item, sizeof item, "jacobians[%zu].family", i);
    return stj_study_text(r, item);
}

/* Results without Jacobians, also those of older versions, have no such item. */
static size_t count_jacobians(const struct stj_study_result *r)
{
    return stj_study_find(r, "n_jacobians") ? (size_t)stj_study_number(r, "n_jacobians") : 0;
}

static void print_jacobians(FILE *out, const struct stj_study_result *r)
{
    size_t n = 0;
    if (count_jacobians(r) > 0)
        fprintf(out, "singular values of d z_n / d z_0\n%8s %11s %11s %11s %11s %11s\n", "k", "",
                "largest", "above 1.1", "below 0.9", "smallest");
    for (size_t i = 0; i < count_jacobians(r); i++) {
        const double *sigma = stj_study_vector(r, &n, "jacobians[%zu].sigma", i);
        size_t above = 0, below = 0;
        for (size_t j = 0; j < n; j++) {
            above += sigma[j] > 1.1;
            below += sigma[j] < 0.9;
        }
        if (n == 0 || isnan(sigma[0]))
            fprintf(out, "%8zu %11s %11s: the training left the finite numbers\n", n,
                    jacobian_family(r, i), "-");
        else
            fprintf(out, "%8zu %11s %11.5g %11zu %11zu %11.5g\n", n, jacobian_family(r, i),
                    sigma[0], above, below, sigma[n - 1]);
    }
}

static void print_table(FILE *out, const struct stj_study_result *r, const char *what)
{
    size_t n = 0;
    const double *k = stj_study_vector(r, &n, "k");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%8.0f", k[i]);
        for (enum family f = CHAOTIC; f < N_FAMILIES; f++) {
            const double x = stj_study_vector(r, &n, "%s.%s", family_name[f], what)[i];
            if (isnan(x))
                fprintf(out, " %11s", "-");
            else
                fprintf(out, " %11.5f", x);
        }
        fputc('\n', out);
    }
}

static void restrict_print(FILE *out, const struct stj_study_result *r)
{
    fprintf(out, "trained within theta_0 + span(B), B of k right singular vectors: test loss\n");
    fprintf(out, "%8s", "k");
    for (enum family f = CHAOTIC; f < N_FAMILIES; f++)
        fprintf(out, " %11s", family_name[f]);
    fputc('\n', out);
    print_table(out, r, "test_loss");
    fprintf(out, "test accuracy\n");
    print_table(out, r, "test_accuracy");
    fprintf(out, "before training %.6g and %.4g; trained everywhere %.6g and %.4g\n",
            stj_study_number(r, "initial_test_loss"), stj_study_number(r, "initial_test_accuracy"),
            stj_study_number(r, "trained_test_loss"), stj_study_number(r, "trained_test_accuracy"));
    print_jacobians(out, r);
    stj_directions_print(out, r);
}

static enum stj_status make_figure(const struct stj_study_result *r, const char *what,
                                   const char *label, struct stj_chart *chart,
                                   struct stj_error *err)
{
    size_t n = 0;
    const double *k = stj_study_vector(r, &n, "k");
    stj_chart_title(chart, "Training within k directions");
    stj_axis_name(&chart->x, "k", "number of directions k");
    stj_axis_name(&chart->y, what, label);
    chart->x.log = true;
    for (enum family f = CHAOTIC; f < N_FAMILIES; f++)
        /* Up to a k, chaotic and complement are the same directions: both are to be seen. */
        STJ_MUST(stj_chart_add(
            chart, f == COMPLEMENT ? STJ_CHART_BROKEN : STJ_CHART_BOTH, family_colour[f], n, k,
            stj_study_vector(r, &n, "%s.%s", family_name[f], what), err, "%s", family_name[f]));
    stj_chart_limit(chart, stj_study_number(r, "trained_%s", what));
    return STJ_OK;
}

static enum stj_status make_loss(const struct stj_study_result *r, struct stj_chart *chart,
                                 struct stj_error *err)
{
    chart->y.log = true;
    return make_figure(r, "test_loss", "test loss (dashed: trained everywhere)", chart, err);
}

static enum stj_status make_accuracy(const struct stj_study_result *r, struct stj_chart *chart,
                                     struct stj_error *err)
{
    return make_figure(r, "test_accuracy", "test accuracy (dashed: trained everywhere)", chart,
                       err);
}

/* The spectra of the largest k that has one. */
static enum stj_status restrict_make_spectrum(const struct stj_study_result *r,
                                              struct stj_chart *chart, struct stj_error *err)
{
    size_t most = 0, n = 0;
    STJ_NEED(err, count_jacobians(r) > 0, STJ_EINVAL,
             "this result of study restrict has no Jacobians: run 'spectraj study restrict RUN "
             "--jacobian K', with a --tag that plot gets too");
    for (size_t i = 0; i < count_jacobians(r); i++)
        if ((size_t)stj_study_number(r, "jacobians[%zu].k", i) > most)
            most = (size_t)stj_study_number(r, "jacobians[%zu].k", i);
    stj_chart_title(chart, "Jacobians of trainings within %zu directions", most);
    stj_axis_name(&chart->x, "index", "index");
    stj_axis_name(&chart->y, "sigma", "singular value");
    chart->y.log = true;
    chart->y.floor = 1e-4;
    for (size_t i = 0; i < count_jacobians(r); i++) {
        const double *sigma = stj_study_vector(r, &n, "jacobians[%zu].sigma", i);
        enum family f = CHAOTIC;
        while (strcmp(family_name[f], jacobian_family(r, i)) != 0)
            f++;
        if (n == most)
            STJ_MUST(stj_chart_add(chart, f == COMPLEMENT ? STJ_CHART_BROKEN : STJ_CHART_BOTH,
                                   family_colour[f], n, NULL, sigma, err, "%s", family_name[f]));
    }
    stj_chart_limit(chart, 1.1);
    stj_chart_limit(chart, 0.9);
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"restrict", "test loss of training within k directions", make_loss},
    {"within-spectrum", "singular values of the Jacobians of training within k directions",
     restrict_make_spectrum},
    {"restrict-accuracy", "test accuracy of training within k directions", make_accuracy},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_restrict = {
    .info = {.name = "restrict",
             .doc = "train within few directions, singular or random",
             .options = options,
             .config_size = sizeof(struct restrict_config)},
    .description =
        "Train within theta_0 + span(B) for B of k right singular vectors: the k most chaotic, the "
        "k "
        "most stable, the k of the bulk nearest to 1, the k farthest from 1 (its complement), and "
        "k "
        "random directions as the control.  The optimizer runs in the coordinates of B.  Bulk and "
        "complement need all directions, of dense.h5; what lacks has no values.  With --jacobian "
        "the "
        "singular values of the restricted trainings' own Jacobians, in the coordinates of B.",
    .example = "  spectraj study restrict digits-run\n"
               "  spectraj study restrict digits-run --k 10,100,1000 --json\n"
               "  spectraj study restrict digits-run --k 20,50 --jacobian 50\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .keeps_log = true,
    .run = restrict_run,
    .print = restrict_print,
    .figures = figures,
};
