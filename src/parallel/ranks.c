/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks.c: what the processes of a command say to each other, over MPI where there is one.
 *
 * Memory that the ranks of a group share is not a window of MPI: a window is given back by all together, and a
 * rank that fails alone could not give it back and go.  It is a file without a name (memfd_create): no process that
 * dies leaves one behind, and a small /dev/shm, as containers have, does not limit it.  Its blocks are taken when it
 * is made, so that too much is an error and not a signal.
 */
#define _GNU_SOURCE /* memfd_create */
#include "parallel/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <spectraj/progress.h>
#include <spectraj/version.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"

#ifdef STJ_WITH_MPI
#include <mpi.h>
#endif

enum {
    HOST_BYTES = 65,
    MOST_RANKS = 1 << 14 /* a number of each has room on the stack */
};

static void (*at_end)(void); /* NULL: nothing */

void stj_ranks_at_end(void (*fn)(void))
{
    at_end = fn;
}

static void call_at_end(void)
{
    if (at_end)
        at_end();
}

static struct {
    size_t rank, size;  /* of all */
    size_t per_product; /* ranks of a group */
    bool shares;        /* groups work in one memory */
    size_t on_machine;  /* ranks of this one's machine */
    bool divided;       /* by the caller */
    bool apart;         /* each works by itself */
    size_t division;    /* which one it is */
    size_t measured;    /* ranks whose messages were timed, */
    double rate;        /* and bytes a second of each */
    bool joined, alone,
        abandoned; /* MPI is ours to end; the others are elsewhere; they do not come */
#ifdef STJ_WITH_MPI
    MPI_Comm world, group, across, last; /* across: the ranks of the same number in their groups */
#endif
} ranks = {.size = 1, .per_product = 1};

size_t stj_rank(void)
{
    return ranks.rank;
}

size_t stj_n_ranks(void)
{
    return ranks.size;
}

size_t stj_ranks_per_product(void)
{
    return ranks.per_product;
}

void stj_ranks_apart(void)
{
    ranks.apart = true;
}

void stj_ranks_together(void)
{
    ranks.apart = false;
}

/* Does this rank work by itself? */
static bool by_itself(void)
{
    return ranks.apart || ranks.abandoned;
}

/* Ranks that work with this one, itself included, and its number among them. */
static size_t n_together(void)
{
    return by_itself() ? 1 : ranks.size;
}

static size_t place(void)
{
    return by_itself() ? 0 : ranks.rank;
}

size_t stj_group_size(void)
{
    return by_itself() ? 1 : ranks.per_product;
}

size_t stj_n_groups(void)
{
    return n_together() / stj_group_size();
}

size_t stj_group(void)
{
    return place() / stj_group_size();
}

size_t stj_group_rank(void)
{
    return place() % stj_group_size();
}

bool stj_group_shares(void)
{
    return ranks.shares && !by_itself();
}

size_t stj_group_sharers(void)
{
    return stj_group_shares() ? stj_group_size() : 1;
}

size_t stj_ranks_division(void)
{
    return ranks.division;
}

void stj_ranks_bcast(void *data, size_t bytes)
{
    stj_ranks_bcast_from(0, data, bytes);
}

size_t stj_ranks_allreduce_max(size_t mine)
{
    return SIZE_MAX - stj_ranks_allreduce_min(SIZE_MAX - mine);
}

bool stj_ranks_crowded(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 0 && stj_threads() * ranks.on_machine > (size_t)processors;
}

void stj_ranks_leave_others(void)
{
    ranks.alone = ranks.size > 1;
    ranks.rank = 0;
    ranks.size = ranks.per_product = 1;
    ranks.shares = false;
}

size_t stj_share_begin(size_t n, size_t i, size_t of)
{
    return n / of * i + n % of * i / of;
}

size_t stj_groups_for(size_t n_ranks, size_t n_columns)
{
    size_t n = n_columns < n_ranks ? n_columns : n_ranks;
    while (n > 1 && n_ranks % n != 0)
        n--;
    return n ? n : 1;
}

