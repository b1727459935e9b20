/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/args.c: the command line through getopt_long to pairs, which option tables check and keep. */
#include "args.h"

#include <getopt.h>
#include <string.h>

/* A row's value of getopt_long, clear of every character. */
enum { ROW_BASE = 1000, NAMES_MAX = 64, LIST_BYTES = 640 };

static const char *const state_choices[] = {"theta", "full", NULL};
static const char *const precision_choices[] = {"double", "single", "mixed", NULL};
static const char *const progress_choices[] = {"auto", "plain", "off", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct args_shared, __VA_ARGS__)
#define GIVEN(member) .present_offset = offsetof(struct args_shared, member)

static const struct stj_option shared_rows[] = {
    OPTION("from", SIZE, from, "0", "start of the window of steps, J(from -> to)", .value = "STEP"),
    OPTION("to", SIZE, to, "", "end of the window (default: the last step)", .min = 1,
           .value = "STEP"),
    OPTION("at", SIZES, at, "",
           "compute one window for each of these steps, from `from` to the step",
           .value = "STEP,..."),
    OPTION("to_end", BOOL, to_end, "",
           "with `at`: windows from each of these steps to `to`, or to the last step"),
    OPTION("layers", STRING, layers, "",
           "only the rows and columns of these layers or tensors, named as in info",
           .value = "NAME,..."),
    OPTION(
        "state", CHOICE, state, "theta",
        "theta: the Jacobian of the parameters; full: of the parameters and the optimizer's slots",
        .choices = state_choices, .value = "WHAT"),
    OPTION("precision", CHOICE, precision, "double",
           "of products with J: single is up to twice as fast and good to about 1e-6, as validate "
           "measures; mixed, for svd: pairs found in single and finished in double",
           .choices = precision_choices, .value = "P"),
    OPTION("seed", SEED, seed, "", "seed of every random number (default: 0)", GIVEN(seed_given),
           .value = "S"),
    /* The same of what reads a config. */
    OPTION("seed", SEED, seed, "", "seed of every random number (default: those of the config)",
           GIVEN(seed_given), .value = "S"),
    OPTION("set", STRING, set, "",
           "set KEY of the config to VALUE, given as YAML: training.learning_rate.peak=0.3, "
           "network.layers[0].units=64; relative paths start here; may be repeated",
           .value = "KEY=VALUE"),
    OPTION("set", STRING, set, "",
           "train a run for each VALUE of KEY, or for each integer in a range such as 0..9; if "
           "repeated, for all combinations",
           .value = "KEY=VALUE,..."),
    OPTION("memory", BYTES, memory, "",
           "limit for the memory of the process, such as 800M or 8G (default: a quarter of the "
           "free memory for the states)",
           .min = 1, .value = "SIZE"),
    OPTION("threads", SIZE, threads, "",
           "number of threads; results do not depend on it (default: OMP_NUM_THREADS, but at most "
           "the available processors)",
           GIVEN(threads_given), .min = 1, .max = 4096, .value = "N"),
    OPTION(
        "ranks-per-product", SIZE, ranks_per_product, "",
        "under mpirun: number of ranks that share one product (default: the fewest that leave no "
        "rank idle)",
        .min = 1, .max = 1e6, .value = "R"),
    OPTION(
        "allow-problem-command", BOOL, allow_problem_command, "",
        "start the command in the `problem` of a config or run even if you never trained with it"),
    OPTION("tag", STRING, tag, "", "store the result under this name, beside the untagged one",
           .value = "TAG"),
    OPTION("tag", STRING, tag, "", "use the result that is stored under this name", .value = "TAG"),
    OPTION("force", BOOL, force, "", "compute again and replace the stored result"),
    OPTION("force", BOOL, force, "", "train again and replace the contents of the folder"),
    OPTION("force", BOOL, force, "", "replace the file if it exists"),
    OPTION("json", BOOL, json, "", "print one JSON object instead of text"),
    OPTION("progress", CHOICE, progress, "auto",
           "auto: a bar if standard error is a terminal, else a dated line at intervals after two "
           "minutes; plain: a dated line every ten seconds; off",
           .choices = progress_choices, .value = "WHEN"),
    OPTION("verbose", BOOL, verbose, "", "also say how the states of the training were obtained",
           .letter = 'v'),
    OPTION("quiet", BOOL, quiet, "", "no progress and no warnings", .letter = 'q'),
    OPTION("help", BOOL, help, "", "print this help", .letter = 'h'),
    {.name = NULL},
};

