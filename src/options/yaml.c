/* SPDX-License-Identifier: GPL-3.0-or-later */
/* options/yaml.c: libyaml's events, restricted, into a tree of nodes that know their place.
 *
 * One pass over the events builds the tree and refuses on sight what options/yaml.h rules out, so
 * that a hostile file costs no more than the limits below: aliases cannot multiply nodes, because
 * there are none, and the recursion is as deep as MAX_DEPTH.
 */
#include "options/yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    MAX_DEPTH = 32,
    MAX_KEYS = 1000,        /* of one mapping; bounds the search for duplicate keys */
    MAX_NODES = 200 * 1000, /* of the document */
    MAX_BYTES = 4 * 1024 * 1024,
    FIRST_BYTES = 16 * 1024 /* read at a time, then twice as many, ... */
};

/* The root lies at the head of the block that owns the file name. */
struct document {
    struct stj_yaml_node root;
    char *name;
};

struct parse {
    yaml_parser_t parser;
    const char *text;
    size_t length;
    const char *name;
    size_t n_nodes;
    struct stj_error *err;
};

/* Fail with "name:line:column: ..." at the start of an event. */
#define CHECK_EVENT(p, event, cond, ...)                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            st = stj_error_set((p)->err, STJ_ECONFIG, __FILE__, __LINE__, __VA_ARGS__);            \
            stj_error_prefix((p)->err, "%s:%zu:%zu", (p)->name, (event)->start_mark.line + 1,      \
                             (event)->start_mark.column + 1);                                      \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

void stj_yaml_free_content(struct stj_yaml_node *node)
{
    for (size_t i = 0; i < node->n; i++) {
        if (node->key)
            stj_yaml_free_content(&node->key[i]);
        if (node->item)
            stj_yaml_free_content(&node->item[i]);
    }
    free(node->key);
    free(node->item);
    free(node->text);
}

void stj_yaml_destroy(struct stj_yaml_node *root)
{
    if (!root)
        return;
    struct document *document = (struct document *)(void *)root;
    stj_yaml_free_content(root);
    free(document->name);
    free(document);
}

/* libyaml gives undecodable bytes an offset in the file, but no line and column. */
static yaml_mark_t mark_of_offset(const struct parse *p, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < p->length; i++) {
        bool new_line = p->text[i] == '\n';
        mark.line += new_line;
        mark.column = new_line ? 0 : mark.column + 1;
    }
    return mark;
}

static enum stj_status syntax_error(struct parse *p)
{
    const yaml_parser_t *y = &p->parser;
    if (y->error == YAML_MEMORY_ERROR)
        return stj_error_set(p->err, STJ_ENOMEM, __FILE__, __LINE__, "%s: out of memory", p->name);
    yaml_mark_t mark =
        y->error == YAML_READER_ERROR ? mark_of_offset(p, y->problem_offset) : y->problem_mark;
    return stj_error_set(p->err, STJ_ECONFIG, __FILE__, __LINE__,
                         "%s:%zu:%zu: not valid YAML: %s%s%s", p->name, mark.line + 1,
                         mark.column + 1, y->problem ? y->problem : "unknown problem",
                         y->context ? " " : "", y->context ? y->context : "");
}

/* event <- the next one; to be released with yaml_event_delete. */
static enum stj_status next_event(struct parse *p, yaml_event_t *event)
{
    return yaml_parser_parse(&p->parser, event) ? STJ_OK : syntax_error(p);
}

/* What every node must satisfy, whatever its type. */
static enum stj_status check_node(struct parse *p, const yaml_event_t *event, const void *anchor,
                                  const void *tag, size_t depth)
{
    enum stj_status st = STJ_OK;
    CHECK_EVENT(p, event, !anchor, "anchors (&name) are not accepted; write the value out");
    CHECK_EVENT(p, event, !tag, "tags (!name) are not accepted; the key decides the type");
    CHECK_EVENT(p, event, depth <= MAX_DEPTH, "nested deeper than %d levels", (int)MAX_DEPTH);
    CHECK_EVENT(p, event, ++p->n_nodes <= MAX_NODES, "more than %d values in one file",
                (int)MAX_NODES);
out:
    return st;
}

