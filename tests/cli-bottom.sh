#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-bottom.sh: the smallest singular values of small networks, without a budget: the search ends by its own
# rule, and in little memory with a smaller basis, or without the matrix, where bounds can be had so; the result says.
. "$(dirname "$0")/cli-lib.sh"

short_config short.yaml
short_config adam.yaml 's/optimizer: .*/optimizer: {type: adam, eps_root: 1e-8}/' 's/peak: 0.1/peak: 0.01/'
short_config clipped.yaml 's/optimizer: .*/optimizer: {type: sgd}/' 's/  steps: 20/  steps: 20\n  clip_norm: 0.5/'
short_config relu.yaml 's/gelu/relu/' 's/units: 4}/units: 24}/'
short_config norm.yaml 's/    - {type: gelu}/    - {type: batch_norm}\n    - {type: gelu}/'
short_config conv.yaml 's/input: .*/input: [8, 8, 1]/' \
    's/    - {type: dense, units: 4}/    - {type: conv2d, filters: 2, kernel: 3}\n    - {type: gelu}\n    - {type: flatten}/'
short_config attention.yaml 's/input: .*/input: [8, 8]/' \
    's/    - {type: dense, units: 4}/    - {type: attention, heads: 2}\n    - {type: flatten}/'

# bounds NAME OPTION...: five bounds, found by a search that ended by its own rule.
bounds()
{
    name=$1
    shift
    command_line="svd $name --bottom 5 $*"
    "$spectraj" svd "$name" --bottom 5 "$@" --json > out 2> err || [ $? -eq 2 ] || fail "$name: refused"
    stop=$("$jsonkeys" --print out stop)
    [ "$stop" = converged ] || [ "$stop" = floor ] || [ "$stop" = incomplete ] || fail "$name: stopped for $stop"
    json out 'bottom.sigma_bound[4]>0'
}
for net in short adam clipped relu norm conv attention; do
    run 0 train $net.yaml -o $net
    bounds $net
    cp out $net.json
    bounds $net --method arnoldi --tag arnoldi
    json out bottom.basis_end=flat
done

# The matrix of 1800 parameters, with what LAPACK takes, is 80 MB: a limit that it does not fit into is none for bounds.
json relu.json bottom.method=dense
run 0 plan relu --json
bounds relu --memory $(($("$jsonkeys" --print out memory_bytes.resident) + 60000000)) --tag limit
json out bottom.method=arnoldi bottom.basis_end=flat
# One that is less than the program takes with its data is one of vectors and states alone.
bounds relu --memory 20M --tag least
json out bottom.method=arnoldi
bounds conv --memory 20M --method arnoldi --tag least
finish