/* 400 vectors of so many numbers are 52 MB. */
static size_t divided_from = (size_t)1 << 14;

void stj_rows_divide_from(size_t n)
{
    divided_from = n;
}

bool stj_rows_divide(size_t n, size_t n_ranks)
{
    return n_ranks > 1 && n >= divided_from;
}

struct stj_rows stj_rows_of(size_t n)
{
    if (!stj_rows_divide(n, n_together()))
        return (struct stj_rows){n, 0, n, false};
    const size_t first = stj_share_begin(n, place(), n_together());
    return (struct stj_rows){n, first, stj_share_begin(n, place() + 1, n_together()) - first, true};
}

void stj_rows_allreduce_sum(const struct stj_rows *rows, size_t n, double *y)
{
    if (rows->divided)
        stj_ranks_allreduce_sum(n, y);
}

/* ---- what messages cost ---- */

void stj_ranks_measure(void)
{
    enum { N = 1 << 20, TIMES = 4 };
    const struct stj_rows rows = stj_rows_of(N);
    double *y = NULL;
    if (!rows.divided || stj_ranks_allreduce_or(stj_new(&y, N, sizeof *y, NULL) != STJ_OK))
        goto out;
    for (int i = 0; i < TIMES; i++) { /* the first one connects */
        const double start = stj_clock();
        stj_rows_allgatherv(&rows, 1, y, N);
        const double rate =
            (double)(rows.count * sizeof *y * (ranks.size - 1)) / (stj_clock() - start + 1e-9);
        ranks.rate = rate > ranks.rate ? rate : ranks.rate;
    }
    ranks.measured = ranks.size;
out:
    free(y);
}

size_t stj_ranks_measured(double *bytes_per_second)
{
    *bytes_per_second = ranks.rate;
    return ranks.measured;
}

/* ---- memory of a group ---- */

#ifdef STJ_WITH_MPI
/* *fd <- a new piece of memory, all of it there. */
static enum stj_status make_shared(size_t bytes, int *fd, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *fd = memfd_create("spectraj", MFD_CLOEXEC);
    const int code = *fd < 0 ? errno : posix_fallocate(*fd, 0, (off_t)bytes);
    STJ_CHECK(err, code == 0, STJ_ENOMEM,
              "%zu bytes of shared memory are not to be had: %s; give the ranks of a machine less "
              "(--memory), or a product to fewer of them (--ranks-per-product)",
              bytes, strerror(code));
out:
    return st;
}

/* *fd <- the descriptor of another process of this user and machine. */
static enum stj_status open_shared(const long *where, int *fd, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char path[64];
    STJ_CHECK(err, where[1] >= 0, STJ_ENOMEM,
              "the shared memory of the product's ranks could not be made");
    snprintf(path, sizeof path, "/proc/%ld/fd/%ld", where[0], where[1]);
    *fd = open(path, O_RDWR | O_CLOEXEC);
    STJ_CHECK(err, *fd >= 0, STJ_EIO, "%s: cannot be opened: %s", path, strerror(errno));
out:
    return st;
}

/* The same for all of a group: its first rank makes it, the others find it among that one's open files. */
static enum stj_status arena_map(struct stj_arena *arena, size_t bytes, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const bool first = stj_group_rank() == 0;
    long where[2] = {(long)getpid(), -1};
    int fd = -1;
    if (first)
        st = make_shared(bytes, &fd, err);
    where[1] = st == STJ_OK ? fd : -1;
    MPI_Bcast(where, 2, MPI_LONG, 0, ranks.group);
    if (!first)
        st = open_shared(where, &fd, err);
    void *p =
        st == STJ_OK ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (st == STJ_OK && p == MAP_FAILED)
        st = stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                           "cannot map %zu bytes of shared memory: %s", bytes, strerror(errno));
    MPI_Barrier(ranks.group);
    if (fd >= 0)
        close(fd);
    if (st == STJ_OK)
        *arena = (struct stj_arena){.at = p, .bytes = bytes, .mapped = true};
    return st;
}
#endif

