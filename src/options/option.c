/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option.c: option tables against YAML mappings; plug-ins chosen by name. */
#include "options/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "options/option_value.h"

static const struct stj_option empty_table[] = {{.name = NULL}};

/* What parse_table works on. */
struct task {
    const struct stj_place *place;
    const struct stj_option *table;
    const struct stj_yaml_node *map;   /* NULL: no keys given */
    const struct stj_yaml_node *where; /* the node to name when a key is missing; may be NULL */
    const struct stj_kind *kind;       /* of a plug-in: its key and `name` are accepted too */
    bool known;                        /* the keys were looked at */
    void *config;
};

static enum stj_status parse_table(const struct task *task, struct stj_error *err);
static enum stj_status parse_plugin(const struct stj_place *place, const struct stj_kind *kind,
                                    const struct stj_yaml_node *node, struct stj_plugin *plugin,
                                    struct stj_error *err);
static enum stj_status parse_by_name(const struct stj_place *place, const struct stj_kind *kind,
                                     const struct stj_yaml_node *node, struct stj_plugins *plugins,
                                     struct stj_error *err);

/* ---- freeing ---- */

static void free_plugins(struct stj_plugins *plugins)
{
    for (size_t i = 0; i < plugins->n; i++)
        stj_plugin_free(&plugins->item[i]);
    free(plugins->item);
}

static void free_names(struct stj_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->item[i].key);
        free(names->item[i].value);
        free(names->item[i].place);
    }
    free(names->item);
}

static void free_shapes(struct stj_shapes *shapes)
{
    for (size_t i = 0; i < shapes->n; i++) {
        free(shapes->item[i].key);
        free(shapes->item[i].sizes.item);
    }
    free(shapes->item);
}

static void free_texts(struct stj_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->item[i]);
    free(texts->item);
}

static void free_field(const struct stj_option *option, void *field)
{
    switch (option->type) {
    case STJ_OPTION_STRING:
    case STJ_OPTION_PATH:
        free(*(char **)field);
        break;
    case STJ_OPTION_SIZES:
        free(((struct stj_sizes *)field)->item);
        break;
    case STJ_OPTION_REALS:
        free(((struct stj_reals *)field)->item);
        break;
    case STJ_OPTION_NAMES:
    case STJ_OPTION_FILES:
        free_names(field);
        break;
    case STJ_OPTION_SHAPES:
        free_shapes(field);
        break;
    case STJ_OPTION_TEXTS:
        free_texts(field);
        break;
    case STJ_OPTION_PLUGIN:
        stj_plugin_free(field);
        break;
    case STJ_OPTION_PLUGINS:
    case STJ_OPTION_BY_NAME:
        free_plugins(field);
        break;
    case STJ_OPTION_GROUP:
        stj_options_free(option->group, field);
        break;
    case STJ_OPTION_BY_STEP:
        stj_plugin_free(&((struct stj_by_step *)field)->schedule);
        break;
    default:
        break;
    }
    memset(field, 0, stj_option_size(option->type));
}

void stj_options_free(const struct stj_option *table, void *config)
{
    if (!table || !config)
        return;
    for (const struct stj_option *option = table; option->name; option++) {
        free_field(option, stj_option_field(config, option->offset));
        if (option->present_offset)
            *(bool *)stj_option_field(config, option->present_offset) = false;
    }
}

void stj_plugin_free(struct stj_plugin *plugin)
{
    if (plugin->info && plugin->info->free && plugin->config)
        plugin->info->free(plugin->config);
    if (plugin->info)
        stj_options_free(plugin->info->options, plugin->config);
    if (plugin->common)
        stj_options_free(plugin->kind->common, plugin->common);
    free(plugin->common);
    free(plugin->config);
    free(plugin->label);
    *plugin = (struct stj_plugin){0};
}

/* ---- tables ---- */

static bool has_row(const struct stj_option *table, const char *key)
{
    for (const struct stj_option *option = table; option && option->name; option++)
        if (strcmp(option->name, key) == 0)
            return true;
    return false;
}

static bool is_known(const struct task *task, const char *key)
{
    if (task->kind && (strcmp(key, stj_kind_key(task->kind)) == 0 || strcmp(key, "name") == 0 ||
                       has_row(task->kind->common, key)))
        return true;
    return has_row(task->table, key);
}

