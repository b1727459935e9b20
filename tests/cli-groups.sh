#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-groups.sh: groups of tensors, values by step, and clipping: J against differences of trainings, what info says
# of them, and what is refused.
. "$(dirname "$0")/cli-lib.sh"

awk 'BEGIN { srand(3); for (i = 0; i < 48; i++) { for (j = 0; j < 5; j++) printf "%.6f,", 2 * rand() - 1; print i % 3 } }' > x.csv
awk 'BEGIN { for (t = 0; t < 10; t++) print 0.05 + 0.01 * t % 3 }' > rates.csv
awk 'BEGIN { for (t = 0; t < 10; t++) print 0.9 - 0.05 * t }' > momenta.csv

# shows FILE PATTERN
shows()
{
    grep -q -e "$2" "$1" || fail "$1 has no $2"
}

# config FILE KEY...: a config with these lines in its training group.
config()
{
    cat > "$1" << END
data: {train: {file: x.csv, label_column: 5}, test: {file: x.csv, label_column: 5}}
network:
  input: [5]
  layers: [{type: dense, name: a, units: 6}, {type: layer_norm, name: norm}, tanh, {type: dense, name: b, units: 3}]
  loss: softmax_cross_entropy
init: {seed: 4}
training:
  batch_size: 12
  steps: 10
END
    target=$1
    shift
    for key in "$@"; do
        echo "  $key" >> "$target"
    done
}

sgd='optimizer: {type: sgd, momentum: 0.9, weight_decay: 0.1}'
adam='optimizer: {type: adam, eps: 0.001}'
rate='learning_rate: {schedule: constant, peak: 0.1}'
listed='learning_rate: {schedule: file, file: rates.csv}'
rest='groups: [{match: ["*.bias", norm], weight_decay: 0, learning_rate: {scale: 0.5}}]'
groups='groups: [{match: ["*.bias", norm], weight_decay: 0, learning_rate: {scale: 0.5}}, {match: b, learning_rate: [1, 0, 0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1]}]'

# The derivative is that of the training that was made: adjoints, differences, replay and a dense matrix.
good()
{
    rm -rf R
    config c.yaml "$@"
    run 0 train c.yaml -o R -q
    run 0 validate R
    contains out passed 'agrees with J'
}

good "$sgd" "$listed" "$groups"
good "$adam" "$rate" "$groups" 'clip_norm: 0.3' 'clip_eps: 1e-2'
good "$sgd" "$rate" 'clip_tensor_norm: 0.1'
good "$adam" "$rate" 'clip_tensor_norm: 0.1' 'clip_eps: 1e-6' "$groups"
good "$sgd" "$rate" 'clip_value: 0.05'
good "$adam" "$listed" 'clip_factor: {schedule: file, file: momenta.csv}'
good 'optimizer: {type: sgd, momentum: {schedule: file, file: momenta.csv}, nesterov: true}' "$rate" "$groups"
good 'optimizer: {type: adamw, eps: 0.001, beta1: [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9]}' "$rate"
good 'optimizer: {type: rmsprop, momentum: 0.5, eps: 0.01}' \
    'learning_rate: {schedule: one_cycle, peak: 0.02, cycle_momentum: true}' "$groups"

# info has a line for each tensor.
config c.yaml "$sgd" "$listed" "$groups"
run 0 info c.yaml
unfold out
shows out 'a.bias  *group 1: learning_rate: schedule: file, scale: 0.5, .*weight_decay: 0$'
shows out 'b.kernel  *group 2: learning_rate: schedule: list, .*weight_decay: 0.1$'
shows out 'b.bias  *group 1: '
shows out 'a.kernel  *the rest: learning_rate: schedule: file, file: '
run 0 info c.yaml --json
shows out '"update": "group 1: '

# Where a file is does not count, what it says does.
config c.yaml "$sgd" "$listed"
rm -rf R
run 0 train c.yaml -o R -q
run 0 svd R --top 2 -q
mkdir -p elsewhere
mv rates.csv elsewhere/
run 1 svd R --top 3 -q
shows err 'rates.csv: cannot open'
sed 's,rates.csv,elsewhere/rates.csv,' c.yaml > moved.yaml
echo 'analysis: {svd: {top: 2}}' >> moved.yaml
run 0 run moved.yaml -o R -q
sed 's/0.05/0.06/' elsewhere/rates.csv > rates.csv
run 1 svd R --top 3 -q
shows err 'rates'

# wrong TEXT KEY...: info says what is wrong.
wrong()
{
    text=$1
    shift
    config c.yaml "$@"
    run 1 info c.yaml
    contains err "$text"
}

