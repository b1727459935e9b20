#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/analyze.sh: clang's static analyzer and cppcheck on every file of src/: a finding that is not explained fails.
#
# What cppcheck finds and is no defect stands in tests/cppcheck.explained with its reason; for clang the source says
# what must hold, in assertions.  A tool that is not there is left out, and said.  Run by `make check-analyze`.
set -u
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
clang=${ANALYZE_CC:-clang}
jobs=${ANALYZE_JOBS:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/spectraj-analyze-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' INT TERM
tools=0
failed=0

# report TOOL: its findings are in $work/TOOL.
report()
{
    tools=$((tools + 1))
    n=$(grep -c -E ': (warning|error|fatal error|style|performance|portability)' "$work/$1")
    grep -E ': (warning|error|fatal error|style|performance|portability)' "$work/$1"
    echo "check-analyze: $1, $(wc -l < "$work/files") files: $n unexplained findings"
    [ "$n" -eq 0 ] || failed=1
}

cd "$top_srcdir" || exit 99
find src -name '*.c' | sort > "$work/files"
[ -s "$work/files" ] || exit 99

# Of the flags that the files are compiled with, those that both tools know; folders as they are seen from here.
for word in -DHAVE_CONFIG_H '-DSPECTRAJ_EXAMPLES_DIR=""' ${CORE_FLAGS:-"-I$top_builddir" -I"$top_srcdir/include" -I"$top_srcdir/src"}; do
    case $word in
    -I/* | -D* | -U* | -std=* | -fopenmp*) printf '%s\n' "$word" ;;
    -I*) printf '%s\n' "-I$top_builddir/${word#-I}" ;;
    esac
done > "$work/flags"

if command -v "$clang" > /dev/null 2>&1; then
    # shellcheck disable=SC2046 # words
    xargs -P "$jobs" -n 1 "$clang" --analyze --analyzer-output text -o "$work/plist" $(cat "$work/flags") \
        < "$work/files" > "$work/clang" 2>&1 || { tail -5 "$work/clang"; failed=1; }
    report clang
else
    echo "check-analyze: $clang is not there (Debian package clang): left out"
fi

if command -v cppcheck > /dev/null 2>&1; then
    sed -e 's/#.*//' -e '/^ *$/d' tests/cppcheck.explained > "$work/explained"
    cppcheck -q -j "$jobs" --std=c11 --enable=warning,performance,portability --inline-suppr \
        --suppressions-list="$work/explained" $(grep -e '^-[DUI]' "$work/flags") src > "$work/cppcheck" 2>&1
    report cppcheck
else
    echo 'check-analyze: cppcheck is not there (Debian package cppcheck): left out'
fi

[ "$tools" -gt 0 ] || exit 77
exit "$failed"
