#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-sam.sh: sharpness-aware minimisation: steps of two gradients, checked against themselves with all memory and with
# little, with norms of batches, clipped, averaged, restricted, lengthened; and where there is no way up.
. "$(dirname "$0")/cli-lib.sh"

constant='s/schedule: cosine/schedule: constant/'
short_config plain.yaml 's/units: 4/units: 3/' "$constant"
sed '/^training:/a\  sam: {rho: 0.1}' plain.yaml > sam.yaml
run 0 train sam.yaml -o sam
run 0 info sam
contains out 'gradients      of sharpness-aware minimisation, rho 0.1'
run 0 info sam --json
json out sam_rho=0.1 n_slots=1
run 0 validate sam
run 0 validate sam --state full --from 3 --to 11
run 0 svd sam --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > sigma
run 0 train plain.yaml -o plain
run 0 info plain --json
json out sam_rho=null
run 0 svd plain --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > other
cmp -s sigma other && fail 'sam changes nothing'

# Little memory: states are replayed, linearisations made again.
printf 'trajectory: {every: 7}\n' | cat sam.yaml - > few.yaml
run 0 train few.yaml -o few
run 1 svd few --top 3 --memory 1K
least=$(sed -n 's/.*--memory \([0-9]*\)K.*/\1/p' err)
run 0 svd few --top 3 --memory "$((least + 60))K" --json
"$jsonkeys" --print out 'top.sigma[0]' > other
cmp -s sigma other || fail 'little memory changes the values'
run 0 plan sam

# Slices that wait for each other; clipped second gradients; an average; a second moment.
sed 's/- {type: gelu}/- batch_norm\n    - {type: gelu}/' sam.yaml > norm.yaml
edit '/^training:/s/$/\
  clip_norm: 0.2\
  average: {type: ema, decay: 0.6}/' norm.yaml
run 0 train norm.yaml -o norm
run 0 validate norm
edit 's/clip_norm: 0.2/clip_tensor_norm: 0.1/; s/type: sgd, momentum: 0.9/type: adam, eps: 1e-3/' norm.yaml
run 0 train norm.yaml -o norm --force
run 0 validate norm
edit 's/clip_tensor_norm: 0.1/clip_value: 0.01/' norm.yaml
run 0 train norm.yaml -o norm --force
run 0 validate norm
run 0 study restrict sam --k 1,3
run 0 study response sam

sed 's/rho: 0.1/rho: 1, adaptive: true/' sam.yaml > adaptive.yaml
run 0 train adaptive.yaml -o adaptive
run 0 info adaptive
contains out 'of adaptive sharpness-aware minimisation, rho 1'
run 0 validate adaptive
run 0 svd adaptive --top 3
run 1 study restrict adaptive --k 1,3
contains err 'adaptive'
one_line

# Two goes are as one.
sed 's/steps: 20/steps: 27/' sam.yaml > whole.yaml
run 0 train whole.yaml -o whole
run 0 train --continue few --steps 7
run 0 validate few
run 0 dense few -q
run 0 dense whole -q
run 0 export few dense-0-27 -o one
run 0 export whole dense -o two
cmp -s one/dense-0-27-sigma.csv two/dense-sigma.csv || fail 'two goes differ from one'

# A gradient of zero has no way up: the step is the plain one, and so is its derivative.
printf '0,0\n0,0\n0,0\n0,0\n' > x.csv
printf '1\n1\n1\n1\n' > y.csv
cat > flat.yaml <<'END'
data: {train: {file: x.csv, targets: y.csv}}
network:
  input: [2]
  layers: [{type: dense, units: 1, kernel_init: zeros, bias_init: {type: constant, value: 1}}]
  loss: mean_squared_error
init: {seed: 1}
training:
  optimizer: sgd
  learning_rate: {schedule: constant, peak: 0.25}
  batch_size: 2
  steps: 3
END
run 0 train flat.yaml -o flat
sed '/^training:/a\  sam: {}' flat.yaml > climb.yaml
run 0 train climb.yaml -o climb
for run in flat climb; do
    run 0 dense $run -q
    rm -rf $run.csv
    run 0 export $run dense -o $run.csv
done
cmp -s flat.csv/dense-sigma.csv climb.csv/dense-sigma.csv || fail 'sam at gradients of zero is not the plain step'

sed 's/rho: 0.1/rho: 0/' sam.yaml > none.yaml
refused 'rho' train none.yaml -o none
refused 'sam:' train sam.yaml -o plain
finish