head -n 4 elsewhere/rates.csv > short.csv
sed 's/0.06/-1/' elsewhere/rates.csv > negative.csv
sed 's/0.06/nan/' elsewhere/rates.csv > nan.csv
wrong 'short.csv: has 4 values, the training has 10 steps' "$sgd" 'learning_rate: {schedule: file, file: short.csv}'
wrong 'negative.csv: step 1 has -1' "$sgd" 'learning_rate: {schedule: file, file: negative.csv}'
wrong 'nan.csv' "$sgd" 'learning_rate: {schedule: file, file: nan.csv}'
wrong 'none.csv: cannot open' "$sgd" 'learning_rate: {schedule: file, file: none.csv}'
wrong 'has 2 values' "$sgd" 'learning_rate: [1, 2]'
wrong "match: 'a.bais' is no tensor or layer that is trained (did you mean 'a.bias'?)" "$sgd" "$rate" 'groups: [{match: a.bais}]'
wrong "unknown key 'beta2'" "$sgd" "$rate" 'groups: [{match: a, beta2: 0}]'
wrong 'groups[0].momentum: expected a number or schedule of at least 0 and below 1' "$sgd" "$rate" 'groups: [{match: a, momentum: 2}]'
wrong 'one optimizer updates all tensors' "$sgd" "$rate" 'groups: [{match: a, type: adam}]'
wrong "missing key 'match'" "$sgd" "$rate" 'groups: [{momentum: 0.5}]'
wrong 'momentum: the value of step 1 is 1;' 'optimizer: {type: sgd, momentum: [0.5, 1, 0, 0, 0, 0, 0, 0, 0, 0]}' "$rate"
wrong 'cycles the momentum, and momentum is given by step' 'optimizer: {type: sgd, momentum: {schedule: constant, peak: 0.5}}' \
    'learning_rate: {schedule: one_cycle, peak: 0.02, cycle_momentum: true}'
wrong "is for the learning rate's own schedule" "$sgd" \
    'learning_rate: {schedule: product, parts: [{schedule: one_cycle, peak: 0.02, cycle_momentum: true}]}'
wrong 'exclude each other' "$sgd" "$rate" 'clip_norm: 1' 'clip_value: 1'
wrong 'clip_eps is for clip_norm' "$sgd" "$rate" 'clip_eps: 1'

# Batches: without steps, of more steps than there are, of a file that is not there.
awk 'BEGIN { for (t = 0; t < 12; t++) { for (i = 0; i < 12; i++) printf "%s%d", i ? "," : "", (5 * t + i) % 48; print "" } }' > batches.csv
config c.yaml "$sgd" "$rate" 'batches: batches.csv'
run 0 info c.yaml
unfold out
shows out 'unused .*batches.csv has the batches of 12 steps, the first 10 are taken'
sed '/steps: 10/d' c.yaml > without.yaml
run 1 info without.yaml
shows err 'batches needs steps'
wrong 'none.csv: cannot open' "$sgd" "$rate" 'batches: none.csv'

# Two goes are one, and what the further steps have goes for the groups too.
config c.yaml 'optimizer: {type: sgd, momentum: {schedule: file, file: momenta.csv}}' "$listed" "$rest" 'clip_value: 0.1'
sed 's/steps: 10/steps: 6/' c.yaml > first.yaml
rm -rf R one
run 0 train c.yaml -o one -q
run 0 train first.yaml -o R -q
run 0 train --continue R --steps 4 -q
for folder in R one; do
    run 0 info $folder
    grep '^fingerprint' out > $folder.fingerprint
    run 0 dense $folder --json
    grep -o '"largest":.*' out > $folder.values
done
cmp -s R.fingerprint one.fingerprint || fail 'two goes have another fingerprint than one'
cmp -s R.values one.values || fail 'two goes have other values than one'
run 1 train --continue R --steps 1 -q
contains err 'has 10 values, the training has 11 steps'
config c.yaml "$sgd" "$listed" "$rest"
rm -rf R
run 0 train c.yaml -o R -q
run 0 train --continue R --steps 3 --learning-rate 0.02 -q
run 0 info R
unfold out
shows out 'a.bias  *group 1: .*schedule: constant, scale: 0.5, peak: 0.02'
run 0 validate R
config c.yaml 'optimizer: {type: sgd, momentum: {schedule: cosine, peak: 0.5}}' "$rate"
rm -rf R
run 0 train c.yaml -o R -q
run 1 train --continue R --steps 3 -q
contains err 'its momentum follows from the number of steps'

# Directions of a subspace go across the tensors.
config c.yaml "$sgd" "$rate" "$groups"
rm -rf R
run 0 train c.yaml -o R -q
run 0 dense R -q
run 1 study restrict R -q
shows err 'only a training without training.groups'

finish