enum stj_status stj_arena_grow(struct stj_arena *arena, size_t bytes, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (bytes <= arena->bytes)
        goto out;
    stj_arena_free(arena);
#ifdef STJ_WITH_MPI
    if (stj_group_shares()) {
        STJ_TRY(arena_map(arena, bytes, err));
        goto out;
    }
#endif
    STJ_TRY(stj_new(&arena->at, bytes, 1, err));
    arena->bytes = bytes;
out:
    return st;
}

enum stj_status stj_arena_reals(struct stj_arena *arena, size_t n, size_t size,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t wanted = 0;
    STJ_TRY(stj_size_mul(n, size, &wanted, err));
    STJ_TRY(stj_size_mul(wanted, sizeof(real), &wanted, err));
    STJ_TRY(stj_arena_grow(arena, wanted, err));
out:
    return st;
}

void stj_arena_free(struct stj_arena *arena)
{
    if (arena->mapped)
        munmap(arena->at, arena->bytes);
    else
        free(arena->at);
    *arena = (struct stj_arena){.at = NULL};
}

#ifdef STJ_WITH_MPI

/* ---- all ranks ---- */

/* Messages have a length of int: longer ones go in pieces. */
enum { PIECE = 1 << 30 };

static void broadcast(void *data, size_t bytes, size_t root, MPI_Comm comm)
{
    char *at = data;
    for (size_t done = 0; done < bytes; done += PIECE) {
        const size_t now = bytes - done < PIECE ? bytes - done : PIECE;
        MPI_Bcast(at + done, (int)now, MPI_BYTE, (int)root, comm);
    }
}

void stj_ranks_bcast_from(size_t rank, void *data, size_t bytes)
{
    if (n_together() > 1)
        broadcast(data, bytes, rank, ranks.world);
}

void stj_ranks_bcast_group(size_t group, size_t n, double *y)
{
    if (stj_n_groups() > 1)
        broadcast(y, n * sizeof *y, group, ranks.across);
}

bool stj_ranks_allreduce_or(bool mine)
{
    int any = mine;
    if (n_together() > 1)
        MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, ranks.world);
    return any != 0;
}

size_t stj_ranks_allreduce_min(size_t mine)
{
    unsigned long long least = mine;
    if (n_together() > 1)
        MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_UNSIGNED_LONG_LONG, MPI_MIN, ranks.world);
    return (size_t)least;
}

void stj_ranks_allreduce_sum(size_t n, double *y)
{
    double all[MOST_RANKS];
    const size_t most = MOST_RANKS / ranks.size;
    for (size_t done = 0; n_together() > 1 && done < n; done += most) {
        const size_t now = n - done < most ? n - done : most;
        MPI_Allgather(y + done, (int)now, MPI_DOUBLE, all, (int)now, MPI_DOUBLE, ranks.world);
        stj_reduce(now, ranks.size, all, now, y + done);
    }
}

