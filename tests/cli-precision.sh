#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-precision.sh: results in single precision have files of their own, say what they are, agree with those in
# double within what they say, and are refused where there are none.
. "$(dirname "$0")/cli-lib.sh"

short_config run.yaml 's/units: 4/units: 3/'
run 0 train run.yaml -o R

# number FILE KEY
number()
{
    "$jsonkeys" --print "$1" "$2"
}

# near A B TOL: |A - B| <= TOL |A|, and they differ
near()
{
    awk -v a="$1" -v b="$2" -v tol="$3" 'BEGIN { d = a - b; d = d < 0 ? -d : d; s = a < 0 ? -a : a
        exit !(d <= tol * s && d > 0) }' || fail "$1 and $2 are not within $3, or the same"
}

# Products, and the bits of double whatever was computed in single before.
run 0 validate R --precision single --json
json out passed=true part.precision=single 'single_error<1e-4' 'single_error>1e-9' 'single_error_rms>1e-9'
run 0 validate R --json
json out passed=true part.precision=double single_error=null
run 1 validate R --precision half
grep -q 'single' err || fail "validate --precision half: $(cat err)"

for request in 'trace --products 20' 'trace --function deviation --products 20' 'density --probes 2 --steps 8 --curve 3' \
    'svd --top 4'; do
    set -- $request
    command=$1
    shift
    run 0 "$command" R "$@" --json
    mv out double
    json double made.precision=double product_error=null
    run 0 "$command" R "$@" --precision single --json
    mv out single
    json single made.precision=single part.precision=single 'product_error>1e-10' 'product_error<1e-4' 'spent.jvp>0'
    "$jsonkeys" --print single file | grep -q -- '-single.h5$' || fail "$request: $(number single file)"
    "$jsonkeys" --print single request | grep -q 'precision single' || fail "$request: $(number single request)"
    "$jsonkeys" --print single command | grep -q -- '--precision single' || fail "$request: $(number single command)"
    run 0 "$command" R "$@" --precision single --json # from the file
    json out applications.jvp=0
    run 0 "$command" R "$@" --json
    json out applications.jvp=0 made.precision=double
done
near "$(number double top.sigma[0])" "$(number single top.sigma[0])" 1e-5
json single top.converged=4 'tol>1e-7'

# Intervals are those of J.
run 0 trace R --products 20 --json
mv out double
run 0 trace R --products 20 --precision single --json
near "$(number double value)" "$(number out value)" 1e-4
awk -v a="$(number double high)" -v b="$(number double low)" -v c="$(number out high)" -v d="$(number out low)" \
    'BEGIN { exit !(c >= a && d <= b) }' || fail "the interval of a trace in single is narrower than in double"
run 0 density R --probes 2 --steps 8 --json
mv out double
run 0 density R --probes 2 --steps 8 --precision single --json
for region in chaotic bulk stable; do
    awk -v a="$(number double regions.$region.high)" -v b="$(number double regions.$region.low)" \
        -v c="$(number out regions.$region.high)" -v d="$(number out regions.$region.low)" \
        'BEGIN { exit !(c >= a - 1e-3 && d <= b + 1e-3) }' || fail "counts of $region in single are narrower than in double"
done

# Pairs found in single and finished in double are those of double, with its tolerance, and nothing is missing; so are
# more of them, which begin with those.
for top in 4 7; do
    run 0 svd R --top $top --tag all --force --json
    mv out double
    run 0 svd R --top $top --precision mixed --json
    json out made.precision=mixed file=svd-mixed.h5 top.converged=$top tol=1e-10 'spent.single>10' 'top.outside.missed=0' \
        top.outside.undecided=false product_error=null
    for i in 0 $((top - 1)); do
        awk -v a="$(number double "top.sigma[$i]")" -v b="$(number out "top.sigma[$i]")" -v one="$(number out 'top.sigma[0]')" \
            -v r="$(number out "top.residual[$i]")" 'BEGIN { d = a - b; d = d < 0 ? -d : d; exit !(d <= 1e-9 * one && r <= 1e-10 * one) }' ||
            fail "value $i of $top in mixed precision: $(number out "top.sigma[$i]") for $(number double "top.sigma[$i]")"
    done
    awk -v a="$(number double spent.jvp)" -v b="$(number out spent.jvp)" 'BEGIN { exit !(b < 2 * a) }' ||
        fail "$(number out spent.jvp) products in double, where double takes $(number double spent.jvp)"
done
run 0 svd R --top 5 --precision mixed --json
json out applications.jvp=0
for budget in '--max-applications 60' '--max-seconds 5'; do
    # shellcheck disable=SC2086
    run 1 svd R --top 5 --precision mixed --tag budget $budget
    contains err 'ends when its pairs are finished' 'take double'
done
run 1 svd R --above 2 --precision mixed
grep -q 'give --top K, or take double' err || fail "above: $(cat err)"

# A study, under a tag of its own.
run 0 study growth R --random 3 --json
run 0 study growth R --random 3 --precision single --json
json out tangents.precision=single
[ -f R/study-growth-single.h5 ] || fail "no study-growth-single.h5"

# Where there is none.
run 1 dense R --precision single
grep -q 'dense has no precision single: take double' err || fail "dense: $(cat err)"
run 1 trace R --precision mixed
grep -q 'trace has no precision mixed: take single or double' err || fail "trace: $(cat err)"
run 0 plan R --precision single --json

finish
