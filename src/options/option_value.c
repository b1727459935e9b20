/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_value.c: single values of a config, checked, and the sentences about them. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif
#include "options/option_value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "base/number.h"

size_t stj_option_size(enum stj_option_type type)
{
    static const size_t size[] = {
        [STJ_OPTION_SIZE] = sizeof(size_t),
        [STJ_OPTION_SEED] = sizeof(uint64_t),
        [STJ_OPTION_BYTES] = sizeof(size_t),
        [STJ_OPTION_REAL] = sizeof(double),
        [STJ_OPTION_BOOL] = sizeof(bool),
        [STJ_OPTION_STRING] = sizeof(char *),
        [STJ_OPTION_PATH] = sizeof(char *),
        [STJ_OPTION_CHOICE] = sizeof(int),
        [STJ_OPTION_SIZES] = sizeof(struct stj_sizes),
        [STJ_OPTION_REALS] = sizeof(struct stj_reals),
        [STJ_OPTION_NAMES] = sizeof(struct stj_names),
        [STJ_OPTION_PLUGIN] = sizeof(struct stj_plugin),
        [STJ_OPTION_PLUGINS] = sizeof(struct stj_plugins),
        [STJ_OPTION_BY_NAME] = sizeof(struct stj_plugins),
        [STJ_OPTION_GROUP] = 0,
        [STJ_OPTION_TEXTS] = sizeof(struct stj_texts),
        [STJ_OPTION_BY_STEP] = sizeof(struct stj_by_step),
        [STJ_OPTION_FILES] = sizeof(struct stj_names),
        [STJ_OPTION_SHAPES] = sizeof(struct stj_shapes),
    };
    return size[type];
}

static bool is_plain(const struct stj_yaml_node *node)
{
    return node->type == STJ_YAML_SCALAR && !node->quoted;
}

/* YAML's spellings of "no value", which is never a text; of a pair, nothing at all. */
static bool is_null(const struct stj_yaml_node *node)
{
    static const char *const spelling[] = {"", "~", "null", "Null", "NULL"};
    const size_t n = node->file ? sizeof spelling / sizeof spelling[0] : 1;
    for (size_t i = 0; i < n; i++)
        if (is_plain(node) && strcmp(node->text, spelling[i]) == 0)
            return true;
    return false;
}

/* "8G", "8GiB": digits and a power of 1024. */
static bool read_bytes(const char *text, uint64_t *value)
{
    static const char powers[] = "KMGT";
    char digits[24] = "";
    const size_t n = strspn(text, "0123456789");
    const char *unit = text + n;
    if (n >= sizeof digits)
        return false;
    memcpy(digits, text, n);
    if (!stj_number_unsigned(digits, value))
        return false;
    if (!*unit)
        return true;
    const char *power = strchr(powers, *unit);
    if (!power || (unit[1] && strcmp(unit + 1, "B") != 0 && strcmp(unit + 1, "iB") != 0))
        return false;
    const unsigned shift = 10 * (unsigned)(power - powers + 1);
    if (*value > (UINT64_MAX >> shift))
        return false;
    *value <<= shift;
    return true;
}

static enum stj_status parse_unsigned(const struct stj_place *place,
                                      const struct stj_option *option,
                                      const struct stj_yaml_node *node, uint64_t *value,
                                      struct stj_error *err)
{
    bool (*read)(const char *, uint64_t *) =
        option->type == STJ_OPTION_BYTES ? read_bytes : stj_number_unsigned;
    if (is_plain(node) && read(node->text, value) && stj_option_in_range(option, *value))
        return STJ_OK;
    return stj_option_refuse(place, option, node, "", err);
}

static enum stj_status parse_size(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, size_t *value,
                                  struct stj_error *err)
{
    uint64_t number = 0;
    STJ_MUST(parse_unsigned(place, option, node, &number, err));
    STJ_NEED_PLACE(place, node, err, number <= SIZE_MAX, "%s does not fit this machine's sizes",
                   node->text);
    *value = (size_t)number;
    return STJ_OK;
}

/* "0,1" is meant as 0.1, so say what separates decimals here. */
static const char *comma_hint(const struct stj_yaml_node *node)
{
    static const char digits[] = "0123456789";
    const char *text = node->type == STJ_YAML_SCALAR ? node->text : "";
    text += strspn(text, "+-");
    const size_t whole = strspn(text, digits);
    const bool comma = whole > 0 && text[whole] == ',' && strspn(text + whole + 1, digits) > 0;
    return comma ? STJ_DECIMAL_HINT : "";
}

static enum stj_status parse_real(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, double *value,
                                  struct stj_error *err)
{
    if (is_plain(node) && stj_number_real(node->text, value) && stj_option_in_range(option, *value))
        return STJ_OK;
    return stj_option_refuse(place, option, node, comma_hint(node), err);
}

static enum stj_status parse_bool(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, bool *value,
                                  struct stj_error *err)
{
    bool is_true = is_plain(node) && strcmp(node->text, "true") == 0;
    bool is_false = is_plain(node) && strcmp(node->text, "false") == 0;
    *value = is_true;
    return is_true || is_false ? STJ_OK : stj_option_refuse(place, option, node, "", err);
}

