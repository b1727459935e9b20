/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/reader.h: the contract of a data file reader.
 *
 * A reader is one file, src/data/readers/NAME.c, that defines one struct stj_reader, and one line
 * in the registry, src/data/reader.c.
 */
#ifndef STJ_DATA_READER_H
#define STJ_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/option.h"
#include "data/matrix.h"

enum { STJ_READER_HEAD = 64 }; /* bytes of a file that `accepts` sees */

struct stj_reader {
    struct stj_plugin_info info;

    /* True for a file of this format, judged by its name and its first n_head bytes; false must be
     * the answer wherever another format could be meant. */
    bool (*accepts)(const char *path, const unsigned char *head, size_t n_head);

    /* matrix (zeroed) <- the file.  Sizes stated in a file are checked against its length before
     * anything of that size is allocated.  Messages name the file and the place in it.  On failure
     * the caller frees the matrix.  That all values are finite and that there are any is checked by
     * the caller, unless the reader can name the place better. */
    enum stj_status (*read)(const char *path, struct stj_matrix *matrix, struct stj_error *err);
};

extern const struct stj_kind stj_reader_kind;

/* *reader <- the one for a file; an unknown format is an error that lists the known ones. */
enum stj_status stj_reader_find(const char *path, const struct stj_reader **reader,
                                struct stj_error *err);

/* True when path ends in `suffix`, letter case ignored. */
bool stj_path_ends_in(const char *path, const char *suffix);

#endif
