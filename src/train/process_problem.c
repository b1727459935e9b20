/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/process_problem.c: gradients and Hessian-vector products from another process, by frames of
 * docs/problem-protocol.md.
 *
 * One request is on its way at a time.  Vectors go through `out` and come back through `in`, two
 * halves of a memory that the process shares where it can; else they follow the frames.
 *
 * A linearisation stays in the process.  What the engine keeps of one is its serial number, and the
 * process holds those that were used last: of one that it has dropped, the step is linearised again
 * at the same point, which gives the same bits.
 */
#include "base/system.h"

#include "train/process_problem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/child.h"
#include "parallel/ranks.h"

#define OPTION(...) STJ_OPTION_ROW(struct stj_process_config, __VA_ARGS__)
const struct stj_option stj_process_options[] = {
    OPTION("command", TEXTS, command, "",
           "the program and its arguments, [python3, problem.py]; no shell is involved"),
    OPTION("callbacks", BOOL, callbacks, "false",
           "the numbers come from functions of a program that calls the library "
           "(stj_run_create_problem), in place of a command"),
    OPTION("directory", PATH, directory, ".", "where it is started; default: the config's folder"),
    OPTION("timeout", REAL, timeout, "600", "time limit for an answer", .above_min = true,
           .max = 1e9, .unit = "s"),
    OPTION("tensors", SHAPES, tensors, "",
           "names and shapes of its parameters, {fc.weight: [10, 4], fc.bias: [10]}; default: as "
           "the process reports",
           .min = 1, .max = 1e15),
    {.name = NULL},
};

enum { PROTOCOL_VERSION = 1, HEADER_BYTES = 32, MOST_WORDS = 3, SHARED = 1, GIVEN_FD = 3 };
enum { BLOCK_MOST = 8, BUFFER_BYTES = 128 << 20 }; /* of vectors at once, each way */

enum verb {
    HELLO = 1,
    SHARE,
    INITIAL,
    GRADIENT,
    LINEARIZE,
    FORGET,
    PRODUCT,
    LOSS,
    STEP,    /* in the place of GRADIENT, */
    TANGENT, /* and these in that of PRODUCT, where its steps are its own */
    ADJOINT,
    SLOPE, /* the gradient of a data set's loss, and what weights of samples do to a gradient, */
    WEIGH,
    UNWEIGH /* transposed; where it knows them */
};

struct held {
    uint64_t serial; /* 0: none */
    uint64_t used;   /* when */
};

struct stj_process {
    const struct stj_process_config *config;
    struct stj_child *child; /* NULL: it has failed, or another rank's is asked */
    struct stj_error failure;
    struct stj_hello hello;
    pthread_mutex_t *turn;
    uint64_t number; /* of the last request */
    int memory;      /* the descriptor of what can be shared */
    bool shares;
    size_t longest; /* numbers of a vector that there is room for; 0: none yet */
    size_t block;   /* vectors at once */
    size_t bytes;   /* of both halves */
    double *out, *in;
    struct held *held; /* [hello.n_linear] */
    size_t n_samples;  /* rows of `train`; 0: weights are not known */
    uint64_t serial, clock;
};

/* One request and what is expected in return. */
struct ask {
    enum verb verb;
    char what[96]; /* "the gradient of step 3" */
    uint64_t word[MOST_WORDS];
    bool of_samples;       /* what comes: numbers of samples, not of parameters */
    size_t n_words, n_out; /* numbers of `out` */
    size_t n_answer, n_in; /* words, and numbers of `in` */
    uint64_t answer[MOST_WORDS];
};

/* ---- failures ---- */

/* The process is not asked again: its end, and the error. */
static enum stj_status fail(struct stj_process *p, const char *what, struct stj_error *err,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));
static enum stj_status fail(struct stj_process *p, const char *what, struct stj_error *err,
                            const char *format, ...)
{
    char how[512], line[300] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(how, sizeof how, format, arguments);
    va_end(arguments);
    const char *last = p->child ? stj_child_last_line(p->child) : "";
    if (last[0])
        snprintf(line, sizeof line, "; its last line of standard error: %s", last);
    stj_child_destroy(p->child);
    p->child = NULL;
    (void)stj_error_set(&p->failure, STJ_EIO, __FILE__, __LINE__,
                        "problem.command: %.100s %s, asked for %s%s", p->config->command.item[0],
                        how, what, line);
    return stj_error_pass(&p->failure, err);
}

static enum stj_status fail_end(struct stj_process *p, const char *what, enum stj_child_end end,
                                struct stj_error *err)
{
    char how[128];
    if (end == STJ_CHILD_LATE)
        return fail(p, what, err, "gave no answer within %g s (problem.timeout) and was ended",
                    p->config->timeout);
    if (end == STJ_CHILD_INTERRUPTED) {
        stj_child_destroy(p->child);
        p->child = NULL;
        (void)stj_error_set(&p->failure, STJ_EINTERRUPTED, __FILE__, __LINE__,
                            "waiting for %s of problem.command was interrupted", what);
        return stj_error_pass(&p->failure, err);
    }
    stj_child_how(p->child, how, sizeof how);
    return fail(p, what, err, "%s", how);
}

