#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-compare.sh: runs beside each other: numbers are those that each run's own commands print, means and
# intervals those of the textbook; figures of several runs have the numbers of each.
. "$(dirname "$0")/cli-lib.sh"
short_config c.yaml 's/  dense: {}/  density: {probes: 4, steps: 20}/' 's/steps: 20$/steps: 8/'

run 0 sweep c.yaml --set training.learning_rate.peak=0.05,0.1,0.2 --set init.seed=0..2 -o W
first=W/training.learning_rate.peak=0.05,init.seed=1
run 0 svd $first --json
sigma=$("$jsonkeys" --print out top.sigma[0])
run 0 density $first --probes 4 --steps 20 --json
for key in estimate low high; do
    eval $key=$("$jsonkeys" --print out regions.chaotic.$key)
done

index_of()
{
    number=$(tr '{' '\n' < out | sed -n 's/^"name": "\([^"]*\)".*/\1/p' | grep -nxF "$1" | sed 's/:.*//')
    [ -n "$number" ] || fail "no quantity $1"
    echo $((${number:-1} - 1))
}
run 0 compare W --json
silent
s=$(index_of 'svd.top.sigma[0]')
d=$(index_of density.regions.chaotic)
json out runs#9 "runs[1].dir=$first" runs[1].group=0 runs[8].group=2 left_out#0 by=training.learning_rate.peak \
    differs#2 differs[0].key=init.seed differs[1].key=training.learning_rate.peak differs[1].values#9 \
    "differs[1].values[0]=0.05" "quantities[$s].values[1]=$sigma" "quantities[$d].values[1]=$estimate" \
    "quantities[$d].low[1]=$low" "quantities[$d].high[1]=$high" "quantities[$s].same_request=true"
/usr/bin/env python3 - <<'END' || fail 'means or intervals are not those of Student'
import json
import math
c = json.load(open("out"))
for q in c["quantities"]:
    for g in range(3):
        x = [v for v, run in zip(q["values"], c["runs"]) if run["group"] == g]
        if None in x:
            continue
        mean = sum(x) / 3
        half = 4.302652729911275 * math.sqrt(sum((v - mean) ** 2 for v in x) / 2 / 3)
        for had, wanted in ((q["mean"][g], mean), (q["mean_low"][g], mean - half), (q["mean_high"][g], mean + half)):
            assert abs(had - wanted) <= 1e-9 * (abs(mean) + half)  # the quantile of GSL has ten digits, (q["name"], had, wanted)
END

# As a table; of runs that do not differ in seeds alone the results' own intervals.
run 0 compare W
contains out "1   $first" 'Runs with the same number differ in seeds alone' '  training.learning_rate.peak  0.05  0.1   0.2' \
    'svd.top.sigma[0]' 'density.regions.stable' 'test_accuracy'
run 0 compare $first W/training.learning_rate.peak=0.1,init.seed=1
contains out "$(printf 'density.regions.chaotic  %.5g [%.4g, %.4g]' $estimate $low $high)"
run 0 compare $first $first --json
json out differs#0 by=null
run 0 compare $first $first
contains out 'Their configs are the same.'

# What python compares has the same keys.
if PYTHONPATH=$top_srcdir/python SPECTRAJ_LIBRARY=$top_builddir/.libs/libspectraj.so python3 -c 'import numpy, spectraj' 2> /dev/null; then
    run 0 compare $first W/training.learning_rate.peak=0.1,init.seed=2 --json
    PYTHONPATH=$top_srcdir/python SPECTRAJ_LIBRARY=$top_builddir/.libs/libspectraj.so python3 - "$first" <<'END' || fail 'Python has other keys that differ'
import json
import sys
import spectraj
ours = {k["key"]: tuple(k["values"]) for k in json.load(open("out"))["differs"]}
assert spectraj.compare(sys.argv[1], "W/training.learning_rate.peak=0.1,init.seed=2").config == ours
END
fi

# Figures: the curves are those of each run alone; a number against the key has the means.
peak()
{
    echo "W/training.learning_rate.peak=$1,init.seed=0"
}
run 0 plot "$(peak 0.05)" loss --data
sed '1d; s/^batch,//' out > wanted
run 0 plot "$(peak 0.1)" loss --data
sed '1d; s/^batch,//' out >> wanted
run 0 compare "$(peak 0.05)" "$(peak 0.1)" --figure loss --data
sed '1d; s/^peak=[0-9.]*: batch,//' out | cmp -s - wanted || fail 'the curves of compare are not those of plot'
run 0 plot "$(peak 0.05)" loss --with "$(peak 0.1)" --data
sed '1d; s/^.*: batch,//' out | cmp -s - wanted || fail 'the curves of plot --with are not those of plot'
run 0 compare W --json
mean=$("$jsonkeys" --print out "quantities[$s].mean[2]")
run 0 compare W --figure by-svd.top.sigma --data
[ "$(sed -n 4p out | sed 's/^[^,]*,//')" = "0.20000000000000001,$mean" ] || fail "the third point is not (0.2, $mean)"
run 0 compare W --figure by-svd.top.sigma --by init.seed --data
run 0 svd $first --top 3 --tag few
run 0 plot $first --tags ,few --data
contains out 'few: chaotic,' 'untagged: '
[ "$(grep -c '^few' out)" -eq 3 ] && [ "$(grep -c '^untagged' out)" -eq 6 ] || fail 'not three and six values'
if command -v gnuplot > /dev/null; then
    run 0 compare W -o figures
    for figure in loss spectrum density by-test_loss by-density.regions by-svd.top.sigma; do
        [ -s figures/$figure.svg ] || fail "there is no figures/$figure.svg"
    done
    grep -q 'peak=0.05' figures/loss.svg || fail 'the legend has no peak=0.05'
    run 0 compare W --figure by-density.regions --terminal
    contains out chaotic training.learning_rate.peak
    run 0 plot $first --with "$(peak 0.1)" -o two.png
    [ -s two.png ] || fail 'no figure of two runs'
fi

# What cannot be compared is said; what is asked wrongly refused.
cp -r $first broken
printf 'xxxxxxxx' | dd of=broken/trajectory.h5 bs=1 seek=3000 conv=notrunc 2> dd.err
mkdir empty
run 0 compare W broken empty
contains out 'left out: broken/trajectory.h5: ' 'left out: empty: holds no run'
printf 'xxxxxxxx' | dd of="$(peak 0.1)/svd.h5" bs=1 seek=3000 conv=notrunc 2> dd.err
run 0 compare W --json
json out left_out#1
refused '1 run to compare, and it takes two: name runs, or folders of runs' compare $first empty
refused 'there is no such folder' compare W nowhere
refused '--by training.steps: the runs have no different numbers there' compare W --by training.steps
refused "number 'nonsense'" compare W --figure by-nonsense --data
refused "there is no figure 'nonsense'" compare W --figure nonsense --data
refused '--figure NAME' compare W --data
refused 'where to with the figure' compare W --figure loss
refused '--tag and --tags exclude' plot $first --tag a --tags b
refused 'no result tagged none' plot $first --tags few,none --data
finish