static void offer_rows(const struct stj_option *table, struct stj_suggest_search *search,
                       char accepted[STJ_EXPECTED_MAX])
{
    for (const struct stj_option *option = table; option && option->name; option++) {
        stj_suggest_offer(search, option->name);
        stj_text_add(accepted, STJ_EXPECTED_MAX, "%s%s", accepted[0] ? ", " : "", option->name);
    }
}

static enum stj_status fail_unknown_key(const struct task *task, const struct stj_yaml_node *key,
                                        struct stj_error *err)
{
    struct stj_suggest_search search = {.word = key->text};
    char accepted[STJ_EXPECTED_MAX] = "";
    char hint[STJ_GOT_MAX];
    if (task->kind) {
        stj_suggest_offer(&search, stj_kind_key(task->kind));
        stj_suggest_offer(&search, "name");
        stj_text_add(accepted, sizeof accepted, "%s, name", stj_kind_key(task->kind));
        offer_rows(task->kind->common, &search, accepted);
    }
    offer_rows(task->table, &search, accepted);
    stj_suggest_hint(&search, hint);
    const bool digits = key->text[0] && !key->text[strspn(key->text, "0123456789")];
    return stj_place_fail(task->place, key, err, __LINE__, "unknown key '%.60s'%s; accepted: %s",
                          key->text, digits ? STJ_DECIMAL_HINT : hint, /* of {peak: 0,1} */
                          accepted[0] ? accepted : "none");
}

static enum stj_status parse_plugins(const struct stj_place *place, const struct stj_option *option,
                                     const struct stj_yaml_node *node, struct stj_plugins *plugins,
                                     struct stj_error *err)
{
    if (node->type != STJ_YAML_SEQUENCE)
        return stj_option_refuse(place, option, node, "", err);
    STJ_MUST(stj_new(&plugins->item, node->n, sizeof *plugins->item, err));
    plugins->n = node->n;
    for (size_t i = 0; i < node->n; i++) {
        struct stj_place at = {.up = place, .index = i};
        STJ_MUST(parse_plugin(&at, option->kind, &node->item[i], &plugins->item[i], err));
    }
    return STJ_OK;
}

static enum stj_status parse_field(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, void *field,
                                   struct stj_error *err)
{
    struct task group = {
        .place = place, .table = option->group, .map = node, .where = node, .config = field};
    switch (option->type) {
    case STJ_OPTION_PLUGIN:
        return parse_plugin(place, option->kind, node, field, err);
    case STJ_OPTION_PLUGINS:
        return parse_plugins(place, option, node, field, err);
    case STJ_OPTION_BY_NAME:
        return parse_by_name(place, option->kind, node, field, err);
    case STJ_OPTION_GROUP:
        return parse_table(&group, err);
    case STJ_OPTION_BY_STEP:
        if (node->type != STJ_YAML_SCALAR)
            return parse_plugin(place, option->kind, node, &((struct stj_by_step *)field)->schedule,
                                err);
        return stj_option_parse_value(place, option, node, field, err);
    default:
        return stj_option_parse_value(place, option, node, field, err);
    }
}

/* Let a default stand where the mapping stands that lacks the key. */
static void relocate(struct stj_yaml_node *node, const struct stj_yaml_node *where)
{
    node->line = where ? where->line : 0;
    node->column = where ? where->column : 0;
    for (size_t i = 0; i < node->n; i++) {
        relocate(&node->item[i], where);
        if (node->key)
            relocate(&node->key[i], where);
    }
}

/* A key that is not given: its default, read as if it stood in the same file (a path is relative to
 * that file's folder). */
static enum stj_status parse_default(const struct task *task, const struct stj_place *place,
                                     const struct stj_option *option, void *field,
                                     struct stj_error *err)
{
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *node = NULL;
    char expected[STJ_EXPECTED_MAX];
    stj_option_expected(option, expected);
    STJ_NEED_PLACE(task->place, task->where, err, option->fallback,
                   "missing key '%s': expected %s (%s)", option->name, expected,
                   option->doc ? option->doc : "required");
    if (option->fallback[0] == '\0')
        return STJ_OK;
    STJ_MUST(stj_yaml_parse(option->fallback, strlen(option->fallback),
                            task->where && task->where->file ? task->where->file : "default", &node,
                            err));
    relocate(node, task->where);
    return parse_field(place, option, node, field, err);
}

