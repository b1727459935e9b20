/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result_density.c: counts of singular values, computed or read from density.h5.
 *
 * The file holds the quadrature, alpha and beta of every probe, and the deflated singular values;
 * counts are made from it whenever it is read.  So epsilon and confidence are part of the request
 * only where steps and probes were added until intervals were narrow enough.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/command.h"
#include "report/plan.h"
#include "report/result.h"
#include "run/run_internal.h"
#include "spectrum/density/count.h"

static const struct stj_h5_format density_format = {
    .name = "spectraj-density", .version = 1, .remedy = "compute it again with --force"};

enum { REQUEST_BYTES = 512 };

static void describe(const struct stj_density_settings *s, bool deflate,
                     const struct stj_result_window *window, char request[REQUEST_BYTES])
{
    char text[STJ_WINDOW_TEXT_MAX];
    const int n = snprintf(request, REQUEST_BYTES,
                           "density %s probes %zu steps %zu seed %ju reorthogonalize %s deflate %s "
                           "max_applications %.17g max_seconds %.17g",
                           stj_result_window_text(window, text), s->probes, s->steps,
                           (uintmax_t)s->seed, stj_reorthogonalize_text(s->reorthogonalize),
                           deflate ? "yes" : "no", s->max_applications, s->max_seconds);
    if (s->tolerance > 0)
        snprintf(request + n, REQUEST_BYTES - (size_t)n,
                 " tolerance %.17g epsilon %.17g confidence %.17g", s->tolerance, s->epsilon,
                 s->confidence);
}

static enum stj_status put_command(struct stj_h5 *file, const struct stj_density_settings *s,
                                   bool deflate, const struct stj_analysis_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_command c;
    STJ_TRY(stj_command_begin(&c, deflate ? "density RUN" : "density RUN --no-deflation", err));
    stj_command_size(&c, "probes", s->probes);
    stj_command_size(&c, "steps", s->steps);
    stj_command_real(&c, "epsilon", s->epsilon);
    stj_command_real(&c, "confidence", s->confidence);
    stj_command_real(&c, "tolerance", s->tolerance);
    if (s->reorthogonalize != stj_density_settings_default().reorthogonalize)
        stj_command_text(&c, "reorthogonalize", stj_reorthogonalize_text(s->reorthogonalize));
    stj_command_real(&c, "max-applications", s->max_applications);
    stj_command_real(&c, "max-seconds", s->max_seconds);
    stj_command_size(&c, "seed", (size_t)s->seed);
    STJ_TRY(stj_command_put(&c, true, settings, file, err));
out:
    return st;
}

