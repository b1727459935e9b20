#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/symbols.sh: what the built library exports, and whose BLAS it finds.
set -u
: "${top_builddir:?is set by make}"
fail=0
shared=$top_builddir/.libs/libspectraj.so
static=$top_builddir/.libs/libspectraj.a
nm=${NM:-nm}

# The names of defined symbols, without those that instrumentation and OpenMP's named critical
# sections bring along.
ours()
{
    sed -n 's/^[0-9a-f]* [A-Z] \([^@]*\).*$/\1/p' |
        grep -v -e '^__\(asan\|odr_asan\|ubsan\|gcov\|llvm\|sanitizer\)' -e '^\.gomp_critical_user_'
}

if [ ! -e "$shared" ] && [ ! -e "$static" ]; then
    echo "neither $shared nor $static was built"
    exit 99
fi

if [ -e "$shared" ]; then
    exported=$($nm -D --defined-only "$shared" | ours)
    echo "$exported" | grep -q '^stj_version$' || { echo "FAIL: stj_version is not exported"; fail=1; }
    strangers=$(echo "$exported" | grep -v '^stj_')
    [ -z "$strangers" ] || { echo "FAIL: exported without the prefix: $strangers"; fail=1; }

    # The first library in search order that defines cblas_dgemm is the one that is called.
    if command -v ldd >/dev/null; then
        home=
        for file in $(ldd "$shared" | sed -n 's,^.*=> *\(/[^ ]*\).*$,\1,p'); do
            if $nm -D --defined-only "$file" 2>/dev/null | grep -q ' [TWi] cblas_dgemm\(@.*\)*$'; then
                home=$file
                break
            fi
        done
        case $(basename "${home:-none}") in
            libopenblas*) ;;
            *) echo "FAIL: cblas_dgemm comes from ${home:-nowhere}, not from OpenBLAS"; fail=1 ;;
        esac
    fi
fi

if [ -e "$static" ]; then
    strangers=$($nm -g --defined-only "$static" 2>/dev/null | ours | grep -v '^stj_')
    [ -z "$strangers" ] || { echo "FAIL: global in $static without the prefix: $strangers"; fail=1; }
fi
exit $fail
