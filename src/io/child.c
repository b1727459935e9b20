/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/child.c: starting a process, speaking with it, and how it ended. */
#include "base/system.h"

#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE takes its place */
#endif
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0 /* move_up sets it a moment later */
#endif

enum { LINE_BYTES = 256, FIRST_FREE = 10, GIVEN = 3, MOST_FILES = 1 << 16 };

struct stj_child {
    pid_t pid; /* 0: it was waited for */
    int status;
    int stream, errors;    /* -1: closed */
    bool hangs;            /* it was waited for in vain */
    char line[LINE_BYTES]; /* the last that was whole, or what has come of one */
    char unfinished[LINE_BYTES];
    size_t n_unfinished;
};

/* ---- starting ---- */

static void close_at(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Above the descriptors that the child is given, where dup2 does not meet itself. */
static int move_up(int fd)
{
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
    (void)close(fd);
    return moved;
}

/* ours, theirs <- a stream for 0 and 1, and one for 2; an errno. */
static int open_streams(int ours[2], int theirs[2])
{
    int pair[2], tube[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return errno;
    ours[0] = move_up(pair[0]);
    theirs[0] = move_up(pair[1]);
#ifdef HAVE_PIPE2
    if (pipe2(tube, O_CLOEXEC) != 0)
#else
    if (pipe(tube) != 0)
#endif
        return errno;
    ours[1] = move_up(tube[0]);
    theirs[1] = move_up(tube[1]);
    if (ours[0] < 0 || ours[1] < 0 || theirs[0] < 0 || theirs[1] < 0)
        return errno;
    const bool quick =
        fcntl(ours[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(ours[1], F_SETFL, O_NONBLOCK) == 0;
    return quick ? 0 : errno;
}

/* A larger buffer than the usual saves turns; that it is refused makes no difference else. */
static void child_widen(int fd)
{
    const int bytes = 1 << 20;
#ifdef SO_NOSIGPIPE
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* Nothing but what the child is given stays open there. */
static int close_from(posix_spawn_file_actions_t *files, int first)
{
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
    return posix_spawn_file_actions_addclosefrom_np(files, first);
#else
    const long most = sysconf(_SC_OPEN_MAX);
    int bad = 0;
    for (int fd = first; fd < most && fd < MOST_FILES && !bad; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            bad = posix_spawn_file_actions_addclose(files, fd);
    }
    return bad;
#endif
}

static int set_files(posix_spawn_file_actions_t *files, const int theirs[2], int given)
{
    int bad = posix_spawn_file_actions_adddup2(files, theirs[0], 0);
    bad = bad ? bad : posix_spawn_file_actions_adddup2(files, theirs[0], 1);
    bad = bad ? bad : posix_spawn_file_actions_adddup2(files, theirs[1], 2);
    if (given >= 0)
        bad = bad ? bad : posix_spawn_file_actions_adddup2(files, given, GIVEN);
    return bad ? bad : close_from(files, given >= 0 ? GIVEN + 1 : 3);
}

/* A group of its own, all signals as a new process has them. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int bad = posix_spawnattr_setsigmask(attributes, &none);
    bad = bad ? bad : posix_spawnattr_setsigdefault(attributes, &all);
    bad = bad ? bad : posix_spawnattr_setpgroup(attributes, 0);
    const short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return bad ? bad : posix_spawnattr_setflags(attributes, flags);
}

/* The program, in the folder: where it cannot be started there, a shell goes there first. */
static int spawn_in(const char *directory, posix_spawn_file_actions_t *files,
                    const posix_spawnattr_t *attributes, char *const *argv, pid_t *pid)
{
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCHDIR_NP
    const int bad = posix_spawn_file_actions_addchdir_np(files, directory);
    return bad ? bad
               : posix_spawnp(pid, argv[0], files, attributes, argv, stj_system_environment());
#else
    char shell[] = "/bin/sh", option[] = "-c", command[] = "cd -- \"$0\" && exec \"$@\"";
    STJ_FREED char *folder = NULL;
    STJ_FREED char **words = NULL;
    size_t n = 0;
    if (access(directory, X_OK) != 0 || (argv[0][0] == '/' && access(argv[0], X_OK) != 0))
        return errno; /* what the shell would say is not told apart from what the program says */
    while (argv[n])
        n++;
    if (stj_strdup(&folder, directory, NULL) != STJ_OK ||
        stj_new(&words, n + 5, sizeof *words, NULL) != STJ_OK)
        return ENOMEM;
    memcpy(words, (char *[]){shell, option, command, folder}, 4 * sizeof *words);
    memcpy(words + 4, argv, n * sizeof *words);
    return posix_spawn(pid, shell, files, attributes, words, stj_system_environment());
#endif
}

static int spawn(struct stj_child *child, char *const *argv, const char *directory, int given,
                 const int theirs[2])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int bad = posix_spawn_file_actions_init(&files);
    if (bad)
        return bad;
    bad = posix_spawnattr_init(&attributes);
    if (!bad) {
        bad = set_files(&files, theirs, given);
        bad = bad ? bad : set_attributes(&attributes);
        bad = bad ? bad : spawn_in(directory, &files, &attributes, argv, &child->pid);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    if (bad)
        child->pid = 0;
    return bad;
}

enum stj_status stj_child_start(char *const *argv, const char *directory, int given,
                                struct stj_child **child, struct stj_error *err)
{
    struct stj_child *made = NULL;
    int ours[2] = {-1, -1}, theirs[2] = {-1, -1};
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    int bad = open_streams(ours, theirs);
    made->stream = ours[0];
    made->errors = ours[1];
    if (!bad) {
        child_widen(made->stream);
        child_widen(theirs[0]);
        bad = spawn(made, argv, directory, given, theirs);
    }
    close_at(&theirs[0]);
    close_at(&theirs[1]);
    if (bad) {
        stj_child_destroy(made);
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "cannot be started in %s: %s",
                             directory, strerror(bad));
    }
    *child = made;
    return STJ_OK;
}

/* ---- its end ---- */

/* Has it ended, within so many seconds? */
static bool wait_for(struct stj_child *child, double seconds)
{
    const double until = stj_clock() + seconds;
    const struct timespec moment = {.tv_nsec = 2000000};
    while (child->pid > 0) {
        const pid_t got = waitpid(child->pid, &child->status, WNOHANG);
        if (got == child->pid || (got < 0 && errno != EINTR))
            child->pid = 0;
        else if (stj_clock() > until)
            return false;
        else
            (void)nanosleep(&moment, NULL);
    }
    return true;
}

static void end(struct stj_child *child, double patience)
{
    const pid_t group = child->pid;
    close_at(&child->stream);
    if (group <= 0 || wait_for(child, child->hangs ? 0 : patience))
        return;
    (void)kill(-group, SIGKILL);
    (void)wait_for(child, 10);
}

void stj_child_destroy(struct stj_child *child)
{
    const double patience = 2; /* seconds, for one that tidies up */
    if (!child)
        return;
    end(child, patience);
    close_at(&child->errors);
    free(child);
}

/* ---- standard error ---- */

static void keep_line(struct stj_child *child)
{
    while (child->n_unfinished > 0 && child->unfinished[child->n_unfinished - 1] == ' ')
        child->n_unfinished--;
    child->unfinished[child->n_unfinished] = '\0';
    if (child->n_unfinished > 0)
        memcpy(child->line, child->unfinished, child->n_unfinished + 1);
    child->n_unfinished = 0;
}

static void drain_errors(struct stj_child *child)
{
    char text[4096];
    ssize_t n = 0;
    int turns = 64; /* of one that writes without end, an answer is waited for all the same */
    while (child->errors >= 0 && turns-- > 0 && (n = read(child->errors, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            const unsigned char c = (unsigned char)text[i];
            if (c == '\n' || c == '\r')
                keep_line(child);
            else if (child->n_unfinished + 1 < LINE_BYTES)
                child->unfinished[child->n_unfinished++] = c < ' ' || c == 127 ? ' ' : (char)c;
        }
    if (n == 0)
        close_at(&child->errors);
}

const char *stj_child_last_line(struct stj_child *child)
{
    drain_errors(child);
    keep_line(child);
    return child->line;
}

void stj_child_how(struct stj_child *child, char *text, size_t size)
{
    const double patience = 2;
    end(child, patience);
    if (WIFEXITED(child->status))
        snprintf(text, size, "exited with status %d", WEXITSTATUS(child->status));
    else if (WIFSIGNALED(child->status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(child->status),
                 strsignal(WTERMSIG(child->status)));
    else
        snprintf(text, size, "ended");
}

/* ---- speaking ---- */

#define LOOK 0.25 /* seconds between looks for an interrupt */

/* Wait until the stream is ready, and take what comes on standard error meanwhile. */
static enum stj_child_end wait_ready(struct stj_child *child, short what, double until)
{
    for (;;) {
        const double left = until - stj_clock();
        child->hangs = left <= 0 || stj_interrupt_asked();
        if (child->hangs)
            return left <= 0 ? STJ_CHILD_LATE : STJ_CHILD_INTERRUPTED;
        struct pollfd fd[2] = {{.fd = child->stream, .events = what},
                               {.fd = child->errors, .events = POLLIN}};
        const int n = poll(fd, 2, left > LOOK ? (int)(LOOK * 1000) : 1 + (int)(left * 1000));
        if (n < 0 && errno != EINTR)
            return STJ_CHILD_GONE;
        if (n > 0 && fd[1].revents)
            drain_errors(child);
        if (n > 0 && fd[0].revents)
            return STJ_CHILD_GOOD;
    }
}

static bool again(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

enum stj_child_end stj_child_send(struct stj_child *child, const void *data, size_t bytes,
                                  double until)
{
    const char *from = data;
    while (bytes > 0) {
        const ssize_t n = send(child->stream, from, bytes, MSG_NOSIGNAL);
        if (n <= 0 && !again(n))
            return STJ_CHILD_GONE;
        if (n > 0) {
            from += n;
            bytes -= (size_t)n;
            continue;
        }
        const enum stj_child_end end = wait_ready(child, POLLOUT, until);
        if (end != STJ_CHILD_GOOD)
            return end;
    }
    return STJ_CHILD_GOOD;
}

enum stj_child_end stj_child_receive(struct stj_child *child, void *data, size_t bytes,
                                     double until)
{
    char *to = data;
    while (bytes > 0) {
        const ssize_t n = recv(child->stream, to, bytes, 0);
        if (n == 0 || (n < 0 && !again(n)))
            return STJ_CHILD_GONE;
        if (n > 0) {
            to += n;
            bytes -= (size_t)n;
            continue;
        }
        const enum stj_child_end end = wait_ready(child, POLLIN, until);
        if (end != STJ_CHILD_GOOD)
            return end;
    }
    return STJ_CHILD_GOOD;
}
