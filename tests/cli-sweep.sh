#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-sweep.sh: values set on the command line are those of a config that has them; sweeps of them.
. "$(dirname "$0")/cli-lib.sh"
short_config c.yaml

# The same config written by hand gives the same run, with the values where the resolved config has them.
short_config by-hand.yaml 's/peak: 0.1/peak: 0.3/' 's/units: 4/units: 5/' 's/svd: {top: 6}/svd: {top: 3}/'
run 0 train by-hand.yaml -o H
run 0 train c.yaml --set training.learning_rate.peak=0.3 --set 'network.layers[0].units=5' \
    --set analysis.svd='{top: 3}' -o S
cmp -s H/config.yaml S/config.yaml || fail 'another config, or another fingerprint, than that written by hand'

# What is written short is written out; mappings that are not there are made.
short_config short.yaml 's/learning_rate: .*/learning_rate: 0.1/' 's/optimizer: .*/optimizer: sgd/'
run 0 train short.yaml --set training.learning_rate.peak=0.2 --set training.optimizer.momentum=0.5 \
    --set training.sam.rho=0.01 --set training.steps=2 -o short
contains short/config.yaml 'peak: 0.2' 'momentum: 0.5' 'rho: 0.01' 'steps: 2' 'schedule: constant'
run 0 train c.yaml --set training.optimizer=adam --set training.steps=2 -o adam
contains adam/config.yaml 'type: adam'

# A path is from here; a value that does not fit, or has no place, is one line.
mkdir theta
cp c.yaml theta
run 1 train theta/c.yaml --set 'init={file: theta/no.npy}' -o none
contains err "$PWD/theta/no.npy"
refused "unknown key 'learnig_rate' (did you mean 'learning_rate'?)" train c.yaml --set training.learnig_rate.peak=1 -o none
refused "training.learning_rate: unknown key 'peek' (did you mean 'peak'?)" train c.yaml --set training.learning_rate.peek=1 -o none
refused "unknown key 'momentum'" train c.yaml --set training.optimizer.type=adam -o none
refused 'training.optimizer.momentum: expected a number|abc' train c.yaml --set training.optimizer.momentum=abc -o none
refused 'network.layers[7].units: the config has 3 items' train c.yaml --set 'network.layers[7].units=2' -o none
refused 'is a list, whose items are layers[0]' train c.yaml --set network.layers.units=2 -o none
refused 'a value and no keys' train c.yaml --set training.steps.x=2 -o none
refused 'expected KEY=VALUE' train c.yaml --set training.steps -o none
refused 'not valid YAML' train c.yaml --set 'training.steps=[' -o none
refused 'training.steps is given twice' train c.yaml --set training.steps=2 --set training.steps=3 -o none
refused '--set init.seed and --seed exclude each other' train c.yaml --set init.seed=1 --seed 2 -o none
refused '--continue takes everything' train --continue S --steps 2 --set init.seed=1
no_files none
run 0 plan c.yaml --set training.steps=7 --json
json out n_steps=7
run 0 info c.yaml --set 'network.layers[0].units=8' --json
json out n_params=610
refused '--set is for a config' plan S --set training.steps=7

# run: the training is kept where it is the same, and what the config asks of it now is answered.
run 0 run c.yaml -o R --json
json out svd.top.sigma#6
run 0 run c.yaml --set analysis.svd.top=4 -o R --json
json out svd.top.sigma#4
run 0 run c.yaml --seed 5 -o T --json
run 0 run c.yaml --seed 5 -o T --json
refused 'holds a complete run of another config: now "steps: 21"' run c.yaml --set training.steps=21 -o R

# sweep: each run is the one that `run` makes; the same command does what is missing, with the same bits.
run 0 sweep c.yaml --set training.learning_rate.peak=0.1,0.3 --set init.seed=3..4 -o W
silent
[ "$(wc -l < out)" -eq 4 ] || fail 'four runs, and other lines'
contains out '1 of 4  training.learning_rate.peak=0.1,init.seed=3  train loss ' '4 of 4  training.learning_rate.peak=0.3,init.seed=4'
for run in W/*; do
    [ -e "$run/svd.h5" ] && [ -e "$run/dense.h5" ] && [ -e "$run/report.html" ] || fail "$run is not whole"
done
cmp -s W/training.learning_rate.peak=0.1,init.seed=3/config.yaml R/config.yaml || fail 'the first run is another than that of run'
stamp()
{
    find W -name '*.h5' -exec ls -l --time-style=full-iso {} + | sort
}
stamp > before
run 0 sweep c.yaml --set training.learning_rate.peak=0.1,0.3 --set init.seed=3..4 -o W
stamp | cmp -s - before || fail 'complete runs were made again'
cp W/training.learning_rate.peak=0.3,init.seed=3/config.yaml kept.yaml
rm -r W/training.learning_rate.peak=0.3,init.seed=3
run 0 sweep c.yaml --set training.learning_rate.peak=0.1,0.3 --set init.seed=3..4 -o W --json
json out runs#4 runs[2].error=null runs[2].results#2
cmp -s W/training.learning_rate.peak=0.3,init.seed=3/config.yaml kept.yaml || fail 'the run that was missing is another'

# An interrupted sweep goes on: of what was done nothing is made again.
short_config long.yaml 's/steps: 20/steps: 4000/' '/^analysis:/,$d'
interrupt_at I/init.seed=1/train.journal 100000 sweep long.yaml --set init.seed=0..1 -o I
[ "$status" -eq 130 ] || fail "an interrupted sweep ends with $status"
contains err 'states are kept'
[ -e I/init.seed=0/trajectory.h5 ] || fail 'the first run is gone'
ls -l --time-style=full-iso I/init.seed=0/trajectory.h5 > before
run 0 sweep long.yaml --set init.seed=0..1 -o I
ls -l --time-style=full-iso I/init.seed=0/trajectory.h5 | cmp -s - before || fail 'the first run was made again'
run 0 train long.yaml --set init.seed=1 -o J
cmp -s I/init.seed=1/config.yaml J/config.yaml || fail 'the run that went on is another'

# Nothing begins where a value does not fit; a run that fails is named and the others are done.
refused 'training.steps=x: |expected an integer' sweep c.yaml --set training.steps=4,x -o none
refused 'two runs would be called training.steps=4' sweep c.yaml --set training.steps=4,4 -o none
refused 'a sweep needs a key' sweep c.yaml -o none
refused 'an item of the list of values is empty' sweep c.yaml --set training.steps=4,,5 -o none
refused 'from 3 down to 1' sweep c.yaml --set init.seed=3..1 -o none
refused 'a name of' sweep c.yaml --set "training.optimizer={type: sgd, momentum: 0.$(printf '%0300d' 1)}" -o none
no_files none
mkdir -p F/training.steps=3
echo kept > F/training.steps=3/notes
run 1 sweep c.yaml --set training.steps=2..4 -o F
contains err 'training.steps=3: ' '1 of 3 runs failed'
[ -e F/training.steps=4/trajectory.h5 ] || fail 'the run after the one that failed was not made'
run 0 sweep c.yaml --set 'training.optimizer=adam,{type: sgd, momentum: 0.5}' --set training.steps=2 -o O
contains 'O/training.optimizer={type:_sgd,_momentum:_0.5},training.steps=2/config.yaml' 'momentum: 0.5'

finish