static enum stj_status parse_key(const struct task *task, const struct stj_option *option,
                                 struct stj_error *err)
{
    struct stj_place place = {.up = task->place, .key = option->name};
    void *field = stj_option_field(task->config, option->offset);
    const struct stj_yaml_node *node = stj_yaml_get(task->map, option->name);
    if (node)
        STJ_MUST(parse_field(&place, option, node, field, err));
    else
        STJ_MUST(parse_default(task, &place, option, field, err));
    if (option->present_offset)
        *(bool *)stj_option_field(task->config, option->present_offset) = node != NULL;
    return STJ_OK;
}

static enum stj_status parse_table(const struct task *task, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    static const struct stj_option mapping = {.type = STJ_OPTION_GROUP};
    if (task->map && task->map->type != STJ_YAML_MAPPING)
        STJ_TRY(stj_option_refuse(task->place, &mapping, task->map, "", err));
    for (size_t i = 0; !task->known && task->map && i < task->map->n; i++)
        if (!is_known(task, task->map->key[i].text))
            STJ_TRY(fail_unknown_key(task, &task->map->key[i], err));
    for (const struct stj_option *option = task->table; option->name; option++)
        STJ_TRY(parse_key(task, option, err));
out:
    if (st != STJ_OK)
        stj_options_free(task->table, task->config);
    return st;
}

enum stj_status stj_options_parse(const struct stj_option *table, const struct stj_yaml_node *map,
                                  void *config, struct stj_error *err)
{
    struct task task = {.table = table, .map = map, .where = map, .config = config};
    return parse_table(&task, err);
}

/* ---- plug-ins ---- */

const struct stj_plugin_info *stj_kind_get(const struct stj_kind *kind, const char *name)
{
    for (size_t i = 0; kind->list[i]; i++)
        if (strcmp(kind->list[i]->name, name) == 0)
            return kind->list[i];
    return NULL;
}

static enum stj_status fail_unknown_name(const struct stj_place *place,
                                         const struct stj_yaml_node *node,
                                         const struct stj_kind *kind, const char *name,
                                         struct stj_error *err)
{
    struct stj_suggest_search search = {.word = name};
    char accepted[STJ_EXPECTED_MAX] = "";
    char hint[STJ_GOT_MAX];
    for (size_t i = 0; kind->list[i]; i++) {
        stj_suggest_offer(&search, kind->list[i]->name);
        stj_text_add(accepted, sizeof accepted, "%s%s", i ? ", " : "", kind->list[i]->name);
    }
    stj_suggest_hint(&search, hint);
    return stj_place_fail(place, node, err, __LINE__, "unknown %s '%.60s'%s; accepted: %s",
                          kind->what, name, hint, accepted[0] ? accepted : "none");
}

enum stj_status stj_kind_find(const struct stj_kind *kind, const char *name,
                              const struct stj_plugin_info **info, struct stj_error *err)
{
    *info = stj_kind_get(kind, name);
    return *info ? STJ_OK : fail_unknown_name(NULL, NULL, kind, name, err);
}

bool stj_option_is_label(const char *label)
{
    bool good = label[0] != '\0';
    for (size_t n = 0; good && *label; label += n) {
        unsigned code = 0;
        n = stj_text_decode(label, &code);
        good = !stj_text_is_control(code) && !strchr(" ,", *label) && code != 0xA0;
    }
    return good;
}

static enum stj_status parse_label(const struct stj_place *up, const struct stj_yaml_node *map,
                                   char **label, struct stj_error *err)
{
    static const struct stj_option option = {.name = "name", .type = STJ_OPTION_STRING};
    struct stj_place place = {.up = up, .key = option.name};
    char got[STJ_GOT_MAX];
    const struct stj_yaml_node *node = stj_yaml_get(map, option.name);
    if (!node)
        return STJ_OK;
    STJ_MUST(stj_option_parse_value(&place, &option, node, label, err));
    stj_option_got(node, got);
    STJ_NEED_PLACE(&place, node, err, stj_option_is_label(*label),
                   "expected a name without blanks, commas and control characters, got %s", got);
    return STJ_OK;
}

