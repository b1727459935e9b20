#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi-studies.sh: retrained copies of studies, dealt to ranks and threads: the bits of one process, however
# many there are, and no copy trained twice when something ends a rank.
#
#     RANKS  1 2 3
. "$(dirname "$0")/cli-lib.sh"
. "$top_srcdir/tests/mpi.sh"

command -v pgrep > /dev/null 2>&1 || { echo 'pgrep is not there (Debian package procps)'; exit 77; }

# same FILE FILE: they say the same, but for the time that was taken.
same()
{
    for file in "$1" "$2"; do
        sed 's/"seconds": [^,}]*//' "$file" > "$file.same"
    done
    cmp -s "$1.same" "$2.same"
}

# A copy that leaves the finite numbers is among them.
short_config short.yaml
run 0 train short.yaml -o R
run 0 dense R
steps=1e-4,0.001,0.01,0.1,1,1e200
run 0 study response R --step $steps --json
mv out response.json
json response.json projection#6 'projection[5]=null'
run 0 study restrict R --json
mv out restrict.json

# both NAME COMMAND...: the two studies, with COMMAND in front.
both()
{
    name=$1
    shift
    command_line=$*
    "$@" study response R --step $steps --force --json > "response-$name.json" 2> err || fail 'study response'
    "$@" study restrict R --force --json > "restrict-$name.json" 2> err || fail 'study restrict'
    for study in response restrict; do
        same $study.json "$study-$name.json" || fail "study $study has other bits"
    done
}

for p in ${RANKS:-1 2 3}; do
    for t in 1 2; do
        OMP_NUM_THREADS=$t
        both "$p-$t" ranks "$p" "$spectraj"
    done
done
OMP_NUM_THREADS=1
# Slices that wait for each other, of a copy that nobody shares; no rank is idle.
short_config coupled.yaml 's/    - {type: gelu}/    - {type: batch_norm}\n    - {type: gelu}/'
run 0 train coupled.yaml -o C
run 0 svd C --top 2
run 0 study response C --step 0.1,0.2,1 --json
mv out coupled.json
command_line='study response of a coupled network, on 3 ranks of 2 threads'
OMP_NUM_THREADS=2 ranks 3 "$spectraj" study response C --step 0.1,0.2,1 --force --json > out 2> err || fail 'it fails'
silent
same coupled.json out || fail 'it has other bits'

# ---- what ends a rank ----

short_config long.yaml 's/  steps: 20/  steps: 3000/'
run 0 train long.yaml -o L
run 0 svd L --top 2
run 0 study response L --json
mv out calm.json
n_copies=25
json calm.json step#$n_copies
record=$((24 + 8 + 8 * $("$jsonkeys" --print calm.json n_params))) # bytes of one in the log
log=L/study-response-victim.journal

n_records() { echo $(($(wc -c < $log) / record)); } # the header is shorter than a record

# end_rank SIGNAL WHICH: sent to rank WHICH - 1 of two when the log has grown by three copies.
end_rank()
{
    command_line="study response on two ranks, signal $1 to the one of number $2"
    before=0
    [ ! -e $log ] || before=$(n_records)
    ranks 2 "$spectraj" study response L --tag victim --json > out 2> err < /dev/null &
    launcher=$!
    while kill -0 $launcher 2> /dev/null; do
        [ -e $log ] && [ "$(n_records)" -ge $((before + 3)) ] && break
        sleep 0.01
    done
    victim=$(pgrep -f 'study response L --tag victim' | while read -r p; do
        [ "$(ps -o comm= -p "$p")" = spectraj ] && echo "$p"; done | sed -n "${2}p")
    # shellcheck disable=SC2086
    [ -n "$victim" ] && kill "-$1" $victim || fail 'there was nobody to end'
    wait $launcher && fail 'it did not fail'
    [ "$(n_records)" -lt "$n_copies" ] || fail 'the others went on to the end'
    [ -s $log ] || fail 'there is no log'
    [ "$(n_records)" -ge $((before + 3)) ] || fail 'copies were lost'
}

end_rank KILL 1
ln $log all.journal # stays when the study is complete
end_rank KILL 2
end_rank TERM 2
[ "$(grep -c '^spectraj: .*interrupted' err)" -eq 1 ] || fail 'it does not say once that it was interrupted'
command_line='going on after that, on three ranks'
echo "$(n_records) of $n_copies copies when it goes on"
OMP_NUM_THREADS=2 ranks 3 "$spectraj" study response L --tag victim --json > out 2> err || fail 'it does not go on'
same calm.json out || fail 'it has other bits'
[ ! -e $log ] || fail 'the log of a complete study was left behind'
log=all.journal
[ "$(n_records)" -eq "$n_copies" ] || fail "$(n_records) copies were trained instead of $n_copies"
finish
