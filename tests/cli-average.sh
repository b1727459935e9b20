#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-average.sh: a training whose end point is an average of states: its losses, results, checks, windows, and what it
# is when it is replayed or lengthened.
. "$(dirname "$0")/cli-lib.sh"

constant='s/schedule: cosine/schedule: constant/'
average='/^training:/a\  average: {type: ema, decay: 0.8, start: 3}'
short_config plain.yaml 's/units: 4/units: 3/' "$constant"
sed "$average" plain.yaml > ema.yaml
run 0 train plain.yaml -o plain
run 0 train ema.yaml -o ema
run 0 info ema
unfold out
contains out 'end point      the average of states (type: ema, start: 3, every: 1, decay: 0.8)' 'losses, accuracy and results are of it'
run 0 info ema.yaml
contains out 'the average of states (type: ema'
run 0 info ema --json
json out n_slots=2
"$jsonkeys" --print out train_loss > loss
run 0 info plain --json
json out n_slots=1 average=null
"$jsonkeys" --print out train_loss > last
cmp -s loss last && fail 'the loss of an average is that of the last state'

# J is of the average: against whole trainings, by all states and by few; in windows; of the full state.
printf 'trajectory: {every: 7}\n' | cat ema.yaml - > few.yaml
run 0 train few.yaml -o few
for part in '' '--from 2 --to 9' '--from 8' '--to 2' '--state full --from 5' '--layers dense0'; do
    run 0 validate ema $part
    contains out 'adjoint' 'finite differences'
    run 0 dense ema $part -q
    run 0 dense few $part -q
done
run 0 validate few
run 0 svd ema --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > sigma
run 0 svd plain --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > other
cmp -s sigma other && fail 'the values of an average are those of the last state'
run 0 svd few --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > other
cmp -s sigma other || fail 'replay changes the values'
run 0 density ema --probes 2 --steps 6
for study in response displacement growth divergence function-jacobian; do
    run 0 study $study ema
done
run 0 plan ema.yaml
# The average goes on from a perturbed step as it was there.
run 0 svd ema --from 11 --top 2
run 0 study response ema --at 11 --step 1e-7 --json
awk -v a="$("$jsonkeys" --print out 'projection[0]')" -v b="$("$jsonkeys" --print out 'prediction[0]')" \
    'BEGIN { exit !(a - b < 1e-4 * b && b - a < 1e-4 * b) }' || fail 'a perturbed step of an average'

# Up to the first state that counts the average is the parameters.
run 0 dense plain --to 3
run 0 dense ema --to 3
run 0 export plain dense-0-3 -o one
run 0 export ema dense-0-3 -o two
cmp -s one/dense-0-3-sigma.csv two/dense-0-3-sigma.csv || fail 'an average before its first state differs from the parameters'

# Two goes are as one, and the first keeps its results.
sed 's/steps: 20/steps: 33/' ema.yaml > whole.yaml
run 0 train whole.yaml -o whole
run 0 svd few --top 3
run 0 train --continue few --steps 13
run 0 svd few --top 3 --to 20 --json
json out applications.jvp=0 applications.vjp=0
run 0 dense few -q
run 0 dense whole -q
rm -rf one two
run 0 export few dense-0-33 -o one
run 0 export whole dense -o two
cmp -s one/dense-0-33-sigma.csv two/dense-sigma.csv || fail 'two goes differ from one'

# Of states that are given.
sed '/^init:/d' ema.yaml > given.yaml
printf 'trajectory: {states: "ema/trajectory.h5:states"}\n' >> given.yaml
run 0 train given.yaml -o given
run 0 validate given
run 0 svd given --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > other
cmp -s sigma other || fail 'states that are given change the values'

# The mean of states; another average is another run; what cannot be.
sed 's/average: .*/average: {type: swa, start: 5, every: 5}/' ema.yaml > swa.yaml
run 0 train swa.yaml -o swa
run 0 validate swa
refused 'type: swa|type: ema' train swa.yaml -o ema
sed 's/average: .*/average: {type: swa, start: 21}/' ema.yaml > late.yaml
refused 'training.average.start is 21|the last state is 20' train late.yaml -o late
sed 's/average: .*/average: {type: ema, decay: 1}/' ema.yaml > still.yaml
refused 'decay' train still.yaml -o late
sed 's/average: .*/average: {type: median}/' ema.yaml > median.yaml
refused 'median|ema|swa|polyak' train median.yaml -o late
finish
