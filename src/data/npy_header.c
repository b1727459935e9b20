/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/npy_header.c: the header of NumPy's NPY format, versions 1 to 3.
 *
 *   bytes 0-5   "\x93NUMPY"
 *   bytes 6-7   version, major and minor
 *   then        the header's length, little-endian: 2 bytes in version 1, 4 bytes in 2 and 3
 *   header      a Python dict literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *   rest        the items; the first index varies fastest where fortran_order is True
 *
 * Accepted are floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes and bools, little- or
 * big-endian.
 */
#include "data/npy_header.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { MAX_HEADER = 1 << 16 };

bool stj_npy_is(const unsigned char *head, size_t n_head)
{
    return n_head >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

/* ---- the header's dict ---- */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\n");
}

/* Where the value of a key begins, or NULL.  The header's keys are fixed words that occur in no
 * value, so that finding the quoted word is enough. */
static const char *find_value(const char *dict, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(dict, quoted);
    if (!p)
        return NULL;
    p = skip_blanks(p + strlen(quoted));
    return *p == ':' ? skip_blanks(p + 1) : NULL;
}

static enum stj_status parse_npy_type(const char *path, const char *dict,
                                      struct stj_array_entry *entry, struct stj_error *err)
{
    static const char *const accepted = "<f4 <f8 <f2 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 |b1";
    char descr[4] = "";
    const char *p = find_value(dict, "descr");
    STJ_NEED(err, p, STJ_EFORMAT, "%s: the header does not say 'descr'", path);
    bool simple = p[0] == '\'' && strlen(p) > 4 && p[4] == '\'';
    if (simple)
        memcpy(descr, p + 1, 3);
    const bool big_endian = descr[0] == '>';
    if (big_endian)
        descr[0] = '<';
    STJ_NEED(err, simple && !strchr(descr, ' ') && strstr(accepted, descr), STJ_EUNSUPPORTED,
             "%s: items of type %.12s are not supported; save the array as one of %s", path, p,
             accepted);
    entry->place.type = (struct stj_item_type){
        .kind = descr[1], .size = (size_t)(descr[2] - '0'), .big_endian = big_endian};
    return STJ_OK;
}

static enum stj_status parse_order(const char *path, const char *dict,
                                   struct stj_array_entry *entry, struct stj_error *err)
{
    const char *p = find_value(dict, "fortran_order");
    bool is_true = p && strncmp(p, "True", 4) == 0;
    STJ_NEED(err, is_true || (p && strncmp(p, "False", 5) == 0), STJ_EFORMAT,
             "%s: the header does not say 'fortran_order': True or False", path);
    entry->place.fortran_order = is_true;
    return STJ_OK;
}

/* One dimension at *p, which moves behind it; false when there is none or it is too large. */
static bool parse_dimension(const char **p, size_t *value)
{
    if (**p < '0' || **p > '9')
        return false;
    errno = 0;
    char *end = NULL;
    unsigned long long n = strtoull(*p, &end, 10);
    *p = skip_blanks(end);
    *value = (size_t)n;
    return errno == 0 && n <= SIZE_MAX;
}

/* "()", "(3,)", "(3, 4)". */
static enum stj_status parse_shape(const char *path, const char *dict,
                                   struct stj_array_entry *entry, struct stj_error *err)
{
    struct stj_array *array = &entry->array;
    const char *p = find_value(dict, "shape");
    STJ_NEED(err, p && *p == '(', STJ_EFORMAT, "%s: the header does not say 'shape'", path);
    const char *shape = p;
    p = skip_blanks(p + 1);
    while (*p != ')') {
        size_t n = 0;
        STJ_NEED(err, array->n_dims < STJ_MATRIX_MAX_DIMS, STJ_EUNSUPPORTED,
                 "%s: the array has more than %d dimensions", path, (int)STJ_MATRIX_MAX_DIMS);
        STJ_NEED(err, parse_dimension(&p, &n) && (*p == ',' || *p == ')'), STJ_EFORMAT,
                 "%s: the header's shape %.40s is not a list of sizes", path, shape);
        array->shape[array->n_dims++] = n;
        if (*p == ',')
            p = skip_blanks(p + 1);
    }
    return STJ_OK;
}

/* ---- the frame ---- */

/* *length <- of the dict, which follows. */
static enum stj_status read_preamble(const char *path, struct stj_byte_stream *stream,
                                     struct stj_array_place *place, size_t *length,
                                     struct stj_error *err)
{
    unsigned char p[8];
    unsigned char l[4];
    STJ_MUST(stj_byte_stream_read(stream, p, sizeof p, err));
    STJ_NEED(err, stj_npy_is(p, sizeof p), STJ_EFORMAT,
             "%s: not an NPY file (it does not begin with \\x93NUMPY)", path);
    STJ_NEED(err, p[6] >= 1 && p[6] <= 3 && p[7] == 0, STJ_EUNSUPPORTED,
             "%s: NPY version %d.%d is not supported; versions 1.0 to 3.0 are", path, p[6], p[7]);
    size_t n = p[6] == 1 ? 2 : 4;
    STJ_MUST(stj_byte_stream_read(stream, l, n, err));
    *length = 0;
    for (size_t i = n; i-- > 0;)
        *length = *length << 8 | l[i];
    place->skip = sizeof p + n + *length;
    STJ_NEED(err, *length <= MAX_HEADER, STJ_EFORMAT,
             "%s: the header claims %zu bytes, the limit is %d", path, *length, (int)MAX_HEADER);
    return STJ_OK;
}

/* The header's claim against the bytes that there are. */
static enum stj_status check_npy_length(const char *path, const struct stj_array_place *place,
                                        size_t n_items, struct stj_error *err)
{
    size_t claimed = 0;
    STJ_MUST(stj_size_mul(n_items, place->type.size, &claimed, err));
    size_t held = place->unpacked - place->skip;
    STJ_NEED(err, place->unpacked >= place->skip && claimed == held, STJ_EFORMAT,
             "%s: the header announces %zu items of %zu bytes, %zu in all, but %zu bytes follow "
             "it; the file is %s",
             path, n_items, place->type.size, claimed, held,
             held < claimed ? "cut short" : "damaged");
    return STJ_OK;
}

enum stj_status stj_npy_read_header(const char *path, struct stj_byte_stream *stream,
                                    struct stj_array_entry *entry, struct stj_error *err)
{
    STJ_FREED char *dict = NULL;
    size_t length = 0;
    size_t n_items = 0;
    STJ_MUST(read_preamble(path, stream, &entry->place, &length, err));
    STJ_MUST(stj_new(&dict, length + 1, 1, err));
    STJ_MUST(stj_byte_stream_read(stream, dict, length, err));
    for (size_t i = 0; i < length; i++) /* strings stop at a NUL; messages stay on one line */
        dict[i] = (unsigned char)dict[i] < ' ' ? ' ' : dict[i];
    STJ_MUST(parse_npy_type(path, dict, entry, err));
    STJ_MUST(parse_order(path, dict, entry, err));
    STJ_MUST(parse_shape(path, dict, entry, err));
    STJ_MUST(stj_array_set_size(&entry->array, &n_items, err));
    return check_npy_length(path, &entry->place, n_items, err);
}
