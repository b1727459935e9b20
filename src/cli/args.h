/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/args.h: one table per command gives parsing, checked values and help.
 *
 * A row says where a value lies in the command's options struct, its type, default and range.  What
 * several commands understand is declared once (args_shared) and chosen by a mask.
 */
#ifndef STJ_CLI_ARGS_H
#define STJ_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <spectraj/status.h>

enum args_type {
    ARGS_FLAG,   /* bool; takes no value */
    ARGS_SIZE,   /* size_t; decimal digits */
    ARGS_SEED,   /* uint64_t in 0 .. 2^63 - 1, which JSON holds as an integer */
    ARGS_REAL,   /* double; finite */
    ARGS_TEXT,   /* const char *; not empty */
    ARGS_BYTES,  /* size_t; digits with an optional K, M, G or T (powers of 1024) */
    ARGS_CHOICE, /* int: index into `choices` */
};

/* A table ends with a row whose name is NULL. */
struct args_option {
    const char *name; /* without the dashes */
    char letter;      /* short form; 0: none */
    enum args_type type;
    bool required;
    size_t offset;              /* offsetof the value in the options struct */
    size_t given_offset;        /* offsetof a bool, "was given"; 0: not wanted */
    const char *fallback;       /* value when not given, as if typed; NULL: left zero */
    double min, max;            /* numbers: inclusive range; min == max: no limit */
    bool above_min, below_max;  /* that end of the range is excluded */
    const char *const *choices; /* CHOICE: NULL-terminated */
    void (*list)(FILE *out);    /* TEXT: the value "help" prints this list and ends; or NULL */
    const char *metavar;        /* name of the value in the help */
    const char *doc;            /* the help adds the default */
};

/* Options with the same meaning in every command that has them. */
struct args_shared {
    bool json, force, quiet, help, seed_given, threads_given;
    uint64_t seed;
    size_t threads, memory, from, to, ranks_per_product;
    const char *tag, *layers;
    int state;    /* index into "theta", "full" */
    int progress; /* index into "auto", "plain", "off" */
};

enum args_shared_mask {
    ARGS_COMMON = 0, /* --json, --quiet, --progress, --help: always there */
    ARGS_THREADS = 1,
    ARGS_USES_SEED = 2,
    ARGS_MEMORY = 4,
    ARGS_TAG = 8,
    ARGS_FORCE = 16,
    ARGS_WINDOW = 32, /* --from, --to, --layers, --state */
    ARGS_RANKS = 64,  /* --ranks-per-product: the command works under mpirun */
};

enum { ARGS_POSITIONAL_MAX = 3 };

struct cli;

struct command {
    const char *name;
    const char *summary;    /* one line for the list of commands */
    const char *positional; /* as in the usage line, "RUN [FIGURE]" */
    size_t min_positional, max_positional;
    const char *description;           /* wrapped by the help */
    unsigned shared;                   /* enum args_shared_mask */
    const struct args_option *options; /* its own rows */
    size_t options_size;               /* of the struct they fill */
    const char *list_title;            /* of what the help lists; NULL: nothing */
    void (*list)(FILE *out);
    const char *unconverged;                          /* when it exits with 2; NULL: never */
    const char *example;                              /* lines */
    int (*run)(struct cli *cli, const void *options); /* returns the exit status */
    bool measures; /* one rank does it, but all show before how fast their messages are */

    /* The command that the first argument makes of this one; NULL: none.  May itself be NULL. */
    const struct command *(*specialize)(const char *word);
};

struct args {
    struct args_shared shared;
    const char *positional[ARGS_POSITIONAL_MAX];
    size_t n_positional;
    bool listed; /* a list was asked for and printed: nothing else is to be done */
};

/* Fill `args` and the zeroed `options` of a command from argv[1..]; strings point into argv.
 * Positional arguments and options may be mixed; "--" ends the options.  With --help or a list
 * asked for, what is missing is not an error. */
enum stj_status args_parse(const struct command *command, int argc, char **argv, struct args *args,
                           void *options, struct stj_error *err);

/* Row i of a command, its own ones first, with *shared telling in which struct the value lies; NULL
 * past the last. */
const struct args_option *args_row(const struct command *command, size_t i, bool *shared);

/* Usage, description, options with their defaults, exit status and example of a command. */
void args_print_help(FILE *out, const struct command *command);

/* The nearest of n words in edit distance (a transposition counts one), or NULL when none is near
 * enough to be meant. */
const char *args_nearest(const char *word, const char *const *words, size_t n);

#endif
