/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/text.c: results as tables for people. */
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "study/study.h"

/* How many of the largest and of the smallest values of a full spectrum are printed. */
enum { ENDS_SHOWN = 6 };

static void seconds_text(double seconds, char *text, size_t size)
{
    if (seconds < 100)
        snprintf(text, size, "%.3g s", seconds);
    else if (seconds < 6000)
        snprintf(text, size, "%.1f min", seconds / 60);
    else
        snprintf(text, size, "%.1f h", seconds / 3600);
}

static void bytes_text(double bytes, char *text, size_t size)
{
    if (bytes < 1e9)
        snprintf(text, size, "%.1f MB", bytes / 1e6);
    else
        snprintf(text, size, "%.2f GB", bytes / 1e9);
}

static void print_seconds(FILE *out, const char *before, double seconds, const char *after)
{
    char text[32];
    seconds_text(seconds, text, sizeof text);
    fprintf(out, "%s%s%s", before, text, after);
}

/* Nothing for a Jacobian of all parameters. */
static void print_part(FILE *out, const struct stj_part *part)
{
    if (part->full_state)
        fprintf(out, "of the full state: parameters and the optimizer's slots\n");
    if (part->layers[0])
        fprintf(out, "of the block of %s\n", part->layers);
}

/* Nothing was passed through for a result that was read. */
static bool is_stored(const struct stj_storage *storage)
{
    return !storage->policy;
}

/* How the states were at hand; nothing for a stored result. */
static void print_storage(FILE *out, const char *before, const struct stj_storage *s)
{
    if (is_stored(s))
        return;
    fprintf(out, "%s", before);
    switch (s->policy) {
    case STJ_STORAGE_DISK:
        fprintf(out, "%zu on disk, read ahead", s->states);
        break;
    case STJ_STORAGE_MEMORY_REPLAY:
    case STJ_STORAGE_DISK_REPLAY:
        fprintf(out, "%zu, one every %zu %s, replay between", s->states, s->every,
                s->policy == STJ_STORAGE_DISK_REPLAY ? "on disk" : "in memory");
        break;
    case STJ_STORAGE_REVOLVE:
        fprintf(out, "%zu, replay from binomial checkpoints, about %.3g times the training",
                s->states, s->extra_passes);
        break;
    default:
        fprintf(out, "%zu in memory", s->states);
    }
    fprintf(out, "; at most %zu held in %.4g MB", s->held, (double)s->state_bytes / 1e6);
    fprintf(out, ", %zu linearisations kept in %.4g MB\n", s->kept_steps,
            (double)s->linear_bytes / 1e6);
    if (s->diverged)
        fprintf(out, "replay LEFT THE RECORD at step %zu: relative difference %.2g at step %zu\n",
                s->diverged_at, s->difference, s->compared_at);
}

static void print_bytes(FILE *out, const char *before, double bytes, const char *after)
{
    char text[32];
    bytes_text(bytes, text, sizeof text);
    fprintf(out, "%s%s%s", before, text, after);
}

/* What an analysis came to beside what was planned; nothing for a stored result. */
static void print_plan_and_cost(FILE *out, const struct stj_cost *cost, double seconds)
{
    if (cost->peak_bytes == 0)
        return;
    print_seconds(out, "took ", seconds, "");
    print_bytes(out, " and ", (double)cost->peak_bytes, " at the peak");
    if (cost->planned) {
        print_seconds(out, "; planned ", cost->planned_seconds, "");
        print_bytes(out, " and ", (double)cost->planned_bytes, "");
    }
    fprintf(out, "\n");
}

static void print_losses(FILE *out, const struct stj_run_info *info)
{
    fprintf(out, "train loss     %.6g\n", info->train_loss);
    if (!isnan(info->test_loss))
        fprintf(out, "test loss      %.6g\n", info->test_loss);
    if (!isnan(info->test_accuracy))
        fprintf(out, "test accuracy  %.4f\n", info->test_accuracy);
}

/* Nothing for a run that was trained here. */
static void print_imported(FILE *out, const struct stj_run_imported *imported)
{
    if (!imported->is_imported)
        return;
    fprintf(out, "given states   %zu, on which replay lands ", imported->n_states);
    if (imported->deviation > 0)
        fprintf(out, "within %.2g (state %zu), %s the tolerance %.2g\n", imported->deviation,
                imported->deviation_step,
                imported->deviation > imported->tolerance ? "ABOVE" : "below", imported->tolerance);
    else
        fprintf(out, "exactly\n");
}

