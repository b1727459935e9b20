/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/npy.c: arrays in NumPy's NPY format, versions 1 to 3.
 *
 *   bytes 0-5   "\x93NUMPY"
 *   bytes 6-7   version, major and minor
 *   then        the header's length, little-endian: 2 bytes in version 1, 4 bytes in 2 and 3
 *   header      a Python dict literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *   rest        the items; the first index varies fastest where fortran_order is True
 *
 * Accepted are little-endian floats of 4 and 8 bytes, integers of 1 to 8 bytes and bools.  The file
 * must be exactly as long as its header says, which is checked before anything is allocated.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/reader.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { MAX_HEADER = 1 << 16, CHUNK_ITEMS = 4096 };

struct header {
    char type;   /* f, i, u or b */
    size_t size; /* bytes of an item */
    bool fortran_order;
    size_t n_dims;
    size_t shape[STJ_MATRIX_MAX_DIMS];
    size_t n_items;
};

static bool npy_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    return stj_path_ends_in(path, ".npy") ||
           (n_head >= sizeof magic && memcmp(head, magic, sizeof magic) == 0);
}

static uint64_t little_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | p[i];
    return value;
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

static enum stj_status parse_type(const char *path, const char *dict, struct header *header,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    static const char *const accepted = "<f4 <f8 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 |b1";
    char descr[4] = "";
    const char *p = find_value(dict, "descr");
    STJ_CHECK(err, p, STJ_EFORMAT, "%s: the header does not say 'descr'", path);
    bool simple = p[0] == '\'' && strlen(p) > 4 && p[4] == '\'';
    if (simple)
        memcpy(descr, p + 1, 3);
    STJ_CHECK(err, simple && !strchr(descr, ' ') && strstr(accepted, descr), STJ_EUNSUPPORTED,
              "%s: items of type %.12s are not supported; save the array as one of %s", path, p,
              accepted);
    header->type = descr[1];
    header->size = (size_t)(descr[2] - '0');
out:
    return st;
}

