/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/plan.c: spectraj plan: what the analyses will cost, before they are paid for. */
#include "cli.h"

#include <spectraj/plan.h>

struct plan_options {
    size_t top, bottom, probes, steps;
    size_t ranks, ranks_per_product, bandwidth;
    bool top_given, bottom_given, probes_given, steps_given;
    double max_seconds;
};

static struct stj_plan_settings settings_of(const struct cli *cli, const struct plan_options *o,
                                            const struct stj_run *run)
{
    struct stj_plan_settings s = stj_plan_settings_of(run);
    s.memory_bytes = cli->args.shared.memory;
    s.max_seconds = o->max_seconds;
    s.ranks.n = o->ranks ? o->ranks : s.ranks.n;
    s.ranks.per_product = o->ranks_per_product;
    s.ranks.bytes_per_second = o->bandwidth ? (double)o->bandwidth : s.ranks.bytes_per_second;
    if (o->top_given || o->bottom_given) {
        s.svd.top = o->top_given ? o->top : 0;
        s.svd.bottom = o->bottom_given ? o->bottom : 0;
    }
    if (o->probes_given)
        s.density.probes = o->probes;
    if (o->steps_given)
        s.density.steps = o->steps;
    return s;
}

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    (void)exit_status;
    const struct stj_plan_settings settings = settings_of(cli, options, run);
    struct stj_plan plan;
    enum stj_status st = stj_run_plan(run, &settings, &plan, &cli->err);
    if (st == STJ_OK)
        st = stj_report_plan(stdout, cli->format, &plan, &cli->err);
    return st;
}

static int plan(struct cli *cli, const void *options)
{
    return cli_on_run_or_config(cli, options, work);
}

static const struct stj_option options[] = {
    {.name = "top",
     .letter = 'k',
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, top),
     .fallback = "",
     .present_offset = offsetof(struct plan_options, top_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "as of svd"},
    {.name = "bottom",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, bottom),
     .fallback = "",
     .present_offset = offsetof(struct plan_options, bottom_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "as of svd"},
    {.name = "probes",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, probes),
     .fallback = "",
     .present_offset = offsetof(struct plan_options, probes_given),
     .min = 1,
     .max = 1e9,
     .value = "N",
     .doc = "as of density"},
    {.name = "steps",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, steps),
     .fallback = "",
     .present_offset = offsetof(struct plan_options, steps_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "as of density"},
    {.name = "ranks",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, ranks),
     .fallback = "",
     .min = 1,
     .max = 1e6,
     .value = "P",
     .doc =
         "on so many ranks under mpirun, each as fast as this process: memory of one, time of all "
         "(default: those at hand)"},
    {.name = "ranks-per-product",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct plan_options, ranks_per_product),
     .fallback = "",
     .min = 1,
     .max = 1e6,
     .value = "R",
     .doc = "as of the analyses"},
    {.name = "bandwidth",
     .type = STJ_OPTION_BYTES,
     .offset = offsetof(struct plan_options, bandwidth),
     .fallback = "",
     .min = 1,
     .max = 1e18,
     .value = "SIZE",
     .doc = "bytes a second that a rank sends (default: as measured between the ranks at hand; of "
            "one, "
            "what memory is read with here)"},
    {.name = "max-seconds",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct plan_options, max_seconds),
     .fallback = "86400",
     .max = 1e12,
     .above_min = true,
     .value = "S",
     .doc = "an analysis that takes longer does not count as affordable"},
    {.name = NULL},
};

const struct command command_plan = {
    .name = "plan",
    .summary = "say what the analyses will cost, before they are paid for",
    .positional = "RUN|CONFIG",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Predict memory and time of each analysis, and say which is affordable here. A few steps\n"
        "are trained and differentiated to see how long they take; nothing is written. Every\n"
        "analysis compares its own cost with such a prediction at its end.\n",
    .shared = ARGS_THREADS | ARGS_MEMORY,
    .options = options,
    .options_size = sizeof(struct plan_options),
    .example = "  spectraj plan digits.yaml\n  spectraj plan digits-run --top 50 --memory 4G\n"
               "  spectraj plan digits-run --ranks 16 --bandwidth 10G\n",
    .run = plan,
    .measures = true,
};
