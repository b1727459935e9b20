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
refused "--epsilon is '2', not|below 1" study alignment R --epsilon 2
refused "--side is 'lft'|left" study displacement R --side lft
refused 'R|no singular vectors|spectraj dense|spectraj svd' study alignment R
refused 'no study-alignment.h5|spectraj study alignment' plot R alignment --data

# Bounds are directions, whatever their residuals.
run 2 svd R --bottom 4 --method arnoldi --max-applications 60 --json
json out 'bottom.window>0.05' 'bottom.sigma_bound[3]<0.9' 'bottom.residual[3]>0.001'
run 0 study alignment R --json
json out directions.source=svd.h5 directions.top=0 directions.bottom=4
rm R/svd.h5 R/study-alignment.h5

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

# layers: what a vector has in the tensors is its length; the picture has the same numbers.
# total FILE PATH: the sum of a list.
total()
{
    "$jsonkeys" --print "$1" "$2" | tr -d '[] ' | tr ',' '\n' | awk '{ s += $1 } END { printf "%.17g", s }'
}
run 0 study layers R --json
silent
json out study=layers n_tensors=4 tensors#4 'tensors[1].name=dense0.kernel' \
    'tensors[1].parameters=256' "tensors[1].left#$N" "tensors[3].right#$N" n_heads=0 neurons#2 \
    'neurons[0].layer=dense0' 'neurons[0].chaotic.left#4' participation.left#$N \
    'tensors[3].regions.chaotic.left>0.3' 'tensors[3].share<0.13'
mv out layers.json
run 0 study layers R
contains out dense2.kernel 'all 310'
for index in 1 310; do
    for side in left right; do
        run 0 plot R vector --index $index --tensor dense2.kernel --side $side --data
        awk -F, 'NR > 1 { s += $3 * $3 } END { printf "%.17g", s }' out > mass
        awk -v a="$(cat mass)" -v b="$("$jsonkeys" --print layers.json \
            "tensors[3].$side[$((index - 1))]")" \
            'BEGIN { exit !(a - b < 1e-14 && b - a < 1e-14) }' ||
            fail "the picture of $index, $side, has other numbers than study layers"
    done
done
run 0 plot R layers --data
[ "$(sed 1q out)" = "series,tensor,mass" ] || fail "the head of the CSV is $(sed 1q out)"
contains out 'share of the parameters,dense0.bias,'
run 0 plot R vector -t
contains out 'v_1 on dense0.kernel' ': ' 'positive . + * #'
refused "no trained tensor 'dense2.kernl'|'dense2.kernel'" plot R vector --tensor dense2.kernl -t
refused 'direction 311|310' plot R vector --index 311 -t
refused "--tensor|the figure 'vector'" plot R loss --tensor dense0.bias --data
refused "untagged|leave out" plot R vector --tag x -t
# Heads are a part of an attention: over all directions each has as much as it has parameters.
short_config heads.yaml '/^analysis:/,$d' 's/input: \[64\]/input: [8, 8]/' \
    's/{type: dense, units: 4}/{type: attention, heads: 2, kv_heads: 1}/' \
    's/{type: gelu}/{type: flatten}/'
run 0 train heads.yaml -o H
run 0 dense H
run 0 study layers H --json
json out n_heads=3 'heads[0].name=attention0.head0' 'heads[1].name=attention0.head1' \
    'heads[2].name=attention0.kv0' 'heads[0].parameters=68' 'heads[2].parameters=72'
for head in 0 1 2; do
    for side in left right; do
        awk -v a="$(total out "heads[$head].$side")" \
            -v b="$("$jsonkeys" --print out "heads[$head].parameters")" \
            'BEGIN { exit !(a - b < 1e-10 && b - a < 1e-10) }' ||
            fail "head $head, $side, has $(total out "heads[$head].$side")"
    done
