/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/option_value.h: what the files of the option machinery share: places, messages, scalars. */
#ifndef STJ_OPTIONS_OPTION_VALUE_H
#define STJ_OPTIONS_OPTION_VALUE_H

#include <stdarg.h>

#include "options/option.h"
#include "options/yaml.h"

/* The way from the root of a config to a value, as a chain of frames on the stack:
 * "network.layers[1].units".  NULL is the root. */
struct stj_place {
    const struct stj_place *up;
    const char *key; /* NULL: item `index` of a list */
    size_t index;
};

/* Record "file:line:column: place: " and a sentence; node NULL: no position.  Returns STJ_ECONFIG. */
enum stj_status stj_place_fail(const struct stj_place *place, const struct stj_yaml_node *node,
                               struct stj_error *err, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* STJ_NEED (base/error.h) with the place in front. */
#define STJ_NEED_PLACE(place, node, err, cond, ...)                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return stj_place_fail((place), (node), (err), __LINE__, __VA_ARGS__);                  \
    } while (0)

/* Append to a text of limited size; what does not fit is cut off. */
void stj_text_add(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Behind what was written with a comma. */
#define STJ_DECIMAL_HINT " (decimals stand behind a point: 0.1)"

enum { STJ_EXPECTED_MAX = 512, STJ_GOT_MAX = 96 };

/* text <- "an integer of at least 1": what an option accepts. */
void stj_option_expected(const struct stj_option *option, char text[STJ_EXPECTED_MAX]);

/* text <- "'abc'", "a list", "nothing": what a node is. */
void stj_option_got(const struct stj_yaml_node *node, char text[STJ_GOT_MAX]);

/* Fail with what an option accepts, what the node is, and a hint (or ""): "file:line:column: place:
 * expected a number, got 'x'"; of a pair, which is in no file: "place is 'x', not a number". */
enum stj_status stj_option_refuse(const struct stj_place *place, const struct stj_option *option,
                                  const struct stj_yaml_node *node, const char *hint,
                                  struct stj_error *err);

/* True when a number is in the range of its option; exact for every uint64_t. */
bool stj_option_in_range(const struct stj_option *option, long double value);

/* Bytes of a value in its struct; 0 for a group. */
size_t stj_option_size(enum stj_option_type type);

/* The search for the candidate nearest to a word, one candidate at a time. */
struct stj_suggest_search {
    const char *word;
    const char *best; /* NULL: none is near enough to suggest */
    size_t distance;
};
void stj_suggest_offer(struct stj_suggest_search *search, const char *candidate);

/* text <- " (did you mean 'x'?)", or nothing. */
void stj_suggest_hint(const struct stj_suggest_search *search, char text[STJ_GOT_MAX]);

/* Is the text a name that a user may give?  One stands in lists between commas and in tables between
 * blanks. */
bool stj_option_is_label(const char *text);

/* *field <- a value of one of the types without plug-ins and tables. */
enum stj_status stj_option_parse_value(const struct stj_place *place,
                                       const struct stj_option *option,
                                       const struct stj_yaml_node *node, void *field,
                                       struct stj_error *err);

/* The plug-in of a kind by name; NULL: there is none. */
const struct stj_plugin_info *stj_kind_get(const struct stj_kind *kind, const char *name);

/* The key of a plug-in's mapping that names the plug-in. */
static inline const char *stj_kind_key(const struct stj_kind *kind)
{
    return kind->key ? kind->key : "type";
}

/* The value at an offset of a config struct. */
static inline void *stj_option_field(const void *config, size_t offset)
{
    return (char *)(uintptr_t)config + offset;
}

#endif