void stj_text_train(FILE *out, const struct stj_run_info *info, const struct stj_storage *storage)
{
    fprintf(out, "%zu parameters, %zu steps of %zu rows", info->n_params, info->n_steps,
            info->batch_size);
    print_seconds(out, ", ", info->seconds, "\n");
    print_losses(out, info);
    print_imported(out, &info->imported);
    print_storage(out, "states         ", storage);
    fprintf(out, "run            %s\n", info->dir);
}

/* The second name where init.file has another one. */
static void print_parameters(FILE *out, const struct stj_contents *c)
{
    fprintf(out, "parameters     as init.file has them\n");
    for (size_t i = 0; i < c->n_parameters; i++) {
        const struct stj_run_parameter *p = &c->parameter[i];
        if (strcmp(p->name, p->file_name) == 0)
            fprintf(out, "  %-24s %s\n", p->name, p->shape);
        else
            fprintf(out, "  %-24s %-20s as %s\n", p->name, p->shape, p->file_name);
    }
}

static void print_training(FILE *out, const struct stj_contents *c)
{
    const struct stj_run_info *info = &c->info;
    fprintf(out, "training       %s, %zu steps of %zu rows", info->optimizer, info->n_steps,
            info->batch_size);
    if (!info->trained) {
        fprintf(out, "\n");
        return;
    }
    print_seconds(out, ", ", info->seconds, "\n");
    print_losses(out, info);
    print_imported(out, &info->imported);
    print_storage(out, "states         ", &c->storage);
    fprintf(out, "results       ");
    for (size_t i = 0; i < c->n_results; i++)
        fprintf(out, " %s", c->result[i]);
    fprintf(out, "%s\n", c->n_results == 0 ? " none yet" : "");
}

void stj_text_info(FILE *out, const struct stj_contents *contents)
{
    const struct stj_run_info *info = &contents->info;
    const struct stj_run_layer *layer = contents->layer;
    if (info->trained) {
        fprintf(out, "run            %s\nfingerprint    %s\n", info->dir, info->fingerprint);
        fprintf(out, "made by        spectraj %s, %s\n", info->version, info->blas);
    }
    fprintf(out, "data           %zu rows to train, %zu to test\n", info->train_rows,
            info->test_rows);
    fprintf(out, "network        %zu parameters, %s\n", info->n_params, info->loss);
    for (size_t i = 0; i < contents->n_layers; i++)
        fprintf(out, "  %-16s %-12s %8zu parameters at %zu\n",
                layer[i].label ? layer[i].label : layer[i].type, layer[i].shape, layer[i].n_params,
                layer[i].offset);
    print_parameters(out, contents);
    print_training(out, contents);
}

static void print_self_check(FILE *out, const struct stj_self_check *check)
{
    if (check->checks == 0)
        return;
    fprintf(out, "self-check: <Jx, y> = <x, J'y> within %.1e in %zu checks", check->adjoint_error,
            check->checks);
    if (isfinite(check->orthogonality))
        fprintf(out, "; vectors orthonormal within %.1e", check->orthogonality);
    fputc('\n', out);
}

static void print_cost(FILE *out, const struct stj_op_counts *c, double seconds,
                       const struct stj_storage *storage)
{
    if (c->jvp + c->vjp > 0) {
        fprintf(out, "cost: %.6g products with J, %.6g with J'", c->jvp, c->vjp);
        if (c->replayed > 0)
            fprintf(out, ", %.6g of them from the record of an earlier start", c->replayed);
        print_seconds(out, "; ", seconds, "\n");
    } else {
        fprintf(out, "cost: none%s\n", is_stored(storage) ? ", this is the stored result" : "");
    }
}

static void print_pairs(FILE *out, const char *sigma, const struct stj_pairs *p)
{
    fprintf(out, "%6s %15s %12s %10s\n", "i", sigma, "residual", "cosine");
    for (size_t i = 0; i < p->k; i++) {
        fprintf(out, "%6zu %15.9g %12.2e", i + 1, p->sigma[i], p->residual[i]);
        if (isnan(p->cosine[i]))
            fprintf(out, " %10s\n", "-");
        else
            fprintf(out, " %10.5f\n", p->cosine[i]);
    }
}

