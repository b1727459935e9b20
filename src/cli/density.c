/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/density.c: spectraj density: counts of singular values by region, with error bars. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct density_options {
    size_t probes, steps, curve;
    bool probes_given, steps_given,
        epsilon_given; /* not first: offset 0 means that nothing is noted */
    double epsilon, confidence, tolerance, max_applications, max_seconds;
    char *edges, *scratch;
    int reorthogonalize; /* index into the choices, which are in the order of the enum */
    bool no_deflation, gap;
};

/* What is computed from the result beside its counts. */
struct answers {
    struct stj_density_extras extras;
    struct stj_density_functionals functionals;
    struct stj_density_gap gap;
    struct stj_density_counts *curve;
    double *edge;
    struct stj_density_count *region;
};

/* The curve begins at LEAST and ends at MOST. */
static const double least_epsilon = 1e-3;
static const double most_epsilon = 0.9;

static struct stj_density_settings settings_of(const struct cli *cli,
                                               const struct density_options *o,
                                               const struct stj_run *run)
{
    struct stj_density_settings s = cli_density_settings(cli, run);
    if (o->probes_given)
        s.probes = o->probes;
    if (o->steps_given)
        s.steps = o->steps;
    if (o->epsilon_given)
        s.epsilon = o->epsilon;
    s.confidence = o->confidence;
    s.reorthogonalize = (enum stj_reorthogonalize)o->reorthogonalize;
    s.scratch = o->scratch;
    s.tolerance = o->tolerance;
    s.max_applications = o->max_applications;
    s.max_seconds = o->max_seconds;
    return s;
}

/* "0.5,0.9,inf": numbers with commas between them; "inf" may be the last. */
static enum stj_status parse_edges(const char *text, struct answers *a, struct stj_error *err)
{
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += *p == ',';
    a->edge = malloc(n * sizeof *a->edge);
    a->region = malloc(n * sizeof *a->region);
    if (!a->edge || !a->region)
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__, "out of memory");
    const char *p = text;
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        a->edge[i] = strtod(p, &end);
        if (end == p || (*end && *end != ',') || isnan(a->edge[i]))
            return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                                 "--edges is '%s': '%.*s' is not a number", text,
                                 (int)strcspn(p, ","), p);
        p = *end ? end + 1 : end;
    }
    a->extras.n_edges = n;
    return stj_density_check_edges(n, a->edge, err);
}

static enum stj_status make_curve(const struct stj_density_result *r, size_t n, struct answers *a,
                                  struct stj_error *err)
{
    double *epsilon = malloc(n * sizeof *epsilon);
    a->curve = malloc(n * sizeof *a->curve);
    a->extras.n_curve = n;
    if (!epsilon || !a->curve) {
        free(epsilon);
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        epsilon[i] = least_epsilon *
                     pow(most_epsilon / least_epsilon, n > 1 ? (double)i / (double)(n - 1) : 1);
    const enum stj_status st = stj_density_curve(r, n, epsilon, 0, a->curve, err);
    free(epsilon);
    return st;
}

static enum stj_status answer(const struct cli *cli, const struct density_options *o,
                              const struct stj_run *run, const struct stj_density_result *r,
                              struct answers *a, struct stj_error *err)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    const struct args_shared *shared = &cli->args.shared;
    const size_t steps = (shared->to ? shared->to : info.n_steps) - shared->from;
    enum stj_status st = stj_density_find_functionals(r, (double)steps, 0, &a->functionals, err);
    if (st == STJ_OK && a->extras.n_edges)
        st = stj_density_histogram(r, a->extras.n_edges, a->edge, 0, a->region, err);
    if (st == STJ_OK && o->curve)
        st = make_curve(r, o->curve, a, err);
    if (st == STJ_OK && o->gap)
        st = stj_density_find_gap(r, &a->gap, err);
    a->extras.functionals = &a->functionals;
    a->extras.gap = o->gap ? &a->gap : NULL;
    a->extras.curve = a->curve;
    a->extras.edge = a->edge;
    a->extras.region = a->region;
    return st;
}

static enum stj_status work(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status)
{
    const struct density_options *o = options;
    const struct stj_analysis_settings analysis = cli_analysis_settings(cli);
    const struct stj_density_settings settings = settings_of(cli, o, run);
    struct stj_density_result *result = NULL;
    struct answers answers = {.curve = NULL};
    bool stored = false;
    enum stj_status st = o->edges ? parse_edges(o->edges, &answers, &cli->err) : STJ_OK;
    if (st == STJ_OK)
        st = stj_analysis_density(run, &settings, !o->no_deflation, &analysis, &result, &stored,
                                  &cli->err);
    if (st == STJ_OK)
        st = answer(cli, o, run, result, &answers, &cli->err);
    cli_progress_end();
    if (st == STJ_OK)
        st = stj_report_density(stdout, cli->format, result, &answers.extras, &cli->err);
    if (st == STJ_OK)
        *exit_status = cli_density_exit(result);
    free(answers.curve);
    free(answers.edge);
    free(answers.region);
    stj_density_result_destroy(result);
    return st;
}

