#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/problem.sh: a problem in another process as a run: whatever happens to the process, one line says it, what was
# finished stays, and the same command goes on with the same bits.
. "$(dirname "$0")/cli-lib.sh"

XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
quadratic=$work/quadratic
proxy=$top_builddir/tests/problem-proxy
${CC:-cc} -O2 -o "$quadratic" "$top_srcdir/examples/problem/quadratic.c" -lm || exit 99
value() { "$jsonkeys" --print "$1" "$2"; }

# config NAME STEPS COMMAND [sed EXPRESSION]...: the example with another command.
config()
{
    name=$1
    steps=$2
    command=$3
    shift 3
    sed -e "s|\[./quadratic\]|[$command]|" -e "s/steps: 20/steps: $steps/" "$top_srcdir/examples/problem/quadratic.yaml" |
        sed -e ';' "$@" > "$name"
}

# same RUN FILE: training and values are those of FILE (svd --json) and its train.json.
same()
{
    run 0 svd "$1" --top 3 --force --json
    "$jsonkeys" --compare out top.sigma "$2" top.sigma 0 || fail "$1: other singular values"
}

# ---- a run like any other ----

config plain.yaml 20 "$quadratic"
refused 'problem.command|has not trained with this command|--allow-problem-command' info plain.yaml
run 0 train plain.yaml -o plain --json
silent
cp out plain.json
[ "$(value out n_params)" = 17 ] || fail "not 17 parameters"
run 0 info plain.yaml
contains out '20 steps' 'a.weight                 [3, 4]' 'problem'
run 0 svd plain --top 3 --json
cp out svd.json
run 0 validate plain
contains out passed
run 0 density plain --probes 2 --steps 8
run 0 trace plain
run 0 dense plain
run 0 svd plain --layers a.bias --top 2
run 0 svd plain --state full --top 2
run 0 plan plain
run 0 plan plain.yaml
run 0 report plain -o page.html
run 0 study growth plain
run 0 study restrict plain
run 0 study response plain
refused 'divergence: needs the layers and data of a network' study divergence plain
refused 'distributions: needs the layers and data of a network' study distributions plain
refused 'function-jacobian: needs the layers and data of a network' study function-jacobian plain
refused 'holds a complete run' train plain.yaml -o plain
run 0 curvature plain --loss batch --at 0,7 --top 2 --bottom 1
refused 'a Gauss-Newton matrix: needs the layers' curvature plain --loss batch --matrix gauss_newton
refused "curvature of a data set's loss: needs the layers" curvature plain
refused 'its penalty is in it' curvature plain --loss batch --penalty
for command in 'svd plain --top 2 --tag s' 'density plain --probes 3' 'trace plain --products 9' 'validate plain' 'plan plain' \
    'study growth plain --random 3'; do
    # shellcheck disable=SC2086
    refused 'has no single precision' $command --precision single
done
config wide.yaml 20 "$quadratic, 60" # of fewer parameters, mixed precision gains nothing: it is double
run 0 train wide.yaml -o wide
refused 'has no single precision' svd wide --top 1 --precision mixed
cp -r plain longer
run 0 train --continue longer --steps 10
config once.yaml 30 "$quadratic"
run 0 train once.yaml -o once
run 0 svd once --top 3 --json
cp out once.json
same longer once.json

# Whoever supplies the numbers, and however: memory that is shared, or bytes behind the frames.
config piped.yaml 20 "$proxy, none, 0, 0, $quadratic"
run 0 train piped.yaml -o piped --json
[ "$(value out train_loss)" = "$(value plain.json train_loss)" ] || fail "through a pipe the loss is another"
same piped svd.json
# A linearised step is kept: 20 steps once, whatever the products.
PROXY_LOG=$work/log "$spectraj" svd piped --top 3 --method arpack --force > /dev/null 2>&1 || fail "svd through a pipe"
[ "$(grep -c '^7$' log)" -gt 60 ] || fail "only $(grep -c '^7$' log) products"
[ "$(grep -c '^5$' log)" -le "$(grep -c '^7$' log)" ] || fail "more linearisations than products"

# ---- weights of samples ----