static void print_top(FILE *out, const struct stj_svd_result *r)
{
    fprintf(out, "largest singular values of J, %zu parameters: %zu of %zu converged\n",
            r->n_params, r->converged, r->requested);
    print_pairs(out, "sigma", &r->top);
    fprintf(out, "method: %s, ncv %zu; %.6g products with J'J\n",
            r->method ? r->method : "automatic", r->ncv, r->products);
    if (r->above > 0)
        fprintf(out, "above %.6g: %zu, of which %zu within their residual of it\n", r->above,
                r->top.k, r->straddling);
    if (r->residual_excess > 1)
        fprintf(out,
                "DISAGREES: residuals are up to %.2g times what the method's own test and rounding "
                "allow\n",
                r->residual_excess);
    if (r->outside.missed)
        fprintf(
            out,
            "MISSED: at least %zu values above the smallest one found; outside of the pairs some "
            "direction is stretched by %.10g: use a larger K or ncv\n",
            r->outside.missed, r->outside.sigma);
    if (!stj_svd_count_agrees(r))
        fprintf(out, "DISAGREES: the stored density counts %.6g to %.6g above %.6g\n",
                r->counted.low, r->counted.high, r->above);
}

static void print_bottom(FILE *out, const struct stj_svd_result *r)
{
    fprintf(out, "smallest singular values of J, as upper bounds: %zu of %zu converged\n",
            r->bottom_converged, r->bottom_requested);
    if (r->below > 0)
        fprintf(out, "below %.6g: at least %zu\n", r->below, r->bottom.k);
    print_pairs(out, "sigma bound", &r->bottom);
    fprintf(out, "method: %s, %zu vectors; %.6g products; floor %.2e\n",
            r->bottom_method ? r->bottom_method : "automatic", r->bottom_ncv, r->bottom_products,
            r->floor);
}

/* Of several ranks: how they are divided, and what each sends. */
static void print_plan_ranks(FILE *out, const struct stj_plan *plan)
{
    if (plan->ranks.n <= 1)
        return;
    fprintf(out, "on %zu ranks, memory of one of them; messages", plan->ranks.n);
    print_bytes(out, " at ", plan->ranks.bytes_per_second, " a second:\n");
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        if (item->ranks_per_product == 0)
            continue;
        fprintf(out, "  %-9s %zu for a product, ", item->name, item->ranks_per_product);
        print_bytes(out, "", item->bytes_per_application, " sent by each for one of J or J'\n");
    }
    fputc('\n', out);
}

void stj_text_plan(FILE *out, const struct stj_plan *plan)
{
    fprintf(out, "%zu parameters, %zu steps\n", plan->n_params, plan->n_steps);
    print_bytes(out, "memory: ", (double)plan->resident_bytes, " now");
    print_bytes(out, ", ", (double)plan->free_bytes, " could be had\n");
    fprintf(out, "a product with J or J': %.3g s; a training step: %.3g s\n\n",
            plan->seconds_per_application, plan->seconds_per_step);
    print_plan_ranks(out, plan);
    fprintf(out, "%-9s %-24s %12s %10s %10s  affordable\n", "analysis", "settings", "applications",
            "time", "memory");
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        char time[32];
        char bytes[32];
        seconds_text(item->seconds, time, sizeof time);
        bytes_text((double)item->memory_bytes, bytes, sizeof bytes);
        fprintf(out, "%-9s %-24s %12.0f %10s %10s  %s%s%s%s%s\n", item->name, item->settings,
                item->applications, time, bytes, item->affordable ? "yes" : "NO",
                item->method[0] ? "; " : "", item->method, item->reason[0] ? "; " : "",
                item->reason);
    }
}

void stj_text_svd(FILE *out, const struct stj_svd_result *r)
{
    print_part(out, &r->part);
    if (r->requested || r->above > 0)
        print_top(out, r);
    if (r->bottom_requested || r->below > 0)
        print_bottom(out, r);
    fprintf(out, "tol %.3g, seed %llu; stop: %s\n", r->tol, (unsigned long long)r->seed,
            stj_stop_text(r->stop));
    print_cost(out, &r->counts, r->seconds, &r->storage);
    print_self_check(out, &r->self_check);
    print_storage(out, "states: ", &r->storage);
    print_plan_and_cost(out, &r->cost, r->seconds);
}

static void print_region(FILE *out, const char *name, const char *condition, double limit,
                         size_t count, size_t n)
{
    fprintf(out, "%-8s %s %-8.6g %8zu %8.2f %%\n", name, condition, limit, count,
            n > 0 ? 100 * (double)count / (double)n : 0);
}

