/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/args.h: a command as a table: what it is called, its options, its help.
 *
 * Options are rows of <spectraj/option.h>: the library checks their values.  What several commands
 * understand is declared once (args_shared) and chosen by a mask.
 */
#ifndef STJ_CLI_ARGS_H
#define STJ_CLI_ARGS_H

#include <stdio.h>

#include <spectraj/option.h>

/* Options with the same meaning in every command that has them. */
struct args_shared {
    bool json, force, quiet, verbose, help, seed_given, threads_given, allow_problem_command;
    uint64_t seed;
    size_t threads, memory, from, to, ranks_per_product;
    char *tag, *layers, *set; /* set: see struct args */
    struct stj_sizes at;      /* steps where windows end, or begin */
    bool to_end;
    int state;     /* index into "theta", "full" */
    int precision; /* enum stj_precision */
    int progress;  /* index into "auto", "plain", "off" */
};

enum args_shared_mask {
    ARGS_COMMON = 0, /* --json, --verbose, --quiet, --progress, --help: always there */
    ARGS_THREADS = 1,
    ARGS_USES_SEED = 2,
    ARGS_MEMORY = 4,
    ARGS_TAG = 8,
    ARGS_FORCE = 16,
    ARGS_WINDOW = 32,        /* --from, --to, --layers, --state, --precision */
    ARGS_RANKS = 64,         /* --ranks-per-product: the command works under mpirun */
    ARGS_CONFIG_SEED = 128,  /* --seed in the place of the config's; ARGS_USES_SEED: in that of 0 */
    ARGS_AT = 2048,          /* --at, --to-end */
    ARGS_PROBLEM = 256,      /* --allow-problem-command alone, which those with threads have too */
    ARGS_SET = 512,          /* --set KEY=VALUE, as often as one likes */
    ARGS_SWEEP = 1024,       /* --set KEY=VALUE,VALUE,... */
    ARGS_READ_TAG = 4096,    /* --tag of what is stored */
    ARGS_FORCE_RUN = 8192,   /* --force of a training, */
    ARGS_FORCE_FILE = 16384, /* and of a file */
};

enum { ARGS_ROWS_MAX = 64, ARGS_NAME_MAX = 64, ARGS_SETS_MAX = 64 };

struct cli;
struct stj_run;

struct command {
    const char *name;
    const char *summary;    /* one line for the list of commands */
    const char *positional; /* as in the usage line, "RUN [FIGURE]" */
    size_t min_positional, max_positional;
    const char *description;          /* wrapped by the help */
    unsigned shared;                  /* enum args_shared_mask */
    const struct stj_option *options; /* its own rows; NULL: none */
    size_t options_size;    /* of the struct they fill; 0: they are checked and kept as texts */
    const char *list_title; /* of what the help lists; NULL: nothing */
    stj_names_fn list;
    const char *unconverged; /* when it exits with 2; NULL: never */
    const char
        *kept; /* what an interruption leaves; NULL: nothing, where the library says no more */
    const char *example;                              /* lines */
    int (*run)(struct cli *cli, const void *options); /* returns the exit status */

    /* Instead of it: what the command does with the run that its first argument names, which is open;
     * *exit_status is CLI_DONE before it. */
    enum stj_status (*work)(struct cli *cli, struct stj_run *run, const void *options,
                            int *exit_status);
    bool takes_config; /* the argument may be a config file: the run is then not trained */

    bool deals;    /* its ranks do different things, each by itself */
    bool measures; /* one rank does it, but all show before how fast their messages are */

    /* The command that the first argument makes of this one; NULL: none.  May itself be NULL. */
    const struct command *(*specialize)(const char *word);
};

struct args {
    struct args_shared shared;
    char **positional; /* within argv */
    size_t n_positional;
    struct stj_option_pair given[ARGS_ROWS_MAX]; /* its own options, in order; texts of argv */
    size_t n_given;
    struct stj_option_pair set[ARGS_SETS_MAX]; /* every --set, in order; texts of argv */
    size_t n_set;
    bool listed; /* a list was asked for and printed: nothing else is to be done */
};

/* Fill `args` and the zeroed `options` of a command from argv[1..].  Positional arguments and
 * options may be mixed; "--" ends the options; of an option given twice the last counts.  With
 * --help or a list asked for, what is missing is not an error. */
enum stj_status args_parse(const struct command *command, int argc, char **argv, struct args *args,
                           void *options, struct stj_error *err);

/* Free what args_parse put into the two. */
void args_free(const struct command *command, struct args *args, void *options);

/* Row i of a command, its own ones first; NULL past the last. */
const struct stj_option *args_row(const struct command *command, size_t i);

/* The groups of options in a help: of a command that has a window four, of others one. */
enum { ARGS_GROUPS = 4 };

/* Its title; NULL: options are in no groups, or no row is in this one. */
const char *args_group_title(const struct command *command, size_t group);

/* Row i is in the group; of a command without groups all are in the first. */
bool args_in_group(const struct command *command, size_t i, size_t group);

/* name <- that of a row as the command line has it: "max-seconds". */
const char *args_name(const struct stj_option *row, char name[ARGS_NAME_MAX]);

/* Usage, description, options with their defaults, exit status and example of a command. */
void args_print_help(FILE *out, const struct command *command);

/* A line for each name, the first words of all as wide as the widest. */
void args_print_names(FILE *out, stj_names_fn names);

/* Fail: there is no WHAT called `word`; the nearest of the names there are, or else all of them, and
 * where they are explained. */
enum stj_status args_no_such(const char *what, const char *word, stj_names_fn names,
                             const char *listed_by, struct stj_error *err);

#endif