static enum stj_status put_numbers(struct stj_h5 *file, const struct stj_density_result *r,
                                   const struct stj_result_window *window, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_result_put_window(file, window, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@probes", r->n_probes, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@steps", r->steps, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@known", r->n_known, err));
    STJ_TRY(stj_h5_put_real(file, "@epsilon", r->epsilon, err));
    STJ_TRY(stj_h5_put_real(file, "@confidence", r->confidence, err));
    STJ_TRY(stj_h5_put_real(file, "@sigma_1", r->sigma_1, err));
    STJ_TRY(stj_h5_put_real(file, "@floor", r->floor, err));
    STJ_TRY(stj_h5_put_text(file, "@reorthogonalize", stj_reorthogonalize_text(r->reorthogonalize),
                            err));
    STJ_TRY(stj_h5_put_unsigned(file, "@in_flight", r->in_flight, err));
    STJ_TRY(stj_h5_put_real(file, "@jvp", r->counts.jvp, err));
    STJ_TRY(stj_h5_put_real(file, "@vjp", r->counts.vjp, err));
    STJ_TRY(stj_h5_put_real(file, "@replayed", r->counts.replayed, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds", r->seconds, err));
    STJ_TRY(stj_h5_put_text(file, "@stop", stj_stop_text(r->stop), err));
    STJ_TRY(stj_h5_put_unsigned(file, "@seed", r->seed, err));
out:
    return st;
}

/* Per probe: steps, mass, exact (1) or not (0); alpha and beta of all probes, one after another. */
static enum stj_status put_probes(struct stj_h5 *file, const struct stj_density_result *r,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *head = NULL;
    double *alpha = NULL;
    size_t total = 0;
    for (size_t i = 0; i < r->n_probes; i++)
        total += r->probe[i].k;
    STJ_TRY(stj_new(&head, 3 * r->n_probes, sizeof *head, err));
    STJ_TRY(stj_new(&alpha, 2 * total, sizeof *alpha, err));
    double *beta = alpha + total;
    size_t at = 0;
    for (size_t i = 0; i < r->n_probes; i++) {
        const struct stj_density_probe *p = r->probe + i;
        head[i] = (double)p->k;
        head[r->n_probes + i] = p->mass;
        head[2 * r->n_probes + i] = p->exact;
        memcpy(alpha + at, p->alpha, p->k * sizeof *alpha);
        memcpy(beta + at, p->beta, p->k * sizeof *beta);
        at += p->k;
    }
    STJ_TRY(stj_h5_put_vector(file, "probe_steps", r->n_probes, head, err));
    STJ_TRY(stj_h5_put_vector(file, "probe_mass", r->n_probes, head + r->n_probes, err));
    STJ_TRY(stj_h5_put_vector(file, "probe_exact", r->n_probes, head + 2 * r->n_probes, err));
    STJ_TRY(stj_h5_put_vector(file, "alpha", total, alpha, err));
    STJ_TRY(stj_h5_put_vector(file, "beta", total, beta, err));
    STJ_TRY(stj_h5_put_vector(file, "known_sigma", r->n_known, r->known, err));
out:
    free(head);
    free(alpha);
    return st;
}

static enum stj_status get_reorthogonalize(struct stj_h5 *file, enum stj_reorthogonalize *how,
                                           struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *text = NULL;
    STJ_TRY(stj_h5_get_text(file, "@reorthogonalize", &text, err));
    if (!stj_reorthogonalize_parse(text, how))
        st = stj_h5_refuse(file, err, "its reorthogonalisation \"%.40s\" is unknown", text);
out:
    free(text);
    return st;
}

/* Everything but the counts, which say what this request cost: nothing. */
static enum stj_status get_numbers(struct stj_h5 *file, struct stj_density_result *r,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_get_size(file, "@n_params", &r->n_params, err));
    STJ_TRY(stj_h5_get_size(file, "@probes", &r->n_probes, err));
    STJ_TRY(stj_h5_get_size(file, "@steps", &r->steps, err));
    STJ_TRY(stj_h5_get_size(file, "@known", &r->n_known, err));
    STJ_TRY(stj_h5_get_real(file, "@epsilon", &r->epsilon, err));
    STJ_TRY(stj_h5_get_real(file, "@confidence", &r->confidence, err));
    STJ_TRY(stj_h5_get_real(file, "@sigma_1", &r->sigma_1, err));
    STJ_TRY(stj_h5_get_real(file, "@floor", &r->floor, err));
    STJ_TRY(get_reorthogonalize(file, &r->reorthogonalize, err));
    STJ_TRY(stj_h5_get_size(file, "@in_flight", &r->in_flight, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds", &r->seconds, err));
    STJ_TRY(stj_result_get_stop(file, &r->stop, err));
    STJ_TRY(stj_h5_get_unsigned(file, "@seed", &r->seed, err));
    r->n_left = r->n_params - r->n_known;
    if (r->n_known > r->n_params || (r->n_left > 0 && r->n_probes == 0))
        st = stj_h5_refuse(file, err, "%zu known of %zu values and %zu probes do not go together",
                           r->n_known, r->n_params, r->n_probes);
out:
    return st;
}

static enum stj_status get_probe(const double *head, size_t n_probes, size_t i, const double *alpha,
                                 const double *beta, struct stj_density_probe *p,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t k = (size_t)head[i];
    STJ_TRY(stj_new(&p->alpha, k, sizeof *p->alpha, err));
    STJ_TRY(stj_new(&p->beta, k, sizeof *p->beta, err));
    memcpy(p->alpha, alpha, k * sizeof *p->alpha);
    memcpy(p->beta, beta, k * sizeof *p->beta);
    p->k = k;
    p->mass = head[n_probes + i];
    p->exact = head[2 * n_probes + i] != 0;
out:
    return st;
}

/* *total <- the sum of the steps, each a whole number from 1 to r->steps. */
static enum stj_status sum_steps(struct stj_h5 *file, const struct stj_density_result *r,
                                 const double *steps, size_t *total, struct stj_error *err)
{
    *total = 0;
    for (size_t i = 0; i < r->n_probes; i++) {
        if (!(steps[i] >= 1 && steps[i] <= (double)r->steps))
            return stj_h5_refuse(file, err, "probe %zu has %g of at most %zu steps", i, steps[i],
                                 r->steps);
        *total += (size_t)steps[i];
    }
    return STJ_OK;
}

static enum stj_status get_probes(struct stj_h5 *file, struct stj_density_result *r,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = r->n_probes;
    double *head = NULL;
    double *alpha = NULL;
    double *beta = NULL;
    size_t total = 0;
    STJ_TRY(stj_h5_expect(file, "probe_steps", n, 1, err));
    STJ_TRY(stj_h5_expect(file, "known_sigma", r->n_known, 1, err));
    STJ_TRY(stj_new(&head, 3 * n, sizeof *head, err));
    STJ_TRY(stj_h5_get_vector(file, "probe_steps", n, head, err));
    STJ_TRY(stj_h5_get_vector(file, "probe_mass", n, head + n, err));
    STJ_TRY(stj_h5_get_vector(file, "probe_exact", n, head + 2 * n, err));
    STJ_TRY(sum_steps(file, r, head, &total, err));
    STJ_TRY(stj_result_get_vector(file, "alpha", total, &alpha, err));
    STJ_TRY(stj_result_get_vector(file, "beta", total, &beta, err));
    STJ_TRY(stj_result_get_vector(file, "known_sigma", r->n_known, &r->known, err));
    STJ_TRY(stj_new(&r->probe, n, sizeof *r->probe, err));
    for (size_t i = 0, at = 0; i < n; i++) {
        STJ_TRY(get_probe(head, n, i, alpha + at, beta + at, r->probe + i, err));
        at += r->probe[i].k;
    }
out:
    free(head);
    free(alpha);
    free(beta);
    return st;
}

/* Counts at epsilon and confidence, from the quadrature. */
static enum stj_status recount(struct stj_density_result *r, double epsilon, double confidence,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    r->epsilon = epsilon;
    r->confidence = confidence;
    STJ_TRY(stj_density_count_regions(r, epsilon, confidence, &r->regions, err));
    STJ_TRY(stj_density_find_missed(r, err));
out:
    return st;
}

static enum stj_status load(struct stj_h5 *file, struct stj_density_result **result,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_density_result *r = NULL;
    STJ_TRY(stj_new(&r, 1, sizeof *r, err));
    STJ_TRY(get_numbers(file, r, err));
    STJ_TRY(get_probes(file, r, err));
    STJ_TRY(recount(r, r->epsilon, r->confidence, err));
out:
    if (st != STJ_OK) {
        stj_density_result_destroy(r);
        r = NULL;
    }
    *result = r;
    return st;
}

/* Solve with a journal beside the file; what svd.h5 knows of the same window is deflated. */
static enum stj_status compute(struct stj_run *run, const struct stj_density_settings *density,
                               bool deflate, const struct stj_result_window *window,
                               const char *path, const struct stj_analysis_settings *settings,
                               struct stj_density_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_density_settings s = *density;
    struct stj_svd_result *known = NULL;
    struct stj_result_op op = {0};
    s.known[0] = s.known[1] = NULL;
    const struct stj_plan_request request = {.from = window->from,
                                             .to = window->to,
                                             .memory_bytes = settings->memory_bytes,
                                             .n = window->n};
    struct stj_cost cost;
    stj_run_divide(run, density->probes, &density->progress);
    size_t engine = 0;
    if (deflate)
        STJ_TRY(stj_result_read_svd_window(run, window, &known, err));
    if (known) {
        s.known[0] = &known->top;
        s.known[1] = &known->bottom;
    }
    stj_plan_density(run, &request, &s, &cost);
    stj_plan_density_bytes(run, &request, &s, &engine, &s.memory_bytes);
    STJ_TRY(stj_result_op_open(run, window, path, settings->force, engine, &op, err));
    STJ_TRY(stj_density_solve(op.op, &s, result, err));
    stj_cost_finish(&cost);
    (*result)->cost = cost;
    stj_result_op_storage(&op, settings->memory_bytes, &(*result)->storage);
    (*result)->self_check = stj_op_self_check(op.op);
    stj_result_warn_of_check(&(*result)->self_check, &density->progress);
out:
    stj_result_op_close(&op);
    stj_svd_result_destroy(known);
    return st;
}

/* Was everything done that was asked for?  Then the journal has served. */
static bool complete(const struct stj_density_result *r)
{
    return r->stop == STJ_STOP_CONVERGED || r->stop == STJ_STOP_INVARIANT_SUBSPACE;
}

enum stj_status stj_analysis_density(struct stj_run *run,
                                     const struct stj_density_settings *density, bool deflate,
                                     const struct stj_analysis_settings *settings,
                                     struct stj_density_result **result, bool *stored,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_result_window window = {0};
    struct stj_h5 *file = NULL;
    struct stj_density_result *made = NULL;
    char request[REQUEST_BYTES];
    struct stj_lock *lock = NULL;
    char *path = NULL;
    *stored = false;
    *result = NULL;
    STJ_TRY(stj_density_check(density->epsilon, density->confidence, err));
    STJ_TRY(stj_result_window(run, settings, &info, &window, err));
    STJ_TRY(stj_result_window_path(&info, "density", settings->tag, &window, &path, err));
    describe(density, deflate, &window, request);
    STJ_TRY(stj_result_begin(run, path, &density_format, &info, request, settings->force,
                             &density->progress, &lock, &file, err));
    if (!lock) {
        STJ_TRY(load(file, &made, err));
        STJ_TRY(recount(made, density->epsilon, density->confidence, err));
        *stored = true;
    } else {
        STJ_TRY(compute(run, density, deflate, &window, path, settings, &made, err));
    }
    if (!*stored && made->stop != STJ_STOP_INTERRUPTED) { /* asking again must go on */
        STJ_TRY(put_numbers(file, made, &window, err));
        STJ_TRY(put_probes(file, made, err));
        STJ_TRY(put_command(file, density, deflate, settings, err));
        st = stj_h5_commit(file, err);
        file = NULL;
        STJ_TRY(st);
        if (complete(made))
            stj_result_op_forget(path);
    }
    made->part = stj_result_part(&window);
    *result = made;
    made = NULL;
out:
    stj_density_result_destroy(made);
    stj_h5_close(file);
    stj_result_window_free(&window);
    stj_lock_release(lock);
    free(path);
    return st;
}

enum stj_status stj_result_read_density(struct stj_run *run, const char *tag,
                                        struct stj_density_result **result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    *result = NULL;
    stj_run_get_info(run, &info);
    STJ_TRY(stj_result_path(&info, "density", tag, &path, err));
    STJ_TRY(stj_result_open(path, &density_format, &info, NULL, false, &file, err));
    if (file)
        STJ_TRY(load(file, result, err));
out:
    stj_h5_close(file);
    free(path);
    return st;
}

enum stj_status stj_result_read_density_window(struct stj_run *run,
                                               const struct stj_result_window *window,
                                               struct stj_density_result **result,
                                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    *result = NULL;
    STJ_TRY(stj_result_open_window(run, "density", &density_format, window, &file, err));
    if (file)
        STJ_TRY(load(file, result, err));
out:
    stj_h5_close(file);
    return st;
}