run 0 validate plain
contains out 'weights of samples'
run 0 influence plain --check 10 --json
value out check.rank_correlation | awk '{ exit !($1 > 0.7) }' || fail "influences are not what leaving out does"
run 0 influence plain --query train_loss
run 0 influence piped --json
numbers() { grep -o '"influence": \[\[[^]]*' "$1"; }
numbers out > influence
run 0 influence plain --json --force
[ -s influence ] && numbers out | cmp -s - influence || fail "through a pipe influences are others"
refused 'needs the layers and data of a network' influence plain --query test:1
# More samples than parameters: the memory that is shared grows when they are asked for.
for command in "$quadratic, 4" "$proxy, none, 0, 0, $quadratic, 4"; do
    rm -rf few
    config few.yaml 20 "$command"
    run 0 train few.yaml -o few
    run 0 validate few
    contains out 'weights of samples'
    run 0 influence few --query train_loss --json
    numbers out >> few.numbers
done
[ "$(sort -u few.numbers | wc -l)" -eq 1 ] || fail "through a pipe influences of many samples are others"
# Samples that are only claimed cost nothing where they are not asked for.
config many.yaml 20 "$proxy, samples, 1, 1, $quadratic"
run 0 train many.yaml -o many
same many svd.json

# ---- steps of the process's own ----

own() { config "$1" 20 "$2" -e '/learning_rate/d' -e 's/optimizer: .*/optimizer: own_step/'; }
own own.yaml "$quadratic, 12, step"
run 0 train own.yaml -o own
run 0 validate own
contains out passed
run 0 svd own --top 17 --json
cp out own.json
run 0 dense own --json
"$jsonkeys" --compare own.json top.sigma out sigma 1e-12 || fail "own steps: other singular values"
run 0 svd own --layers a.bias --top 2
refused 'there is no gradient to be restricted' study restrict own
refused 'their rate are those of its process' train --continue own --steps 4 --learning-rate 0.1
run 0 train --continue own --steps 4
refused 'weights of samples' influence own
for of in weights inputs targets; do refused "$of of samples need" svd own --top 2 --of $of; done
refused 'and so are their rates' svd own --top 2 --of rates
refused 'curvature is of losses' curvature own --loss batch
wrong() { text=$1; shift; own good.yaml "$quadratic, 12, step"; sed "$@" good.yaml > bad.yaml; refused "$text" train bad.yaml -o BAD; }
wrong 'the process of the problem takes its own steps' 's/own_step/{type: sgd}\n  learning_rate: {schedule: constant, peak: 1}/'
wrong 'training.optimizer is own_step, and the problem has gradients' 's/, 12, step//'
wrong 'leave learning_rate out' 's/own_step/own_step\n  learning_rate: {schedule: constant, peak: 0.1}/'
wrong 'has no gradient that groups, clipping or sam could change' '$a\  clip_norm: 1'
wrong 'has no gradient that groups, clipping or sam could change' '$a\  sam: {rho: 0.1}'

# theta_0 from a file, by the names of the tensors.
run 0 export plain --help
# ---- what a config cannot say ----

wrong() { text=$1; shift; config bad.yaml 20 "$quadratic" "$@"; refused "$text" train bad.yaml -o BAD; }
wrong 'leave the keys data and network out' -e '$a\network: {input: [3], layers: [{type: dense, units: 2}], loss: mean_squared_error}'
wrong "batch_size, accumulate, epochs, shuffle and batches" -e '$a\  batch_size: 4'
wrong "batch_size, accumulate, epochs, shuffle and batches" -e '$a\  shuffle: true'
wrong "missing key 'command'" -e '/command/d' -e 's/^problem:/problem: {timeout: 3}/'
wrong 'problem.tensors: tensor 1 of the process' -e '/command/a\  tensors: {a.weight: [3, 4], bias: [4], scale: [1]}'
wrong 'problem.tensors|has 4, the process 3' -e '/command/a\  tensors: {a.weight: [3, 4], a.bias: [4], scale: [1], b: [2]}'
wrong 'trajectory.states|x.npy' -e '$a\trajectory: {states: x.npy}' -e '/^init/d'
wrong 'callbacks and command exclude each other' -e '/command/a\  callbacks: true'
wrong 'come from functions of a program' -e '/command/d' -e 's/^problem:/problem: {callbacks: true}/'
config bad.yaml 20 "$work/not-there, 5"
refused 'problem.command|cannot be started in|No such file' train bad.yaml -o BAD
config bad.yaml 20 "$proxy, steps, 1, 1, $quadratic"
refused 'training.steps is 20, the process of the problem has 3' train bad.yaml -o BAD

