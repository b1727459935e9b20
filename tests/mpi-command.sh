#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi-command.sh: the command on 1 to 4 ranks says what it says on one process.
#
#     NETS   short, conv, adam, batch_norm, wide, whose bases are divided (the default); digits: the whole digits run, some
#            minutes more
#     RANKS  1 2 3 4
#
# Singular values, of both ends, agree to 1e-10 sigma_1, densities with the same probes to 1e-9 of the number of parameters,
# and the states of a training bit for bit, in one memory and by messages; `validate` passes.
. "$(dirname "$0")/cli-lib.sh"
. "$top_srcdir/tests/mpi.sh"
nets=${NETS:-short conv adam batch_norm wide}

config_of()
{
    case $1 in
        digits) sed -e "s|file: |&$digits/|" -e "s|rows: |&$digits/|" "$digits/digits.yaml" > digits.yaml ;;
        short) short_config short.yaml ;;
        adam) short_config adam.yaml 's/optimizer: .*/optimizer: {type: adam, eps_root: 1e-8}/' 's/peak: 0.1/peak: 0.01/' \
            's/  steps: 20/  steps: 20\n  clip_norm: 0.5/' 's/^analysis:/trajectory: {every: 4}\nanalysis:/' ;;
        batch_norm) short_config batch_norm.yaml 's/input: .*/input: [8, 8, 1]/' \
            's/    - {type: dense, units: 4}/    - {type: conv2d, filters: 4, kernel: 3}\n    - {type: batch_norm}\n    - {type: gelu}\n    - {type: average_pool, window: 2}\n    - {type: flatten}\n    - {type: dense, units: 4}\n    - {type: batch_norm}/' ;;
        conv) short_config conv.yaml 's/input: .*/input: [8, 8, 1]/' \
            's/    - {type: dense, units: 4}/    - {type: conv2d, filters: 4, kernel: 3, padding: same, bias_init: {type: normal, stddev: 0.1}}\n    - {type: relu}\n    - {type: average_pool, window: 2}\n    - {type: flatten}/' ;;
        wide) short_config wide.yaml 's/units: 4}/units: 1000}/' 's/steps: 20/steps: 40/' 's/peak: 0.1/peak: 0.5/' ;;
        *) fail "NETS names $1: it takes short, conv, adam, batch_norm, wide, digits"; finish ;;
    esac
}

probes=4 steps=10
# compare RUN SERIAL: what the commands printed.
compare()
{
    "$jsonkeys" --compare "$1.svd" top.sigma "$2.svd" top.sigma 1e-10 > compare.out || { cat compare.out; fail "$1: top"; }
    for region in chaotic bulk stable; do
        for what in estimate low high; do
            a=$("$jsonkeys" --print "$1.density" regions.$region.$what)
            b=$("$jsonkeys" --print "$2.density" regions.$region.$what)
            n=$("$jsonkeys" --print "$2.density" n_params)
            awk -v a="$a" -v b="$b" -v n="$n" 'BEGIN { d = a - b; exit !((d < 0 ? -d : d) <= 1e-9 * n) }' ||
                fail "$1: density, $region $what is $a and was $b"
        done
    done
    json "$1.validate" passed=true
    [ -e "$2.dense" ] || return 0
    one=$("$jsonkeys" --print "$2.svd" top.sigma[0])
    for i in 0 1 2 3; do
        a=$("$jsonkeys" --print "$1.svd" "bottom.sigma_bound[$i]")
        b=$("$jsonkeys" --print "$2.svd" "bottom.sigma_bound[$i]")
        awk -v a="$a" -v b="$b" -v s="$one" 'BEGIN { d = a - b; exit !((d < 0 ? -d : d) <= 1e-10 * s) }' ||
            fail "$1: bound $i of the smallest is $a and was $b"
    done
    "$jsonkeys" --compare "$1.dense" sigma "$2.dense" sigma 1e-10 > compare.out || { cat compare.out; fail "$1: dense"; }
}

