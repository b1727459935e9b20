/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/process_hello.c: reading what a problem in another process says of itself.  Nothing of it is
 * trusted: numbers are compared with the bytes that there are before anything is allocated. */
#include "train/process_hello.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"

enum {
    HEAD_BYTES = 40,
    TENSOR_BYTES = 4, /* of an entry at least */
    SET_BYTES = 12,
    MOST_AXES = 8,
    MOST_NAME = 63,
    MOST_LINEAR = 1 << 20,
    MOST_TENSORS = 1 << 14
};

/* What is left to read. */
struct rest {
    const unsigned char *at;
    size_t bytes;
};

/* A little-endian number of so many bytes, which are there. */
static uint64_t take_number(struct rest *r, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i-- > 0;)
        x = x << 8 | r->at[i];
    r->at += bytes;
    r->bytes -= bytes;
    return x;
}

#define NEED_BYTES(err, rest, n, what)                                                             \
    STJ_NEED(err, (rest)->bytes >= (n), STJ_EFORMAT, "%s needs %zu more bytes, %zu are left",      \
             what, (size_t)(n), (rest)->bytes)

static enum stj_status take_name(struct rest *r, size_t length, const char *what, char **name,
                                 struct stj_error *err)
{
    NEED_BYTES(err, r, length, what);
    STJ_NEED(err, length >= 1 && length <= MOST_NAME, STJ_EFORMAT,
             "%s has a name of %zu bytes, expected 1 to %d", what, length, MOST_NAME);
    STJ_MUST(stj_new(name, length + 1, 1, err));
    memcpy(*name, r->at, length);
    r->at += length;
    r->bytes -= length;
    for (size_t i = 0; i < length; i++)
        STJ_NEED(err, (*name)[i] > ' ' && (*name)[i] < 127, STJ_EFORMAT,
                 "%s has a name with the byte %u, expected letters without blanks (ASCII)", what,
                 (unsigned)(unsigned char)(*name)[i]);
    STJ_NEED(err, stj_option_is_label(*name), STJ_EFORMAT,
             "%s has the name '%s', which no name can be", what, *name);
    return STJ_OK;
}

static bool has_tensor(const struct stj_shapes *tensors, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(tensors->item[i].key, name) == 0)
            return true;
    return false;
}

size_t stj_hello_tensor_size(const struct stj_sizes *shape)
{
    size_t n = 1;
    for (size_t i = 0; i < shape->n; i++)
        n *= shape->item[i];
    return n;
}

static enum stj_status take_tensor(struct rest *r, struct stj_hello *h, size_t i,
                                   struct stj_error *err)
{
    char **key = &h->tensors.item[i].key;
    struct stj_sizes *shape = &h->tensors.item[i].sizes;
    size_t n = 1;
    NEED_BYTES(err, r, TENSOR_BYTES, "a tensor");
    const size_t length = (size_t)take_number(r, 2), n_axes = (size_t)take_number(r, 2);
    STJ_NEED(err, n_axes <= MOST_AXES, STJ_EFORMAT, "tensor %zu has %zu axes, expected 0 to %d", i,
             n_axes, MOST_AXES);
    NEED_BYTES(err, r, 8 * n_axes, "a tensor");
    shape->n = n_axes ? n_axes : 1;
    STJ_MUST(stj_new(&shape->item, shape->n, sizeof *shape->item, err));
    shape->item[0] = 1; /* a number alone */
    for (size_t k = 0; k < n_axes; k++) {
        shape->item[k] = (size_t)take_number(r, 8);
        STJ_NEED(err, shape->item[k] > 0, STJ_EFORMAT, "tensor %zu has an axis of length 0", i);
        STJ_MUST(stj_size_mul(n, shape->item[k], &n, err));
        STJ_MUST(stj_blas_fits(n, "the size of a tensor", err));
    }
    STJ_MUST(take_name(r, length, "a tensor", key, err));
    STJ_NEED(err, !has_tensor(&h->tensors, i, *key), STJ_EFORMAT, "two tensors are called '%s'",
             *key);
    h->n_params += n;
    return stj_blas_fits(h->n_params, "the number of parameters", err);
}

