/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/npz.c: NumPy's NPZ: a zip archive of NPY files, stored or deflated.
 *
 * Read are (APPNOTE.TXT of PKWARE, 4.3):
 *
 *   1  the end record, found backwards from the end of the file, and its 64-bit form;
 *   2  the central directory that it points at: name, method, sizes, CRC-32 of every member;
 *   3  each NPY member's local header, for where its bytes begin, and the NPY header in it.
 *
 * What a record says is compared with the file's length and with the other records, and the NPY
 * header with the member's size.  The member's bytes are compared with that size and the CRC-32
 * before anything is allocated for its values.  Members that are no NPY files are passed over.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/npy_header.h"

enum {
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 0xFFFF,
    DEFLATE_MOST = 1032, /* times that deflate can shrink something */
};

#define END_SIGNATURE UINT32_C(0x06054b50)
#define LOCATOR_SIGNATURE UINT32_C(0x07064b50)
#define END64_SIGNATURE UINT32_C(0x06064b50)
#define ENTRY_SIGNATURE UINT32_C(0x02014b50)
#define LOCAL_SIGNATURE UINT32_C(0x04034b50)

static uint64_t number(const unsigned char *p, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

static bool npz_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    return stj_path_ends_in(path, ".npz") ||
           (n_head >= 4 && memcmp(head, "PK", 2) == 0 &&
            (number(head, 4) == LOCAL_SIGNATURE || number(head, 4) == END_SIGNATURE));
}

/* The archive while it is listed. */
struct archive {
    struct stj_array_list *list;
    struct stj_byte_stream *file;
    size_t length;
    size_t n_entries;
    size_t directory, directory_bytes;
};

static enum stj_status read_archive_at(struct archive *a, size_t at, void *bytes, size_t n,
                                       struct stj_error *err)
{
    STJ_NEED(err, at <= a->length && n <= a->length - at, STJ_EFORMAT,
             "%s: %zu bytes at %zu are wanted, the file has %zu; it is cut short or damaged",
             a->list->path, n, at, a->length);
    STJ_MUST(stj_byte_stream_seek(a->file, at, err));
    return stj_byte_stream_read(a->file, bytes, n, err);
}

/* The directory of a 64-bit archive, whose locator lies before the end record. */
static enum stj_status read_end64(struct archive *a, size_t end, struct stj_error *err)
{
    unsigned char p[END64_BYTES];
    const char *path = a->list->path;
    STJ_NEED(err, end >= LOCATOR_BYTES, STJ_EFORMAT, "%s: byte %zu: no 64-bit locator before it",
             path, end);
    STJ_MUST(read_archive_at(a, end - LOCATOR_BYTES, p, LOCATOR_BYTES, err));
    STJ_NEED(err, number(p, 4) == LOCATOR_SIGNATURE, STJ_EFORMAT,
             "%s: byte %zu: not the locator of a 64-bit zip archive", path, end - LOCATOR_BYTES);
    size_t at = (size_t)number(p + 8, 8);
    STJ_MUST(read_archive_at(a, at, p, END64_BYTES, err));
    STJ_NEED(err, number(p, 4) == END64_SIGNATURE, STJ_EFORMAT,
             "%s: byte %zu: not the end record of a 64-bit zip archive", path, at);
    a->n_entries = (size_t)number(p + 32, 8);
    a->directory_bytes = (size_t)number(p + 40, 8);
    a->directory = (size_t)number(p + 48, 8);
    return STJ_OK;
}

/* Find the end record: the last place from which its comment reaches exactly to the file's end. */
static enum stj_status read_end(struct archive *a, struct stj_error *err)
{
    STJ_FREED unsigned char *tail = NULL;
    const size_t most = END_BYTES + COMMENT_MAX;
    const size_t n = a->length < most ? a->length : most;
    const char *path = a->list->path;
    STJ_MUST(stj_new(&tail, n, 1, err));
    STJ_MUST(read_archive_at(a, a->length - n, tail, n, err));
    size_t i = n >= END_BYTES ? n - END_BYTES + 1 : 0;
    bool found = false;
    while (!found && i-- > 0)
        found = number(tail + i, 4) == END_SIGNATURE &&
                i + END_BYTES + (size_t)number(tail + i + 20, 2) == n;
    STJ_NEED(err, found, STJ_EFORMAT,
             "%s: not a zip archive: it has no end record; it is cut short or damaged", path);
    const size_t end = a->length - n + i;
    a->n_entries = (size_t)number(tail + i + 10, 2);
    a->directory_bytes = (size_t)number(tail + i + 12, 4);
    a->directory = (size_t)number(tail + i + 16, 4);
    if (a->n_entries == 0xFFFF || a->directory_bytes == 0xFFFFFFFF || a->directory == 0xFFFFFFFF)
        STJ_MUST(read_end64(a, end, err));
    STJ_NEED(err, a->directory <= end && a->directory_bytes <= end - a->directory, STJ_EFORMAT,
             "%s: byte %zu: the directory of %zu bytes at %zu would not lie before it; the file "
             "is damaged",
             path, end, a->directory_bytes, a->directory);
    return STJ_OK;
}