done
run 0 plot H layers --data
contains out ',attention0.kv0,'
if command -v gnuplot > /dev/null; then
    run 0 plot H layers -o heads.svg
    run 0 plot H vector -o vector.svg
    run 0 plot R vector --tensor dense2.kernel -o vector.pdf
fi

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
[ ! -e R/study-response.journal ] || fail "the log of a complete study was left behind"
run 0 study response R --step 1e-7,1e-3,1e300 --json --threads 1 --force
for key in 'projection[0]' 'complement[1]' 'test_loss[1]'; do
    within out "$key" "$("$jsonkeys" --print response.json "$key")" 0
done
run 0 study response R --index 300 --least 1e-4 --most 1e-2 --decade 2 --tag small --json
json out index=300 step#5 'step[0]=0.0001' 'step[2]=0.001' 'step[4]=0.01'
run 0 study response R --region bulk --step 0.01 --seed 4 --tag bulk --json
json out index=null region=bulk 'region_directions>10' 'sigma>0.9' 'sigma<1.1'
run 0 study response R --region bulk --step 0.01 --seed 5 --tag bulk5 --json
run 0 plot R response-loss --data
refused "--index is '0'|least 1" study response R --index 0
refused 'direction 311|310' study response R --index 311
refused 'index|region|exclude' study response R --index 1 --region bulk
refused "--step is '0'|above 0" study response R --step 0
refused 'least|most' study response R --least 1 --most 0.1
refused 'direction 8 was not computed|1 to 7|from svd.h5|spectraj dense' study response S --index 8
refused 'no direction of the region bulk|from svd.h5|spectraj dense' study response S --region bulk
run 0 study response S --index 309 --step 0.001 --json
json out directions.source=svd.h5

# At a later step, and of single tensors; other numbers have other files.
run 0 svd R --at 8 --to-end --top 2
run 0 study response R --at 8 --step 1e-7 --json
json out at=8 layers=null directions.source=svd-8-20.h5
within out 'projection[0]' "$(awk -v s="$("$jsonkeys" --print out sigma)" \
    'BEGIN { printf "%.17g", 1e-7 * s }')" 1e-11
refused 'J(8 -> 20)|--from 8 --layers dense0' study response R --at 8 --layers dense0
run 0 svd R --from 8 --top 2 --layers dense0
run 0 study response R --at 8 --layers dense0 --step 1e-7 --json
json out layers=dense0 directions.missing=258
within out 'projection[0]' "$(awk -v s="$("$jsonkeys" --print out sigma)" \
    'BEGIN { printf "%.17g", 1e-7 * s }')" 1e-11
run 0 study divergence R --at 8 --layers dense0 --data test --json
json out at=8 index#2 'datasets[0].mean[0]>0'
run 0 study divergence R --at 8 --data test
contains out 'svd-8-20.h5'
refused 'at: step 20 must be before the last' study response R --at 20
refused "no layer or tensor 'dense3'" study response R --layers dense3

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
# Rotated coordinates have the Jacobian of the training itself.
run 0 study restrict R --k 3,310 --jacobian 310 --tag jacobian --json
json out n_jacobians=10 'jacobians[0].family=chaotic' 'jacobians[0].k=3' 'jacobians[0].sigma#3' \
    'jacobians[9].family=random' 'jacobians[9].k=310' 'self_check.adjoint_error<1e-12'
for i in 1 9; do
    "$jsonkeys" --compare out "jacobians[$i].sigma" dense.json sigma 1e-11 ||
        fail "the Jacobian within all directions, $i, is not that of the training"
done
run 0 study restrict R --k 3,310 --jacobian 3 --tag jacobian3
contains out 'd z_n / d z_0'
run 0 plot R within-spectrum --tag jacobian3 --data
[ "$(grep -c '^complement,' out)" -eq 3 ] || fail 'the figure has not the three values of complement'
refused 'no Jacobians|--jacobian K' plot R within-spectrum --data
refused "--jacobian is '0'|least 1" study restrict R --jacobian 0
refused 'restrict: k|311 directions|310' study restrict R --k 5,311
refused "--k is '0', not an integer of at least 1" study restrict R --k 0
refused "--k[1] is 'x', not an integer" study restrict R --k 5,x
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