# ---- what a process does wrong ----

# faulty FAULT VERB COUNT 'TEXT|...': the training says so in one line, and the same command goes on.
faulty()
{
    fault=$1
    rm -rf faulty
    config faulty.yaml 20 "$work/faulty.sh" -e '/command/a\  timeout: 2'
    printf '#!/bin/sh\nexec "%s" %s %s %s "%s"\n' "$proxy" "$1" "$2" "$3" "$quadratic" > faulty.sh
    chmod +x faulty.sh
    refused "$4" train faulty.yaml -o faulty
    printf '#!/bin/sh\nexec "%s"\n' "$quadratic" > faulty.sh
    run 0 train faulty.yaml -o faulty
    same faulty svd.json
}
kept='states are kept, to go on: spectraj train faulty.yaml -o faulty'
faulty exit 4 8 "exited with status 3, asked for the gradient of step 7|ValueError: a bad value|7 of 21 $kept"
faulty kill 4 8 "was killed by signal 9|the gradient of step 7|7 of 21 $kept"
faulty hang 4 8 "gave no answer within 2 s (problem.timeout)|the gradient of step 7|7 of 21 $kept"
faulty text 4 8 "something else than a frame|the gradient of step 7|7 of 21 $kept"
faulty version 4 8 "answered version 2, verb 4|the gradient of step 7"
faulty number 4 8 "number 4711|the gradient of step 7"
faulty long 4 8 "answered with 152 bytes where 144 are expected|the gradient of step 7|7 of 21 $kept"
faulty huge 4 8 "bytes where 144 are expected|the gradient of step 7"
faulty loss 4 8 "answered with the loss nan|the gradient of step 7|7 of 21 $kept"
faulty vector 4 8 "answered with nan at parameter 16 (of 17), vector 0|the gradient of step 7"
faulty refuse 4 8 "answered that it cannot: there is no memory for that|the gradient of step 7"
faulty cut 4 8 "exited with status 0, asked for the gradient of step 7"
faulty exit 1 1 "exited with status 3, asked for its hello"
faulty huge 1 1 "bytes where at most 16777216 are expected, asked for its hello"
faulty exit 3 1 "exited with status 3, asked for the initial parameters"
faulty vector 3 1 "answered with nan at parameter 16|the initial parameters"
faulty exit 8 1 "asked for the loss on 'train'|21 of 21 $kept"
faulty loss 8 2 "answered with the loss nan, asked for the loss on 'test'"

# broken FAULT VERB COUNT 'TEXT|...': the same of an analysis.
broken()
{
    printf '#!/bin/sh\nexec "%s" %s %s %s "%s"\n' "$proxy" "$1" "$2" "$3" "$quadratic" > faulty.sh
    refused "$4" svd faulty --top 3 --force
}
broken exit 7 30 "products with the Hessian of step|exited with status 3"
broken kill 5 3 "the linearisation of step 2|signal 9"
broken vector 7 3 "answered with nan|products with the Hessian of step 2"
broken hang 7 3 "gave no answer within 2 s"
broken fingerprint 1 1 'the data changed since the training'
printf '#!/bin/sh\nexec "%s"\n' "$quadratic" > faulty.sh
same faulty svd.json

