/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/option.h: tables of options.
 *
 * A table has a row for each option: the place of its value in a struct, its type, default, range,
 * unit and a line of documentation.  The same table parses and checks the keys of a config and the
 * options of a command, suggests the nearest name for a misspelt one, and generates help and manual
 * pages.
 *
 * Threads: any threads may call these functions, several at once, each with its own struct.
 */
#ifndef SPECTRAJ_OPTION_H
#define SPECTRAJ_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The type of a value, and of the struct member that holds it. */
enum stj_option_type {
    STJ_OPTION_SIZE,   /* size_t; a non-negative integer */
    STJ_OPTION_SEED,   /* uint64_t */
    STJ_OPTION_BYTES,  /* size_t; an integer, optionally followed by K, M, G or T: powers of 1024 */
    STJ_OPTION_REAL,   /* double; finite */
    STJ_OPTION_BOOL,   /* bool; a command's option takes no value: true if given */
    STJ_OPTION_STRING, /* char *, owned by the struct; with `kind` or `names`, one of those names */
    STJ_OPTION_PATH,   /* char *, owned; made absolute relative to the config file's folder */
    STJ_OPTION_CHOICE, /* int: index into `choices` */
    STJ_OPTION_SIZES,  /* struct stj_sizes: a list of non-negative integers; a bare number too; with
                          `choices` one of these words instead, a list of STJ_SIZES_WORD(index) */
    STJ_OPTION_REALS,  /* struct stj_reals: a list of finite numbers; a bare number too */
    STJ_OPTION_NAMES,  /* a mapping of texts to texts, keys of the user's choice; only in configs */
    STJ_OPTION_PLUGIN, /* {type: NAME, ...} of a `kind`; a bare NAME too */
    STJ_OPTION_PLUGINS, /* a list of them; only in configs */
    STJ_OPTION_BY_NAME, /* a mapping {NAME: {...}, ...} of plug-ins of a `kind`; only in configs */
    STJ_OPTION_GROUP,   /* a mapping with its own table `group`, at `offset`; only in configs */
    STJ_OPTION_TEXTS,   /* struct stj_texts: a list of names, at least one; a bare name too */
    STJ_OPTION_BY_STEP, /* a finite number, or one for each step: a plug-in of `kind`; in configs
                           alone */
    STJ_OPTION_FILES,   /* a file, or a mapping of names to files; only in configs */
    STJ_OPTION_SHAPES,  /* a mapping of names to lists as SIZES; only in configs */
};

/* How an option of an analysis relates to a stored result. */
enum stj_option_role {
    STJ_ROLE_QUESTION, /* another value asks another question, whose answer has its own file */
    STJ_ROLE_EXTENT,   /* how much of the answer: a larger one contains the smaller */
    STJ_ROLE_EFFORT,   /* what it may cost: a complete result answers every value */
    STJ_ROLE_VIEW,     /* which stored numbers are shown: they answer every value */
};

/* A value of type STJ_OPTION_SIZES. */
struct stj_sizes {
    size_t n;     /* items */
    size_t *item; /* [n], owned */
};

/* The item of a struct stj_sizes that stands for word `index` of the choices; no size has this
 * value. */
#define STJ_SIZES_WORD(index) (SIZE_MAX - (size_t)(index))

/* A value of type STJ_OPTION_REALS. */
struct stj_reals {
    size_t n;     /* items */
    double *item; /* [n], owned */
};

/* A value of type STJ_OPTION_TEXTS. */
struct stj_texts {
    size_t n;    /* items */
    char **item; /* [n], owned, each of them too */
};

struct stj_kind; /* a kind of plug-in; internal to the library */

/* A list of names with a line of documentation each: *name and *doc <- number i, static; false past
 * the last. */
typedef bool (*stj_names_fn)(size_t i, const char **name, const char **doc);

/* A row.  A table ends with one whose name is NULL. */
struct stj_option {
    const char *name;            /* as in a config; a command has dashes for underscores */
    char letter;                 /* short form on a command line; 0: none */
    enum stj_option_type type;   /* of its value */
    enum stj_option_role role;   /* of an analysis */
    size_t offset;               /* offsetof the value in the struct */
    const char *fallback;        /* default as YAML; NULL: required; "": optional, left zero */
    double min, max;             /* numbers: inclusive range; min == max == 0: no limit; max < min
                                    (as in .min = 1 alone) or infinite: no upper limit */
    bool above_min;              /* numbers: min itself is excluded (without min: above 0) */
    bool below_max;              /* numbers: max itself is excluded */
    const char *const *choices;  /* CHOICE, SIZES: NULL-terminated */
    const struct stj_kind *kind; /* PLUGIN, PLUGINS, BY_STEP; STRING: the name of one */
    stj_names_fn names;          /* STRING: one of them; NULL: any */
    const struct stj_option *group; /* GROUP */
    size_t present_offset;          /* offset of a bool, "was given"; 0: none */
    const char *unit;               /* NULL: none */
    const char *value;              /* what help calls its value, such as "K"; NULL: by its type */
    const char *doc;                /* one line */
};

/* A row of a struct's table: name, type without STJ_OPTION_, member, fallback and doc, then any
 * other members:
 *
 *     STJ_OPTION_ROW(struct noise, "level", REAL, level, "0.1", "how much of it", .max = 1),
 */
#define STJ_OPTION_ROW(struct_, name_, type_, member_, fallback_, doc_, ...)                       \
    {                                                                                              \
        .name = (name_), .type = STJ_OPTION_##type_, .offset = offsetof(struct_, member_),         \
        .fallback = (fallback_), .doc = (doc_), __VA_ARGS__                                        \
    }

/* An option as a command line gives it. */
struct stj_option_pair {
    const char *name; /* of a row */
    const char *text; /* its value; the items of a list are separated by commas */
};

/* config <- the values of n pairs, checked against the table, with defaults filled in.  `config`
 * must be zeroed; NULL: check only.  On failure everything is freed; the message names the option,
 * the value received and what is accepted. */
enum stj_status stj_options_parse_pairs(const struct stj_option *table, size_t n,
                                        const struct stj_option_pair *pair, void *config,
                                        struct stj_error *err);

/* Free what the struct owns (strings, lists, plug-ins) and zero it; NULL is accepted. */
void stj_options_free(const struct stj_option *table, void *config);

/* *name and *doc <- number i of the names from which an option chooses (choices have an empty doc);
 * false past the last, and for an option that does not choose. */
bool stj_option_get_name(const struct stj_option *option, size_t i, const char **name,
                         const char **doc);

/* What help calls the value of an option, such as "N"; NULL: a flag, which takes none. */
const char *stj_option_get_value(const struct stj_option *option);

/* Bytes that suffice for the description of an option, including its final zero. */
enum { STJ_OPTION_TEXT_MAX = 1024 };

/* text[size] <- the documentation of an option and its default in brackets; with in_config also its
 * type, unit and range.  A longer text is truncated. */
void stj_option_describe(const struct stj_option *option, bool in_config, char *text, size_t size);

/* The nearest of n words to `word`, or NULL if none is near enough. */
const char *stj_suggest(const char *word, const char *const *candidates, size_t n);

#ifdef __cplusplus
}
#endif

#endif