# divergence
run 0 study divergence R --json
silent
json out study=divergence step=1 side=left n_datasets=4 index#$N datasets#4 \
    'datasets[0].name=train' 'datasets[0].rows=1600' 'datasets[1].name=test' \
    'datasets[1].rows=197' 'datasets[2].name=inverted' 'datasets[3].name=noise' \
    'datasets[3].rows=197' "datasets[3].mean#$N" 'datasets[1].mean[0]>0' 'datasets[1].q99[0]>0' \
    'datasets[1].max[0]>0' 'datasets[2].median[0]>0' 'datasets[0].q90[5]>0' \
    'datasets[0].regions.bulk.mean>0' 'datasets[3].regions.chaotic.max>0'
mv out divergence.json
run 0 study divergence R --threads 1 --force --json
"$jsonkeys" --compare out 'datasets[3].mean' divergence.json 'datasets[3].mean' 0 ||
    fail "the number of threads changes a divergence"
run 0 study divergence R --data "test,$digits/test_inputs_noise.npy" --rows 50 --step 0.01 \
    --side right --tag files --json
json out n_datasets=2 'datasets[1].name=test_inputs_noise.npy' 'datasets[1].rows=50' side=right
if command -v gnuplot > /dev/null; then # so long a name of y is in two lines, or its end would be cut
    run 0 plot R divergence-shift --tag files --script -o shift.gp
    grep -q "^set ylabel 'mean KL divergence on'.*noise.npy (nats)' offset -1" shift.gp || fail 'the name of y'
fi
run 0 study divergence R --tag noise --data noise
contains out noise 'KL divergence'
run 0 plot R divergence-shift --data
[ "$(sed 1q out)" = "series,mean_kl_in,mean_kl_out" ] || fail "the head of the CSV is $(sed 1q out)"
printf '1,2,3\n4,5,6\n' > narrow.csv
refused 'narrow.csv|3 numbers a row|64' study divergence R --data test,narrow.csv
refused 'no-such.npy' study divergence R --data no-such.npy
refused 'empty name' study divergence R --data test,,noise
refused "'test' need a test set|U" study divergence U --data test
run 0 study divergence U --json
json out n_datasets=2 'datasets[1].name=noise' 'datasets[1].rows=1600'
run 0 study divergence S --rows 20 --json
json out directions.source=svd.h5 index#11 'datasets[0].mean#11' 'datasets[0].regions.bulk.mean=null'

# overlap: of a run with itself everything; of two runs what angles say.
run 0 train short.yaml -o V --seed 9
run 0 dense V
run 0 study overlap R R --json
for region in chaotic bulk stable; do
    within out regions.$region.mean_squared_cosine 1 1e-12
    dimension=$("$jsonkeys" --print dense.json regions.$region)
    json out "regions.$region.dimension=$dimension" "regions.$region.cosine#$dimension" \
        "regions.$region.angle#$dimension"
    within out regions.$region.random_mean_squared_cosine \
        "$(awk -v d="$dimension" -v n=$N 'BEGIN { printf "%.17g", d / n }')" 1e-15
done
run 0 study overlap R V --json
json out study=overlap side=right 'regions.bulk.mean_squared_cosine>0.5' \
    'regions.bulk.mean_squared_cosine<1' 'regions.stable.cosine[0]<1.0000001' 'regions.bulk.angle[0]<0.1'
run 0 study overlap R V --k 4 --side left --tag four --json
json out k=4 regions.chaotic.dimension=4 regions.bulk.other_dimension=4 regions.stable.cosine#4
run 0 study overlap R V
contains out 'if random' 'of the other run'
run 0 study overlap S V --json
json out regions.chaotic.dimension=7 regions.bulk.dimension=0 regions.bulk.cosine#0 \
    regions.bulk.mean_squared_cosine=null directions.source=svd.h5 other_directions.source=dense.h5
