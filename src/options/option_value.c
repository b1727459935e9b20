/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_value.c: single values of a config, checked, and the sentences about them. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif
#include "options/option_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "base/number.h"

static void add_arguments(char *text, size_t size, const char *format, va_list args)
{
    size_t used = strlen(text);
    vsnprintf(text + used, size - used, format, args);
}

void stj_text_add(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_arguments(text, size, format, args);
    va_end(args);
}

static void add_place(char *text, size_t size, const struct stj_place *place)
{
    if (!place)
        return;
    add_place(text, size, place->up);
    if (place->key)
        stj_text_add(text, size, "%s%s", place->up ? "." : "", place->key);
    else
        stj_text_add(text, size, "[%zu]", place->index);
}

enum stj_status stj_place_fail(const struct stj_place *place, const struct stj_yaml_node *node,
                               struct stj_error *err, int line, const char *format, ...)
{
    char text[STJ_ERROR_TEXT_MAX] = "";
    va_list args;
    if (node && node->file)
        stj_text_add(text, sizeof text, "%s:%d:%d: ", node->file, node->line, node->column);
    if (place) {
        add_place(text, sizeof text, place);
        stj_text_add(text, sizeof text, ": ");
    }
    va_start(args, format);
    add_arguments(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return stj_error_set(err, STJ_ECONFIG, __FILE__, line, "%s", text);
}

/* The limits of a number, by the conventions of options/option.h. */
static bool has_min(const struct stj_option *option)
{
    bool unlimited = option->min == 0 && option->max == 0 && !option->above_min;
    return !unlimited && isfinite(option->min);
}

static bool has_max(const struct stj_option *option)
{
    return isfinite(option->max) && option->max >= option->min &&
           !(option->max == 0 && option->min == 0);
}

static void add_range(const struct stj_option *option, char *text)
{
    if (has_min(option))
        stj_text_add(text, STJ_EXPECTED_MAX, "%s %.17g",
                     option->above_min ? " above" : " of at least", option->min);
    if (has_max(option))
        stj_text_add(text, STJ_EXPECTED_MAX, "%s%s %.17g", has_min(option) ? " and" : "",
                     option->below_max ? " below" : " at most", option->max);
}

static bool in_range(const struct stj_option *option, double value)
{
    if (has_min(option) && (option->above_min ? value <= option->min : value < option->min))
        return false;
    if (has_max(option) && (option->below_max ? value >= option->max : value > option->max))
        return false;
    return true;
}

static void add_choices(const struct stj_option *option, char *text)
{
    stj_text_add(text, STJ_EXPECTED_MAX, "one of ");
    for (size_t i = 0; option->choices[i]; i++)
        stj_text_add(text, STJ_EXPECTED_MAX, "%s%s", i ? ", " : "", option->choices[i]);
}

static void add_kind(const char *before, const struct stj_kind *kind, char *text)
{
    stj_text_add(text, STJ_EXPECTED_MAX, "%s%s, NAME or {%s: NAME, ...} with a NAME of ", before,
                 kind->what, stj_kind_key(kind));
    for (size_t i = 0; kind->list[i]; i++)
        stj_text_add(text, STJ_EXPECTED_MAX, "%s%s", i ? ", " : "", kind->list[i]->name);
}

static const char *type_phrase(const struct stj_option *option)
{
    bool limited = has_min(option) || has_max(option);
    switch (option->type) {
    case STJ_OPTION_SIZE:
    case STJ_OPTION_SEED:
        return limited ? "an integer" : "a non-negative integer";
    case STJ_OPTION_REAL:
        return "a number";
    case STJ_OPTION_BOOL:
        return "true or false";
    case STJ_OPTION_STRING:
        return "a text";
    case STJ_OPTION_PATH:
        return "a file name";
    case STJ_OPTION_SIZES:
        return limited ? "a list of integers, each" : "a list of non-negative integers";
    case STJ_OPTION_REALS:
        return limited ? "a list of numbers, each" : "a list of numbers";
    case STJ_OPTION_NAMES:
        return "a mapping of names to names";
    case STJ_OPTION_GROUP:
        return "a mapping";
    default:
        return "";
    }
}

void stj_option_expected(const struct stj_option *option, char text[STJ_EXPECTED_MAX])
{
    snprintf(text, STJ_EXPECTED_MAX, "%s", type_phrase(option));
    if (option->type <= STJ_OPTION_REAL || option->type == STJ_OPTION_SIZES ||
        option->type == STJ_OPTION_REALS)
        add_range(option, text);
    else if (option->type == STJ_OPTION_CHOICE)
        add_choices(option, text);
    else if (option->type == STJ_OPTION_PLUGIN)
        add_kind("", option->kind, text);
    else if (option->type == STJ_OPTION_PLUGINS)
        add_kind("a list, each item: ", option->kind, text);
}

void stj_option_got(const struct stj_yaml_node *node, char text[STJ_GOT_MAX])
{
    text[0] = '\0';
    if (node->type == STJ_YAML_SEQUENCE)
        stj_text_add(text, STJ_GOT_MAX, "a list");
    else if (node->type == STJ_YAML_MAPPING)
        stj_text_add(text, STJ_GOT_MAX, "a mapping");
    else if (node->quoted)
        stj_text_add(text, STJ_GOT_MAX, "the quoted text '%.60s'", node->text);
    else if (node->text[0] == '\0')
        stj_text_add(text, STJ_GOT_MAX, "nothing");
    else
        stj_text_add(text, STJ_GOT_MAX, "'%.60s'", node->text);
}

static enum stj_status fail_type(const struct stj_place *place, const struct stj_option *option,
                                 const struct stj_yaml_node *node, struct stj_error *err)
{
    char expected[STJ_EXPECTED_MAX];
    char got[STJ_GOT_MAX];
    stj_option_expected(option, expected);
    stj_option_got(node, got);
    return stj_place_fail(place, node, err, __LINE__, "expected %s, got %s", expected, got);
}

static bool is_plain(const struct stj_yaml_node *node)
{
    return node->type == STJ_YAML_SCALAR && !node->quoted;
}

/* YAML's spellings of "no value", which is never a text. */
static bool is_null(const struct stj_yaml_node *node)
{
    static const char *const spelling[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof spelling / sizeof spelling[0]; i++)
        if (is_plain(node) && strcmp(node->text, spelling[i]) == 0)
            return true;
    return false;
}

static enum stj_status parse_unsigned(const struct stj_place *place,
                                      const struct stj_option *option,
                                      const struct stj_yaml_node *node, uint64_t *value,
                                      struct stj_error *err)
{
    if (is_plain(node) && stj_number_unsigned(node->text, value) &&
        in_range(option, (double)*value))
        return STJ_OK;
    return fail_type(place, option, node, err);
}

static enum stj_status parse_size(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, size_t *value,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    uint64_t number = 0;
    STJ_TRY(parse_unsigned(place, option, node, &number, err));
    STJ_CHECK_PLACE(place, node, err, number <= SIZE_MAX, "%s does not fit this machine's sizes",
                    node->text);
    *value = (size_t)number;
out:
    return st;
}

static enum stj_status parse_real(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, double *value,
                                  struct stj_error *err)
{
    if (is_plain(node) && stj_number_real(node->text, value) && in_range(option, *value))
        return STJ_OK;
    return fail_type(place, option, node, err);
}

static enum stj_status parse_bool(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, bool *value,
                                  struct stj_error *err)
{
    bool is_true = is_plain(node) && strcmp(node->text, "true") == 0;
    bool is_false = is_plain(node) && strcmp(node->text, "false") == 0;
    *value = is_true;
    return is_true || is_false ? STJ_OK : fail_type(place, option, node, err);
}

static enum stj_status parse_string(const struct stj_place *place, const struct stj_option *option,
                                    const struct stj_yaml_node *node, char **value,
                                    struct stj_error *err)
{
    if (node->type != STJ_YAML_SCALAR || is_null(node))
        return fail_type(place, option, node, err);
    return stj_strdup(value, node->text, err);
}

/* *absolute <- the file that `name` means in a config file; the folder is made absolute and free of
 * links and dots, so that the same file has one name however the config was called. */
static enum stj_status resolve_path(const char *config_file, const char *name, char **absolute,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *folder = NULL;
    char *real_folder = NULL;
    STJ_TRY(stj_path_folder(config_file ? config_file : "", &folder, err));
    real_folder = realpath(folder, NULL);
    STJ_TRY(stj_path_join(real_folder ? real_folder : folder, name, absolute, err));
out:
    free(real_folder);
    free(folder);
    return st;
}

static enum stj_status parse_path(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, char **value,
                                  struct stj_error *err)
{
    if (node->type != STJ_YAML_SCALAR || is_null(node) || node->text[0] == '\0')
        return fail_type(place, option, node, err);
    return resolve_path(node->file, node->text, value, err);
}

static enum stj_status parse_choice(const struct stj_place *place, const struct stj_option *option,
                                    const struct stj_yaml_node *node, int *value,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char expected[STJ_EXPECTED_MAX];
    char hint[STJ_GOT_MAX];
    if (node->type != STJ_YAML_SCALAR || node->text[0] == '\0')
        return fail_type(place, option, node, err);
    struct stj_suggest_search search = {.word = node->text};
    for (int i = 0; option->choices[i]; i++) {
        stj_suggest_offer(&search, option->choices[i]);
        if (strcmp(option->choices[i], node->text) == 0) {
            *value = i;
            return STJ_OK;
        }
    }
    stj_option_expected(option, expected);
    stj_suggest_hint(&search, hint);
    STJ_CHECK_PLACE(place, node, err, false, "expected %s, got '%.60s'%s", expected, node->text,
                    hint);
out:
    return st;
}

static enum stj_status parse_sizes(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_sizes *value,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    bool list = node->type == STJ_YAML_SEQUENCE;
    size_t n = list ? node->n : 1;
    STJ_TRY(stj_new(&value->item, n, sizeof *value->item, err));
    value->n = n;
    for (size_t i = 0; i < n; i++) {
        struct stj_place at = {.up = place, .index = i};
        STJ_TRY(parse_size(list ? &at : place, option, list ? &node->item[i] : node,
                           &value->item[i], err));
    }
out:
    return st;
}

static enum stj_status parse_reals(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_reals *value,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    bool list = node->type == STJ_YAML_SEQUENCE;
    size_t n = list ? node->n : 1;
    STJ_TRY(stj_new(&value->item, n, sizeof *value->item, err));
    value->n = n;
    for (size_t i = 0; i < n; i++) {
        struct stj_place at = {.up = place, .index = i};
        STJ_TRY(parse_real(list ? &at : place, option, list ? &node->item[i] : node,
                           &value->item[i], err));
    }
out:
    return st;
}

static enum stj_status parse_names(const struct stj_place *place, const struct stj_option *option,
                                   const struct stj_yaml_node *node, struct stj_names *value,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (node->type != STJ_YAML_MAPPING)
        return fail_type(place, option, node, err);
    STJ_TRY(stj_new(&value->item, node->n, sizeof *value->item, err));
    value->n = node->n;
    for (size_t i = 0; i < node->n; i++) {
        const struct stj_place at = {.up = place, .key = node->key[i].text};
        const struct stj_yaml_node *name = &node->item[i];
        char got[STJ_GOT_MAX];
        stj_option_got(name, got);
        STJ_CHECK_PLACE(&at, name, err, name->type == STJ_YAML_SCALAR && !is_null(name),
                        "expected a name, got %s", got);
        STJ_TRY(stj_strdup(&value->item[i].key, node->key[i].text, err));
        STJ_TRY(stj_strdup(&value->item[i].value, name->text, err));
    }
out:
    return st;
}

enum stj_status stj_option_parse_value(const struct stj_place *place,
                                       const struct stj_option *option,
                                       const struct stj_yaml_node *node, void *field,
                                       struct stj_error *err)
{
    switch (option->type) {
    case STJ_OPTION_SIZE:
        return parse_size(place, option, node, field, err);
    case STJ_OPTION_SEED:
        return parse_unsigned(place, option, node, field, err);
    case STJ_OPTION_REAL:
        return parse_real(place, option, node, field, err);
    case STJ_OPTION_BOOL:
        return parse_bool(place, option, node, field, err);
    case STJ_OPTION_STRING:
        return parse_string(place, option, node, field, err);
    case STJ_OPTION_PATH:
        return parse_path(place, option, node, field, err);
    case STJ_OPTION_CHOICE:
        return parse_choice(place, option, node, field, err);
    case STJ_OPTION_SIZES:
        return parse_sizes(place, option, node, field, err);
    case STJ_OPTION_REALS:
        return parse_reals(place, option, node, field, err);
    case STJ_OPTION_NAMES:
        return parse_names(place, option, node, field, err);
    case STJ_OPTION_PLUGIN:
    case STJ_OPTION_PLUGINS:
    case STJ_OPTION_GROUP:
        break;
    }
    return stj_error_set(err, STJ_EINTERNAL, __FILE__, __LINE__, "option '%s' has no single value",
                         option->name);
}
