/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_header.h: the 512 bytes in front of a result file that guard all the others.
 *
 * HDF5 skips them (its "user block").  They are text, padded with spaces:
 *
 *     spectraj-trajectory 1          name of the format and its version
 *     bytes 48163904                 size of the whole file
 *     crc32 0badcafe                 of all bytes after the header
 *     ...
 *     01234567                       CRC-32 of the header before this last line of 9 bytes
 *
 * A file is compared with its header before HDF5 sees it: HDF5 leaks memory and even crashes
 * when it follows damaged structures.
 */
#ifndef STJ_IO_H5_HEADER_H
#define STJ_IO_H5_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "io/h5.h"

enum { STJ_H5_HEADER_BYTES = 512 };

/* Write the header of a finished file, open for reading and writing; 0 or an errno. */
int stj_h5_header_seal(int fd, const struct stj_h5_format *format);

/* *bytes <- the size of the file, *crc <- the checksum of its content; STJ_EFORMAT unless it is of the format, of a version that can be
 * read, whole and undamaged. */
enum stj_status stj_h5_header_check(const char *path, const struct stj_h5_format *format,
                                    size_t *bytes, uint32_t *crc, struct stj_error *err);

#endif