static enum stj_status build_scalar(struct parse *p, const yaml_event_t *event,
                                    struct stj_yaml_node *node)
{
    enum stj_status st = STJ_OK;
    const char *value = (const char *)event->data.scalar.value;
    yaml_scalar_style_t style = event->data.scalar.style;
    CHECK_EVENT(p, event, strlen(value) == event->data.scalar.length,
                "a text with a NUL character is not accepted");
    node->quoted = style != YAML_PLAIN_SCALAR_STYLE && style != YAML_ANY_SCALAR_STYLE;
    STJ_TRY(stj_strdup(&node->text, value, p->err));
out:
    return st;
}

/* Make room for item n (and key n); new ones are zeroed, so a half-built tree can be freed. */
static enum stj_status grow(struct stj_yaml_node *node, size_t *capacity, struct stj_error *err)
{
    if (node->n < *capacity)
        return STJ_OK;
    size_t larger = *capacity ? 2 * *capacity : 4;
    STJ_MUST(stj_resize(&node->item, *capacity, larger, sizeof *node->item, err));
    if (node->type == STJ_YAML_MAPPING)
        STJ_MUST(stj_resize(&node->key, *capacity, larger, sizeof *node->key, err));
    *capacity = larger;
    return STJ_OK;
}

static enum stj_status build_node(struct parse *p, const yaml_event_t *event, size_t depth,
                                  struct stj_yaml_node *node);

static enum stj_status build_sequence(struct parse *p, size_t depth, struct stj_yaml_node *node)
{
    enum stj_status st = STJ_OK;
    yaml_event_t event = {0};
    size_t capacity = 0;
    for (;;) {
        STJ_TRY(next_event(p, &event));
        if (event.type == YAML_SEQUENCE_END_EVENT)
            break;
        STJ_TRY(grow(node, &capacity, p->err));
        STJ_TRY(build_node(p, &event, depth + 1, &node->item[node->n++]));
        yaml_event_delete(&event);
    }
out:
    yaml_event_delete(&event);
    return st;
}

/* key[n] <- the key that this event is; n is raised so that what exists so far is owned. */
static enum stj_status build_key(struct parse *p, const yaml_event_t *event, size_t depth,
                                 struct stj_yaml_node *map)
{
    enum stj_status st = STJ_OK;
    size_t n = map->n;
    CHECK_EVENT(p, event,
                event->type != YAML_SEQUENCE_START_EVENT && event->type != YAML_MAPPING_START_EVENT,
                "a key must be a plain word, not a list or a mapping");
    CHECK_EVENT(p, event, n < MAX_KEYS, "more than %d keys in one mapping", (int)MAX_KEYS);
    map->n = n + 1;
    STJ_TRY(build_node(p, event, depth, &map->key[n]));
    for (const char *c = map->key[n].text; *c; c++)
        CHECK_EVENT(p, event, (unsigned char)*c >= ' ', "a key must be a plain word on one line");
    for (size_t i = 0; i < n; i++)
        CHECK_EVENT(p, event, strcmp(map->key[i].text, map->key[n].text) != 0,
                    "duplicate key '%.60s', first given at line %d", map->key[i].text,
                    map->key[i].line);
out:
    return st;
}

static enum stj_status build_mapping(struct parse *p, size_t depth, struct stj_yaml_node *node)
{
    enum stj_status st = STJ_OK;
    yaml_event_t event = {0};
    size_t capacity = 0;
    for (;;) {
        STJ_TRY(next_event(p, &event));
        if (event.type == YAML_MAPPING_END_EVENT)
            break;
        STJ_TRY(grow(node, &capacity, p->err));
        STJ_TRY(build_key(p, &event, depth + 1, node));
        yaml_event_delete(&event);
        STJ_TRY(next_event(p, &event));
        STJ_TRY(build_node(p, &event, depth + 1, &node->item[node->n - 1]));
        yaml_event_delete(&event);
    }
out:
    yaml_event_delete(&event);
    return st;
}

