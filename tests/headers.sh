#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/headers.sh: each public header compiles alone, as C11, C17 and C++11, without a warning;
# spectraj.h includes them all; each says what may be called from which threads; no function has a
# struct's name; the version is configure.ac's.
set -u
: "${top_srcdir:?is set by make}"
fail=0
umbrella=$top_srcdir/include/spectraj.h
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

# A program that includes the header, uses what can be used of it, and includes it again.
write_program()
{
    cat <<EOF
#include <$1>
#ifdef SPECTRAJ_STATUS_H
struct stj_error use_error(void);
struct stj_error use_error(void) { struct stj_error err = STJ_ERROR_INIT; return err; }
#endif
#ifdef SPECTRAJ_VERSION_H
#if SPECTRAJ_VERSION < SPECTRAJ_VERSION_AT(0, 0, 9) || SPECTRAJ_VERSION >= SPECTRAJ_VERSION_AT(99, 0, 0)
#error "the version cannot be compared"
#endif
#endif
#include <$1>
EOF
}

# compiles HEADER COMMAND...: without a warning.
compiles()
{
    name=$1
    shift
    "$@" -Wall -Wextra -Wpedantic -Werror -I "$top_srcdir/include" -fsyntax-only "$scratch/program" || {
        echo "FAIL: <$name> does not compile alone with $*"
        fail=1
    }
}

cxx=${CXX:-c++}
command -v "$cxx" > /dev/null || { echo "no C++ compiler ($cxx): C++11 is not looked at"; cxx=; }
for header in "$umbrella" "$top_srcdir"/include/spectraj/*.h; do
    name=spectraj/$(basename "$header")
    [ "$header" != "$umbrella" ] || name=spectraj.h
    write_program "$name" > "$scratch/program"
    # shellcheck disable=SC2086
    for standard in c11 c17; do
        compiles "$name" ${CC:-cc} -std=$standard -Wstrict-prototypes -x c
    done
    [ -z "$cxx" ] || compiles "$name" "$cxx" -std=c++11 -x c++
    [ "$header" = "$umbrella" ] || grep -q '^ \* Threads' "$header" || {
        echo "FAIL: <$name> says nothing of threads"
        fail=1
    }
    [ "$header" = "$umbrella" ] || grep -q "^#include <$name>" "$umbrella" || {
        echo "FAIL: include/spectraj.h does not include <$name>"
        fail=1
    }
done

# In C++ such a function hides the struct.
functions=$(awk -f "$top_srcdir/include/declarations.awk" "$top_srcdir"/include/spectraj/*.h |
    sed 's/(.*//; s/.*[ *]//')
for function in $functions; do
    if grep -qE "(struct|enum|union) $function( |;|\$)" "$top_srcdir"/include/spectraj/*.h; then
        echo "FAIL: $function is a function and a struct"
        fail=1
    fi
done

version=$(sed -n 's/^AC_INIT(\[spectraj\], \[\(.*\)\])$/\1/p' "$top_srcdir/configure.ac")
stated=$(sed -n 's/^#define SPECTRAJ_VERSION_[MP][A-Z]* \([0-9]*\).*/\1/p' "$top_srcdir/include/spectraj/version.h" |
    tr '\n' '.')
[ "$version." = "$stated" ] || {
    echo "FAIL: configure.ac says version $version, spectraj/version.h $stated"
    fail=1
}
exit $fail
