/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_text.c: what is said of options: their ranges, what they accept, what is wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "options/option_value.h"

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

/* ---- ranges ---- */

static bool is_whole(const struct stj_option *option)
{
    return option->type <= STJ_OPTION_BYTES || option->type == STJ_OPTION_SIZES ||
           option->type == STJ_OPTION_SHAPES;
}

static bool is_number(const struct stj_option *option)
{
    return is_whole(option) || option->type == STJ_OPTION_REAL ||
           option->type == STJ_OPTION_REALS || option->type == STJ_OPTION_BY_STEP;
}

/* The limits of a number, by the conventions of <spectraj/option.h>. */
static bool has_min(const struct stj_option *option)
{
    bool unlimited = option->min == 0 && option->max == 0 && !option->above_min;
    return is_whole(option) || (!unlimited && isfinite(option->min));
}

static bool has_max(const struct stj_option *option)
{
    return isfinite(option->max) && option->max >= option->min &&
           !(option->max == 0 && option->min == 0);
}

bool stj_option_in_range(const struct stj_option *option, long double value)
{
    if (has_min(option) && (option->above_min ? value <= option->min : value < option->min))
        return false;
    return !has_max(option) || (option->below_max ? value < option->max : value <= option->max);
}

/* Add a limit: "1e300", not "1e+300". */
static void add_limit(const struct stj_option *option, double limit, char *text, size_t size)
{
    char number[32];
    snprintf(number, sizeof number, "%.*g", is_whole(option) ? 19 : 15, limit);
    char *plus = strchr(number, '+');
    if (plus)
        memmove(plus, plus + 1, strlen(plus));
    stj_text_add(text, size, "%s", number);
}

/* Add "at least 0 and below 1". */
static void add_range(const struct stj_option *option, char *text, size_t size)
{
    if (is_number(option) && has_min(option)) {
        stj_text_add(text, size, "%s ", option->above_min ? "above" : "at least");
        add_limit(option, option->min, text, size);
    }
    if (is_number(option) && has_max(option)) {
        stj_text_add(text, size, "%s%s ", has_min(option) ? " and " : "",
                     option->below_max ? "below" : "at most");
        add_limit(option, option->max, text, size);
    }
}

/* ---- what is accepted ---- */

bool stj_option_get_name(const struct stj_option *option, size_t i, const char **name,
                         const char **doc)
{
    if (!option || !name || !doc)
        return false;
    if (option->names)
        return option->names(i, name, doc);
    const char *const *choice = option->choices;
    const struct stj_plugin_info *const *info = option->kind ? option->kind->list : NULL;
    for (; i > 0; i--) {
        if (choice && *choice)
            choice++;
        if (info && *info)
            info++;
    }
    *name = choice ? *choice : info && *info ? (*info)->name : NULL;
    *doc = !choice && *name ? (*info)->doc : "";
    return *name != NULL;
}

static void add_names(const struct stj_option *option, char *text, size_t size)
{
    const char *name = NULL;
    const char *doc = NULL;
    for (size_t i = 0; stj_option_get_name(option, i, &name, &doc); i++)
        stj_text_add(text, size, "%s%s", i ? ", " : "", name);
}

/* Add what a value is, without its range: "integer", "one of a, b". */
static void add_type(const struct stj_option *option, char *text, size_t size)
{
    static const char *const noun[] = {
        [STJ_OPTION_SIZE] = "integer",
        [STJ_OPTION_SEED] = "integer",
        [STJ_OPTION_BYTES] = "size such as 800M or 8G",
        [STJ_OPTION_REAL] = "number",
        [STJ_OPTION_BOOL] = "true or false",
        [STJ_OPTION_STRING] = "text",
        [STJ_OPTION_PATH] = "file name",
        [STJ_OPTION_SIZES] = "list of integers",
        [STJ_OPTION_REALS] = "list of numbers",
        [STJ_OPTION_NAMES] = "mapping of names to names",
        [STJ_OPTION_GROUP] = "mapping",
        [STJ_OPTION_TEXTS] = "list of names",
        [STJ_OPTION_BY_STEP] = "number or schedule",
        [STJ_OPTION_FILES] = "file name, or mapping of names to file names",
        [STJ_OPTION_SHAPES] = "mapping of names to lists of integers",
    };
    if (option->type == STJ_OPTION_PLUGIN)
        stj_text_add(text, size, "%s", option->kind->what);
    else if (option->type == STJ_OPTION_PLUGINS)
        stj_text_add(text, size, "list, each a %s", option->kind->what);
    else if (option->type == STJ_OPTION_BY_NAME)
        stj_text_add(text, size, "mapping");
    else if (option->choices && option->type == STJ_OPTION_SIZES) {
        stj_text_add(text, size, "list of integers or one of ");
        add_names(option, text, size);
    } else if (option->type != STJ_OPTION_BY_STEP &&
               (option->choices || option->kind || option->names)) {
        stj_text_add(text, size, "one of ");
        add_names(option, text, size);
    } else
        stj_text_add(text, size, "%s", noun[option->type]);
}

