/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/npy_header.h: the header of an array in NumPy's NPY format, alone or in an NPZ archive. */
#ifndef STJ_DATA_NPY_HEADER_H
#define STJ_DATA_NPY_HEADER_H

#include "data/reader.h"

/* Do the bytes begin as an NPY file does? */
bool stj_npy_is(const unsigned char *head, size_t n_head);

/* Shape, type, order and skip of the entry <- the header at the beginning of a stream, whose length
 * place.unpacked must be what the header announces.  `path` is for messages. */
enum stj_status stj_npy_read_header(const char *path, struct stj_byte_stream *stream,
                                    struct stj_array_entry *entry, struct stj_error *err);

#endif