static enum stj_status take_set(struct rest *r, struct stj_named_set *set, struct stj_error *err)
{
    NEED_BYTES(err, r, SET_BYTES, "a data set");
    const size_t length = (size_t)take_number(r, 4);
    set->n_rows = (size_t)take_number(r, 8);
    return take_name(r, length, "a data set", &set->name, err);
}

static enum stj_status take_all(struct rest *r, struct stj_hello *h, struct stj_error *err)
{
    NEED_BYTES(err, r, HEAD_BYTES, "the hello");
    const uint64_t flags = take_number(r, 4);
    h->shares = flags & 1;
    h->steps = flags & 2;
    h->weighs = flags & 4;
    STJ_NEED(err, flags < 8 && !(h->steps && h->weighs), STJ_EFORMAT,
             "it has the flags %ju, expected bit 0, and of bits 1 and 2 one at most",
             (uintmax_t)flags);
    h->n_linear = (size_t)take_number(r, 4);
    h->n_steps = (size_t)take_number(r, 8);
    h->fingerprint = take_number(r, 8);
    const size_t n_tensors = (size_t)take_number(r, 8), n_sets = (size_t)take_number(r, 8);
    STJ_NEED(err, h->n_linear >= 1 && h->n_linear <= MOST_LINEAR, STJ_EFORMAT,
             "it holds %zu linearisations, expected 1 to %d", h->n_linear, MOST_LINEAR);
    STJ_NEED(err, n_tensors >= 1 && n_tensors <= r->bytes / TENSOR_BYTES, STJ_EFORMAT,
             "%zu tensors in %zu bytes", n_tensors, r->bytes);
    STJ_NEED(err, n_tensors <= MOST_TENSORS, STJ_EFORMAT, "%zu tensors, expected at most %d",
             n_tensors, MOST_TENSORS);
    STJ_MUST(stj_new(&h->tensors.item, n_tensors, sizeof *h->tensors.item, err));
    h->tensors.n = n_tensors;
    for (size_t i = 0; i < n_tensors; i++)
        STJ_MUST(take_tensor(r, h, i, err));
    STJ_NEED(err, n_sets <= r->bytes / SET_BYTES, STJ_EFORMAT, "%zu data sets in %zu bytes", n_sets,
             r->bytes);
    STJ_MUST(stj_new(&h->set, n_sets, sizeof *h->set, err));
    h->n_sets = n_sets;
    for (size_t i = 0; i < n_sets; i++)
        STJ_MUST(take_set(r, &h->set[i], err));
    STJ_NEED(err, r->bytes == 0, STJ_EFORMAT, "%zu bytes more than it says", r->bytes);
    STJ_NEED(err, stj_hello_set(h, "train"), STJ_EFORMAT,
             "it names no data set 'train', of which the loss is wanted at the end");
    const size_t n = stj_hello_set(h, "train")->n_rows;
    STJ_NEED(err, !h->weighs || n > 0, STJ_EFORMAT,
             "it knows weights of samples, and says that 'train' has none");
    return h->weighs ? stj_blas_fits(n, "the number of samples", err) : STJ_OK;
}

enum stj_status stj_hello_read(const void *payload, size_t bytes, struct stj_hello *hello,
                               struct stj_error *err)
{
    struct rest rest = {.at = payload, .bytes = bytes};
    const enum stj_status st = take_all(&rest, hello, err);
    if (st != STJ_OK)
        stj_hello_free(hello);
    return st;
}

void stj_hello_free(struct stj_hello *hello)
{
    for (size_t i = 0; i < hello->tensors.n; i++) {
        free(hello->tensors.item[i].key);
        free(hello->tensors.item[i].sizes.item);
    }
    free(hello->tensors.item);
    for (size_t i = 0; i < hello->n_sets; i++)
        free(hello->set[i].name);
    free(hello->set);
    *hello = (struct stj_hello){0};
}

const struct stj_named_set *stj_hello_set(const struct stj_hello *hello, const char *name)
{
    for (size_t i = 0; i < hello->n_sets; i++)
        if (strcmp(hello->set[i].name, name) == 0)
            return &hello->set[i];
    return NULL;
}
