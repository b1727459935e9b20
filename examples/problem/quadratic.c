/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/problem/quadratic.c: the other end of docs/problem-protocol.md in plain C: a problem whose
 * gradients and Hessian products spectraj asks this process for.
 *
 *     cc -O2 -o quadratic quadratic.c
 *     spectraj train quadratic.yaml -o RUN; spectraj svd RUN --top 3
 *
 *     L_t(theta) = sum_i d_i(t)/2 (theta_i - 1)^2 + theta_i^4/40  +  (u . theta)^2 / 2
 *
 * with d_i(t) = (1 + (i + t) mod 5)/4 and u_i = 1/sqrt(N).  What a step is linearised to are the N
 * second derivatives of its sum, which are kept until they are forgotten.  An argument is the number
 * of parameters of the tensor a.weight, [N/4][4].  Numbers are little-endian: so is this machine.
 *
 * Of the sum's terms, those with i mod 10 = s are the loss of sample s of the training set: what their
 * weights do is known (`spectraj influence`).
 *
 * With a second argument, `step`, it takes steps of its own in place of gradients (and the config says
 * `optimizer: own_step`), here down the gradient and around:
 *
 *     F_t(theta) = theta - (grad L_t(theta) + S theta)/20,     (S x)_i = (x_{i+1} - x_{i-1})/2
 *
 * S' = -S, so the derivative of a step is not symmetric.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HELLO = 1,
    SHARE,
    INITIAL,
    GRADIENT,
    LINEARIZE,
    FORGET,
    PRODUCT,
    LOSS,
    STEP,
    TANGENT,
    ADJOINT,
    SLOPE,
    WEIGH,
    UNWEIGH
};
enum { SHARED_FD = 3, MOST_HELD = 16, N_STEPS = 1000000, SAMPLES = 10 };

struct header {
    char magic[4];
    uint16_t version, verb;
    uint64_t number, bytes;
    uint32_t status, flags;
};

static uint64_t n_weight = 12, n; /* with bias[4] and scale */
static double *held[MOST_HELD];   /* second and first derivatives of the sums of linearised steps */
static double *vectors, *answers; /* where they come and go: shared, or our own */
static int shares, steps;

static void read_all(void *data, size_t bytes)
{
    for (char *to = data; bytes > 0;) {
        const ssize_t got = read(STDIN_FILENO, to, bytes);
        if (got <= 0)
            exit(got == 0 ? 0 : 1); /* spectraj is done with us */
        to += got;
        bytes -= (size_t)got;
    }
}

static void write_all(const void *data, size_t bytes)
{
    for (const char *from = data; bytes > 0;) {
        const ssize_t put = write(STDOUT_FILENO, from, bytes);
        if (put <= 0)
            exit(1);
        from += put;
        bytes -= (size_t)put;
    }
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "quadratic: out of memory\n");
        exit(1);
    }
    return p;
}

/* An answer: words of 8 bytes, then numbers, which stay where they are when they are shared. */
static void answer(struct header h, const void *words, size_t n_words, size_t n_numbers)
{
    h.bytes = 8 * (n_words + (shares ? 0 : n_numbers));
    h.status = 0;
    write_all(&h, sizeof h);
    write_all(words, 8 * n_words);
    if (!shares)
        write_all(answers, 8 * n_numbers);
}

static void refuse(struct header h, const char *why)
{
    h.bytes = strlen(why);
    h.status = 1;
    write_all(&h, sizeof h);
    write_all(why, h.bytes);
}

static size_t put(char *to, size_t at, uint64_t value, size_t bytes)
{
    memcpy(to + at, &value, bytes);
    return at + bytes;
}

static size_t put_tensor(char *to, size_t at, const char *name, size_t n_axes, uint64_t a,
                         uint64_t b)
{
    at = put(to, at, strlen(name), 2);
    at = put(to, at, n_axes, 2);
    at = n_axes > 0 ? put(to, at, a, 8) : at;
    at = n_axes > 1 ? put(to, at, b, 8) : at;
    memcpy(to + at, name, strlen(name));
    return at + strlen(name);
}