refused 'too few arguments|RUN2' study overlap R
refused '311 directions|310' study overlap R V --k 311
refused 'no-such-run' study overlap R no-such-run
short_config wide.yaml '/^analysis:/,$d' 's/units: 4/units: 5/'
run 0 train wide.yaml -o W
run 0 svd W --top 2
refused 'R has 310|W has 385|equally many' study overlap R W

# function-jacobian: 1970 outputs, 310 parameters.
run 0 study function-jacobian R --json
silent
json out study=function-jacobian data=test rows=197 at=end outputs=1970 complete=1 \
    function_sigma#$N null_share#$N side=left vectors=20 rank null_dimension \
    regions.bulk.null_share regions.bulk.mean_squared_cosine \
    regions.bulk.random_mean_squared_cosine 'self_check.checks>8' 'self_check.adjoint_error<1e-12'
rank=$("$jsonkeys" --print out rank)
json out "null_dimension=$((N - rank))"
mv out tall.json
run 0 study function-jacobian R --data train --rows 20 --at start --side right --tag wide --json
json out rows=20 outputs=200 at=start side=right function_sigma#200 'rank<201'
# Too little memory for all of them: the largest, matrix-free, the same.
run 0 study function-jacobian R --memory 1M --top 5 --tag top --json
json out complete=0 function_sigma#5 null_dimension=null regions.bulk.mean_squared_cosine=null
for i in 0 4; do
    within out "function_sigma[$i]" "$("$jsonkeys" --print tall.json "function_sigma[$i]")" 1e-6
done
run 0 study function-jacobian V --data noise --rows 3
contains out 'rank' 'of noise'
run 0 plot R function-jacobian-null --data
run 0 train short.yaml -o X --seed 2
run 0 study function-jacobian X
contains out rank 'no singular vectors'
refused 'no singular vectors' plot X function-jacobian-null --data
refused 'data|one set' study function-jacobian R --data test,noise

# distributions
run 0 study distributions R --json
silent
json out study=distributions runs#3 'runs[0].name=original' 'runs[1].name=shuffled' \
    'runs[2].name=noise' "runs[0].n_params=$N" "runs[1].sigma#$N" "runs[2].sigma#$N" \
    'runs[1].method=dense' 'runs[2].train_loss>0' 'runs[1].test_accuracy<0.5' \
    'self_check.checks>1' 'self_check.adjoint_error<1e-12'
"$jsonkeys" --compare out 'runs[0].sigma' dense.json sigma 0 || fail "original is not dense.h5's"
mv out distributions.json
# As a run of its own, with the drawn data as files: here the labels of the digits example.
short_config shuffled.yaml '/^analysis:/,$d' \
    "s,train: {file: ,train: {labels: $digits/labels_shuffled.npy\, file: ,"
run 0 train shuffled.yaml -o Y --json
mv out shuffled-train.json
run 0 dense Y --json
mv out shuffled.json
run 0 study distributions R --labels "$digits/labels_shuffled.npy" \
    --noise "$digits/inputs_noise.npy" --tag files --json
"$jsonkeys" --compare out 'runs[1].sigma' shuffled.json sigma 1e-12 ||
    fail "the spectrum on shuffled labels is not that of a run on them"
within out 'runs[1].train_loss' "$("$jsonkeys" --print shuffled-train.json train_loss)" 0
mv out files.json
short_config config.yaml '/^analysis:/,$d' '$a\
study:\
  distributions: {shuffled_labels: LABELS, noise_inputs: NOISE}'
