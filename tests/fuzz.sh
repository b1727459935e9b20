#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/fuzz.sh: libFuzzer on every reader of files from strangers (tests/fuzz/fuzz.c), with AddressSanitizer and
# UBSan, each for FUZZ_SECONDS (60) or, without clang's libFuzzer, not at all.  FUZZ_TARGETS: which.
#
# The library is built once more, with clang, in the folder `fuzz` of the build, from a copy of the sources (a tree that
# was configured itself, as a release often is, cannot be built anywhere else); the inputs that reach new code are kept
# in fuzz/corpus, and used again.  What ends in a crash, a leak, an allocation beyond what the input can justify, or
# takes seconds, is left in fuzz/ under the name that libFuzzer prints.  Run by `make check-fuzz`.
set -u
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
seconds=${FUZZ_SECONDS:-60}
targets=${FUZZ_TARGETS:-config csv csv-gz frames hello idx npy npz safetensors result trajectory log manifest}
# Seconds of wall clock that an input may take: one takes milliseconds, but on a loaded machine the clock runs on.
timeout=${FUZZ_TIMEOUT:-60}
# No input is longer, and none may make a single allocation larger: a packed byte holds at most 1032.
longest=16384
megabytes=24
clang=${FUZZ_CC:-clang}
# Each input is a file for a moment: where that is in memory, ten times as many are tried as on a disk.
[ -z "${TMPDIR:-}" ] && [ -d /dev/shm ] && [ -w /dev/shm ] && TMPDIR=/dev/shm && export TMPDIR

mkdir -p "$top_builddir/fuzz/corpus" && cd "$top_builddir/fuzz" || exit 99
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n == ~0ul; }' > probe.c
if ! "$clang" -fsanitize=fuzzer,address,undefined probe.c -o probe > probe.log 2>&1; then
    echo "check-fuzz: $clang cannot build libFuzzer targets (Debian packages clang and libclang-rt-dev): skipped"
    exit 77
fi
${MAKE:-make} -C .. distdir distdir=fuzz/source > source.log 2>&1 || { tail -5 source.log; exit 99; }
if [ ! -f Makefile ]; then
    echo 'check-fuzz: configuring a build of its own'
    source/configure --disable-shared --disable-openmp CC="$clang" \
        CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
        > configure.log 2>&1 || { tail -5 configure.log; exit 99; }
fi
echo 'check-fuzz: building'
${MAKE:-make} tests/fuzz/fuzz FUZZ_LDFLAGS=-fsanitize=fuzzer > build.log 2>&1 || { tail -20 build.log; exit 99; }

failures=0
printf '%-12s %12s %8s %8s %8s\n' target executions 'per s' edges corpus
for target in $targets; do
    mkdir -p "corpus/$target"
    FUZZ_TARGET=$target ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
        tests/fuzz/fuzz "corpus/$target" "$top_srcdir/tests/fuzz/seeds/$target" \
        -max_total_time="$seconds" -timeout="$timeout" \
        -max_len=$longest -malloc_limit_mb=$megabytes -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$target-" > "$target.log" 2>&1
    status=$?
    awk -v target="$target" '
        /^stat::number_of_executed_units/ { n = $2 }
        /^stat::average_exec_per_sec/ { rate = $2 }
        match($0, /cov: [0-9]+/) { edges = substr($0, RSTART + 5, RLENGTH - 5) }
        match($0, /corp: [0-9]+/) { corpus = substr($0, RSTART + 6, RLENGTH - 6) }
        END { printf "%-12s %12d %8d %8d %8d\n", target, n, rate, edges, corpus }' "$target.log"
    if [ $status -ne 0 ]; then
        failures=$((failures + 1))
        echo "FAIL: $target: $(grep -m 1 -e '^SUMMARY' -e ERROR: -e 'runtime error' "$target.log")"
        grep -e 'Test unit written to' "$target.log"
    fi
done
[ $failures -eq 0 ]