/* Which commands have these rows. */
static const unsigned shared_mask[] = {
    ARGS_WINDOW, ARGS_WINDOW,   ARGS_AT,        ARGS_AT,          ARGS_WINDOW,
    ARGS_WINDOW, ARGS_WINDOW,   ARGS_USES_SEED, ARGS_CONFIG_SEED, ARGS_SET,
    ARGS_SWEEP,  ARGS_MEMORY,   ARGS_THREADS,   ARGS_RANKS,       ARGS_THREADS | ARGS_PROBLEM,
    ARGS_TAG,    ARGS_READ_TAG, ARGS_FORCE,     ARGS_FORCE_RUN,   ARGS_FORCE_FILE,
    ARGS_COMMON, ARGS_COMMON,   ARGS_COMMON,    ARGS_COMMON,      ARGS_COMMON,
};

enum { N_SHARED = sizeof shared_mask / sizeof shared_mask[0] };
_Static_assert(N_SHARED == sizeof shared_rows / sizeof shared_rows[0] - 1, "a mask for each row");

static size_t count_own(const struct command *command)
{
    size_t n = 0;
    while (command->options && command->options[n].name)
        n++;
    return n;
}

const struct stj_option *args_row(const struct command *command, size_t i)
{
    const size_t own = count_own(command);
    if (i < own)
        return &command->options[i];
    size_t skip = i - own;
    for (size_t k = 0; k < N_SHARED; k++) {
        const bool has = shared_mask[k] == ARGS_COMMON || (command->shared & shared_mask[k]) != 0;
        if (has && skip-- == 0)
            return &shared_rows[k];
    }
    return NULL;
}

enum group { GROUP_WHAT, GROUP_WINDOW, GROUP_BUDGET, GROUP_OUTPUT };

static enum group group_of(const struct command *command, size_t i)
{
    static const unsigned window = ARGS_WINDOW | ARGS_AT;
    static const unsigned budget = ARGS_MEMORY | ARGS_THREADS | ARGS_RANKS | ARGS_PROBLEM;
    static const unsigned what = ARGS_USES_SEED | ARGS_CONFIG_SEED | ARGS_SET | ARGS_SWEEP;
    const struct stj_option *row = args_row(command, i);
    if (i < count_own(command))
        return row->role == STJ_ROLE_EFFORT ? GROUP_BUDGET
               : row->role == STJ_ROLE_VIEW ? GROUP_OUTPUT
                                            : GROUP_WHAT;
    const unsigned mask = shared_mask[row - shared_rows];
    return mask & window   ? GROUP_WINDOW
           : mask & budget ? GROUP_BUDGET
           : mask & what   ? GROUP_WHAT
                           : GROUP_OUTPUT;
}

bool args_in_group(const struct command *command, size_t i, size_t group)
{
    return command->shared & ARGS_WINDOW ? group_of(command, i) == group : group == 0;
}

const char *args_group_title(const struct command *command, size_t group)
{
    static const char *const title[ARGS_GROUPS] = {"What", "Window and part of J", "Budget",
                                                   "Output"};
    for (size_t i = 0; command->shared & ARGS_WINDOW && args_row(command, i); i++)
        if (args_in_group(command, i, group))
            return title[group];
    return NULL;
}

static void put_dashes(char *text)
{
    for (; *text && *text != ' '; text++)
        if (*text == '_')
            *text = '-';
}

const char *args_name(const struct stj_option *row, char name[ARGS_NAME_MAX])
{
    snprintf(name, ARGS_NAME_MAX, "%s", row->name);
    put_dashes(name);
    return name;
}

/* Fail with a sentence; the command line has no file or line to name. */
#define FAIL(err, ...) stj_error_set((err), STJ_EINVAL, __FILE__, __LINE__, __VA_ARGS__)

enum stj_status args_no_such(const char *what, const char *word, stj_names_fn names,
                             const char *listed_by, struct stj_error *err)
{
    const char *name[NAMES_MAX];
    const char *doc = NULL;
    char list[LIST_BYTES] = "";
    size_t n = 0;
    while (n < NAMES_MAX && names(n, &name[n], &doc))
        n++;
    const char *near = stj_suggest(word, name, n);
    if (near)
        return FAIL(err, "there is no %s '%s'; did you mean '%s'?", what, word, near);
    for (size_t i = 0; i < n && strlen(list) < sizeof list - ARGS_NAME_MAX; i++)
        snprintf(list + strlen(list), ARGS_NAME_MAX, "%s%s", i ? ", " : "", name[i]);
    return FAIL(err, "there is no %s '%s', but %s (see %s)", what, word, list, listed_by);
}

