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

# Damage and mix-ups.
head -c 4000 R/study-alignment.h5 > S/study-alignment.h5
refused 'study-alignment.h5|--force' study alignment S
run 0 study alignment S --force
run 0 train short.yaml -o T --seed 9
cp R/dense.h5 T/dense.h5
refused 'dense.h5|fingerprint' study alignment T

finish
