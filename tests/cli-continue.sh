#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-continue.sh: a run that is lengthened has the bits of one that was as long from the start, also after kills and
# where states are replayed, and its results still answer for the steps that it had.
. "$(dirname "$0")/cli-lib.sh"

constant='s/schedule: cosine/schedule: constant/'

# same A B WHAT RESULT: the trajectories of two runs, but for their lengths before.
same()
{
    for run in "$1" "$2"; do
        run 0 info "$run" --json
        "$jsonkeys" --print out fingerprint > "$run.fingerprint"
    done
    cmp -s "$1.fingerprint" "$2.fingerprint" || fail "$3: another fingerprint than in one go"
    run 0 dense "$1" -q
    run 0 dense "$2" -q
    rm -rf one two
    run 0 export "$1" $4 -o one
    run 0 export "$2" dense -o two
    for array in two/dense-*.csv; do
        case $array in *-attributes.csv) continue ;; esac
        cmp -s "$array" "one/$4-${array#two/dense-}" || fail "$3: ${array#two/} differs from one go"
    done
}

# Every 7th state is kept: 20, the end of the first go, is not among those of the longer run.
short_config first.yaml 's/units: 4/units: 3/' "$constant"
printf 'trajectory: {every: 7}\n' >> first.yaml
sed 's/steps: 20/steps: 33/' first.yaml > whole.yaml
run 0 train first.yaml -o run
run 0 train whole.yaml -o whole
for request in 'svd --top 3' 'density --probes 2 --steps 6' 'trace --products 4' 'dense'; do
    run 0 ${request%% *} run $(echo "$request " | cut -d' ' -f2-)
done
run 0 study response run
ls run/*.h5 | grep -v trajectory | xargs cksum > before
run 0 train --continue run --steps 13 --json
json out n_steps=33 earlier[0].n_steps=20
ls run/*.h5 | grep -v trajectory | xargs cksum > after
cmp -s before after || fail 'a continuation changed results'
for request in 'svd --top 3' 'svd --top 2' 'density --probes 2 --steps 6' 'trace --products 4' 'dense'; do
    run 0 ${request%% *} run $(echo "$request " | cut -d' ' -f2-) --to 20 --json
    json out applications.jvp=0 applications.vjp=0 part.to=20
done
same run whole 'two goes' dense-0-33

# What is asked of the whole is of the longer training; a study finds its directions.
run 0 svd run --top 3 --json
json out part.to=33
run 0 svd whole --top 3 --json
run 0 study response run --json
cksum run/study-response.h5 > now
grep -q -F -x -f now before || fail 'the study of the first length was replaced'
run 0 info run
contains out 'continued      from 20 steps' svd.h5 svd-0-33.h5

# A figure is of the whole training, an export of the file that is named.
run 0 plot run spectrum --data
cp out now
run 0 plot whole spectrum --data
cmp -s now out || fail 'the figure of a continued run is not that of the whole training'
rm -rf one
run 0 export run svd -o one
[ -e one/svd-sigma.csv ] || fail 'export RUN svd is of another file'

# A third go, by epochs in the first; batches in an order of their own go on in it.
short_config epochs.yaml 's/units: 4/units: 3/' "$constant" 's/steps: 20/epochs: 2/'
run 0 train epochs.yaml -o more
run 0 info more --json
n=$("$jsonkeys" --print out n_steps)
run 0 train --continue more --steps 5
run 0 train --continue more --steps 6
sed "s/epochs: 2/steps: $((n + 11))/" epochs.yaml > longer.yaml
run 0 train longer.yaml -o longer
same more longer 'three goes' dense-0-$((n + 11))
run 0 info more --json
json out earlier[0].n_steps=$n earlier[1].n_steps=$((n + 5))

# A schedule that follows from the length needs a rate for the further steps.
short_config cosine.yaml 's/units: 4/units: 3/'
run 0 train cosine.yaml -o cosine
run 1 train --continue cosine --steps 5
contains err 'follows from the number of steps' '--learning-rate'
one_line
run 1 train --continue cosine --steps 5 --learning-rate '{schedule: constant}'
contains err '--learning-rate' peak
run 1 train --continue cosine --steps 5 --learning-rate -1
contains err '--learning-rate' peak
run 0 train --continue cosine --steps 5 --learning-rate 0.01
run 0 train --continue cosine --steps 5 --learning-rate '{schedule: step, peak: 0.01, every: 2}'
sed 's/steps: 20/steps: 25/; s/learning_rate:.*/learning_rate: {schedule: sequence, parts: [{schedule: cosine, peak: 0.1}, {schedule: constant, peak: 0.01}], steps: [20]}/' \
    cosine.yaml > sequence.yaml