/* ---- frames ---- */

static void put_number(unsigned char *to, size_t bytes, uint64_t x)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(x >> 8 * i);
}

static uint64_t get_number(const unsigned char *from, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i-- > 0;)
        x = x << 8 | from[i];
    return x;
}

static const unsigned char magic[4] = {'S', 'T', 'J', 'P'};

struct header {
    uint64_t version, verb, number, bytes, status, flags;
};

static void put_header(unsigned char to[HEADER_BYTES], const struct header *h)
{
    memcpy(to, magic, sizeof magic);
    put_number(to + 4, 2, h->version);
    put_number(to + 6, 2, h->verb);
    put_number(to + 8, 8, h->number);
    put_number(to + 16, 8, h->bytes);
    put_number(to + 24, 4, h->status);
    put_number(to + 28, 4, h->flags);
}

static struct header get_header(const unsigned char from[HEADER_BYTES])
{
    return (struct header){.version = get_number(from + 4, 2),
                           .verb = get_number(from + 6, 2),
                           .number = get_number(from + 8, 8),
                           .bytes = get_number(from + 16, 8),
                           .status = get_number(from + 24, 4),
                           .flags = get_number(from + 28, 4)};
}

static enum stj_status send_frame(struct stj_process *p, const struct ask *ask, double until,
                                  struct stj_error *err)
{
    unsigned char head[HEADER_BYTES + 8 * MOST_WORDS];
    const bool follow = ask->n_out > 0 && !p->shares;
    const struct header h = {.version = PROTOCOL_VERSION,
                             .verb = ask->verb,
                             .number = ++p->number,
                             .bytes = 8 * (ask->n_words + (follow ? ask->n_out : 0)),
                             .flags = p->shares ? SHARED : 0};
    put_header(head, &h);
    for (size_t i = 0; i < ask->n_words; i++)
        put_number(head + HEADER_BYTES + 8 * i, 8, ask->word[i]);
    enum stj_child_end end = stj_child_send(p->child, head, HEADER_BYTES + 8 * ask->n_words, until);
    if (end == STJ_CHILD_GOOD && follow)
        end = stj_child_send(p->child, p->out, 8 * ask->n_out, until);
    return end == STJ_CHILD_GOOD ? STJ_OK : fail_end(p, ask->what, end, err);
}

/* h <- the header of the answer, of which the length is yet to be compared; one that says why not is
 * read, and fails. */
