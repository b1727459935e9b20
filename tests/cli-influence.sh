#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-influence.sh: the influence of training samples, held against trainings without them, and what is refused.
. "$(dirname "$0")/cli-lib.sh"

short_config plain.yaml
run 0 train plain.yaml -o plain
run 0 influence plain --top 3
contains out 'influence of the weights of 1600 training samples'
contains out 'most helpful: more weight lowers it'
contains out 'most harmful: more weight raises it'
contains out '320 samples are in no batch of these steps: their influence is exactly 0'
contains out 'cost: 0 products with J, 1 with J'
run 0 influence plain --json
json out of=weights n_samples=1600 unseen=320 check=null n_params=310 'influence#1' 'influence[0]#1600' 'label#1600' \
    'queries#1' 'queries[0]=test_loss' spent.vjp=1

# With enough of it, the derivative tells the trainings.
run 0 influence plain --check 12 --seed 3 --json
json out check.count=12 'check.predicted#12' 'check.actual#12' 'check.left_out#12' \
    'check.left_out[0]#1' check.sets.count=12 check.sets.size=13 'check.sets.left_out[0]#13'
"$jsonkeys" --print out check.rank_correlation > one
"$jsonkeys" --print out check.sets.rank_correlation > sets
awk '{ exit !($1 > 0.95 && $1 <= 1) }' one || fail "samples: rank correlation $(cat one)"
awk '{ exit !($1 > 0.95 && $1 <= 1) }' sets || fail "sets: rank correlation $(cat sets)"
json out 'check.gradient_rank_correlation>-1' 'check.random_rank_correlation<0.9' \
    'check.sets.gradient_rank_correlation<1' 'check.sets.random_rank_correlation<0.9' \
    check.smoothness.step=0.1 'check.smoothness.change>0' 'check.smoothness.change<1'
run 0 influence plain --check 5 --seed 3 # what is stored answers it
contains out '12 trainings'
contains out 'weights up or down by 0.1 at random'
run 0 influence plain --query train_loss+test:3,7-9+logit:0,3 --json
json out 'queries#3' 'value#3' 'influence#3' 'influence[2]#1600'
run 0 influence plain --from 5 --to 9

# A vector of one's own; other numbers in the same file are another query.
make_vector() { awk -v a="$1" 'BEGIN { for (i = 0; i < 310; i++) print a + i % 7 }' > q.csv; }
make_vector 1
run 0 influence plain --query parameters:q.csv --json
json out 'influence[0]#1600' 'value#1' spent.vjp=1
"$jsonkeys" --print out 'value[0]' > first
run 0 influence plain --query 'parameters q.csv' --json
json out spent.vjp=1 # that of the stored result
make_vector 2
run 0 influence plain --query parameters:q.csv --json
"$jsonkeys" --print out 'value[0]' > second
cmp -s first second && fail 'another vector has the stored result of the first'
run 0 influence plain --query parameters:q.csv
contains out 'for it: more weight raises it'
run 1 influence plain --query 'parameters:q.csv#00000000'
contains err 'does not hold the numbers'
echo 1 > short.csv
run 1 influence plain --query parameters:short.csv
contains err 'has 1 numbers, the network has 310 parameters'
run 1 influence plain --query parameters:nowhere.csv
contains err nowhere.csv
run 1 influence plain --query parameters
contains err 'there is no query'
run 0 export plain influence -o out-files
run 0 report plain -o page.html

# Of the rates of the steps: the curve, and the same as of all weights for gradient descent.
run 0 influence plain --of rates --top 3
contains out 'influence of the rates of 20 training steps'
contains out 'all rates larger by 1 %'
contains out 'cost: 0 products with J, 1 with J'
run 0 influence plain --of rates --json
json out of=rates 'influence[0]#20' 'rate#20' 'label#0' check=null spent.vjp=1
run 0 influence plain --of rates --from 5 --to 9 --query test_loss+train_loss --json
json out 'influence#2' 'influence[1]#4' 'rate#4'
run 1 influence plain --of rates --check 3
contains err 'leave out --of rates'

# The images of the samples at both ends, in a file and on the page.
run 0 plot plain influence-images --data
contains out 'series,sample,influence'
[ "$(grep -c '^lowers,' out)" -eq 12 ] && [ "$(grep -c '^raises,' out)" -eq 12 ] || fail 'not 12 samples at each end'
run 0 plot plain influence-images --terminal
run 0 plot plain influence-images -o sheet.svg
grep -q 'class [0-9], predicted [0-9]' sheet.svg || fail 'captions without classes'
run 0 report plain -o page.html
[ "$(grep -o 'href="data:image/png;base64,[A-Za-z0-9+/]*=*"' page.html | wc -l)" -ge 24 ] || fail "not 24 images on the page"
grep -o 'data:image/png;base64,[A-Za-z0-9+/]*=*' page.html | head -1 | sed 's/.*,//' | base64 -d > one.png
# Its pixels are the sample's inputs: 64 grey ones.
/usr/bin/env python3 - one.png <<'END' || fail 'the image on the page is no PNG of 8 x 8 grey pixels'
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\x89PNG\r\n\x1a\n'
at, found = 8, {}
while at < len(data):
    n, kind = struct.unpack('>I4s', data[at:at + 8])
    body = data[at + 8:at + 8 + n]
    assert struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0] == zlib.crc32(kind + body)
    found[kind] = body
    at += 12 + n
