#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/symbols.sh: what the built library exports is what the public headers declare, and nothing
# else; and whose BLAS it finds.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
fail=0
shared=$top_builddir/.libs/libspectraj.so
static=$top_builddir/.libs/libspectraj.a
nm=${NM:-nm}

# The names of defined symbols, without those that instrumentation and OpenMP's named critical
# sections bring along, and without the name of the version.
ours()
{
    sed -n 's/^[0-9a-f]* [B-Z] \([^@]*\).*$/\1/p' |
        grep -v -e '^__\(asan\|odr_asan\|ubsan\|gcov\|llvm\|sanitizer\)' -e '^\.gomp_critical_user_'
}

# declared INCLUDE: the functions of INCLUDE/spectraj.h that are not defined there, sorted.  As the
# compiler reads them, not as the build does, which makes its list with include/declarations.awk.
declared()
{
    ${CC:-cc} -E -P -I "$1" "$1/spectraj.h" | tr '\n' ' ' | sed 's/static inline [^{]*{[^}]*}//g' |
        grep -o '[^a-z0-9_]stj_[a-z0-9_]*(' | tr -d ' (*' | sort -u
}

# compare DECLARED EXPORTED: say what is in one list alone.
compare()
{
    printf '%s\n' "$1" > "$scratch/declared"
    printf '%s\n' "$2" | sort -u > "$scratch/exported"
    comm -23 "$scratch/declared" "$scratch/exported" | sed 's/$/ is declared and not exported/'
    comm -13 "$scratch/declared" "$scratch/exported" | sed 's/$/ is exported and not declared/'
}

# The checker must see a difference in either direction, or its silence means nothing.
self_test()
{
    mkdir "$scratch/include"
    cat > "$scratch/include/spectraj.h" <<'EOF'
/* stj_comment(x) */
typedef int (*stj_callback_fn)(int);
struct stj_thing { enum stj_status (*fn)(int); };
const char *stj_text(
    int code);
static inline int stj_inside(int x) { return stj_far(x); }
int stj_far(int x);
EOF
    found=$(compare "$(declared "$scratch/include")" "stj_far
stj_stranger" | tr '\n' ';')
    wanted='stj_text is declared and not exported;stj_stranger is exported and not declared;'
    [ "$found" = "$wanted" ] || {
        echo "the checker itself is wrong: found '$found' instead of '$wanted'"
        exit 99
    }
}

scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
self_test

if [ ! -e "$shared" ] && [ ! -e "$static" ]; then
    echo "neither $shared nor $static was built"
    exit 99
fi

if [ -e "$shared" ]; then
    exported=$($nm -D --defined-only "$shared" | ours)
    differences=$(compare "$(declared "$top_srcdir/include")" "$exported")
    [ -z "$differences" ] || { echo "FAIL: $differences"; fail=1; }

    # The first library in search order that defines cblas_dgemm is the one that is called.
    if command -v ldd >/dev/null && grep -q '^#define HAVE_OPENBLAS' "$top_builddir/config.h"; then
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
