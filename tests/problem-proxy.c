/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/problem-proxy.c: between spectraj and the process of a problem: hands frames on, and does something
 * wrong once.
 *
 *     problem-proxy FAULT VERB COUNT COMMAND [ARGUMENT]...
 *
 * At the COUNT-th request with that verb (a number) the answer is made wrong.  Vectors follow their
 * frames: shared memory is not for it, and the process is not told of any.  PROXY_LOG: a file that gets
 * the verb of every request; PROXY_PID: one that gets its process id.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELLO = 1, HEADER_BYTES = 32 };

static int to_process, from_process;

static void take(int fd, void *data, size_t bytes)
{
    for (char *to = data; bytes > 0;) {
        const ssize_t n = read(fd, to, bytes);
        if (n <= 0)
            exit(0);
        to += n;
        bytes -= (size_t)n;
    }
}

static void give(int fd, const void *data, size_t bytes)
{
    for (const char *from = data; bytes > 0;) {
        const ssize_t n = write(fd, from, bytes);
        if (n <= 0)
            exit(0);
        from += n;
        bytes -= (size_t)n;
    }
}

static void start(char **argv)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0)
        exit(99);
    if (fork() == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        execvp(argv[0], argv);
        _exit(99);
    }
    close(down[0]);
    close(up[1]);
    to_process = down[1];
    from_process = up[0];
}

/* A frame in room for it, with its header. */
static char *frame;
static size_t frame_bytes;
static void take_frame(int fd)
{
    static size_t room;
    char header[HEADER_BYTES];
    uint64_t bytes = 0;
    take(fd, header, sizeof header);
    memcpy(&bytes, header + 16, sizeof bytes);
    frame_bytes = HEADER_BYTES + (size_t)bytes;
    if (frame_bytes > room)
        frame = realloc(frame, room = frame_bytes);
    memcpy(frame, header, sizeof header);
    take(fd, frame + HEADER_BYTES, (size_t)bytes);
}

static void set_word(size_t at, uint64_t value, size_t bytes)
{
    memcpy(frame + at, &value, bytes);
}

static void note(const char *variable, const char *mode, long value)
{
    const char *path = getenv(variable);
    FILE *file = path ? fopen(path, mode) : NULL;
    if (file) {
        fprintf(file, "%ld\n", value);
        fclose(file);
    }
}

static void do_wrong(const char *fault)
{
    const uint64_t nan_bits = UINT64_C(0x7ff8000000000000);
    static const char why[] = "there is no memory\nfor that";
    if (strcmp(fault, "exit") == 0) {
        fprintf(stderr, "first line\nValueError: a\tbad value\n");
        exit(3);
    } else if (strcmp(fault, "kill") == 0) {
        raise(SIGKILL);
    } else if (strcmp(fault, "hang") == 0) {
        for (;;)
            pause();
    } else if (strcmp(fault, "text") == 0) {
        memset(frame, 'x', HEADER_BYTES);
    } else if (strcmp(fault, "version") == 0) {
        set_word(4, 2, 2);
    } else if (strcmp(fault, "number") == 0) {
        set_word(8, 4711, 8);
    } else if (strcmp(fault, "long") == 0) {
        set_word(16, frame_bytes - HEADER_BYTES + 8, 8);
    } else if (strcmp(fault, "huge") == 0) {
        set_word(16, UINT64_MAX / 2, 8);
    } else if (strcmp(fault, "loss") == 0) {
        set_word(HEADER_BYTES, nan_bits, 8);
    } else if (strcmp(fault, "vector") == 0) {
        set_word(frame_bytes - 8, nan_bits, 8);
    } else if (strcmp(fault, "refuse") == 0) {
        set_word(16, sizeof why - 1, 8);
        set_word(24, 1, 4);
        memcpy(frame + HEADER_BYTES, why, sizeof why - 1);
        frame_bytes = HEADER_BYTES + sizeof why - 1;
    } else if (strcmp(fault, "cut") == 0) {
        give(1, frame, frame_bytes - 4);
        exit(0);
    } else if (strcmp(fault, "fingerprint") == 0) {
        set_word(HEADER_BYTES + 16, 1, 8);
    } else if (strcmp(fault, "samples") == 0) { /* of the quadratic: `train` has 1e9 rows */
        const size_t head = 40, tensors = 28 + 18 + 9;
        set_word(HEADER_BYTES + head + tensors + 4, 1000000000, 8);
    } else if (strcmp(fault, "steps") == 0) {
        set_word(HEADER_BYTES + 8, 3, 8);
    }
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return 0; /* run as the tests are: it is problem.sh that has work for it */
    if (argc < 5)
        return 99;
    const unsigned long verb = strtoul(argv[2], NULL, 10);
    unsigned long left = strtoul(argv[3], NULL, 10);
    note("PROXY_PID", "w", (long)getpid());
    start(argv + 4);
    for (;;) {
        uint16_t asked = 0;
        take_frame(0);
        memcpy(&asked, frame + 6, sizeof asked);
        note("PROXY_LOG", "a", asked);
        give(to_process, frame, frame_bytes);
        take_frame(from_process);
        if (asked == HELLO)
            set_word(HEADER_BYTES, (unsigned char)frame[HEADER_BYTES] & 6u, 4); /* nothing shared */
        if (asked == verb && left > 0 && --left == 0)
            do_wrong(argv[1]);
        give(1, frame, frame_bytes);
    }
}
