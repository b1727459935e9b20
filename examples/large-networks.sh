#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# examples/large-networks.sh: the networks that are too large for a dense Jacobian, from training to figures, with
# what each analysis was planned to cost and what it did.
#
#   sh large-networks.sh [-o FOLDER] [lenet-short | mlp-wide | transformer | resnet20 | gpt | vit]...
#
# FOLDER (default: large-out) gets a run of each example (default: all) and its figures; what is there already is
# not computed again, and what was interrupted goes on.  Takes about ten minutes an example on two cores.  It stops
# with an error when an analysis does not converge to residuals of 1e-10 sigma_1 or `validate` does not pass.
# SPECTRAJ in the environment names the program; gnuplot draws.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
spectraj=${SPECTRAJ:-spectraj}
out=large-out
if [ "${1:-}" = -o ]; then
    out=$2
    shift 2
fi
[ $# -gt 0 ] || set -- lenet-short mlp-wide transformer resnet20 gpt vit
mkdir -p "$out"

say() { printf '\n== %s\n' "$*"; }

# example NAME CONFIG [OPTION]...: options of every analysis; what is asked for is in the config.
example()
{
    run=$out/$1
    config=$here/$2
    shift 2
    say "$run: plan, train"
    $spectraj plan "$config" "$@"
    [ -e "$run/trajectory.h5" ] && [ ! -e "$run/train.journal" ] || $spectraj train "$config" -o "$run"
    for command in plan validate svd density; do
        say "$run: $command $*"
        $spectraj $command "$run" "$@"
    done
    for figure in loss spectrum density; do
        $spectraj plot "$run" $figure -o "$run/$figure.svg"
    done
}

# smallest NAME K [OPTION]...: upper bounds of the K smallest singular values.  They are never pairs with a small
# residual, which svd says with exit status 2.
smallest()
{
    run=$out/$1
    k=$2
    shift 2
    say "$run: svd --bottom $k $*"
    $spectraj svd "$run" --bottom "$k" "$@" || [ $? -eq 2 ]
}

for name in "$@"; do
    case $name in
    lenet-short)
        example lenet-short lenet/lenet-short.yaml
        smallest lenet-short 20 --max-applications 300
        ;;
    mlp-wide)
        example mlp-wide mlp-wide/mlp-wide.yaml --memory 2G
        smallest mlp-wide 5 --memory 4G
        ;;
    transformer)
        example transformer transformer/transformer.yaml
        smallest transformer 20 --max-applications 300
        say "$out/transformer: study divergence"
        $spectraj study divergence "$out/transformer"
        $spectraj plot "$out/transformer" divergence -o "$out/transformer/divergence.svg"
        ;;
    resnet20 | gpt | vit) example $name $name/$name.yaml ;;
    *)
        echo "large-networks.sh: no example '$name': lenet-short, mlp-wide, transformer, resnet20, gpt or vit" >&2
        exit 1
        ;;
    esac
done
