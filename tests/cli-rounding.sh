#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-rounding.sh: numbers that are rounding are said to be, and a right J is not doubted where there is
# nothing to compare it with: J = 0, J = rounding, Adam whose second moments are far below its eps.
. "$(dirname "$0")/cli-lib.sh"

# linear N TURNED NUMBER...: x.csv, t.csv <- N rows such that a step of 0.5 multiplies direction i of a linear
# regression by 1 - NUMBER^2, the last number for all that are left; TURNED 1: none of the directions is an axis.
linear()
{
    awk -v n="$1" -v turned="$2" -v numbers="$(shift 2; echo "$*")" 'BEGIN {
        count = split(numbers, number, " ")
        for (i = 1; i <= n; i++) {
            for (j = 1; j <= n; j++)
                printf("%s%.17g", (j == 1) ? "" : ",", \
                       sqrt(n) * number[(i < count) ? i : count] * ((i == j) - turned * 2 / n)) > "x.csv"
            print "" > "x.csv"
            print i / 7 > "t.csv"
        }
    }'
}

# regression N STEPS: linear.yaml
regression()
{
    cat > linear.yaml <<END
data: {train: {file: x.csv, targets: t.csv}}
network: {input: [$1], layers: [{type: dense, units: 1, bias: false, kernel_init: zeros}], loss: mean_squared_error}
init: {seed: 1}
training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.5}, batch_size: $1, steps: $2}
END
}

# J = 0 exactly, and J = 0 but for rounding.
for turned in 0 1; do
    linear 4 $turned 1
    regression 4 2
    run 0 train linear.yaml -o ZERO$turned
    run 0 validate ZERO$turned
    contains out passed 'errors are relative to the vectors' 'agrees with J'
    grep -q switch out && fail "a linear net has activations that switch"
    [ "$turned" -eq 1 ] || contains out 'J is zero'
    run 0 validate ZERO$turned --json
    json out passed=true 'largest_product<3.6e-15' may_switch=false finite_difference_verdict=agrees \
        'adjoint_error<1e-12'
done

# sigma_1 = 1e17 beside a bulk of 1 and values of 2^-17: LAPACK knows neither.
linear 20 1 3.3166247903554 3 0 0 0 0 0 0.70710678118654757
regression 20 17
run 0 train linear.yaml -o LARGE
contains out 'DIVERGED: the loss of the training went from'
run 0 info LARGE
contains out DIVERGED
run 0 info LARGE --json
json out diverged=true 'train_loss>1e10'
run 0 dense LARGE
contains out DIVERGED 'NOT KNOWN: rounding' 'values are known to' '18 below that are rounding'
run 0 dense LARGE --json
json out below_floor=18 'floor>22' 'floor<2200'
doubtful=$(($("$jsonkeys" --print out doubtful.chaotic) + $("$jsonkeys" --print out doubtful.bulk) + \
    $("$jsonkeys" --print out doubtful.stable)))
[ "$doubtful" -eq 18 ] || fail "$doubtful values are doubtful instead of 18"
run 0 plot LARGE spectrum --data
contains out 'rounding,'
run 0 report LARGE
contains LARGE/report.html 'below this: rounding' below_floor
run 0 svd LARGE --top 20 --method dense --tag pairs
contains out 'ROUNDING: values are known to' DIVERGED
run 0 svd LARGE --top 20 --method dense --tag pairs --json
json out 'top.floor>22' 'top.floor<2200' 'training.first_loss<10' training.diverged=true
contains LARGE/report.html DIVERGED
# The figure of a density goes down to its floor, and shows it.
run 0 density LARGE
contains out 'ROUNDING: values below' DIVERGED
run 0 density LARGE --json
json out 'density.sigma[0]>500' 'density.width>=0.1'
run 0 plot LARGE density --data
contains out 'band_low,' 'band_high,'
# Residuals that a monitor shows are not below what is known: eps sigma_1 is 22.
run 0 svd LARGE --top 2 --method arpack --monitor --tag watched
! grep -q 'sigma.*+- [0-9.]*e-' err || fail "a monitor knows values better than eps sigma_1"