static void print_ends(FILE *out, const struct stj_dense_result *r)
{
    size_t n = r->n_params;
    size_t shown = n < ENDS_SHOWN ? n : ENDS_SHOWN;
    fprintf(out, "\nlargest  ");
    for (size_t i = 0; i < shown; i++)
        fprintf(out, " %11.6g", r->sigma[i]);
    fprintf(out, "\nsmallest ");
    for (size_t i = n - shown; i < n; i++)
        fprintf(out, " %11.4g", r->sigma[i]);
    fputc('\n', out);
}

void stj_text_dense(FILE *out, const struct stj_dense_result *r)
{
    const struct stj_regions *g = &r->regions;
    print_part(out, &r->part);
    fprintf(out, "all %zu singular values of J\n", r->n_params);
    fprintf(out, "%-8s %-15s %8s %10s\n", "region", "sigma", "count", "share");
    print_region(out, "chaotic", "above ", 1 + r->epsilon, g->chaotic, r->n_params);
    print_region(out, "bulk", "1 +-  ", r->epsilon, g->bulk, r->n_params);
    print_region(out, "stable", "below ", 1 - r->epsilon, g->stable, r->n_params);
    print_ends(out, r);
    print_seconds(out,
                  is_stored(&r->storage) ? "stored result: matrix built in " : "matrix built in ",
                  r->seconds_build, "");
    print_seconds(out, ", decomposed in ", r->seconds_svd, "\n");
    print_storage(out, "states: ", &r->storage);
    print_plan_and_cost(out, &r->cost, r->seconds_build + r->seconds_svd);
}

/* One row of a table of counts. */
static void print_count(FILE *out, const char *name, const struct stj_density_count *c, size_t n)
{
    fprintf(out, "%-22s %9.1f %9.1f ..%9.1f %9.1f ..%9.1f %8.2f %%\n", name, c->estimate, c->low,
            c->high, c->enclosure_low, c->enclosure_high,
            n > 0 ? 100 * c->estimate / (double)n : 0);
}

static void print_missed(FILE *out, const char *side, const struct stj_density_missed *m)
{
    if (m->compared && m->low >= 1)
        fprintf(
            out,
            "missing: about %.1f singular values %s %.6g, at least %.0f, are not among the pairs "
            "that are known there\n",
            m->estimate, side, m->sigma, m->low);
}

static void print_measured(FILE *out, const char *name, const struct stj_measured *m)
{
    fprintf(out, "%-22s %15.8g", name, m->value);
    if (isfinite(m->error))
        fprintf(out, " +- %.2g", m->error);
    fputc('\n', out);
}

static void print_functionals(FILE *out, const struct stj_density_functionals *f)
{
    fprintf(out, "\nfrom the quadrature, with standard errors; floor %.2e\n", f->floor);
    print_measured(out, "values below the floor", &f->below_floor);
    print_measured(out, "sum of log sigma", &f->log_volume);
    print_measured(out, "mean of log sigma", &f->mean_log);
    print_measured(out, "mean per step", &f->lyapunov);
    print_measured(out, "participation ratio", &f->participation_ratio);
    print_measured(out, "effective rank", &f->effective_rank);
    print_measured(out, "sum of sigma^2", &f->frobenius_squared);
}

static void print_gap(FILE *out, const struct stj_density_gap *gap)
{
    if (gap->found)
        fprintf(out,
                "gap: the spectrum around 1 is thinnest at epsilon = %.3g (%.1f %% of the density "
                "beside it), with %.1f values in the bulk\n",
                gap->epsilon, 100 * gap->depth, gap->counts.bulk.estimate);
    else
        fprintf(out, "gap: none that these steps resolve\n");
}

static void print_extras(FILE *out, const struct stj_density_extras *x, size_t n)
{
    char name[48];
    if (x->n_edges > 1)
        fputc('\n', out);
    for (size_t i = 0; i + 1 < x->n_edges; i++) {
        snprintf(name, sizeof name, "%.5g to %.5g", x->edge[i], x->edge[i + 1]);
        print_count(out, name, &x->region[i], n);
    }
    if (x->n_curve > 0)
        fprintf(out, "\n%-22s %9s\n", "bulk within epsilon of", "count");
    for (size_t i = 0; i < x->n_curve; i++) {
        snprintf(name, sizeof name, "%.5g", x->curve[i].epsilon);
        print_count(out, name, &x->curve[i].bulk, n);
    }
    if (x->functionals)
        print_functionals(out, x->functionals);
    if (x->gap)
        print_gap(out, x->gap);
}

