#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-accumulate.sh: steps of several micro-batches: they are one batch where samples are independent, J is that of the
# training where they are not, and what an epoch's rest, a list and labels that do not count make of them.
. "$(dirname "$0")/cli-lib.sh"

awk 'BEGIN { srand(3); for (i = 0; i < 50; i++) { for (j = 0; j < 5; j++) printf "%.6f,", 2 * rand() - 1; print i % 3 } }' > x.csv

# config FILE LAYER KEY...: a config with a layer in the middle ("": none) and these lines in its training group.
config()
{
    target=$1
    cat > "$target" << END
data: {train: {file: x.csv, label_column: 5}}
network:
  input: [5]
  layers: [{type: dense, name: a, units: 6}, $2 tanh, {type: dense, name: b, units: 3}]
  loss: ${loss-softmax_cross_entropy}
  l2: 0.01
init: {seed: 4}
training:
  optimizer: {type: adam, eps: 0.001}
  learning_rate: {schedule: constant, peak: 0.1}
END
    shift 2
    for key in "$@"; do
        echo "  $key" >> "$target"
    done
}

# train FOLDER LAYER KEY...
train()
{
    folder=$1
    rm -rf "$folder"
    shift
    config "$folder.yaml" "$@"
    run 0 train "$folder.yaml" -o "$folder" -q
}

# values FOLDER: the singular values, one a line.
values()
{
    run 0 dense "$1" --json
    sed 's/.*"sigma": *\[//; s/\].*//' out | tr ',' '\n' > "$1.values"
}

# same FOLDER FOLDER [LIMIT]: they have the same values, but for rounding.
same()
{
    values "$1"
    values "$2"
    paste "$1.values" "$2.values" | awk -v limit="${3:-1e-11}" '{ d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d; n++ }
        END { exit !(n > 20 && worst <= limit) }' || fail "$1 and $2 have other values"
}

different()
{
    values "$1"
    values "$2"
    paste "$1.values" "$2.values" | awk '{ d = $1 - $2; d = d < 0 ? -d : d; if (d > worst) worst = d }
        END { exit !(worst > 1e-6) }' || fail "$1 and $2 have the same values"
}

good()
{
    run 0 validate "$1"
    contains out passed 'agrees with J'
}

# Independent samples: three micro-batches of four are a batch of twelve.
train one '' 'batch_size: 12' 'steps: 7'
train three '' 'batch_size: 4' 'accumulate: 3' 'steps: 7'
same one three
good three
run 0 info three --json
json out batch_size=12 accumulate=3
run 0 info three
contains out '7 steps of 12 rows in 3 micro-batches'

# Statistics are those of a micro-batch. As many threads as there are, the bits are the same.
train norm '{type: batch_norm, name: norm},' 'batch_size: 12' 'steps: 7'
train norms '{type: batch_norm, name: norm},' 'batch_size: 4' 'accumulate: 3' 'steps: 7'
different norm norms
good norms
values norms
mv norms.values before.values
OMP_NUM_THREADS=3
export OMP_NUM_THREADS
rm -rf norms
run 0 train norms.yaml -o norms -q
values norms
unset OMP_NUM_THREADS
cmp -s norms.values before.values || fail 'another number of threads, other bits'

# Slices of a step that do not end where micro-batches do: 270 rows are divided among 8.
awk 'BEGIN { srand(5); for (i = 0; i < 270; i++) { for (j = 0; j < 5; j++) printf "%.6f,", 2 * rand() - 1; print i % 3 } }' > many.csv
for name in large larges; do
    config $name.yaml '{type: dropout, rate: 0.2},' 'steps: 2'
    edit 's/x.csv/many.csv/' $name.yaml
done
echo '  batch_size: 270' >> large.yaml
printf '  batch_size: 30\n  accumulate: 9\n' >> larges.yaml
for threads in 1 3; do
    rm -rf large larges
    OMP_NUM_THREADS=$threads
    export OMP_NUM_THREADS
    run 0 train large.yaml -o large -q
    run 0 train larges.yaml -o larges -q
    same large larges
    mv larges.values larges.$threads
done
unset OMP_NUM_THREADS
cmp -s larges.1 larges.3 || fail 'another number of threads, other bits'
good larges

