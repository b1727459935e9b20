#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/imported.sh: trajectories from elsewhere: batches that a file lists, states that files hold.
. "$(dirname "$0")/cli-lib.sh"

value() { "$jsonkeys" --print "$1" "$2"; }

# ---- batches ----

# The order of the batches that the config would give by itself, as a file: the same training.
awk 'BEGIN { for (t = 0; t < 20; t++) for (i = 0; i < 64; i++)
    printf "%d%s", t * 64 + i, i < 63 ? "," : "\n" }' > in-order.csv
short_config plain.yaml
short_config listed.yaml '/steps: 20/a\  batches: in-order.csv'
run 0 train plain.yaml -o plain --json
cp out plain.json
run 0 train listed.yaml -o listed --json
silent
for key in train_loss test_loss; do
    [ "$(value plain.json $key)" = "$(value out $key)" ] || fail "listed batches give another $key"
done
run 0 svd listed --top 3 --json
cp out listed.json
run 0 svd plain --top 3 --json
"$jsonkeys" --compare out top.sigma listed.json top.sigma 0 || fail "listed batches give another sigma"

# Other rows are another training, and what computes knows.
sed '3s/128,/0,/' in-order.csv > changed.csv
cp in-order.csv kept.csv
cp changed.csv in-order.csv
run 0 info listed
run 0 svd listed --top 3
refused 'training.batches changed|batches: crc32' svd listed --top 4
refused 'complete run of another config' train listed.yaml -o listed
cp kept.csv in-order.csv
run 0 info listed

# The last batch may be shorter.
sed '20s/,[^,]*,[^,]*$/,-1,-1/' in-order.csv > shorter.csv
short_config shorter.yaml '/steps: 20/a\  batches: shorter.csv'
run 0 train shorter.yaml -o shorter --json
[ "$(value plain.json train_loss)" != "$(value out train_loss)" ] ||
    fail "a shorter batch made no difference"

# What cannot be.
sed '$d' in-order.csv > few.csv
short_config bad.yaml '/steps: 20/a\  batches: few.csv'
refused 'training.batches|batches of 19 steps|has 20' train bad.yaml -o BAD
sed '5s/^256,/9999,/' kept.csv > beyond.csv
short_config bad.yaml '/steps: 20/a\  batches: beyond.csv'
refused 'step 4 has row 9999|counted from 0' train bad.yaml -o BAD
sed '5s/^256,/2.5,/' kept.csv > half.csv
short_config bad.yaml '/steps: 20/a\  batches: half.csv'
refused 'training.batches|step 4 has 2.5' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' 's/batch_size: 64/batch_size: 32/'
refused 'training.batches|64 rows in each batch|batch_size is 32' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' 's/steps: 20/epochs: 1/'
refused 'training|excludes epochs and shuffle' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' '/steps: 20/a\  shuffle: true'
refused 'training|excludes epochs and shuffle' train bad.yaml -o BAD
no_files BAD

# ---- states ----

# Trainings of 12 steps and 47 parameters, done by numpy (data/imported/make.py): PyTorch's names and layouts in
# momentum.h5 (double), momentum.npz (the same, packed) and step-%03d.safetensors (single precision), our own
# order in momentum.npy and adam.npy.
from=$top_srcdir/tests/data/imported
torch='names: {kernel: weight}, conv_kernel: OIHW, dense_kernel: out_in, flatten: CHW'

# given FILE STATES INIT [SED SCRIPT]...: a config of those states.
given()
{
    file=$1
    cat > "$file" <<END
data:
  train: {file: $from/x.npy, label_file: $from/labels.npy}
network:
  input: [4, 4, 1]
  layers:
    - {type: conv2d, name: conv, filters: 2, kernel: 3}
    - tanh
    - flatten
    - {type: dense, name: fc, units: 3}
  loss: softmax_cross_entropy
init: {$3}
training:
  optimizer: {type: sgd, momentum: 0.9}
  learning_rate: {schedule: constant, peak: 0.2}
  batch_size: 4
  steps: 12
  batches: $from/batches.npy
trajectory:
  states: $2
END
    shift 3
    for script in "$@"; do
        sed "$script" "$file" > "$file.new"
        cmp -s "$file.new" "$file" && { echo "sed '$script' changes nothing"; exit 99; }
        mv "$file.new" "$file"
    done
}

# top RUN FILE [OPTION]...: the three largest singular values.
top()
{
    dir=$1
    to=$2
    shift 2
    rm -f "$dir/svd.h5" "$dir/svd.journal"
    run 0 svd "$dir" --top 3 --json "$@"
    cp out "$to"
}