# all RUN CONFIG COMMAND...: every analysis, with COMMAND in front.
all()
{
    to=$1 from=$2
    shift 2
    # In so little memory the states are read from the disk, a part by each rank.
    [ "$from" = wide.yaml ] && pairs='--top 3 --memory 40M' || pairs='--top 6 --bottom 4'
    "$@" train "$from" -o "$to" --json > "$to.train" 2> err || fail "$to: train"
    # shellcheck disable=SC2086
    "$@" svd "$to" $pairs --max-applications 400 --json > "$to.svd" 2> err || [ $? -eq 2 ] || fail "$to: svd"
    grep HDF5 err && fail "$to: svd says what HDF5 has to say"
    "$@" density "$to" --no-deflation --probes $probes --steps $steps --json > "$to.density" 2> err || fail "$to: density"
    [ "$from" = wide.yaml ] || "$@" dense "$to" --json > "$to.dense" 2> err || fail "$to: dense"
    "$@" validate "$to" --json > "$to.validate" 2> err || fail "$to: validate"
}

# Of the training, which adds in the order of the slices wherever they are made.
same_bits()
{
    for key in train_loss test_loss; do
        [ "$("$jsonkeys" --print "$1.train" $key)" = "$("$jsonkeys" --print "$2.train" $key)" ] ||
            fail "$1: $key has other bits"
    done
}

one_net()
{
    config_of "$1"
    all "$1" "$1.yaml" "$spectraj"
    for p in ${RANKS:-1 2 3 4}; do
        all "$1-$p" "$1.yaml" ranks "$p" "$spectraj"
        compare "$1-$p" "$1"
        same_bits "$1-$p" "$1"
    done
    SPECTRAJ_SHARED_MEMORY=no
    export SPECTRAJ_SHARED_MEMORY
    all "$1-messages" "$1.yaml" ranks 3 "$spectraj"
    unset SPECTRAJ_SHARED_MEMORY
    compare "$1-messages" "$1"
    same_bits "$1-messages" "$1"
}

for net in $nets; do
    one_net "$net"
done

# A plan is one of the ranks at hand, and of how fast they were seen to exchange vectors.
short_config plan.yaml
command_line='plan on 3 ranks'
ranks 3 "$spectraj" plan plan.yaml --json > plan.json 2> err || fail 'plan'
json plan.json ranks=3 'analyses[0].name=train' 'analyses[2].ranks_per_product=3' 'analyses[2].bytes_per_application>0'
ranks 3 "$spectraj" plan plan.yaml --ranks 4 --ranks-per-product 2 --json > plan.json 2> err || fail 'plan of other ranks'
json plan.json ranks=4 'analyses[2].ranks_per_product=2'

# A problem in another process: of the ranks that make a product together one has a process, and the numbers are those of
# one rank.  counted N COMMAND...: it starts N processes.
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
counted()
{
    n=$1
    shift
    : > started
    "$@" > out 2> err || { cat err; fail "$*"; }
    [ "$(wc -l < started)" -eq "$n" ] || fail "$* started $(wc -l < started) processes instead of $n"
}
if ${CC:-cc} -O2 -o quadratic "$top_srcdir/examples/problem/quadratic.c" -lm; then
    printf '#!/bin/sh\necho >> "%s/started"\nexec "%s/quadratic"\n' "$work" "$work" > process.sh
    chmod +x process.sh
    sed "s|\[./quadratic\]|[$work/process.sh]|" "$top_srcdir/examples/problem/quadratic.yaml" > process.yaml
    counted 1 "$spectraj" train process.yaml -o process --json
    cp out process.train
    counted 1 "$spectraj" svd process --top 3 --json
    cp out process.svd
    for shared in yes no; do
        export SPECTRAJ_SHARED_MEMORY=$shared
        counted 1 ranks 3 "$spectraj" train process.yaml -o process-$shared --json
        cp out process-$shared.train
        same_bits process-$shared process
        counted 1 ranks 3 "$spectraj" svd process-$shared --top 3 --ranks-per-product 3 --json
        "$jsonkeys" --compare out top.sigma process.svd top.sigma 1e-10 || fail "a process on 3 ranks, memory shared: $shared"
        counted 2 ranks 4 "$spectraj" density process-$shared --no-deflation --probes 2 --steps 5 --ranks-per-product 2
        counted 1 ranks 2 "$spectraj" validate process-$shared --ranks-per-product 2
    done
    unset SPECTRAJ_SHARED_MEMORY
    # A rank that finds the command noted where the first does not, as one that looks later, does what that one does.
    counted 1 env XDG_STATE_HOME="$work/state-1" "$spectraj" train process.yaml -o process-noted --quiet
    # shellcheck disable=SC2016
    counted 1 ranks 3 sh -c 'exec env XDG_STATE_HOME="$0-${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" "$@"' \
        "$work/state" "$spectraj" train process.yaml -o process-late --json
    cp out process-late.train
    same_bits process-late process
fi
finish
