/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/svd.c: spectraj svd: singular pairs of the training Jacobian, matrix-free. */
#include "cli.h"

#include <spectraj/ranks.h>

#include <stdio.h>

struct svd_options {
    size_t top, bottom, ncv;
    bool monitor;
    bool top_given, bottom_given, tol_given; /* not first: offset 0 means that nothing is noted */
    double above, below, tol, max_applications, max_seconds;
    char *method;
};

/* One line: how many values have converged, and the first and the last of those that have not. */
static void show(void *ctx, const struct stj_svd_view *view)
{
    const char *what = view->bottom ? "bound" : "sigma";
    const size_t next = view->converged < view->k ? view->converged : view->k - 1;
    (void)ctx;
    if (stj_rank() != 0)
        return;
    cli_progress_end();
    fprintf(stderr, "spectraj: %.0f products, %zu of %zu %s", view->applications, view->converged,
            view->wanted, view->bottom ? "at the floor" : "converged");
    for (size_t i = 0; i < view->k; i++)
        if (i == 0 || i == next || i + 1 == view->k) {
            fprintf(stderr, "  %s %zu: %.6g", what, i + 1, view->sigma[i]);
            if (view->residual)
                fprintf(stderr, " +- %.1e", view->residual[i]);
        }
    fputc('\n', stderr);
}

/* One end given alone: the other is not asked for. */
static struct stj_svd_settings settings_of(const struct cli *cli, const struct svd_options *o,
                                           const struct stj_run *run)
{
    struct stj_svd_settings settings = cli_svd_settings(cli, run);
    if (o->top_given || o->bottom_given || o->above > 0 || o->below > 0) {
        settings.top = o->top_given ? o->top : 0;
        settings.bottom = o->bottom_given ? o->bottom : 0;
    }
    settings.above = o->above;
    settings.below = o->below;
    if (o->tol_given)
        settings.tol = o->tol;
    settings.ncv = o->ncv;
    settings.method = o->method;
    settings.max_applications = o->max_applications;
    settings.max_seconds = o->max_seconds;
    if (o->monitor)
        settings.monitor.fn = show;
    return settings;
}

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct stj_analysis_settings analysis = cli_analysis_settings(cli);
    const struct stj_svd_settings settings = settings_of(cli, options, run);
    struct stj_svd_result *result = NULL;
    bool stored = false;
    enum stj_status st = stj_analysis_svd(run, &settings, &analysis, &result, &stored, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_svd(stdout, cli->format, result, &cli->err);
    if (st == STJ_OK)
        *exit_status = cli_svd_exit(result);
    stj_svd_result_destroy(result);
    return st;
}

static int svd(struct cli *cli, const void *options)
{
    return cli_on_run(cli, options, work);
}

static const struct stj_option options[] = {
    {.name = "top",
     .letter = 'k',
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct svd_options, top),
     .fallback = "",
     .present_offset = offsetof(struct svd_options, top_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "how many of the largest singular values (default: the config's analysis.svd.top, "
            "else 20)"},
    {.name = "bottom",
     .type = STJ_OPTION_SIZE,
     .letter = 'b',
     .offset = offsetof(struct svd_options, bottom),
     .fallback = "",
     .present_offset = offsetof(struct svd_options, bottom_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "how many of the smallest, as certified upper bounds (default: the config's "
            "analysis.svd.bottom, else 20)"},
    {.name = "above",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct svd_options, above),
     .fallback = "",
     .above_min = true,
     .value = "SIGMA",
     .doc = "all singular values above SIGMA, instead of a number of them"},
    {.name = "below",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct svd_options, below),
     .fallback = "",
     .above_min = true,
     .value = "SIGMA",
     .doc = "directions with singular values below SIGMA, as many as the method finds"},
    {.name = "ncv",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct svd_options, ncv),
     .fallback = "",
     .min = 2,
     .max = 1e9,
     .value = "M",
     .doc = "basis vectors to keep, more than K (default: about 2.4 K; for the smallest alone, "
            "0.42 of the number of parameters, and fewer give larger bounds)"},
    {.name = "tol",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct svd_options, tol),
     .fallback = "",
     .present_offset = offsetof(struct svd_options, tol_given),
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "TOL",
     .doc = "a pair is converged when |J'u - sigma v| is at most TOL sigma_1 (default: 1e-10)"},
    {.name = "method",
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct svd_options, method),
     .fallback = "",
     .names = stj_svd_get_method,
     .value = "NAME",
     .doc = "how; 'help' lists the methods (default: automatic)"},
    {.name = "max-applications",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct svd_options, max_applications),
     .fallback = "",
     .min = 1,
     .max = 1e15,
     .value = "N",
     .doc = "stop after about N products with J and J' together (default: no limit)"},
    {.name = "max-seconds",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct svd_options, max_seconds),
     .fallback = "",
     .max = 1e9,
     .above_min = true,
     .value = "T",
     .doc = "stop after about T seconds (default: no limit)"},
    {.name = "monitor",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct svd_options, monitor),
     .fallback = "",
     .doc = "a line on standard error now and then: values that have converged, estimates of the "
            "others and their residuals"},
    {.name = NULL},
};

const struct command command_svd = {
    .name = "svd",
    .summary = "largest and smallest singular values of the training Jacobian",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Find singular pairs of J = d theta_n / d theta_0 without forming J, and keep them in\n"
        "RUN/svd.h5.  With one of --top and --bottom, the other end is left out.  The smallest\n"
        "values are upper bounds, each with its residual.  Asking the same again prints what is\n"
        "stored.  Running out of a budget is not an error: what converged is printed and kept,\n"
        "and the exit status is 2.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE |
              ARGS_WINDOW,
    .options = options,
    .options_size = sizeof(struct svd_options),
    .unconverged = "fewer pairs than asked for have converged",
    .example = "  spectraj svd digits-run --top 50\n"
               "  spectraj svd digits-run --above 1.1\n"
               "  spectraj svd digits-run --top 50 --monitor\n"
               "  spectraj svd digits-run --bottom 20 --max-applications 800\n"
               "  spectraj svd digits-run --top 10 --from 0 --to 100 --tag early --json\n",
    .run = svd,
};
