/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_set.c: a value put at "training.learning_rate.peak" of a config's tree.
 *
 * The tree is walked with its tables, so that what a config may write short (a bare name, number or list
 * for a plug-in) becomes the mapping that it stands for where one of its keys is set.  What no table
 * has is put all the same: whoever parses the tree refuses it, with the nearest name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"

/* The way that is still to go, and what is put at its end. */
struct setting {
    const char *key;  /* the whole, for messages */
    const char *rest; /* "peak", "layers[0].units" */
    const struct stj_yaml_node *value;
};

/* Where the keys of a mapping are described: in a table, for a plug-in also by its kind; or they are
 * the names of plug-ins.  All NULL: nowhere. */
struct scope {
    const struct stj_option *table;
    const struct stj_kind *plugin, *names;
};

static enum stj_status set_in_map(const struct scope *scope, struct stj_yaml_node *map,
                                  struct setting s, struct stj_error *err);

/* The row of a key; NULL: there is none. */
static const struct stj_option *find_row(const struct stj_option *table, const char *name)
{
    while (table && table->name && strcmp(table->name, name) != 0)
        table++;
    return table && table->name ? table : NULL;
}

/* node <- the mapping that a bare name, number or list stands for. */
static enum stj_status write_out(const struct stj_kind *kind, struct stj_yaml_node *node,
                                 struct stj_error *err)
{
    struct stj_yaml_node map = {.type = STJ_YAML_MAPPING, .file = node->file};
    STJ_HELD(stj_yaml_free_content) struct stj_yaml_node full = map;
    struct stj_yaml_node name = {.type = STJ_YAML_SCALAR, .file = node->file};
    const bool list = node->type == STJ_YAML_SEQUENCE && kind->sequence;
    const bool number = kind->number && stj_yaml_is_number(node);
    if (node->type == STJ_YAML_MAPPING)
        return STJ_OK;
    name.text = (char *)(uintptr_t)(list ? kind->sequence : kind->number);
    STJ_MUST(stj_yaml_add(&full, stj_kind_key(kind), list || number ? &name : node, err));
    if (list || number)
        STJ_MUST(stj_yaml_add(&full, list ? kind->items : kind->value, node, err));
    return stj_yaml_replace(node, &full, err);
}

/* A key of a plug-in. */
static enum stj_status set_in_plugin(const struct stj_kind *kind, struct stj_yaml_node *node,
                                     struct setting s, struct stj_error *err)
{
    struct scope scope = {.plugin = kind};
    STJ_MUST(write_out(kind, node, err));
    const struct stj_yaml_node *name = stj_yaml_get(node, stj_kind_key(kind));
    if (name && name->type == STJ_YAML_SCALAR && stj_kind_get(kind, name->text))
        scope.table = stj_kind_get(kind, name->text)->options;
    return set_in_map(&scope, node, s, err);
}

/* Of a list of plug-ins: "[2]" or "[2].units". */
static enum stj_status set_in_list(const struct stj_option *row, struct stj_yaml_node *list,
                                   struct setting s, struct stj_error *err)
{
    char *end = NULL;
    const bool opens = *s.rest == '[' && s.rest[1] >= '0' && s.rest[1] <= '9';
    const size_t i = opens ? (size_t)strtoull(s.rest + 1, &end, 10) : 0;
    STJ_NEED(err, opens && *end == ']' && (!end[1] || (end[1] == '.' && end[2])), STJ_ECONFIG,
             "--set %s: '%s' is a list, whose items are %s[0], %s[0].KEY", s.key, row->name,
             row->name, row->name);
    STJ_NEED(err, list->type == STJ_YAML_SEQUENCE && i < list->n, STJ_ECONFIG,
             "--set %s: the config has %zu items there, numbered from 0", s.key,
             list->type == STJ_YAML_SEQUENCE ? list->n : 0);
    if (!end[1])
        return stj_yaml_replace(&list->item[i], s.value, err);
    s.rest = end + 2;
    return set_in_plugin(row->kind, &list->item[i], s, err);
}

/* Below the value of a row, which the config has as `node`. */
static enum stj_status set_below(const struct stj_option *row, struct stj_yaml_node *node,
                                 struct setting s, struct stj_error *err)
{
    if (row && row->type == STJ_OPTION_PLUGINS)
        return set_in_list(row, node, s, err);
    STJ_NEED(err, *s.rest == '.' && s.rest[1], STJ_ECONFIG,
             "--set %s: expected a key behind a dot, not '%s'", s.key, s.rest);
    s.rest++;
    if (row && (row->type == STJ_OPTION_PLUGIN || row->type == STJ_OPTION_BY_STEP))
        return set_in_plugin(row->kind, node, s, err);
    STJ_NEED(err, node->type == STJ_YAML_MAPPING, STJ_ECONFIG,
             "--set %s: the config has a value and no keys in front of '%s'", s.key, s.rest);
    if (row && (row->type == STJ_OPTION_NAMES || row->type == STJ_OPTION_FILES ||
                row->type == STJ_OPTION_SHAPES)) /* keys of the user's own, which may have dots */
        return stj_yaml_put(node, s.rest, s.value, err);
    const struct scope scope = {.table = row && row->type == STJ_OPTION_GROUP ? row->group : NULL,
                                .names = row && row->type == STJ_OPTION_BY_NAME ? row->kind : NULL};
    return set_in_map(&scope, node, s, err);
}

static enum stj_status set_in_map(const struct scope *scope, struct stj_yaml_node *map,
                                  struct setting s, struct stj_error *err)
{
    STJ_FREED char *name = NULL;
    const struct stj_yaml_node none = {
        .type = STJ_YAML_MAPPING, .file = s.value->file, .line = 1, .column = 1};
    const size_t length = strcspn(s.rest, ".[");
    STJ_NEED(err, length > 0, STJ_ECONFIG, "--set %s: expected the name of a key, not '%s'", s.key,
             s.rest);
    if (!s.rest[length])
        return stj_yaml_put(map, s.rest, s.value, err);
    STJ_MUST(stj_strdup(&name, s.rest, err));
    name[length] = '\0';
    s.rest += length;
    if (!stj_yaml_get(map, name))
        STJ_MUST(stj_yaml_add(map, name, &none, err));
    struct stj_yaml_node *node = (struct stj_yaml_node *)(uintptr_t)stj_yaml_get(map, name);
    const struct stj_plugin_info *named = scope->names ? stj_kind_get(scope->names, name) : NULL;
    const struct stj_option group = {.type = STJ_OPTION_GROUP,
                                     .group = named ? named->options : NULL};
    const struct stj_option *row = named ? &group : find_row(scope->table, name);
    if (!row && scope->plugin)
        row = find_row(scope->plugin->common, name);
    return set_below(row, node, s, err);
}

enum stj_status stj_options_set(const struct stj_option *table, struct stj_yaml_node *root,
                                const char *key, const struct stj_yaml_node *value,
                                struct stj_error *err)
{
    const struct setting s = {.key = key, .rest = key, .value = value};
    if (root->type != STJ_YAML_MAPPING) /* which the parser says */
        return STJ_OK;
    return set_in_map(&(const struct scope){.table = table}, root, s, err);
}