/* *name <- the node that says which plug-in is meant. */
static enum stj_status find_name(const struct stj_place *place, const struct stj_kind *kind,
                                 const struct stj_yaml_node *node,
                                 const struct stj_yaml_node **name, struct stj_error *err)
{
    struct stj_option option = {.type = STJ_OPTION_PLUGIN, .kind = kind};
    char expected[STJ_EXPECTED_MAX];
    stj_option_expected(&option, expected);
    *name = node->type == STJ_YAML_MAPPING ? stj_yaml_get(node, stj_kind_key(kind)) : node;
    STJ_NEED_PLACE(place, node, err, *name, "missing key '%s': expected %s", stj_kind_key(kind),
                   expected);
    if ((*name)->type != STJ_YAML_SCALAR || (*name)->text[0] == '\0')
        return stj_option_refuse(place, &option, *name, "", err);
    return STJ_OK;
}

/* The plug-in's own check, its sentence put where the config says it. */
static enum stj_status check_values(const struct stj_place *place, const struct stj_yaml_node *node,
                                    const struct stj_plugin *plugin, struct stj_error *err)
{
    struct stj_error mine = STJ_ERROR_INIT;
    if (!plugin->info->check || plugin->info->check(plugin->config, &mine) == STJ_OK)
        return STJ_OK;
    return stj_place_fail(place, node, err, __LINE__, "%s", mine.text);
}

/* The keys that every plug-in of the kind has. */
static enum stj_status parse_common(const struct task *own, struct stj_plugin *plugin,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct task task = *own;
    if (!own->kind->common)
        goto out;
    plugin->kind = own->kind;
    STJ_TRY(stj_new(&plugin->common, 1, own->kind->common_size, err));
    task.table = own->kind->common;
    task.config = plugin->common;
    task.known = true;
    STJ_TRY(parse_table(&task, err));
out:
    return st;
}

/* A bare list or number, as the mapping {KEY: NAME, VALUE: node} that it stands for. */
static enum stj_status parse_bare(const struct stj_place *place, const struct stj_kind *kind,
                                  const char *name, const char *value,
                                  const struct stj_yaml_node *node, struct stj_plugin *plugin,
                                  struct stj_error *err)
{
    struct stj_yaml_node key[2] = {*node, *node}, item[2] = {*node, *node}, map = *node;
    key[0] = key[1] = item[0] = (struct stj_yaml_node){
        .type = STJ_YAML_SCALAR, .file = node->file, .line = node->line, .column = node->column};
    key[0].text = (char *)(uintptr_t)stj_kind_key(kind);
    key[1].text = (char *)(uintptr_t)value;
    item[0].text = (char *)(uintptr_t)name;
    map.type = STJ_YAML_MAPPING;
    map.n = 2;
    map.key = key;
    map.item = item;
    return parse_plugin(place, kind, &map, plugin, err);
}

static enum stj_status parse_plugin(const struct stj_place *place, const struct stj_kind *kind,
                                    const struct stj_yaml_node *node, struct stj_plugin *plugin,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_yaml_node *name = NULL;
    if (node->type == STJ_YAML_SEQUENCE && kind->sequence)
        return parse_bare(place, kind, kind->sequence, kind->items, node, plugin, err);
    if (kind->number && stj_yaml_is_number(node))
        return parse_bare(place, kind, kind->number, kind->value, node, plugin, err);
    STJ_TRY(find_name(place, kind, node, &name, err));
    plugin->info = stj_kind_get(kind, name->text);
    if (!plugin->info) {
        st = fail_unknown_name(place, name, kind, name->text, err);
        goto out;
    }
    plugin->line = node->line;
    plugin->column = node->column;
    const struct stj_option *table = plugin->info->options;
    STJ_TRY(stj_new(&plugin->config, table ? 1 : 0, plugin->info->config_size, err));
    struct task task = {.place = place,
                        .table = table ? table : empty_table,
                        .where = node,
                        .map = node->type == STJ_YAML_MAPPING ? node : NULL,
                        .kind = kind,
                        .config = plugin->config};
    STJ_TRY(parse_table(&task, err));
    STJ_TRY(parse_common(&task, plugin, err));
    STJ_TRY(check_values(place, node, plugin, err));
    STJ_TRY(parse_label(place, task.map, &plugin->label, err));
out:
    if (st != STJ_OK)
        stj_plugin_free(plugin);
    return st;
}