static size_t put_set(char *to, size_t at, const char *name, uint64_t n_rows)
{
    at = put(to, at, strlen(name), 4);
    at = put(to, at, n_rows, 8);
    memcpy(to + at, name, strlen(name));
    return at + strlen(name);
}

static void say_hello(struct header h)
{
    char hello[512];
    /* We can share memory; our steps are our own, or we know samples. */
    size_t at = put(hello, 0, steps ? 3 : 5, 4);
    at = put(hello, at, MOST_HELD, 4); /* linearisations at once */
    at = put(hello, at, N_STEPS, 8);
    at = put(hello, at, 0x71756164, 8); /* what our numbers depend on: here nothing */
    at = put(hello, at, 3, 8);          /* tensors */
    at = put(hello, at, 2, 8);          /* data sets */
    at = put_tensor(hello, at, "a.weight", 2, n_weight / 4, 4);
    at = put_tensor(hello, at, "a.bias", 1, 4, 0);
    at = put_tensor(hello, at, "scale", 0, 0, 0);
    at = put_set(hello, at, "train", SAMPLES);
    at = put_set(hello, at, "test", 5);
    h.bytes = at;
    write_all(&h, sizeof h);
    write_all(hello, at);
}

/* Once, or again where vectors of samples are longer than those of parameters. */
static void share(struct header h, const uint64_t word[2])
{
    static size_t bytes;
    if (shares)
        munmap(vectors, bytes);
    bytes = word[0];
    char *memory = mmap(NULL, word[0], PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
    if (memory == MAP_FAILED) {
        refuse(h, "cannot map the shared memory");
        return;
    }
    vectors = (double *)(void *)memory;
    answers = (double *)(void *)(memory + word[1]);
    shares = 1;
    answer(h, NULL, 0, 0);
}

static double slope(uint64_t i, uint64_t step)
{
    return (double)(1 + (i + step) % 5) / 4;
}

/* The loss, and where `g` is not NULL its gradient. */
static double loss_at(uint64_t step, const double *theta, double *g)
{
    double loss = 0, dot = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double x = theta[i];
        loss += slope(i, step) / 2 * (x - 1) * (x - 1) + x * x * x * x / 40;
        dot += x / sqrt((double)n);
    }
    for (uint64_t i = 0; g && i < n; i++)
        g[i] = slope(i, step) * (theta[i] - 1) + theta[i] * theta[i] * theta[i] / 10 +
               dot / sqrt((double)n);
    return loss + dot * dot / 2;
}

/* (S x)_i */
static double turn(const double *x, uint64_t i)
{
    return ((i + 1 < n ? x[i + 1] : 0) - (i > 0 ? x[i - 1] : 0)) / 2;
}

/* The loss before a step of our own, and where it leads. */
static double take_step(uint64_t step)
{
    const double loss = loss_at(step, vectors, answers);
    for (uint64_t i = 0; i < n; i++)
        answers[i] = vectors[i] - (answers[i] + turn(vectors, i)) / 20;
    return loss;
}

static void linearize(struct header h, uint64_t step, uint64_t place)
{
    double *d = held[place] = need(malloc(16 * n));
    for (uint64_t i = 0; i < n; i++) {
        const double x = vectors[i];
        d[i] = slope(i, step) + 3 * x * x / 10;
        d[n + i] = slope(i, step) * (x - 1) + x * x * x / 10;
    }
    answer(h, NULL, 0, 0);
}

static void multiply(struct header h, uint64_t place, uint64_t n_vectors)
{
    const double *d = held[place], u = 1 / sqrt((double)n);
    for (uint64_t k = 0; k < n_vectors; k++) {
        const double *x = vectors + k * n;
        double *y = answers + k * n, dot = 0;
        for (uint64_t i = 0; i < n; i++)
            dot += u * x[i];
        for (uint64_t i = 0; i < n; i++)
            y[i] = d[i] * x[i] + u * dot;
        for (uint64_t i = 0; steps && i < n; i++)
            y[i] = x[i] - (y[i] + (h.verb == ADJOINT ? -1 : 1) * turn(x, i)) / 20;
    }
    answer(h, NULL, 0, n_vectors * n);
}

