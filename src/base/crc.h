/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/crc.h: the CRC-32 (zlib's, polynomial 0xEDB88320) that guards data, records and results. */
#ifndef STJ_BASE_CRC_H
#define STJ_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of a stream: start with crc = 0 and pass each result on to the next piece. */
uint32_t stj_crc32(uint32_t crc, const void *data, size_t bytes);

/* The same of numbers of 64 bits, whatever a size has here: SIZE_MAX counts as UINT64_MAX. */
uint32_t stj_crc32_sizes(uint32_t crc, const size_t *item, size_t n);

#endif
