#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/faults.sh: whatever goes wrong while a command works, nothing that was finished is lost.
#
# `train`, `svd`, `density`, `dense` and `study restrict` are killed and interrupted at moments drawn from SEED
# (1) over their measured time, run into a full disk, a read-only folder and removed files, and get errors for
# single calls that allocate, read, write, sync, rename and open (fault-shim.c).  After each fault:
#
#   - the command ended by the signal that was sent, or with status 0 or 2, or with 1 and one line on stderr;
#   - every file that was finished before has the same bytes;
#   - asked again, in peace, it ends as a command that nobody disturbed, with the same bits.
#
# The table says how many faults of a kind there were, how many commands ended by the signal, stopped with an
# error, and came through.  Run by `make check-faults` (minutes), and with --short by `make check`.
. "$(dirname "$0")/cli-lib.sh"
# What counts lines allocates, and writes files of its own as the program ends: the faults would hit it.
[ -z "${COVERAGE:-}" ] || { echo 'faults: not with --enable-coverage'; exit 77; }
seed=${SEED:-1}
kills=${KILLS:-20}
times=4 # of each kind of failing call
allocations=${ALLOCATIONS:-16}
commands='train svd density dense restrict'
steps=400
if [ "${1:-}" = --short ]; then
    kills=2 times=1 allocations=3 steps=60 commands='train svd'
fi
OMP_NUM_THREADS=1
OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS

# The program itself and not libtool's script, which would be hit by the faults too.
program=$spectraj
if [ -x "$top_builddir/.libs/spectraj" ]; then
    program=$top_builddir/.libs/spectraj
    LD_LIBRARY_PATH=$top_builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
fi
${CC:-cc} -shared -fPIC -O2 -fno-builtin -o shim.so "$top_srcdir/tests/fault-shim.c" -ldl 2> err ||
    { echo "no library to preload can be built here"; cat err; exit 77; }
FAULT_COUNT=count LD_PRELOAD=$work/shim.so "$program" --version > out 2> err
grep -q '^alloc [1-9]' count 2> /dev/null || { echo "LD_PRELOAD has no effect here"; exit 77; }

least_memory=$(awk '$1 == "address_space" { print $2 }' count)

short_config c.yaml "s/steps: 20/steps: $steps/"
short_config long.yaml "s/steps: 20/steps: $((10 * steps))/"

# ask ARGUMENT...: what the command of the row is, with these in front.
ask()
{
    case $row in
    train) "$@" "$program" train long.yaml -o RUN ;;
    svd) "$@" "$program" svd RUN --top 20 ;;
    density) "$@" "$program" density RUN --probes 2 --steps 30 --no-deflation ;;
    dense) "$@" "$program" dense RUN ;;
    restrict) "$@" "$program" study restrict RUN --k 5,10,20,50,100,150,200,250,300 ;;
    esac
}

# The name of the result file.
result()
{
    case $row in
    train) echo trajectory ;;
    restrict) echo study-restrict ;;
    *) echo $row ;;
    esac
}

# uniform N: numbers in (0, 1), another list for each row and kind.
uniform()
{
    awk -v n="$1" -v seed="$seed$(printf %s "$row$kind" | cksum | cut -c1-6)" \
        'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.4f\n", rand() }'
}

prepare()
{
    rm -rf RUN lost
    [ $row = train ] || cp -R base RUN
}

