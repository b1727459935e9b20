#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/paper-digits.sh: the digits run at full size against the published figures: 4810 parameters,
# 625 steps, the dense Jacobian with all its columns.  Takes minutes and about 2 GB of memory; run by
# `make check-paper`.
#
# Published (single precision, on a GPU): sigma_1 = 20.469, test loss about 0.155.  In double precision
# from the same start: the figures below, to the digits given.
. "$(dirname "$0")/cli-lib.sh"
N=4810

say() { printf '%s\n' "$*"; }

# near FILE PATH WANTED HALF: the value lies within HALF of WANTED.
near()
{
    json "$1" "$2>$(awk -v x="$3" -v h="$4" 'BEGIN { printf "%.17g", x - h }')" \
        "$2<$(awk -v x="$3" -v h="$4" 'BEGIN { printf "%.17g", x + h }')"
    say "  $2 = $("$jsonkeys" --print "$1" "$2") (expected $3)"
}

say "train"
run 0 train "$digits/digits.yaml" -o RUN --json
json out n_params=$N n_steps=625
near out train_loss 0.0280 0.00005
near out test_loss 0.1579 0.00005
near out test_accuracy 0.954 0.0005

say "dense"
run 0 dense RUN --json
mv out dense.json
json dense.json n_params=$N sigma#$N regions.chaotic=717 regions.bulk=2984 regions.stable=1109
near dense.json 'sigma[0]' 20.4711 0.00005
near dense.json 'sigma[1]' 19.6314 0.00005
say "  built in $("$jsonkeys" --print dense.json seconds_build) s," \
    "decomposed in $("$jsonkeys" --print dense.json seconds_svd) s"

say "svd"
run 0 svd RUN --top 50 --json
mv out svd.json
json svd.json top.requested=50 top.converged=50 top.sigma#50 'top.products<180.5'
say "  $("$jsonkeys" --print svd.json top.products) products," \
    "$("$jsonkeys" --print svd.json seconds) s"
"$jsonkeys" --compare dense.json sigma svd.json top.sigma 1e-9 ||
    fail "svd and dense differ by more than 1e-9 sigma_1"
limit=$(awk -v s="$("$jsonkeys" --print svd.json 'top.sigma[0]')" 'BEGIN { printf "%.17g", 1e-8 * s }')
i=0
while [ "$i" -lt 50 ]; do
    json svd.json "top.residual[$i]<$limit"
    i=$((i + 1))
done

say "validate"
run 0 validate RUN --json
json out 'adjoint_error<1e-12' 'finite_difference_error<1e-6' replay_identical=true passed=true
say "  adjoint $("$jsonkeys" --print out adjoint_error)," \
    "finite differences $("$jsonkeys" --print out finite_difference_error)"

[ "$failures" -eq 0 ] && say "all figures agree"
finish
