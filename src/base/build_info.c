/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/build_info.c: version, the summary of configure, and the BLAS of this process. */
#include "base/system.h"

#include <spectraj/version.h>

#include "base/blas_library.h"
#include "base/build_info.h"

#include <cblas.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

const char *stj_release_date(void)
{
    return STJ_RELEASE_DATE;
}

const char *stj_version(void)
{
    return PACKAGE_VERSION;
}

const char *stj_build_summary(void)
{
    return STJ_BUILD_SUMMARY;
}

/* The file that a function was loaded from; the program itself when it was linked statically. */
static const char *file_of(void (*function)(void))
{
#ifdef HAVE_DLADDR
    void *address = NULL;
    Dl_info where;
    memcpy(&address, &function, sizeof address);
    return dladdr(address, &where) && where.dli_fname ? where.dli_fname : "unknown";
#else
    (void)function;
    return "unknown";
#endif
}

void stj_build_line(size_t size, char *text)
{
    snprintf(text, size, "cc %s, %s, kernel %s", __VERSION__, stj_blas_config(), stj_blas_kernel());
}

size_t stj_runtime_summary(char *text, size_t size)
{
    int n = snprintf(text, text ? size : 0, "  %-16s %s\n  %-16s %s\n  %-16s %s\n", "BLAS running",
                     stj_blas_config(), "BLAS kernel", stj_blas_kernel(), "BLAS file",
                     file_of((void (*)(void))cblas_dgemm));
    return n < 0 ? 0 : (size_t)n;
}