# Everything that was finished before the fault is there with the same bytes.
check_old()
{
    [ $row = train ] && return
    for file in base/*; do
        cmp -s "$file" "RUN/${file#base/}" || trouble "${file#base/} was lost or changed"
    done
}

# arrays FOLDER: the arrays of the result.
arrays()
{
    rm -rf "$1"
    "$program" export RUN "$(result)" --npy -o "$1" > out 2> err || { trouble "the result cannot be read"; return; }
    rm -f "$1"/*.csv
}

trouble()
{
    command_line="of row $row, $kind $fault"
    fail "$1"
    bad=$((bad + 1))
}

# judge STATUS [SIGNAL]: how the disturbed command ended; then the same is asked in peace.
judge()
{
    status=$1
    total=$((total + 1))
    n_faults=$((n_faults + 1))
    cp err fault.err
    if [ $# -gt 1 ] && [ "$1" -eq $((128 + $2)) ]; then
        n_signal=$((n_signal + 1))
    elif [ "$1" -eq 1 ]; then
        n_error=$((n_error + 1))
        [ "$(wc -l < err)" -eq 1 ] && grep -q '^spectraj: .' err || trouble "not one line on standard error"
    elif [ "$1" -eq "$calm_status" ]; then
        n_through=$((n_through + 1))
    else
        trouble "ended with status $1"
    fi
    [ -z "$restore" ] || eval "$restore"
    check_old
    ask > out 2> err
    status=$?
    # A training that had come through is complete.
    if [ "$status" -ne "$calm_status" ] && ! { [ $row = train ] && grep -q 'complete run' err; }; then
        trouble "asked again: status $status instead of $calm_status, after: $(cat fault.err)"
        return
    fi
    arrays again
    diff -r calm again > diff.out || trouble "asked again: other bits"
}

# in_time DELAY SIGNAL [COMMAND]...: the command (through that one), and the signal after that share of its time.
in_time()
{
    prepare
    fault=$1
    share=$1
    signal=$2
    shift 2
    ask exec "$@" > out 2> err < /dev/null &
    victim=$!
    sleep "$(awk -v u="$share" -v t="$calm_seconds" 'BEGIN { printf "%.3f", u * t }')"
    kill -"$signal" $victim 2> /dev/null
    wait $victim 2> /dev/null
    judge $? "$signal"
}

# failing CALL AT ON ERRNO
failing()
{
    prepare
    fault="$1 $2 $3"
    ask env LD_PRELOAD="$work/shim.so" FAULT_CALL="$1" FAULT_AT="$2" FAULT_ON="$3" FAULT_ERRNO="$4" > out 2> err
    judge $?
}

# Every read, or write, moves less than it was asked for: no fault at all.
halving()
{
    failing "$1" 1 always 0
    [ "$n_error" -eq 0 ] || trouble "gave up: $(cat fault.err)"
}

# A file of the folder goes away while the command works, and comes back after it.
removing()
{
    prepare
    fault=$1
    ask exec > out 2> err < /dev/null &
    victim=$!
    sleep "$(awk -v u="$2" -v t="$calm_seconds" 'BEGIN { printf "%.3f", u * t }')"
    mkdir lost
    [ ! -e "RUN/$1" ] || mv "RUN/$1" lost/
    wait $victim 2> /dev/null
    judge $?
}

calls_of() { awk -v k="$1" '$1 == k { print $2 }' calm.count; }

begin_row() { n_faults=0 n_signal=0 n_error=0 n_through=0 bad=0 restore=; }
end_row()
{
    printf '%-10s %-22s %7d %9d %7d %9d %9d\n' $row "$kind" $n_faults $n_signal $n_error $n_through $bad
}

# The undisturbed command: its time, its calls, its result.
measure()
{
    kind=calm fault= bad=0
    prepare
    ask env LD_PRELOAD="$work/shim.so" FAULT_COUNT="$work/calm.count" > out 2> err
    prepare
    start=$(now)
    ask > out 2> err
    calm_status=$?
    calm_seconds=$(echo "$start $(now)" | awk '{ print $2 - $1 }')
    [ $calm_status -eq 0 ] || [ $calm_status -eq 2 ] || { trouble "the undisturbed command failed"; finish; }
    arrays calm
}

all_of_row()
{
    measure
    kind='kill -9' && begin_row
    for u in $(uniform "$kills"); do in_time "$u" 9; done
    end_row
    kind='SIGINT' && begin_row
    for u in $(uniform $times); do in_time "$u" 2 $heed; done
    end_row
    kind='disk full, by size' && begin_row
    # In units of 512 bytes; of the files that the command itself writes.
    ask > out 2> err
    biggest=$(find RUN -type f | while read -r file; do
        [ $row != train ] && [ -e "base/${file#RUN/}" ] || wc -c < "$file"
    done | awk '$1 > m { m = $1 } END { print int(m / 512) }')
    for u in $(uniform $times); do
        prepare
        fault=$u
        (ulimit -f "$(awk -v u="$u" -v m="$biggest" 'BEGIN { print 4 + int(u * m) }')" && ask exec > out 2> err)
        judge $?
    done
    end_row
    kind='disk full, by call' && begin_row
    for u in $(uniform $times); do failing write "$(call_number write "$u")" always 28; done
    end_row
    kind='read-only folder' && begin_row
    failing change 1 always 30
    end_row
    kind='file removed' && begin_row
    restore='[ -z "$(ls lost)" ] || { mkdir -p RUN; mv -f lost/* RUN/; }'
    if [ $row = train ]; then
        for u in $(uniform $times); do removing train.journal "$u"; done
    else
        for u in $(uniform $times); do removing trajectory.h5 "$u"; done
        [ $times -eq 1 ] || removing config.yaml 0.3
    fi
    end_row
    kind='allocation' && begin_row
    for u in $(uniform "$allocations"); do failing alloc "$(call_number alloc "$u")" once 12; done
    for u in $(uniform $times); do failing alloc "$(call_number alloc "$u")" always 12; done
    end_row
    kind='little memory' && begin_row
    for u in $(uniform "$allocations"); do
        prepare
        fault=$u
        (ulimit -v "$(awk -v u="$u" -v a="$least_memory" -v b="$(calls_of address_space)" 'BEGIN { print int(a + u * (b - a)) }')" &&
            ask exec > out 2> err)
        judge $?
    done
    end_row
    kind='short counts' && begin_row
    halving write
    halving read
    end_row
    for call in write read sync rename open; do
        kind="failing $call" && begin_row
        for u in $(uniform $times); do failing $call "$(call_number $call "$u")" once 5; done
        end_row
    done
}

# call_number CALL U: the number of a call of the kind.
call_number() { awk -v u="$2" -v n="$(calls_of "$1")" 'BEGIN { print 1 + int(u * n) }'; }

total=0
row=train
"$program" train c.yaml -o base > out 2> err || { cat err; exit 99; }
"$program" svd base --top 3 --tag old > out 2> err || { cat err; exit 99; }
printf '%-10s %-22s %7s %9s %7s %9s %9s\n' command fault faults 'by signal' error through trouble
for row in $commands; do
    if [ $row = restrict ]; then
        "$program" dense base > out 2> err || { cat err; exit 99; }
    fi
    all_of_row
done

# A file system that cannot lock is said, and trusted.
kind=lock row=svd fault= && begin_row && prepare
ask env LD_PRELOAD="$work/shim.so" FAULT_CALL=lock FAULT_AT=1 FAULT_ON=always FAULT_ERRNO=37 > out 2> err
status=$?
command_line='svd on a file system without locks'
[ "$status" -eq 0 ] && [ "$(wc -l < err)" -eq 1 ] && grep -q 'warning: RUN: the file system cannot lock' err ||
    fail "not one warning"
echo "$total faults"
finish