static int density(struct cli *cli, const void *options)
{
    return cli_on_run(cli, options, work);
}

static const char *const reorthogonalize_choices[] = {"auto", "full", "one-sided", "none", NULL};

static const struct stj_option options[] = {
    {.name = "epsilon",
     .letter = 'e',
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct density_options, epsilon),
     .fallback = "",
     .present_offset = offsetof(struct density_options, epsilon_given),
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "EPS",
     .doc = "half width of the bulk: chaotic above 1 + EPS, stable below 1 - EPS (default: the "
            "config's analysis.density.epsilon, else 0.1)"},
    {.name = "confidence",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct density_options, confidence),
     .fallback = "0.95",
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "P",
     .doc = "how often the intervals contain the true counts"},
    {.name = "probes",
     .letter = 'p',
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct density_options, probes),
     .fallback = "",
     .present_offset = offsetof(struct density_options, probes_given),
     .min = 1,
     .max = 1e9,
     .value = "N",
     .doc = "random start vectors (default: the config's analysis.density.probes, else 8)"},
    {.name = "steps",
     .letter = 'k',
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct density_options, steps),
     .fallback = "",
     .present_offset = offsetof(struct density_options, steps_given),
     .min = 1,
     .max = 1e9,
     .value = "K",
     .doc = "Lanczos steps of each, at two products a step (default: the config's "
            "analysis.density.steps, else 100)"},
    {.name = "tolerance",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct density_options, tolerance),
     .fallback = "",
     .max = 1,
     .above_min = true,
     .below_max = true,
     .value = "TOL",
     .doc = "add steps and probes until every interval is at most TOL times the number of "
            "parameters wide"},
    {.name = "reorthogonalize",
     .type = STJ_OPTION_CHOICE,
     .choices = reorthogonalize_choices,
     .offset = offsetof(struct density_options, reorthogonalize),
     .fallback = "auto",
     .value = "HOW",
     .doc = "full, one-sided or none: two, one or no vectors of memory a step and probe"},
    {.name = "scratch",
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct density_options, scratch),
     .fallback = "",
     .value = "DIR",
     .doc = "keep these vectors in nameless files of DIR instead of memory"},
    {.name = "no-deflation",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct density_options, no_deflation),
     .fallback = "",
     .doc = "do not take the singular pairs of svd.h5 out of the probes"},
    {.name = "edges",
     .type = STJ_OPTION_STRING,
     .offset = offsetof(struct density_options, edges),
     .fallback = "",
     .value = "E1,E2,...",
     .doc = "count between these singular values too; the last may be inf"},
    {.name = "curve",
     .type = STJ_OPTION_SIZE,
     .offset = offsetof(struct density_options, curve),
     .fallback = "",
     .min = 1,
     .max = 10000,
     .value = "N",
     .doc = "the bulk at N values of epsilon from 0.001 to 0.9 too"},
    {.name = "gap",
     .type = STJ_OPTION_BOOL,
     .offset = offsetof(struct density_options, gap),
     .fallback = "",
     .doc = "look for an epsilon at which the spectrum has a gap"},
    {.name = "max-applications",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct density_options, max_applications),
     .fallback = "",
     .min = 1,
     .max = 1e15,
     .value = "N",
     .doc = "stop after at most N products with J and J' together (default: no limit)"},
    {.name = "max-seconds",
     .type = STJ_OPTION_REAL,
     .offset = offsetof(struct density_options, max_seconds),
     .fallback = "",
     .max = 1e9,
     .above_min = true,
     .value = "T",
     .doc = "stop after about T seconds (default: no limit)"},
    {.name = NULL},
};

const struct command command_density = {
    .name = "density",
    .summary = "how many singular values are chaotic, bulk and stable",
    .positional = "RUN",
    .min_positional = 1,
    .max_positional = 1,
    .description =
        "Count the singular values of J = d theta_n / d theta_0 above, around and below 1 without\n"
        "finding any, by stochastic Lanczos quadrature, and keep the quadrature in "
        "RUN/density.h5.\n"
        "Each count has an interval that contains the true one as often as --confidence says, and\n"
        "an enclosure that nearly always does.  Other values of --epsilon, --confidence, --edges\n"
        "and --curve are answered from what is stored.  Running out of a budget is not an error:\n"
        "what is in hand is printed and kept, and the exit status is 2.\n",
    .shared = ARGS_USES_SEED | ARGS_THREADS | ARGS_RANKS | ARGS_MEMORY | ARGS_TAG | ARGS_FORCE |
              ARGS_WINDOW,
    .options = options,
    .options_size = sizeof(struct density_options),
    .unconverged = "a budget was spent before all steps, or the tolerance was not reached",
    .example = "  spectraj density digits-run --probes 8 --steps 200\n"
               "  spectraj density digits-run --probes 8 --steps 200 --epsilon 0.05 --curve 20\n"
               "  spectraj density digits-run --tolerance 0.02 --max-seconds 600 --json\n",
    .run = density,
};