static enum stj_status receive_header(struct stj_process *p, const struct ask *ask, double until,
                                      struct header *h, struct stj_error *err)
{
    unsigned char head[HEADER_BYTES];
    char text[200] = "";
    enum stj_child_end end = stj_child_receive(p->child, head, sizeof head, until);
    if (end != STJ_CHILD_GOOD)
        return fail_end(p, ask->what, end, err);
    *h = get_header(head);
    if (memcmp(head, magic, sizeof magic) != 0)
        return fail(p, ask->what, err,
                    "answered with something else than a frame (standard output is for frames "
                    "alone; print to standard error)");
    if (h->version != PROTOCOL_VERSION || h->verb != ask->verb || h->number != p->number)
        return fail(p, ask->what, err,
                    "answered version %u, verb %u, number %ju, expected %d, %d, %ju",
                    (unsigned)h->version, (unsigned)h->verb, (uintmax_t)h->number, PROTOCOL_VERSION,
                    (int)ask->verb, (uintmax_t)p->number);
    if (h->status == 0)
        return STJ_OK;
    const size_t n = h->bytes < sizeof text ? (size_t)h->bytes : sizeof text - 1;
    if (stj_child_receive(p->child, text, n, until) != STJ_CHILD_GOOD)
        text[0] = '\0';
    for (char *c = text; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 127 ? ' ' : *c;
    return fail(p, ask->what, err, "answered that it cannot: %s", text);
}

static enum stj_status receive_frame(struct stj_process *p, struct ask *ask, double until,
                                     struct stj_error *err)
{
    struct header h;
    unsigned char words[8 * MOST_WORDS];
    STJ_MUST(receive_header(p, ask, until, &h, err));
    const size_t follow = p->shares ? 0 : ask->n_in;
    const uint64_t expected = 8 * (uint64_t)(ask->n_answer + follow);
    if (h.bytes != expected)
        return fail(p, ask->what, err, "answered with %ju bytes where %ju are expected",
                    (uintmax_t)h.bytes, (uintmax_t)expected);
    enum stj_child_end end = stj_child_receive(p->child, words, 8 * ask->n_answer, until);
    if (end == STJ_CHILD_GOOD && follow)
        end = stj_child_receive(p->child, p->in, 8 * follow, until);
    if (end != STJ_CHILD_GOOD)
        return fail_end(p, ask->what, end, err);
    for (size_t i = 0; i < ask->n_answer; i++)
        ask->answer[i] = get_number(words + 8 * i, 8);
    return STJ_OK;
}

/* STJ_EIO where the process has failed before. */
static enum stj_status check_alive(const struct stj_process *p, struct stj_error *err)
{
    return p->child ? STJ_OK : stj_error_pass(&p->failure, err);
}

static enum stj_status exchange(struct stj_process *p, struct ask *ask, struct stj_error *err)
{
    const double until = stj_clock() + p->config->timeout;
    STJ_MUST(check_alive(p, err));
    STJ_MUST(send_frame(p, ask, until, err));
    return receive_frame(p, ask, until, err);
}

/* A loss of an answer, which must be a number. */
static enum stj_status take_loss(struct stj_process *p, const struct ask *ask, double *loss,
                                 struct stj_error *err)
{
    memcpy(loss, &ask->answer[0], sizeof *loss);
    return isfinite(*loss) ? STJ_OK : fail(p, ask->what, err, "answered with the loss %g", *loss);
}

/* ---- vectors ---- */

enum { AT_A_TIME = 4096 }; /* numbers that are looked at and copied while the cache has them */

static bool all_finite(size_t n, const double *x)
{
    const uint64_t exponent = UINT64_C(0x7ff) << 52;
    for (size_t i = 0; i < n; i += AT_A_TIME) {
        const size_t end = n - i < AT_A_TIME ? n : i + AT_A_TIME;
        uint64_t bad = 0;
        for (size_t k = i; k < end; k++) {
            uint64_t bits;
            memcpy(&bits, x + k, sizeof bits);
            bad |= (bits & exponent) == exponent;
        }
        if (bad)
            return false;
    }
    return true;
}

/* The n numbers of `in` that an answer has are finite. */
static enum stj_status check_numbers(struct stj_process *p, const struct ask *ask,
                                     struct stj_error *err)
{
    size_t i = 0;
    if (all_finite(ask->n_in, p->in))
        return STJ_OK;
    while (i + 1 < ask->n_in && isfinite(p->in[i]))
        i++;
    const size_t n = ask->of_samples ? p->n_samples : p->hello.n_params;
    return fail(p, ask->what, err, "answered with %g at %s %zu (of %zu), vector %zu", p->in[i],
                ask->of_samples ? "sample" : "parameter", i % n, n, i / n);
}

/* Rows [nvec][cols] of a tile to and from columns `first` .. of a block of the process. */
static void copy_out(const struct stj_layout *layout, size_t nvec, size_t first, size_t count,
                     const real *tile, double *block)
{
    for (size_t t = 0; t < layout->n_tensors; t++) {
        const struct stj_tensor_shape *s = &layout->tensor[t];
        for (size_t r = 0; r < s->rows; r++)
            for (size_t j = 0; j < count; j++) {
                const real *from = tile + s->offset * nvec + (r * nvec + first + j) * s->cols;
                double *to = block + j * layout->n_params + s->offset + r * s->cols;
                for (size_t c = 0; c < s->cols; c++)
                    to[c] = (double)from[c];
            }
    }
}

/* to[n] <- from[n]; are all of them finite? */
static bool copy_finite(size_t n, const double *from, real *to)
{
    bool finite = true;
    for (size_t i = 0; i < n; i += AT_A_TIME) {
        const size_t end = n - i < AT_A_TIME ? n : i + AT_A_TIME;
        finite = all_finite(end - i, from + i) && finite;
        for (size_t k = i; k < end; k++)
            to[k] = (real)from[k];
    }
    return finite;
}

/* The block of an answer, whose numbers are finite, into the tile. */
static enum stj_status copy_in(struct stj_process *p, const struct ask *ask,
                               const struct stj_layout *layout, size_t nvec, size_t first,
                               size_t count, real *tile, struct stj_error *err)
{
    bool finite = true;
    for (size_t t = 0; t < layout->n_tensors; t++) {
        const struct stj_tensor_shape *s = &layout->tensor[t];
        for (size_t r = 0; r < s->rows; r++)
            for (size_t j = 0; j < count; j++) {
                real *to = tile + s->offset * nvec + (r * nvec + first + j) * s->cols;
                const double *from = p->in + j * layout->n_params + s->offset + r * s->cols;
                finite = copy_finite(s->cols, from, to) && finite;
            }
    }
    return finite ? STJ_OK : check_numbers(p, ask, err);
}

static void put_theta(struct stj_process *p, const real *theta)
{
    for (size_t i = 0; i < p->hello.n_params; i++)
        p->out[i] = (double)theta[i];
}

/* ---- the beginning ---- */

/* *payload <- the hello, of *bytes that nobody knows before. */
static enum stj_status say_hello(struct stj_process *p, char **payload, size_t *bytes,
                                 struct stj_error *err)
{
    struct ask ask = {.verb = HELLO, .what = "its hello", .word = {p->memory >= 0}, .n_words = 1};
    const double until = stj_clock() + p->config->timeout;
    struct header h;
    STJ_MUST(send_frame(p, &ask, until, err));
    STJ_MUST(receive_header(p, &ask, until, &h, err));
    if (h.bytes > STJ_HELLO_MOST_BYTES)
        return fail(p, ask.what, err, "answered with %ju bytes where at most %d are expected",
                    (uintmax_t)h.bytes, STJ_HELLO_MOST_BYTES);
    *bytes = (size_t)h.bytes;
    STJ_MUST(stj_new(payload, *bytes, 1, err));
    const enum stj_child_end end = stj_child_receive(p->child, *payload, *bytes, until);
    return end == STJ_CHILD_GOOD ? STJ_OK : fail_end(p, ask.what, end, err);
}

static enum stj_status read_hello(struct stj_process *p, const char *payload, size_t bytes,
                                  struct stj_hello *hello, struct stj_error *err)
{
    struct stj_error why = STJ_ERROR_INIT;
    return stj_hello_read(payload, bytes, hello, &why) == STJ_OK
               ? STJ_OK
               : fail(p, "its hello", err, "answered what cannot be read: %s", why.text);
}

static enum stj_status compare_tensors(const struct stj_process *p, struct stj_error *err)
{
    const struct stj_shapes *said = &p->hello.tensors, *wanted = &p->config->tensors;
    for (size_t i = 0; i < said->n && wanted->n > 0; i++) {
        const bool there = i < wanted->n;
        const struct stj_sizes *a = &said->item[i].sizes;
        const struct stj_sizes *b = there ? &wanted->item[i].sizes : a;
        STJ_NEED(err,
                 there && strcmp(said->item[i].key, wanted->item[i].key) == 0 && a->n == b->n &&
                     memcmp(a->item, b->item, a->n * sizeof *a->item) == 0,
                 STJ_EMISMATCH,
                 "problem.tensors: tensor %zu of the process is '%s' of %zu numbers, which is not "
                 "what the config says; it is another problem now",
                 i, said->item[i].key, stj_hello_tensor_size(a));
    }
    STJ_NEED(err, wanted->n <= said->n, STJ_EMISMATCH,
             "problem.tensors: the config has %zu, the process %zu; it is another problem now",
             wanted->n, said->n);
    return STJ_OK;
}

static void drop_room(struct stj_process *p)
{
    if (p->shares)
        (void)munmap(p->out, p->bytes);
    else
        free(p->out);
    p->out = p->in = NULL;
    p->shares = false;
    p->longest = 0;
}

/* Room for vectors of n numbers, in two halves, in a memory of our own or shared: made when they are
 * first asked for, for a hello may say any number. */
static enum stj_status make_room(struct stj_process *p, size_t n, struct stj_error *err)
{
    struct ask ask = {.verb = SHARE, .what = "shared memory", .n_words = 2};
    const bool shared = p->shares;
    if (n <= p->longest)
        return STJ_OK;
    drop_room(p);
    p->block = BUFFER_BYTES / 8 / n < 1 ? 1 : BUFFER_BYTES / 8 / n;
    p->block = p->block < BLOCK_MOST ? p->block : BLOCK_MOST;
    STJ_MUST(stj_size_mul(2 * 8 * p->block, n, &p->bytes, err));
    const bool shares = p->memory >= 0 && p->hello.shares && p->bytes <= stj_memory_available() &&
                        stj_system_reserve(p->memory, p->bytes) == 0;
    void *at = shares ? mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->memory, 0)
                      : MAP_FAILED;
    if (at == MAP_FAILED && shared)
        return fail(p, ask.what, err,
                    "needs %zu bytes for vectors of its samples, which are not to be had",
                    p->bytes);
    if (at == MAP_FAILED)
        STJ_MUST(stj_new(&p->out, p->bytes, 1, err));
    else
        p->out = at;
    p->in = p->out + p->bytes / 2 / sizeof *p->in;
    p->longest = n;
    p->shares = at != MAP_FAILED; /* what was mapped is to be unmapped */
    ask.word[0] = p->bytes;
    ask.word[1] = p->bytes / 2;
    return p->shares ? exchange(p, &ask, err) : STJ_OK;
}