/* y[begin[size]] items <- complete, of which each rank has its range. */
static void gather(const size_t *begin, size_t item, void *y, size_t size, MPI_Comm comm)
{
    static int count[2 * MOST_RANKS]; /* one thread exchanges */
    MPI_Datatype type;
    for (size_t r = 0; r < size; r++) {
        count[r] = (int)(begin[r + 1] - begin[r]);
        count[size + r] = (int)begin[r];
    }
    MPI_Type_contiguous((int)item, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    MPI_Allgatherv(MPI_IN_PLACE, 0, type, y, count, count + size, type, comm);
    MPI_Type_free(&type);
}

void stj_rows_allgatherv(const struct stj_rows *rows, size_t nvec, double *y, size_t ld)
{
    static size_t begin[MOST_RANKS + 1];
    if (!rows->divided)
        return;
    for (size_t r = 0; r <= ranks.size; r++)
        begin[r] = stj_share_begin(rows->n, r, ranks.size);
    for (size_t j = 0; j < nvec; j++)
        gather(begin, sizeof *y, y + j * ld, ranks.size, ranks.world);
}

/* ---- failures ---- */

struct message {
    int code, line, everybody;
    char text[STJ_ERROR_TEXT_MAX];
};

static const char echo[] = "another rank of the product failed";

static bool is_echo(const struct stj_error *err)
{
    return err && strcmp(err->text, echo) == 0;
}

/* Seconds that a rank which failed waits for the others, before it ends them. */
static const double patience = 5;

/* Is an exchange over?  This rank, which failed or not, waits without work for the others.  Of several that failed
 * alone, the first ends the others before they speak. */
static bool is_over(MPI_Request *request, bool failed, int rank)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    const double limit = failed ? patience + 0.2 * rank : 1e300, begin = stj_clock();
    int done = 0;
    for (;;) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done || stj_clock() - begin > limit)
            return done;
        (void)nanosleep(&pause, NULL);
    }
}

/* How this rank failed when nobody came to hear of it. */
static struct stj_error unheard = STJ_ERROR_INIT;

/* *value <- the least of the ranks' of comm.  A rank that failed where the others did not may never meet them: it left
 * their course, and they wait for it elsewhere, for ever.  So it waits for some time, and then goes on by itself, to
 * say how it failed and to end all. */
static void meet(enum stj_status st, const struct stj_error *err, long *value, MPI_Comm comm)
{
    static long least; /* outlives an exchange that does not end */
    MPI_Request request;
    least = *value;
    MPI_Iallreduce(MPI_IN_PLACE, &least, 1, MPI_LONG, MPI_MIN, comm, &request);
    if (st == STJ_OK)
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    else
        ranks.abandoned = !is_over(&request, true, (int)ranks.rank);
    if (!ranks.abandoned)
        *value = least;
    else
        stj_error_set(&unheard, st, __FILE__, __LINE__, "%s",
                      err ? err->text : stj_status_text(st));
}

enum stj_status stj_group_agree(enum stj_status st, struct stj_error *err)
{
    long fine = st == STJ_OK;
    if (stj_group_size() == 1)
        return st;
    meet(st, err, &fine, ranks.group);
    return st == STJ_OK && !fine ? stj_error_set(err, STJ_EINTERNAL, __FILE__, __LINE__, echo) : st;
}

enum stj_status stj_ranks_agree(enum stj_status st, struct stj_error *err)
{
    const long none = 2 * (long)ranks.size; /* who failed, before who heard of it */
    const long me = (long)ranks.rank + (is_echo(err) ? (long)ranks.size : 0);
    long first = st == STJ_OK ? none : me;
    int n_failed = st != STJ_OK;
    char host[HOST_BYTES] = "";
    struct message m = {.code = STJ_OK};
    if (ranks.abandoned && st == STJ_OK) /* somebody took no notice */
        return stj_error_set(err, unheard.code, unheard.file, unheard.line, "%s", unheard.text);
    if (n_together() == 1)
        return st;
    meet(st, err, &first, ranks.world);
    if (first == none || ranks.abandoned)
        return st;
    MPI_Allreduce(MPI_IN_PLACE, &n_failed, 1, MPI_INT, MPI_SUM, ranks.world);
    if (first == me && st != STJ_OK) {
        (void)gethostname(host, sizeof host - 1);
        m.code = (int)st;
        m.line = err ? err->line : 0;
        if (err && ((size_t)n_failed == ranks.size || ranks.rank == 0))
            snprintf(m.text, sizeof m.text, "%s", err->text);
        else
            snprintf(m.text, sizeof m.text, "rank %zu on %.40s: %.900s", ranks.rank, host,
                     err ? err->text : stj_status_text(st));
    }
    broadcast(&m, sizeof m, (size_t)first % ranks.size, ranks.world);
    if (err) {
        *err = (struct stj_error)STJ_ERROR_INIT;
        stj_error_set(err, (enum stj_status)m.code, __FILE__, m.line, "%s", m.text);
    }
    return (enum stj_status)m.code;
}

