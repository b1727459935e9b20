/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/yaml.h: a YAML document as a tree of nodes that know their place in the file.
 *
 * Restricted on purpose: one document; no anchors or aliases, no tags, no duplicate keys, keys are
 * plain scalars, depth at most 32.  Everything else is an error with file, line and column.
 */
#ifndef STJ_OPTIONS_YAML_H
#define STJ_OPTIONS_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

#include "base/memory.h"

enum stj_yaml_type { STJ_YAML_SCALAR, STJ_YAML_SEQUENCE, STJ_YAML_MAPPING };

struct stj_yaml_node {
    enum stj_yaml_type type;
    const char *file;           /* as named by the caller, for messages; NULL: no file */
    int line, column;           /* from 1 */
    char *text;                 /* SCALAR */
    bool quoted;                /* SCALAR: written in quotes, so never a number or a bool */
    size_t n;                   /* SEQUENCE, MAPPING: items */
    struct stj_yaml_node *item; /* values */
    struct stj_yaml_node *key;  /* MAPPING: scalars, key[i] belongs to item[i] */
};

/* *root <- the tree of a file, or of a text (`name` stands for the file in messages). */
enum stj_status stj_yaml_read(const char *path, struct stj_yaml_node **root, struct stj_error *err);
enum stj_status stj_yaml_parse(const char *text, size_t length, const char *name,
                               struct stj_yaml_node **root, struct stj_error *err);
void stj_yaml_destroy(struct stj_yaml_node *root); /* NULL is accepted */
STJ_HOLDS(struct stj_yaml_node, stj_yaml_destroy)

/* Append to a mapping copies of the entries of another whose keys it lacks, at their places. */
enum stj_status stj_yaml_inherit(struct stj_yaml_node *map, const struct stj_yaml_node *from,
                                 struct stj_error *err);

/* Append the entry `key` (from a program) with a copy of the value. */
enum stj_status stj_yaml_add(struct stj_yaml_node *map, const char *key,
                             const struct stj_yaml_node *value, struct stj_error *err);

/* node <- a copy of the value, which may hold parts of the node. */
enum stj_status stj_yaml_replace(struct stj_yaml_node *node, const struct stj_yaml_node *value,
                                 struct stj_error *err);

/* Replace the value of the key by a copy of this one, or append the entry. */
enum stj_status stj_yaml_put(struct stj_yaml_node *map, const char *key,
                             const struct stj_yaml_node *value, struct stj_error *err);

/* Free what is in a node. */
void stj_yaml_free_content(struct stj_yaml_node *node);

/* Is it the text of a number? */
bool stj_yaml_is_number(const struct stj_yaml_node *node);

/* The value of a key in a mapping, or NULL. */
const struct stj_yaml_node *stj_yaml_get(const struct stj_yaml_node *map, const char *key);

#endif
