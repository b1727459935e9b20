/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/tokens.h: a text as tokens, and the overlapping pieces that a language model sees. */
#ifndef STJ_DATA_TOKENS_H
#define STJ_DATA_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

/* One of the two arrays is there. */
struct stj_token_list {
    size_t n;
    unsigned char *byte; /* owned */
    uint64_t *id;        /* owned */
};

/* list <- the bytes of a file (unpacked, where it is compressed with gzip), or the numbers of a
 * data file in row-major order, which must be whole and not negative. */
enum stj_status stj_tokens_read(const char *path, bool bytes, struct stj_token_list *list,
                                struct stj_error *err);
void stj_tokens_free(struct stj_token_list *list);

/* *n <- how many sequences of `length` tokens, each with one more token behind it, begin at 0,
 * stride, 2 stride, ...; none is an error, which names the file. */
enum stj_status stj_tokens_count(const struct stj_token_list *list, const char *path, size_t length,
                                 size_t stride, size_t *n, struct stj_error *err);

static inline size_t stj_token(const struct stj_token_list *list, size_t i)
{
    return list->byte ? list->byte[i] : (size_t)list->id[i];
}

#endif