assert struct.unpack('>IIBB', found[b'IHDR'][:10]) == (8, 8, 8, 0)
raw = zlib.decompress(found[b'IDAT'])
assert len(raw) == 72 and all(raw[9 * i] == 0 for i in range(8)) and len(set(raw)) > 5
END
run 0 influence plain --of rates --tag steps
run 1 plot plain influence-images --tag steps
contains err 'it is of no samples'

# Of the inputs and the targets.
run 0 influence plain --of inputs --top 3
contains out 'influence of the inputs of 1600 training samples'
contains out 'samples whose inputs move it most'
run 0 influence plain --of inputs --query test_loss+logit:0,1 --json
json out of=inputs width=64 'influence#2' 'influence[1]#1600' 'influence[1][7]#64' 'norm[0]#1600'
run 0 influence plain --of targets --json
json out of=targets width=10 'influence[0][0]#10' unseen=320
run 0 influence plain --json
json out width=1 'norm[0]#0'
run 0 report plain -o page.html

# The operators themselves: their singular values, in files of their own beside J's.
for of in weights inputs targets rates; do
    run 0 svd plain --of $of --top 4 --json
    json out "given=$of" 'top.sigma#4' top.requested=4 n_params=310
    "$jsonkeys" --print out top.sigma > sigma
    run 0 trace plain --function frobenius --of $of --products 310 --json
    json out "given=$of"
    run 0 density plain --of $of --probes 2 --steps 20 --json
    json out "given=$of"
done
# Of D' where that has fewer columns; counted as what they are.
run 0 trace plain --function frobenius --of inputs --products 310 --force --json
json out 'spent.jvp<2' spent.vjp=310 # one more is a check
run 0 svd plain --of rates --top 4
contains out 'not of J: of the derivative with respect to the rates'
run 0 svd plain --top 2 --json
json out given=null
[ -f plain/svd.h5 ] && [ -f plain/svd-rates.h5 ] || fail 'results of J and of D share a file'
run 0 density plain --probes 2 --steps 20 --json
json out given=null
run 0 export plain svd-rates -o svd-files
run 0 report plain -o page.html
run 1 svd plain --of rates --bottom 3
contains err 'leave out --bottom'
run 1 trace plain --of rates
contains err 'ask for --function frobenius'
run 1 svd plain --of samples
contains err 'weights, inputs, targets, rates'

# Where what samples did lies, by the directions of J.
run 0 study influence-regions plain --probes 20 --json
json out study=influence-regions n_samples=1600 probes=20 regions.rest.count=308 'energy.rest#1600' \
    'regions.rest.share>0' 'regions.rest.share<1' 'regions.rest.samples>1' 'regions.rest.samples<1600'
run 0 dense plain
run 0 study influence-regions plain
contains out 'samples: as many would have the sum'
run 0 study influence-regions plain --json
json out probes=0 regions.rest.share=0
for region in chaotic bulk stable; do "$jsonkeys" --print out regions.$region.share; echo; done > shares
awk '{ sum += $1 } END { exit !(sum > 1 - 1e-12 && sum < 1 + 1e-12) }' shares ||
    fail "shares of the regions: $(cat shares)"

# More numbers than validate looks at: it says so.
awk 'BEGIN { for (i = 0; i < 2100; i++) { for (j = 0; j < 500; j++) printf "%d,", (i * j) % 5; print i % 2 } }' > wide.csv
cat > wide.yaml <<'END'
data:
  train: {file: wide.csv, label_column: 500}
network:
  input: [500]
  layers: [{type: dense, units: 2}]
  loss: softmax_cross_entropy
init: {seed: 1}
training: {optimizer: {type: sgd}, learning_rate: {schedule: constant, peak: 0.01}, batch_size: 8, steps: 1}
END
run 0 train wide.yaml -o wide
run 0 validate wide
contains out 'inputs of samples    not looked at: 1050000 numbers'
run 0 validate wide --dense-limit 1 --json
json out inputs_too_many=1050000 targets_too_many=null inputs_adjoint_error=null

# A network whose samples depend on each other; clipped, an average, of two gradients.
short_config norm.yaml 's/- {type: gelu}/- batch_norm\n    - {type: gelu}/' \
    's/^training:/&\n  clip_norm: 0.2\n  average: {type: ema, decay: 0.6}\n  sam: {rho: 0.05}/'
