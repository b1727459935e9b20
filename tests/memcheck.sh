#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/memcheck.sh: valgrind's memcheck on every C test: an access that is not allowed, a decision on a number that
# was never set, or memory lost, fails.
#
# Property tests run with STJ_TEST_MULTIPLIER 0.05, which is said: valgrind is some thirty times slower.  All tests of a
# program run in one process (CK_FORK=no): a process for each, with a search for leaks at its end, takes ten times as
# long.  What a test forks itself is followed.  What lies inside of libraries is in tests/valgrind.supp.  MEMCHECK_TESTS: which.
# Run by `make check-valgrind`.
set -u
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
tests=${MEMCHECK_TESTS:?the names of the C tests}
valgrind=${VALGRIND:-valgrind}
: "${STJ_TEST_MULTIPLIER:=0.05}" "${OMP_NUM_THREADS:=1}" "${CK_TIMEOUT_MULTIPLIER:=100}" "${CK_FORK:=no}"
OPENBLAS_NUM_THREADS=1
export STJ_TEST_MULTIPLIER OMP_NUM_THREADS CK_TIMEOUT_MULTIPLIER CK_FORK OPENBLAS_NUM_THREADS

command -v "$valgrind" > /dev/null 2>&1 ||
    { echo 'check-valgrind: valgrind is not there (Debian package valgrind): skipped'; exit 77; }
mkdir -p "$top_builddir/memcheck" && cd "$top_builddir" || exit 99
echo "check-valgrind: STJ_TEST_MULTIPLIER=$STJ_TEST_MULTIPLIER, OMP_NUM_THREADS=$OMP_NUM_THREADS"

failures=0
for test in $tests; do
    log=memcheck/${test##*/}
    ./libtool --mode=execute "$valgrind" --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite --trace-children=no --suppressions="$top_srcdir/tests/valgrind.supp" \
        --log-file="$log.%p" "./$test" > "$log.out" 2>&1
    status=$?
    errors=$(cat "$log".[0-9]* | grep -c -E '(Invalid|uninitialised|definitely lost|Mismatched|overlap)')
    if [ $status -eq 0 ] && [ "$errors" -eq 0 ]; then
        echo "PASS: $test"
        rm -f "$log".[0-9]*
    else
        failures=$((failures + 1))
        echo "FAIL: $test: status $status, $errors errors ($log.*)"
    fi
done
echo "check-valgrind: $(echo "$tests" | wc -w) tests, $failures failed"
[ $failures -eq 0 ]
