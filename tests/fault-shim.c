/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fault-shim.c: a library for LD_PRELOAD that makes the n-th call of a kind fail.
 *
 *   FAULT_CALL   alloc | write | read | sync | rename | open | lock | change
 *   FAULT_AT     n, counted from 1; 0: none
 *   FAULT_ON     "always": call n and all that follow; else only the n-th
 *   FAULT_ERRNO  what it says: a number; 0: a read or write does not fail, it moves half of the bytes
 *   FAULT_COUNT  file for "alloc CALLS", ... of all kinds, "fired N" and "address_space KIB" at its largest, written
 *                when the process ends
 *
 * Allocations count when the program, libspectraj, the C library or one of the small libraries asks.  Not those of
 * HDF5, which crashes or ends the process where it gets no memory (so that spectraj looks for memory before
 * it calls HDF5), nor those of libgomp, which ends it by design, and of OpenBLAS, which takes its own before
 * main.  Files count when they are regular; `change` is all that a read-only file system
 * refuses.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { ALLOC, WRITE, READ, SYNC, RENAME, OPEN, LOCK, CHANGE, N_KINDS };

static const char *const kind_name[N_KINDS] = {"alloc",  "write", "read", "sync",
                                               "rename", "open",  "lock", "change"};
static atomic_ulong calls[N_KINDS], fired;
static enum kind chosen = N_KINDS;
static unsigned long at;
static bool always;
static int number;
static atomic_bool active;

/* Where the code of those lies whose allocations count. */
enum { RANGES_MAX = 64 };
static struct {
    uintptr_t first, end;
} range[RANGES_MAX];
static size_t n_ranges;

static bool counts(const char *name)
{
    static const char *const part[] = {"libspectraj", "libc.so", "libjansson", "libyaml",
                                       "libgsl.so",   "libz.so", "liblapacke", "libarpack"};
    if (!name[0])
        return true; /* the program */
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        if (strstr(name, part[i]))
            return true;
    return false;
}

static int note_ranges(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    for (int i = 0; counts(info->dlpi_name) && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || n_ranges == RANGES_MAX)
            continue;
        range[n_ranges].first = info->dlpi_addr + header->p_vaddr;
        range[n_ranges].end = range[n_ranges].first + header->p_memsz;
        n_ranges++;
    }
    return 0;
}

static bool is_counted(const void *caller)
{
    for (size_t i = 0; i < n_ranges; i++)
        if ((uintptr_t)caller >= range[i].first && (uintptr_t)caller < range[i].end)
            return true;
    return false;
}

static bool fails(enum kind kind)
{
    if (!active)
        return false;
    const unsigned long n = ++calls[kind];
    const bool now = kind == chosen && at > 0 && (always ? n >= at : n == at);
    if (now) {
        fired++;
        errno = number;
    }
    return now;
}

static bool file_fails(enum kind kind, int fd)
{
    struct stat about;
    const int saved = errno;
    const bool regular = active && fd > 2 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    errno = saved;
    return regular && fails(kind);
}

__attribute__((constructor)) static void begin(void)
{
    const char *call = getenv("FAULT_CALL");
    const char *text = getenv("FAULT_AT");
    const char *on = getenv("FAULT_ON");
    const char *errno_text = getenv("FAULT_ERRNO");
    for (int i = 0; call && i < N_KINDS; i++)
        if (strcmp(call, kind_name[i]) == 0)
            chosen = (enum kind)i;
    at = text ? strtoul(text, NULL, 10) : 0;
    always = on && strcmp(on, "always") == 0;
    number = errno_text ? atoi(errno_text) : EIO;
    dl_iterate_phdr(note_ranges, NULL);
    active = true;
}