static enum stj_status process_problem_start(struct stj_process *p, struct stj_error *err)
{
    const struct stj_texts *command = &p->config->command;
    STJ_FREED char **argv = NULL;
    STJ_MUST(stj_new(&argv, command->n + 1, sizeof *argv, err));
    memcpy(argv, command->item, command->n * sizeof *argv);
#ifdef HAVE_MEMFD_CREATE
    const int made = memfd_create("spectraj", MFD_CLOEXEC);
#else
    const int made = -1; /* the numbers go through the stream */
#endif
    p->memory = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, 10);
    if (made >= 0)
        (void)close(made);
    const enum stj_status st =
        stj_child_start(argv, p->config->directory, p->memory, &p->child, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "problem.command: %.100s", argv[0]);
    return st;
}

/* ---- ranks: of those of a group one asks, and the process of another is started when it is ---- */

/* Of all ranks the last, who in a group has its one slice; where a group has one rank, each. */
static bool is_asker(void)
{
    return stj_group_size() == 1 || stj_rank() + 1 == stj_n_ranks();
}

/* data <- that of the asker, whose status this is. */
static enum stj_status tell(enum stj_status st, void *data, size_t bytes, struct stj_error *err)
{
    if (stj_group_size() == 1)
        return st;
    STJ_MUST(stj_ranks_agree(st, err));
    stj_ranks_bcast_from(stj_n_ranks() - 1, data, bytes);
    return STJ_OK;
}