/* node (zeroed) <- what begins with this event; its end event is consumed too. */
static enum stj_status build_node(struct parse *p, const yaml_event_t *event, size_t depth,
                                  struct stj_yaml_node *node)
{
    enum stj_status st = STJ_OK;
    node->file = p->name;
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        STJ_TRY(check_node(p, event, event->data.scalar.anchor, event->data.scalar.tag, depth));
        node->type = STJ_YAML_SCALAR;
        STJ_TRY(build_scalar(p, event, node));
        break;
    case YAML_SEQUENCE_START_EVENT:
        STJ_TRY(check_node(p, event, event->data.sequence_start.anchor,
                           event->data.sequence_start.tag, depth));
        node->type = STJ_YAML_SEQUENCE;
        STJ_TRY(build_sequence(p, depth, node));
        break;
    case YAML_MAPPING_START_EVENT:
        STJ_TRY(check_node(p, event, event->data.mapping_start.anchor,
                           event->data.mapping_start.tag, depth));
        node->type = STJ_YAML_MAPPING;
        STJ_TRY(build_mapping(p, depth, node));
        break;
    default:
        CHECK_EVENT(p, event, event->type != YAML_ALIAS_EVENT,
                    "aliases (*name) are not accepted; write the value out");
        CHECK_EVENT(p, event, false, "unexpected YAML event %d", (int)event->type);
    }
out:
    return st;
}

/* Skip to the next event that is not the start of the stream or the end of a document. */
static enum stj_status next_document(struct parse *p, yaml_event_t *event)
{
    for (;;) {
        STJ_MUST(next_event(p, event));
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_END_EVENT)
            break;
        yaml_event_delete(event);
    }
    return STJ_OK;
}

static enum stj_status build_document(struct parse *p, struct stj_yaml_node *root)
{
    enum stj_status st = STJ_OK;
    yaml_event_t event = {0};
    STJ_TRY(next_document(p, &event));
    CHECK_EVENT(p, &event, event.type == YAML_DOCUMENT_START_EVENT, "the file is empty");
    yaml_event_delete(&event);
    STJ_TRY(next_event(p, &event));
    STJ_TRY(build_node(p, &event, 1, root));
    yaml_event_delete(&event);
    STJ_TRY(next_document(p, &event));
    CHECK_EVENT(p, &event, event.type == YAML_STREAM_END_EVENT,
                "a second document begins here; only one is accepted");
out:
    yaml_event_delete(&event);
    return st;
}

/* Has a text without a mark a zero among its first two bytes, as ASCII in UTF-16 has? */
static bool has_zeros(const char *text, size_t length)
{
    return length >= 2 && (!text[0] != !text[1]);
}

enum stj_status stj_yaml_parse(const char *text, size_t length, const char *name,
                               struct stj_yaml_node **root, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct document *document = NULL;
    struct parse p = {.text = text, .length = length, .err = err};
    bool parser_exists = false;
    *root = NULL;
    STJ_CHECK(err, length <= MAX_BYTES, STJ_ECONFIG, "%s: larger than %d bytes, the limit for YAML",
              name, (int)MAX_BYTES);
    STJ_TRY(stj_new(&document, 1, sizeof *document, err));
    STJ_TRY(stj_strdup(&document->name, name, err));
    p.name = document->name;
    parser_exists = yaml_parser_initialize(&p.parser);
    STJ_CHECK(err, parser_exists, STJ_ENOMEM, "%s: out of memory", name);
    /* libyaml knows UTF-16 by its mark alone. */
    STJ_CHECK(err, !has_zeros(text, length), STJ_ECONFIG,
              "%s: is not text in UTF-8 but, with every second byte zero, in UTF-16: save it as "
              "UTF-8",
              name);
    yaml_parser_set_input_string(&p.parser, (const unsigned char *)text, length);
    STJ_TRY(build_document(&p, &document->root));
    *root = &document->root;
    document = NULL;
out:
    if (parser_exists)
        yaml_parser_delete(&p.parser);
    stj_yaml_destroy(document ? &document->root : NULL);
    return st;
}

