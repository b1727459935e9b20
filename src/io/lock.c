/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/lock.c: locks on bytes of a file, by fcntl, which network file systems pass on to their
 * server.
 *
 * They belong to the open file and not to the process, where the system has such, so that two
 * users of the library in one process exclude each other too.  The last to leave removes the
 * file while it has the whole; whoever then gets a lock on a file that has no name any more
 * begins again with a new one.
 */
#include "base/system.h"

#include "io/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/ranks.h"

#ifdef F_OFD_SETLK
enum { SET = F_OFD_SETLK, GET = F_OFD_GETLK };
#else
enum { SET = F_SETLK, GET = F_GETLK };
#endif

/* Others leave within this time when they leave at all: they test the lock, or clear it away. */
enum { TRIES = 10, PAUSE_NS = 20 * 1000 * 1000 };
enum { NAME_BYTES = 160, HOST_BYTES = 65, LINE_BYTES = 256, OWNERS_BYTES = 1 << 16 };

struct stj_lock {
    int fd; /* -1: nothing is locked */
    char *path;
};

/* Who came into a folder. */
struct owner {
    char name[NAME_BYTES], host[HOST_BYTES];
    long pid;
};

static const char whole_name[] = "*";

static struct flock byte_of(const char *name, short type)
{
    const uint32_t crc = name ? stj_crc32(0, name, strlen(name)) : 0;
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = name ? (off_t)crc + 1 : 0, .l_len = 1};
}

/* 0 or an errno. */
static int set_byte(int fd, const char *name, short type)
{
    struct flock byte = byte_of(name, type);
    int status = -1;
    do {
        status = fcntl(fd, SET, &byte);
    } while (status != 0 && errno == EINTR);
    return status == 0 ? 0 : errno;
}

static bool is_taken(int number)
{
    return number == EACCES || number == EAGAIN;
}

static int claim_byte(int fd, const char *name)
{
    int number = set_byte(fd, NULL, name ? F_RDLCK : F_WRLCK);
    if (number == 0 && name)
        number = set_byte(fd, name, F_WRLCK);
    return number;
}

/* Does the path still lead to the file that is open?  Its last user may have removed it. */
static bool has_its_name(const struct stj_lock *l)
{
    struct stat open_file, named;
    return fstat(l->fd, &open_file) == 0 && stat(l->path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

static void leave_lock(struct stj_lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* Open the file and lock what is wanted; *number <- 0 or the errno of the lock. */
static enum stj_status try_lock(struct stj_lock *l, const char *dir, const char *name, int *number,
                                struct stj_error *err)
{
    leave_lock(l);
    l->fd = open(l->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (l->fd < 0)
        return stj_file_failed(dir, "written", errno, err);
    *number = claim_byte(l->fd, name);
    if (*number == 0 && !has_its_name(l))
        *number = EAGAIN;
    return STJ_OK;
}

/* ---- who it is, for the message ---- */

static bool is_held(int fd, const struct owner *o)
{
    const bool whole = strcmp(o->name, whole_name) == 0;
    struct flock byte = byte_of(whole ? NULL : o->name, whole ? F_RDLCK : F_WRLCK);
    return fcntl(fd, GET, &byte) == 0 && byte.l_type != F_UNLCK;
}

/* *owner <- the last who came for what is now in the way of `name`. */
static bool find_owner(int fd, const char *name, struct owner *owner)
{
    char *text = NULL;
    struct owner o;
    bool found = false;
    if (stj_new(&text, OWNERS_BYTES + 1, 1, NULL) != STJ_OK)
        return false;
    if (pread(fd, text, OWNERS_BYTES, 0) < 0)
        text[0] = '\0';
    for (const char *line = text; *line;) {
        if (sscanf(line, "%159s %ld %64s", o.name, &o.pid, o.host) == 3 &&
            (!name || strcmp(o.name, name) == 0 || strcmp(o.name, whole_name) == 0) &&
            is_held(fd, &o)) {
            *owner = o;
            found = true;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    free(text);
    return found;
}

static enum stj_status refuse_locked(const struct stj_lock *l, const char *dir, const char *name,
                                     struct stj_error *err)
{
    struct owner o;
    const char *slash = name ? "/" : "";
    if (!find_owner(l->fd, name, &o))
        return stj_error_set(err, STJ_EEXIST, __FILE__, __LINE__,
                             "%s%s%s: is in use by another spectraj; wait for it, or end it, and "
                             "ask again",
                             dir, slash, name ? name : "");
    return stj_error_set(err, STJ_EEXIST, __FILE__, __LINE__,
                         "%s%s%s: is in use by another spectraj (process %ld on %s, writing %s); "
                         "wait for it, or end it, and ask again",
                         dir, slash, name ? name : "", o.pid, o.host,
                         strcmp(o.name, whole_name) == 0 ? "the whole run" : o.name);
}

/* A line that cannot be written costs others a name, nothing more. */
static void sign_lock(const struct stj_lock *l, const char *name)
{
    char host[HOST_BYTES] = "";
    char line[LINE_BYTES];
    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        memcpy(host, "?", 2);
    const int n =
        snprintf(line, sizeof line, "%s %ld %s\n", name ? name : whole_name, (long)getpid(), host);
    if (n > 0 && (size_t)n < sizeof line && lseek(l->fd, 0, SEEK_END) >= 0)
        (void)stj_file_write_all(l->fd, line, (size_t)n);
}

/* ---- take and release ---- */

static void say_unlocked(struct stj_lock *l, const char *dir, int number,
                         const struct stj_progress *progress)
{
    leave_lock(l);
    (void)unlink(l->path);
    stj_progress_warn(progress,
                      "%s: the file system cannot lock (%s): do not let two commands write into "
                      "this run at the same time",
                      dir, strerror(number));
}

static enum stj_status take_lock(struct stj_lock *l, const char *dir, const char *name,
                                 const struct stj_progress *progress, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    int number = EAGAIN;
    STJ_TRY(stj_path_join(dir, STJ_LOCK_NAME, &l->path, err));
    for (int tries = 0; tries < TRIES && is_taken(number); tries++) {
        if (tries > 0)
            (void)nanosleep(&pause, NULL);
        STJ_TRY(try_lock(l, dir, name, &number, err));
    }
    if (is_taken(number))
        STJ_TRY(refuse_locked(l, dir, name, err));
    if (number == 0)
        sign_lock(l, name);
    else
        say_unlocked(l, dir, number, progress);
out:
    if (st != STJ_OK)
        leave_lock(l); /* with what is locked, but without what others need */
    return st;
}

enum stj_status stj_lock_take(const char *dir, const char *name,
                              const struct stj_progress *progress, struct stj_lock **lock,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_lock *l = NULL;
    STJ_TRY(stj_new(&l, 1, sizeof *l, err));
    l->fd = -1;
    if (stj_rank() == 0)
        st = take_lock(l, dir, name, progress, err);
    STJ_TRY(stj_ranks_agree(st, err));
    *lock = l;
    l = NULL;
out:
    stj_lock_release(l);
    return st;
}

void stj_lock_release(struct stj_lock *lock)
{
    if (!lock)
        return;
    if (lock->fd >= 0 && set_byte(lock->fd, NULL, F_WRLCK) == 0)
        (void)unlink(lock->path); /* nobody else is here */
    leave_lock(lock);
    free(lock->path);
    free(lock);
}