# An interrupt is heard while a process hangs, long before its time is up.
# hangs VERB COMMAND...: interrupted when the process hangs at the fourth request with that verb.
hangs()
{
    printf '#!/bin/sh\nexec "%s" hang %s 4 "%s"\n' "$proxy" "$1" "$quadratic" > faulty.sh
    verb=$1
    shift
    sed 's/timeout: 2$/timeout: 600/' faulty.yaml > hanging.yaml
    rm -f verbs
    PROXY_LOG=$work/verbs $heed "$spectraj" "$@" > out 2> err &
    pid=$!
    until [ "$(grep -c "^$verb\$" verbs 2> /dev/null)" -ge 4 ] 2> /dev/null; do kill -0 $pid 2> /dev/null || break; sleep 0.1; done
    kill -INT $pid
    for i in $(seq 60); do kill -0 $pid 2> /dev/null || break; sleep 0.2; done
    kill -9 $pid 2> /dev/null && fail "$*: goes on after an interrupt"
    wait $pid
    status=$?
    [ $status -eq 130 ] || fail "$*: exit status $status instead of 130"
    contains err interrupted
}
hangs 4 train hanging.yaml -o hanging
contains err '3 of 21 states are kept, to go on: spectraj train hanging.yaml -o hanging'
printf '#!/bin/sh\nexec "%s"\n' "$quadratic" > faulty.sh
run 0 train hanging.yaml -o hanging
same hanging svd.json
hangs 7 svd hanging --top 2 --force
printf '#!/bin/sh\nexec "%s"\n' "$quadratic" > faulty.sh

# ---- whose command ----

# Somebody else's run: nothing is started, what is stored is there.
XDG_STATE_HOME=$work/another
run 0 info plain
run 0 svd plain --top 3
refused 'has not trained with this command|--allow-problem-command' svd plain --top 4
refused 'has not trained with this command' validate plain
refused 'has not trained with this command' train --continue longer --steps 5
run 0 svd plain --top 4 --allow-problem-command
refused 'has not trained with this command' svd plain --top 5
# The same command in another directory is another one.
XDG_STATE_HOME=$work/state
mkdir elsewhere
sed "s|directory: .*|directory: $work/elsewhere|" plain/config.yaml > elsewhere.yaml
refused 'has not trained with this command' info elsewhere.yaml
# A hash is not enough.
for note in state/spectraj/problem-commands/*; do echo changed > "$note"; done
refused 'has not trained with this command' svd plain --top 6
XDG_STATE_HOME=$work/state2
run 0 train plain.yaml -o again --quiet

# ---- kills at any moment ----

random() { od -An -N2 -tu2 /dev/urandom | awk -v most="$1" '{ printf "%.3f", $1 / 65536 * most }'; }
config long.yaml 1500 "$proxy, none, 0, 0, $quadratic, 24"
PROXY_PID=$work/pid
export PROXY_PID
run 0 train long.yaml -o long
run 0 svd long --top 2 --tol 1e-3 --json
cp out long.json
train_loss=$(run 0 info long --json; value out train_loss)
for i in 1 2 3 4 5 6; do
    rm -rf killed pid
    tries=0
    while [ $tries -lt 3 ]; do
        "$spectraj" train long.yaml -o killed > out 2> err &
        pid=$!
        sleep "$(random 0.6)"
        if [ $((i % 2)) -eq 0 ]; then kill -9 $pid; else [ -s pid ] && kill -9 "$(cat pid)"; fi 2> /dev/null
        wait $pid 2> /dev/null
        tries=$((tries + 1))
    done
    [ -e killed/trajectory.h5 ] || run 0 train long.yaml -o killed
    run 0 info killed --json
    [ "$(value out train_loss)" = "$train_loss" ] || fail "kill $i: another loss"
done
for i in 1 2; do
    "$spectraj" svd killed --top 2 --tol 1e-3 > out 2> err &
    pid=$!
    sleep "$(random 0.5)"
    if [ $i -eq 1 ]; then kill -9 $pid; else [ -s pid ] && kill -9 "$(cat pid)"; fi 2> /dev/null
    wait $pid 2> /dev/null
done
run 0 svd killed --top 2 --tol 1e-3 --json
"$jsonkeys" --compare out top.sigma long.json top.sigma 0 || fail "after kills other singular values"
unset PROXY_PID

# ---- Python ----

python=$(python_numpy)
if [ -n "$python" ]; then
    cp "$top_srcdir"/examples/problem/linear.py .
    sed "s|\[python3, |[$python, |" "$top_srcdir/examples/problem/linear.yaml" > linear.yaml
    run 0 train linear.yaml -o linear
    run 0 validate linear
    contains out passed
    run 0 svd linear --top 3 --json
else
    echo 'no python3 has numpy: examples/problem/linear.py is skipped'
fi
finish