/* The table of getopt_long: long options in the order of args_row, and "-:" so that positional
 * arguments come in turn and a missing value is told from an unknown option. */
struct getopt_tables {
    struct option longs[ARGS_ROWS_MAX + 1];
    char shorts[2 * ARGS_ROWS_MAX + 3];
    char name[ARGS_ROWS_MAX][ARGS_NAME_MAX];
    const char *names[ARGS_ROWS_MAX];
    size_t n;
};

static void make_tables(const struct command *command, struct getopt_tables *t)
{
    const struct stj_option *row = NULL;
    char *p = t->shorts;
    *p++ = '-';
    *p++ = ':';
    for (; t->n < ARGS_ROWS_MAX && (row = args_row(command, t->n)); t->n++) {
        const bool has_value = stj_option_get_value(row) != NULL;
        t->names[t->n] = args_name(row, t->name[t->n]);
        t->longs[t->n] = (struct option){t->names[t->n], has_value, NULL, ROW_BASE + (int)t->n};
        if (row->letter)
            *p++ = row->letter;
        if (row->letter && has_value)
            *p++ = ':';
    }
}

static size_t row_of_letter(const struct command *command, int letter)
{
    const struct stj_option *row = NULL;
    size_t i = 0;
    while ((row = args_row(command, i)) && row->letter != letter)
        i++;
    return i;
}

static enum stj_status unknown_option(const struct command *command,
                                      const struct getopt_tables *tables, const char *word,
                                      struct stj_error *err)
{
    char name[ARGS_NAME_MAX];
    if (optopt >= ROW_BASE)
        return FAIL(err, "option '--%s' takes no value",
                    tables->names[(size_t)(optopt - ROW_BASE)]);
    if (optopt != 0)
        return FAIL(err, "unknown option '-%c' (spectraj %s --help lists them)", optopt,
                    command->name);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = stj_suggest(name, tables->names, tables->n);
    if (near)
        return FAIL(err, "unknown option '--%s'; did you mean '--%s'?", name, near);
    return FAIL(err, "unknown option '--%s' (spectraj %s --help lists them)", name, command->name);
}

/* They gather at the beginning of argv, which was read as far. */
static enum stj_status add_positional(const struct command *command, char *word, struct args *args,
                                      struct stj_error *err)
{
    if (args->n_positional == command->max_positional)
        return FAIL(err, "unexpected argument '%s' (usage: spectraj %s [OPTION]... %s)", word,
                    command->name, command->positional);
    args->positional[args->n_positional++] = word;
    return STJ_OK;
}

/* The options that were given. */
struct given {
    struct stj_option_pair *pair;
    size_t n;
};

static bool is_given(const struct given *given, const char *name)
{
    for (size_t i = 0; i < given->n; i++)
        if (strcmp(given->pair[i].name, name) == 0)
            return true;
    return false;
}

/* The last of an option counts. */
static void put_given(struct given *given, const char *name, const char *text)
{
    size_t i = 0;
    while (i < given->n && strcmp(given->pair[i].name, name) != 0)
        i++;
    given->pair[i] = (struct stj_option_pair){name, text ? text : "true"};
    given->n += i == given->n;
}

/* "KEY=VALUE", cut in two where it stands. */
static enum stj_status add_set(char *text, struct args *args, struct stj_error *err)
{
    char *value = strchr(text, '=');
    if (args->n_set == ARGS_SETS_MAX)
        return FAIL(err, "more than %d times --set: write what they have in common into a config",
                    ARGS_SETS_MAX);
    if (!value || value == text || !value[1])
        return FAIL(err, "--set %s: expected KEY=VALUE, such as training.seed=3", text);
    *value = '\0';
    for (size_t i = 0; i < args->n_set; i++)
        if (strcmp(args->set[i].name, text) == 0)
            return FAIL(err, "--set %s is given twice; leave one of them out", text);
    args->set[args->n_set++] = (struct stj_option_pair){text, value + 1};
    return STJ_OK;
}

