/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/blas_library.c: OpenBLAS, BLIS, MKL, and a BLAS that offers nothing beside its functions. */
#include "base/system.h"

#include "base/blas_library.h"

#include <stdint.h>

#if defined HAVE_OPENBLAS
#include <cblas.h>

const char *stj_blas_config(void)
{
    return openblas_get_config();
}

const char *stj_blas_kernel(void)
{
    return openblas_get_corename();
}

int stj_blas_threads(void)
{
    return openblas_get_num_threads();
}

void stj_blas_set_threads(int n)
{
    openblas_set_num_threads(n);
}

#else

const char *stj_blas_kernel(void)
{
    return "unknown";
}

#if defined HAVE_BLIS
/* Of blis.h, which does not go with another library's cblas.h. */
char *bli_info_get_version_str(void);
int64_t bli_thread_get_num_threads(void);
void bli_thread_set_num_threads(int64_t n);

const char *stj_blas_config(void)
{
    return bli_info_get_version_str();
}

int stj_blas_threads(void)
{
    const int64_t n = bli_thread_get_num_threads();
    return n > 0 ? (int)n : 1; /* -1: never set, which is one */
}

void stj_blas_set_threads(int n)
{
    bli_thread_set_num_threads(n);
}

#elif defined HAVE_MKL
/* Of mkl.h. */
int MKL_Get_Max_Threads(void);
void MKL_Set_Num_Threads(int n);

const char *stj_blas_config(void)
{
    return "MKL";
}

int stj_blas_threads(void)
{
    return MKL_Get_Max_Threads();
}

void stj_blas_set_threads(int n)
{
    MKL_Set_Num_Threads(n);
}

#else

const char *stj_blas_config(void)
{
    return "BLAS of unknown make";
}

int stj_blas_threads(void)
{
    return 1;
}

void stj_blas_set_threads(int n)
{
    (void)n;
}

#endif
#endif
