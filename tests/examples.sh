#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/examples.sh [PROGRAMS [DATA]]: the numbered C examples run, and find what they check.
#
# PROGRAMS: the folder they were compiled in; DATA: the folder of small.yaml.
set -u
programs=${1-${top_builddir:?is set by make}/examples/c}
data=${2-${top_srcdir:?is set by make}/examples/c}
programs=$(cd "$programs" && pwd) && data=$(cd "$data" && pwd) || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
fail=0
n=0

# example LINE NAME ARGUMENT...: succeeds silently on stderr, with at least so many lines of output.
example()
{
    lines=$1 name=$2
    shift 2
    n=$((n + 1))
    "$programs/$name" "$@" > out 2> err || { echo "FAIL: $name $*: exit status $?"; fail=1; }
    [ ! -s err ] || { echo "FAIL: $name wrote to stderr"; fail=1; }
    [ "$(wc -l < out)" -ge "$lines" ] || { echo "FAIL: $name printed less than $lines lines"; fail=1; }
    sed "s/^/$name: /" out err
}

example 7 01-own-operator
example 8 02-own-network
example 7 03-train-and-top-values "$data/small.yaml" RUN
mv out first
example 7 03-train-and-top-values "$data/small.yaml" RUN
cmp first out || { echo "FAIL: the run that was opened differs from the one that was trained"; fail=1; }
example 13 04-density RUN
example 3 05-window-and-trace RUN
example 4 06-perturb-training RUN
example 4 07-run-of-callbacks BUMPS
mv out first
example 4 07-run-of-callbacks BUMPS
cmp first out || { echo "FAIL: the run of callbacks that was opened differs from the one that was trained"; fail=1; }
for name in 03-train-and-top-values 04-density 05-window-and-trace 06-perturb-training; do
    "$programs/$name" > out 2>&1 && { echo "FAIL: $name without arguments succeeds"; fail=1; }
    grep -q '^usage: ' out || { echo "FAIL: $name without arguments does not say its usage"; fail=1; }
done
there=$(find "$data" -name '[0-9]*.c' | wc -l)
[ "$there" -eq $((n - 2)) ] || { echo "FAIL: $there examples, $((n - 2)) of them were run"; fail=1; }
exit $fail
