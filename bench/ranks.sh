#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# bench/ranks.sh: two ranks of one thread beside one process of two threads, in products of single vectors and of blocks,
# and the memory of four ranks that hold a basis of 400 vectors: the figures of docs/scaling.md.
#
#   sh bench/ranks.sh [RUN]
#
# Without RUN the network of examples/mlp-wide is trained in a folder of its own.  Nothing else should work meanwhile: a
# rank that has to wait for its processor keeps the others waiting too.  In the environment: SPECTRAJ, JSONKEYS,
# MPIRUN, TIMES (3), of which the medians count.
set -eu
spectraj=${SPECTRAJ:-./spectraj}
jsonkeys=${JSONKEYS:-tests/jsonkeys}
. "$top_srcdir/tests/mpi.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run=${1:-$work/RUN}
[ $# -gt 0 ] || $spectraj train "$top_srcdir/examples/mlp-wide/mlp-wide.yaml" -o "$run" > "$work/train"

# once OUT THREADS RANKS ANALYSIS [OPTION]...: its JSON into OUT.
once()
{
    out=$1 threads=$2 n=$3 analysis=$4
    shift 4
    OMP_NUM_THREADS=$threads
    export OMP_NUM_THREADS
    if [ "$n" -eq 1 ]; then
        "$spectraj" "$analysis" "$run" "$@" --tag bench-ranks --force --json
    else
        ranks "$n" "$spectraj" "$analysis" "$run" "$@" --tag bench-ranks --force --json
    fi > "$out" 2> "$work/err" || [ $? -eq 2 ] || {
        cat "$work/err" >&2
        exit 1
    }
}

value() { "$jsonkeys" --print "$1" "$2"; }

median() { sort -g | awk '{ s[NR] = $1 } END { print s[int((NR + 1) / 2)] }'; }

# compare WHAT ANALYSIS [OPTION]...: medians of threads and of ranks, in turn.
compare()
{
    what=$1
    shift
    : > "$work/threads"
    : > "$work/ranks"
    for i in $(seq "${TIMES:-3}"); do
        once "$work/json" 2 1 "$@"
        value "$work/json" seconds >> "$work/threads"
        once "$work/json" 1 2 "$@"
        value "$work/json" seconds >> "$work/ranks"
    done
    a=$(median < "$work/threads") b=$(median < "$work/ranks")
    awk -v w="$what" -v a="$a" -v b="$b" 'BEGIN { printf "| %s | %.1f | %.1f | %.2f |\n", w, a, b, b / a }'
}

echo '| | 1 rank, 2 threads: s | 2 ranks, 1 thread each: s | ratio |'
echo '|---|---|---|---|'
compare '6 products of one vector' svd --top 1 --max-applications 6 --memory 3G
compare 'density, 8 probes, one step' density --no-deflation --probes 8 --steps 1 --memory 3G

# Of ten steps, for the time; all rows of the basis are there all the same.
once "$work/json" 1 4 svd --top 1 --ncv 400 --max-applications 402 --to 10 --memory 1G
awk -v p="$(value "$work/json" cost.peak_memory_bytes)" -v f="$(value "$work/json" cost.planned_memory_bytes)" \
    -v n="$(value "$work/json" n_params)" 'BEGIN {
    printf "4 ranks, 400 vectors: %.2f GB at the peak of the largest, %.2f planned (%.2f); N ncv 8 / 4 bytes are %.2f\n",
        p / 1e9, f / 1e9, p / f, n * 400 * 8 / 4 / 1e9 }'