static enum stj_status parse_order(const char *path, const char *dict, struct header *header,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *p = find_value(dict, "fortran_order");
    bool is_true = p && strncmp(p, "True", 4) == 0;
    STJ_CHECK(err, is_true || (p && strncmp(p, "False", 5) == 0), STJ_EFORMAT,
              "%s: the header does not say 'fortran_order': True or False", path);
    header->fortran_order = is_true;
out:
    return st;
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
static enum stj_status parse_shape(const char *path, const char *dict, struct header *header,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *p = find_value(dict, "shape");
    STJ_CHECK(err, p && *p == '(', STJ_EFORMAT, "%s: the header does not say 'shape'", path);
    const char *shape = p;
    p = skip_blanks(p + 1);
    header->n_items = 1;
    while (*p != ')') {
        size_t n = 0;
        STJ_CHECK(err, header->n_dims < STJ_MATRIX_MAX_DIMS, STJ_EUNSUPPORTED,
                  "%s: the array has more than %d dimensions", path, (int)STJ_MATRIX_MAX_DIMS);
        STJ_CHECK(err, parse_dimension(&p, &n) && (*p == ',' || *p == ')'), STJ_EFORMAT,
                  "%s: the header's shape %.40s is not a list of sizes", path, shape);
        header->shape[header->n_dims++] = n;
        STJ_TRY(stj_size_mul(header->n_items, n, &header->n_items, err));
        if (*p == ',')
            p = skip_blanks(p + 1);
    }
out:
    return st;
}

/* ---- the file's frame ---- */

static enum stj_status read_exactly(const char *path, FILE *file, void *bytes, size_t n,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t got = fread(bytes, 1, n, file);
    STJ_CHECK(err, !ferror(file), STJ_EIO, "%s: cannot read: %s", path, strerror(errno));
    STJ_CHECK(err, got == n, STJ_EFORMAT, "%s: the file is cut short", path);
out:
    return st;
}

/* *length <- of the dict; `offset` <- where it begins. */
static enum stj_status read_preamble(const char *path, FILE *file, size_t *length, size_t *offset,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned char p[8];
    unsigned char l[4];
    STJ_TRY(read_exactly(path, file, p, sizeof p, err));
    STJ_CHECK(err, memcmp(p, magic, sizeof magic) == 0, STJ_EFORMAT,
              "%s: not an NPY file (it does not begin with \\x93NUMPY)", path);
    STJ_CHECK(err, p[6] >= 1 && p[6] <= 3 && p[7] == 0, STJ_EUNSUPPORTED,
              "%s: NPY version %d.%d is not supported; versions 1.0 to 3.0 are", path, p[6], p[7]);
    size_t n = p[6] == 1 ? 2 : 4;
    STJ_TRY(read_exactly(path, file, l, n, err));
    *length = (size_t)little_endian(l, n);
    *offset = sizeof p + n;
    STJ_CHECK(err, *length <= MAX_HEADER, STJ_EFORMAT,
              "%s: the header claims %zu bytes, the limit is %d", path, *length, (int)MAX_HEADER);
out:
    return st;
}

/* The header's claim against the length of the file. */
static enum stj_status check_length(const char *path, FILE *file, size_t offset,
                                    const struct header *header, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stat info;
    size_t claimed = 0;
    STJ_TRY(stj_size_mul(header->n_items, header->size, &claimed, err));
    STJ_CHECK(err, fstat(fileno(file), &info) == 0, STJ_EIO, "%s: cannot read: %s", path,
              strerror(errno));
    STJ_CHECK(err, S_ISREG(info.st_mode), STJ_EUNSUPPORTED, "%s: not a regular file", path);
    size_t held = (size_t)info.st_size - offset;
    STJ_CHECK(err, claimed == held, STJ_EFORMAT,
              "%s: the header announces %zu items of %zu bytes, %zu in all, but %zu bytes follow "
              "it; the file is %s",
              path, header->n_items, header->size, claimed, held,
              held < claimed ? "cut short" : "damaged");
out:
    return st;
}

static enum stj_status read_header(const char *path, FILE *file, struct header *header,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *dict = NULL;
    size_t length = 0;
    size_t offset = 0;
    STJ_TRY(read_preamble(path, file, &length, &offset, err));
    STJ_TRY(stj_new(&dict, length + 1, 1, err));
    STJ_TRY(read_exactly(path, file, dict, length, err));
    for (size_t i = 0; i < length; i++) /* strings stop at a NUL; messages stay on one line */
        dict[i] = (unsigned char)dict[i] < ' ' ? ' ' : dict[i];
    STJ_TRY(parse_type(path, dict, header, err));
    STJ_TRY(parse_order(path, dict, header, err));
    STJ_TRY(parse_shape(path, dict, header, err));
    STJ_TRY(check_length(path, file, offset + length, header, err));
out:
    free(dict);
    return st;
}

/* ---- the items ---- */

/* *value <- an item; false when no double holds it exactly. */
static bool decode(const struct header *header, const unsigned char *item, double *value)
{
    uint64_t bits = little_endian(item, header->size);
    if (header->type == 'f' && header->size == 8) {
        memcpy(value, &bits, sizeof *value);
        return true;
    }
    if (header->type == 'f') {
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        *value = (double)single;
        return true;
    }
    uint64_t sign = UINT64_C(1) << (8 * header->size - 1);
    bool negative = header->type == 'i' && (bits & sign);
    /* Two's complement of the item's own width: the magnitude is 2^width - bits. */
    uint64_t magnitude = negative ? (sign - (bits & (sign - 1))) : bits;
    *value = negative ? -(double)magnitude : (double)magnitude;
    return magnitude <= UINT64_C(1) << 53;
}

/* Where the items of a file go in row-major order. */
struct cursor {
    const struct header *header;
    size_t index[STJ_MATRIX_MAX_DIMS];  /* of the next item */
    size_t stride[STJ_MATRIX_MAX_DIMS]; /* of the destination */
    size_t position;
};

static struct cursor start(const struct header *header)
{
    struct cursor c = {.header = header};
    size_t stride = 1;
    for (size_t d = header->n_dims; d-- > 0;) {
        c.stride[d] = stride;
        stride *= header->shape[d];
    }
    return c;
}

/* Step to the next item: the next position, or, in Fortran order, count up the first index and
 * carry to the right. */
static void advance(struct cursor *c)
{
    if (!c->header->fortran_order) {
        c->position++;
        return;
    }
    for (size_t d = 0; d < c->header->n_dims; d++) {
        c->position += c->stride[d];
        if (++c->index[d] < c->header->shape[d])
            return;
        c->position -= c->stride[d] * c->index[d];
        c->index[d] = 0;
    }
}

/* data[n_items] <- all items, row-major. */
static enum stj_status read_items(const char *path, FILE *file, const struct header *header,
                                  double *data, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned char chunk[CHUNK_ITEMS * 8];
    struct cursor at = start(header);
    for (size_t done = 0; done < header->n_items;) {
        size_t left = header->n_items - done;
        size_t n = left < CHUNK_ITEMS ? left : CHUNK_ITEMS;
        STJ_TRY(read_exactly(path, file, chunk, n * header->size, err));
        for (size_t i = 0; i < n; i++, advance(&at))
            STJ_CHECK(err, decode(header, chunk + i * header->size, &data[at.position]),
                      STJ_EUNSUPPORTED,
                      "%s: item %zu is an integer beyond 2^53, which no double holds exactly", path,
                      done + i);
        done += n;
    }
out:
    return st;
}

static enum stj_status npy_read(const char *path, struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct header header = {0};
    FILE *file = fopen(path, "rb");
    STJ_CHECK(err, file, STJ_EIO, "%s: cannot open: %s", path, strerror(errno));
    STJ_TRY(read_header(path, file, &header, err));
    STJ_TRY(stj_new(&matrix->data, header.n_items, sizeof *matrix->data, err));
    STJ_TRY(read_items(path, file, &header, matrix->data, err));
    matrix->n_dims = header.n_dims;
    memcpy(matrix->shape, header.shape, sizeof header.shape);
    matrix->rows = header.n_dims ? header.shape[0] : 1;
    matrix->cols = matrix->rows ? header.n_items / matrix->rows : 0;
out:
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", path);
    if (file)
        fclose(file);
    return st;
}

extern const struct stj_reader stj_reader_npy;
const struct stj_reader stj_reader_npy = {
    .info = {.name = "npy", .doc = "NumPy array, .npy"},
    .accepts = npy_accepts,
    .read = npy_read,
};
