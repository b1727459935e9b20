/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/option.h: tables of options.
 *
 * A table has a row for each option: where its value lies in a struct, type, default, range, unit
 * and a line of documentation.  The same table parses the keys of a config and the options of a
 * command, checks them, suggests the nearest name for a misspelt one, and makes help and manual
 * pages.
 *
 * Threads: everything here may be called from any, and from several at once, each with a struct of
 * its own.
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

/* What a value is, and what it lies in. */
enum stj_option_type {
    STJ_OPTION_SIZE,   /* size_t; a non-negative integer */
    STJ_OPTION_SEED,   /* uint64_t */
    STJ_OPTION_BYTES,  /* size_t; an integer, or one with K, M, G or T behind: powers of 1024 */
    STJ_OPTION_REAL,   /* double; finite */
    STJ_OPTION_BOOL,   /* bool; of a command, where it takes no value: whether it is given */
    STJ_OPTION_STRING, /* char *, owned by the struct; with `kind` or `names`, one of those names */
    STJ_OPTION_PATH,   /* char *, owned; made absolute relative to the config file's folder */
    STJ_OPTION_CHOICE, /* int: index into `choices` */
    STJ_OPTION_SIZES,  /* struct stj_sizes: a list of non-negative integers; a bare number too; with
                          `choices` one of these words instead, a list of STJ_SIZES_WORD(index) */
    STJ_OPTION_REALS,  /* struct stj_reals: a list of finite numbers; a bare number too */
    STJ_OPTION_NAMES,  /* a mapping of texts to texts, keys of the user's own; in configs alone */
    STJ_OPTION_PLUGIN, /* {type: NAME, ...} of a `kind`; a bare NAME too */
    STJ_OPTION_PLUGINS, /* a list of them; in configs alone */
    STJ_OPTION_BY_NAME, /* a mapping {NAME: {...}, ...} of some of a `kind`; in configs alone */
    STJ_OPTION_GROUP,   /* a mapping with its own table `group`, at `offset`; in configs alone */
    STJ_OPTION_TEXTS,   /* struct stj_texts: a list of names, at least one; a bare name too */
    STJ_OPTION_BY_STEP, /* a finite number, or one for each step: a plug-in of `kind`; in configs
                           alone */
    STJ_OPTION_FILES,   /* a file, or a mapping of names to files; in configs alone */
    STJ_OPTION_SHAPES,  /* a mapping of names to lists as SIZES; in configs alone */
};

/* What an option of an analysis means for a stored result. */
enum stj_option_role {
    STJ_ROLE_QUESTION, /* another value is another question, whose answer has a file of its own */
    STJ_ROLE_EXTENT,   /* how much of the answer: a larger one holds the smaller */
    STJ_ROLE_EFFORT,   /* what it may cost: a result that is complete answers any */
    STJ_ROLE_VIEW,     /* what is shown of the stored numbers: any is answered from them */
};

/* A value of type STJ_OPTION_SIZES. */
struct stj_sizes {
    size_t n;     /* items */
    size_t *item; /* [n], owned */
};

/* The item of a struct stj_sizes that stands for word `index` of the choices, as no size does. */
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

struct stj_kind; /* a kind of plug-in: of the library alone */

/* Names and what they stand for, as many as there are: *name and *doc <- number i, static; false
 * past the last. */
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
    bool above_min;              /* numbers: min itself is excluded (alone: above 0) */
    bool below_max;              /* numbers: max itself is excluded */
    const char *const *choices;  /* CHOICE, SIZES: NULL-terminated */
    const struct stj_kind *kind; /* PLUGIN, PLUGINS, BY_STEP; STRING: it is the name of one */
    stj_names_fn names;          /* STRING: it is one of them; NULL: any */
    const struct stj_option *group; /* GROUP */
    size_t present_offset;          /* offset of a bool, "was given"; 0: none */
    const char *unit;               /* NULL: none */
    const char *value; /* what a command's help calls its value, "K"; NULL: by its type */
    const char *doc;   /* one line */
};

/* A row of a struct's table: name, type without STJ_OPTION_, member, fallback and doc, and then what
 * else is to be said:
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
    const char *text; /* its value; the items of a list with commas between them */
};

/* config <- the values of n pairs, checked against the table, defaults filled in.  `config` must be
 * zeroed; NULL: they are only checked.  On failure everything is freed again; the message says
 * which option, the value received and what is accepted. */
enum stj_status stj_options_parse_pairs(const struct stj_option *table, size_t n,
                                        const struct stj_option_pair *pair, void *config,
                                        struct stj_error *err);

/* Free what the struct owns (strings, lists, plug-ins), leaving it zeroed; NULL is accepted. */
void stj_options_free(const struct stj_option *table, void *config);

/* *name and *doc <- number i of the names that an option chooses from (choices have an empty doc);
 * false past the last, so of an option that does not choose at once. */
bool stj_option_get_name(const struct stj_option *option, size_t i, const char **name,
                         const char **doc);

/* What help calls the value of an option, "N"; NULL: a flag, which takes none. */
const char *stj_option_get_value(const struct stj_option *option);

/* Bytes that are enough for what is said of an option, its final zero among them. */
enum { STJ_OPTION_TEXT_MAX = 1024 };

/* text[size] <- the documentation of an option and its default in brackets; in_config: also its
 * type, unit and range.  A longer text is cut. */
void stj_option_describe(const struct stj_option *option, bool in_config, char *text, size_t size);

/* The one of n words that is nearest to `word`, or NULL when none is near enough to be meant. */
const char *stj_suggest(const char *word, const char *const *candidates, size_t n);

#ifdef __cplusplus
}
#endif

#endif
