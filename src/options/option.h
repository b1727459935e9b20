/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option.h: typed option tables and plug-in kinds.
 *
 * A plug-in (a layer, a loss, an optimizer, ...) declares a plain config struct and a table with
 * one row per key: where the value lies in the struct, its type, default, range, unit, and a line
 * of documentation.  The same table parses a YAML mapping, checks it, suggests the nearest name for
 * a misspelt key, writes the resolved configuration and documents the key in the manual.
 */
#ifndef STJ_OPTIONS_OPTION_H
#define STJ_OPTIONS_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <spectraj/status.h>

enum stj_option_type {
    STJ_OPTION_SIZE,    /* size_t; a non-negative integer */
    STJ_OPTION_SEED,    /* uint64_t */
    STJ_OPTION_REAL,    /* double; finite */
    STJ_OPTION_BOOL,    /* bool */
    STJ_OPTION_STRING,  /* char *, owned by the config struct */
    STJ_OPTION_PATH,    /* char *, owned; made absolute relative to the config file's folder */
    STJ_OPTION_CHOICE,  /* int: index into `choices` */
    STJ_OPTION_SIZES,   /* struct stj_sizes: a list of non-negative integers; a bare number too */
    STJ_OPTION_NAMES,   /* struct stj_names: a mapping of texts to texts, keys of the user's own */
    STJ_OPTION_REALS,   /* struct stj_reals: a list of finite numbers; a bare number too */
    STJ_OPTION_PLUGIN,  /* struct stj_plugin: {type: NAME, ...} of a `kind`; a bare NAME too */
    STJ_OPTION_PLUGINS, /* struct stj_plugins: a list of them */
    STJ_OPTION_GROUP,   /* a nested mapping with its own table `group`, at `offset` in the struct */
};

struct stj_sizes {
    size_t n;
    size_t *item;
};

struct stj_reals {
    size_t n;
    double *item;
};

struct stj_names {
    size_t n;
    struct stj_name {
        char *key, *value; /* owned */
    } * item;
};

/* The head of every plug-in's table of operations: its first member, named `info`. */
struct stj_plugin_info {
    const char *name;                 /* as written in a config */
    const char *doc;                  /* one line */
    const struct stj_option *options; /* NULL: no keys of its own */
    size_t config_size;               /* bytes of the plug-in's config struct; 0 without options */

    /* What the table cannot say, such as one value that limits another: a sentence without a place,
     * or STJ_OK.  NULL: nothing. */
    enum stj_status (*check)(const void *config, struct stj_error *err);
};

/* One registry: an array of pointers to plug-ins, NULL-terminated. */
struct stj_kind {
    const char *what; /* "layer": used in messages */
    const char *key;  /* the key that names the plug-in in a mapping; NULL: "type" */
    const struct stj_plugin_info *const *list;
};

/* A chosen plug-in with its parsed config (owned; NULL when it has no options).  The kind's key
 * (`type`) and `name` are taken in its mapping: no plug-in has options of these names. */
struct stj_plugin {
    const struct stj_plugin_info *info;
    void *config;
    char *label;      /* the value of `name:`, NULL when not given; owned */
    int line, column; /* where the config says so; 0 when it was made in a program */
};

struct stj_plugins {
    size_t n;
    struct stj_plugin *item;
};

/* What an option of an analysis means for a stored result. */
enum stj_option_role {
    STJ_ROLE_QUESTION, /* another value is another question, whose answer has a file of its own */
    STJ_ROLE_EXTENT,   /* how much of the answer: a larger one holds the smaller */
    STJ_ROLE_EFFORT,   /* what it may cost: a result that is complete answers any */
    STJ_ROLE_VIEW,     /* what is shown of the stored numbers: any is answered from them */
};

/* A table ends with a row whose name is NULL. */
struct stj_option {
    const char *name;
    char letter; /* short form on a command line; 0: none */
    enum stj_option_type type;
    enum stj_option_role role;
    size_t offset;               /* offsetof the value in the config struct */
    const char *fallback;        /* default as YAML text; NULL: required; "": optional, left zero */
    double min, max;             /* numbers: inclusive range; min == max == 0: no limit; max < min
                                   (as in .min = 1 alone) or infinite: no upper limit */
    bool above_min;              /* numbers: min itself is excluded (alone: above 0) */
    bool below_max;              /* numbers: max itself is excluded */
    const char *const *choices;  /* CHOICE: NULL-terminated */
    const struct stj_kind *kind; /* PLUGIN, PLUGINS */
    const struct stj_option *group; /* GROUP */
    size_t present_offset;          /* "" fallback: offset of a bool, "was given"; 0: none */
    const char *unit;               /* NULL: none */
    const char *value; /* what a command's help calls its value, "K"; NULL: by its type */
    const char *doc;   /* one line */
};

struct stj_yaml_node; /* options/yaml.h */

/* config <- values of `map` (NULL: an empty mapping), checked against the table, defaults filled
 * in.  `config` must be zeroed.  On failure everything is freed again; the message names file,
 * line, column, key, the value received and what is accepted. */
enum stj_status stj_options_parse(const struct stj_option *table, const struct stj_yaml_node *map,
                                  void *config, struct stj_error *err);

/* An option as a command line gives it: its name and the text of its value, the items of a list
 * with commas between them. */
struct stj_option_pair {
    const char *name, *text;
};

/* The same from n pairs instead of a mapping; a path is relative to the working folder, and messages
 * name the option without a position. */
enum stj_status stj_options_parse_pairs(const struct stj_option *table, size_t n,
                                        const struct stj_option_pair *pair, void *config,
                                        struct stj_error *err);

/* Free what the config struct owns (strings, lists, plug-ins), leaving it zeroed. */
void stj_options_free(const struct stj_option *table, void *config);

/* Write the values as YAML block mapping lines, each indented by `indent` spaces, so that parsing
 * them again gives the same values (reals with as many digits, 15 to 17, as that takes).  Optional
 * keys that were not given are left out.  Errors show in ferror(file). */
void stj_options_write(FILE *file, int indent, const struct stj_option *table, const void *config);

/* The plug-in of a kind by name; unknown: STJ_ECONFIG naming the nearest one. */
enum stj_status stj_kind_find(const struct stj_kind *kind, const char *name,
                              const struct stj_plugin_info **info, struct stj_error *err);

/* plugin <- parsed from a node that is a NAME or a mapping with `type: NAME`. */
enum stj_status stj_plugin_parse(const struct stj_kind *kind, const struct stj_yaml_node *node,
                                 struct stj_plugin *plugin, struct stj_error *err);
void stj_plugin_free(struct stj_plugin *plugin);

/* The candidate nearest to `word` in edit distance, or NULL when none is near enough to suggest. */
const char *stj_suggest(const char *word, const char *const *candidates, size_t n);

#endif
