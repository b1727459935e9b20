/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/items.c: integers and floating-point numbers of 1 to 8 bytes, of either byte order. */
#include "data/items.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t bits_of(struct stj_item_type type, const unsigned char *item)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < type.size; i++)
        bits = bits << 8 | item[type.big_endian ? i : type.size - 1 - i];
    return bits;
}

/* Half precision: a sign, 5 bits of exponent with bias 15, 10 of fraction. */
static double from_half(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023);
    double value = ldexp(fraction, -24);
    if (exponent == 31)
        value = fraction > 0 ? (double)NAN : (double)INFINITY;
    else if (exponent > 0)
        value = ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static double from_float(uint64_t bits, size_t size)
{
    if (size == 2)
        return from_half(bits);
    if (size == 4) {
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool stj_item_decode(struct stj_item_type type, const unsigned char *item, double *value)
{
    assert(type.size >= 1 && type.size <= 8);
    uint64_t bits = bits_of(type, item);
    if (type.kind == 'f' || type.kind == 'B') {
        /* bfloat16 is the upper half of a float of 4 bytes. */
        *value = type.kind == 'B' ? from_float(bits << 16, 4) : from_float(bits, type.size);
        return true;
    }
    uint64_t sign = UINT64_C(1) << (8 * type.size - 1);
    bool negative = type.kind == 'i' && (bits & sign);
    /* Two's complement of the item's own width: the magnitude is 2^width - bits. */
    uint64_t magnitude = negative ? (sign - (bits & (sign - 1))) : bits;
    *value = negative ? -(double)magnitude : (double)magnitude;
    return magnitude <= UINT64_C(1) << 53;
}