/* What the directory says of a member. */
struct member {
    unsigned flags, method;
    uint32_t crc;
    size_t packed, unpacked, local;
    char *name; /* owned */
};

/* Sizes of 4 bytes that are all ones stand in the 64-bit extra field, in this order. */
static void read_extra64(const unsigned char *extra, size_t n, struct member *m)
{
    while (n >= 4 && number(extra, 2) != 1) {
        size_t skip = 4 + (size_t)number(extra + 2, 2);
        if (skip > n)
            return;
        extra += skip;
        n -= skip;
    }
    if (n < 4)
        return;
    size_t left = (size_t)number(extra + 2, 2);
    left = left < n - 4 ? left : n - 4;
    extra += 4;
    size_t *const field[] = {&m->unpacked, &m->packed, &m->local};
    for (size_t i = 0; i < 3; i++) {
        if (*field[i] != 0xFFFFFFFF || left < 8)
            continue;
        *field[i] = (size_t)number(extra, 8);
        extra += 8;
        left -= 8;
    }
}

/* member <- the entry of the directory at *at, which moves behind it. */
static enum stj_status read_entry(struct archive *a, size_t *at, struct member *m,
                                  struct stj_error *err)
{
    unsigned char p[ENTRY_BYTES];
    STJ_FREED unsigned char *extra = NULL;
    const char *path = a->list->path;
    STJ_MUST(read_archive_at(a, *at, p, sizeof p, err));
    STJ_NEED(err, number(p, 4) == ENTRY_SIGNATURE, STJ_EFORMAT,
             "%s: byte %zu: not an entry of a zip directory; the file is damaged", path, *at);
    m->flags = (unsigned)number(p + 8, 2);
    m->method = (unsigned)number(p + 10, 2);
    m->crc = (uint32_t)number(p + 16, 4);
    m->packed = (size_t)number(p + 20, 4);
    m->unpacked = (size_t)number(p + 24, 4);
    m->local = (size_t)number(p + 42, 4);
    size_t n_name = (size_t)number(p + 28, 2);
    size_t n_extra = (size_t)number(p + 30, 2);
    STJ_MUST(stj_new(&m->name, n_name + 1, 1, err));
    STJ_MUST(stj_new(&extra, n_extra + 1, 1, err));
    STJ_MUST(read_archive_at(a, *at + ENTRY_BYTES, m->name, n_name, err));
    STJ_MUST(read_archive_at(a, *at + ENTRY_BYTES + n_name, extra, n_extra, err));
    read_extra64(extra, n_extra, m);
    *at += ENTRY_BYTES + n_name + n_extra + (size_t)number(p + 32, 2);
    return STJ_OK;
}

/* Where the bytes of a member begin: behind its local header, before the directory. */
static enum stj_status read_local(struct archive *a, const struct member *m, size_t *first,
                                  struct stj_error *err)
{
    unsigned char p[LOCAL_BYTES];
    const char *path = a->list->path;
    STJ_MUST(read_archive_at(a, m->local, p, sizeof p, err));
    STJ_NEED(err, number(p, 4) == LOCAL_SIGNATURE, STJ_EFORMAT,
             "%s: byte %zu: not the header of member %s; the file is damaged", path, m->local,
             m->name);
    *first = m->local + LOCAL_BYTES + (size_t)number(p + 26, 2) + (size_t)number(p + 28, 2);
    STJ_NEED(err, *first <= a->directory && m->packed <= a->directory - *first, STJ_EFORMAT,
             "%s: member %s announces %zu bytes at %zu, the directory begins at %zu; the file is "
             "damaged",
             path, m->name, m->packed, *first, a->directory);
    return STJ_OK;
}

