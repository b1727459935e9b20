/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/byte_stream.c: reading and unpacking ranges of files, in pieces of constant size. */
#include "data/byte_stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"

enum { PIECE = 1 << 16 };

struct stj_byte_stream {
    char *path;
    FILE *file;
    enum stj_packing packing;
    size_t first, bytes; /* the range of the file */
    size_t taken;        /* of the range: what was read of it */
    size_t position;     /* unpacked bytes handed out */
    z_stream z;
    bool z_open, ended; /* ended: of a packed stream, its last byte was unpacked */
    size_t member;      /* of a gzip stream, from 1 */
    unsigned char packed[PIECE];
};

enum stj_status stj_file_length(const char *path, size_t *bytes, struct stj_error *err)
{
    struct stat info;
    STJ_NEED(err, stat(path, &info) == 0, STJ_EIO, "%s: cannot open: %s", path, strerror(errno));
    STJ_MUST(stj_file_check_plain(path, err));
    STJ_NEED(err, S_ISREG(info.st_mode), STJ_EIO, "%s: cannot read: it is a folder", path);
    *bytes = (size_t)info.st_size;
    return STJ_OK;
}

/* To the first byte. */
static enum stj_status rewind_stream(struct stj_byte_stream *s, struct stj_error *err)
{
    STJ_NEED(err, fseeko(s->file, (off_t)s->first, SEEK_SET) == 0, STJ_EIO, "%s: cannot read: %s",
             s->path, strerror(errno));
    s->taken = s->position = 0;
    s->member = 1;
    s->ended = false;
    s->z.avail_in = 0;
    if (s->packing == STJ_PACKING_NONE)
        return STJ_OK;
    int code = Z_OK;
    if (s->z_open)
        code = inflateReset(&s->z);
    else /* zlib's window of 32 KiB; negative: no header, 16 more: that of gzip */
        code = inflateInit2(&s->z, s->packing == STJ_PACKING_GZIP ? 15 + 16 : -15);
    STJ_NEED(err, code == Z_OK, STJ_ENOMEM, "%s: no memory to unpack it", s->path);
    s->z_open = true;
    return STJ_OK;
}

enum stj_status stj_byte_stream_open(const char *path, size_t first, size_t bytes,
                                     enum stj_packing packing, struct stj_byte_stream **stream,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *s = NULL;
    size_t length = 0;
    *stream = NULL;
    STJ_TRY(stj_file_length(path, &length, err));
    STJ_CHECK(err, first <= length && bytes <= length - first, STJ_EFORMAT,
              "%s: bytes %zu to %zu are wanted, the file has %zu; it is cut short or damaged", path,
              first, first + bytes, length);
    STJ_TRY(stj_new(&s, 1, sizeof *s, err));
    STJ_TRY(stj_strdup(&s->path, path, err));
    s->file = fopen(path, "rb");
    STJ_CHECK(err, s->file, STJ_EIO, "%s: cannot open: %s", path, strerror(errno));
    s->packing = packing;
    s->first = first;
    s->bytes = bytes == STJ_TO_THE_END ? length - first : bytes;
    STJ_TRY(rewind_stream(s, err));
    *stream = s;
    s = NULL;
out:
    stj_byte_stream_close(s);
    return st;
}

enum stj_status stj_byte_stream_open_file(const char *path, struct stj_byte_stream **stream,
                                          enum stj_packing *packing, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned char head[2] = {0};
    size_t n = 0;
    *packing = STJ_PACKING_NONE;
    STJ_TRY(stj_byte_stream_open(path, 0, STJ_TO_THE_END, STJ_PACKING_NONE, stream, err));
    STJ_TRY(stj_byte_stream_read_some(*stream, head, sizeof head, &n, err));
    if (head[0] == 0x1F && head[1] == 0x8B)
        *packing = (*stream)->packing = STJ_PACKING_GZIP;
    STJ_TRY(rewind_stream(*stream, err));
out:
    if (st != STJ_OK) {
        stj_byte_stream_close(*stream);
        *stream = NULL;
    }
    return st;
}

