/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_write.c: a config struct as YAML text that parses back to the same values. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "options/option_value.h"

/* ---- texts ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
}

/* True for texts that every YAML reader takes as the same text without quotes. */
static bool is_plain_text(const char *text)
{
    static const char *const reserved[] = {"true", "false", "null", "yes", "no",
                                           "on",   "off",   "y",    "n"};
    char lower[8] = "";
    if (!is_letter(text[0]))
        return false;
    for (size_t i = 0; text[i]; i++) {
        char c = text[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && !strchr(".-+", c))
            return false;
        if (i < sizeof lower - 1)
            lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(lower, reserved[i]) == 0)
            return false;
    return true;
}

/* Characters that YAML does not allow as they are, or takes as line breaks, and those that a
 * terminal takes as commands. */
static bool needs_escape(unsigned code)
{
    return stj_text_is_control(code) || code == 0xFFFE || code == 0xFFFF;
}

static void write_quoted(FILE *file, const char *text)
{
    const char *p = text;
    fputc('"', file);
    while (*p) {
        unsigned code = 0;
        size_t n = stj_text_decode(p, &code);
        if (code == '"' || code == '\\')
            fprintf(file, "\\%c", (char)code);
        else if (needs_escape(code))
            fprintf(file, "\\u%04X", code);
        else
            fwrite(p, 1, n, file);
        p += n;
    }
    fputc('"', file);
}

static void write_text(FILE *file, const char *text)
{
    if (is_plain_text(text))
        fputs(text, file);
    else
        write_quoted(file, text);
}

/* ---- values ---- */

/* Of what has parts, the first member says it: how many there are, which plug-in. */
static bool is_zero(const struct stj_option *option, const void *field)
{
    static const char zero[sizeof(uint64_t)];
    const size_t size = stj_option_size(option->type);
    return size > 0 && memcmp(field, zero, size < sizeof zero ? size : sizeof(size_t)) == 0;
}

static bool can_be_absent(enum stj_option_type type)
{
    return type == STJ_OPTION_STRING || type == STJ_OPTION_PATH || type == STJ_OPTION_PLUGIN;
}

/* Optional keys that were not given are left out: parsing leaves them zero again. */
static bool is_written(const struct stj_option *option, const void *config)
{
    const void *field = stj_option_field(config, option->offset);
    bool optional = option->fallback && option->fallback[0] == '\0';
    if (optional && option->present_offset)
        return *(const bool *)stj_option_field(config, option->present_offset);
    if (optional || can_be_absent(option->type))
        return !is_zero(option, field);
    return true;
}

static void write_real(FILE *file, double value)
{
    char text[STJ_REAL_TEXT_MAX];
    stj_number_print_real(value, text);
    fputs(text, file);
}

static void write_sizes(FILE *file, const char *const *word, const struct stj_sizes *sizes)
{
    for (size_t i = 0; word && word[i]; i++)
        if (sizes->n == 1 && sizes->item[0] == STJ_SIZES_WORD(i)) {
            fputs(word[i], file);
            return;
        }
    fputc('[', file);
    for (size_t i = 0; i < sizes->n; i++)
        fprintf(file, "%s%zu", i ? ", " : "", sizes->item[i]);
    fputc(']', file);
}

static void write_reals(FILE *file, const struct stj_reals *reals)
{
    fputc('[', file);
    for (size_t i = 0; i < reals->n; i++) {
        fputs(i ? ", " : "", file);
        write_real(file, reals->item[i]);
    }
    fputc(']', file);
}

/* Those of the user's keys; of files, one alone without a key. */
static void write_names(FILE *file, const struct stj_names *names)
{
    if (names->n == 1 && names->item[0].key[0] == '\0') {
        write_text(file, names->item[0].value);
        return;
    }
    fputc('{', file);
    for (size_t i = 0; i < names->n; i++) {
        fputs(i ? ", " : "", file);
        write_text(file, names->item[i].key);
        fputs(": ", file);
        write_text(file, names->item[i].value);
    }
    fputc('}', file);
}

static void write_shapes(FILE *file, const struct stj_shapes *shapes)
{
    fputc('{', file);
    for (size_t i = 0; i < shapes->n; i++) {
        fputs(i ? ", " : "", file);
        write_text(file, shapes->item[i].key);
        fputs(": ", file);
        write_sizes(file, NULL, &shapes->item[i].sizes);
    }
    fputc('}', file);
}

static void write_texts(FILE *file, const struct stj_texts *texts)
{
    fputc('[', file);
    for (size_t i = 0; i < texts->n; i++) {
        fputs(i ? ", " : "", file);
        write_text(file, texts->item[i]);
    }
    fputc(']', file);
}