# Half of the digits of a double must agree, and nearly all do: the rounding of one step is some eps, and
# a deviation is relative to a movement of at least 1e-3.
given npy.yaml "$from/momentum.npy" ''
run 0 train npy.yaml -o npy --json
silent
json out imported.states=13 imported.deviation\<1e-12 imported.tolerance\<1.5e-8 \
    imported.tolerance\>1.4e-8 trajectory.stored=13
run 0 info npy
unfold out
contains out 'given states   13, on which replay lands ' 'below the tolerance 1.5e-08'
run 0 validate npy --json
json out passed=true replay_identical=true
top npy npy.json

# The same numbers in other files: the same bits.
given h5.yaml "$from/momentum.h5" "$torch" 's,names: {,&conv: states/conv\, fc: states/fc\, ,'
given npz.yaml "$from/momentum.npz" "$torch"
for format in h5 npz; do
    run 0 train $format.yaml -o $format --json
    json out imported.states=13
    top $format $format.json
    "$jsonkeys" --compare npy.json top.sigma $format.json top.sigma 0 || fail "$format has other bits"
done

# Our own training from the first state goes nearly the same way.
given own.yaml none "file: $from/theta0.npy" '/^trajectory/,$d'
run 0 train own.yaml -o own --json
json out imported=null
top own own.json
"$jsonkeys" --compare npy.json top.sigma own.json top.sigma 1e-10 || fail 'the own training is another one'

# Single precision: its tolerance, and values that are as near as 12 steps rounded to 6e-8 let them be.
given single.yaml "$from/step-%03d.safetensors" "$torch"
run 0 train single.yaml -o single --json
json out imported.states=13 imported.deviation\>1e-12 imported.deviation\<3.5e-4 \
    imported.tolerance\>3.4e-4 imported.tolerance\<3.5e-4
run 0 validate single --json
json out passed=true
top single single.json
"$jsonkeys" --compare npy.json top.sigma single.json top.sigma 1e-4 || fail 'single precision is far off'

# Every c-th state, with and without the last.  Whatever the memory, the same bits; replay lands on the given states.
met=
for every in 4 5 12; do
    given few.yaml "$from/step-%03d.safetensors" "$torch" "\$ a\  every: $every"
    run 0 train few.yaml -o few-$every --json
    json out imported.states=$((12 / every + 1 + (12 % every > 0))) \
        trajectory.stored=$((12 / every + 1 + (12 % every > 0))) imported.deviation\<3.5e-4
    run 0 validate few-$every --json
    json out passed=true replay_identical=true
    top few-$every many.json --memory 100M
    run 1 info few-$every --memory 1
    least=$(sed 's/.*--memory \([0-9]*\)K.*/\1/' err)
    for memory in $((least * 1024)) $((least * 1100)) $((least * 1500)) $((least * 3000)); do
        top few-$every some.json --memory $memory
        json some.json trajectory.diverged=null
        met="$met $(value some.json trajectory.policy)"
        "$jsonkeys" --compare many.json top.sigma some.json top.sigma 0 ||
            fail "every $every has other bits in $memory bytes"
    done
done
for name in memory replay revolve; do
    case $met in *$name*) ;; *) fail "no budget led to the policy '$name': $met" ;; esac
done
run 1 info npy --memory 1
top npy some.json --memory "$(sed 's/.*--memory \([0-9]*K\).*/\1/' err)"
json some.json trajectory.policy=disk
"$jsonkeys" --compare npy.json top.sigma some.json top.sigma 0 || fail 'the disk changes bits'
mkdir part
for t in 000 005 010; do cp "$from/step-$t.safetensors" part; done
given few.yaml "part/step-%03d.safetensors" "$torch" '$ a\  every: 5'
run 0 train few.yaml -o no-last --json
json out imported.states=3 trajectory.stored=4
run 0 validate no-last --json
json out passed=true

# Moments are zero at the start and are replayed.
given adam.yaml "$from/adam.npy" '' 's/sgd, momentum: 0.9/adam, eps: 1e-6/' 's/peak: 0.2/peak: 0.05/'
run 0 train adam.yaml -o adam --json
json out imported.deviation\<1e-12
run 0 validate adam --json
json out passed=true