enum stj_status stj_ranks_same(uint64_t value, const char *what, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned long long first = value;
    stj_ranks_bcast(&first, sizeof first);
    if (first != value)
        st = stj_error_set(err, STJ_EMISMATCH, __FILE__, __LINE__,
                           "%s is not the same as on rank 0: all ranks must see the same files and "
                           "run the same program with the same libraries on the same kind of "
                           "processor",
                           what);
    return stj_ranks_agree(st, err);
}

/* ---- groups ---- */

void stj_group_barrier(void)
{
    if (stj_group_size() > 1)
        MPI_Barrier(ranks.group);
}

void stj_group_allgatherv(const size_t *begin, size_t item, void *y)
{
    if (stj_group_size() > 1)
        gather(begin, item, y, ranks.per_product, ranks.group);
}

/* Who made a part? */
static size_t maker_of(const size_t *part_begin, size_t part)
{
    size_t r = 0;
    while (part >= part_begin[r + 1])
        r++;
    return r;
}

/* Messages on their way. */
struct flight {
    MPI_Request request[256];
    int n;
};

static void land(struct flight *f)
{
    MPI_Waitall(f->n, f->request, MPI_STATUSES_IGNORE);
    f->n = 0;
}

/* Where the request of one more goes.  All ranks begin theirs part by part, so that those which one waits for here have
 * been begun, or are before what the others wait for. */
static MPI_Request *one_more(struct flight *f)
{
    if (f->n == sizeof f->request / sizeof f->request[0])
        land(f);
    return &f->request[f->n++];
}

void stj_group_alltoallv(size_t n_parts, const size_t *part_begin, const size_t *begin, size_t item,
                         const void *part, size_t ld, void *incoming)
{
    const size_t size = ranks.per_product, me = stj_group_rank();
    const size_t length = (begin[me + 1] - begin[me]) * item;
    struct flight flight = {.n = 0};
    for (size_t p = 0; p < n_parts; p++) {
        const size_t maker = maker_of(part_begin, p);
        const char *made = (const char *)part + (p - part_begin[me]) * ld * item;
        char *to = (char *)incoming + p * length;
        if (maker != me) {
            MPI_Irecv(to, (int)length, MPI_BYTE, (int)maker, (int)p, ranks.group,
                      one_more(&flight));
            continue;
        }
        memcpy(to, made + begin[me] * item, length);
        for (size_t r = 0; r < size; r++)
            if (r != me) {
                const size_t bytes = (begin[r + 1] - begin[r]) * item;
                MPI_Isend(made + begin[r] * item, (int)bytes, MPI_BYTE, (int)r, (int)p, ranks.group,
                          one_more(&flight));
            }
    }
    land(&flight);
}

/* Does what the first rank of the group writes reach the others?  Processes of one machine may not see each other. */
static bool finds_shared(void)
{
    struct stj_arena trial = {.at = NULL};
    uint64_t mark = (uint64_t)getpid() ^ (uint64_t)(stj_clock() * 1e9);
    MPI_Bcast(&mark, 1, MPI_UINT64_T, 0, ranks.group);
    bool found = arena_map(&trial, sizeof mark, NULL) == STJ_OK;
    if (found && stj_group_rank() == 0)
        memcpy(trial.at, &mark, sizeof mark);
    MPI_Barrier(ranks.group);
    found = found && memcmp(trial.at, &mark, sizeof mark) == 0;
    stj_arena_free(&trial);
    return found;
}

