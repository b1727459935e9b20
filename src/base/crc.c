/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/crc.c: CRC-32, through zlib, and several times as fast where the processor multiplies
 * polynomials.
 *
 * V. Gopal and others, Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction, Intel
 * 2009: the message is a polynomial over GF(2), bits reflected.  Four lanes of 128 bits are folded 512 bits
 * ahead at a time,
 *
 *     lane <- lane_low (x^(512+64) mod P) + lane_high (x^512 mod P) + next 128 bits,
 *
 * the lanes into one, 64 bits more, and the rest is reduced to 32 bits after Barrett.
 */
#include "base/crc.h"

#include <zlib.h>

enum { PIECE = 1 << 30 }; /* zlib counts bytes in an unsigned int */

static uint32_t crc_zlib(uint32_t crc, const unsigned char *p, size_t bytes)
{
    uLong value = crc;
    while (bytes > 0) {
        uInt n = bytes < PIECE ? (uInt)bytes : (uInt)PIECE;
        value = crc32(value, p, n);
        p += n;
        bytes -= n;
    }
    return (uint32_t)value;
}

#if defined __x86_64__ && defined __GNUC__
#include <immintrin.h>

enum { LANES_BYTES = 64, LANE_BYTES = 16 };

#define FOLDS __attribute__((target("pclmul,sse4.1")))

FOLDS static inline __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* lane, as far ahead as the constants k say, plus what is there. */
FOLDS static inline __m128i fold(__m128i lane, __m128i k, __m128i next)
{
    const __m128i low = _mm_clmulepi64_si128(lane, k, 0x00);
    const __m128i high = _mm_clmulepi64_si128(lane, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* 128 bits to 32. */
FOLDS static uint32_t reduce(__m128i lane)
{
    const __m128i mask = _mm_setr_epi32(-1, 0, -1, 0);
    const __m128i k_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i k_64 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641); /* quotient; P */
    __m128i t = _mm_clmulepi64_si128(lane, k_128, 0x10);
    lane = _mm_xor_si128(_mm_srli_si128(lane, 8), t);
    t = _mm_srli_si128(lane, 4);
    lane = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(lane, mask), k_64, 0x00), t);
    t = _mm_clmulepi64_si128(_mm_and_si128(lane, mask), barrett, 0x10);
    t = _mm_clmulepi64_si128(_mm_and_si128(t, mask), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(lane, t), 1);
}

/* bytes: at least 64, and whole lanes. */
FOLDS static uint32_t crc_folded(uint32_t crc, const unsigned char *p, size_t bytes)
{
    const __m128i k_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i k_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi32_si128((int)~crc));
    __m128i b = load(p + 16);
    __m128i c = load(p + 32);
    __m128i d = load(p + 48);
    for (p += LANES_BYTES, bytes -= LANES_BYTES; bytes >= LANES_BYTES;
         p += LANES_BYTES, bytes -= LANES_BYTES) {
        a = fold(a, k_512, load(p));
        b = fold(b, k_512, load(p + 16));
        c = fold(c, k_512, load(p + 32));
        d = fold(d, k_512, load(p + 48));
    }
    a = fold(fold(fold(a, k_128, b), k_128, c), k_128, d);
    for (; bytes > 0; p += LANE_BYTES, bytes -= LANE_BYTES)
        a = fold(a, k_128, load(p));
    return ~reduce(a);
}

uint32_t stj_crc32(uint32_t crc, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    const size_t whole = bytes / LANE_BYTES * LANE_BYTES;
    if (bytes < 4 * LANES_BYTES || !__builtin_cpu_supports("pclmul") ||
        !__builtin_cpu_supports("sse4.1"))
        return crc_zlib(crc, p, bytes);
    return crc_zlib(crc_folded(crc, p, whole), p + whole, bytes - whole);
}
#else
uint32_t stj_crc32(uint32_t crc, const void *data, size_t bytes)
{
    return crc_zlib(crc, data, bytes);
}
#endif

uint32_t stj_crc32_sizes(uint32_t crc, const size_t *item, size_t n)
{
#if SIZE_MAX == UINT64_MAX
    return stj_crc32(crc, item, n * sizeof *item);
#else
    for (size_t i = 0; i < n; i++) {
        const uint64_t number = item[i] == SIZE_MAX ? UINT64_MAX : item[i];
        crc = stj_crc32(crc, &number, sizeof number);
    }
    return crc;
#endif
}
