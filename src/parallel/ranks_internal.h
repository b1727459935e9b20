/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks_internal.h: how the ranks reach each other, for the files of parallel/.
 *
 * ranks.c and ranks_division.c decide what is said and when; a transport carries it.  There is one,
 * ranks_mpi.c; a process that is one of one has none.
 */
#ifndef STJ_PARALLEL_RANKS_INTERNAL_H
#define STJ_PARALLEL_RANKS_INTERNAL_H

#include "parallel/ranks.h"

enum { STJ_MOST_RANKS = 1 << 14 }; /* a number of each has room on the stack */

/* Who speaks to whom. */
enum stj_comm {
    STJ_COMM_WORLD,  /* all */
    STJ_COMM_GROUP,  /* the ranks of a group */
    STJ_COMM_ACROSS, /* the ranks of the same number in their groups */
    STJ_COMM_LAST,   /* all, at the end: apart from whatever was begun before */
    STJ_N_COMMS
};

/* Of more than one rank; all of a communicator call the same. */
struct stj_transport {
    void (*bcast)(enum stj_comm comm, size_t root, void *data, size_t bytes);
    size_t (*allreduce_min)(size_t mine);                       /* of all */
    void (*allgather)(size_t n, const double *y, double *all);  /* all[size][n], n few, of all */
    void (*allgatherv)(enum stj_comm comm, const size_t *begin, /* as stj_group_allgatherv */
                       size_t item, void *y);
    void (*alltoallv)(size_t n_parts, const size_t *begin, size_t item, /* the same */
                      const void *part, size_t ld, void *incoming);
    void (*group_barrier)(void);

    /* *value <- the least of the ranks'.  A rank that failed where the others did not may never
     * meet them: it left their course, and they wait for it elsewhere, for ever.  So it waits for
     * some time; false: nobody came, and it is to go on by itself, to say how it failed and to end
     * all. */
    bool (*meet)(enum stj_comm comm, bool failed, size_t *value);

    size_t (*on_machine)(enum stj_comm comm); /* ranks of it that lie on this one's machine */
    void (*split)(size_t group, size_t group_rank);
    void (*abort)(int exit_status);
    void (*finalize)(void);
};

/* Where this process is among the others; one of one until stj_ranks_begin. */
extern struct stj_ranks {
    size_t rank, size;                     /* of all */
    size_t number, n;                      /* the same, also after this one left the others */
    size_t per_product;                    /* ranks of a group */
    bool shares;                           /* groups work in one memory */
    size_t on_machine;                     /* ranks of this one's machine */
    bool divided;                          /* by the caller */
    bool apart;                            /* each works by itself */
    bool abandoned;                        /* the others do not come */
    size_t division;                       /* which one it is */
    size_t measured;                       /* ranks whose messages were timed, */
    double rate;                           /* and bytes a second of each */
    const struct stj_transport *transport; /* with more than one rank */
} stj_ranks;

/* *transport <- that of the ranks that a launcher started, and which of how many this one is; left
 * as they are where it started none, or this was called before.  STJ_EUNSUPPORTED: it is not to be
 * had in this build. */
enum stj_status stj_transport_begin(const struct stj_transport **transport, size_t *rank,
                                    size_t *size, struct stj_error *err);

/* data <- that of the first rank of the group. */
void stj_group_bcast(void *data, size_t bytes);

/* Does what a group's first rank writes reach the others?  Machines may keep processes apart. */
bool stj_shared_memory_works(void);

#endif