/* *index <- of the one of an option's names that a node is. */
static enum stj_status parse_name(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, int *index,
                                  struct stj_error *err)
{
    struct stj_suggest_search search = {.word = node->text};
    const char *name = NULL;
    const char *doc = NULL;
    char hint[STJ_GOT_MAX];
    if (node->type != STJ_YAML_SCALAR || node->text[0] == '\0')
        return stj_option_refuse(place, option, node, "", err);
    for (size_t i = 0; stj_option_get_name(option, i, &name, &doc); i++) {
        stj_suggest_offer(&search, name);
        *index = (int)i;
        if (strcmp(name, node->text) == 0)
            return STJ_OK;
    }
    stj_suggest_hint(&search, hint);
    return stj_option_refuse(place, option, node, hint, err);
}

static enum stj_status parse_string(const struct stj_place *place, const struct stj_option *option,
                                    const struct stj_yaml_node *node, char **value,
                                    struct stj_error *err)
{
    int index = 0;
    if (node->type != STJ_YAML_SCALAR || is_null(node))
        return stj_option_refuse(place, option, node, "", err);
    if (option->kind || option->names)
        STJ_MUST(parse_name(place, option, node, &index, err));
    return stj_strdup(value, node->text, err);
}

/* *absolute <- the file that `name` means in a config file; the folder is made absolute and free of
 * links and dots, so that the same file has one name however the config was called. */
static enum stj_status resolve_path(const char *config_file, const char *name, char **absolute,
                                    struct stj_error *err)
{
    STJ_FREED char *folder = NULL;
    STJ_FREED char *real_folder = NULL;
    STJ_MUST(stj_path_folder(config_file ? config_file : "", &folder, err));
    real_folder = realpath(folder, NULL);
    return stj_path_join(real_folder ? real_folder : folder, name, absolute, err);
}

static enum stj_status parse_path(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, char **value,
                                  struct stj_error *err)
{
    if (node->type != STJ_YAML_SCALAR || is_null(node) || node->text[0] == '\0')
        return stj_option_refuse(place, option, node, "", err);
    return resolve_path(node->file, node->text, value, err);
}

/* *field <- a list, whose items are numbers of the option's range; a bare number is a list of one,
 * and so is a word, where the option has some. */
static enum stj_status parse_list(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, void *field,
                                  struct stj_error *err)
{
    const bool whole = option->type == STJ_OPTION_SIZES;
    const bool list = node->type == STJ_YAML_SEQUENCE;
    struct stj_option row = *option;
    char *item = NULL;
    row.type = whole ? STJ_OPTION_SIZE : STJ_OPTION_REAL;
    const size_t n = list ? node->n : 1, size = stj_option_size(row.type);
    if (node->type == STJ_YAML_MAPPING)
        return stj_option_refuse(place, option, node, "", err);
    STJ_MUST(stj_new(&item, n, size, err));
    if (whole)
        *(struct stj_sizes *)field = (struct stj_sizes){n, (void *)item};
    else
        *(struct stj_reals *)field = (struct stj_reals){n, (void *)item};
    if (option->choices && node->type == STJ_YAML_SCALAR && !isdigit((unsigned char)*node->text)) {
        int word = 0;
        STJ_MUST(parse_name(place, option, node, &word, err));
        *(size_t *)(void *)item = STJ_SIZES_WORD(word);
        return STJ_OK;
    }
    row.choices = NULL;
    for (size_t i = 0; i < n; i++) {
        struct stj_place at = {.up = place, .index = i};
        STJ_MUST(stj_option_parse_value(list ? &at : place, &row, list ? &node->item[i] : node,
                                        item + i * size, err));
    }
    return STJ_OK;
}

static enum stj_status parse_texts(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_texts *value,
                                   struct stj_error *err)
{
    const bool list = node->type == STJ_YAML_SEQUENCE;
    const size_t n = list ? node->n : 1;
    if (node->type == STJ_YAML_MAPPING || n == 0)
        return stj_option_refuse(place, option, node, "", err);
    STJ_MUST(stj_new(&value->item, n, sizeof *value->item, err));
    value->n = n;
    for (size_t i = 0; i < n; i++) {
        const struct stj_place at = {.up = place, .index = i};
        const struct stj_yaml_node *item = list ? &node->item[i] : node;
        char got[STJ_GOT_MAX];
        stj_option_got(item, got);
        STJ_NEED_PLACE(list ? &at : place, item, err,
                       item->type == STJ_YAML_SCALAR && !is_null(item) && item->text[0],
                       "expected a name, got %s", got);
        STJ_MUST(stj_strdup(&value->item[i], item->text, err));
    }
    return STJ_OK;
}

