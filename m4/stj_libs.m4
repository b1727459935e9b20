# SPDX-License-Identifier: GPL-3.0-or-later
# m4/stj_libs.m4: find the libraries, collect all that is missing, and report what was found.

# STJ_MISSING(WHAT, DEBIAN-PACKAGE): note it; STJ_STOP_IF_MISSING ends configure with all of them.
AC_DEFUN([STJ_MISSING], [
  AS_VAR_APPEND([stj_missing], ["
  $1: install the Debian package $2"])
  AS_VAR_APPEND([stj_missing_packages], [" $2"])
])

AC_DEFUN([STJ_STOP_IF_MISSING], [
  AS_IF([test -n "$stj_missing" && test -z "$PKG_CONFIG"], [
    stj_missing="
  pkg-config, which tells where the others are: install the Debian package pkg-config, and try again before you
  install$stj_missing" stj_missing_packages=" pkg-config$stj_missing_packages"
  ])
  AS_IF([test -n "$stj_missing"], [
    AC_MSG_ERROR([required pieces were not found:$stj_missing

  On Debian, as root:  apt-get install --no-install-recommends$stj_missing_packages
  Elsewhere, name the place with CPPFLAGS=-I... LDFLAGS=-L... PKG_CONFIG_PATH=...; config.log has
  the details of each failed attempt.])
  ])
])

# STJ_LIB(NAME, PKG-CONFIG MODULE, FALLBACK LIBS, PROLOGUE, BODY, WHAT, DEBIAN-PACKAGE)
# Sets NAME_CFLAGS, NAME_LIBS and NAME_VERSION ("version unknown" without pkg-config), after BODY was
# compiled and linked with them.  Libraries found before (STJ_LIBS_SO_FAR) stay in front, so that the
# first BLAS keeps its symbols.
AC_DEFUN([STJ_LIB], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  AC_ARG_VAR([$1_CFLAGS], [compiler flags for $6, instead of those of pkg-config])
  AC_ARG_VAR([$1_LIBS], [linker flags for $6, instead of those of pkg-config])
  AC_MSG_CHECKING([for $6])
  $1_VERSION=
  AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists "$2" 2>&AS_MESSAGE_LOG_FD], [
    $1_VERSION=`$PKG_CONFIG --modversion "$2"`
    AS_IF([test -z "$$1_CFLAGS$$1_LIBS"], [
      $1_CFLAGS=`$PKG_CONFIG --cflags "$2"`
      $1_LIBS=`$PKG_CONFIG --libs "$2"`
    ])
  ])
  AS_IF([test -z "$$1_LIBS"], [$1_LIBS="$3"])
  stj_saved_cppflags=$CPPFLAGS stj_saved_libs=$LIBS
  CPPFLAGS="$CPPFLAGS $$1_CFLAGS"
  LIBS="$STJ_LIBS_SO_FAR $$1_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[$4]], [[$5]])], [
    AS_IF([test -z "$$1_VERSION"], [$1_VERSION="version unknown"])
    AC_MSG_RESULT([$$1_VERSION ($$1_LIBS)])
    STJ_LIBS_SO_FAR="$STJ_LIBS_SO_FAR $$1_LIBS"
  ], [
    AC_MSG_RESULT([no])
    m4_default([$8], [STJ_MISSING([$6], [$7])])
  ])
  CPPFLAGS=$stj_saved_cppflags LIBS=$stj_saved_libs
])

# STJ_OTHER_BLAS: where OpenBLAS is not, what else has CBLAS: what the user names, BLIS, MKL, netlib's.
# Sets OPENBLAS_LIBS and _VERSION as STJ_LIB does, and STJ_BLAS_NAME.
AC_DEFUN([STJ_OTHER_BLAS], [
  AC_MSG_CHECKING([for another BLAS with CBLAS])
  stj_blas_given=$OPENBLAS_LIBS STJ_BLAS_NAME=
  for stj_blas in "$stj_blas_given" -lblis -lmkl_rt "-lcblas -lblas" -lblas; do
    AS_IF([test -z "$STJ_BLAS_NAME" && test -n "$stj_blas"], [
      LIBS="$stj_blas $stj_saved_libs"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <cblas.h>]],
        [[double a = 1;
          cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a, 1, &a, 1, 0, &a, 1);]])],
        [OPENBLAS_LIBS=$stj_blas STJ_BLAS_NAME="a BLAS without threads of its own"])
    ])
  done
  LIBS="$OPENBLAS_LIBS $stj_saved_libs"
  AS_IF([test -n "$STJ_BLAS_NAME"], [
    AC_LINK_IFELSE([AC_LANG_CALL([], [bli_thread_set_num_threads])], [
      STJ_BLAS_NAME=BLIS
      AC_DEFINE([HAVE_BLIS], [1], [the BLAS is BLIS])
    ])
    AC_LINK_IFELSE([AC_LANG_CALL([], [MKL_Set_Num_Threads])], [
      STJ_BLAS_NAME=MKL
      AC_DEFINE([HAVE_MKL], [1], [the BLAS is MKL])
    ])
    OPENBLAS_VERSION="not found; $STJ_BLAS_NAME in its place"
    AC_MSG_RESULT([$STJ_BLAS_NAME ($OPENBLAS_LIBS)])
    STJ_LIBS_SO_FAR="$STJ_LIBS_SO_FAR $OPENBLAS_LIBS"
  ], [
    AC_MSG_RESULT([no])
    STJ_MISSING([OpenBLAS], [libopenblas-dev])
  ])
])

