#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/installed.sh: README.md's lines after `make install` into a folder of one's own, followed to the letter:
# the command, its manual, a C program with the shared and with the static library; and what uninstall leaves.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
# In folders of a distribution the loader finds the library, and in no others.
grep -q 'ORIGIN/../lib' "$top_builddir/Makefile" || exit 77
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
failed=0
fail() { echo "FAIL: $1"; [ ! -e out ] || tail -n 20 out; failed=1; }
installation()
{
    (unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
    cd "$top_builddir" && ${MAKE:-make} "$1" prefix="$work/local" exec_prefix="$work/local" libdir="$work/local/lib" \
        pythondir="$work/local/lib/python3/dist-packages") > out 2>&1 || fail "make $1"
}

installation install
# quickstart prints README.md's line; both are the same, with the folder in its place.
sed -n '/^    DIR=\$PWD\/local$/,/^$/s/^    //p' "$top_srcdir/README.md" > lines
{ sed -n '/^known()/,/^}/p' "$top_srcdir/quickstart"; echo 'known "$1"'; } > known.sh
printed=$(cd "$top_srcdir" && sh "$work/known.sh" "$work/local")
[ "$(wc -l < lines)" -eq 2 ] || fail "README.md does not have the two lines"
[ "$printed" = "DIR='$work/local'; $(tail -n 1 lines)" ] || fail "quickstart prints: $printed"
set +u
eval "$printed"
set -u

[ "$(command -v spectraj)" = "$work/local/bin/spectraj" ] || fail "spectraj is $(command -v spectraj)"
spectraj --version > out 2>&1 || fail "spectraj --version"
page=$(man -w spectraj 2> /dev/null)
case ${page:-none} in
    none) [ -e local/share/man/man1/spectraj.1 ] || fail "there is no manual page" ;;
    "$work"/local/share/man/man1/spectraj.1*) ;;
    *) fail "man finds $page" ;;
esac

# The C program: the compiler is that of the build, sanitizers included.
cc() { ${CC:-gcc} ${LINK_FLAGS:-} "$@"; }
ln -s "$top_srcdir/examples" examples
line=$(sed -n 's/^    \(cc examples.*\)/\1/p' "$top_srcdir/README.md")
start=$(sed -n 's/^    \(.\/top-values.*\)/\1/p' "$top_srcdir/README.md")
[ -n "$line" ] && [ -n "$start" ] || fail "README.md does not compile a program"
if command -v pkg-config > /dev/null; then
    if [ -e local/lib/libspectraj.so ]; then
        eval "$line" > out 2>&1 || fail "$line"
        eval "$start" > out 2>&1 || fail "$start"
        grep -q residual out || fail "the program prints no values"
        cp out shared
    fi
    if [ -e local/lib/libspectraj.a ]; then
        rm -f local/lib/libspectraj.so* top-values
        eval "$(echo "$line" | sed 's/pkg-config/pkg-config --static/')" > out 2>&1 || fail "a static link"
        eval "$start" > out 2>&1 || fail "the program that was linked statically"
        [ ! -e shared ] || cmp -s shared out || fail "the static library has other numbers"
        # Without any shared library, where configure could.
        case ${LINK_FLAGS:-}$(sed -n 's/^stj_cv_static_libs=//p' "$top_builddir/config.log") in
            *unknown | *-fsanitize*) ;;
            *)
                eval "$(echo "$line" | sed 's/^cc/cc -static/; s/pkg-config/pkg-config --static/')" > out 2>&1 ||
                    fail "a link with -static"
                eval "$start" > out 2>&1 || fail "the program without shared libraries"
                [ ! -e shared ] || cmp -s shared out || fail "without shared libraries there are other numbers"
                ;;
        esac
    fi
fi

installation uninstall
[ ! -e local ] || fail "uninstall leaves $(find local | tr '\n' ' ')"
exit $failed
