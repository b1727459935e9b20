/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/log.c: the append-only record log over one file descriptor. */
#include "io/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "parallel/ranks.h"

static const uint32_t magic = 0x4a544c31; /* "1LTJ" */

enum { HEADER_TAG = 0, BUFFER = 1 << 16 };

struct frame {
    uint32_t magic, tag;
    uint64_t bytes;
    uint32_t crc, zero;
};

struct record {
    uint32_t tag;
    uint64_t offset, bytes; /* of the payload */
};

struct stj_log {
    int fd;
    char *path;
    size_t n, room;
    struct record *record;
    uint64_t begin, end; /* of the records; of the whole log */
    double synced;       /* clock of the last sync */
    double patience;     /* seconds until the next */
};

static uint32_t frame_crc(const struct frame *f)
{
    uint32_t crc = stj_crc32(0, &f->tag, sizeof f->tag);
    return stj_crc32(crc, &f->bytes, sizeof f->bytes);
}

static enum stj_status read_log(const struct stj_log *log, uint64_t offset, void *to, size_t n,
                                struct stj_error *err)
{
    const int number = stj_file_read_at(log->fd, offset, to, n);
    return number == 0 ? STJ_OK : stj_file_failed(log->path, "read", number, err);
}

/* Is there a whole, undamaged frame at `offset`?  STJ_OK with *whole set; reads the payload
 * once. */
static enum stj_status scan_frame(const struct stj_log *log, uint64_t offset, uint64_t size,
                                  struct frame *f, bool *whole, struct stj_error *err)
{
    STJ_FREED char *buffer = NULL;
    *whole = false;
    if (size - offset < sizeof *f)
        return STJ_OK;
    STJ_MUST(read_log(log, offset, f, sizeof *f, err));
    offset += sizeof *f;
    if (f->magic != magic || f->zero != 0 || f->bytes > size - offset)
        return STJ_OK;
    STJ_MUST(stj_new(&buffer, BUFFER, 1, err));
    uint32_t crc = frame_crc(f);
    for (uint64_t left = f->bytes; left > 0;) {
        const size_t now = left < BUFFER ? (size_t)left : BUFFER;
        STJ_MUST(read_log(log, offset, buffer, now, err));
        crc = stj_crc32(crc, buffer, now);
        offset += now;
        left -= now;
    }
    *whole = crc == f->crc;
    return STJ_OK;
}

static enum stj_status note_record(struct stj_log *log, uint32_t tag, uint64_t bytes,
                                   struct stj_error *err)
{
    if (log->n == log->room) {
        const size_t room = log->room ? 2 * log->room : 256;
        STJ_MUST(stj_resize(&log->record, log->room, room, sizeof *log->record, err));
        log->room = room;
    }
    log->record[log->n++] = (struct record){tag, log->end + sizeof(struct frame), bytes};
    log->end += sizeof(struct frame) + bytes;
    return STJ_OK;
}

/* *header <- the text of the header frame, NULL when there is none whole. */
static enum stj_status read_header(const struct stj_log *log, uint64_t size, char **header,
                                   struct stj_error *err)
{
    struct frame f;
    bool whole = false;
    STJ_MUST(scan_frame(log, 0, size, &f, &whole, err));
    if (!whole || f.tag != HEADER_TAG)
        return STJ_OK;
    STJ_MUST(stj_new(header, f.bytes + 1, 1, err));
    STJ_MUST(read_log(log, sizeof f, *header, f.bytes, err));
    if (strlen(*header) != f.bytes) { /* not a text */
        free(*header);
        *header = NULL;
    }
    return STJ_OK;
}

static enum stj_status log_file_size(const struct stj_log *log, uint64_t *size,
                                     struct stj_error *err)
{
    struct stat info;
    if (fstat(log->fd, &info) != 0)
        return stj_file_failed(log->path, "read", errno, err);
    *size = (uint64_t)info.st_size;
    return STJ_OK;
}