# An epoch's rest: 50 rows are 12 micro-batches of four and one of two, hence 5 steps, of which the last has one of two rows;
# or, without it, 12 and 4 steps.
train rest '' 'batch_size: 4' 'accumulate: 3' 'epochs: 2' 'drop_last: false'
good rest
run 0 info rest --json
json out n_steps=10
train dropped '' 'batch_size: 4' 'accumulate: 3' 'epochs: 2'
run 0 info dropped --json
json out n_steps=8

# The same listed. A shorter micro-batch need not be the last, an empty one has none behind it.
awk 'BEGIN { for (t = 0; t < 10; t++) { for (i = 0; i < 12; i++) { r = t % 5 * 12 + i; printf "%s%d", i ? "," : "", r < 50 ? r : -1 }; print "" } }' > list.csv
train listed '' 'batch_size: 4' 'accumulate: 3' 'steps: 10' 'batches: list.csv'
same rest listed 0
printf '1,2,-1,-1,3,4,5,6,7,8,9,-1\n1,2,3,-1,4,5,-1,-1,-1,-1,-1,-1\n' > uneven.csv
train uneven '{type: batch_norm, name: norm},' 'batch_size: 4' 'accumulate: 3' 'steps: 2' 'batches: uneven.csv'
good uneven

# A step with fewer micro-batches than others takes their mean, or their sum divided by the same number; or, as tokens, the mean
# of all their rows.
printf '1,2,3,4,5,6\n1,2,3,4,-1,-1\n' > fewer.csv
train mean '' 'batch_size: 2' 'accumulate: 3' 'steps: 2' 'batches: fewer.csv'
train fixed '' 'batch_size: 2' 'accumulate: 3' 'steps: 2' 'batches: fewer.csv' 'accumulate_mean: fixed'
train tokens '' 'batch_size: 2' 'accumulate: 3' 'steps: 2' 'batches: fewer.csv' 'accumulate_mean: tokens'
train whole '' 'batch_size: 6' 'steps: 2' 'batches: fewer.csv'
different mean fixed
good fixed
same mean tokens
same tokens whole
printf '1,2,3,4,5,-1\n' > uneven.csv
train mean '' 'batch_size: 2' 'accumulate: 3' 'steps: 1' 'batches: uneven.csv'
train tokens '' 'batch_size: 2' 'accumulate: 3' 'steps: 1' 'batches: uneven.csv' 'accumulate_mean: tokens'
train whole '' 'batch_size: 6' 'steps: 1' 'batches: uneven.csv'
different mean tokens
same tokens whole

# Labels that do not count, by micro-batch and over all of the step.
loss='{type: softmax_cross_entropy, ignore_index: 2, class_weights: [1, 3, 1]}'
train mean '' 'batch_size: 4' 'accumulate: 3' 'steps: 3'
train tokens '' 'batch_size: 4' 'accumulate: 3' 'steps: 3' 'accumulate_mean: tokens'
train whole '' 'batch_size: 12' 'steps: 3'
different mean whole
same tokens whole
good mean
good tokens
printf '0,1,2,5\n' > ignored.csv
config c.yaml '' 'batch_size: 2' 'accumulate: 2' 'steps: 1' 'batches: ignored.csv'
refused 'no label of a micro-batch of step 0 counts|accumulate_mean: tokens' train c.yaml -o none -q
train tokens '' 'batch_size: 2' 'accumulate: 2' 'steps: 1' 'batches: ignored.csv' 'accumulate_mean: tokens'
loss='{type: softmax_cross_entropy, reduction: sum}'
train sum '' 'batch_size: 4' 'accumulate: 3' 'steps: 3'
good sum
unset loss

# Masks are of a row of the step, not of the micro-batch.
train mask '{type: dropout, rate: 0.4},' 'batch_size: 12' 'steps: 3'
train masks '{type: dropout, rate: 0.4},' 'batch_size: 4' 'accumulate: 3' 'steps: 3'
same mask masks

# Two goes are one.
train two '{type: batch_norm, name: norm},' 'batch_size: 4' 'accumulate: 3' 'steps: 3' 'shuffle: true'
run 0 train --continue two --steps 4 -q
train seven '{type: batch_norm, name: norm},' 'batch_size: 4' 'accumulate: 3' 'steps: 7' 'shuffle: true'
same two seven 0