void stj_text_density(FILE *out, const struct stj_density_result *r,
                      const struct stj_density_extras *extras)
{
    char name[48], head[48];
    print_part(out, &r->part);
    fprintf(out, "%zu singular values of J, counted with %zu probes of up to %zu steps",
            r->n_params, r->n_probes, r->steps);
    fprintf(out, r->n_known ? "; %zu known\n" : "\n", r->n_known);
    snprintf(head, sizeof head, "%.4g %% interval", 100 * r->confidence);
    fprintf(out, "%-22s %9s %20s  %20s %10s\n", "region", "count", head, "enclosure", "share");
    snprintf(name, sizeof name, "chaotic  above %.5g", 1 + r->epsilon);
    print_count(out, name, &r->regions.chaotic, r->n_params);
    snprintf(name, sizeof name, "bulk     1 +-  %.5g", r->epsilon);
    print_count(out, name, &r->regions.bulk, r->n_params);
    snprintf(name, sizeof name, "stable   below %.5g", 1 - r->epsilon);
    print_count(out, name, &r->regions.stable, r->n_params);
    print_missed(out, "above", &r->missed_above);
    print_missed(out, "below", &r->missed_below);
    print_extras(out, extras, r->n_params);
    fprintf(out, "reorthogonalization %s, %zu probes at a time, seed %llu; stop: %s\n",
            stj_reorthogonalize_text(r->reorthogonalize), r->in_flight, (unsigned long long)r->seed,
            stj_stop_text(r->stop));
    print_cost(out, &r->counts, r->seconds, &r->storage);
    print_self_check(out, &r->self_check);
    print_storage(out, "states: ", &r->storage);
    print_plan_and_cost(out, &r->cost, r->seconds);
}

void stj_text_trace(FILE *out, const struct stj_trace_result *r)
{
    static const char *const meaning[] = {
        [STJ_TRACE_TRACE] = "tr J",
        [STJ_TRACE_FROBENIUS] = "|J|_F^2 = tr J'J",
        [STJ_TRACE_DEVIATION] = "|J - I|_F^2 = tr (J - I)'(J - I)",
    };
    print_part(out, &r->part);
    fprintf(out, "%s of %zu parameters\n", meaning[r->function], r->n_params);
    fprintf(out, "value          %.10g\n", r->value);
    fprintf(out, "error          %.3g\n", r->error);
    fprintf(out, "%.4g %% interval  %.10g .. %.10g\n", 100 * r->confidence, r->low, r->high);
    fprintf(out, "method: %s, %zu products, %zu samples; seed %llu\n", r->method, r->products,
            r->samples, (unsigned long long)r->seed);
    print_cost(out, &r->counts, r->seconds, &r->storage);
    print_self_check(out, &r->self_check);
    print_storage(out, "states: ", &r->storage);
    print_plan_and_cost(out, &r->cost, r->seconds);
}

void stj_text_study(FILE *out, const struct stj_study_result *r)
{
    r->study->print(out, r);
    print_seconds(out, r->stored ? "stored result, computed in " : "computed in ", r->seconds,
                  "\n");
}

void stj_text_validate(FILE *out, const struct stj_validation *v)
{
    print_part(out, &v->part);
    fprintf(out, "adjoint identity     %.2e relative\n", v->adjoint_error);
    fprintf(out, "finite differences   %.2e relative, at step %.0e, of ",
            v->finite_difference_error, v->finite_difference_step);
    if (v->single_steps)
        fprintf(out, "%zu single steps: activations switch in whole trainings\n", v->single_steps);
    else
        fprintf(out, "whole trainings\n");
    fprintf(out, "replay               %s\n",
            v->replay_identical ? "the same bits at every step" : "DIFFERENT");
    if (isnan(v->dense_max_sigma_error))
        fprintf(out, "against dense        not compared (too many parameters)\n");
    else
        fprintf(out,
                "against dense        %.2e of sigma_1; bounds of the smallest at most %.2e below "
                "and %.2e "
                "above\n",
                v->dense_max_sigma_error, v->dense_bottom_violation, v->dense_bottom_excess);
    print_storage(out, "states               ", &v->storage);
    fprintf(out, "%s\n", v->passed ? "passed" : "NOT PASSED");
}
