/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option.h: option tables (<spectraj/option.h>) against YAML, and plug-in kinds.
 *
 * A plug-in (a layer, a loss, an optimizer, ...) declares a plain config struct and a table with one
 * row per key; the table also writes the resolved configuration.
 */
#ifndef STJ_OPTIONS_OPTION_H
#define STJ_OPTIONS_OPTION_H

#include <stdio.h>

#include <spectraj/option.h>

/* A value of type STJ_OPTION_NAMES, or FILES: paths, of which one without a name has the key "". */
struct stj_names {
    size_t n;
    struct stj_name {
        char *key, *value; /* owned */
        char *place;       /* where the config says so, "c.yaml:12:3"; owned */
    } * item;
};

/* A value of type STJ_OPTION_SHAPES. */
struct stj_shapes {
    size_t n;
    struct stj_named_sizes {
        char *key; /* owned */
        struct stj_sizes sizes;
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

    void (*free)(void *config); /* what the table does not say it owns; NULL: nothing */
};

/* One registry: an array of pointers to plug-ins, NULL-terminated. */
struct stj_kind {
    const char *what;                /* "layer": used in messages */
    const char *key;                 /* the key that names the plug-in in a mapping; NULL: "type" */
    const struct stj_option *common; /* keys of every plug-in of the kind, optional; NULL: none */
    size_t common_size;              /* bytes of the struct that they are in */
    const struct stj_plugin_info *const *list;
    const char *sequence, *items; /* the plug-in that a bare list stands for, and the key that the
                                     list is; NULL: none */
    const char *number, *value;   /* the same of a bare number */
};

/* A chosen plug-in with its parsed config (owned; NULL when it has no options).  The kind's key
 * (`type`), `name` and its common keys are taken in its mapping: no plug-in has options of these
 * names. */
struct stj_plugin {
    const struct stj_plugin_info *info;
    void *config;
    void *common;                /* the common keys of its kind, owned; NULL: it has none */
    const struct stj_kind *kind; /* with common keys */
    char *label;                 /* the value of `name:`, NULL when not given; owned */
    int line, column;            /* where the config says so; 0 when it was made in a program */
};

struct stj_plugins {
    size_t n;
    struct stj_plugin *item;
};

/* A value of type STJ_OPTION_BY_STEP. */
struct stj_by_step {
    double value;               /* of every step, */
    struct stj_plugin schedule; /* unless info is not NULL here */
};

struct stj_yaml_node; /* options/yaml.h */

/* config <- values of `map` (NULL: an empty mapping), checked against the table, defaults filled
 * in.  `config` must be zeroed.  On failure everything is freed again; the message names file,
 * line, column, key, the value received and what is accepted. */
enum stj_status stj_options_parse(const struct stj_option *table, const struct stj_yaml_node *map,
                                  void *config, struct stj_error *err);

/* Put a value at `key` ("training.learning_rate.peak", "network.layers[0].units") of a config's tree,
 * which is not parsed yet: mappings on the way are made, plug-ins that are written short written out.
 * What the value's text belongs to must outlive the tree.  STJ_ECONFIG: there is no such place. */
enum stj_status stj_options_set(const struct stj_option *table, struct stj_yaml_node *root,
                                const char *key, const struct stj_yaml_node *value,
                                struct stj_error *err);

/* Write the values as YAML block mapping lines, each indented by `indent` spaces, so that parsing
 * them again gives the same values (reals with as many digits, 15 to 17, as that takes).  Optional
 * keys that were not given are left out.  Errors show in ferror(file). */
void stj_options_write(FILE *file, int indent, const struct stj_option *table, const void *config);

/* Call fn for every plug-in in a config, those within plug-ins too, in the order of the tables,
 * until it fails; `inner`: within another of its kind. */
typedef enum stj_status (*stj_plugin_fn)(void *ctx, struct stj_plugin *plugin, bool inner,
                                         struct stj_error *err);
enum stj_status stj_options_visit(const struct stj_option *table, void *config, stj_plugin_fn fn,
                                  void *ctx, struct stj_error *err);

/* The plug-in of a kind by name; unknown: STJ_ECONFIG naming the nearest one. */
enum stj_status stj_kind_find(const struct stj_kind *kind, const char *name,
                              const struct stj_plugin_info **info, struct stj_error *err);

/* plugin <- parsed from a node that is a NAME or a mapping with `type: NAME`. */
enum stj_status stj_plugin_parse(const struct stj_kind *kind, const struct stj_yaml_node *node,
                                 struct stj_plugin *plugin, struct stj_error *err);
void stj_plugin_free(struct stj_plugin *plugin);

#endif
