#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-study.sh: spectraj study on a shortened digits run: 310 parameters, 20 steps.
. "$(dirname "$0")/cli-lib.sh"
N=310

short_config short.yaml '/^analysis:/,$d'
run 0 train short.yaml -o R

# The list, the help of each study, and names that are none.
run 0 study help
silent
studies=$(awk '{ print $1 }' out)
[ -n "$studies" ] || fail "there are no studies"
run 0 study --help
contains out $studies
for study in $studies; do
    run 0 study "$study" --help
    silent
    contains out "Usage: spectraj study $study " "Options:" "Exit status:" "--tag TAG" "Example:"
    grep -q "^  spectraj study $study " out || fail "the example of $study does not use it"
    [ "$(awk 'length > 80' out | wc -l)" -eq 0 ] || fail "the help of $study is wider than 80"
    mv out by-option
    run 0 help study "$study"
    cmp -s out by-option || fail "'help study $study' and 'study $study --help' differ"
    run 0 plot R help
    contains out "$study"
done
refused "no study 'alignmant'|did you mean 'alignment'" study alignmant R
refused "no study 'xyz'|study help" study xyz R
refused 'too few arguments' study
refused 'too few arguments|RUN' study alignment
refused "unexpected argument 'R'" study alignment R R
refused "unknown option '--epsilom'; did you mean '--epsilon'" study alignment R --epsilom 1
refused 'study alignment: epsilon|below 1|2' study alignment R --epsilon 2
refused "study displacement: side|'lft'|left" study displacement R --side lft
refused 'R|no singular vectors|spectraj dense|spectraj svd' study alignment R
refused 'no study-alignment.h5|spectraj study alignment' plot R alignment --data

# Dense vectors, and every promised key.
run 0 dense R --json
mv out dense.json
run 0 study alignment R --json
silent
json out schema=1 study=alignment n_params=$N epsilon=0.1 directions.source=dense.h5 \
    directions.top=$N directions.missing=0 index#$N sigma#$N cosine#$N basis_dependent#$N \
    'index[0]=1' "index[$((N - 1))]=$N" regions.chaotic.count regions.bulk.count \
    regions.stable.count regions.bulk.mean_cosine regions.stable.mean_abs_cosine 'seconds>0'
"$jsonkeys" --compare dense.json cosine out cosine 1e-12 || fail "cosines differ from dense's"
"$jsonkeys" --compare dense.json sigma out sigma 0 || fail "sigma differs from dense's"
for region in chaotic bulk stable; do
    json out "regions.$region.count=$("$jsonkeys" --print dense.json regions.$region)"
done
mv out alignment.json
run 0 study alignment R
contains out chaotic 'all 310, from dense.h5' 'stored result'
run 0 study displacement R --json
json out study=displacement side=right projection#$N 'displacement>0' unknown_share=0
share=0
for region in chaotic bulk stable; do
    share=$(awk -v a="$share" -v b="$("$jsonkeys" --print out regions.$region.share)" \
        'BEGIN { printf "%.17g", a + b }')
done
awk -v s="$share" 'BEGIN { exit !(s - 1 < 1e-12 && 1 - s < 1e-12) }' ||
    fail "the shares sum to $share"
run 0 study displacement R
contains out 'theta_n - theta_0' stable

# Another request is computed, under its own name or in the place of the first.
run 0 study displacement R --side left --tag left --json
json out side=left
[ -e R/study-displacement-left.h5 ] || fail "no study-displacement-left.h5"
run 0 study alignment R --epsilon 0.5 --json
json out epsilon=0.5
run 0 info R --json
contains out study-alignment.h5 study-displacement-left.h5

# Figures, and the numbers behind them.
run 0 plot R alignment --data
[ "$(sed 1q out)" = "series,index,cosine" ] || fail "the head of the CSV is $(sed 1q out)"
[ "$(wc -l < out)" -eq $((N + 1)) ] || fail "$(wc -l < out) lines of CSV"
if command -v gnuplot > /dev/null; then
    run 0 plot R alignment -t
    silent
    contains out 'singular vectors' 'index'
    run 0 plot R displacement
    contains out R/figures/displacement.svg
fi

# With svd.h5 alone: what is known, what is not, and the same numbers where both are.
cp -r R S
rm S/dense.h5 S/study-*.h5
run 0 svd S --top 7 --bottom 4
run 0 study alignment S --json
json out directions.source=svd.h5 directions.top=7 directions.bottom=4 \
    directions.missing=$((N - 11)) index#11 'index[6]=7' "index[7]=$((N - 3))" \
    "index[10]=$N" cosine#11
for i in 0 1 2 3 4 5 6; do
    json out "cosine[$i]>$("$jsonkeys" --print alignment.json "cosine[$i]" |
        awk '{ printf "%.17g", $1 - 1e-6 }')" \
        "cosine[$i]<$("$jsonkeys" --print alignment.json "cosine[$i]" |
        awk '{ printf "%.17g", $1 + 1e-6 }')"
done
run 0 study alignment S
contains out "1 to 7 and $((N - 3)) to $N of $N, from svd.h5" "lacking: 8 to $((N - 4))"
run 0 study displacement S --json
json out 'unknown_share>0' projection#11

# within FILE PATH WANTED TOLERANCE: the value is that far from WANTED at most.
within()
{
    value=$("$jsonkeys" --print "$1" "$2")
    awk -v x="$value" -v y="$3" -v t="$4" 'BEGIN { d = x - y; exit !(d <= t && -d <= t) }' ||
        fail "$2 is $value, not within $4 of $3"
}