# STJ_INTEGER_WIDTHS(CFLAGS, LIBS): stop unless the integers of BLAS, LAPACK and ARPACK have 32 bits, in
# the headers and, where the program below can run, in the libraries.  It passes numbers whose lower half is
# what a library of 32 bits reads, while one of 64 bits sees them negative and has nothing to do.
AC_DEFUN([STJ_INTEGER_WIDTHS], [
  AC_CACHE_CHECK([for the width of the integers of BLAS, LAPACK and ARPACK], [stj_cv_int_bits], [
    stj_saved_cppflags=$CPPFLAGS stj_saved_libs=$LIBS
    CPPFLAGS="$CPPFLAGS $1" LIBS="$2 $LIBS"
    stj_cv_int_bits='not 32 in the headers'
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <arpack.h>
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#ifdef HAVE_OPENBLAS
typedef blasint stj_blas_int;
#else
typedef int stj_blas_int;
#endif]],
      [[char a[sizeof(stj_blas_int) * CHAR_BIT == 32 ? 1 : -1],
            b[sizeof(lapack_int) * CHAR_BIT == 32 ? 1 : -1], c[sizeof(a_int) * CHAR_BIT == 32 ? 1 : -1];
        (void)a, (void)b, (void)c;]])], [stj_cv_int_bits=32])
    AC_LINK_IFELSE([AC_LANG_CALL([], [dlaset_])], [], [LIBS="$LIBS -llapack"])
    AS_IF([test "$stj_cv_int_bits" = 32], [AC_RUN_IFELSE([AC_LANG_PROGRAM([[#include <stdint.h>
#include <stdio.h>
void dcopy_(int64_t *n, double *x, int64_t *dx, double *y, int64_t *dy);
void dlaset_(char *part, int64_t *m, int64_t *n, double *off, double *on, double *a, int64_t *lda,
             size_t part_length);
void dsesrt_(char *which, int64_t *apply, int64_t *n, double *x, int64_t *na, double *a, int64_t *lda,
             size_t which_length);]],
      [[int64_t one = -(INT64_C(1) << 32) + 1, two = one + 1, none = 0;
        double x[2] = {1, 2}, y[2] = {0, 0}, a[4] = {0, 0, 0, 0}, off = 3, on = 4;
        char all[] = "A", order[] = "SA";
        FILE *file = fopen("conftest.out", "w");
        dcopy_(&two, x, &one, y, &one);
        dlaset_(all, &two, &two, &off, &on, a, &two, 1);
        dsesrt_(order, &none, &two, x, &one, a, &one, 2);
        fprintf(file, "%s%s%s", y[1] == 2 ? "" : " BLAS", a[1] == 3 ? "" : " LAPACK",
                x[0] > x[1] ? "" : " ARPACK");
        return fclose(file);]])], [
        stj_wide=`cat conftest.out`
        AS_IF([test -n "$stj_wide"], [stj_cv_int_bits="not 32 in$stj_wide"])
      ], [stj_cv_int_bits='32 (by the headers alone)'], [:])])
    CPPFLAGS=$stj_saved_cppflags LIBS=$stj_saved_libs])
  AS_CASE([$stj_cv_int_bits], [32*], [],
    [AC_MSG_ERROR([the integers of BLAS, LAPACK and ARPACK must have 32 bits (LP64), and they have not: $stj_cv_int_bits; name other libraries, OPENBLAS_CFLAGS= OPENBLAS_LIBS=-lopenblas (or LAPACKE_, ARPACK_)])])
])

