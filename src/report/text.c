/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/text.c: results as tables for people. */
#include "report/text.h"

#include "report/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/print.h"
#include "study/study.h"

static void print_unused(FILE *out, const struct stj_run_info *info)
{
    if (info->unused && info->unused[0])
        fprintf(out, "unused         %s\n", info->unused);
}

static void print_sam_and_average(FILE *out, const struct stj_run_info *info)
{
    if (!isnan(info->sam_rho))
        fprintf(out, "gradients      of %ssharpness-aware minimisation, rho %g\n",
                info->sam_adaptive ? "adaptive " : "", info->sam_rho);
    if (info->average)
        fprintf(
            out,
            "end point      the average of states (%s): losses, accuracy and results are of it\n",
            info->average);
}

static void print_accumulate(FILE *out, const struct stj_run_info *info)
{
    if (info->accumulate > 1)
        fprintf(out, " in %zu micro-batches", info->accumulate);
}

static void print_losses(FILE *out, const struct stj_run_info *info)
{
    if (info->earlier)
        fprintf(out, "continued      from %zu steps: 'svd --to %zu' has the results of these\n",
                info->first_steps, info->first_steps);
    fprintf(out, "train loss     %.6g\n", info->train_loss);
    if (!isnan(info->test_loss))
        fprintf(out, "test loss      %.6g\n", info->test_loss);
    if (!isnan(info->test_accuracy))
        fprintf(out, "test accuracy  %.4f\n", info->test_accuracy);
}