enum stj_status stj_plugin_parse(const struct stj_kind *kind, const struct stj_yaml_node *node,
                                 struct stj_plugin *plugin, struct stj_error *err)
{
    *plugin = (struct stj_plugin){0};
    return parse_plugin(NULL, kind, node, plugin, err);
}

/* One of a mapping by name: its options, and no key that says which it is. */
static enum stj_status parse_named(const struct stj_place *place, const struct stj_kind *kind,
                                   const struct stj_yaml_node *key,
                                   const struct stj_yaml_node *node, struct stj_plugin *plugin,
                                   struct stj_error *err)
{
    const struct stj_place at = {.up = place, .key = key->text};
    plugin->info = stj_kind_get(kind, key->text);
    if (!plugin->info)
        return fail_unknown_name(place, key, kind, key->text, err);
    const struct stj_option *table = plugin->info->options;
    struct task task = {
        .place = &at, .table = table ? table : empty_table, .map = node, .where = node};
    STJ_MUST(stj_new(&plugin->config, table ? 1 : 0, plugin->info->config_size, err));
    task.config = plugin->config;
    STJ_MUST(parse_table(&task, err));
    return check_values(&at, node, plugin, err);
}

static enum stj_status parse_by_name(const struct stj_place *place, const struct stj_kind *kind,
                                     const struct stj_yaml_node *node, struct stj_plugins *plugins,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    static const struct stj_option mapping = {.type = STJ_OPTION_GROUP};
    if (node->type != STJ_YAML_MAPPING)
        return stj_option_refuse(place, &mapping, node, "", err);
    STJ_TRY(stj_new(&plugins->item, node->n, sizeof *plugins->item, err));
    plugins->n = node->n;
    for (size_t i = 0; i < node->n; i++)
        STJ_TRY(parse_named(place, kind, &node->key[i], &node->item[i], &plugins->item[i], err));
out:
    if (st != STJ_OK) {
        free_plugins(plugins);
        *plugins = (struct stj_plugins){0};
    }
    return st;
}

/* ---- visiting ---- */

struct visit {
    stj_plugin_fn fn;
    void *ctx;
    const struct stj_kind *within; /* NULL: in no plug-in */
};

static enum stj_status visit_table(const struct visit *v, const struct stj_option *table,
                                   void *config, struct stj_error *err);

static enum stj_status visit_plugin(const struct visit *v, const struct stj_kind *kind,
                                    struct stj_plugin *plugin, struct stj_error *err)
{
    const struct visit inner = {v->fn, v->ctx, kind};
    if (!plugin->info)
        return STJ_OK;
    STJ_MUST(v->fn(v->ctx, plugin, v->within == kind, err));
    if (plugin->common)
        STJ_MUST(visit_table(&inner, kind->common, plugin->common, err));
    return visit_table(&inner, plugin->info->options, plugin->config, err);
}

static enum stj_status visit_table(const struct visit *v, const struct stj_option *table,
                                   void *config, struct stj_error *err)
{
    for (const struct stj_option *row = table; row && row->name; row++) {
        void *field = stj_option_field(config, row->offset);
        struct stj_plugins *list =
            row->type == STJ_OPTION_PLUGINS || row->type == STJ_OPTION_BY_NAME ? field : NULL;
        if (row->type == STJ_OPTION_PLUGIN)
            STJ_MUST(visit_plugin(v, row->kind, field, err));
        if (row->type == STJ_OPTION_BY_STEP)
            STJ_MUST(visit_plugin(v, row->kind, &((struct stj_by_step *)field)->schedule, err));
        for (size_t i = 0; list && i < list->n; i++)
            STJ_MUST(visit_plugin(v, row->kind, &list->item[i], err));
        if (row->type == STJ_OPTION_GROUP)
            STJ_MUST(visit_table(v, row->group, field, err));
    }
    return STJ_OK;
}

enum stj_status stj_options_visit(const struct stj_option *table, void *config, stj_plugin_fn fn,
                                  void *ctx, struct stj_error *err)
{
    const struct visit v = {fn, ctx, NULL};
    return visit_table(&v, table, config, err);
}