# STJ_HDF5: the serial HDF5, wherever it hides.  An MPI flavour may be what `pkg-config hdf5` means,
# so each candidate is compiled against H5_HAVE_PARALLEL.  Sets HDF5_CFLAGS, _LIBS and _VERSION.
AC_DEFUN([STJ_HDF5], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  AC_ARG_VAR([HDF5_CFLAGS], [compiler flags for HDF5, instead of those of pkg-config or h5cc])
  AC_ARG_VAR([HDF5_LIBS], [linker flags for HDF5, instead of those of pkg-config or h5cc])
  AC_ARG_VAR([H5CC], [the compiler wrapper of a serial HDF5])
  AC_PATH_PROGS([H5CC], [h5cc.serial h5cc])
  AC_MSG_CHECKING([for serial HDF5])
  HDF5_VERSION= stj_hdf5=no
  AS_IF([test -n "$HDF5_CFLAGS$HDF5_LIBS"], [
    STJ_HDF5_WORKS([stj_hdf5=given])
  ], [
    for stj_pc in hdf5-serial hdf5; do
      AS_IF([test "$stj_hdf5" = no && test -n "$PKG_CONFIG" && $PKG_CONFIG --exists $stj_pc], [
        HDF5_CFLAGS=`$PKG_CONFIG --cflags $stj_pc`
        HDF5_LIBS=`$PKG_CONFIG --libs $stj_pc`
        STJ_HDF5_WORKS([stj_hdf5=pkg-config])
      ])
    done
    AS_IF([test "$stj_hdf5" = no && test -n "$H5CC"], [
      HDF5_CFLAGS= HDF5_LIBS=
      for stj_word in `$H5CC -shlib -show 2>/dev/null`; do
        AS_CASE([$stj_word],
          [-I*|-D*], [HDF5_CFLAGS="$HDF5_CFLAGS $stj_word"],
          [-L*|-l*|-Wl,-rpath*|*/libhdf5*], [HDF5_LIBS="$HDF5_LIBS $stj_word"])
      done
      STJ_HDF5_WORKS([stj_hdf5=h5cc])
    ])
  ])
  AS_IF([test "$stj_hdf5" = no], [
    AC_MSG_RESULT([no])
    STJ_MISSING([serial HDF5 (hdf5.h without MPI)], [libhdf5-dev])
  ], [
    HDF5_VERSION=`{ echo '#include <H5public.h>'
                    echo 'version: H5_VERS_MAJOR.H5_VERS_MINOR.H5_VERS_RELEASE'
                  } | $CPP $CPPFLAGS $HDF5_CFLAGS - 2>&AS_MESSAGE_LOG_FD |
                  sed -n 's/ //g; s/^version://p'`
    AC_MSG_RESULT([$HDF5_VERSION ($stj_hdf5: $HDF5_LIBS)])
    STJ_LIBS_SO_FAR="$STJ_LIBS_SO_FAR $HDF5_LIBS"
  ])
])

# Its high-level library (dimension scales) lies beside it under the same name with _hl.
AC_DEFUN([STJ_HDF5_WORKS], [
  AS_CASE([$HDF5_LIBS], [*hdf5*_hl*], [],
    [HDF5_LIBS=`AS_ECHO(["$HDF5_LIBS"]) | $SED 's/-l\(hdf5@<:@_a-z@:>@*\)/-l\1_hl &/'`])
  stj_saved_cppflags=$CPPFLAGS stj_saved_libs=$LIBS
  CPPFLAGS="$CPPFLAGS $HDF5_CFLAGS"
  LIBS="$HDF5_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <hdf5.h>
#include <hdf5_hl.h>
#ifdef H5_HAVE_PARALLEL
#error "the MPI flavour of HDF5"
#endif]], [[return H5open() < 0 || H5DSis_scale(-1) > 0;]])], [$1])
  CPPFLAGS=$stj_saved_cppflags LIBS=$stj_saved_libs
])

# STJ_SYMBOL_HOMES(CFLAGS, LIBS, PROLOGUE, BODY, [[[VARIABLE], [SYMBOL]], ...])
# Link a program, let the dynamic linker list its shared libraries in the order in which it searches
# them, and set each VARIABLE to the file that defines SYMBOL first.  Nothing is run but ldd and nm;
# in a cross build, or in a static one, the answer is "unknown".
AC_DEFUN([STJ_SYMBOL_HOMES], [
  stj_search_order=
  stj_saved_cppflags=$CPPFLAGS stj_saved_libs=$LIBS
  CPPFLAGS="$CPPFLAGS $1" LIBS="$2 $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[$3]], [[$4]])], [
    AS_IF([test "$cross_compiling" != yes], [
      stj_search_order=`ldd ./conftest$EXEEXT 2>/dev/null | sed -n 's,^.*=> *\(/[[^ ]]*\).*$,\1,p'`
    ])
  ], [AC_MSG_FAILURE([a program that uses CBLAS, LAPACKE and ARPACK together does not link])])
  CPPFLAGS=$stj_saved_cppflags LIBS=$stj_saved_libs
  m4_map([_STJ_SYMBOL_HOME], [$5])
])

AC_DEFUN([_STJ_SYMBOL_HOME], [
  AC_MSG_CHECKING([which library $2 comes from])
  $1=unknown
  for stj_file in $stj_search_order; do
    AS_IF([nm -D --defined-only "$stj_file" 2>/dev/null | grep ' [[TWi]] $2\(@.*\)*$' >/dev/null], [
      $1=`readlink -f "$stj_file" 2>/dev/null || echo "$stj_file"`
      break
    ])
  done
  AC_MSG_RESULT([$$1])
])

# STJ_FACT(NAME, VALUE): one line of the closing summary, kept for `spectraj --version` too.
AC_DEFUN([STJ_FACT], [
  stj_line=`printf '  %-16s %s' "$1" "$2"`
  stj_facts="$stj_facts
$stj_line"
  stj_line=`printf '%s' "$stj_line" | sed 's/[[\\\\"]]/\\\\&/g'`
  stj_facts_c="$stj_facts_c$stj_line\\n"
])