/* Why a member cannot be read, or NULL. */
static const char *unreadable(const struct member *m)
{
    if (m->flags & 1)
        return "is encrypted";
    if (m->method != 0 && m->method != 8)
        return "is packed by a method other than deflate; write it with numpy.savez or "
               "savez_compressed";
    return NULL;
}

static enum stj_status check_member_sizes(const struct archive *a, const struct member *m,
                                          struct stj_error *err)
{
    const char *path = a->list->path;
    STJ_NEED(err, m->method == 8 || m->packed == m->unpacked, STJ_EFORMAT,
             "%s: member %s is stored, but announces %zu bytes packed and %zu unpacked; the file "
             "is damaged",
             path, m->name, m->packed, m->unpacked);
    STJ_NEED(err, m->unpacked / DEFLATE_MOST <= m->packed, STJ_EFORMAT,
             "%s: member %s announces %zu bytes in %zu of packed data, more than they can hold",
             path, m->name, m->unpacked, m->packed);
    return STJ_OK;
}

/* The NPY header of a member.  An array of a type that is not supported is in the list all the
 * same, with the reason. */
static enum stj_status read_member_header(const struct archive *a, struct stj_array_entry *entry,
                                          const char *member, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *stream = NULL;
    struct stj_error trouble = STJ_ERROR_INIT;
    char place[512];
    snprintf(place, sizeof place, "%s:%s", a->list->path, member);
    STJ_TRY(stj_byte_stream_open(a->list->path, entry->place.first, entry->place.bytes,
                                 entry->place.packing, &stream, err));
    st = stj_npy_read_header(place, stream, entry, &trouble);
    if (st == STJ_EUNSUPPORTED)
        st = stj_array_refuse(entry, trouble.text + strlen(place) + 2, err);
    else
        STJ_CHECK(err, st == STJ_OK, st, "%s", trouble.text);
out:
    stj_byte_stream_close(stream);
    return st;
}

static enum stj_status add_member(struct archive *a, const struct member *m, struct stj_error *err)
{
    struct stj_array_entry *entry = NULL;
    const char *problem = unreadable(m);
    STJ_FREED char *name = NULL;
    size_t n = strlen(m->name);
    if (n < 4 || !stj_path_ends_in(m->name, ".npy"))
        return STJ_OK;
    STJ_MUST(stj_strdup(&name, m->name, err));
    name[n - 4] = '\0';
    STJ_MUST(stj_array_list_add(a->list, name, &entry, err));
    if (problem) {
        STJ_MUST(stj_array_refuse(entry, problem, err));
        return STJ_OK;
    }
    STJ_MUST(check_member_sizes(a, m, err));
    entry->place.packing = m->method == 8 ? STJ_PACKING_DEFLATE : STJ_PACKING_NONE;
    entry->place.bytes = m->packed;
    entry->place.unpacked = m->unpacked;
    entry->place.has_crc = true;
    entry->place.crc = m->crc;
    STJ_MUST(read_local(a, m, &entry->place.first, err));
    STJ_NEED(err, m->packed > 0, STJ_EFORMAT, "%s: member %s is empty", a->list->path, m->name);
    return read_member_header(a, entry, m->name, err);
}

static enum stj_status npz_list(struct stj_array_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct archive a = {.list = list};
    STJ_TRY(stj_file_length(list->path, &a.length, err));
    STJ_TRY(stj_byte_stream_open(list->path, 0, STJ_TO_THE_END, STJ_PACKING_NONE, &a.file, err));
    STJ_TRY(read_end(&a, err));
    size_t at = a.directory;
    for (size_t i = 0; i < a.n_entries; i++) {
        struct member m = {0};
        STJ_CHECK(err, at < a.directory + a.directory_bytes, STJ_EFORMAT,
                  "%s: byte %zu: the directory ends after %zu of %zu entries; the file is damaged",
                  list->path, at, i, a.n_entries);
        st = read_entry(&a, &at, &m, err);
        if (st == STJ_OK)
            st = add_member(&a, &m, err);
        free(m.name);
        STJ_TRY(st);
    }
out:
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", list->path);
    stj_byte_stream_close(a.file);
    return st;
}

extern const struct stj_reader stj_reader_npz;
const struct stj_reader stj_reader_npz = {
    .info = {.name = "npz", .doc = "NumPy arrays by name, .npz"},
    .accepts = npz_accepts,
    .list = npz_list,
};
