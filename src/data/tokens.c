/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/tokens.c: tokens from the bytes of a text or from a data file of numbers. */
#include "data/tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/byte_stream.h"
#include "data/matrix.h"

static enum stj_status read_bytes(const char *path, struct stj_token_list *list,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *stream = NULL;
    enum stj_packing packing = STJ_PACKING_NONE;
    size_t length = 0;
    STJ_TRY(stj_byte_stream_open_file(path, &stream, &packing, err));
    STJ_TRY(stj_byte_stream_measure(stream, SIZE_MAX - 1, &length, NULL, err));
    STJ_TRY(stj_new(&list->byte, length + 1, 1, err));
    STJ_TRY(stj_byte_stream_read(stream, list->byte, length, err));
    list->n = length;
out:
    stj_byte_stream_close(stream);
    return st;
}

static enum stj_status read_ids(const char *path, struct stj_token_list *list,
                                struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_MUST(stj_matrix_read(path, &matrix, err));
    list->n = matrix.rows * matrix.cols;
    STJ_MUST(stj_new(&list->id, list->n, sizeof *list->id, err));
    for (size_t i = 0; i < list->n; i++) {
        const double id = matrix.data[i];
        STJ_NEED(err, id >= 0 && id <= 9007199254740992.0 && id == floor(id), STJ_EFORMAT,
                 "%s: token %zu (from 0) is %.17g; a token id is an integer from 0", path, i, id);
        list->id[i] = (uint64_t)id;
    }
    return STJ_OK;
}

enum stj_status stj_tokens_read(const char *path, bool bytes, struct stj_token_list *list,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *list = (struct stj_token_list){0};
    st = bytes ? read_bytes(path, list, err) : read_ids(path, list, err);
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", path);
    if (st != STJ_OK)
        stj_tokens_free(list);
    return st;
}

void stj_tokens_free(struct stj_token_list *list)
{
    free(list->byte);
    free(list->id);
    *list = (struct stj_token_list){0};
}

enum stj_status stj_tokens_count(const struct stj_token_list *list, const char *path, size_t length,
                                 size_t stride, size_t *n, struct stj_error *err)
{
    STJ_NEED(err, length < list->n, STJ_EFORMAT,
             "%s: has %zu tokens; a sequence of %zu with its next tokens needs one more than that",
             path, list->n, length);
    *n = (list->n - 1 - length) / stride + 1;
    return STJ_OK;
}