run 0 train sequence.yaml -o sequence
run 0 dense cosine --to 25
run 0 dense sequence
rm -rf one two
run 0 export cosine dense-0-25 -o one
run 0 export sequence dense -o two
cmp -s one/dense-0-25-sigma.csv two/dense-sigma.csv || fail 'another rate for the further steps: other values than a sequence has'

# Killed on its way: the run is as it was, and the same command comes to the same bits.
short_config long.yaml 's/units: 4/units: 16/' "$constant" 's/steps: 20/steps: 50/'
sed 's/steps: 50/steps: 2050/' long.yaml > both.yaml
run 0 train long.yaml -o long
run 0 train both.yaml -o both
cp -r long kept
for attempt in 1 2 3 4 5; do
    "$spectraj" train --continue long --steps 2000 -q > /dev/null 2>&1 &
    pid=$!
    for wait in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(cat long/train.journal 2> /dev/null | wc -c)" -lt 2000000 ] || break
        sleep 0.05
    done
    kill -9 $pid 2> /dev/null
    wait $pid 2> /dev/null
    [ ! -e long/train.journal ] || break
    rm -rf long
    cp -r kept long
done
[ -e long/train.journal ] || fail 'the training was never killed on its way'
run 0 info long --json
json out n_steps=50
run 1 train --continue long --steps 7
contains err 'unfinished training of another config' '--force'
run 0 train --continue long --steps 2000
for run in long both; do
    run 0 svd $run --top 2 --from 2000 --json --tag t
    "$jsonkeys" --print out 'sigma[0]' > $run.sigma
done
cmp -s long.sigma both.sigma || fail 'after a kill the training has other bits'

# Interrupted: the command that is printed goes on as it stands there, whatever the names are.
cp -r kept 'a run'
for attempt in 1 2 3 4 5; do
    $heed "$spectraj" train --continue 'a run' --steps 4000 --learning-rate '{schedule: step, peak: 0.1, every: 7}' -q > /dev/null 2> err &
    pid=$!
    for wait in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(cat 'a run/train.journal' 2> /dev/null | wc -c)" -lt 2000000 ] || break
        sleep 0.05
    done
    kill -INT $pid 2> /dev/null
    wait $pid 2> /dev/null
    [ ! -e 'a run/train.journal' ] || break
    rm -rf 'a run'
    cp -r kept 'a run'
done
contains err ', to go on: spectraj train --continue '
eval "set -- $(sed 's/.*, to go on: spectraj //' err)"
run 0 "$@" --json
json out n_steps=4050 'earlier[0].n_steps=50'

# What cannot be lengthened, and what does not belong together.
run 1 train --continue absent --steps 3
run 1 train --continue run
run 1 train --continue run --steps 0
run 1 train --continue run --steps 3 --seed 4
run 1 train first.yaml --continue run --steps 3
run 1 train first.yaml -o other --steps 3
run 1 train first.yaml
run 1 train
printf '0,1\n2,3\n4,5\n' > order.csv
short_config listed.yaml 's/units: 4/units: 3/' "$constant" 's/steps: 20/steps: 3/' 's/batch_size: .*/batch_size: 2/'
edit '/^training:/s/$/\
  batches: order.csv/' listed.yaml
run 0 train listed.yaml -o listed
run 1 train --continue listed --steps 2
contains err 'training.batches'
one_line
finish
