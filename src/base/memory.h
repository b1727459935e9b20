/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/memory.h: every allocation of the library; sizes are overflow-checked. */
#ifndef STJ_BASE_MEMORY_H
#define STJ_BASE_MEMORY_H

#include <stddef.h>

#include <spectraj/status.h>

/* *(T **)pp <- n zeroed items of `size` bytes, 64-byte aligned; NULL when n * size is 0.
 * pp is the address of any object pointer.  Release with free(). */
enum stj_status stj_new(void *pp, size_t n, size_t size, struct stj_error *err);

/* *(T **)pp <- the same items in a block of n; items beyond old_n are zeroed.  On failure the old
 * block is untouched. */
enum stj_status stj_resize(void *pp, size_t old_n, size_t n, size_t size, struct stj_error *err);

/* *copy <- a copy of text, to be released with free(). */
enum stj_status stj_strdup(char **copy, const char *text, struct stj_error *err);

/* Before the declaration of a pointer: what it points to is freed when its function returns, however
 * it does; set to NULL, it has given that away. */
#define STJ_FREED __attribute__((cleanup(stj_free_at)))
void stj_free_at(void *pp);

/* The same of other things: STJ_HELD(stj_op_destroy_at) before a handle, where STJ_HOLDS stands beside
 * the function that destroys it, or STJ_HELD(stj_matrix_free) before a struct that is emptied. */
#define STJ_HELD(give_back) __attribute__((cleanup(give_back)))
#define STJ_HOLDS(type, destroy)                                                                   \
    static inline void destroy##_at(type **held)                                                   \
    {                                                                                              \
        destroy(*held);                                                                            \
    }

/* *product <- a * b, or STJ_ENOMEM naming both when it does not fit a size_t. */
enum stj_status stj_size_mul(size_t a, size_t b, size_t *product, struct stj_error *err);

/* Bytes of the process that are in memory now, and the most that ever were; 0: not known. */
size_t stj_memory_resident(void);
size_t stj_memory_peak(void);

/* Bytes of memory that can still be taken (an estimate): of the machine's, and of what a container or a batch job is
 * held to. */
size_t stj_memory_available(void);

/* From now on stj_memory_available says this: decisions of several processes must not differ. */
void stj_memory_agree(size_t bytes);

#endif
