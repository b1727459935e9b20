/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/process_hello.h: what a problem in another process says of itself: the first answer of
 * docs/problem-protocol.md. */
#ifndef STJ_TRAIN_PROCESS_HELLO_H
#define STJ_TRAIN_PROCESS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options/option.h"

enum { STJ_HELLO_MOST_BYTES = 16 << 20 };

struct stj_named_set {
    char *name;
    size_t n_rows;
};

struct stj_hello {
    bool shares;          /* it takes vectors in shared memory */
    bool steps;           /* its steps are its own: no gradients, and no products with a Hessian */
    bool weighs;          /* it knows weights of the samples of `train`, and gradients of losses */
    size_t n_steps;       /* 0: any number */
    uint64_t fingerprint; /* of its data, and of all else that decides its numbers */
    size_t n_linear;      /* linearisations that it holds at once, at least 1 */
    size_t n_params;
    struct stj_shapes tensors; /* their names and shapes, in order */
    size_t n_sets;
    struct stj_named_set *set;
};

/* hello (all zeros) <- the payload of that answer.  STJ_EFORMAT: what of it is wrong. */
enum stj_status stj_hello_read(const void *payload, size_t bytes, struct stj_hello *hello,
                               struct stj_error *err);
void stj_hello_free(struct stj_hello *hello);

/* The set of a name; NULL: there is none. */
const struct stj_named_set *stj_hello_set(const struct stj_hello *hello, const char *name);

/* Numbers of a tensor. */
size_t stj_hello_tensor_size(const struct stj_sizes *shape);

#endif