/* Do the ranks of every group lie on one machine, and may they share its memory? */
static bool may_share(void)
{
    const char *wish = getenv("SPECTRAJ_SHARED_MEMORY");
    MPI_Comm machine;
    int size = 0;
    MPI_Comm_split_type(ranks.group, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &size);
    MPI_Comm_free(&machine);
    const bool forbidden = wish && strcmp(wish, "no") == 0;
    if (stj_ranks_allreduce_or(forbidden || (size_t)size != ranks.per_product))
        return false;
    return !stj_ranks_allreduce_or(!finds_shared());
}

static void divide(size_t per_product)
{
    if (ranks.group != MPI_COMM_NULL && ranks.per_product == per_product)
        return;
    ranks.per_product = per_product;
    ranks.division++;
    if (ranks.group != MPI_COMM_NULL) {
        MPI_Comm_free(&ranks.group);
        MPI_Comm_free(&ranks.across);
    }
    MPI_Comm_split(ranks.world, (int)stj_group(), (int)ranks.rank, &ranks.group);
    MPI_Comm_split(ranks.world, (int)stj_group_rank(), (int)ranks.rank, &ranks.across);
    ranks.shares = per_product > 1 && may_share();
}

enum stj_status stj_ranks_divide(size_t per_product, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t size = per_product ? per_product : ranks.size;
    STJ_CHECK(err, size <= ranks.size && ranks.size % size == 0, STJ_EINVAL,
              "%zu ranks for a product do not divide the %zu ranks: take a divisor of %zu", size,
              ranks.size, ranks.size);
    ranks.divided = per_product != 0;
    if (ranks.size > 1)
        divide(size);
out:
    return st;
}

void stj_ranks_divide_for(size_t n_columns)
{
    if (ranks.size > 1 && !ranks.divided)
        divide(ranks.size / stj_groups_for(ranks.size, n_columns));
}

/* ---- begin and end ---- */

/* One processor's threads for each rank of a machine, unless somebody said otherwise; the same for all. */
static void choose_threads(void)
{
    MPI_Comm machine;
    int size = 1;
    MPI_Comm_split_type(ranks.world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &size);
    MPI_Comm_free(&machine);
    ranks.on_machine = (size_t)size;
    size_t mine = stj_threads();
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!getenv("OMP_NUM_THREADS") && processors > 0 && mine * (size_t)size > (size_t)processors)
        mine = (size_t)processors > (size_t)size ? (size_t)processors / (size_t)size : 1;
    stj_set_threads(stj_ranks_allreduce_min(mine));
    stj_threads_fixed();
    stj_memory_agree(stj_ranks_allreduce_min(stj_memory_available() / (size_t)size));
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

/* What decides the bits of a calculation on this rank. */
static uint64_t kind_of_rank(void)
{
    char text[1024] = "";
    (void)stj_runtime_summary(text, sizeof text);
    const uint32_t crc = stj_crc32(0, text, strlen(text));
    return stj_crc32(crc, stj_build_summary(), strlen(stj_build_summary()));
}

enum stj_status stj_ranks_begin(struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    int initialised = 0, provided = 0, rank = 0, size = 1;
    if (ranks.joined || !was_launched())
        goto out;
    MPI_Initialized(&initialised);
    if (!initialised)
        MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    else
        MPI_Query_thread(&provided);
    ranks.joined = !initialised;
    STJ_CHECK(err, provided >= MPI_THREAD_FUNNELED, STJ_EUNSUPPORTED,
              "this MPI does not let a process have threads (MPI_THREAD_FUNNELED)");
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    STJ_CHECK(err, size <= MOST_RANKS, STJ_EUNSUPPORTED,
              "%d ranks are more than the %d that work together: take fewer, of more threads each",
              size, MOST_RANKS);
    MPI_Comm_dup(MPI_COMM_WORLD, &ranks.world);
    MPI_Comm_dup(MPI_COMM_WORLD, &ranks.last);
    MPI_Comm_rank(ranks.world, &rank);
    ranks.rank = (size_t)rank;
    ranks.size = (size_t)size;
    ranks.group = ranks.across = MPI_COMM_NULL;
    choose_threads();
    STJ_TRY(stj_ranks_divide(0, err));
    STJ_TRY(stj_ranks_same(kind_of_rank(), "this rank's build, BLAS kernel or library", err));
out:
    return st;
}

