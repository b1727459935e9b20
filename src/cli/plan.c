/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/plan.c: spectraj plan: the predicted cost of each analysis, before it is run. */
#include "cli.h"

#include <spectraj/option.h>
#include <spectraj/plan.h>

#include <stdio.h>

struct plan_options {
    size_t top, bottom, probes, steps, products;
    size_t ranks, ranks_per_product, bandwidth;
    int precision; /* enum stj_precision */
    double max_seconds;
};

enum { OPTIONS_MAX = 5, NUMBER_MAX = 24 };

/* Options of the analyses, each for those that have it. */
struct given {
    struct stj_option_pair option[OPTIONS_MAX];
    char text[OPTIONS_MAX][NUMBER_MAX];
    size_t n;
};

static void add_given(struct given *g, const char *name, size_t value)
{
    if (value == 0)
        return;
    snprintf(g->text[g->n], NUMBER_MAX, "%zu", value);
    g->option[g->n] = (struct stj_option_pair){name, g->text[g->n]};
    g->n++;
}

static enum stj_status plan_work(struct cli *cli, struct stj_run *run, const void *options,
                                 int *exit_status)
{
    const struct plan_options *o = options;
    struct given g = {.n = 0};
    struct stj_plan plan;
    (void)exit_status;
    add_given(&g, "top", o->top);
    add_given(&g, "bottom", o->bottom);
    add_given(&g, "probes", o->probes);
    add_given(&g, "steps", o->steps);
    add_given(&g, "products", o->products);
    const struct stj_plan_settings settings = {.memory_bytes = cli->args.shared.memory,
                                               .max_seconds = o->max_seconds,
                                               .precision = (enum stj_precision)o->precision,
                                               .n = g.n,
                                               .option = g.option,
                                               .ranks = {.n = o->ranks,
                                                         .per_product = o->ranks_per_product,
                                                         .bytes_per_second = (double)o->bandwidth}};
    enum stj_status st = stj_run_plan(run, &settings, &plan, &cli->err);
    if (st == STJ_OK)
        st = stj_report_plan(stdout, cli->format, &plan, &cli->err);
    return st;
}

static const char *const precisions[] = {"double", "single", "mixed", NULL};
#define OPTION(...) STJ_OPTION_ROW(struct plan_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("top", SIZE, top, "", "as in svd", .letter = 'k', .min = 1, .max = 1e9, .value = "K"),
    OPTION("bottom", SIZE, bottom, "", "as in svd", .min = 1, .max = 1e9, .value = "K"),
    OPTION("probes", SIZE, probes, "", "as in density", .min = 1, .max = 1e9, .value = "N"),
    OPTION("steps", SIZE, steps, "", "as in density", .min = 1, .max = 1e9, .value = "K"),
    OPTION("products", SIZE, products, "", "as in trace", .min = 1, .max = 1e9, .value = "N"),
    OPTION("ranks", SIZE, ranks, "",
           "plan for this many ranks under mpirun, each as fast as this process: memory per rank, "
           "total "
           "time (default: the ranks running)",
           .min = 1, .max = 1e6, .value = "P"),
    OPTION("ranks-per-product", SIZE, ranks_per_product, "", "as in the analyses", .min = 1,
           .max = 1e6, .value = "R"),
    OPTION(
        "bandwidth", BYTES, bandwidth, "",
        "bytes per second that a rank sends (default: measured between the running ranks; with one "
        "rank, the rate of reading memory)",
        .min = 1, .max = 1e18, .value = "SIZE"),
    OPTION("precision", CHOICE, precision, "double", "of products, as in the analyses",
           .choices = precisions, .value = "P"),
    OPTION("max-seconds", REAL, max_seconds, "86400",
           "analyses that take longer count as not affordable", .max = 1e12, .above_min = true,
           .value = "S"),
    {.name = NULL},
};

const struct command command_plan = {
    .name = "plan",
    .summary = "predict the cost of each analysis, before you run it",
    .positional = "RUN|CONFIG",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Predict memory and time of each analysis, and say which are affordable on this machine.\n"
        "A few steps are trained and differentiated to measure their time; nothing is written.\n"
        "At its end, every analysis compares its cost with this prediction.\n",
    .shared = ARGS_SET | ARGS_THREADS | ARGS_MEMORY,
    .options = options,
    .options_size = sizeof(struct plan_options),
    .example = "  spectraj plan digits.yaml\n  spectraj plan digits-run --top 50 --memory 4G\n"
               "  spectraj plan digits-run --ranks 16 --bandwidth 10G\n",
    .work = plan_work,
    .takes_config = true,
    .measures = true,
};