enum stj_status stj_yaml_read(const char *path, struct stj_yaml_node **root, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *text = NULL;
    size_t room = 0;
    size_t length = 0;
    *root = NULL;
    FILE *file = fopen(path, "rb");
    STJ_CHECK(err, file, STJ_EIO, "%s: cannot open: %s", path, strerror(errno));
    /* As it may be a pipe, its end alone says how long it is; the parser refuses what is too long. */
    while (length == room && length <= MAX_BYTES) {
        const size_t larger = room ? 2 * room : FIRST_BYTES;
        STJ_TRY(stj_resize(&text, room, larger, 1, err));
        room = larger;
        length += fread(text + length, 1, room - length, file);
    }
    STJ_CHECK(err, !ferror(file), STJ_EIO, "%s: cannot read: %s", path, strerror(errno));
    STJ_TRY(stj_yaml_parse(text, length, path, root, err));
out:
    if (file)
        fclose(file);
    free(text);
    return st;
}

/* copy <- the node and all in it; what exists of it on failure belongs to whom `copy` does. */
static enum stj_status copy_node(const struct stj_yaml_node *node, struct stj_yaml_node *copy,
                                 struct stj_error *err)
{
    *copy = *node;
    copy->text = NULL;
    copy->item = copy->key = NULL;
    copy->n = 0;
    if (node->text)
        STJ_MUST(stj_strdup(&copy->text, node->text, err));
    if (node->type == STJ_YAML_SCALAR)
        return STJ_OK;
    STJ_MUST(stj_new(&copy->item, node->n, sizeof *copy->item, err));
    if (node->key)
        STJ_MUST(stj_new(&copy->key, node->n, sizeof *copy->key, err));
    copy->n = node->n;
    for (size_t i = 0; i < node->n; i++) {
        STJ_MUST(copy_node(&node->item[i], &copy->item[i], err));
        if (node->key)
            STJ_MUST(copy_node(&node->key[i], &copy->key[i], err));
    }
    return STJ_OK;
}

enum stj_status stj_yaml_add(struct stj_yaml_node *map, const char *key,
                             const struct stj_yaml_node *value, struct stj_error *err)
{
    const struct stj_yaml_node name = {.type = STJ_YAML_SCALAR,
                                       .file = value->file,
                                       .line = value->line,
                                       .column = value->column,
                                       .text = (char *)(uintptr_t)key};
    STJ_MUST(stj_resize(&map->item, map->n, map->n + 1, sizeof *map->item, err));
    STJ_MUST(stj_resize(&map->key, map->n, map->n + 1, sizeof *map->key, err));
    map->n++;
    STJ_MUST(copy_node(&name, &map->key[map->n - 1], err));
    return copy_node(value, &map->item[map->n - 1], err);
}

enum stj_status stj_yaml_replace(struct stj_yaml_node *node, const struct stj_yaml_node *value,
                                 struct stj_error *err)
{
    struct stj_yaml_node fresh = {.n = 0};
    const enum stj_status st = copy_node(value, &fresh, err);
    struct stj_yaml_node gone = st == STJ_OK ? *node : fresh;
    if (st == STJ_OK)
        *node = fresh;
    stj_yaml_free_content(&gone);
    return st;
}

enum stj_status stj_yaml_put(struct stj_yaml_node *map, const char *key,
                             const struct stj_yaml_node *value, struct stj_error *err)
{
    const struct stj_yaml_node *there = stj_yaml_get(map, key);
    return there ? stj_yaml_replace((struct stj_yaml_node *)(uintptr_t)there, value, err)
                 : stj_yaml_add(map, key, value, err);
}

bool stj_yaml_is_number(const struct stj_yaml_node *node)
{
    char *end = NULL;
    if (node->type != STJ_YAML_SCALAR || !node->text)
        return false;
    (void)strtod(node->text, &end);
    return end != node->text && !*end;
}

enum stj_status stj_yaml_inherit(struct stj_yaml_node *map, const struct stj_yaml_node *from,
                                 struct stj_error *err)
{
    for (size_t i = 0; i < from->n; i++)
        if (!stj_yaml_get(map, from->key[i].text))
            STJ_MUST(stj_yaml_add(map, from->key[i].text, &from->item[i], err));
    return STJ_OK;
}

const struct stj_yaml_node *stj_yaml_get(const struct stj_yaml_node *map, const char *key)
{
    if (!map || map->type != STJ_YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->key[i].text, key) == 0)
            return &map->item[i];
    return NULL;
}
