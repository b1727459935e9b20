#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-interrupt.sh: SIGINT ends an analysis or a study with one line that says what is kept and the command that
# goes on; that command, as it stands there, comes to the same bits as one that nobody disturbed.  More threads than
# processors are only those that --threads asks for, and they hear the signal too.
. "$(dirname "$0")/cli-lib.sh"

short_config c.yaml 's/units: 4/units: 16/' 's/steps: 20/steps: 60/'
run 0 train c.yaml -o 'a run'
cp -r 'a run' whole

# interrupt JOURNAL BYTES COMMAND...: when its journal in 'a run' has grown by BYTES.  Where the machine was faster than
# the signal it is tried again from the same files, earlier.
interrupt()
{
    journal="a run/$1"
    more=$2
    shift 2
    rm -rf saved
    cp -r 'a run' saved
    had=$([ ! -e "$journal" ] || wc -c < "$journal")
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        interrupt_at "$journal" $((${had:-0} + more)) "$@"
        [ $status -ne 130 ] || break
        rm -rf 'a run'
        cp -r saved 'a run'
        more=$((more / 2))
    done
    command_line="$*, interrupted"
    [ $status -eq 130 ] || fail "exit status $status instead of 130"
    one_line
    contains err 'was interrupted; ' ' are kept in ' ', to go on: spectraj '
    [ -e "$journal" ] || fail "$journal is not there"
}

# go_on: with the command that was printed.
go_on()
{
    command_line=$(sed 's/.*, to go on: spectraj //' err)
    eval "set -- $command_line"
    "$spectraj" "$@" --json > out 2> err || [ $? -eq 2 ] || fail "it does not go on"
    json out 'applications.replayed>0'
}

# same RESULT: its arrays are those of the run that was not disturbed, bit by bit.
same()
{
    rm -rf got wanted
    run 0 export 'a run' $1 -o got
    run 0 export whole $1 -o wanted
    for array in wanted/$1-*.csv; do
        case $array in *-attributes.csv) continue ;; esac
        cmp -s "$array" "got/${array#*/}" || fail "${array#*/} differs after an interrupt"
    done
}

# The smallest values, interrupted twice: in the first half of its basis and in the second.
"$spectraj" svd whole --bottom 3 -q > /dev/null 2> err || [ $? -eq 2 ] || fail 'svd --bottom 3'
interrupt svd+bottom.journal 300000 svd 'a run' --bottom 3
interrupt svd+bottom.journal 1500000 svd 'a run' --bottom 3 --threads 2
go_on
same svd

# One end, then the other, and more of the other from what is stored of it: each goes on.
rm 'a run/svd.h5'
rm -f 'a run'/svd*.journal
interrupt svd+bottom.journal 300000 svd 'a run' --bottom 3
cp err bottom
run 0 svd 'a run' --top 4
[ ! -e 'a run/svd.journal' ] || fail 'the journal of a complete end was left behind'
interrupt svd.journal 100000 svd 'a run' --top 30
cp err top
cp bottom err
go_on
cp top err
go_on
[ ! -e 'a run/svd.journal' ] || fail 'the journal of a complete end was left behind'
# What was interrupted when it had one of two ends: a request of that end leaves the rest.
interrupt svd-both.journal 1800000 svd 'a run' --top 2 --bottom 3 --tag both
cp err both
run 0 svd 'a run' --top 2 --tag both --json
json out 'applications.replayed>0'
cp both err
go_on
run 0 svd whole --top 4
run 0 svd whole --top 30
same svd

run 0 dense whole
interrupt dense.journal 1000000 dense 'a run'
go_on
same dense
run 0 density whole --probes 4 --steps 60 --no-deflation
interrupt density.journal 500000 density 'a run' --probes 4 --steps 60 --no-deflation
go_on
same density
run 0 trace whole --products 600 -f frobenius
interrupt trace-frobenius.journal 500000 trace 'a run' --products 600 -f frobenius
go_on
same trace-frobenius

# Studies and validations too, and a command of several steps names itself.
$heed "$spectraj" study restrict 'a run' --k 2,4,8,16,32,64,128 > out 2> err &
child=$!
sleep 0.5
kill -INT $child
wait $child
status=$?
[ $status -ne 130 ] || {
    one_line
    contains err 'was interrupted; ' ' pieces are kept in its journal, to go on: ' \
        "spectraj study restrict 'a run' --k 2,4,8,16,32,64,128"
}
short_config r.yaml 's/units: 4/units: 64/' 's/steps: 20/steps: 20000/'
interrupt_at 'b run/train.journal' 100000 run r.yaml -o 'b run'
[ $status -ne 130 ] || {
    one_line
    contains err 'states are kept, to go on: ' "spectraj run r.yaml -o 'b run'"
}
rm -rf 'b run'

# Threads.
n=$(getconf _NPROCESSORS_ONLN)
OMP_NUM_THREADS=5000
export OMP_NUM_THREADS
run 0 trace whole --products 4 --tag many --json
[ "$("$jsonkeys" --print out made.threads)" -le "$n" ] || fail 'OMP_NUM_THREADS=5000: more threads than processors'
unset OMP_NUM_THREADS OMP_WAIT_POLICY
run 0 trace whole --products 4 --tag asked --threads $((4 * n)) --json
[ "$("$jsonkeys" --print out made.threads)" -gt "$n" ] || [ "$n" -gt 16 ] || fail '--threads is not heeded'
run 0 trace whole --products 4 --tag hundreds --threads 1000 --json
[ "$("$jsonkeys" --print out made.threads)" -le 64 ] || [ "$n" -gt 64 ] || fail 'hundreds of threads'
interrupt svd-crowd.journal 20000 svd 'a run' --top 200 --tag crowd --threads 1000
finish