/* Does the log begin with this header?  Then its records are listed up to the first damaged one. */
static enum stj_status scan_records(struct stj_log *log, const char *header, bool *same,
                                    struct stj_error *err)
{
    struct frame f;
    uint64_t size = 0;
    bool whole = false;
    STJ_FREED char *text = NULL;
    *same = false;
    STJ_MUST(log_file_size(log, &size, err));
    STJ_MUST(read_header(log, size, &text, err));
    if (!text || strcmp(text, header) != 0)
        return STJ_OK;
    *same = true;
    log->begin = log->end = sizeof f + strlen(header);
    for (;;) {
        STJ_MUST(scan_frame(log, log->end, size, &f, &whole, err));
        if (!whole)
            break;
        STJ_MUST(note_record(log, f.tag, f.bytes, err));
    }
    return STJ_OK;
}

static enum stj_status cut_log(struct stj_log *log, struct stj_error *err)
{
    if (ftruncate(log->fd, (off_t)log->end) != 0 ||
        lseek(log->fd, (off_t)log->end, SEEK_SET) == (off_t)-1)
        return stj_file_failed(log->path, "shortened", errno, err);
    return STJ_OK;
}

/* Write a frame at the end; on failure cut what was written off again. */
static enum stj_status write_frame(struct stj_log *log, uint32_t tag,
                                   const struct stj_log_piece *piece, size_t n_pieces,
                                   uint64_t *bytes, struct stj_error *err)
{
    struct frame f = {.magic = magic, .tag = tag};
    for (size_t i = 0; i < n_pieces; i++)
        f.bytes += piece[i].bytes;
    f.crc = frame_crc(&f);
    for (size_t i = 0; i < n_pieces; i++)
        f.crc = stj_crc32(f.crc, piece[i].data, piece[i].bytes);
    *bytes = f.bytes;
    int number = stj_file_write_all(log->fd, &f, sizeof f);
    for (size_t i = 0; number == 0 && i < n_pieces; i++)
        number = stj_file_write_all(log->fd, piece[i].data, piece[i].bytes);
    if (number == 0)
        return STJ_OK;
    (void)cut_log(log, NULL);
    return stj_file_failed(log->path, "written", number, err);
}

static enum stj_status find_header(const char *path, char **header, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_log log = {.fd = -1};
    uint64_t size = 0;
    *header = NULL;
    STJ_TRY(stj_file_check_plain(path, err));
    log.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (log.fd < 0)
        return errno == ENOENT ? STJ_OK : stj_file_failed(path, "opened", errno, err);
    STJ_TRY(stj_strdup(&log.path, path, err));
    STJ_TRY(log_file_size(&log, &size, err));
    STJ_TRY(read_header(&log, size, header, err));
out:
    if (st != STJ_OK) {
        free(*header);
        *header = NULL;
    }
    free(log.path);
    if (log.fd >= 0)
        close(log.fd);
    return st;
}

enum stj_status stj_log_read_header(const char *path, char **header, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t bytes = 0; /* with the final zero; 0: there is none */
    *header = NULL;
    if (stj_rank() == 0)
        st = find_header(path, header, err);
    STJ_TRY(stj_ranks_agree(st, err));
    if (*header)
        bytes = strlen(*header) + 1;
    stj_ranks_bcast(&bytes, sizeof bytes);
    if (stj_rank() != 0 && bytes > 0)
        st = stj_new(header, bytes, 1, err);
    STJ_TRY(stj_ranks_agree(st, err));
    stj_ranks_bcast(*header, bytes);
out:
    return st;
}

