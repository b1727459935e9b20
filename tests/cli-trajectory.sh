#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-trajectory.sh: which states a run keeps and where they are for an analysis: config keys,
# --memory, what is said about it, and that the results do not depend on it.
. "$(dirname "$0")/cli-lib.sh"

N=310
short_config all.yaml
short_config every.yaml '/^analysis/i trajectory: {every: 6}'
short_config ends.yaml '/^analysis/i trajectory: {every: 1000}'
# A state is 2 * 310 numbers of 8 bytes: 30000 bytes hold 6 of them, so every 4th step.
short_config bytes.yaml '/^analysis/i trajectory: {max_bytes: 30000}'

run 0 train all.yaml -o all --json
silent
json out trajectory.policy=memory trajectory.states=21 trajectory.stored=21 trajectory.every=1 \
    trajectory.diverged=null
run 0 train every.yaml -o every --json
json out trajectory.stored=5
run 0 train ends.yaml -o ends --json
json out trajectory.stored=2
run 0 train bytes.yaml -o bytes --json
json out trajectory.stored=6

# Which states are kept is no part of what was trained.
run 0 info all --json
fingerprint=$("$jsonkeys" --print out fingerprint)
for dir in every ends bytes; do
    run 0 info $dir --json
    json out "fingerprint=$fingerprint"
done
refused 'complete run' train every.yaml -o all

# policy RUN MEMORY POLICY: what info says, and that the singular values are those of `all`.
policy()
{
    run 0 info "$1" --memory "$2" --json
    json out "trajectory.policy=$3"
    run 0 info "$1" --memory "$2"
    contains out 'states   ' 'held in'
    rm -f "$1"/svd.h5 "$1"/svd.journal
    run 0 svd "$1" --top 3 --memory "$2" --json
    silent
    json out "trajectory.policy=$3" "top.sigma[0]=$sigma" trajectory.memory_bytes.budget=$(($2))
    met="$met $3"
}
run 0 svd all --top 3 --json
sigma=$("$jsonkeys" --print out 'top.sigma[0]')
met=
minimum_of()
{
    run 1 info "$1" --memory 1
    sed 's/.*--memory \([0-9]*\)K.*/\1/' err
}
for dir in all every ends bytes; do
    least=$(minimum_of $dir)
    [ "$least" -gt 0 ] || fail "no minimum is said for $dir"
    refused "--memory ${least}K" svd $dir --top 3 --tag no --memory $((least - 1))K
    rm -f $dir/svd-no.journal
done
policy all $(($(minimum_of all) * 1024)) disk
policy all 100000000 memory
policy every $(($(minimum_of every) * 1024)) revolve
policy every 100000000 memory
policy ends $(($(minimum_of ends) * 1024)) revolve
policy bytes $(($(minimum_of bytes) * 1024)) revolve
# What lies between depends on sizes; all of it gives the same number.
for budget in 200000 300000 400000 600000 900000; do
    run 0 info every --memory $budget --json
    name=$("$jsonkeys" --print out trajectory.policy)
    policy every $budget "$name"
done
for name in memory disk revolve replay; do
    case $met in *$name*) ;; *) fail "no budget led to the policy '$name': $met" ;; esac
done

# Every command says it.
run 0 density every --probes 1 --steps 3 --memory 100M --json
json out trajectory.policy=memory
run 0 density every --probes 1 --steps 3
contains out 'stored result'
run 0 trace every --products 4 --memory 100M
grep -q '^states: ' out && fail 'the states are told without --verbose'
run 0 trace every --products 4 --memory 100M --force --verbose
contains out 'states: 21 in memory'
run 0 dense every --json
json out trajectory.policy=memory trajectory.every=1
run 0 dense every --json
json out trajectory=null
run 0 validate ends --dense-limit 0 --memory 100M -v
contains out 'states ' 'in memory'

# Configs that cannot be.
short_config bad.yaml '/^analysis/i trajectory: {every: 0}'
refused 'trajectory.every|at least 1' train bad.yaml -o BAD
short_config bad.yaml '/^analysis/i trajectory: {every: 2, max_bytes: 30000}'
refused 'trajectory|exclude each other' train bad.yaml -o BAD
short_config bad.yaml '/^analysis/i trajectory: {max_bytes: 9919}'
refused 'trajectory.max_bytes is 9919|9920' train bad.yaml -o BAD
short_config bad.yaml '/^analysis/i trajectory: {evry: 2}'
refused "did you mean 'every'" train bad.yaml -o BAD
no_files BAD
finish