bool stj_ranks_speaks(enum stj_status st)
{
    int size = 1, rank = 0;
    MPI_Request request;
    if ((ranks.size == 1 && !ranks.alone) || ranks.abandoned)
        return true;
    MPI_Comm_size(ranks.last, &size);
    MPI_Comm_rank(ranks.last, &rank);
    int first = st == STJ_OK ? size : rank;
    MPI_Iallreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, ranks.last, &request);
    ranks.abandoned = !is_over(&request, st != STJ_OK, rank);
    return ranks.abandoned || rank == (first == size ? 0 : first);
}

void stj_ranks_end(int exit_status)
{
    call_at_end();
    if (ranks.abandoned)
        MPI_Abort(MPI_COMM_WORLD, exit_status ? exit_status : 1);
    else if (ranks.joined)
        MPI_Finalize();
    ranks.joined = false;
}

int stj_ranks_fortran(void)
{
    return (int)MPI_Comm_c2f(ranks.world);
}

#else /* a build without MPI: one rank of one */

void stj_ranks_bcast_from(size_t rank, void *data, size_t bytes)
{
    (void)rank;
    (void)data;
    (void)bytes;
}

void stj_ranks_bcast_group(size_t group, size_t n, double *y)
{
    (void)group;
    (void)n;
    (void)y;
}

bool stj_ranks_allreduce_or(bool mine)
{
    return mine;
}

size_t stj_ranks_allreduce_min(size_t mine)
{
    return mine;
}

void stj_ranks_allreduce_sum(size_t n, double *y)
{
    (void)n;
    (void)y;
}

void stj_rows_allgatherv(const struct stj_rows *rows, size_t nvec, double *y, size_t ld)
{
    (void)rows;
    (void)nvec;
    (void)y;
    (void)ld;
}

enum stj_status stj_ranks_agree(enum stj_status st, struct stj_error *err)
{
    (void)err;
    return st;
}

enum stj_status stj_ranks_same(uint64_t value, const char *what, struct stj_error *err)
{
    (void)value;
    (void)what;
    (void)err;
    return STJ_OK;
}

void stj_group_barrier(void)
{
}

void stj_ranks_divide_for(size_t n_columns)
{
    (void)n_columns;
}

enum stj_status stj_group_agree(enum stj_status st, struct stj_error *err)
{
    (void)err;
    return st;
}

void stj_group_allgatherv(const size_t *begin, size_t item, void *y)
{
    (void)begin;
    (void)item;
    (void)y;
}

void stj_group_alltoallv(size_t n_parts, const size_t *part_begin, const size_t *begin, size_t item,
                         const void *part, size_t ld, void *incoming)
{
    const size_t n = begin[1] * item;
    (void)part_begin;
    for (size_t p = 0; p < n_parts; p++)
        memcpy((char *)incoming + p * n, (const char *)part + p * ld * item, n);
}

enum stj_status stj_ranks_divide(size_t per_product, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, per_product <= 1, STJ_EINVAL,
              "%zu ranks for a product do not divide the 1 rank: take 1", per_product);
out:
    return st;
}

enum stj_status stj_ranks_begin(struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    size = size ? size : getenv("PMI_SIZE");
    STJ_CHECK(err, !size || strcmp(size, "1") == 0, STJ_EUNSUPPORTED,
              "%s processes were started, and this spectraj was built without MPI: they would all "
              "do the same; build it with ./configure --with-mpi, or start one",
              size);
out:
    return st;
}

bool stj_ranks_speaks(enum stj_status st)
{
    (void)st;
    return true;
}

void stj_ranks_end(int exit_status)
{
    (void)exit_status;
    call_at_end();
}

#endif
