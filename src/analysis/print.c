/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/print.c: lines that the tables of analyses have in common, and a table made from a
 * schema. */
#include "analysis/print.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void stj_seconds_text(double seconds, char text[STJ_QUANTITY_MAX])
{
    if (seconds < 100)
        snprintf(text, STJ_QUANTITY_MAX, "%.3g s", seconds);
    else if (seconds < 6000)
        snprintf(text, STJ_QUANTITY_MAX, "%.1f min", seconds / 60);
    else
        snprintf(text, STJ_QUANTITY_MAX, "%.1f h", seconds / 3600);
}

void stj_bytes_text(double bytes, char text[STJ_QUANTITY_MAX])
{
    if (bytes < 1e9)
        snprintf(text, STJ_QUANTITY_MAX, "%.1f MB", bytes / 1e6);
    else
        snprintf(text, STJ_QUANTITY_MAX, "%.2f GB", bytes / 1e9);
}

void stj_print_seconds(FILE *out, const char *before, double seconds, const char *after)
{
    char text[STJ_QUANTITY_MAX];
    stj_seconds_text(seconds, text);
    fprintf(out, "%s%s%s", before, text, after);
}

void stj_print_given(FILE *out, const struct stj_result_about *about)
{
    if (about->of)
        fprintf(out, "not of J: of the derivative with respect to the %s\n", about->of);
}

/* Nothing for a Jacobian of all parameters. */
void stj_print_part(FILE *out, const struct stj_run_part *part)
{
    if (part->precision)
        fprintf(out, "in %s precision\n", stj_precisions[part->precision]);
    if (part->full_state)
        fprintf(out, "of the full state: parameters and the optimizer's slots\n");
    if (part->layers && part->layers[0])
        fprintf(out, "of the block of %s\n", part->layers);
}

void stj_print_remarks(FILE *out, const struct stj_training_remarks *t)
{
    if (t->diverged)
        fprintf(
            out,
            "DIVERGED: the loss of the training went from %.4g to %.4g; J is of a training that "
            "ran away\n",
            t->first_loss, t->train_loss);
    if (t->deviation > t->tolerance)
        fprintf(
            out,
            "ACCEPTED: replay lands up to %.2g off the given states, ABOVE the tolerance %.2g; J "
            "is of steps that do not lead from one to the next\n",
            t->deviation, t->tolerance);
    if (t->zero_start)
        fprintf(out, "ZERO START: %s\n", t->zero_start);
}

/* Nothing was passed through for a result that was read. */
static bool is_stored(const struct stj_storage *storage)
{
    return !storage->policy;
}

/* How the states were at hand; nothing for a stored result. */
void stj_print_storage(FILE *out, const char *before, const struct stj_storage *s)
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
}

void stj_print_divergence(FILE *out, const struct stj_storage *s)
{
    if (s->diverged)
        fprintf(out, "replay LEFT THE RECORD at step %zu: relative difference %.2g at step %zu\n",
                s->diverged_at, s->difference, s->compared_at);
}

void stj_print_bytes(FILE *out, const char *before, double bytes, const char *after)
{
    char text[STJ_QUANTITY_MAX];
    stj_bytes_text(bytes, text);
    fprintf(out, "%s%s%s", before, text, after);
}

/* What an analysis came to beside what was planned; nothing for a stored result. */
static void print_plan_and_cost(FILE *out, const struct stj_cost *cost, double seconds)
{
    if (cost->peak_bytes == 0)
        return;
    stj_print_seconds(out, "took ", seconds, "");
    stj_print_bytes(out, " and ", (double)cost->peak_bytes, " at the peak");
    if (cost->planned) {
        stj_print_seconds(out, "; planned ", cost->planned_seconds, "");
        stj_print_bytes(out, " and ", (double)cost->planned_bytes, "");
    }
    fprintf(out, "\n");
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

static void print_products(FILE *out, const struct stj_op_counts *c, double seconds,
                           const struct stj_storage *storage)
{
    if (c->jvp + c->vjp > 0) {
        fprintf(out, "cost: %.6g products with J, %.6g with J'", c->jvp, c->vjp);
        if (c->replayed > 0)
            fprintf(out, ", %.6g of them from the record of an earlier start", c->replayed);
        stj_print_seconds(out, "; ", seconds, "\n");
    } else {
        fprintf(out, "cost: none%s\n", is_stored(storage) ? ", this is the stored result" : "");
    }
}

void stj_print_cost(FILE *out, const struct stj_result_about *about)
{
    print_products(out, &about->counts, about->seconds, &about->storage);
    print_self_check(out, &about->self_check);
    if (about->single_products > 0)
        fprintf(out, "beside these %.0f products in single precision\n", about->single_products);
    if (!isnan(about->product_error))
        fprintf(out,
                "products in single precision: %.1e |x| from those in double (root mean square)\n",
                about->product_error);
    stj_print_divergence(out, &about->storage);
    print_plan_and_cost(out, &about->cost, about->seconds);
}

/* ---- from the schema ---- */

static void print_number(FILE *out, const struct stj_field *field, double x)
{
    const bool whole = field->kind == STJ_FIELD_COUNT || field->kind == STJ_FIELD_FLAG;
    if (isfinite(x))
        fprintf(out, whole ? " %15.0f" : " %15.9g", x);
    else
        fprintf(out, " %15s", "-");
}

static void print_single(FILE *out, const struct stj_field *field, const void *data)
{
    const char *text = stj_field_text(field, data);
    if (!stj_field_is_there(field, data))
        return;
    fprintf(out, "%-28s", field->name);
    if (text)
        fprintf(out, " %s", text);
    else if (field->kind == STJ_FIELD_SEED) /* a double has not all of its digits */
        fprintf(out, " %15" PRIu64, *(const uint64_t *)stj_field_at(field, data, 0, 0));
    else
        print_number(out, field, stj_field_number(field, data, 0, 0));
    fprintf(out, "%s%s\n", field->unit ? " " : "", field->unit ? field->unit : "");
}

/* The arrays along a dimension beside each other. */
static void print_columns(FILE *out, const struct stj_field *first, const void *data)
{
    const struct stj_field_view view = stj_field_view(first, data);
    if (view.n[0] == 0)
        return;
    fprintf(out, "\n%-12s", first->dim[0].name);
    for (const struct stj_field *f = first; f->name; f++)
        if (stj_field_is_column(f, first->dim[0].name))
            fprintf(out, " %15.15s", stj_field_short_name(f));
    fputc('\n', out);
    for (size_t i = 0; i < view.n[0]; i++) {
        const char *const *label = first->dim[0].label;
        if (label)
            fprintf(out, "%-12s", label[i]);
        else
            fprintf(out, "%-12zu", i + 1);
        for (const struct stj_field *f = first; f->name; f++)
            if (stj_field_is_column(f, first->dim[0].name))
                print_number(out, f, stj_field_number(f, data, i, 0));
        fputc('\n', out);
    }
}

void stj_print_fields(FILE *out, const struct stj_result *result)
{
    const struct stj_field *schema = result->analysis->schema;
    fprintf(out, "%s\n", result->analysis->info.doc);
    for (const struct stj_field *f = schema; f->name; f++)
        if (!f->dim[0].name && stj_field_in(f, STJ_FIELD_IN_JSON))
            print_single(out, f, result->data);
    for (const struct stj_field *f = schema; f->name; f++)
        if (stj_field_is_first_column(schema, f))
            print_columns(out, f, result->data);
    stj_print_cost(out, &result->about);
}
