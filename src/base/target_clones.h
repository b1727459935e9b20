/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/target_clones.h: run-time dispatch of hot elementwise loops.
 *
 * A function marked STJ_CLONES is compiled for several instruction sets, and the loader picks the
 * best that the processor has, so that one binary runs well everywhere.  -ffp-contract=off keeps the
 * arithmetic of all of them the same.  Sanitizers and clones do not mix.
 */
#ifndef STJ_BASE_TARGET_CLONES_H
#define STJ_BASE_TARGET_CLONES_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) &&   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(STJ_NO_CLONES)
#define STJ_CLONES __attribute__((target_clones("default", "avx2", "arch=skylake-avx512")))
#else
#define STJ_CLONES
#endif

/* A part of such a function: into the caller always, for a loop with a call is no vector code. */
#if defined(__GNUC__)
#define STJ_INLINE static inline __attribute__((always_inline))
#else
#define STJ_INLINE static inline
#endif

#endif