/* The process is started, and what it says of itself known to all. */
static enum stj_status meet(struct stj_process *p, struct stj_error *err)
{
    STJ_FREED char *payload = NULL;
    size_t bytes = 0;
    enum stj_status st = is_asker() ? process_problem_start(p, err) : STJ_OK;
    if (st == STJ_OK && is_asker())
        st = say_hello(p, &payload, &bytes, err);
    STJ_MUST(tell(st, &bytes, sizeof bytes, err));
    st = payload ? STJ_OK : stj_new(&payload, bytes, 1, err);
    STJ_MUST(tell(st, payload, bytes, err));
    return read_hello(p, payload, bytes, &p->hello, err);
}

/* This rank's is started where it was not yet, and must be the same. */
static enum stj_status wake(struct stj_process *p, struct stj_error *err)
{
    STJ_FREED char *payload = NULL;
    struct stj_hello hello = {.n_params = 0};
    size_t bytes = 0;
    if (p->failure.code != STJ_OK)
        return check_alive(p, err);
    if (p->child)
        return make_room(p, p->hello.n_params, err);
    STJ_MUST(process_problem_start(p, err));
    STJ_MUST(say_hello(p, &payload, &bytes, err));
    enum stj_status st = read_hello(p, payload, bytes, &hello, err);
    if (st == STJ_OK &&
        (hello.n_params != p->hello.n_params || hello.fingerprint != p->hello.fingerprint))
        st = fail(p, "its hello", err, "says something else than on rank %zu", stj_n_ranks() - 1);
    stj_hello_free(&hello);
    return st == STJ_OK ? make_room(p, p->hello.n_params, err) : st;
}

/* What a program's problem would say of itself. */
static enum stj_status describe_program(const struct stj_process_config *config,
                                        struct stj_hello *hello, struct stj_error *err)
{
    const struct stj_program *program = config->program;
    size_t n = 0;
    STJ_NEED(
        err, program, STJ_EUNSUPPORTED,
        "problem.callbacks: its numbers come from functions of a program: call "
        "stj_run_create_problem there, which goes on or opens it; what is stored can be shown");
    hello->n_params = stj_problem_n_params(program->problem);
    hello->n_steps = stj_problem_n_steps(program->problem);
    hello->fingerprint = program->fingerprint;
    for (size_t i = 0; i < config->tensors.n; i++)
        n += stj_hello_tensor_size(&config->tensors.item[i].sizes);
    STJ_NEED(err, config->tensors.n == 0 || n == hello->n_params, STJ_EMISMATCH,
             "problem.tensors have %zu numbers, the program's problem has %zu parameters", n,
             hello->n_params);
    STJ_MUST(stj_new(&hello->set, 1, sizeof *hello->set, err));
    hello->n_sets = 1;
    STJ_MUST(stj_strdup(&hello->set->name, "train", err));
    STJ_MUST(stj_new(&hello->tensors.item, 1, sizeof *hello->tensors.item, err));
    hello->tensors.n = 1;
    struct stj_named_sizes *all = hello->tensors.item;
    STJ_MUST(stj_strdup(&all->key, "theta", err));
    STJ_MUST(stj_new(&all->sizes.item, 1, sizeof *all->sizes.item, err));
    all->sizes.n = 1;
    all->sizes.item[0] = hello->n_params;
    return STJ_OK;
}

enum stj_status stj_process_open(const struct stj_process_config *config,
                                 struct stj_process **process, struct stj_error *err)
{
    STJ_HELD(stj_process_close_at) struct stj_process *p = NULL;
    const uint16_t one = 1;
    STJ_NEED(err, *(const unsigned char *)&one == 1 && sizeof(double) == 8, STJ_EUNSUPPORTED,
             "problem: the numbers of another process are little-endian, this machine's are not");
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    p->config = config;
    p->failure = (struct stj_error)STJ_ERROR_INIT;
    p->memory = -1;
    if (config->callbacks) {
        STJ_MUST(describe_program(config, &p->hello, err));
        *process = p;
        p = NULL;
        return STJ_OK;
    }
    STJ_MUST(stj_turn_create(&p->turn, err));
    STJ_MUST(meet(p, err));
    STJ_MUST(compare_tensors(p, err));
    STJ_MUST(stj_new(&p->held, p->hello.n_linear, sizeof *p->held, err));
    p->n_samples = p->hello.weighs ? stj_hello_set(&p->hello, "train")->n_rows : 0;
    *process = p;
    p = NULL;
    return STJ_OK;
}

void stj_process_close(struct stj_process *p)
{
    if (!p)
        return;
    stj_child_destroy(p->child);
    drop_room(p);
    if (p->memory >= 0)
        (void)close(p->memory);
    stj_turn_destroy(p->turn);
    stj_hello_free(&p->hello);
    free(p->held);
    free(p);
}

const struct stj_hello *stj_process_hello(const struct stj_process *process)
{
    return &process->hello;
}

/* ---- verbs ---- */