# sigma_1 = 1e160 and 1e-160: J is a matrix of doubles, A'A = J'J is not.
linear 12 1 3.3166247903554 3 2 0 0.9
regression 12 160
sed 's/.*/0/' t.csv > zeros.csv && mv zeros.csv t.csv
run 0 train linear.yaml -o HUGE
run 0 svd HUGE --top 1 --method arpack --json
json out top.converged=1 'top.sigma[0]>9.99e159' 'top.sigma[0]<1.001e160'
linear 12 1 0.95 0.949 0.948 0.96 0.99
regression 12 160
run 0 train linear.yaml -o SMALLEST
run 0 svd SMALLEST --top 2 --method arpack --json
json out top.converged=2 'top.sigma[0]>7.8e-160' 'top.sigma[0]<7.9e-160'

# A spectrum that is known has no marks.
linear 20 1 2 1.7 0 0 0 0.5
regression 20 2
run 0 train linear.yaml -o SMALL
run 0 dense SMALL --json
json out training.diverged=false below_floor=0 doubtful.chaotic=0 doubtful.bulk=0 doubtful.stable=0 'floor<1e-13'
run 0 dense SMALL
grep -q 'NOT KNOWN' out && fail "a known spectrum is doubted"
run 0 density SMALL
grep -q DIVERGED out && fail "a training that converges is said to diverge"
run 0 plot SMALL density --data
grep -q 'below this: rounding' out && fail "a known density has a floor in its figure"
run 0 plot SMALL spectrum --data
grep -q 'below this: rounding' out && fail "a known spectrum has a floor in its figure"

# Zero heads under optimizers that divide by the root of a second moment: differences of 1e-9 are too long.
awk 'BEGIN { for (i = 0; i < 24; i++) { for (j = 0; j < 6; j++) printf "%.4f,", sin(1 + i * 1.7 + j * j * 0.9); print i % 3 } }' > head.csv
for optimizer in adam rmsprop '{type: adam, eps: 1e-10}' '{type: adamw, weight_decay: 0.1}'; do
    for start in '' ', kernel_init: zeros'; do
        cat > head.yaml <<END
data: {train: {file: head.csv, label_column: 6}}
network: {input: [6], layers: [{type: dense, units: 5}, tanh, {type: dense, units: 3$start}], loss: softmax_cross_entropy}
init: {seed: 3}
training: {optimizer: $optimizer, learning_rate: {schedule: constant, peak: 0.05}, batch_size: 4, steps: 7}
END
        run 0 train head.yaml -o HEAD --force
        run 0 validate HEAD
        contains out passed 'agrees with J'
        run 0 validate HEAD --state full
        contains out passed
        grep -q switch out && fail "$optimizer: a network of tanh has activations that switch"
    done
done

# Batch normalisation of one row is a constant: refused where a step has one, taken where there are positions.
batches()
{
    cat > norm.yaml <<END
data: {train: {file: few.csv, label_column: 6}}
network: {input: $1, layers: [$2 batch_norm, tanh, flatten, {type: dense, units: 3}], loss: softmax_cross_entropy}
init: {seed: 3}
training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.1}, batch_size: $3, steps: 5$4}
END
}
head -n 13 head.csv > few.csv
batches '[6]' '' 1 ''
refused 'batch_norm0 has one row for its statistics at 5 of 5 steps, first at step 0|batch_size of 2' train norm.yaml -o NORM
no_files NORM
batches '[6]' '' 4 ', drop_last: false'
refused 'at 1 of 5 steps, first at step 3|drop_last' train norm.yaml -o NORM
batches '[6]' '' 4 ', drop_last: true'
run 0 train norm.yaml -o NORM
batches '[2, 3]' '' 1 ''
run 0 train norm.yaml -o NORM2
run 0 validate NORM2
contains out passed
# Gradients that are zero at step 0, which Adam divides by eps alone, are remarked on; sgd divides by nothing, and a
# large eps does no harm.
for optimizer in adam sgd '{type: adam, eps: 1e-3}'; do
    sed -e "s/optimizer: sgd/optimizer: $optimizer/" -e 's/layers: \[/&{type: dense, name: adapter, units: 3}, /' \
        linear.yaml > adapter.yaml
    run 0 train adapter.yaml -o ADAPTER --force
    cp out said
    run 0 info ADAPTER --json
    if [ "$optimizer" = adam ]; then
        contains said 'ZERO START: adapter.bias, adapter.kernel: gradients exactly zero at step 0' 5e+07
        run 0 info ADAPTER
        contains out 'ZERO START: adapter.bias'
    else
        json out zero_start=null
        grep -q ZERO said && fail "$optimizer: a zero start is remarked on"
    fi
done

finish