sed "s,LABELS,$digits/labels_shuffled.npy,;s,NOISE,$digits/inputs_noise.npy," config.yaml > c.yaml
run 0 train c.yaml -o Z
run 0 study distributions Z --json
for i in 1 2; do
    "$jsonkeys" --compare out "runs[$i].sigma" files.json "runs[$i].sigma" 0 ||
        fail "files of the config and of the command line differ"
done
run 0 study distributions R --method density --probes 2 --steps 8 --tag density --json
json out 'runs[0].method=density' 'runs[0].sigma#0' 'runs[1].regions.bulk>0' \
    'runs[2].density.value#801' 'runs[2].density.low#801' 'runs[0].density.resolution#801'
# An estimate is shown with its interval: that of the analysis of the same numbers.
cp out study-density.json
run 0 density R --probes 2 --steps 8 --no-deflation --tag like-study --json
for g in chaotic bulk stable; do
    for end in low high; do
        within study-density.json "runs[0].regions_$end.$g" \
            "$("$jsonkeys" --print out regions.$g.$end)" 0
    done
done
run 0 study distributions R --method density --probes 2 --steps 8 --tag density
low=$("$jsonkeys" --print study-density.json 'runs[0].regions_low.bulk')
high=$("$jsonkeys" --print study-density.json 'runs[0].regions_high.bulk')
contains out '95 %' "$(printf '%.0f .. %.0f' "$low" "$high")"
run 0 study distributions R
contains out shuffled noise original
run 0 plot R distributions --data
run 0 plot R distributions-density --tag density --data
contains out 'original_band_low,' 'noise_band_high,'
refused 'no singular values|distributions-density' plot R distributions --tag density --data
refused 'narrow.csv|2 x 3|1600 x 1' study distributions R --labels narrow.csv
refused 'narrow.csv|2 x 3|1600 x 64' study distributions R --noise narrow.csv
[ ! -s R/study-distributions.journal ] || fail "a spectrum was found before the files were read"

# interrupted STUDY BYTES [OPTION]...: full.json <- what it prints undisturbed, out <- what it prints when it was
# interrupted as its log had so many bytes, and was gone on with.  A log from before would have so many at once, and the
# signal would come before the command heeds it.
interrupted()
{
    study=$1
    bytes=$2
    shift 2
    rm -f R/study-$study.h5 R/study-$study.journal
    wholes=$((${wholes:-0} + 1)) # another question needs another tag
    run 0 study $study R "$@" --tag "full$wholes" --json
    mv out full.json
    # Where the machine was faster than the signal, it is tried again, earlier.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -f R/study-$study.h5
        interrupt_at R/study-$study.journal "$bytes" study $study R "$@" --json
        [ $status -ne 130 ] || break
        bytes=$((bytes / 2))
    done
    command_line="study $study R, interrupted"
    [ $status -eq 130 ] || fail "exit status $status instead of 130"
    one_line
    contains err 'was interrupted; ' 'finished pieces are kept' "to go on: spectraj study $study R"
    [ -e R/study-$study.journal ] || fail "no log"
    run 0 study $study R "$@" --json
    [ ! -e R/study-$study.journal ] || fail "the journal of a complete study was left behind"
}

# Interrupted, and gone on with: the same numbers.
interrupted restrict 8000 --k 100,150,200
for family in chaotic stable bulk complement random; do
    "$jsonkeys" --compare full.json $family.test_loss out $family.test_loss 0 ||
        fail "$family differs after an interrupt"
done
for method in dense density; do
    interrupted distributions 6000 --method $method --probes 2 --steps 20
    "$jsonkeys" --print full.json runs > wanted
    "$jsonkeys" --print out runs | cmp -s - wanted || fail "$method: runs differ after an interrupt"
done

# Damage and mix-ups.
head -c 4000 R/study-alignment.h5 > S/study-alignment.h5
refused 'study-alignment.h5|--force' study alignment S
run 0 study alignment S --force
run 0 train short.yaml -o T --seed 9
cp R/dense.h5 T/dense.h5
refused 'dense.h5|fingerprint' study alignment T

finish
