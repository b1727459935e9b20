#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi-given.sh: derivatives with respect to what training was given, and curvature, on several ranks: what one
# process says.
#
#     RANKS  2 3
#
# Singular values agree to 1e-10 of the largest, influences to 1e-10 of their norm; in one memory and by messages, with slices
# that meet, clipped gradients and states that are replayed, and with the columns of blocks divided among groups.
. "$(dirname "$0")/cli-lib.sh"
. "$top_srcdir/tests/mpi.sh"

short_config plain.yaml
short_config clipped.yaml 's/optimizer: .*/optimizer: {type: adam, eps_root: 1e-8}/' 's/peak: 0.1/peak: 0.01/' \
    's/  steps: 20/  steps: 20\n  clip_norm: 0.5/' 's/^analysis:/trajectory: {every: 4}\nanalysis:/'
short_config coupled.yaml 's/    - {type: gelu}/    - {type: batch_norm}\n    - {type: gelu}/'
edit '/^training:/a\  sam: {rho: 0.1}' coupled.yaml
groups='[{match: "*.bias", learning_rate: 0.02}]'
edit "s|^  steps: 20|  steps: 20\n  groups: $groups|" plain.yaml

# same JSON KEY...: of two answers, to 1e-10.
same()
{
    answer=$1
    shift
    for key in "$@"; do
        "$jsonkeys" --compare "$answer" "$key" "one-$answer" "$key" 1e-10 > compare.out ||
            { cat compare.out; fail "$answer: $key"; }
    done
}

# all NET COMMAND...: every analysis, with COMMAND in front; first what one process says, in one-*.
all()
{
    net=$1
    shift
    for of in weights inputs targets rates scales; do
        command_line="svd, influence $net --of $of: $*"
        [ "$of" != scales ] || [ $net = plain ] || continue
        "$@" svd "$net" --of $of --top 2 --force --json > "$prefix$net-$of-svd" 2> err || fail svd
        grep HDF5 err && fail 'svd says what HDF5 has to say'
        "$@" influence "$net" --of $of --query test_loss+train_loss+logit:0,1 --force --json > "$prefix$net-$of-query" 2> err ||
            fail influence
        [ -n "$prefix" ] || { same "$net-$of-svd" top.sigma; same "$net-$of-query" influence; }
    done
    command_line="trace, density $net --of weights: $*"
    "$@" trace "$net" --of weights --function frobenius --products 32 --force --json > "$prefix$net-trace" 2> err || fail trace
    "$@" density "$net" --of weights --no-deflation --probes 2 --steps 8 --force --json > "$prefix$net-density" 2> err || fail density
    [ -n "$prefix" ] || { same "$net-trace" value; same "$net-density" sigma_1 regions.stable.estimate; }
    command_line="curvature $net: $*"
    "$@" curvature "$net" --loss batch --at 0,10 --top 3 --bottom 2 --force --json > "$prefix$net-batch" 2> err || fail batch
    "$@" curvature "$net" --loss test --top 2 --density --probes 3 --force --json > "$prefix$net-test" 2> err || fail test
    [ -n "$prefix" ] || { same "$net-batch" top bottom; same "$net-test" top density.edge; }
    "$@" validate "$net" --json > validate.json 2> err || fail validate
    json validate.json passed=true
}

for net in plain clipped coupled; do
    run 0 train $net.yaml -o $net
    prefix=one-
    all $net "$spectraj"
    prefix=
    for p in ${RANKS:-2 3}; do
        all $net ranks "$p" "$spectraj"
        SPECTRAJ_SHARED_MEMORY=no all $net ranks "$p" "$spectraj"
    done
    OMP_NUM_THREADS=2 all $net ranks 2 "$spectraj"
done
finish
