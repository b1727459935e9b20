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
json svd.json top.requested=50 top.converged=50 top.sigma#50 'top.products<170.5' top.outside.missed=0
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

run 0 svd RUN --top 100 --tag hundred --json
json out top.converged=100 'top.products<260.5'
say "  the largest 100: $("$jsonkeys" --print out top.products) products"
"$jsonkeys" --compare dense.json sigma out top.sigma 1e-9 ||
    fail "svd --top 100 and dense differ by more than 1e-9 sigma_1"

say "bottom"
for limit in 350:2e-2 800:5e-4 1600:1e-6; do
    budget=${limit%:*}
    for seed in ${SEEDS_BOTTOM:-0 1 2}; do
        run 2 svd RUN --bottom 20 --max-applications $budget --seed $seed --tag bottom --json
        json out bottom.sigma_bound#20 "bottom.sigma_bound[19]<${limit#*:}"
        i=0
        while [ "$i" -lt 20 ]; do
            true_value=$("$jsonkeys" --print dense.json "sigma[$((N - 1 - i))]")
            json out "bottom.sigma_bound[$i]>$(awk -v s="$true_value" \
                -v f="$("$jsonkeys" --print out bottom.floor)" 'BEGIN { printf "%.17g", s - f }')"
            i=$((i + 1))
        done
        used=$(awk -v a="$("$jsonkeys" --print out applications.jvp)" \
            -v b="$("$jsonkeys" --print out applications.vjp)" 'BEGIN { printf "%.0f", a + b }')
        [ "$used" -le "$budget" ] || fail "a budget of $budget was overspent: $used"
        say "  budget $budget, seed $seed: used $used, 1st, 10th, 20th" \
            "$("$jsonkeys" --print out 'bottom.sigma_bound[0]')" \
            "$("$jsonkeys" --print out 'bottom.sigma_bound[9]')" \
            "$("$jsonkeys" --print out 'bottom.sigma_bound[19]')"
    done
done

say "density figure"
run 0 export RUN dense -o numbers
awk -F, "{ print \$NF }" numbers/dense-sigma.csv > values
STJ_DENSITY_SPECTRUM=values CK_RUN_CASE=drawn "$(dirname "$jsonkeys")/o-density" ||
    fail "the band of the density figure does not contain the truth"

say "density"
for seed in ${SEEDS_DENSITY:-1 2 3 4 5 6 7 8 9 10}; do
    run 0 density RUN --probes 8 --steps 200 --seed $seed --no-deflation --tag d --json
    line="  seed $seed:"
    for region in chaotic:717 bulk:2984 stable:1109; do
        name=${region%:*}
        truth=${region#*:}
        json out "regions.$name.enclosure_low<$(awk -v t=$truth 'BEGIN { print t + 1e-6 }')" \
            "regions.$name.enclosure_high>$(awk -v t=$truth 'BEGIN { print t - 1e-6 }')" \
            "regions.$name.estimate>$(awk -v t=$truth -v n=$N 'BEGIN { print t - 0.01 * n }')" \
            "regions.$name.estimate<$(awk -v t=$truth -v n=$N 'BEGIN { print t + 0.01 * n }')"
        low=$("$jsonkeys" --print out regions.$name.low)
        high=$("$jsonkeys" --print out regions.$name.high)
        line="$line $(awk -v e="$("$jsonkeys" --print out regions.$name.estimate)" -v l="$low" -v h="$high" \
            'BEGIN { printf "%.0f (%.0f..%.0f)", e, l, h }')"
        if awk -v t=$truth -v l="$low" -v h="$high" 'BEGIN { exit !(l > t || h < t) }'; then
            eval "outside_$name=\$((\${outside_$name:-0} + 1))"
        fi
        awk -v l="$low" -v h="$high" -v n=$N 'BEGIN { exit !(h - l <= 0.06 * n) }' ||
            fail "seed $seed: the interval of $name is wider than 6 % of N"
    done
    say "$line"
done
for name in chaotic bulk stable; do
    missed=$(eval echo "\${outside_$name:-0}")
    say "  $name: $missed intervals without the truth"
    [ "$missed" -le 1 ] || fail "$missed of the 95 % intervals of $name lack the truth"
done

say "validate"
run 0 validate RUN --json
json out 'adjoint_error<1e-12' 'finite_difference_error<1e-6' replay_identical=true passed=true
say "  adjoint $("$jsonkeys" --print out adjoint_error)," \
    "finite differences $("$jsonkeys" --print out finite_difference_error)"

# mean FIGURE CONDITION VALUE [OPTION]...: over the lines of a figure's CSV, `series,x,y`.
mean()
{
    figure=$1 condition=$2 value=$3
    shift 3
    run 0 plot RUN "$figure" --data "$@"
    awk -F, "NR > 1 && ($condition) { sum += $value; n++ } END { printf \"%.17g\", n ? sum / n : -1 }" out
}

say "study alignment"
run 0 study alignment RUN
bulk=$(mean alignment '$2 >= 1000 && $2 <= 4000' '$3')
last=$(mean alignment '$2 > 4510' '($3 < 0 ? -$3 : $3)')
awk -v b="$bulk" -v l="$last" 'BEGIN { exit !(b > 0.9 && l < 0.2) }' ||
    fail "mean cosine $bulk from 1000 to 4000, |cosine| $last over the last 300"
say "  cosine $bulk from 1000 to 4000, |cosine| $last over the last 300"

say "study response"
run 0 study response RUN --index 1 --step 1e-3 --json
near out 'projection[0]' 0.02042 0.000005
near out 'complement[0]' 0.000121 0.0000005
near out initial_test_loss 2.4904 0.00005

say "study restrict"
run 0 study restrict RUN --k 100 --json
near out 'bulk.test_loss[0]' 2.490 0.01
near out 'complement.test_loss[0]' 0.223 0.01
near out 'chaotic.test_loss[0]' 0.223 0.01
near out 'stable.test_loss[0]' 2.35 0.01

say "study distributions"
run 0 study distributions RUN --json
near out 'runs[1].sigma[0]' 9.46 0.01
near out 'runs[2].sigma[0]' 28.86 0.01

[ "$failures" -eq 0 ] && say "all figures agree"
finish
