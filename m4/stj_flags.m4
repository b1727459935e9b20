# SPDX-License-Identifier: GPL-3.0-or-later
# m4/stj_flags.m4: try compiler and linker flags without touching the user's own.

# STJ_TRY_CFLAGS(VARIABLE, FLAGS): append to VARIABLE each flag that the compiler takes silently.
AC_DEFUN([STJ_TRY_CFLAGS], [
  AC_LANG_ASSERT([C])
  for stj_flag in $2; do
    AS_VAR_PUSHDEF([stj_cache], [stj_cv_cflag_$stj_flag])
    AC_CACHE_CHECK([whether $CC accepts $stj_flag], [stj_cache], [
      stj_saved_cflags=$CFLAGS
      CFLAGS="-Werror $$1 $stj_flag $CFLAGS" # some flags need one before them, as -Wformat-security does
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
        [AS_VAR_SET([stj_cache], [yes])], [AS_VAR_SET([stj_cache], [no])])
      CFLAGS=$stj_saved_cflags
    ])
    AS_VAR_IF([stj_cache], [yes], [AS_VAR_APPEND([$1], [" $stj_flag"])])
    AS_VAR_POPDEF([stj_cache])
  done
])

# STJ_TRY_LDFLAGS(VARIABLE, FLAGS): append to VARIABLE each flag that the linker takes.
AC_DEFUN([STJ_TRY_LDFLAGS], [
  for stj_flag in $2; do
    AS_VAR_PUSHDEF([stj_cache], [stj_cv_ldflag_$stj_flag])
    AC_CACHE_CHECK([whether the linker accepts $stj_flag], [stj_cache], [
      stj_saved_ldflags=$LDFLAGS
      LDFLAGS="$stj_flag $LDFLAGS"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
        [AS_VAR_SET([stj_cache], [yes])], [AS_VAR_SET([stj_cache], [no])])
      LDFLAGS=$stj_saved_ldflags
    ])
    AS_VAR_IF([stj_cache], [yes], [AS_VAR_APPEND([$1], [" $stj_flag"])])
    AS_VAR_POPDEF([stj_cache])
  done
])
