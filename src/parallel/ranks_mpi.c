/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks_mpi.c: what ranks say to each other, over MPI. */
#ifdef STJ_WITH_MPI
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "parallel/ranks_internal.h"

static MPI_Comm comms[STJ_N_COMMS];
static bool joined; /* MPI is ours to end */

static int rank_in(enum stj_comm comm)
{
    int rank = 0;
    MPI_Comm_rank(comms[comm], &rank);
    return rank;
}

static int size_of(MPI_Comm comm)
{
    int size = 1;
    MPI_Comm_size(comm, &size);
    return size;
}

/* Messages have a length of int: longer ones go in pieces. */
enum { PIECE = 1 << 30 };

static void mpi_bcast(enum stj_comm comm, size_t root, void *data, size_t bytes)
{
    char *at = data;
    for (size_t done = 0; done < bytes; done += PIECE) {
        const size_t now = bytes - done < PIECE ? bytes - done : PIECE;
        MPI_Bcast(at + done, (int)now, MPI_BYTE, (int)root, comms[comm]);
    }
}

static size_t mpi_allreduce_min(size_t mine)
{
    unsigned long long least = mine;
    MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, comms[STJ_COMM_WORLD]);
    return (size_t)least;
}

static void mpi_allgather(size_t n, const double *y, double *all)
{
    MPI_Allgather(y, (int)n, MPI_DOUBLE, all, (int)n, MPI_DOUBLE, comms[STJ_COMM_WORLD]);
}

static void mpi_allgatherv(enum stj_comm comm, const size_t *begin, size_t item, void *y)
{
    static int count[2 * STJ_MOST_RANKS]; /* one thread exchanges */
    const int size = size_of(comms[comm]);
    MPI_Datatype type;
    for (int r = 0; r < size; r++) {
        count[r] = (int)(begin[r + 1] - begin[r]);
        count[size + r] = (int)begin[r];
    }
    MPI_Type_contiguous((int)item, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    MPI_Allgatherv(MPI_IN_PLACE, 0, type, y, count, count + size, type, comms[comm]);
    MPI_Type_free(&type);
}

/* Messages on their way. */
struct mail {
    MPI_Request request[256];
    int n;
};

static void wait_for_mail(struct mail *mail)
{
    MPI_Waitall(mail->n, mail->request, MPI_STATUSES_IGNORE);
    mail->n = 0;
}

/* Where the request of one more goes.  All ranks begin theirs part by part, so that those which one
 * waits for here have been begun, or are before what the others wait for. */
static MPI_Request *one_more(struct mail *mail)
{
    if (mail->n == sizeof mail->request / sizeof mail->request[0])
        wait_for_mail(mail);
    return &mail->request[mail->n++];
}

/* To each of the others its range of a part that this rank made. */
static void send_part(struct mail *mail, const size_t *begin, size_t item, const char *part,
                      int tag)
{
    const int size = size_of(comms[STJ_COMM_GROUP]), me = rank_in(STJ_COMM_GROUP);
    for (int r = 0; r < size; r++)
        if (r != me)
            MPI_Isend(part + begin[r] * item, (int)((begin[r + 1] - begin[r]) * item), MPI_BYTE, r,
                      tag, comms[STJ_COMM_GROUP], one_more(mail));
}

static void mpi_alltoallv(size_t n_parts, const size_t *begin, size_t item, const void *part,
                          size_t ld, void *incoming)
{
    const size_t size = (size_t)size_of(comms[STJ_COMM_GROUP]);
    const size_t me = (size_t)rank_in(STJ_COMM_GROUP);
    const size_t length = (begin[me + 1] - begin[me]) * item;
    struct mail mail = {.n = 0};
    for (size_t maker = 0, p = 0; maker < size; maker++)
        for (const size_t end = stj_share_begin(n_parts, maker + 1, size); p < end; p++) {
            char *to = (char *)incoming + p * length;
            if (maker != me) {
                MPI_Irecv(to, (int)length, MPI_BYTE, (int)maker, (int)p, comms[STJ_COMM_GROUP],
                          one_more(&mail));
                continue;
            }
            const size_t own = p - stj_share_begin(n_parts, me, size);
            const char *made = (const char *)part + own * ld * item;
            memcpy(to, made + begin[me] * item, length);
            send_part(&mail, begin, item, made, (int)p);
        }
    wait_for_mail(&mail);
}

static void mpi_group_barrier(void)
{
    MPI_Barrier(comms[STJ_COMM_GROUP]);
}

/* Is an exchange over?  This rank, which failed or not, waits without work for the others: for some
 * seconds if it failed, before it ends them.  Of several that failed alone, the first ends the
 * others before they speak. */
static bool is_over(MPI_Request *request, bool failed)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    const double limit = failed ? 5 + 0.2 * rank_in(STJ_COMM_LAST) : 1e300, begin = stj_clock();
    int done = 0;
    for (;;) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done || stj_clock() - begin > limit)
            return done;
        (void)nanosleep(&pause, NULL);
    }
}

