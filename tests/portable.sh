#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/portable.sh: every file of src/ compiles where the system has nothing beyond POSIX, and what takes
# the place of the rest (base/system.h) works: the tests of locks, processes and files pass with it.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
: "${CORE_FLAGS:?is set by make}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0
flags="-DSPECTRAJ_EXAMPLES_DIR=\"\" -DHAVE_CONFIG_H -DSTJ_PORTABLE -D_POSIX_C_SOURCE=200809L -Werror=implicit-function-declaration"

# What base/system.h leaves out must be all that configure asked for.
for name in $(sed -n 's/^AC_CHECK_FUNCS(\[\(.*\)\])$/\1/p' "$top_srcdir/configure.ac" | tr '[:lower:]' '[:upper:]'); do
    grep -q "^#undef HAVE_$name\$" "$top_srcdir/src/base/system.h" ||
        { echo "FAIL: src/base/system.h does not leave out HAVE_$name"; failed=1; }
done

# Nor does a test edit in place, which each sed has in its own way.
grep -n 'sed -[i]' "$top_srcdir"/tests/*.sh && { echo "FAIL: an edit in place"; failed=1; }

# compile FILE...: no code, several files in one run of the compiler.
compile()
{
    # shellcheck disable=SC2086
    (cd "$top_builddir" && ${CC:-cc} $CORE_FLAGS $flags -fsyntax-only "$@")
}
find "$top_srcdir/src" -name '*.c' ! -name ranks_mpi.c ! -path '*/train/single.c' > "$work/files"
# shellcheck disable=SC2046
compile $(cat "$work/files") || { echo "FAIL: not portable"; failed=1; }
compile -DSTJ_SINGLE -include single_names.h "$top_srcdir/src/train/single.c" || { echo "FAIL: single.c"; failed=1; }
[ "$(wc -l < "$work/files")" -gt 200 ] || { echo "FAIL: too few files were found"; failed=1; }
printf '#include "base/system.h"\n#include <fcntl.h>\n#include <unistd.h>\nint f(int *p);\nint f(int *p) { return pipe2(p, 0); }\n' \
    > "$work/extension.c"
compile "$work/extension.c" 2> /dev/null && { echo "the checker itself is wrong: pipe2 compiles"; exit 99; }

# What differs is linked in front of the library, and the tests that use it run.
[ -e "$top_builddir/.libs/libspectraj_core.a" ] || exit $failed
for file in $(cd "$top_srcdir" && grep -l 'base/system.h' $(find src -name '*.c' ! -name blas_library.c)); do
    # shellcheck disable=SC2086
    (cd "$top_builddir" && ${CC:-cc} $CORE_FLAGS $flags -c "$top_srcdir/$file" \
        -o "$work/$(basename "$file" .c).o") || failed=1
done
# link NAME OBJECT...
link()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    (cd "$top_builddir" && ./libtool --silent --tag=CC --mode=link ${CC:-cc} $LINK_FLAGS -o "$work/$name" "$@" \
        "$work"/*.o libtestkit.la libspectraj_core.la $CHECK_LIBS) || { echo "FAIL: $name does not link"; failed=1; }
}

# Not t-lock: locks of POSIX belong to the process, and two of its users do not exclude each other.
for test in t-file t-h5; do
    link $test tests/$test.o
    (cd "$work" && ./$test > out 2>&1) || { echo "FAIL: $test with what is portable"; tail -n 20 "$work/out"; failed=1; }
done
link spectraj $(cd "$top_builddir" && echo src/cli/spectraj-*.o)
SPECTRAJ=$work/spectraj ${SHELL:-sh} "$top_srcdir/tests/problem.sh" > "$work/out" 2>&1
[ $? -eq 0 ] || { echo "FAIL: problem.sh with what is portable"; tail -n 20 "$work/out"; failed=1; }
exit $failed