# What was recorded stays readable without the files; another series is another run.
cp "$from/momentum.npy" copy.npy
given copy.yaml copy.npy ''
run 0 train copy.yaml -o copy
refused 'holds a complete run; --force' train copy.yaml -o copy
cp "$from/adam.npy" copy.npy
refused 'complete run of another config|states: one for every 1' train copy.yaml -o copy
rm copy.npy
run 0 svd copy --top 3 --json
"$jsonkeys" --compare npy.json top.sigma out top.sigma 0 || fail 'the copy has other bits'
refused 'trajectory.states|copy.npy' train copy.yaml -o BAD

# Not the training that it was: refused, unless it is to be taken.
given wrong.yaml "$from/momentum.npy" '' 's/peak: 0.2/peak: 0.2001/'
refused 'trajectory.states|replay of step 0 lands|off the given state 1|tolerance is 1.49e-08' train wrong.yaml -o BAD
contains err '--accept-deviation'
no_files BAD
run 0 train wrong.yaml -o wrong --accept-deviation --json
json out imported.deviation\>1e-4 imported.deviation\<1e-2
run 0 info wrong
contains out 'ABOVE the tolerance'
# What was accepted is said with every result, and with what passed.
run 0 info wrong --json
deviation=$(value out imported.deviation)
for request in 'svd wrong --top 2' 'density wrong' 'trace wrong' 'dense wrong' 'svd wrong --top 1' \
    'study alignment wrong'; do
    # shellcheck disable=SC2086
    run 0 $request
    contains out 'ACCEPTED: replay lands up to' 'ABOVE the tolerance 1.5e-08'
    # shellcheck disable=SC2086
    run 0 $request --json
    [ "$(value out training.deviation)" = "$deviation" ] || fail "the deviation is another one"
    json out 'training.tolerance<1.5e-8'
done
run 2 validate wrong
contains out 'NOT PASSED; the states were given, and replay lands up to'
run 0 validate wrong --from 3 --to 4
contains out 'passed; the states were given, and replay lands up to' 'ABOVE the tolerance'
grep -q '^passed$' out && fail "validate passes what was accepted without a word"
run 0 validate wrong --from 3 --to 4 --json
[ "$(value out imported.deviation)" = "$deviation" ] || fail "validate has another deviation"
run 0 report wrong
contains wrong/report.html 'ACCEPTED: replay lands up to'
given wrong.yaml "$from/momentum.npy" '' 's/peak: 0.2/peak: 0.2001/' '$ a\  tolerance: 0.01'
run 0 train wrong.yaml -o tolerant --json
json out imported.tolerance=0.01
run 0 trace tolerant
grep -q ACCEPTED out && fail "a deviation below the tolerance is remarked on"
given wrong.yaml "$from/momentum.npy" '' '/batches/d'
refused 'trajectory.states|off the given state 1' train wrong.yaml -o BAD
run 0 train wrong.yaml -o wrong --accept-deviation --force

given wrong.yaml "$from/momentum.npz" "$torch" 's/peak: 0.2/peak: 0.2001/' 's/steps: 12/steps: 36/' '/batches/d' \
    '$ a\  every: 3'
refused 'trajectory.states|replay of steps 0 to 2 lands|off the given state 3|tolerance is 4.47e-08' \
    train wrong.yaml -o BAD

# A replay that leaves the finite numbers lands nowhere, whatever the tolerance.
given wrong.yaml "$from/momentum.npz" "$torch" 's/peak: 0.2/peak: 1e300/' 's/steps: 12/steps: 36/' '/batches/d' \
    '$ a\  every: 3' '$ a\  tolerance: 1e300'
refused 'trajectory.states|replay of steps 0 to 2 lands|inf off the given state 3' train wrong.yaml -o BAD
sed 's/tanh/softplus/' wrong.yaml > diverges.yaml
refused 'training diverged|the loss at step 1 is' train diverges.yaml -o BAD
no_files BAD

# put FILE N BYTES: number N of an array, counted from 0, becomes these eight bytes.
put()
{
    printf "$3" | dd of="$1" bs=1 seek=$((128 + 8 * $2)) conv=notrunc 2> dd.log || fail "dd: $(cat dd.log)"
}
nan='\000\000\000\000\000\000\370\177'
huge='\000\000\000\000\000\000\160\176' # 2^1000, whose square is beyond the numbers

# A state that has no number in a place is refused, and said by its step, in whatever form it comes.
cp "$from/momentum.npy" nan.npy
put nan.npy $((8 * 47 + 5)) "$nan"
given bad.yaml nan.npy ''
refused 'trajectory.states: given state 8: |nan.npy: the value in row 8, column 5 (from 0) is nan' \
    train bad.yaml -o BAD --accept-deviation