static bool mpi_meet(enum stj_comm comm, bool failed, size_t *value)
{
    static unsigned long long least; /* outlives an exchange that does not end */
    MPI_Request request;
    least = *value;
    MPI_Iallreduce(MPI_IN_PLACE, &least, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, comms[comm], &request);
    if (!failed && comm != STJ_COMM_LAST)
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    else if (!is_over(&request, failed))
        return false;
    *value = (size_t)least;
    return true;
}

static size_t mpi_on_machine(enum stj_comm comm)
{
    MPI_Comm machine;
    MPI_Comm_split_type(comms[comm], MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    const int size = size_of(machine);
    MPI_Comm_free(&machine);
    return (size_t)size;
}

static void mpi_split(size_t group, size_t group_rank)
{
    const int rank = rank_in(STJ_COMM_WORLD);
    if (comms[STJ_COMM_GROUP] != MPI_COMM_NULL) {
        MPI_Comm_free(&comms[STJ_COMM_GROUP]);
        MPI_Comm_free(&comms[STJ_COMM_ACROSS]);
    }
    MPI_Comm_split(comms[STJ_COMM_WORLD], (int)group, rank, &comms[STJ_COMM_GROUP]);
    MPI_Comm_split(comms[STJ_COMM_WORLD], (int)group_rank, rank, &comms[STJ_COMM_ACROSS]);
}

static void mpi_abort(int exit_status)
{
    MPI_Abort(MPI_COMM_WORLD, exit_status);
}

static void mpi_finalize(void)
{
    if (joined)
        MPI_Finalize();
    joined = false;
}

static bool was_launched(void)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE",
                                        "MPI_LOCALRANKID"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (getenv(signs[i]))
            return true;
    return false;
}

static const struct stj_transport mpi = {.bcast = mpi_bcast,
                                         .allreduce_min = mpi_allreduce_min,
                                         .allgather = mpi_allgather,
                                         .allgatherv = mpi_allgatherv,
                                         .alltoallv = mpi_alltoallv,
                                         .group_barrier = mpi_group_barrier,
                                         .meet = mpi_meet,
                                         .on_machine = mpi_on_machine,
                                         .split = mpi_split,
                                         .abort = mpi_abort,
                                         .finalize = mpi_finalize};

enum stj_status stj_transport_begin(const struct stj_transport **transport, size_t *rank,
                                    size_t *size, struct stj_error *err)
{
    int initialised = 0, provided = 0;
    if (joined || !was_launched())
        return STJ_OK;
    MPI_Initialized(&initialised);
    if (!initialised)
        MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    else
        MPI_Query_thread(&provided);
    joined = !initialised;
    *transport = &mpi;
    STJ_NEED(err, provided >= MPI_THREAD_FUNNELED, STJ_EUNSUPPORTED,
             "this MPI does not let a process have threads (MPI_THREAD_FUNNELED)");
    const int n = size_of(MPI_COMM_WORLD);
    STJ_NEED(err, n <= STJ_MOST_RANKS, STJ_EUNSUPPORTED,
             "%d ranks are more than the %d that work together: take fewer, of more threads each",
             n, STJ_MOST_RANKS);
    MPI_Comm_dup(MPI_COMM_WORLD, &comms[STJ_COMM_WORLD]);
    MPI_Comm_dup(MPI_COMM_WORLD, &comms[STJ_COMM_LAST]);
    comms[STJ_COMM_GROUP] = comms[STJ_COMM_ACROSS] = MPI_COMM_NULL;
    *rank = (size_t)rank_in(STJ_COMM_WORLD);
    *size = (size_t)n;
    return STJ_OK;
}

int stj_ranks_fortran(void)
{
    return (int)MPI_Comm_c2f(comms[STJ_COMM_WORLD]);
}
#endif