/* What tangents of the samples' weights do to the gradient, or the transposed. */
static void weigh(struct header h, uint64_t place, uint64_t n_vectors)
{
    const double *first = held[place] + n;
    const size_t length = h.verb == WEIGH ? n : SAMPLES;
    for (uint64_t k = 0; k < n_vectors; k++) {
        const double *x = vectors + k * (h.verb == WEIGH ? SAMPLES : n);
        double *y = answers + k * length;
        memset(y, 0, length * sizeof *y);
        for (uint64_t i = 0; i < n; i++)
            if (h.verb == WEIGH)
                y[i] = x[i % SAMPLES] * first[i];
            else
                y[i % SAMPLES] += x[i] * first[i];
    }
    answer(h, NULL, 0, n_vectors * length);
}

static void forget(struct header h, uint64_t place)
{
    free(held[place]);
    held[place] = NULL;
    answer(h, NULL, 0, 0);
}

/* theta_0 of a seed: any numbers, as long as they are the same every time. */
static void initial(struct header h, uint64_t seed)
{
    for (uint64_t i = 0; i < n; i++)
        answers[i] = sin((double)(i + 17 * seed));
    answer(h, NULL, 0, n);
}

/* Words of 8 bytes, and vectors of n numbers behind them, that a request has. */
static void read_request(const struct header *h, uint64_t word[3])
{
    const size_t n_words[] = {0, 1, 2, 1, 1, 2, 1, 2, 1, 1, 2, 2, 1, 2, 2};
    if (memcmp(h->magic, "STJP", 4) != 0 || h->version != 1 || h->verb < HELLO ||
        h->verb > UNWEIGH) {
        fprintf(stderr, "quadratic: not a request that is known here\n");
        exit(1);
    }
    read_all(word, 8 * n_words[h->verb]);
    const size_t rest = h->bytes - 8 * n_words[h->verb];
    static size_t room; /* bytes for vectors of our own, both ways */
    const size_t most = 8 * 8 * (n > SAMPLES ? n : SAMPLES); /* blocks have 8 vectors at most */
    const size_t wanted = rest > most ? rest : most;
    if (!shares && wanted > room) {
        free(vectors);
        free(answers);
        vectors = need(malloc(wanted));
        answers = need(malloc(wanted));
        room = wanted;
    }
    read_all(vectors, shares ? 0 : rest);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        n_weight = strtoull(argv[1], NULL, 10) / 4 * 4;
    steps = argc > 2 && strcmp(argv[2], "step") == 0;
    n = n_weight + 4 + 1;
    for (;;) {
        struct header h;
        uint64_t word[3] = {0};
        double loss = 0;
        read_all(&h, sizeof h);
        read_request(&h, word);
        if (h.verb == HELLO)
            say_hello(h);
        else if (h.verb == SHARE)
            share(h, word);
        else if (h.verb == INITIAL)
            initial(h, word[0]);
        else if (h.verb == GRADIENT) {
            loss = loss_at(word[0], vectors, answers);
            answer(h, &loss, 1, n);
        } else if (h.verb == SLOPE) {
            loss = loss_at(word[0], vectors, answers);
            answer(h, &loss, 1, n);
        } else if (h.verb == STEP) {
            loss = take_step(word[0]);
            answer(h, &loss, 1, n);
        } else if (h.verb == LINEARIZE)
            linearize(h, word[0], word[1]);
        else if (h.verb == FORGET)
            forget(h, word[0]);
        else if (h.verb == PRODUCT || h.verb == TANGENT || h.verb == ADJOINT)
            multiply(h, word[0], word[1]);
        else if (h.verb == WEIGH || h.verb == UNWEIGH)
            weigh(h, word[0], word[1]);
        else { /* LOSS: of set 0 or 1 */
            loss = loss_at(word[0], vectors, NULL);
            answer(h, &loss, 1, 0);
        }
    }
}
