#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/reference.sh: every name in the public headers is documented, and Doxygen reads it all
# without a warning.
#
#   reference.sh          the test; without doxygen, functions alone are looked at
#   reference.sh FOLDER   writes the reference into FOLDER/html (`make doc`); 77 without doxygen
set -u
: "${top_srcdir:?is set by make}"
version=$(sed -n 's/^AC_INIT(\[spectraj\], \[\(.*\)\])$/\1/p' "$top_srcdir/configure.ac")
folder=${1-}

# A comment ends on the line before a function's first line, or begins behind its last.
undocumented()
{
    awk '
        function begins(line) { return line ~ /^[a-z].*[ *]stj_[a-z0-9_]+\(/ && line !~ /^(typedef|#)/ }
        wanted && /;/ { if (!/\/\*/) print FILENAME ": " wanted; wanted = ""; previous = $0; next }
        begins($0) && previous !~ /\*\/[ \t]*$/ {
            wanted = $0
            if (/;/) { if (!/\/\*/) print FILENAME ": " wanted; wanted = "" }
        }
        { previous = $0 }' "$@"
}

missing=$(for header in "$top_srcdir"/include/spectraj/*.h; do undocumented "$header"; done)
[ -z "$missing" ] || { echo "FAIL: functions without a comment:"; echo "$missing"; exit 1; }

if ! command -v doxygen >/dev/null 2>&1; then
    echo "doxygen was not found (Debian package doxygen): functions were looked for, no more"
    [ -z "$folder" ] && exit 0 || exit 77
fi

out=${folder:-$(mktemp -d)}
[ -n "$folder" ] || trap 'rm -rf "$out"' EXIT
mkdir -p "$out"
{
    cat "$top_srcdir/docs/Doxyfile"
    echo "PROJECT_NUMBER = $version"
    echo "INPUT = \"$top_srcdir/include\""
    echo "STRIP_FROM_PATH = \"$top_srcdir/include\""
    echo "STRIP_FROM_INC_PATH = \"$top_srcdir/include\""
    echo "OUTPUT_DIRECTORY = \"$out\""
    echo "INPUT_FILTER = \"awk -f '$top_srcdir/docs/doxygen-filter.awk'\""
    echo "WARN_LOGFILE = \"$out/warnings\""
} > "$out/Doxyfile"
doxygen "$out/Doxyfile" || { echo "FAIL: doxygen ended with an error"; exit 1; }
if [ -s "$out/warnings" ]; then
    echo "FAIL: warnings of doxygen:"
    cat "$out/warnings"
    exit 1
fi
[ -s "$out/html/index.html" ] || { echo "FAIL: $out/html/index.html was not written"; exit 1; }
[ -z "$folder" ] || echo "the reference is in $out/html"