/* "type: NAME" here and the other keys below it, all indented by `indent`. */
static void write_plugin_keys(FILE *file, int indent, const struct stj_kind *kind,
                              const struct stj_plugin *plugin)
{
    fprintf(file, "%s: %s\n", stj_kind_key(kind), plugin->info->name);
    if (plugin->label) {
        fprintf(file, "%*sname: ", indent, "");
        write_text(file, plugin->label);
        fputc('\n', file);
    }
    if (plugin->common)
        stj_options_write(file, indent, kind->common, plugin->common);
    if (plugin->info->options)
        stj_options_write(file, indent, plugin->info->options, plugin->config);
}

static void write_plugin(FILE *file, int indent, const struct stj_kind *kind,
                         const struct stj_plugin *plugin)
{
    fprintf(file, "\n%*s", indent + 2, "");
    write_plugin_keys(file, indent + 2, kind, plugin);
}

static void write_plugins(FILE *file, int indent, const struct stj_kind *kind,
                          const struct stj_plugins *plugins)
{
    fputs(plugins->n ? "\n" : " []\n", file);
    for (size_t i = 0; i < plugins->n; i++) {
        fprintf(file, "%*s- ", indent + 2, "");
        write_plugin_keys(file, indent + 4, kind, &plugins->item[i]);
    }
}

static void write_group(FILE *file, int indent, const struct stj_option *table, const void *config)
{
    bool any = false;
    for (const struct stj_option *option = table; option->name; option++)
        any = any || is_written(option, config);
    fputs(any ? "\n" : " {}\n", file);
    stj_options_write(file, indent + 2, table, config);
}

static void write_by_name(FILE *file, int indent, const struct stj_plugins *plugins)
{
    fputs(plugins->n ? "\n" : " {}\n", file);
    for (size_t i = 0; i < plugins->n; i++) {
        const struct stj_plugin *plugin = &plugins->item[i];
        fprintf(file, "%*s%s:", indent + 2, "", plugin->info->name);
        if (plugin->config)
            write_group(file, indent + 2, plugin->info->options, plugin->config);
        else
            fputs(" {}\n", file);
    }
}

static void write_single(FILE *file, const struct stj_option *option, const void *field)
{
    fputc(' ', file);
    if (option->type == STJ_OPTION_SIZE || option->type == STJ_OPTION_BYTES)
        fprintf(file, "%zu", *(const size_t *)field);
    else if (option->type == STJ_OPTION_SEED)
        fprintf(file, "%llu", (unsigned long long)*(const uint64_t *)field);
    else if (option->type == STJ_OPTION_REAL || option->type == STJ_OPTION_BY_STEP)
        write_real(file, *(const double *)field);
    else if (option->type == STJ_OPTION_BOOL)
        fputs(*(const bool *)field ? "true" : "false", file);
    else if (option->type == STJ_OPTION_CHOICE)
        write_text(file, option->choices[*(const int *)field]);
    else if (option->type == STJ_OPTION_SIZES)
        write_sizes(file, option->choices, field);
    else if (option->type == STJ_OPTION_REALS)
        write_reals(file, field);
    else if (option->type == STJ_OPTION_NAMES || option->type == STJ_OPTION_FILES)
        write_names(file, field);
    else if (option->type == STJ_OPTION_SHAPES)
        write_shapes(file, field);
    else if (option->type == STJ_OPTION_TEXTS)
        write_texts(file, field);
    else
        write_text(file, *(char *const *)field);
    fputc('\n', file);
}

void stj_options_write(FILE *file, int indent, const struct stj_option *table, const void *config)
{
    for (const struct stj_option *option = table; option->name; option++) {
        const void *field = stj_option_field(config, option->offset);
        if (!is_written(option, config))
            continue;
        fprintf(file, "%*s%s:", indent, "", option->name);
        const struct stj_by_step *by_step = option->type == STJ_OPTION_BY_STEP ? field : NULL;
        if (option->type == STJ_OPTION_PLUGIN)
            write_plugin(file, indent, option->kind, field);
        else if (by_step && by_step->schedule.info)
            write_plugin(file, indent, option->kind, &by_step->schedule);
        else if (option->type == STJ_OPTION_PLUGINS)
            write_plugins(file, indent, option->kind, field);
        else if (option->type == STJ_OPTION_BY_NAME)
            write_by_name(file, indent, field);
        else if (option->type == STJ_OPTION_GROUP)
            write_group(file, indent, option->group, field);
        else
            write_single(file, option, field);
    }
}
