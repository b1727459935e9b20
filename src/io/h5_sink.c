/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_sink.c: an HDF5 file driver that remembers the first write that failed.
 *
 * HDF5 cannot close a file whose last writes fail: its own drivers leave the file open, and the
 * process dies in HDF5's clean-up when it ends.  This driver keeps the errno of the first
 * failure and from then on accepts and drops everything, so that the file closes in peace;
 * whoever wrote the file looks at `failure` and removes what was written.
 */
#include "io/h5_sink.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

/* The largest address of a file: what off_t can say. */
#define SINK_MAX_ADDRESS ((haddr_t)INT64_MAX)

struct sink_file {
    H5FD_t head; /* HDF5's part comes first */
    struct stj_h5_sink *sink;
    haddr_t end_allocated; /* as HDF5 plans it */
    haddr_t end_written;
};

/* What travels in the access property list. */
struct sink_info {
    struct stj_h5_sink *sink;
};

static H5FD_t *sink_open(const char *name, unsigned flags, hid_t access, haddr_t max_address)
{
    (void)name, (void)flags, (void)max_address;
    const struct sink_info *info = H5Pget_driver_info(access);
    struct sink_file *file = info ? calloc(1, sizeof *file) : NULL;
    if (!file)
        return NULL;
    file->sink = info->sink;
    return &file->head;
}

/* Only here is the length what it stays: before, HDF5 asks for more than it needs in the end. */
static herr_t sink_close(H5FD_t *head)
{
    const struct sink_file *file = (const struct sink_file *)head;
    struct stj_h5_sink *sink = file->sink;
    if (sink->failure == 0 && ftruncate(sink->fd, (off_t)file->end_allocated) != 0)
        sink->failure = errno;
    free(head);
    return 0;
}

static int sink_compare(const H5FD_t *a, const H5FD_t *b)
{
    uintptr_t p = (uintptr_t)((const struct sink_file *)a)->sink;
    uintptr_t q = (uintptr_t)((const struct sink_file *)b)->sink;
    return (p > q) - (p < q);
}

static herr_t sink_query(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t sink_get_end_allocated(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return ((const struct sink_file *)head)->end_allocated;
}

static herr_t sink_set_end_allocated(H5FD_t *head, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((struct sink_file *)head)->end_allocated = address;
    return 0;
}

static haddr_t sink_get_end(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    const struct sink_file *file = (const struct sink_file *)head;
    return file->end_written > file->end_allocated ? file->end_written : file->end_allocated;
}

static herr_t sink_read(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                        void *buffer)
{
    (void)type, (void)transfer;
    const struct sink_file *file = (const struct sink_file *)head;
    char *next = buffer;
    memset(buffer, 0, size); /* beyond the end, and after a failure, a file reads as zeros */
    while (size > 0 && file->sink->failure == 0) {
        ssize_t n = pread(file->sink->fd, next, size, (off_t)address);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            file->sink->failure = errno;
        if (n <= 0)
            break;
        next += n;
        address += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t sink_write(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t address,
                         size_t size, const void *buffer)
{
    (void)type, (void)transfer;
    struct sink_file *file = (struct sink_file *)head;
    const char *next = buffer;
    while (size > 0 && file->sink->failure == 0) {
        ssize_t n = pwrite(file->sink->fd, next, size, (off_t)address);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            file->sink->failure = errno;
            break;
        }
        next += n;
        address += (haddr_t)n;
        size -= (size_t)n;
    }
    if (address > file->end_written)
        file->end_written = address;
    return 0;
}

static herr_t sink_truncate(H5FD_t *head, hid_t transfer, hbool_t closing)
{
    (void)transfer, (void)closing;
    struct sink_file *file = (struct sink_file *)head;
    file->end_written = file->end_allocated;
    return 0;
}

static const H5FD_class_t sink_class = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)513, /* any number past those that HDF5 keeps for itself */
#endif
    .name = "spectraj",
    .maxaddr = SINK_MAX_ADDRESS,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct sink_info),
    .open = sink_open,
    .close = sink_close,
    .cmp = sink_compare,
    .query = sink_query,
    .get_eoa = sink_get_end_allocated,
    .set_eoa = sink_set_end_allocated,
    .get_eof = sink_get_end,
    .read = sink_read,
    .write = sink_write,
    .truncate = sink_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t stj_h5_sink_access(struct stj_h5_sink *sink)
{
    struct sink_info info = {.sink = sink};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* A file that holds the last reference to its driver frees it and then calls it
     * (H5FD_close). */
    sink->driver = H5FDregister(&sink_class);
    if (sink->driver < 0 || access < 0 || H5Pset_driver(access, sink->driver, &info) < 0) {
        H5Pclose(access);
        access = -1;
    }
    return access;
}

void stj_h5_sink_release(struct stj_h5_sink *sink)
{
    if (sink->driver > 0)
        H5FDunregister(sink->driver);
    sink->driver = 0;
}