static enum stj_status ask_initial(struct stj_process *p, uint64_t seed, double *theta,
                                   struct stj_error *err)
{
    const size_t n = p->hello.n_params;
    struct ask ask = {
        .verb = INITIAL, .what = "the initial parameters", .word = {seed}, .n_words = 1, .n_in = n};
    STJ_MUST(wake(p, err));
    STJ_MUST(exchange(p, &ask, err));
    STJ_MUST(check_numbers(p, &ask, err));
    memcpy(theta, p->in, n * sizeof *theta);
    return STJ_OK;
}

enum stj_status stj_process_initial(struct stj_process *p, uint64_t seed, double *theta,
                                    struct stj_error *err)
{
    const size_t bytes = p->hello.n_params * sizeof *theta;
    if (p->config->program) {
        memcpy(theta, p->config->program->theta0, bytes);
        return STJ_OK;
    }
    stj_turn_take(p->turn);
    const enum stj_status st = is_asker() ? ask_initial(p, seed, theta, err) : STJ_OK;
    stj_turn_give(p->turn);
    return tell(st, theta, bytes, err);
}

static enum stj_status ask_loss(struct stj_process *p, const struct stj_named_set *set,
                                const double *theta, double *loss, double *g, struct stj_error *err)
{
    const size_t n = p->hello.n_params;
    struct ask ask = {.verb = g ? SLOPE : LOSS,
                      .word = {(uint64_t)(set - p->hello.set)},
                      .n_words = 1,
                      .n_out = n,
                      .n_answer = 1,
                      .n_in = g ? n : 0};
    STJ_MUST(wake(p, err));
    snprintf(ask.what, sizeof ask.what, "the %sloss on '%s'", g ? "gradient of the " : "",
             set->name);
    memcpy(p->out, theta, n * sizeof *theta);
    STJ_MUST(exchange(p, &ask, err));
    STJ_MUST(check_numbers(p, &ask, err));
    if (g)
        memcpy(g, p->in, n * sizeof *g);
    return take_loss(p, &ask, loss, err);
}

enum stj_status stj_process_loss(struct stj_process *p, const struct stj_named_set *set,
                                 const double *theta, double *loss, double *g,
                                 struct stj_error *err)
{
    STJ_NEED(err, !g || p->hello.weighs, STJ_EUNSUPPORTED,
             "problem: its process does not give gradients of the loss on a data set "
             "(docs/problem-protocol.md, verb %d)",
             SLOPE);
    if (p->config->program)
        return stj_callback_problem_loss(p->config->program->problem, theta, loss, err);
    stj_turn_take(p->turn);
    enum stj_status st = is_asker() ? ask_loss(p, set, theta, loss, g, err) : STJ_OK;
    stj_turn_give(p->turn);
    st = tell(st, loss, sizeof *loss, err);
    return st == STJ_OK && g ? tell(st, g, p->hello.n_params * sizeof *g, err) : st;
}

static enum stj_status ask_gradient(struct stj_process *p, size_t step, const real *theta,
                                    double *loss, real *g, struct stj_error *err)
{
    double value = 0;
    struct ask ask = {.verb = p->hello.steps ? STEP : GRADIENT,
                      .word = {step},
                      .n_words = 1,
                      .n_out = p->hello.n_params,
                      .n_answer = 1,
                      .n_in = p->hello.n_params};
    snprintf(ask.what, sizeof ask.what, "%s %zu", p->hello.steps ? "step" : "the gradient of step",
             step);
    put_theta(p, theta);
    STJ_MUST(exchange(p, &ask, err));
    STJ_MUST(take_loss(p, &ask, &value, err));
    STJ_MUST(check_numbers(p, &ask, err));
    if (loss)
        *loss = value;
    for (size_t i = 0; g && i < p->hello.n_params; i++)
        g[i] = (real)p->in[i];
    return STJ_OK;
}

/* The process drops what it holds in a place. */
static enum stj_status forget(struct stj_process *p, size_t place, struct stj_error *err)
{
    struct ask ask = {.verb = FORGET, .what = "room for a step", .word = {place}, .n_words = 1};
    if (p->held[place].serial == 0)
        return STJ_OK;
    p->held[place].serial = 0;
    return exchange(p, &ask, err);
}

/* *place <- where the process holds the linearisation of a serial number; if need be, step t at
 * theta takes the place of the one that was not used for longest. */
static enum stj_status hold(struct stj_process *p, uint64_t serial, size_t step, const real *theta,
                            size_t *place, struct stj_error *err)
{
    size_t oldest = 0;
    struct ask ask = {.verb = LINEARIZE, .n_words = 2, .n_out = p->hello.n_params};
    for (size_t i = 0; i < p->hello.n_linear; i++) {
        if (p->held[i].serial == serial) {
            p->held[i].used = ++p->clock;
            *place = i;
            return STJ_OK;
        }
        oldest = p->held[i].used < p->held[oldest].used ? i : oldest;
    }
    STJ_MUST(forget(p, oldest, err));
    ask.word[0] = step;
    ask.word[1] = oldest;
    snprintf(ask.what, sizeof ask.what, "the linearisation of step %zu", step);
    put_theta(p, theta);
    STJ_MUST(exchange(p, &ask, err));
    p->held[oldest] = (struct held){serial, ++p->clock};
    *place = oldest;
    return STJ_OK;
}