static bool print_names(FILE *out, const struct stj_option *row)
{
    const char *name = NULL;
    const char *doc = NULL;
    size_t width = 0, i = 0;
    for (; stj_option_get_name(row, i, &name, &doc); i++)
        width = strlen(name) > width ? strlen(name) : width;
    for (i = 0; stj_option_get_name(row, i, &name, &doc); i++)
        fprintf(out, "  %-*s%s%s\n", (int)(doc[0] ? width : 0), name, doc[0] ? "  " : "", doc);
    return i > 0;
}

void args_print_names(FILE *out, stj_names_fn names)
{
    print_names(out, &(const struct stj_option){.names = names});
}

/* What the command cannot do without. */
static enum stj_status find_missing(const struct command *command, const struct args *args,
                                    const struct given *own, struct stj_error *err)
{
    char name[ARGS_NAME_MAX];
    if (args->n_positional < command->min_positional)
        return FAIL(err, "too few arguments (usage: spectraj %s [OPTION]... %s)", command->name,
                    command->positional);
    for (const struct stj_option *row = command->options; row && row->name; row++)
        if (!row->fallback && !is_given(own, row->name))
            return FAIL(err, "'--%s %s' is missing (spectraj %s --help)", args_name(row, name),
                        stj_option_get_value(row), command->name);
    return STJ_OK;
}

/* What is wrong begins with the name of the option. */
static enum stj_status parse_given(const struct stj_option *table, const struct given *given,
                                   void *values, struct stj_error *err)
{
    struct stj_error said = STJ_ERROR_INIT;
    const enum stj_status st = stj_options_parse_pairs(table, given->n, given->pair, values, &said);
    if (st == STJ_ECONFIG)
        put_dashes(said.text);
    return st == STJ_OK ? st
                        : stj_error_set(err, st, said.file, said.line, "%s%s",
                                        st == STJ_ECONFIG ? "--" : "", said.text);
}

/* Read argv: positional arguments into args, options into `own` and `shared`. */
static enum stj_status collect(const struct command *command, int argc, char **argv,
                               struct args *args, struct given *own, struct given *shared,
                               struct stj_error *err)
{
    struct getopt_tables tables = {.n = 0};
    enum stj_status st = STJ_OK;
    int c = 0;
    make_tables(command, &tables);
    opterr = 0;
    optind = 1;
    while (st == STJ_OK && (c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        const size_t i = c >= ROW_BASE ? (size_t)(c - ROW_BASE) : row_of_letter(command, c);
        const struct stj_option *row = args_row(command, i);
        if (c == 1)
            st = add_positional(command, optarg, args, err);
        else if (c == '?')
            st = unknown_option(command, &tables, argv[optind - 1], err);
        else if (c == ':')
            st = FAIL(err, "option '%s' needs a value (spectraj %s --help)", argv[optind - 1],
                      command->name);
        else if (optarg && strcmp(optarg, "help") == 0 && print_names(stdout, row))
            args->listed = true;
        else if (row->offset == offsetof(struct args_shared, set) && i >= count_own(command))
            st = add_set(optarg, args, err);
        else
            put_given(i < count_own(command) ? own : shared, row->name, optarg);
        optopt = 0;
    }
    for (; st == STJ_OK && optind < argc; optind++)
        st = add_positional(command, argv[optind], args, err);
    return st;
}

enum stj_status args_parse(const struct command *command, int argc, char **argv, struct args *args,
                           void *options, struct stj_error *err)
{
    struct stj_option_pair pair[ARGS_ROWS_MAX];
    struct given own = {.pair = args->given};
    struct given shared = {.pair = pair};
    *args = (struct args){.positional = argv};
    enum stj_status st = collect(command, argc, argv, args, &own, &shared, err);
    if (st == STJ_OK)
        st = parse_given(shared_rows, &shared, &args->shared, err);
    if (st != STJ_OK || args->listed || args->shared.help)
        return st;
    args->n_given = own.n;
    st = find_missing(command, args, &own, err);
    if (st == STJ_OK && command->options)
        st = parse_given(command->options, &own, command->options_size ? options : NULL, err);
    return st;
}

void args_free(const struct command *command, struct args *args, void *options)
{
    stj_options_free(shared_rows, &args->shared);
    if (command->options_size)
        stj_options_free(command->options, options);
}
