/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/crc.c: CRC-32 through zlib, in pieces because zlib counts bytes in an unsigned int. */
#include "base/crc.h"

#include <zlib.h>

enum { PIECE = 1 << 30 };

uint32_t stj_crc32(uint32_t crc, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uLong value = crc;
    while (bytes > 0) {
        uInt n = bytes < PIECE ? (uInt)bytes : (uInt)PIECE;
        value = crc32(value, p, n);
        p += n;
        bytes -= n;
    }
    return (uint32_t)value;
}