static enum stj_status ask_products(struct stj_process *p, const struct stj_layout *layout,
                                    size_t step, size_t place, bool transposed, size_t nvec,
                                    const real *x, real *y, struct stj_error *err)
{
    const enum verb verb = !p->hello.steps ? PRODUCT : transposed ? ADJOINT : TANGENT;
    for (size_t first = 0; first < nvec; first += p->block) {
        const size_t count = nvec - first < p->block ? nvec - first : p->block;
        struct ask ask = {.verb = verb,
                          .word = {place, count},
                          .n_words = 2,
                          .n_out = count * p->hello.n_params,
                          .n_in = count * p->hello.n_params};
        snprintf(ask.what, sizeof ask.what, "products with the %s of step %zu",
                 verb == PRODUCT   ? "Hessian"
                 : verb == TANGENT ? "derivative"
                                   : "adjoint",
                 step);
        copy_out(layout, nvec, first, count, x, p->out);
        STJ_MUST(exchange(p, &ask, err));
        STJ_MUST(copy_in(p, &ask, layout, nvec, first, count, y, err));
    }
    return STJ_OK;
}

/* y, a tile, += what the tangents dot [n_samples][nvec] of weights do to the gradient. */
static enum stj_status ask_weigh(struct stj_process *p, const struct stj_layout *layout,
                                 size_t step, size_t place, size_t nvec, const real *dot, real *y,
                                 struct stj_error *err)
{
    const size_t n = p->hello.n_params;
    STJ_FREED real *tile = NULL;
    STJ_MUST(stj_new(&tile, n * nvec, sizeof *tile, err));
    STJ_MUST(make_room(p, p->n_samples, err));
    for (size_t first = 0; first < nvec; first += p->block) {
        const size_t count = nvec - first < p->block ? nvec - first : p->block;
        struct ask ask = {.verb = WEIGH,
                          .word = {place, count},
                          .n_words = 2,
                          .n_out = count * p->n_samples,
                          .n_in = count * n};
        snprintf(ask.what, sizeof ask.what, "tangents of weights of step %zu", step);
        for (size_t i = 0; i < p->n_samples; i++)
            for (size_t j = 0; j < count; j++)
                p->out[j * p->n_samples + i] = (double)dot[i * nvec + first + j];
        STJ_MUST(exchange(p, &ask, err));
        STJ_MUST(copy_in(p, &ask, layout, nvec, first, count, tile, err));
    }
    for (size_t i = 0; i < n * nvec; i++)
        y[i] += tile[i];
    return STJ_OK;
}

/* bar [n_samples][nvec] += the transposed, of the tile x. */
static enum stj_status ask_unweigh(struct stj_process *p, const struct stj_layout *layout,
                                   size_t step, size_t place, size_t nvec, const real *x, real *bar,
                                   struct stj_error *err)
{
    STJ_MUST(make_room(p, p->n_samples, err));
    for (size_t first = 0; first < nvec; first += p->block) {
        const size_t count = nvec - first < p->block ? nvec - first : p->block;
        struct ask ask = {.verb = UNWEIGH,
                          .word = {place, count},
                          .n_words = 2,
                          .n_out = count * p->hello.n_params,
                          .n_in = count * p->n_samples,
                          .of_samples = true};
        snprintf(ask.what, sizeof ask.what, "adjoints of weights of step %zu", step);
        copy_out(layout, nvec, first, count, x, p->out);
        STJ_MUST(exchange(p, &ask, err));
        STJ_MUST(check_numbers(p, &ask, err));
        for (size_t i = 0; i < p->n_samples; i++)
            for (size_t j = 0; j < count; j++)
                bar[i * nvec + first + j] += (real)p->in[j * p->n_samples + i];
    }
    return STJ_OK;
}

/* ---- the problem ---- */

struct process_problem {
    struct stj_process *process; /* borrowed; NULL: sizes alone */
    const struct stj_layout *layout;
    double *shift; /* [n_samples], owned: of the weights from 1; NULL: they are 1 */
};

/* Where weights are known, all samples, in one slice: in which step each is, the process knows. */
static size_t process_n_rows(const void *self, size_t step)
{
    const struct process_problem *p = self;
    (void)step;
    return p->process && p->process->n_samples ? p->process->n_samples : 1;
}

enum { SERIAL_REALS = sizeof(uint64_t) / sizeof(real) };

static size_t process_n_linear(const void *self)
{
    (void)self;
    return SERIAL_REALS;
}

static size_t process_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    (void)self;
    (void)n_rows;
    (void)nvec;
    return 0;
}

/* g += what weights other than 1 add, in which a loss is linear. */
static enum stj_status add_weighted(const struct process_problem *p, uint64_t serial, size_t step,
                                    const real *theta, real *g, struct stj_error *err)
{
    const size_t n = p->process->n_samples;
    STJ_FREED real *dot = NULL;
    size_t place = 0;
    STJ_MUST(stj_new(&dot, n, sizeof *dot, err));
    for (size_t i = 0; i < n; i++)
        dot[i] = (real)p->shift[i];
    STJ_MUST(hold(p->process, serial, step, theta, &place, err));
    return ask_weigh(p->process, p->layout, step, place, 1, dot, g, err);
}

