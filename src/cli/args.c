/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/args.c: option tables to values, through getopt_long. */
#include "args.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A row's value of getopt_long, clear of every character. */
enum { ROW_BASE = 1000, ROWS_MAX = 64 };

static const char *const state_choices[] = {"theta", "full", NULL};
static const char *const progress_choices[] = {"auto", "plain", "off", NULL};

static const struct {
    unsigned mask; /* ARGS_COMMON: every command */
    struct args_option row;
} shared_rows[] = {
    {ARGS_WINDOW,
     {.name = "from",
      .type = ARGS_SIZE,
      .offset = offsetof(struct args_shared, from),
      .fallback = "0",
      .metavar = "STEP",
      .doc = "start of the window of steps, J(from -> to)"}},
    {ARGS_WINDOW,
     {.name = "to",
      .type = ARGS_SIZE,
      .offset = offsetof(struct args_shared, to),
      .min = 1,
      .max = 1e15,
      .metavar = "STEP",
      .doc = "end of the window (default: the last step)"}},
    {ARGS_WINDOW,
     {.name = "layers",
      .type = ARGS_TEXT,
      .offset = offsetof(struct args_shared, layers),
      .metavar = "NAME,...",
      .doc = "rows and columns of these layers or tensors alone, named as info names them"}},
    {ARGS_WINDOW,
     {.name = "state",
      .type = ARGS_CHOICE,
      .choices = state_choices,
      .offset = offsetof(struct args_shared, state),
      .fallback = "theta",
      .metavar = "WHAT",
      .doc = "theta: of the parameters; full: of the parameters and the optimizer's slots"}},
    {ARGS_USES_SEED,
     {.name = "seed",
      .type = ARGS_SEED,
      .offset = offsetof(struct args_shared, seed),
      .given_offset = offsetof(struct args_shared, seed_given),
      .metavar = "S",
      .doc = "seed of every random number (default: the config's, else 0)"}},
    {ARGS_MEMORY,
     {.name = "memory",
      .type = ARGS_BYTES,
      .offset = offsetof(struct args_shared, memory),
      .min = 1,
      .max = 1e18,
      .metavar = "SIZE",
      .doc = "memory of the process at most, such as 800M or 8G (default: a quarter of what is "
             "free for the states)"}},
    {ARGS_THREADS,
     {.name = "threads",
      .type = ARGS_SIZE,
      .offset = offsetof(struct args_shared, threads),
      .given_offset = offsetof(struct args_shared, threads_given),
      .min = 1,
      .max = 4096,
      .metavar = "N",
      .doc =
          "threads to compute with; the results do not depend on it (default: OpenMP's choice)"}},
    {ARGS_RANKS,
     {.name = "ranks-per-product",
      .type = ARGS_SIZE,
      .offset = offsetof(struct args_shared, ranks_per_product),
      .min = 1,
      .max = 1e6,
      .metavar = "R",
      .doc =
          "under mpirun: how many ranks make a product together (default: as few as leave no rank "
          "without a product)"}},
    {ARGS_TAG,
     {.name = "tag",
      .type = ARGS_TEXT,
      .offset = offsetof(struct args_shared, tag),
      .metavar = "TAG",
      .doc = "keep the result under a name of its own, beside the untagged one"}},
    {ARGS_FORCE,
     {.name = "force",
      .type = ARGS_FLAG,
      .offset = offsetof(struct args_shared, force),
      .doc = "compute again and replace what is stored"}},
    {ARGS_COMMON,
     {.name = "json",
      .type = ARGS_FLAG,
      .offset = offsetof(struct args_shared, json),
      .doc = "print one JSON object instead of text"}},
    {ARGS_COMMON,
     {.name = "progress",
      .type = ARGS_CHOICE,
      .choices = progress_choices,
      .offset = offsetof(struct args_shared, progress),
      .fallback = "auto",
      .metavar = "WHEN",
      .doc = "auto: a bar when standard error is a terminal; plain: a line now and then; off"}},
    {ARGS_COMMON,
     {.name = "quiet",
      .letter = 'q',
      .type = ARGS_FLAG,
      .offset = offsetof(struct args_shared, quiet),
      .doc = "no progress and no warnings"}},
    {ARGS_COMMON,
     {.name = "help",
      .letter = 'h',
      .type = ARGS_FLAG,
      .offset = offsetof(struct args_shared, help),
      .doc = "print this help"}},
};

enum { N_SHARED = sizeof shared_rows / sizeof shared_rows[0] };

const struct args_option *args_row(const struct command *command, size_t i, bool *shared)
{
    size_t own = 0;
    while (command->options && command->options[own].name)
        own++;
    *shared = i >= own;
    if (i < own)
        return &command->options[i];
    size_t skip = i - own;
    for (size_t k = 0; k < N_SHARED; k++) {
        unsigned mask = shared_rows[k].mask;
        bool has = mask == ARGS_COMMON || (command->shared & mask) != 0;
        if (has && skip-- == 0)
            return &shared_rows[k].row;
    }
    return NULL;
}