# Rows that are what single steps saw say of which sample: kept with the run, when the file is gone too, and of no
# consequence for its numbers.
awk 'BEGIN { for (i = 0; i < 50; i++) print i % 7 + 3 }' > ids.csv
train plain '' 'batch_size: 12' 'steps: 4'
config c.yaml '' 'batch_size: 12' 'steps: 4'
sed 's/label_column: 5/&, example: ids.csv/' c.yaml > examples.yaml
run 0 info examples.yaml --json
json out n_examples=7
rm -rf examples
run 0 train examples.yaml -o examples -q
run 0 info plain --json
json out n_examples=0
same plain examples 0
rm ids.csv
run 0 info examples --json
json out n_examples=7
run 0 info examples
contains out '50 rows to train made of 7 samples'
awk 'BEGIN { for (i = 0; i < 49; i++) print i }' > ids.csv
refused 'data.train: |ids.csv: holds 49 rows of examples, but the set has 50 rows' info examples.yaml
awk 'BEGIN { for (i = 0; i < 50; i++) print i / 2 }' > ids.csv
refused 'the example of row 1 (from 0) is 0.5, expected an integer' info examples.yaml
awk 'BEGIN { for (i = 0; i < 50; i++) print i - 1 }' > ids.csv
refused 'the example of row 0 (from 0) is -1' info examples.yaml
awk 'BEGIN { for (i = 0; i < 50; i++) print i "," 2 }' > ids.csv
refused 'has 2 numbers a row, expected one' info examples.yaml
sed 's/^data:.*/data: {train: {file: x.csv, label_column: 5}, test: {file: x.csv, label_column: 5, example: ids.csv}}/' c.yaml > test.yaml
refused 'data.test: example is for data.train' info test.yaml

# What a training would not find is said by info too, in the same line.
awk 'BEGIN { print "0.1,0.2,0.3" }' > short.csv
same_line()
{
    run 1 info "$1"
    one_line
    mv err info.err
    run 1 train "$1" -o nothing -q
    cmp -s err info.err || { cat info.err; fail 'info has another line'; }
    contains err "$2"
}
config c.yaml '' 'batch_size: 12' 'steps: 4'
for key in 'file: none.npz' 'file: short.csv' 'seed: 1, step: 3, slots: none.npz' 'seed: 1, step: 3, slots: short.csv'; do
    sed "s/^init:.*/init: {$key}/" c.yaml > start.yaml
    same_line start.yaml "$(expr "$key" : '.*: \(.*\)')"
done
run 1 info start.yaml
contains out 'parameters     as init.file has them'
for key in 'batches: none.csv' 'batches: short.csv' 'learning_rate: {schedule: file, file: none.csv}' \
    'learning_rate: {schedule: file, file: short.csv}' 'optimizer: {type: sgd, momentum: {schedule: file, file: short.csv}}'; do
    sed "/^  $(expr "$key" : '\([a-z_]*:\)')/d" c.yaml > start.yaml
    echo "  $key" >> start.yaml
    same_line start.yaml "$(expr "$key" : '.*[: ]\([a-z]*.csv\)')"
done
grep -v '^init:' c.yaml > start.yaml
echo 'trajectory: {states: state-%d.csv}' >> start.yaml
same_line start.yaml '5 of 5 states are missing'

# What is refused.
config c.yaml '' 'batch_size: 4' 'accumulate: 2' 'steps: 1' 'batches: uneven.csv'
refused 'uneven.csv: has 6 rows in each batch, batch_size is 4, of which a step takes' info c.yaml
printf '1,2,-1,3,4,5\n' > behind.csv
config c.yaml '' 'batch_size: 3' 'accumulate: 2' 'steps: 1' 'batches: behind.csv'
run 0 info c.yaml
config c.yaml '' 'batch_size: 6' 'steps: 1' 'batches: behind.csv'
refused 'row 3 behind its end' info c.yaml
printf '1,2,-1,-1,4,5\n' > behind.csv
config c.yaml '' 'batch_size: 2' 'accumulate: 3' 'steps: 1' 'batches: behind.csv'
refused 'row 4 behind its end' info c.yaml
config c.yaml '' 'batch_size: 4' 'steps: 1' 'accumulate_mean: tokens'
refused 'accumulate_mean is for steps of several micro-batches' info c.yaml
config c.yaml '' 'batch_size: 4' 'steps: 1' 'accumulate: 0'
refused 'accumulate' info c.yaml
config c.yaml '{type: batch_norm, name: norm},' 'batch_size: 7' 'accumulate: 3' 'epochs: 1' 'drop_last: false'
refused 'has one row for its statistics at 1 of 3 steps, first at step 2' train c.yaml -o none -q

finish