void stj_byte_stream_close(struct stj_byte_stream *stream)
{
    if (!stream)
        return;
    if (stream->z_open)
        inflateEnd(&stream->z);
    if (stream->file)
        fclose(stream->file);
    free(stream->path);
    free(stream);
}

/* bytes <- the next n of the range as they lie in the file. */
static enum stj_status take_bytes(struct stj_byte_stream *s, void *bytes, size_t n,
                                  struct stj_error *err)
{
    size_t got = n <= s->bytes - s->taken ? fread(bytes, 1, n, s->file) : 0;
    STJ_NEED(err, !ferror(s->file), STJ_EIO, "%s: cannot read: %s", s->path, strerror(errno));
    STJ_NEED(err, got == n, STJ_EFORMAT, "%s: the file is cut short: it ends before byte %zu",
             s->path, s->first + s->taken + n);
    s->taken += n;
    return STJ_OK;
}

/* Give zlib more of the range when it has used up what it had. */
static enum stj_status refill(struct stj_byte_stream *s, struct stj_error *err)
{
    size_t left = s->bytes - s->taken;
    size_t n = left < PIECE ? left : PIECE;
    if (s->z.avail_in > 0 || n == 0)
        return STJ_OK;
    STJ_MUST(take_bytes(s, s->packed, n, err));
    s->z.next_in = s->packed;
    s->z.avail_in = (uInt)n;
    return STJ_OK;
}

/* Does the rest of the range hold nothing but zeros?  It is used up by the question. */
static enum stj_status only_zeros_follow(struct stj_byte_stream *s, bool *zeros,
                                         struct stj_error *err)
{
    *zeros = true;
    while (*zeros && s->z.avail_in > 0) {
        for (; *zeros && s->z.avail_in > 0; s->z.avail_in--)
            *zeros = *s->z.next_in++ == 0;
        STJ_MUST(refill(s, err));
    }
    return STJ_OK;
}

/* A packed stream is at the end of a member: is it the last?  Behind it only another member may
 * follow.  gzip(1) warns of zeros there and goes on: tapes pad with them.  A file that lost its end
 * to a crash or a broken transfer looks the same and lacks rows, so they are refused here. */
static enum stj_status end_member(struct stj_byte_stream *s, struct stj_error *err)
{
    bool zeros = false;
    STJ_MUST(refill(s, err));
    s->ended = s->z.avail_in == 0;
    if (s->ended)
        return STJ_OK;
    const size_t at = s->first + s->taken - s->z.avail_in;
    const bool gzip = s->packing == STJ_PACKING_GZIP;
    if (gzip && s->z.next_in[0] == 0)
        STJ_MUST(only_zeros_follow(s, &zeros, err));
    STJ_NEED(err, !zeros, STJ_EFORMAT,
             "%s: zeros follow the end of its packed data at byte %zu; the file is damaged, unless "
             "it was padded: if nothing is missing, pack it again: gunzip -c FILE | gzip > NEW.gz",
             s->path, at);
    STJ_NEED(err, gzip && s->z.next_in[0] == 0x1F && inflateReset(&s->z) == Z_OK, STJ_EFORMAT,
             "%s: bytes follow the end of its packed data at byte %zu; the file is damaged",
             s->path, at);
    s->member++;
    return STJ_OK;
}