/* Open or make the file and list its records. */
static enum stj_status open_log_file(struct stj_log *l, const char *header, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    bool same = false;
    l->fd = open(l->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (l->fd < 0)
        return stj_file_failed(l->path, "opened", errno, err);
    STJ_TRY(scan_records(l, header, &same, err));
    if (!same) {
        const struct stj_log_piece piece = {header, strlen(header)};
        uint64_t bytes = 0;
        l->n = 0;
        l->end = 0;
        STJ_TRY(cut_log(l, err));
        st = write_frame(l, HEADER_TAG, &piece, 1, &bytes, err);
        if (st != STJ_OK) {
            (void)unlink(l->path); /* it would be a log of nothing */
            goto out;
        }
        l->begin = l->end = sizeof(struct frame) + bytes;
    }
    STJ_TRY(cut_log(l, err));
    l->synced = stj_clock();
    l->patience = 1;
out:
    return st;
}

/* The list of the records, from the rank that has the file. */
static enum stj_status tell_records(struct stj_log *l, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    stj_ranks_bcast(&l->n, sizeof l->n);
    stj_ranks_bcast(&l->begin, sizeof l->begin);
    stj_ranks_bcast(&l->end, sizeof l->end);
    if (stj_rank() != 0) {
        st = stj_new(&l->record, l->n, sizeof *l->record, err);
        l->room = l->n;
    }
    STJ_TRY(stj_ranks_agree(st, err));
    stj_ranks_bcast(l->record, l->n * sizeof *l->record);
out:
    return st;
}

enum stj_status stj_log_open(const char *path, const char *header, struct stj_log **log,
                             struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_log *l = NULL;
    STJ_TRY(stj_new(&l, 1, sizeof *l, err));
    l->fd = -1;
    STJ_TRY(stj_strdup(&l->path, path, err));
    if (stj_rank() == 0)
        st = open_log_file(l, header, err);
    STJ_TRY(stj_ranks_agree(st, err));
    STJ_TRY(tell_records(l, err));
    *log = l;
    l = NULL;
out:
    stj_log_close(l);
    return st;
}

void stj_log_close(struct stj_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0) {
        (void)fsync(log->fd); /* every record that was promised was written */
        close(log->fd);
    }
    free(log->record);
    free(log->path);
    free(log);
}

size_t stj_log_n_records(const struct stj_log *log)
{
    return log->n;
}

uint32_t stj_log_tag(const struct stj_log *log, size_t i)
{
    return log->record[i].tag;
}

size_t stj_log_bytes(const struct stj_log *log, size_t i)
{
    return log->record[i].bytes;
}

enum stj_status stj_log_read(struct stj_log *log, size_t i, size_t first, size_t n, void *bytes,
                             struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct record *r = i < log->n ? &log->record[i] : NULL;
    STJ_CHECK(err, r && first <= r->bytes && n <= r->bytes - first, STJ_EFORMAT,
              "%s: record %zu has no bytes %zu to %zu", log->path, i, first, first + n);
    if (stj_rank() == 0)
        st = read_log(log, r->offset + first, bytes, n, err);
    STJ_TRY(stj_ranks_agree(st, err));
    stj_ranks_bcast(bytes, n);
out:
    return st;
}

/* A disk that is slow to sync is asked less often: at most a tenth of the time is spent on it. */
static enum stj_status sync_now(struct stj_log *log, struct stj_error *err)
{
    const double begin = stj_clock();
    if (fsync(log->fd) != 0)
        return stj_file_failed(log->path, "synced", errno, err);
    log->synced = stj_clock();
    log->patience = 9 * (log->synced - begin) > 1 ? 9 * (log->synced - begin) : 1;
    return STJ_OK;
}

static uint64_t bytes_of(const struct stj_log_piece *piece, size_t n_pieces)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n_pieces; i++)
        bytes += piece[i].bytes;
    return bytes;
}

enum stj_status stj_log_append(struct stj_log *log, uint32_t tag, const struct stj_log_piece *piece,
                               size_t n_pieces, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    uint64_t bytes = bytes_of(piece, n_pieces);
    if (stj_rank() == 0)
        st = write_frame(log, tag, piece, n_pieces, &bytes, err);
    if (st == STJ_OK)
        st = note_record(log, tag, bytes, err);
    if (st == STJ_OK && stj_rank() == 0 && stj_clock() - log->synced > log->patience)
        st = sync_now(log, err);
    return stj_ranks_agree(st, err);
}

enum stj_status stj_log_truncate(struct stj_log *log, size_t n, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (n >= log->n)
        return STJ_OK;
    log->n = n;
    log->end = n ? log->record[n - 1].offset + log->record[n - 1].bytes : log->begin;
    if (stj_rank() == 0)
        st = cut_log(log, err);
    return stj_ranks_agree(st, err);
}