static unsigned long address_space(void)
{
    unsigned long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmPeak: %lu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_COUNT");
    active = false;
    FILE *file = path ? fopen(path, "w") : NULL;
    for (int i = 0; file && i < N_KINDS; i++)
        fprintf(file, "%s %lu\n", kind_name[i], (unsigned long)calls[i]);
    if (file)
        fprintf(file, "fired %lu\naddress_space %lu\n", (unsigned long)fired, address_space());
    if (file)
        fclose(file);
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

#define ALLOC_FAILS() (is_counted(__builtin_return_address(0)) && fails(ALLOC))

void *malloc(size_t size)
{
    return ALLOC_FAILS() ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return ALLOC_FAILS() ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return ALLOC_FAILS() ? (errno = ENOMEM, NULL) : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return ALLOC_FAILS() ? (errno = ENOMEM, NULL) : __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    if (ALLOC_FAILS())
        return ENOMEM;
    void *made = __libc_memalign(alignment, size);
    if (!made)
        return ENOMEM;
    *p = made;
    return 0;
}

/* Its memory is its caller's. */
char *strdup(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = ALLOC_FAILS() ? (errno = ENOMEM, NULL) : __libc_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

/* ---- files ---- */

#define NEXT(name)                                                                                 \
    static __typeof__(&name) next;                                                                 \
    if (!next)                                                                                     \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

/* Of the n bytes that a call is asked for. */
static size_t halved(enum kind kind, size_t n)
{
    return active && kind == chosen && always && number == 0 && n > 1 ? n / 2 : n;
}

#define WRITER(name, arguments, values)                                                            \
    ssize_t name arguments                                                                         \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (file_fails(WRITE, fd) && number != 0)                                                  \
            return -1;                                                                             \
        n = halved(WRITE, n);                                                                      \
        return next values;                                                                        \
    }
WRITER(write, (int fd, const void *data, size_t n), (fd, data, n))
WRITER(pwrite, (int fd, const void *data, size_t n, off_t offset), (fd, data, n, offset))
WRITER(pwrite64, (int fd, const void *data, size_t n, off64_t offset), (fd, data, n, offset))

#define READER(name, arguments, values)                                                            \
    ssize_t name arguments                                                                         \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (file_fails(READ, fd) && number != 0)                                                   \
            return -1;                                                                             \
        n = halved(READ, n);                                                                       \
        return next values;                                                                        \
    }
READER(read, (int fd, void *data, size_t n), (fd, data, n))
READER(pread, (int fd, void *data, size_t n, off_t offset), (fd, data, n, offset))
READER(pread64, (int fd, void *data, size_t n, off64_t offset), (fd, data, n, offset))

#define SYNCER(name, arguments, values)                                                            \
    int name arguments                                                                             \
    {                                                                                              \
        NEXT(name);                                                                                \
        return file_fails(SYNC, fd) ? -1 : next values;                                            \
    }
SYNCER(fsync, (int fd), (fd))
SYNCER(fdatasync, (int fd), (fd))
SYNCER(ftruncate, (int fd, off_t size), (fd, size))
SYNCER(ftruncate64, (int fd, off64_t size), (fd, size))

int rename(const char *from, const char *to)
{
    NEXT(rename);
    return fails(RENAME) || fails(CHANGE) ? -1 : next(from, to);
}

int unlink(const char *path)
{
    NEXT(unlink);
    return fails(CHANGE) ? -1 : next(path);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    return fails(CHANGE) ? -1 : next(path, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, int) : 0;
}

static bool open_fails(int flags)
{
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    return fails(OPEN) || (writes && fails(CHANGE));
}

#define OPENER(name)                                                                               \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        NEXT(name);                                                                                \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        const mode_t mode = mode_of(flags, args);                                                  \
        va_end(args);                                                                              \
        return open_fails(flags) ? -1 : next(path, flags, mode);                                   \
    }
OPENER(open)
OPENER(open64)

FILE *fopen64(const char *path, const char *mode);
#define FOPENER(name)                                                                              \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        NEXT(name);                                                                                \
        return open_fails(strpbrk(mode, "wa+") ? O_WRONLY : O_RDONLY) ? NULL : next(path, mode);   \
    }
FOPENER(fopen)
FOPENER(fopen64)

#define FCNTL(name)                                                                                \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        NEXT(name);                                                                                \
        va_list args;                                                                              \
        va_start(args, command);                                                                   \
        void *argument = va_arg(args, void *);                                                     \
        va_end(args);                                                                              \
        const bool lock = command == F_OFD_SETLK || command == F_SETLK;                            \
        return lock && fails(LOCK) ? -1 : next(fd, command, argument);                             \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