/* Fail with a sentence; the command line has no file or line to name. */
#define FAIL(err, ...) stj_error_set((err), STJ_EINVAL, __FILE__, __LINE__, __VA_ARGS__)

static enum stj_status parse_unsigned(const char *text, uint64_t max, uint64_t *value,
                                      const char **rest)
{
    uint64_t sum = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (sum > (max - digit) / 10)
            return STJ_EINVAL;
        sum = 10 * sum + digit;
    }
    *value = sum;
    *rest = p;
    return p == text ? STJ_EINVAL : STJ_OK;
}

/* "8G": digits and a power of 1024. */
static enum stj_status parse_bytes(const char *text, uint64_t *value)
{
    const char *rest = NULL;
    if (parse_unsigned(text, SIZE_MAX, value, &rest) != STJ_OK)
        return STJ_EINVAL;
    if (*rest == '\0')
        return STJ_OK;
    static const char letters[] = "KMGT";
    const char *letter = strchr(letters, *rest);
    if (!letter || (rest[1] && strcmp(rest + 1, "B") != 0 && strcmp(rest + 1, "iB") != 0))
        return STJ_EINVAL;
    unsigned shift = 10 * (unsigned)(letter - letters + 1);
    if (*value > (SIZE_MAX >> shift))
        return STJ_EINVAL;
    *value <<= shift;
    return STJ_OK;
}

static enum stj_status check_range(const struct args_option *row, const char *text, double value,
                                   struct stj_error *err)
{
    bool low = row->above_min ? value <= row->min : value < row->min;
    bool high = row->below_max ? value >= row->max : value > row->max;
    if (row->min == row->max || (!low && !high))
        return STJ_OK;
    return FAIL(err, "--%s is %s, outside %c%.15g, %.15g%c", row->name, text,
                row->above_min ? ']' : '[', row->min, row->max, row->below_max ? '[' : ']');
}

static enum stj_status set_whole(const struct args_option *row, const char *text, void *slot,
                                 struct stj_error *err)
{
    uint64_t value = 0;
    const char *rest = "";
    enum stj_status st = STJ_OK;
    if (row->type == ARGS_BYTES)
        st = parse_bytes(text, &value);
    else
        st = parse_unsigned(text, row->type == ARGS_SEED ? INT64_MAX : SIZE_MAX, &value, &rest);
    if (st != STJ_OK || *rest)
        return FAIL(err, "--%s is '%s', not %s", row->name, text,
                    row->type == ARGS_BYTES  ? "a size such as 800M or 8G"
                    : row->type == ARGS_SEED ? "a whole number from 0 to 9223372036854775807"
                                             : "a whole number");
    st = check_range(row, text, (double)value, err);
    if (row->type == ARGS_SEED)
        memcpy(slot, &value, sizeof value);
    else
        *(size_t *)slot = (size_t)value;
    return st;
}

/* Digits first, so that "nan", "inf", hexadecimal and blanks are refused. */
static enum stj_status set_real(const struct args_option *row, const char *text, double *slot,
                                struct stj_error *err)
{
    char *end = NULL;
    bool plain = text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
    double value = plain ? strtod(text, &end) : 0;
    if (!plain || end == text || *end || !isfinite(value))
        return FAIL(err, "--%s is '%s', not a number", row->name, text);
    *slot = value;
    return check_range(row, text, value, err);
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static enum stj_status set_choice(const struct args_option *row, const char *text, int *slot,
                                  struct stj_error *err)
{
    char list[256] = "";
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *slot = i;
            return STJ_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    }
    const char *near = args_nearest(text, row->choices, count_words(row->choices));
    if (near)
        return FAIL(err, "--%s is '%s'; did you mean '%s'?", row->name, text, near);
    return FAIL(err, "--%s is '%s', not one of: %s", row->name, text, list);
}

/* Put the text of a row's value where the row says. */
static enum stj_status set_value(const struct args_option *row, const char *text, char *base,
                                 struct stj_error *err)
{
    void *slot = base + row->offset;
    assert(text || row->type == ARGS_FLAG); /* getopt_long asks for what the others need */
    switch (row->type) {
    case ARGS_FLAG:
        *(bool *)slot = true;
        return STJ_OK;
    case ARGS_SIZE:
    case ARGS_SEED:
    case ARGS_BYTES:
        return set_whole(row, text, slot, err);
    case ARGS_REAL:
        return set_real(row, text, slot, err);
    case ARGS_CHOICE:
        return set_choice(row, text, slot, err);
    case ARGS_TEXT:
        if (!text[0])
            return FAIL(err, "--%s is empty", row->name);
        memcpy(slot, &text, sizeof text);
        return STJ_OK;
    }
    return FAIL(err, "option '%s' has no type", row->name);
}

/* The table of getopt_long: long options in the order of args_row, and "-:" so that positional
 * arguments come in turn and a missing value is told from an unknown option. */
