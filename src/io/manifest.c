/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/manifest.c: the list of everything a result file holds, to and from text. */
#include "io/manifest.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"

enum { LINE_MAX_BYTES = 256, NAME_MAX_BYTES = 64, N_FIELDS = 5 };

static const char *const type_name[] = {
    [STJ_ITEM_REAL] = "real",
    [STJ_ITEM_UNSIGNED] = "unsigned",
    [STJ_ITEM_TEXT] = "text",
    [STJ_ITEM_MATRIX] = "matrix",
};
enum { N_TYPES = sizeof type_name / sizeof type_name[0] };

struct stj_item *stj_manifest_find(const struct stj_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->n; i++)
        if (strcmp(manifest->item[i].name, name) == 0)
            return &manifest->item[i];
    return NULL;
}

enum stj_status stj_manifest_add(struct stj_manifest *manifest, const char *name,
                                 enum stj_item_type type, size_t rows, size_t cols,
                                 struct stj_item **item, struct stj_error *err)
{
    size_t n = manifest->n;
    STJ_NEED(err, strlen(name) < NAME_MAX_BYTES && !strpbrk(name, " \n"), STJ_EINTERNAL,
             "\"%s\" cannot name an item of a result file", name);
    STJ_NEED(err, !stj_manifest_find(manifest, name), STJ_EINTERNAL,
             "\"%s\" is twice in a result file", name);
    STJ_MUST(stj_resize(&manifest->item, n, n + 1, sizeof *manifest->item, err));
    struct stj_item *added = &manifest->item[n];
    STJ_MUST(stj_strdup(&added->name, name, err));
    added->type = type;
    added->rows = rows;
    added->cols = cols;
    manifest->n = n + 1;
    *item = added;
    return STJ_OK;
}

enum stj_status stj_manifest_print(const struct stj_manifest *manifest, char **text,
                                   struct stj_error *err)
{
    size_t size = (manifest->n + 1) * LINE_MAX_BYTES;
    size_t used = 0;
    STJ_MUST(stj_new(text, size, 1, err));
    for (size_t i = 0; i < manifest->n; i++) {
        const struct stj_item *item = &manifest->item[i];
        used +=
            (size_t)snprintf(*text + used, size - used, "%s %s %zu %zu %08" PRIx32 "\n", item->name,
                             type_name[item->type], item->rows, item->cols, item->crc);
    }
    snprintf(*text + used, size - used, "end %08" PRIx32 "\n", stj_crc32(0, *text, used));
    return STJ_OK;
}

static bool parse_crc(const char *text, uint32_t *crc)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 8 || strspn(text, digits) != 8)
        return false;
    *crc = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

static bool parse_size(const char *text, size_t *size)
{
    uint64_t value;
    if (!stj_number_unsigned(text, &value) || value > SIZE_MAX)
        return false;
    *size = (size_t)value;
    return true;
}

static bool parse_type(const char *text, enum stj_item_type *type)
{
    for (int i = 0; i < N_TYPES; i++)
        if (strcmp(text, type_name[i]) == 0) {
            *type = (enum stj_item_type)i;
            return true;
        }
    return false;
}

/* One line without its newline, which is cut into fields in place. */
static enum stj_status parse_line(char *line, struct stj_manifest *manifest, struct stj_error *err)
{
    char *field[N_FIELDS + 1] = {NULL};
    char *rest = line;
    char *next = NULL;
    struct stj_item *item = NULL;
    enum stj_item_type type;
    size_t rows, cols;
    uint32_t crc;
    size_t n = 0;
    while (n <= N_FIELDS && (field[n] = strtok_r(rest, " ", &next)) != NULL) {
        rest = NULL;
        n++;
    }
    STJ_NEED(err,
             n == N_FIELDS && parse_type(field[1], &type) && parse_size(field[2], &rows) &&
                 parse_size(field[3], &cols) && parse_crc(field[4], &crc),
             STJ_EFORMAT, "its manifest is damaged");
    STJ_MUST(stj_manifest_add(manifest, field[0], type, rows, cols, &item, err));
    item->crc = crc;
    return STJ_OK;
}

/* Bytes of the lines that the last line guards; SIZE_MAX when there is no such line. */
static size_t guarded_bytes(const char *text, size_t bytes)
{
    enum { END_BYTES = 13 }; /* "end 01234567\n" */
    char end[END_BYTES + 1];
    if (bytes < END_BYTES)
        return SIZE_MAX;
    size_t guarded = bytes - END_BYTES;
    snprintf(end, sizeof end, "end %08" PRIx32 "\n", stj_crc32(0, text, guarded));
    return memcmp(end, text + guarded, END_BYTES) == 0 ? guarded : SIZE_MAX;
}

enum stj_status stj_manifest_parse(const char *text, size_t bytes, struct stj_manifest *manifest,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char line[LINE_MAX_BYTES];
    size_t guarded = guarded_bytes(text, bytes);
    STJ_CHECK(err, guarded != SIZE_MAX, STJ_EFORMAT, "its manifest is damaged");
    for (size_t at = 0; at < guarded;) {
        const char *newline = memchr(text + at, '\n', guarded - at);
        size_t n = newline ? (size_t)(newline - (text + at)) : sizeof line;
        STJ_CHECK(err, n < sizeof line, STJ_EFORMAT, "its manifest is damaged");
        memcpy(line, text + at, n);
        line[n] = '\0';
        STJ_TRY(parse_line(line, manifest, err));
        at += n + 1;
    }
out:
    if (st != STJ_OK)
        stj_manifest_clear(manifest);
    return st;
}

void stj_manifest_clear(struct stj_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n; i++) {
        free(manifest->item[i].name);
        free(manifest->item[i].row_crc);
        free(manifest->item[i].row_dim);
    }
    free(manifest->item);
    *manifest = (struct stj_manifest){0};
}
