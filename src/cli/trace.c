/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/trace.c: spectraj trace: traces of functions of the training Jacobian. */
#include "cli.h"

struct trace_options {
    size_t products;
    double confidence;
    int function; /* index into the choices, which are in the order of the enum */
    char *method;
};

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct trace_options *o = options;
    const struct stj_analysis_settings analysis = cli_analysis_settings(cli);
    struct stj_trace_settings settings = stj_trace_settings_default();
    struct stj_trace_result result;
    bool stored = false;
    (void)exit_status;
    settings.function = (enum stj_trace_function)o->function;
    settings.method = o->method;
    settings.products = o->products;
    settings.confidence = o->confidence;
    settings.progress = cli->progress;
    settings.seed = cli_seed(cli);
    enum stj_status st = stj_analysis_trace(run, &settings, &analysis, &result, &stored, &cli->err);
    cli_progress_end();
    return st == STJ_OK ? stj_report_trace(stdout, cli->format, &result, &cli->err) : st;
}

static int trace(struct cli *cli, const void *options)
{
    return cli_on_run(cli, options, work);
}

static const char *const function_choices[] = {"trace", "frobenius", "deviation", NULL};

static const struct stj_option options[] = {
    {.name = "function",
     .letter = 'f',
     .type = STJ_OPTION_CHOICE,
     .choices = function_choices,
     .offset = offsetof(struct trace_options, function),
     .fallback = "trace",
     .value = "NAME",
     .doc = "trace: tr J; frobenius: |J|^2 = tr J'J; deviation: |J - I|^2, squared Frobenius "
            "norms"},
    {.name = "method",
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct trace_options, method),
     .fallback = "",
     .names = stj_trace_get_method,
     .value = "NAME",
     .doc = "how; 'help' lists the methods (default: xtrace)"},
    {.name = "products",
     .letter = 'n',
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct trace_options, products),
     .fallback = "100",
     .min = 1,
     .max = 1e9,
     .value = "N",
     .doc = "products with the matrix of which the trace is taken; as many as parameters: exact"},
    {.name = "confidence",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct trace_options, confidence),
     .fallback = "0.95",
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "P",
     .doc = "how often the interval contains the true value"},
    {.name = NULL},
};

const struct command command_trace = {
    .name = "trace",
    .summary = "traces of the training Jacobian, with error bars",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Estimate tr J, or the squared Frobenius norm of J or of J - I, from products with random\n"
        "vectors, and keep the result in RUN/trace-FUNCTION.h5.  Asking the same again prints\n"
        "what is stored.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE |
              ARGS_WINDOW,
    .options = options,
    .options_size = sizeof(struct trace_options),
    .example = "  spectraj trace digits-run --function deviation\n"
               "  spectraj trace digits-run --method hutchinson --products 400 --json\n",
    .run = trace,
};