run 0 train norm.yaml -o norm
run 0 influence norm --query test_loss --check 8
run 0 validate norm --json
json out passed=true 'weights_adjoint_error<1e-12' 'weights_difference_error<1e-6' 'weights_adjoint_error>0' \
    'rates_adjoint_error<1e-12' 'rates_difference_error<1e-6' 'rates_adjoint_error>0' \
    'inputs_adjoint_error<1e-12' 'inputs_difference_error<1e-6' 'inputs_adjoint_error>0' \
    'targets_adjoint_error<1e-12' 'targets_difference_error<1e-6' 'targets_adjoint_error>0'
run 0 validate norm --state full --json
json out passed=true weights_adjoint_error=null weights_difference_error=null rates_adjoint_error=null
run 1 influence norm --query test:3
contains err 'ask for test_loss'
run 0 influence norm --query logit:3,1

# Momenta, decays, and scales of the rates of groups: trainings tell the same.
for optimizer in '{type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.01}' \
    '{type: adam, eps: 1e-3, weight_decay: 0.01}' '{type: adamw, eps: 1e-3}'; do
    momentum=beta1
    case $optimizer in *sgd*) momentum=momentum ;; esac
    short_config groups.yaml "s/optimizer: .*/optimizer: $optimizer/" \
        "s/^training:/&\n  groups: [{match: '*.bias', weight_decay: 0}, {match: dense0, name: first, learning_rate: {scale: 0.5}, $momentum: 0.7}]/"
    rm -rf groups
    run 0 train groups.yaml -o groups
    run 0 validate groups --json
    for of in rates momenta decays scales; do
        json out passed=true "${of}_adjoint_error<1e-12" "${of}_difference_error<1e-6" "${of}_adjoint_error>0" \
            "${of}_difference_error>0"
    done
done
for of in momenta decays; do
    run 0 influence groups --of $of --top 2
    contains out "influence of the $of of 20 training steps"
    contains out "all $of larger by 1 %"
    run 0 influence groups --of $of --json
    json out of=$of 'influence[0]#20' 'rate#20' width=1
    run 0 svd groups --of $of --top 3 --json
    json out "given=$of" 'top.sigma#3'
done
run 0 influence groups --of scales
contains out 'influence of the scales of 3 tensor groups (0: tensors in no group)'
run 0 influence groups --of scales --json
json out of=scales 'influence[0]#3' 'rate#3' 'rate[2]=1'
# Scales of all groups are a factor of all rates.
"$jsonkeys" --print out 'influence[0]' > scales
run 0 influence groups --of rates --json
"$jsonkeys" --print out 'influence[0]' > rates
"$jsonkeys" --print out rate > rate
tr -d '[]' < scales | tr ',' '\n' | awk '{ sum += $1 } END { printf "%.12g\n", sum }' > of-scales
{ tr -d '[]' < rates | tr ',' '\n' > a; tr -d '[]' < rate | tr ',' '\n' > b; }
paste a b | awk '{ sum += $1 * $2 } END { printf "%.12g\n", sum }' > of-rates
paste of-scales of-rates | awk '{ exit !($1 != 0 && ($1 - $2) ^ 2 < 1e-20 * $1 ^ 2) }' ||
    fail "scales $(cat of-scales), rates $(cat of-rates)"
run 1 svd groups --of momentum
contains err 'weights, inputs, targets, rates, momenta, decays, scales'
while IFS='|' read -r optimizer of text; do
    short_config other.yaml "s/optimizer: .*/optimizer: $optimizer/"
    rm -rf other
    run 0 train other.yaml -o other
    run 1 influence other --of "$of"
    contains err "$text"
    run 0 influence other --of rates
done <<'END'
sgd|momenta|the momentum of sgd is 0 at step 0
{type: rmsprop, eps: 1e-3}|momenta|rmsprop has no derivative with respect to its momentum
lamb|decays|lamb has no derivative with respect to its weight decay
END

# Steps of several micro-batches: refused, and validate says nothing of them.
short_config parts.yaml 's/batch_size: 64/batch_size: 32\n  accumulate: 2/'
run 0 train parts.yaml -o parts
run 1 influence parts
contains err 'several micro-batches'
run 0 validate parts --json
json out passed=true weights_adjoint_error=null 'rates_difference_error<1e-6'
run 0 influence parts --of rates

# What there is not.
while read -r query text; do
    run 1 influence plain --query "$query"
    contains err "$text"
    [ "$(wc -l < err)" -eq 1 ] || fail "--query $query: more than a line"
done <<'END'
loss there is no query 'loss'
test:197 the test data have rows 0 to 196
test:7-3 the test data have rows 0 to 196
test:1,1 named twice
test:x rows are numbers from 0
logit:3 give a test row and a class
logit:3,10 outputs 0 to 9
logit:500,1 the test data have rows 0 to 196
test_loss+ there is no query ''
END
run 1 influence plain --of samples
contains err 'not one of weights'
run 1 influence plain --layers dense0
contains err 'all parameters'
run 1 influence plain --state full
contains err 'all parameters'
sed '/^  test:/d' plain.yaml > alone.yaml
run 0 train alone.yaml -o alone
run 1 influence alone
contains err 'give --query train_loss'
run 0 influence alone --query train_loss --check 3
finish
