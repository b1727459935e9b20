#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# examples/paper/reproduce.sh: every experiment of the training-Jacobian paper on the digits data, with
# its figures and the numbers behind them.
#
#   sh reproduce.sh [FOLDER]
#
# FOLDER (default: paper-out) gets the runs, figures/NAME.png, .svg and .csv, and summary.txt, which puts
# the main numbers beside the reference ones.  What is there already is not computed again, and what
# was interrupted goes on.  Takes half an hour or so on two cores; most of it are seven dense Jacobians.
# SPECTRAJ in the environment names the program; gnuplot draws.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
spectraj=${SPECTRAJ:-spectraj}
out=${1:-paper-out}
mkdir -p "$out/figures"
cd "$out"

say() { printf '\n== %s\n' "$*"; }

# trained NAME CONFIG: a run and all singular vectors of its Jacobian.
trained()
{
    say "$1: train, and the dense Jacobian"
    [ -e "$1/trajectory.h5" ] || $spectraj train "$2" -o "$1"
    $spectraj dense "$1"
}

# study NAME RUN [ARGUMENT]...
study()
{
    say "study $*"
    $spectraj study "$@"
}

# figure RUN FIGURE FILE [OPTION]...: drawn, and its numbers.
figure()
{
    run=$1 name=$2 file=figures/$3
    shift 3
    $spectraj plot "$run" "$name" -o "$file.png" "$@" > /dev/null
    $spectraj plot "$run" "$name" -o "$file.svg" "$@" > /dev/null
    $spectraj plot "$run" "$name" --data -o "$file.csv" "$@" > /dev/null
}

trained digits "$here/../digits/digits.yaml"
figure digits spectrum spectrum
figure digits loss loss

study alignment digits
figure digits alignment alignment
study displacement digits
figure digits displacement displacement

study response digits --index 1
study response digits --region bulk --tag bulk
study response digits --region stable --tag stable
figure digits response response-chaotic
figure digits response-loss response-chaotic-loss
figure digits response response-bulk --tag bulk
figure digits response response-stable --tag stable

study restrict digits
figure digits restrict restrict
figure digits restrict-accuracy restrict-accuracy

# The paper's own white noise takes the place of drawn noise.
study divergence digits --data "train,test,inverted,$here/../digits/test_inputs_noise.npy"
figure digits divergence divergence
figure digits divergence-shift divergence-shift

study distributions digits
figure digits distributions distributions
figure digits distributions-spectrum distributions-spectrum
figure digits distributions-density distributions-density

for other in other-seed shuffled noise adam; do
    trained $other "$here/$other.yaml"
    study overlap digits $other --tag $other
    figure digits overlap overlap-$other --tag $other
done
figure adam spectrum spectrum-adam

for data in test train; do
    study function-jacobian digits --data $data --tag $data
    figure digits function-jacobian function-jacobian-$data --tag $data
    figure digits function-jacobian-null function-jacobian-null-$data --tag $data
done

# ---- the main numbers ----

# value CSV AWK-CONDITION AWK-VALUE: the mean of the value over the lines where the condition holds;
# columns are series, x, y.
value()
{
    awk -F, "NR > 1 && ($2) { sum += $3; n++ } END { printf \"%.6g\", n ? sum / n : \"nan\" }" \
        "figures/$1.csv"
}

line() { printf '%-52s %12s %12s\n' "$1" "$2" "$3"; }
is_step='$2 > 0.00099 && $2 < 0.00101'
{
    line "" reference here
    line "largest singular value" 20.469 "$(value spectrum '$2 == 1' '$3')"
    line "cosine of u_i and v_i, mean of i = 1000 to 4000" "> 0.9" \
        "$(value alignment '$2 >= 1000 && $2 <= 4000' '$3')"
    line "|cosine|, mean of the last 300" "< 0.2" \
        "$(value alignment '$2 > 4510' '($3 < 0 ? -$3 : $3)')"
    line "response to 1e-3 v_1: projection on u_1" 0.02042 \
        "$(value response-chaotic "/projection/ && $is_step" '$3')"
    line "response to 1e-3 v_1: complement" 0.000121 \
        "$(value response-chaotic "/complement/ && $is_step" '$3')"
    for family in bulk:2.490 complement:0.223 chaotic:0.223 stable:2.35; do
        line "test loss, trained within 100 directions: ${family%:*}" "${family#*:}" \
            "$(value restrict "/${family%:*}/ && \$2 == 100" '$3')"
    done
    line "largest singular value on shuffled labels" 9.46 \
        "$(value distributions-spectrum '/shuffled/ && $2 == 1' '$3')"
    line "largest singular value on white noise" 28.86 \
        "$(value distributions-spectrum '/noise/ && $2 == 1' '$3')"
} > summary.txt
say "summary (figures are in $out/figures)"
cat summary.txt