given bad.yaml nan.npy '' 's/steps: 12/steps: 48/' '/batches/d' '$ a\  every: 4'
refused 'trajectory.states: given state 32: |nan.npy: the value in row 8, column 5' train bad.yaml -o BAD
mkdir numbered
for t in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
    {
        printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f8', 'fortran_order': False, 'shape': (47,), }"
        tail -c +$((129 + 376 * t)) "$from/momentum.npy" | head -c 376
    } > numbered/$t.npy
done
given bad.yaml 'numbered/%d.npy' ''
run 0 train bad.yaml -o numbered-run --json
json out imported.states=13 imported.deviation\<1e-12
put numbered/11.npy 1 "$nan"
refused 'trajectory.states: given state 11: |numbered/11.npy: the value in row 1' train bad.yaml -o BAD

# A distance whose square is beyond the numbers is one all the same, and its state is one that is given.
for t in 6 12; do
    cp "$from/momentum.npy" huge.npy
    put huge.npy $((t * 47)) "$huge"
    given wrong.yaml huge.npy ''
    refused "trajectory.states: replay of step $((t - 1)) lands 1 off the given state $t" train wrong.yaml -o BAD
    run 0 train wrong.yaml -o wrong --accept-deviation --force --json
    json out imported.states=13 imported.deviation\>0.999 imported.deviation\<1.001
done

# Huge times huge is no number: replay ends at that step, though what it lands on is accepted.
cp "$from/momentum.npy" huge.npy
for n in 0 23; do
    put huge.npy $((6 * 47 + n)) "$huge"
done
given bad.yaml huge.npy '' 's/tanh/relu/'
refused 'trajectory.states|the loss at step 6 is ' train bad.yaml -o BAD --accept-deviation
no_files BAD

# Missing steps, names and shapes, all of them in one line.
cp "$from"/step-*.safetensors part
rm part/step-004.safetensors part/step-007.safetensors part/step-008.safetensors part/step-012.safetensors
given bad.yaml "part/step-%03d.safetensors" "$torch"
refused 'trajectory.states|4 of 13 states are missing (steps: 12, every: 1): 4, 7 to 8, 12' train bad.yaml -o BAD
given bad.yaml "part/step-%d.safetensors" "$torch"
refused 'trajectory.states|13 of 13 states are missing' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" '' 's/steps: 12/steps: 10/'
refused 'has 13 states|more than the 11' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npz" "$torch" '$ a\  every: 2'
refused 'has 13 states|more than the 7' train bad.yaml -o BAD
sed 's/steps: 12/steps: 15/; s/every: 2/every: 1/; /batches/d' bad.yaml > long.yaml
refused 'has 13 of 16 states|missing: 13 to 15' train long.yaml -o BAD
given bad.yaml "$from/momentum.npz" "$torch" 's/weight/wieght/'
refused "no array 'conv.wieght'|did you mean 'conv.weight'|fc.wieght is missing" train bad.yaml -o BAD
given bad.yaml "$from/momentum.npz" 'names: {kernel: weight}'
refused 'conv.weight has the shape [13, 2, 1, 3, 3], expected [13, 3, 3, 1, 2]|fc.weight has [13, 3, 8]' \
    train bad.yaml -o BAD
given bad.yaml "$from/step-%03d.safetensors" "$torch" 's/filters: 2/filters: 3/' 's/units: 3/units: 4/'
refused 'step-000.safetensors:conv.bias has the shape [2], expected [3]|conv.weight has [2, 1, 3, 3]|fc.bias has' \
    train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" '' 's/units: 3/units: 4/'
refused 'its states have 47 numbers, the network has 56 parameters' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" "$torch"
refused 'are for files of named tensors|one vector for each state' train bad.yaml -o BAD
given bad.yaml "$from/%d-%d.npy" ''
refused 'more than one place for the number' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" 'seed: 3'
refused 'init|leave file and seed out' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" '' '$ a\  max_bytes: 3000'
refused 'trajectory|leave max_bytes out' train bad.yaml -o BAD
given bad.yaml "$from/momentum.npy" '' '$ a\  tolerance: 0'
refused 'trajectory.tolerance|above 0' train bad.yaml -o BAD
head -c 4000 "$from/momentum.npy" > cut.npy
given bad.yaml cut.npy ''
refused 'trajectory.states|cut.npy' train bad.yaml -o BAD
no_files BAD
finish
