/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/bridge.c: what a problem in another process costs beside its own work: products of 8 vectors of 1e6
 * numbers with a process that answers at once, and the copying of the same vectors there and back. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "train/process_problem.h"

enum { N = 1000000, BLOCK = 8, REPEATS = 15, HELLO = 1, SHARE, GRADIENT = 4, PRODUCT = 7 };

static char *room;
static size_t room_bytes;

static void move(int fd, char *data, size_t bytes, int out)
{
    while (bytes > 0) {
        const ssize_t n = out ? write(fd, data, bytes) : read(fd, data, bytes);
        if (n <= 0)
            exit(0);
        data += n;
        bytes -= (size_t)n;
    }
}

/* The other end; `shares`: it takes shared memory. */
static void serve(int shares)
{
    char head[32];
    static const char names[] =
        "\x01\0\x01\0\x40\x42\x0f\0\0\0\0\0w\x05\0\0\0\x01\0\0\0\0\0\0\0train";
    for (;;) {
        uint16_t verb = 0;
        uint64_t bytes = 0, back = 0;
        move(0, head, sizeof head, 0);
        memcpy(&verb, head + 6, sizeof verb);
        memcpy(&bytes, head + 16, sizeof bytes);
        if (bytes > room_bytes)
            room = realloc(room, room_bytes = bytes);
        move(0, room, bytes, 0);
        const int in_memory = head[28] & 1;
        if (verb == HELLO) {
            const uint64_t hello[5] = {(uint64_t)shares | (uint64_t)4 << 32, 0, 1, 1, 1};
            room = realloc(room, room_bytes = 1 << 20);
            memcpy(room, hello, sizeof hello);
            memcpy(room + sizeof hello, names, sizeof names - 1);
            back = sizeof hello + sizeof names - 1;
        } else if (verb == PRODUCT && !in_memory) {
            back = bytes - 16;
        }
        memcpy(head + 16, &back, sizeof back);
        memset(head + 24, 0, 8);
        move(1, head, sizeof head, 1);
        move(1, room + (verb == PRODUCT ? 16 : 0), back, 1);
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double copy_once(const double *x, double *y, double *there)
{
    const double start = stj_clock();
    memcpy(there, x, sizeof *x * N * BLOCK);
    memcpy(y, there + N * BLOCK, sizeof *y * N * BLOCK);
    return stj_clock() - start;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        serve(atoi(argv[1]));
        return 0;
    }
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_tensor_shape tensor = {.rows = 1, .cols = N};
    const struct stj_layout layout = {N, 1, &tensor};
    double *x = calloc((size_t)N * BLOCK, sizeof *x), *y = calloc((size_t)N * BLOCK, sizeof *y);
    double *there = malloc(sizeof *there * 2 * N * BLOCK), copied[REPEATS], took[REPEATS];
    if (!x || !y || !there)
        return 1;
    memset(there, 0, sizeof *there * 2 * N * BLOCK);
    for (size_t i = 0; i < (size_t)N * BLOCK; i++) /* pages of their own, not the one of zeros */
        x[i] = y[i] = 1;
    for (int i = 0; i < REPEATS; i++)
        copied[i] = copy_once(x, y, there);
    qsort(copied, REPEATS, sizeof *copied, compare);
    const double least = copied[REPEATS / 2];
    printf("copying 8 vectors of 1e6 numbers there and back   %6.1f ms\n", 1e3 * least);
    for (int shares = 1; shares >= 0; shares--) {
        char *command[] = {argv[0], shares ? (char[]){"1"} : (char[]){"0"}};
        char here[] = ".";
        struct stj_process_config config = {
            .command = {2, command}, .directory = here, .timeout = 60};
        struct stj_process *process = NULL;
        struct stj_problem *problem = NULL;
        double lin = 0;
        const struct stj_slice all = {.first = 0, .n = 1};
        if (stj_process_open(&config, &process, &err) != STJ_OK ||
            stj_process_problem_create(process, &layout, 1, &problem, &err) != STJ_OK ||
            problem->ops->linearize(problem->self, 0, all, x, &lin, NULL, NULL, NULL, &err) !=
                STJ_OK) {
            fprintf(stderr, "bridge: %s\n", err.text);
            return 1;
        }
        for (int i = 0; i < REPEATS; i++) {
            const double start = stj_clock();
            if (problem->ops->hvp(problem->self, 0, all, x, &lin, BLOCK, x, y, NULL, &err) !=
                STJ_OK) {
                fprintf(stderr, "bridge: %s\n", err.text);
                return 1;
            }
            took[i] = stj_clock() - start;
        }
        qsort(took, REPEATS, sizeof *took, compare);
        printf("a product through %-30s  %6.1f ms, %.2f times that\n",
               shares ? "shared memory" : "the stream", 1e3 * took[REPEATS / 2],
               took[REPEATS / 2] / least);
        stj_problem_destroy(problem);
        stj_process_close(process);
    }
    free(x);
    free(y);
    free(there);
    return 0;
}