static enum stj_status parse_names(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_names *value,
                                   struct stj_error *err)
{
    if (node->type != STJ_YAML_MAPPING)
        return stj_option_refuse(place, option, node, "", err);
    STJ_MUST(stj_new(&value->item, node->n, sizeof *value->item, err));
    value->n = node->n;
    for (size_t i = 0; i < node->n; i++) {
        const struct stj_place at = {.up = place, .key = node->key[i].text};
        const struct stj_yaml_node *name = &node->item[i];
        char got[STJ_GOT_MAX];
        char where[512];
        stj_option_got(name, got);
        snprintf(where, sizeof where, "%.480s:%d:%d", name->file ? name->file : "config",
                 node->key[i].line, node->key[i].column);
        STJ_NEED_PLACE(&at, name, err, name->type == STJ_YAML_SCALAR && !is_null(name),
                       "expected a name, got %s", got);
        STJ_MUST(stj_strdup(&value->item[i].key, node->key[i].text, err));
        STJ_MUST(stj_strdup(&value->item[i].value, name->text, err));
        STJ_MUST(stj_strdup(&value->item[i].place, where, err));
    }
    return STJ_OK;
}

/* The keys of a mapping of things that the user names. */
static enum stj_status check_labels(const struct stj_place *place, const struct stj_yaml_node *map,
                                    struct stj_error *err)
{
    for (size_t i = 0; i < map->n; i++)
        STJ_NEED_PLACE(place, &map->key[i], err, stj_option_is_label(map->key[i].text),
                       "expected names without blanks, commas and control characters, got '%.60s'",
                       map->key[i].text);
    return STJ_OK;
}

static enum stj_status parse_files(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_names *value,
                                   struct stj_error *err)
{
    const bool map = node->type == STJ_YAML_MAPPING;
    if (node->type == STJ_YAML_SEQUENCE || (map && node->n == 0))
        return stj_option_refuse(place, option, node, "", err);
    if (map)
        STJ_MUST(check_labels(place, node, err));
    const size_t n = map ? node->n : 1;
    STJ_MUST(stj_new(&value->item, n, sizeof *value->item, err));
    value->n = n;
    for (size_t i = 0; i < n; i++) {
        const char *key = map ? node->key[i].text : "";
        const struct stj_place at = {.up = place, .key = key};
        STJ_MUST(stj_strdup(&value->item[i].key, key, err));
        STJ_MUST(parse_path(map ? &at : place, option, map ? &node->item[i] : node,
                            &value->item[i].value, err));
    }
    return STJ_OK;
}

static enum stj_status parse_shapes(const struct stj_place *place, const struct stj_option *option,
                                    const struct stj_yaml_node *node, struct stj_shapes *value,
                                    struct stj_error *err)
{
    struct stj_option row = *option;
    row.type = STJ_OPTION_SIZES;
    if (node->type != STJ_YAML_MAPPING || node->n == 0)
        return stj_option_refuse(place, option, node, "", err);
    STJ_MUST(check_labels(place, node, err));
    STJ_MUST(stj_new(&value->item, node->n, sizeof *value->item, err));
    value->n = node->n;
    for (size_t i = 0; i < node->n; i++) {
        const struct stj_place at = {.up = place, .key = node->key[i].text};
        STJ_MUST(stj_strdup(&value->item[i].key, node->key[i].text, err));
        STJ_MUST(parse_list(&at, &row, &node->item[i], &value->item[i].sizes, err));
    }
    return STJ_OK;
}

enum stj_status stj_option_parse_value(const struct stj_place *place,
                                       const struct stj_option *option,
                                       const struct stj_yaml_node *node, void *field,
                                       struct stj_error *err)
{
    switch (option->type) {
    case STJ_OPTION_SIZE:
    case STJ_OPTION_BYTES:
        return parse_size(place, option, node, field, err);
    case STJ_OPTION_SEED:
        return parse_unsigned(place, option, node, field, err);
    case STJ_OPTION_REAL:
    case STJ_OPTION_BY_STEP:
        return parse_real(place, option, node, field, err);
    case STJ_OPTION_BOOL:
        return parse_bool(place, option, node, field, err);
    case STJ_OPTION_STRING:
        return parse_string(place, option, node, field, err);
    case STJ_OPTION_PATH:
        return parse_path(place, option, node, field, err);
    case STJ_OPTION_CHOICE:
        return parse_name(place, option, node, field, err);
    case STJ_OPTION_SIZES:
    case STJ_OPTION_REALS:
        return parse_list(place, option, node, field, err);
    case STJ_OPTION_NAMES:
        return parse_names(place, option, node, field, err);
    case STJ_OPTION_TEXTS:
        return parse_texts(place, option, node, field, err);
    case STJ_OPTION_FILES:
        return parse_files(place, option, node, field, err);
    case STJ_OPTION_SHAPES:
        return parse_shapes(place, option, node, field, err);
    case STJ_OPTION_PLUGIN:
    case STJ_OPTION_PLUGINS:
    case STJ_OPTION_BY_NAME:
    case STJ_OPTION_GROUP:
        break;
    }
    return stj_error_set(err, STJ_EINTERNAL, __FILE__, __LINE__, "option '%s' has no single value",
                         option->name);
}