static enum stj_status process_linearize(const void *self, size_t step, struct stj_slice slice,
                                         const real *theta, real *lin, double *loss, real *g,
                                         real *scratch, struct stj_error *err)
{
    const struct process_problem *p = self;
    enum stj_status st = STJ_OK;
    (void)slice;
    (void)scratch;
    STJ_NEED(err, p->process, STJ_EINTERNAL, "the process was not started");
    stj_turn_take(p->process->turn);
    const uint64_t serial = (uint64_t)stj_rank() << 48 | ++p->process->serial;
    if (lin)
        memcpy(lin, &serial, sizeof serial);
    if (loss || g)
        st = wake(p->process, err);
    if (st == STJ_OK && (loss || g))
        st = ask_gradient(p->process, step, theta, loss, g, err);
    if (st == STJ_OK && g && p->shift)
        st = add_weighted(p, serial, step, theta, g, err);
    stj_turn_give(p->process->turn);
    return st;
}

static enum stj_status process_hvp(const void *self, size_t step, struct stj_slice slice,
                                   const real *theta, const real *lin, size_t nvec, const real *x,
                                   real *y, real *scratch, struct stj_error *err)
{
    const struct process_problem *p = self;
    uint64_t serial = 0;
    size_t place = 0;
    (void)scratch;
    STJ_NEED(err, p->process, STJ_EINTERNAL, "the process was not started");
    STJ_MUST(stj_slice_check(&slice, true, err));
    memcpy(&serial, lin, sizeof serial);
    stj_turn_take(p->process->turn);
    enum stj_status st = wake(p->process, err);
    if (st == STJ_OK)
        st = hold(p->process, serial, step, theta, &place, err);
    if (st == STJ_OK)
        st = ask_products(p->process, p->layout, step, place, slice.transposed, nvec, x, y, err);
    if (st == STJ_OK && slice.given && slice.given->dot)
        st = ask_weigh(p->process, p->layout, step, place, nvec, slice.given->dot, y, err);
    if (st == STJ_OK && slice.given && slice.given->bar)
        st = ask_unweigh(p->process, p->layout, step, place, nvec, x, slice.given->bar, err);
    stj_turn_give(p->process->turn);
    return st;
}

static enum stj_status process_given(const void *self, enum stj_given given,
                                     struct stj_given_shape *shape, struct stj_error *err)
{
    const struct process_problem *p = self;
    STJ_NEED(err, given == STJ_GIVEN_WEIGHTS, STJ_EUNSUPPORTED,
             "%s need a problem that is a network and its data; this one is another process",
             stj_given_name(given));
    STJ_NEED(err, p->process && p->process->n_samples, STJ_EUNSUPPORTED,
             "%s need a network and its data, or a process that knows them "
             "(docs/problem-protocol.md, verbs %d to %d); this one does not",
             stj_given_name(given), SLOPE, UNWEIGH);
    *shape = (struct stj_given_shape){
        .n_samples = p->process->n_samples, .width = 1, .cols = 1, .size = 1};
    return STJ_OK;
}

static void process_destroy(void *self)
{
    free(((struct process_problem *)self)->shift);
    free(self);
}

static enum stj_status process_vary(const void *self, enum stj_given given, const double *shift,
                                    void **varied, struct stj_error *err)
{
    STJ_FREED struct process_problem *p = NULL;
    (void)given; /* weights, or it was refused */
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    *p = *(const struct process_problem *)self;
    p->shift = NULL;
    if (shift) {
        const size_t n = p->process->n_samples;
        STJ_MUST(stj_new(&p->shift, n, sizeof *p->shift, err));
        memcpy(p->shift, shift, n * sizeof *p->shift);
    }
    *varied = p;
    p = NULL;
    return STJ_OK;
}

static const struct stj_problem_ops process_ops = {
    .destroy = process_destroy,
    .n_rows = process_n_rows,
    .n_linear = process_n_linear,
    .n_scratch = process_n_scratch,
    .linearize = process_linearize,
    .hvp = process_hvp,
    .given = process_given,
    .vary = process_vary,
};

enum stj_status stj_process_problem_create(struct stj_process *process,
                                           const struct stj_layout *layout, size_t n_steps,
                                           struct stj_problem **problem, struct stj_error *err)
{
    STJ_FREED struct process_problem *self = NULL;
    if (process && process->config->program)
        return stj_callback_problem_place(process->config->program->problem, layout, n_steps,
                                          problem, err);
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    STJ_MUST(stj_new(problem, 1, sizeof **problem, err));
    *self = (struct process_problem){.process = process, .layout = layout};
    const size_t n_rows = process_n_rows(self, 0);
    **problem = (struct stj_problem){.ops = &process_ops,
                                     .self = self,
                                     .n_steps = n_steps,
                                     .max_rows = n_rows,
                                     .layout = layout,
                                     .least_rows = n_rows,
                                     .one_rank = true};
    self = NULL;
    return STJ_OK;
}