# response: the first singular value, measured by training again.
run 0 study response R --step 1e-7,1e-3,1e300 --json
silent
json out study=response index=1 region=null basis_dependent=0 step#3 projection#3 complement#3 \
    prediction#3 test_loss#3 test_accuracy#3 'sigma>1' 'step[1]=0.001' \
    'projection[2]=null' 'complement[2]=null' 'test_loss[2]=null' 'initial_test_loss>2'
sigma=$("$jsonkeys" --print out sigma)
[ "$sigma" = "$("$jsonkeys" --print dense.json 'sigma[0]')" ] || fail "sigma is $sigma"
# What is left is of second order in the step, 1e-14 times second derivatives of order 100.
within out 'projection[0]' "$(awk -v s="$sigma" 'BEGIN { printf "%.17g", 1e-7 * s }')" 1e-11
json out 'complement[0]<1e-11'
within out trained_test_loss "$("$spectraj" info R --json > info.json
    "$jsonkeys" --print info.json test_loss)" 0
mv out response.json
[ ! -e R/study-response.log ] || fail "the log of a complete study was left behind"
run 0 study response R --step 1e-7,1e-3,1e300 --json --threads 1 --force
for key in 'projection[0]' 'complement[1]' 'test_loss[1]'; do
    within out "$key" "$("$jsonkeys" --print response.json "$key")" 0
done
run 0 study response R --index 300 --least 1e-4 --most 1e-2 --decade 2 --tag small --json
json out index=300 step#5 'step[0]=0.0001' 'step[2]=0.001' 'step[4]=0.01'
run 0 study response R --region bulk --step 0.01 --seed 4 --tag bulk --json
json out index=null region=bulk 'region_directions>10' 'sigma>0.9' 'sigma<1.1'
run 0 study response R --region bulk --step 0.01 --seed 5 --tag bulk --json
run 0 plot R response-loss --data
refused 'response: index|least 1|0' study response R --index 0
refused 'direction 311|310' study response R --index 311
refused 'index|region|exclude' study response R --index 1 --region bulk
refused 'step|above 0' study response R --step 0
refused 'least|most' study response R --least 1 --most 0.1
refused 'direction 8 was not computed|1 to 7|from svd.h5|spectraj dense' study response S --index 8
refused 'no direction of the region bulk|from svd.h5|spectraj dense' study response S --region bulk
run 0 study response S --index 309 --step 0.001 --json
json out directions.source=svd.h5

# restrict
run 0 study restrict R --k 3,310 --json
silent
json out study=restrict k#2 'k[1]=310' initial_test_loss trained_test_accuracy
for family in chaotic stable bulk complement random; do
    json out "$family.test_loss#2" "$family.test_accuracy#2" "$family.test_loss[0]>0"
    # All directions: rounding apart, the training itself, by momentum SGD in rotated coordinates.
    within out "$family.test_loss[1]" "$("$jsonkeys" --print out trained_test_loss)" 1e-9
done
run 0 study restrict R
contains out random 'trained everywhere'
refused 'restrict: k|311 directions|310' study restrict R --k 5,311
refused 'restrict: k|0' study restrict R --k 0
refused 'k[1]' study restrict R --k 5,x
run 0 study restrict S --k 3,7,8 --json
json out 'chaotic.test_loss[1]>0' 'chaotic.test_loss[2]=null' 'stable.test_loss[0]>0' \
    'stable.test_loss[1]=null' 'bulk.test_loss[0]=null' 'complement.test_loss[0]=null' \
    'random.test_loss[2]>0'
short_config no-test.yaml '/^analysis:/,$d' '/^  test:/d'
run 0 train no-test.yaml -o U
run 0 svd U --top 3
refused 'U|no test set|data.test' study restrict U --k 2
run 0 study response U --step 0.001 --json
json out 'test_loss[0]=null' 'projection[0]>0'

# Interrupted, and gone on with: the same numbers.
rm R/study-restrict.h5
"$spectraj" study restrict R --k 100,150,200 --tag full --json > full.json
"$spectraj" study restrict R --k 100,150,200 --json > out 2> err &
child=$!
while kill -0 $child 2> /dev/null; do
    [ -e R/study-restrict.log ] && [ "$(wc -c < R/study-restrict.log)" -gt 8000 ] && break
    sleep 0.01
done
kill -INT $child 2> /dev/null
wait $child
status=$?
command_line="study restrict R, interrupted"
# The machine may have been faster than the signal.
case $status in
    130) one_line; contains err interrupted; [ -e R/study-restrict.log ] || fail "no log" ;;
    0) ;;
    *) fail "exit status $status instead of 130" ;;
esac
run 0 study restrict R --k 100,150,200 --json
for family in chaotic stable bulk complement random; do
    "$jsonkeys" --compare full.json $family.test_loss out $family.test_loss 0 ||
        fail "$family differs after an interrupt"
done
[ ! -e R/study-restrict.log ] || fail "the log of a complete study was left behind"

# Damage and mix-ups.
head -c 4000 R/study-alignment.h5 > S/study-alignment.h5
refused 'study-alignment.h5|--force' study alignment S
run 0 study alignment S --force
run 0 train short.yaml -o T --seed 9
cp R/dense.h5 T/dense.h5
refused 'dense.h5|fingerprint' study alignment T

finish
