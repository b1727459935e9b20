#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi-failures.sh: what ends one rank ends all, with one line and soon, and nothing finished is lost.
#
#     KILLS (3) and SEED (1): `kill -9` of a random rank at random moments; after each the same command goes on, and
#     at the end has the bits of one that nobody disturbed, with no product made twice.
. "$(dirname "$0")/cli-lib.sh"
. "$top_srcdir/tests/mpi.sh"

command -v pgrep > /dev/null 2>&1 || { echo 'pgrep is not there (Debian package procps)'; exit 77; }

# lines: those of the command on standard error; the launcher adds its own.
lines() { grep '^spectraj: ' err || true; }

# fails 'TEXT' COMMAND...: all ranks end with a failure, and one line with the text.
fails()
{
    text=$1
    shift
    command_line=$*
    "$@" > out 2> err && fail 'it did not fail'
    [ "$(lines | wc -l)" -eq 1 ] || fail "$(lines | wc -l) lines instead of 1"
    lines | grep -qF -e "$text" || fail "'$text' is not said"
}

short_config short.yaml
run 0 train short.yaml -o R
mkdir elsewhere
fails 'do not divide the 4 ranks' ranks 4 "$spectraj" svd R --ranks-per-product 3
fails "did you mean 'svd'?" ranks 2 "$spectraj" svvd R
fails 'no such run' ranks 3 "$spectraj" svd nothing
fails 'rank 1 on' "$MPIRUN" -n 1 "$spectraj" svd R : -n 1 -wdir elsewhere "$spectraj" svd R
fails 'is not seen here' "$MPIRUN" -n 1 "$spectraj" train "$PWD/short.yaml" -o NEW : \
    -n 1 -wdir elsewhere "$spectraj" train "$PWD/short.yaml" -o NEW

# More ranks than slices: said, no error.
short_config few.yaml 's/batch_size: 64/batch_size: 32/' 's/units: 4/units: 5/'
command_line='svd with idle ranks'
run 0 train few.yaml -o F
ranks 4 "$spectraj" svd F --top 2 > out 2> err || fail 'idle ranks are an error'
grep -q 'warning: .*idle' err || fail 'idle ranks are not named'

# Fewer threads than were asked for: none of another rank is waited for in vain.
for setting in OMP_THREAD_LIMIT=1 OMP_DYNAMIC=true OMP_MAX_ACTIVE_LEVELS=0; do
    command_line="svd with $setting"
    OMP_NUM_THREADS=2 ranks 2 env $setting "$spectraj" svd R --top 2 --force > out 2> err || fail 'it does not end'
done

# One rank without the memory that the others have.
command_line='a rank without memory'
"$MPIRUN" -n 1 "$spectraj" dense R --tag m --force : -n 1 \
    sh -c 'ulimit -v 120000; exec "$@"' sh "$spectraj" dense R --tag m --force > out 2> err && fail 'it did not fail'

# Allocations that fail on one rank alone, some of them while the others are about to wait for it: for its piece of
# memory that a product's ranks share, in the steps that are timed for a prediction, in a product.
program=$spectraj
if [ -x "$top_builddir/.libs/spectraj" ]; then # not libtool's script
    program=$top_builddir/.libs/spectraj
    LD_LIBRARY_PATH=$top_builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
fi
# with_fault N: two ranks, the second without its allocation of number N (0: none).
with_fault()
{
    "$MPIRUN" -n 1 "$program" svd R --top 2 --force : \
        -n 1 env LD_PRELOAD="$work/shim.so" FAULT_CALL=alloc FAULT_AT="$1" FAULT_COUNT=count \
        "$program" svd R --top 2 --force > out 2> err < /dev/null
}
command_line='svd with a library that counts allocations'
if [ -n "${COVERAGE:-}" ] || ! ${CC:-cc} -shared -fPIC -O2 -fno-builtin -o shim.so "$top_srcdir/tests/fault-shim.c" -ldl 2> err ||
    ! with_fault 0 || ! [ -s count ]; then
    echo 'no allocation is made to fail here'
else
    allocations=$(awk '$1 == "alloc" { print $2 }' count)
    echo "$allocations allocations"
    for before in 20 45 70 95; do
        command_line="svd, the allocation $before before the last fails"
        with_fault $((allocations - before))
        status=$?
        [ $status -eq 0 ] || [ "$(lines | wc -l)" -eq 1 ] || fail "$(lines | wc -l) lines instead of 1"
    done
fi

# has_product RUN: the journal of the victim has one.
has_product()
{
    [ -e "$1/svd-victim.journal" ] && [ "$(wc -c < "$1/svd-victim.journal")" -gt $((8 * $("$jsonkeys" --print calm.json n_params))) ]
}

# kills RUN N: two ranks find singular pairs of RUN; one is killed at N random moments, and the same command goes on.
kills()
{
    run=$1
    command_line="svd of $run undisturbed"
    ranks 2 "$spectraj" svd "$run" --top 20 --tag calm --json > calm.json 2> err || fail 'it failed'
    seconds=$("$jsonkeys" --print calm.json seconds)
    awk -v n="$2" -v seed="${SEED:-1}" -v t="$seconds" \
        'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.3f %d\n", (i ? 0.7 : 0) + rand() * t / (n + 1), 1 + int(2 * rand()) }' > moments
    killed=0
    finished=0
    while read -r delay which; do
        command_line="svd of $run, kill -9 of rank $which after $delay s"
        ranks 2 "$spectraj" svd "$run" --top 20 --tag victim --json > out 2> err < /dev/null &
        launcher=$!
        # The first kill leaves something to go on from.
        while [ $killed -eq 0 ] && ! has_product "$run" && kill -0 $launcher 2> /dev/null; do
            sleep 0.05
        done
        sleep "$delay"
        victim=$(pgrep -f "svd $run --top 20 --tag victim" | while read -r p; do
            [ "$(ps -o comm= -p "$p")" = spectraj ] && echo "$p"; done | sed -n "${which}p")
        # shellcheck disable=SC2086
        [ -z "$victim" ] || ! kill -9 $victim 2> /dev/null || killed=$((killed + 1))
        wait $launcher && finished=1 && break # before the kill
        [ ! -e "$run/svd-victim.h5" ] || fail 'the others went on to the end'
        [ -s err ] || fail 'nothing was said'
    done < moments
    echo "$run: $killed ranks killed"
    command_line="svd of $run, going on after the kills"
    [ "$killed" -gt 0 ] || fail 'no rank was killed'
    [ $finished -eq 1 ] || ranks 2 "$spectraj" svd "$run" --top 20 --tag victim --json > out 2> err || fail 'it does not go on'
    "$jsonkeys" --compare calm.json top.sigma out top.sigma 0 || fail 'it has other bits'
    json out 'applications.replayed>0'
    for key in applications.jvp applications.vjp; do
        [ "$("$jsonkeys" --print calm.json $key)" = "$("$jsonkeys" --print out $key)" ] || fail "$key differs"
    done
}

# Bases that are whole on every rank, and divided ones (N = 75 010).
sed -e "s|file: |&$digits/|" -e "s|rows: |&$digits/|" "$digits/digits.yaml" > digits.yaml
run 0 train digits.yaml -o D
kills D "${KILLS:-3}"
short_config wide.yaml 's/units: 4}/units: 1000}/' 's/peak: 0.1/peak: 0.5/'
run 0 train wide.yaml -o W
kills W "${KILLS:-3}"
finish
