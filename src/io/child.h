/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/child.h: a process of the user's own that is spoken to: bytes to its standard input, bytes from
 * its standard output, which are one stream socket; the last line of its standard error is kept.
 *
 * No shell is involved.  It is in a process group of its own, so that a Ctrl-C is not for it, and
 * sees the end of its standard input when this process ends, however it does.
 */
#ifndef STJ_IO_CHILD_H
#define STJ_IO_CHILD_H

#include <stddef.h>

#include <spectraj/status.h>

struct stj_child;

/* *child <- argv[0], looked for in PATH, with its arguments (NULL behind the last), started in the
 * directory.  Its descriptor 3 is `given` (-1: none); no other of ours is open there. */
enum stj_status stj_child_start(char *const *argv, const char *directory, int given,
                                struct stj_child **child, struct stj_error *err);

/* Close its standard input; end it, and whatever it started in its group, unless it ends by itself
 * soon.  NULL is accepted. */
void stj_child_destroy(struct stj_child *child);

enum stj_child_end {
    STJ_CHILD_GOOD,
    STJ_CHILD_GONE,        /* it has closed its end, or there is an error of the system */
    STJ_CHILD_LATE,        /* stj_clock() is past `until` */
    STJ_CHILD_INTERRUPTED, /* the caller of the library wants to end (stj_set_interrupt) */
};

/* Send or receive all of these bytes. */
enum stj_child_end stj_child_send(struct stj_child *child, const void *data, size_t bytes,
                                  double until);
enum stj_child_end stj_child_receive(struct stj_child *child, void *data, size_t bytes,
                                     double until);

/* text <- of a child that is gone: "exited with status 1", "was killed by signal 9 (Killed)"; it is
 * ended where it is there yet. */
void stj_child_how(struct stj_child *child, char *text, size_t size);

/* Its last line of standard error so far, printable; "": none.  Borrowed. */
const char *stj_child_last_line(struct stj_child *child);

#endif
