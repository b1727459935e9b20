/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_pairs.c: options as pairs of texts: a mapping is built of them and parsed as any other.
 *
 * The nodes borrow the caller's texts; only the arrays, and the items of lists, are made here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"

static bool is_list(const struct stj_option *table, const struct stj_option_pair *pair)
{
    for (const struct stj_option *option = table; option->name; option++)
        if (strcmp(option->name, pair->name) == 0)
            return (option->type == STJ_OPTION_SIZES || option->type == STJ_OPTION_REALS) &&
                   strchr(pair->text, ',');
    return false;
}

/* A node without a place in a file. */
static struct stj_yaml_node scalar(const char *text)
{
    return (struct stj_yaml_node){.type = STJ_YAML_SCALAR, .text = (char *)(uintptr_t)text};
}

/* node <- the items of "1,2,3"; *copy (owned by the caller) holds their texts. */
static enum stj_status split(const char *text, struct stj_yaml_node *node, char **copy,
                             struct stj_error *err)
{
    node->type = STJ_YAML_SEQUENCE;
    node->n = 1;
    for (const char *c = text; *c; c++)
        node->n += *c == ',';
    STJ_MUST(stj_strdup(copy, text, err));
    STJ_MUST(stj_new(&node->item, node->n, sizeof *node->item, err));
    char *rest = *copy;
    for (size_t i = 0; i < node->n; i++) {
        char *end = rest + strcspn(rest, ",");
        node->item[i] = scalar(rest);
        rest = *end ? end + 1 : end;
        *end = '\0';
    }
    return STJ_OK;
}

static enum stj_status refuse_twice(size_t n, const struct stj_option_pair *pair,
                                    struct stj_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            STJ_NEED(err, strcmp(pair[i].name, pair[j].name) != 0, STJ_ECONFIG,
                     "%s: is given twice", pair[i].name);
    return STJ_OK;
}

/* Into a struct, or into one that is made for it and thrown away. */
static enum stj_status parse_map(const struct stj_option *table, const struct stj_yaml_node *map,
                                 void *config, struct stj_error *err)
{
    STJ_FREED char *scratch = NULL;
    size_t size = 1;
    if (config)
        return stj_options_parse(table, map, config, err);
    for (const struct stj_option *option = table; option->name; option++) {
        const size_t end = option->offset + stj_option_size(option->type);
        size = end > size ? end : size;
        size = option->present_offset >= size ? option->present_offset + 1 : size;
    }
    STJ_MUST(stj_new(&scratch, size, 1, err));
    STJ_MUST(stj_options_parse(table, map, scratch, err));
    stj_options_free(table, scratch);
    return STJ_OK;
}

enum stj_status stj_options_parse_pairs(const struct stj_option *table, size_t n,
                                        const struct stj_option_pair *pair, void *config,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_yaml_node map = {.type = STJ_YAML_MAPPING, .n = n};
    char **copy = NULL;
    STJ_CHECK(err, table && (pair || n == 0), STJ_EINVAL, "no table, or no pairs, of options");
    for (size_t i = 0; i < n; i++)
        STJ_CHECK(err, pair[i].name && pair[i].text, STJ_EINVAL,
                  "option %zu of %zu has no name or no text", i + 1, n);
    STJ_TRY(stj_new(&map.item, n, sizeof *map.item, err));
    STJ_TRY(stj_new(&map.key, n, sizeof *map.key, err));
    STJ_TRY(stj_new(&copy, n, sizeof *copy, err));
    STJ_TRY(refuse_twice(n, pair, err));
    for (size_t i = 0; i < n; i++) {
        map.key[i] = scalar(pair[i].name);
        map.item[i] = scalar(pair[i].text);
        if (is_list(table, &pair[i]))
            STJ_TRY(split(pair[i].text, &map.item[i], &copy[i], err));
    }
    STJ_TRY(parse_map(table, &map, config, err));
out:
    for (size_t i = 0; copy && i < n; i++) {
        free(copy[i]);
        free(map.item[i].type == STJ_YAML_SEQUENCE ? map.item[i].item : NULL);
    }
    free(copy);
    free(map.item);
    free(map.key);
    return st;
}
