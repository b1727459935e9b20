/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/items.h: numbers as files hold them, to doubles. */
#ifndef STJ_DATA_ITEMS_H
#define STJ_DATA_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

struct stj_item_type {
    char kind;   /* f: IEEE 754, 2, 4 or 8 bytes; B: bfloat16; i: signed; u: unsigned; b: bool */
    size_t size; /* bytes */
    bool big_endian;
};

enum { STJ_ITEM_MAX = 8 }; /* bytes of the largest item */

/* *value <- one item; false for an integer beyond 2^53, which no double need hold exactly. */
bool stj_item_decode(struct stj_item_type type, const unsigned char *item, double *value);

#endif