/* bytes <- up to n unpacked bytes, *got of them; fewer than n only at the end. */
static enum stj_status unpack(struct stj_byte_stream *s, unsigned char *bytes, size_t n,
                              size_t *got, struct stj_error *err)
{
    *got = 0;
    while (*got < n && !s->ended) {
        size_t wanted = n - *got < PIECE ? n - *got : PIECE;
        STJ_MUST(refill(s, err));
        s->z.next_out = bytes + *got;
        s->z.avail_out = (uInt)wanted;
        int code = inflate(&s->z, Z_NO_FLUSH);
        *got += wanted - s->z.avail_out;
        if (code == Z_STREAM_END) {
            STJ_MUST(end_member(s, err));
            continue;
        }
        STJ_NEED(err, code != Z_MEM_ERROR, STJ_ENOMEM, "%s: no memory to unpack it", s->path);
        /* No progress for want of input is an error code too (Z_BUF_ERROR). */
        STJ_NEED(err, code == Z_OK, STJ_EFORMAT,
                 "%s: the packed data are damaged or cut short near byte %zu, in member %zu%s%s",
                 s->path, s->first + s->taken - s->z.avail_in, s->member, s->z.msg ? ": " : "",
                 s->z.msg ? s->z.msg : "");
    }
    s->position += *got;
    return STJ_OK;
}

enum stj_status stj_byte_stream_read_some(struct stj_byte_stream *stream, void *bytes, size_t n,
                                          size_t *got, struct stj_error *err)
{
    const size_t left = stream->bytes - stream->taken;
    if (stream->packing != STJ_PACKING_NONE)
        return unpack(stream, bytes, n, got, err);
    *got = n < left ? n : left;
    STJ_MUST(take_bytes(stream, bytes, *got, err));
    stream->position += *got;
    return STJ_OK;
}

enum stj_status stj_byte_stream_read(struct stj_byte_stream *stream, void *bytes, size_t n,
                                     struct stj_error *err)
{
    size_t got = 0;
    if (stream->packing == STJ_PACKING_NONE) {
        STJ_MUST(take_bytes(stream, bytes, n, err));
        stream->position += n;
        return STJ_OK;
    }
    STJ_MUST(unpack(stream, bytes, n, &got, err));
    STJ_NEED(err, got == n, STJ_EFORMAT,
             "%s: cut short: its content ends at unpacked byte %zu, %zu more were announced",
             stream->path, stream->position, n - got);
    return STJ_OK;
}

enum stj_status stj_byte_stream_seek(struct stj_byte_stream *stream, size_t position,
                                     struct stj_error *err)
{
    unsigned char piece[4096];
    if (stream->packing == STJ_PACKING_NONE) {
        STJ_NEED(err, position <= stream->bytes, STJ_EFORMAT,
                 "%s: the file is cut short: it ends before byte %zu", stream->path,
                 stream->first + position);
        STJ_NEED(err, fseeko(stream->file, (off_t)(stream->first + position), SEEK_SET) == 0,
                 STJ_EIO, "%s: cannot read: %s", stream->path, strerror(errno));
        stream->taken = stream->position = position;
        return STJ_OK;
    }
    if (position < stream->position)
        STJ_MUST(rewind_stream(stream, err));
    while (stream->position < position) {
        size_t left = position - stream->position;
        STJ_MUST(
            stj_byte_stream_read(stream, piece, left < sizeof piece ? left : sizeof piece, err));
    }
    return STJ_OK;
}

enum stj_status stj_byte_stream_measure(struct stj_byte_stream *stream, size_t limit,
                                        size_t *length, uint32_t *crc, struct stj_error *err)
{
    STJ_FREED unsigned char *piece = NULL;
    uint32_t sum = 0;
    size_t done = 0;
    bool plain = stream->packing == STJ_PACKING_NONE;
    STJ_MUST(rewind_stream(stream, err));
    STJ_MUST(stj_new(&piece, PIECE, 1, err));
    while (done <= limit && !(plain && !crc)) {
        size_t wanted = limit - done < PIECE ? limit - done + 1 : PIECE;
        size_t n = 0;
        STJ_MUST(stj_byte_stream_read_some(stream, piece, wanted, &n, err));
        if (n == 0)
            break;
        sum = stj_crc32(sum, piece, n);
        done += n;
    }
    *length = plain && !crc ? stream->bytes : done;
    if (crc)
        *crc = sum;
    return rewind_stream(stream, err);
}
