/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_header.c: the header that guards a result file against truncation and damage. */
#include "io/h5_header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"

enum {
    SEAL_BYTES = 9,                                /* "01234567\n" */
    TEXT_BYTES = STJ_H5_HEADER_BYTES - SEAL_BYTES, /* what the seal guards */
    PIECE_BYTES = 1 << 16,
    FORMAT_NAME_MAX = 64,
};

/* *crc <- that of all bytes after the header; returns 0 or an errno. */
static int content_crc(int fd, uint32_t *crc)
{
    char *piece = NULL;
    off_t at = STJ_H5_HEADER_BYTES;
    int number = 0;
    *crc = 0;
    if (stj_new(&piece, PIECE_BYTES, 1, NULL) != STJ_OK)
        return ENOMEM;
    for (;;) {
        ssize_t n = pread(fd, piece, PIECE_BYTES, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            number = errno;
        if (n <= 0)
            break;
        *crc = stj_crc32(*crc, piece, (size_t)n);
        at += n;
    }
    free(piece);
    return number;
}

int stj_h5_header_seal(int fd, const struct stj_h5_format *format)
{
    char header[STJ_H5_HEADER_BYTES + 1];
    struct stat about;
    uint32_t crc = 0;
    if (fstat(fd, &about) != 0)
        return errno;
    int number = content_crc(fd, &crc);
    if (number != 0)
        return number;
    memset(header, ' ', sizeof header);
    int n = snprintf(header, TEXT_BYTES, "%s %u\nbytes %ju\ncrc32 %08" PRIx32 "\n%s\n",
                     format->name, format->version, (uintmax_t)about.st_size, crc,
                     "HDF5 begins after this header of 512 bytes.");
    header[n] = ' ';
    header[TEXT_BYTES - 1] = '\n';
    snprintf(header + TEXT_BYTES, SEAL_BYTES + 1, "%08" PRIx32 "\n",
             stj_crc32(0, header, TEXT_BYTES));
    if (lseek(fd, 0, SEEK_SET) != 0)
        return errno;
    return stj_file_write_all(fd, header, STJ_H5_HEADER_BYTES);
}

static bool is_hdf5(const char *at)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    return memcmp(at, signature, sizeof signature) == 0;
}

/* What a header says. */
struct header {
    char name[FORMAT_NAME_MAX];
    unsigned version;
    uintmax_t bytes;
    uint32_t crc;
};

static bool parse_header(const char text[STJ_H5_HEADER_BYTES + 1], struct header *header)
{
    char seal[SEAL_BYTES + 1];
    snprintf(seal, sizeof seal, "%08" PRIx32 "\n", stj_crc32(0, text, TEXT_BYTES));
    return memcmp(seal, text + TEXT_BYTES, SEAL_BYTES) == 0 &&
           sscanf(text, "%63s %u\nbytes %ju\ncrc32 %8" SCNx32, header->name, &header->version,
                  &header->bytes, &header->crc) == 4;
}

/* The first `n` bytes of a file are not a good header: why? */
static enum stj_status explain_header(const char *path, const struct stj_h5_format *format,
                                      const char *text, size_t n, struct stj_error *err)
{
    const char *name = format->name ? format->name : "result file of spectraj";
    static const char prefix[] = "spectraj-";
    bool ours = n > 0 && strncmp(text, prefix, n < strlen(prefix) ? n : strlen(prefix)) == 0;
    STJ_NEED(err, ours || is_hdf5(text) || is_hdf5(text + STJ_H5_HEADER_BYTES), STJ_EFORMAT,
             "%s: is not an HDF5 file, so not a %s; %s", path, name, format->remedy);
    STJ_NEED(err, ours, STJ_EFORMAT, "%s: is an HDF5 file but not a %s; %s", path, name,
             format->remedy);
    STJ_NEED(err, n >= STJ_H5_HEADER_BYTES, STJ_EFORMAT,
             "%s: is truncated: it has %zu bytes, less than its header; %s", path, n,
             format->remedy);
    return stj_error_set(err, STJ_EFORMAT, __FILE__, __LINE__,
                         "%s: is damaged: its header does not have its checksum; %s", path,
                         format->remedy);
}

static enum stj_status check_header(const char *path, const struct stj_h5_format *format,
                                    const struct header *header, size_t bytes,
                                    struct stj_error *err)
{
    STJ_NEED(err, !format->name || strcmp(header->name, format->name) == 0, STJ_EFORMAT,
             "%s: is a %s, not a %s; %s", path, header->name, format->name, format->remedy);
    STJ_NEED(err, header->version <= format->version, STJ_EFORMAT,
             "%s: has version %u of its format, this library reads up to %u; use the spectraj "
             "that wrote it, or a newer one",
             path, header->version, format->version);
    STJ_NEED(err, bytes >= header->bytes, STJ_EFORMAT,
             "%s: is truncated: it has %zu of its %ju bytes; %s", path, bytes, header->bytes,
             format->remedy);
    STJ_NEED(err, bytes == header->bytes, STJ_EFORMAT,
             "%s: is damaged: it has %zu bytes, not %ju; %s", path, bytes, header->bytes,
             format->remedy);
    return STJ_OK;
}

static enum stj_status check_open_file(const char *path, int fd, const struct stj_h5_format *format,
                                       size_t *bytes, uint32_t *crc, struct stj_error *err)
{
    struct stat about;
    struct header header;
    char text[STJ_H5_HEADER_BYTES + 8 + 1] = {0}; /* and a signature behind it */
    if (fstat(fd, &about) != 0)
        return stj_file_failed(path, "read", errno, err);
    const bool is_short = about.st_size < (off_t)(sizeof text - 1);
    const size_t n = is_short ? (size_t)about.st_size : sizeof text - 1;
    int number = stj_file_read_at(fd, 0, text, n);
    if (number != 0)
        return stj_file_failed(path, "read", number, err);
    if (n < STJ_H5_HEADER_BYTES || !parse_header(text, &header))
        return explain_header(path, format, text, n, err);
    *bytes = (size_t)about.st_size;
    STJ_MUST(check_header(path, format, &header, *bytes, err));
    number = content_crc(fd, crc);
    if (number != 0)
        return stj_file_failed(path, "read", number, err);
    STJ_NEED(err, *crc == header.crc, STJ_EFORMAT,
             "%s: is damaged: its content has the checksum %08" PRIx32 ", not %08" PRIx32 "; %s",
             path, *crc, header.crc, format->remedy);
    return STJ_OK;
}

enum stj_status stj_h5_header_check(const char *path, const struct stj_h5_format *format,
                                    size_t *bytes, uint32_t *crc, struct stj_error *err)
{
    enum stj_status st = stj_file_check_plain(path, err);
    if (st != STJ_OK)
        return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return stj_file_failed(path, "read", errno, err);
    st = check_open_file(path, fd, format, bytes, crc, err);
    close(fd);
    return st;
}