/* Nothing for a run that was trained here, beside what may be remarked on. */
static void print_imported(FILE *out, const struct stj_run_info *info)
{
    const struct stj_run_imported *imported = &info->imported;
    const struct stj_training_remarks remarks = stj_run_remarks(info);
    stj_print_remarks(out, &remarks);
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

/* A problem in another process has batches of its own. */
static void print_steps(FILE *out, const struct stj_run_info *info)
{
    fprintf(out, "%zu steps", info->n_steps);
    if (info->batch_size)
        fprintf(out, " of %zu rows", info->batch_size);
}

void stj_text_train(FILE *out, const struct stj_run_info *info, const struct stj_storage *storage)
{
    fprintf(out, "%zu parameters, ", info->n_params);
    print_steps(out, info);
    print_accumulate(out, info);
    stj_print_seconds(out, ", ", info->seconds, "\n");
    print_unused(out, info);
    print_sam_and_average(out, info);
    print_losses(out, info);
    print_imported(out, info);
    if (storage) {
        stj_print_storage(out, "states         ", storage);
        stj_print_divergence(out, storage);
    }
    fprintf(out, "run            %s\n", info->dir);
}

/* The second name where init.file has another one. */
static void print_parameters(FILE *out, const struct stj_contents *c)
{
    fprintf(out, "parameters     as init.file has them\n");
    for (size_t i = 0; i < c->n_parameters; i++) {
        const struct stj_run_parameter *p = &c->parameter[i];
        const char *frozen = p->frozen ? ", not trained" : "";
        if (strcmp(p->name, p->file_name) == 0)
            fprintf(out, "  %-24s %s%s\n", p->name, p->shape, frozen);
        else
            fprintf(out, "  %-24s %-20s as %s%s\n", p->name, p->shape, p->file_name, frozen);
    }
}

/* What applies to each tensor, where groups make a difference. */
static void print_updates(FILE *out, const struct stj_contents *c)
{
    bool any = false;
    for (size_t i = 0; i < c->n_parameters; i++) {
        const struct stj_run_parameter *p = &c->parameter[i];
        if (p->update && !any)
            fprintf(out, "updates        of each tensor\n");
        any = any || p->update;
        if (p->update)
            fprintf(out, "  %-24s %s\n", p->name, p->update);
    }
}

static void print_training(FILE *out, const struct stj_contents *c)
{
    const struct stj_run_info *info = &c->info;
    fprintf(out, "training       %s, ", info->optimizer);
    print_steps(out, info);
    print_accumulate(out, info);
    if (!info->trained) {
        fprintf(out, "\n");
        print_unused(out, info);
        print_sam_and_average(out, info);
        return;
    }
    stj_print_seconds(out, ", ", info->seconds, "\n");
    print_sam_and_average(out, info);
    print_losses(out, info);
    print_imported(out, info);
    stj_print_storage(out, "states         ", &c->storage);
    stj_print_divergence(out, &c->storage);
    fprintf(out, "results        %s", c->n_results == 0 ? "none yet\n" : "\n");
    for (size_t i = 0; i < c->n_results; i++) {
        const struct stj_contents_result *r = &c->result[i];
        fprintf(out, "  %-22s %.*s%s%s\n", r->name, r->request ? (int)strcspn(r->request, "\n") : 0,
                r->request ? r->request : "", r->layers && r->layers[0] ? ", layers " : "",
                r->layers ? r->layers : "");
    }
}

/* The widths of the columns that hold names. */
static void measure_layers(const struct stj_contents *c, int width[3])
{
    for (size_t i = 0; i < c->n_layers; i++) {
        const struct stj_run_layer *l = &c->layer[i];
        const char *const text[3] = {l->label ? l->label : "-", l->type, l->shape};
        for (int k = 0; k < 3; k++)
            width[k] = (int)strlen(text[k]) > width[k] ? (int)strlen(text[k]) : width[k];
    }
}

/* Nodes of the graph: what each is, has, costs, and reads where that is not the layer before. */
static void print_layers(FILE *out, const struct stj_contents *c)
{
    int width[3] = {5, 4, 6};
    measure_layers(c, width);
    if (c->n_layers > 0)
        fprintf(out, "  %-*s  %-*s  %-*s  parameters       at     Mflop        kB\n", width[0],
                "layer", width[1], "type", width[2], "output");
    for (size_t i = 0; i < c->n_layers; i++) {
        const struct stj_run_layer *l = &c->layer[i];
        fprintf(out, "  %-*s  %-*s  %-*s  %10zu %8zu  %8.3g  %8.3g", width[0],
                l->label ? l->label : "-", width[1], l->type, width[2], l->shape, l->n_params,
                l->offset, l->flops / 1e6, (double)l->bytes / 1e3);
        if (l->n_frozen)
            fprintf(out, "  %zu frozen", l->n_frozen);
        if (l->n_shared)
            fprintf(out, "  %zu shared", l->n_shared);
        fprintf(out, l->inputs[0] ? "  <- %s\n" : "\n", l->inputs);
    }
}

void stj_text_info(FILE *out, const struct stj_contents *contents)
{
    const struct stj_run_info *info = &contents->info;
    if (info->trained) {
        fprintf(out, "run            %s\nfingerprint    %s\n", info->dir, info->fingerprint);
        fprintf(out, "made by        spectraj %s, %s\n", info->version, info->blas);
    }
    fprintf(out, "data           %zu rows to train", info->train_rows);
    if (info->n_examples)
        fprintf(out, " made of %zu samples", info->n_examples);
    fprintf(out, ", %zu to test\n", info->test_rows);
    fprintf(out, "network        %zu parameters, %s\n", info->n_params, info->loss);
    print_layers(out, contents);
    print_parameters(out, contents);
    print_updates(out, contents);
    print_training(out, contents);
}

/* "2025-06-01 12:03" of a date and time; other texts as they are. */
static const char *minute_of(const char *created, char text[STJ_LISTED_DATE_MAX])
{
    snprintf(text, STJ_LISTED_DATE_MAX, "%.16s", created && created[0] ? created : "-");
    if (strlen(text) == 16 && text[10] == 'T')
        text[10] = ' ';
    return text;
}

enum { HEADLINE_MAX = 96 };
static const char *headline_of(const struct stj_contents_result *r, char text[HEADLINE_MAX])
{
    const struct stj_headline *h = &r->headline;
    snprintf(text, HEADLINE_MAX, "-");
    if (h->field && isfinite(h->low) && isfinite(h->high))
        snprintf(text, HEADLINE_MAX, "%s %.6g [%.6g, %.6g]", stj_headline_name(h), h->value, h->low,
                 h->high);
    else if (h->field)
        snprintf(text, HEADLINE_MAX, "%s %.6g", stj_headline_name(h), h->value);
    return text;
}

/* A row of columns; and below it the request. */
static void print_listed_result(FILE *out, const struct stj_contents_result *r, int width)
{
    char when[STJ_LISTED_DATE_MAX], number[HEADLINE_MAX];
    if (r->trouble.code != STJ_OK) {
        fprintf(out, "  %-*s  NOT READ: %s\n", width, r->name, r->trouble.text);
        return;
    }
    fprintf(out, "  %-*s  %-16s  %-6s  %s\n", width, r->name, minute_of(r->created, when),
            r->version ? r->version : "-", headline_of(r, number));
    if (r->request)
        fprintf(out, "      %.*s%s%s\n", (int)strcspn(r->request, "\n"), r->request,
                r->layers && r->layers[0] ? ", layers " : "", r->layers ? r->layers : "");
}

void stj_text_listed(FILE *out, const struct stj_listed_run *listed)
{
    const struct stj_contents *c = &listed->contents;
    const struct stj_run_info *info = &c->info;
    char when[STJ_LISTED_DATE_MAX];
    int width = 16;
    for (size_t i = 0; i < c->n_results; i++)
        width = (int)strlen(c->result[i].name) > width ? (int)strlen(c->result[i].name) : width;
    fprintf(out, "%-*s  %-16s  ", width + 2, info->dir, minute_of(listed->created, when));
    if (listed->trouble.code != STJ_OK)
        fprintf(out, "NOT READ: %s\n", listed->trouble.text);
    else
        fprintf(out, "%-6s  %zu parameters, %zu steps of %s\n", info->version, info->n_params,
                info->n_steps, info->optimizer);
    for (size_t i = 0; i < c->n_results; i++)
        print_listed_result(out, &c->result[i], width);
}

/* Of several ranks: how they are divided, and what each sends. */
static void print_plan_ranks(FILE *out, const struct stj_plan *plan)
{
    if (plan->ranks.n <= 1)
        return;
    fprintf(out, "on %zu ranks, memory of one of them; messages", plan->ranks.n);
    stj_print_bytes(out, " at ", plan->ranks.bytes_per_second, " a second:\n");
    for (size_t i = 0; i < plan->n; i++) {
        const struct stj_plan_item *item = &plan->item[i];
        if (item->ranks_per_product == 0)
            continue;
        fprintf(out, "  %-9s %zu for a product, ", item->name, item->ranks_per_product);
        stj_print_bytes(out, "", item->bytes_per_application, " sent by each for one of J or J'\n");
    }
    fputc('\n', out);
}

enum { SETTINGS = 22 };

/* An analysis: its cost, and below it how it will go about it or why it cannot. */
static void print_planned(FILE *out, const struct stj_plan_item *item)
{
    char time[STJ_QUANTITY_MAX], bytes[STJ_QUANTITY_MAX], disk[STJ_QUANTITY_MAX];
    stj_seconds_text(item->seconds, time);
    stj_bytes_text((double)item->memory_bytes, bytes);
    stj_bytes_text((double)item->disk_bytes, disk);
    fprintf(out, "%-9s %-*s", item->name, SETTINGS, item->settings);
    if (strlen(item->settings) > SETTINGS)
        fprintf(out, "\n%*s", 10 + SETTINGS, "");
    fprintf(out, " %7.0f %8s %9s %8s  %s\n", item->applications, time, bytes, disk,
            item->affordable ? "yes" : "NO");
    if (item->method[0] || item->reason[0])
        fprintf(out, "%10s%s%s%s\n", "", item->method,
                item->method[0] && item->reason[0] ? "; " : "", item->reason);
}

void stj_text_plan(FILE *out, const struct stj_plan *plan)
{
    fprintf(out, "%zu parameters, %zu steps\n", plan->n_params, plan->n_steps);
    stj_print_bytes(out, "memory: ", (double)plan->resident_bytes, " now");
    stj_print_bytes(out, ", ", (double)plan->free_bytes, " could be had\n");
    fprintf(out, "a product with J or J': %.3g s; a training step: %.3g s\n\n",
            plan->seconds_per_application, plan->seconds_per_step);
    print_plan_ranks(out, plan);
    fprintf(out, "analysis  %-*s%8s %8s %9s %8s  affordable\n", SETTINGS, "settings", "products",
            "time", "memory", "disk");
    for (size_t i = 0; i < plan->n; i++)
        print_planned(out, &plan->item[i]);
}

void stj_text_study(FILE *out, const struct stj_study_result *r)
{
    const struct stj_training_remarks remarks = {
        .diverged = stj_study_number(r, "training.diverged") > 0,
        .first_loss = stj_study_number(r, "training.first_loss"),
        .train_loss = stj_study_number(r, "training.train_loss"),
        .deviation = stj_study_number(r, "training.deviation"),
        .tolerance = stj_study_number(r, "training.tolerance"),
    };
    stj_print_remarks(out, &remarks);
    r->study->print(out, r);
    stj_print_seconds(out, r->stored ? "stored result, computed in " : "computed in ", r->seconds,
                      "\n");
}

/* What was differenced, and why it was not whole trainings. */
static void print_differences(FILE *out, const struct stj_validation *v)
{
    fprintf(out, "finite differences   %.2e relative, at step %.0e, of ",
            v->finite_difference_error, v->finite_difference_step);
    if (v->single_steps)
        fprintf(out, "%zu single steps", v->single_steps);
    else
        fprintf(out, "whole trainings");
    fprintf(out, ", good to %.0e by the next steps: %s%s\n", v->finite_difference_resolution,
            stj_difference_verdict(v),
            v->finite_difference_agrees     ? " with J"
            : v->finite_difference_resolved ? " J"
                                            : ", says nothing about J");
    if (v->single_steps)
        fprintf(out, "  whole trainings    %.2e relative, good to %.0e%s\n",
                v->finite_difference_whole_error, v->finite_difference_whole_resolution,
                v->may_switch ? ": activations, max-pool or clipping may switch in them" : "");
}

static void print_given(FILE *out, const char *name, const struct stj_given_validation *v)
{
    if (v->too_many)
        fprintf(out, "%-20s not looked at: %zu numbers, and more than 2^20 are too many\n", name,
                v->too_many);
    if (!isnan(v->adjoint_error))
        fprintf(out,
                "%-20s adjoint %.2e, differences %.2e relative, good to %.0e by the next steps\n",
                name, v->adjoint_error, v->difference_error, v->difference_resolution);
}

void stj_text_validate(FILE *out, const struct stj_validation *v, bool verbose)
{
    stj_print_part(out, &v->part);
    const bool rounding = v->largest_product <= 16 * DBL_EPSILON;
    if (v->largest_product == 0)
        fprintf(out, "J is zero: errors are relative to the vectors\n");
    else if (rounding)
        fprintf(out,
                "J is below the rounding of a step: |J x| is at most %.1e |x|; errors are relative "
                "to the vectors\n",
                v->largest_product);
    fprintf(out, "adjoint identity     %.2e relative\n", v->adjoint_error);
    print_differences(out, v);
    print_given(out, "weights of samples", &v->weights);
    print_given(out, "inputs of samples", &v->inputs);
    print_given(out, "targets of samples", &v->targets);
    print_given(out, "rates of steps", &v->rates);
    print_given(out, "momenta of steps", &v->momenta);
    print_given(out, "decays of steps", &v->decays);
    print_given(out, "scales of rates", &v->scales);
    if (!isnan(v->single_error))
        fprintf(
            out,
            "single precision     products differ from double by %.2e relative at most, %.2e of "
            "|x| rms\n",
            v->single_error, v->single_error_rms);
    fprintf(out, "replay               %s\n",
            v->replay_identical ? "the same bits at every step" : "DIFFERENT");
    if (isnan(v->dense_max_sigma_error))
        fprintf(out, "against dense        not compared (too many parameters)\n");
    else
        fprintf(out,
                "against dense        %.2e%s; bounds of the smallest at most %.2e below and %.2e "
                "above\n",
                v->dense_max_sigma_error, rounding ? "" : " of sigma_1", v->dense_bottom_violation,
                v->dense_bottom_excess);
    if (verbose)
        stj_print_storage(out, "states               ", &v->storage);
    stj_print_divergence(out, &v->storage);
    fputs(v->passed ? "passed" : "NOT PASSED", out);
    if (v->imported.deviation > v->imported.tolerance)
        fprintf(
            out,
            "; the states were given, and replay lands up to %.2g off them, ABOVE the tolerance "
            "%.2g",
            v->imported.deviation, v->imported.tolerance);
    fputc('\n', out);
}
