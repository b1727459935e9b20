/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/status.h: status codes and the caller-owned error record.
 *
 * Every fallible function returns an enum stj_status and, when it is given one, fills a struct
 * stj_error with a sentence: what was wrong, the value received, the limit, the remedy. The first
 * error wins: a record that is already set is left as it is.  The library never prints, exits or
 * aborts.  "Ran, but did not converge" is a result, not an error.
 *
 * A pointer that must be given and is NULL is STJ_EINVAL; a function that returns no status does
 * nothing then, or returns 0, false or NULL.
 *
 * Threads: everything here may be called from any, and from several at once, each with a record of
 * its own.
 */
#ifndef SPECTRAJ_STATUS_H
#define SPECTRAJ_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* One list makes the enum and the names. */
#define STJ_STATUS_LIST(ENTRY)                                                                     \
    ENTRY(STJ_OK, "success")                                                                       \
    ENTRY(STJ_EINVAL, "invalid argument")       /* a value outside its stated range */             \
    ENTRY(STJ_ECONFIG, "invalid configuration") /* a config key or value is wrong */               \
    ENTRY(STJ_ENOMEM, "out of memory")          /* an allocation failed or overflowed */           \
    ENTRY(STJ_EIO, "input/output error")        /* the operating system said no */                 \
    ENTRY(STJ_EFORMAT, "malformed file")        /* a file's content is not what it must be */      \
    ENTRY(STJ_EMISMATCH, "does not belong to this run") /* fingerprint or checksum differs */      \
    ENTRY(STJ_EEXIST, "already exists")                 /* would overwrite a finished result */    \
    ENTRY(STJ_ENONFINITE, "not a finite number")        /* NaN or infinity in a computation */     \
    ENTRY(STJ_EINTERRUPTED, "interrupted") /* the caller's progress callback said stop */          \
    ENTRY(STJ_ENUMERIC, "numerical library failure") /* LAPACK or ARPACK returned an error */      \
    ENTRY(STJ_EUNSUPPORTED, "not supported")         /* a valid request this build cannot serve */ \
    ENTRY(STJ_EINTERNAL, "internal error")           /* a bug in the library */

/* What became of a call. */
enum stj_status {
#define STJ_STATUS_ENUM(code, text) code,
    STJ_STATUS_LIST(STJ_STATUS_ENUM)
#undef STJ_STATUS_ENUM
};

/* Bytes for the text of an error, its final zero among them; longer texts are cut. */
enum { STJ_ERROR_TEXT_MAX = 1024 };

/* Owned by the caller; start from STJ_ERROR_INIT (or all zero).  `file` and `line` name the
 * library's own source line that found the error; `text` is for people. */
struct stj_error {
    enum stj_status code;          /* STJ_OK: nothing is recorded */
    int line;                      /* of `file` */
    const char *file;              /* static */
    char text[STJ_ERROR_TEXT_MAX]; /* one line, with a final zero */
};

/* The record before any error. */
#define STJ_ERROR_INIT                                                                             \
    {                                                                                              \
        STJ_OK, 0, 0,                                                                              \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* A short phrase for a status code; never NULL. */
const char *stj_status_text(enum stj_status code);

/* The code's identifier, "STJ_EINVAL"; never NULL. */
const char *stj_status_name(enum stj_status code);

/* Record an error unless one is recorded already; err may be NULL.  Returns code, so that a user
 * callback can say: return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__, "...", ...); */
enum stj_status stj_error_set(struct stj_error *err, enum stj_status code, const char *file,
                              int line, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 6)))
#endif
    ;

/* Forget a recorded error, so that the record can be used again. */
void stj_error_clear(struct stj_error *err);

/* Give back memory that a function of the library handed out without a function of its own to free
 * it; NULL is accepted. */
void stj_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