struct getopt_tables {
    struct option longs[ROWS_MAX + 1];
    char shorts[2 * ROWS_MAX + 3];
    const char *names[ROWS_MAX];
    size_t n;
};

static void make_tables(const struct command *command, struct getopt_tables *t)
{
    bool shared = false;
    const struct args_option *row = NULL;
    char *p = t->shorts;
    *p++ = '-';
    *p++ = ':';
    while (t->n < ROWS_MAX && (row = args_row(command, t->n, &shared))) {
        int has_value = row->type == ARGS_FLAG ? no_argument : required_argument;
        t->longs[t->n] = (struct option){row->name, has_value, NULL, ROW_BASE + (int)t->n};
        t->names[t->n++] = row->name;
        if (row->letter)
            *p++ = row->letter;
        if (row->letter && has_value == required_argument)
            *p++ = ':';
    }
}

static size_t row_of_letter(const struct command *command, int letter)
{
    bool shared = false;
    const struct args_option *row = NULL;
    size_t i = 0;
    while ((row = args_row(command, i, &shared)) && row->letter != letter)
        i++;
    return i;
}

static enum stj_status unknown_option(const struct command *command,
                                      const struct getopt_tables *tables, const char *word,
                                      struct stj_error *err)
{
    char name[64];
    if (optopt >= ROW_BASE)
        return FAIL(err, "option '--%s' takes no value",
                    tables->names[(size_t)(optopt - ROW_BASE)]);
    if (optopt != 0)
        return FAIL(err, "unknown option '-%c' (spectraj %s --help lists them)", optopt,
                    command->name);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = args_nearest(name, tables->names, tables->n);
    if (near)
        return FAIL(err, "unknown option '--%s'; did you mean '--%s'?", name, near);
    return FAIL(err, "unknown option '--%s' (spectraj %s --help lists them)", name, command->name);
}

static enum stj_status add_positional(const struct command *command, const char *word,
                                      struct args *args, struct stj_error *err)
{
    if (args->n_positional == command->max_positional)
        return FAIL(err, "unexpected argument '%s' (usage: spectraj %s [OPTION]... %s)", word,
                    command->name, command->positional);
    args->positional[args->n_positional++] = word;
    return STJ_OK;
}

/* Take option number i of the command with its text. */
static enum stj_status take_option(const struct command *command, size_t i, const char *text,
                                   struct args *args, void *options, bool *given,
                                   struct stj_error *err)
{
    bool shared = false;
    const struct args_option *row = args_row(command, i, &shared);
    char *base = shared ? (char *)&args->shared : options;
    if (row->list && text && strcmp(text, "help") == 0) {
        row->list(stdout);
        args->listed = true;
        return STJ_OK;
    }
    given[i] = true;
    if (row->given_offset)
        *(bool *)(base + row->given_offset) = true;
    return set_value(row, text, base, err);
}

/* Defaults, and what the command cannot do without. */
static enum stj_status complete(const struct command *command, struct args *args, void *options,
                                const bool *given, struct stj_error *err)
{
    bool shared = false;
    const struct args_option *row = NULL;
    bool ends_here = args->shared.help || args->listed;
    enum stj_status st = STJ_OK;
    if (!ends_here && args->n_positional < command->min_positional)
        return FAIL(err, "too few arguments (usage: spectraj %s [OPTION]... %s)", command->name,
                    command->positional);
    for (size_t i = 0; st == STJ_OK && (row = args_row(command, i, &shared)); i++) {
        if (!given[i] && row->required && !ends_here)
            return FAIL(err, "'--%s %s' is missing (spectraj %s --help)", row->name, row->metavar,
                        command->name);
        if (!given[i] && row->fallback)
            st = set_value(row, row->fallback, shared ? (char *)&args->shared : options, err);
    }
    return st;
}

enum stj_status args_parse(const struct command *command, int argc, char **argv, struct args *args,
                           void *options, struct stj_error *err)
{
    struct getopt_tables tables = {.n = 0};
    bool given[ROWS_MAX] = {false};
    enum stj_status st = STJ_OK;
    int c = 0;

    *args = (struct args){.n_positional = 0};
    make_tables(command, &tables);
    opterr = 0;
    optind = 1;
    while (st == STJ_OK && (c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        if (c == 1)
            st = add_positional(command, optarg, args, err);
        else if (c == '?')
            st = unknown_option(command, &tables, argv[optind - 1], err);
        else if (c == ':')
            st = FAIL(err, "option '%s' needs a value (spectraj %s --help)", argv[optind - 1],
                      command->name);
        else
            st = take_option(command,
                             c >= ROW_BASE ? (size_t)(c - ROW_BASE) : row_of_letter(command, c),
                             optarg, args, options, given, err);
        optopt = 0;
    }
    for (; st == STJ_OK && optind < argc; optind++)
        st = add_positional(command, argv[optind], args, err);
    return st == STJ_OK ? complete(command, args, options, given, err) : st;
}