void stj_option_expected(const struct stj_option *option, char text[STJ_EXPECTED_MAX])
{
    const bool plugins = option->type == STJ_OPTION_PLUGINS;
    char type[STJ_EXPECTED_MAX] = "";
    char range[STJ_GOT_MAX] = "";
    if (plugins || option->type == STJ_OPTION_PLUGIN) {
        snprintf(text, STJ_EXPECTED_MAX, "%s%s, NAME or {%s: NAME, ...} with a NAME of ",
                 plugins ? "a list, each item: " : "", option->kind->what,
                 stj_kind_key(option->kind));
        add_names(option, text, STJ_EXPECTED_MAX);
        return;
    }
    add_type(option, type, sizeof type);
    add_range(option, range, sizeof range);
    const char *article = type[0] == 'i' ? "an " : "a ";
    const bool bare = option->type == STJ_OPTION_BOOL || strncmp(type, "one of", 6) == 0;
    const bool list = option->type == STJ_OPTION_SIZES || option->type == STJ_OPTION_REALS ||
                      option->type == STJ_OPTION_SHAPES;
    snprintf(text, STJ_EXPECTED_MAX, "%s%s%s%s%s", bare ? "" : article, type,
             list && range[0] ? ", each" : "",
             !range[0]                       ? ""
             : strncmp(range, "at ", 3) == 0 ? " of "
                                             : " ",
             range);
}

/* ---- what is wrong ---- */

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
        stj_text_add(text, STJ_GOT_MAX, "%s", node->file ? "nothing" : "empty");
    else
        stj_text_add(text, STJ_GOT_MAX, "'%.60s'", node->text);
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
    return stj_error_set(err, STJ_ECONFIG, __FILE__, line, "%s", text);
}

enum stj_status stj_option_refuse(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, const char *hint,
                                  struct stj_error *err)
{
    char expected[STJ_EXPECTED_MAX];
    char got[STJ_GOT_MAX];
    char where[STJ_GOT_MAX] = "";
    stj_option_expected(option, expected);
    stj_option_got(node, got);
    if (node->file)
        return stj_place_fail(place, node, err, __LINE__, "expected %s, got %s%s", expected, got,
                              hint);
    add_place(where, sizeof where, place);
    return stj_place_fail(NULL, NULL, err, __LINE__, "%s is %s, not %s%s", where, got, expected,
                          hint);
}

/* ---- help ---- */

const char *stj_option_get_value(const struct stj_option *option)
{
    static const char *const by_type[] = {
        [STJ_OPTION_SIZE] = "N",
        [STJ_OPTION_SEED] = "N",
        [STJ_OPTION_BYTES] = "SIZE",
        [STJ_OPTION_REAL] = "X",
        [STJ_OPTION_STRING] = "TEXT",
        [STJ_OPTION_PATH] = "FILE",
        [STJ_OPTION_CHOICE] = "WHICH",
        [STJ_OPTION_SIZES] = "N,N,...",
        [STJ_OPTION_REALS] = "X,X,...",
        [STJ_OPTION_PLUGIN] = "NAME",
        [STJ_OPTION_TEXTS] = "NAME,NAME,...",
    };
    if (!option || option->type >= sizeof by_type / sizeof by_type[0])
        return NULL;
    return option->value ? option->value : by_type[option->type];
}

void stj_option_describe(const struct stj_option *option, bool in_config, char *text, size_t size)
{
    char facts[STJ_EXPECTED_MAX] = "";
    if (!option || !text || size == 0)
        return;
    if (in_config) {
        char range[STJ_GOT_MAX] = "";
        add_type(option, facts, sizeof facts);
        add_range(option, range, sizeof range);
        stj_text_add(facts, sizeof facts, "%s%s%s%s%s", option->unit ? ", in " : "",
                     option->unit ? option->unit : "", range[0] ? ", " : "", range,
                     option->fallback ? "" : "; required");
    } else if (!option->fallback)
        stj_text_add(facts, sizeof facts, "required");
    if (option->fallback && option->fallback[0] && (in_config || stj_option_get_value(option)))
        stj_text_add(facts, sizeof facts, "%sdefault: %s", in_config ? "; " : "", option->fallback);
    snprintf(text, size, "%s%s%s%s", option->doc ? option->doc : "", facts[0] ? " (" : "", facts,
             facts[0] ? ")" : "");
}
