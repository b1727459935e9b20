#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/coverage.sh: which lines of src/ `make check` runs: a listing by file, and the lines that were not run in
# coverage/uncovered.  Fails where a test fails or fewer than COVERAGE_LEAST (90) percent were run.
#
# Wants a build that was configured with --enable-coverage, and lcov.  Run by `make coverage`.
set -u
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
least=${COVERAGE_LEAST:-90}

cd "$top_builddir" || exit 99
if [ -z "$(find src -name '*.gcno' | head -n 1)" ]; then
    echo 'coverage: nothing here counts lines: build anew after ./configure --enable-coverage --disable-shared' >&2
    exit 99
fi
command -v lcov > /dev/null 2>&1 || { echo 'coverage: lcov is not there (Debian package lcov)' >&2; exit 77; }
mkdir -p coverage
lcov --quiet --zerocounters --directory src
# Files that no test ever links are in the first listing alone.
lcov --quiet --capture --initial --directory src --output-file coverage/none.info > coverage/lcov.log 2>&1 || exit 99
${MAKE:-make} check > coverage/check.log 2>&1
tests=$?
grep -E '^(# (TOTAL|PASS|SKIP|FAIL|ERROR)|FAIL:|ERROR:)' coverage/check.log
lcov --quiet --capture --directory src --output-file coverage/run.info >> coverage/lcov.log 2>&1 || exit 99
lcov --quiet --add-tracefile coverage/none.info --add-tracefile coverage/run.info \
    --output-file coverage/all.info >> coverage/lcov.log 2>&1 || exit 99

awk -F: -v top="$(cd "$top_srcdir" && pwd)/" -v least="$least" '
    $1 == "SF" { file = substr($2, 1, length(top)) == top ? substr($2, length(top) + 1) : "" }
    $1 == "DA" && file ~ /^src\// {
        split($2, line, ",")
        lines[file]++
        if (line[2] > 0) run[file]++
        else print file ":" line[1] > "coverage/uncovered"
    }
    END {
        for (file in lines) {
            printf "%-44s %5d of %5d lines  %5.1f %%\n", file, run[file], lines[file],
                100 * run[file] / lines[file] | "sort"
            all += lines[file]
            of_all += run[file]
        }
        close("sort")
        printf "coverage: %d of %d lines of src/, %.1f %%; at least %g %% are wanted\n", of_all, all,
            100 * of_all / all, least
        exit !(of_all >= least / 100 * all)
    }' coverage/all.info
enough=$?
[ $tests -eq 0 ] && [ $enough -eq 0 ]
