#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/graph.sh: networks that are graphs, as the command has them: small ones of the kinds that people train, each trained
# for some steps and validated; tensors that layers share; frozen ones, which the run keeps.
. "$(dirname "$0")/cli-lib.sh"

# numbers FILE ROWS COLUMNS SEED [CLASSES]: uniform numbers, or with CLASSES whole ones below it.
numbers()
{
    awk -v rows="$2" -v cols="$3" -v seed="$4" -v classes="${5:-0}" 'BEGIN {
        x = seed
        for (r = 0; r < rows; r++)
            for (c = 0; c < cols; c++) {
                x = (16807 * x) % 2147483647
                u = x / 2147483647
                printf "%s%s", classes ? int(classes * u) : 2 * u - 1, c + 1 < cols ? "," : "\n"
            }
    }' > "$1"
}

numbers images.csv 24 32 11
numbers labels.csv 24 1 12 3
numbers tokens.csv 24 6 13 7
numbers next.csv 24 6 14 7
awk -F, '{ print int(5 * $1 / 7) "," $2 }' tokens.csv > pairs.csv
numbers scores.csv 24 1 15

# network NAME DATA LABELS INPUT: a config of the layers on standard input; the last word of DATA is the file.
config()
{
    name=$1
    cat > "$name.yaml" <<END
data: {train: {file: $2, $3}}
init: {${init:-seed: 3}}
training: {optimizer: {type: adamw, eps: 1e-3}, learning_rate: {schedule: constant, peak: 0.02}, batch_size: 8, steps: 4}
network:
  input: $4
  loss: $5
  ${6:-l2: 0}
  layers:
END
    cat >> "$name.yaml"
}

classes='labels: labels.csv'
entropy=softmax_cross_entropy

# DenseNet: every layer reads all before it.
config densenet images.csv "$classes" '[4, 4, 2]' $entropy <<'END'
    - {type: conv2d, filters: 3, kernel: [3, 3], padding: same, name: c1}
    - {type: concat, inputs: [data, c1]}
    - silu
    - {type: conv2d, filters: 3, kernel: [3, 3], padding: same, name: c2}
    - {type: concat, inputs: [data, c1, c2]}
    - batch_norm
    - global_average_pool
    - {type: dense, units: 3}
END

# ResNet: a projection to half the size beside the body; squeeze-excite in the body.
config resnet images.csv "$classes" '[4, 4, 2]' $entropy <<'END'
    - type: residual
      shortcut: [{type: conv2d, filters: 4, kernel: [1, 1], stride: [2, 2], bias: false}, batch_norm]
      layers:
        - {type: conv2d, filters: 4, kernel: [3, 3], stride: [2, 2], padding: same}
        - {type: batch_norm, name: features}
        - global_average_pool
        - {type: dense, units: 2}
        - silu
        - {type: dense, units: 4}
        - {type: sigmoid, name: gate}
        - {type: multiply, inputs: [features, gate]}
    - softplus
    - flatten
    - {type: dense, units: 3}
END

# A GPT whose output layer is its embedding; SwiGLU.
config gpt tokens.csv 'labels: next.csv' '[6]' $entropy <<'END'
    - {type: embedding, vocabulary: 7, width: 4, name: wte}
    - positions
    - type: residual
      layers: [layer_norm, {type: attention, heads: 2, causal: true}]
    - type: residual
      layers:
        - {type: layer_norm, name: norm}
        - {type: dense, units: 6, name: gate}
        - silu
        - {type: dense, units: 6, name: up, input: norm}
        - {type: multiply, inputs: [silu9, up]}
        - {type: dense, units: 4}
    - layer_norm
    - {type: dense, units: 7, bias: false, name: head, share: {kernel: wte.table}}
END

# MLP-Mixer: tokens and channels in turn; the class is read from one token.
config mixer images.csv "$classes" '[4, 8]' $entropy <<'END'
    - {type: residual, layers: [layer_norm, transpose, {type: dense, units: 5}, gelu, {type: dense, units: 4}, transpose]}
    - {type: residual, layers: [layer_norm, {type: dense, units: 5}, gelu, {type: dense, units: 8}]}
    - {type: select, position: 0, last: true}
    - {type: dense, units: 3}
END

# A vision transformer: patches, a class token, scaled branches; the class is read from the token.
config vit images.csv "$classes" '[4, 8]' $entropy <<'END'
    - {type: dense, units: 6}
    - vector
    - positions
    - {type: residual, layers: [layer_norm, {type: attention, heads: 2}, {type: scale, learn: channels, factor: 0.1}]}
    - {type: residual, layers: [layer_norm, {type: dense, units: 8, bias: false}, bias, gelu, {type: dense, units: 6}]}
    - {type: select, position: 0}
    - {type: dense, units: 3}
END

# A siamese pair: both halves of the data through the same layers.
config siamese images.csv "$classes" '[32]' $entropy <<'END'
    - {type: slice, to: 16}
    - {type: dense, units: 4, name: one}
    - {type: tanh, name: left}
    - {type: slice, from: 16, input: data}
    - {type: dense, units: 4, share: {kernel: one.kernel, bias: one.bias}}
    - {type: tanh, name: right}
    - {type: multiply, inputs: [left, right], name: both}
    - {type: concat, inputs: [left, right, both]}
    - {type: dense, units: 3}
END

# Matrix factorisation: columns of ids of two vocabularies.
config factors pairs.csv 'targets: scores.csv' '[2]' mean_squared_error <<'END'
    - {type: slice, to: 1}
    - {type: embedding, vocabulary: 5, width: 3, name: user}
    - {type: slice, from: 1, input: data}
    - {type: embedding, vocabulary: 7, width: 3, name: item}
    - {type: multiply, inputs: [user, item]}
    - {type: dense, units: 1}
    - flatten
END

# An autoencoder with the transpose of its encoder as decoder; and one of convolutions.
config autoencoder images.csv 'targets: images.csv' '[32]' mean_squared_error <<'END'
    - {type: dense, units: 3, name: encoder}
    - tanh
    - {type: dense, units: 32, share: {kernel: encoder.kernel}}
END

config convolutional images.csv 'targets: images.csv' '[4, 4, 2]' mean_squared_error <<'END'
    - {type: conv2d, filters: 3, kernel: 3, stride: 2, padding: 1}
    - elu
    - {type: conv2d_transpose, filters: 2, kernel: 3, stride: 2, padding: 1, output_padding: 1}
    - flatten
END

# The same in groups.
config grouped images.csv 'targets: images.csv' '[4, 4, 2]' mean_squared_error <<'END'
    - {type: conv2d, filters: 4, kernel: 3, stride: 2, padding: 1}
    - elu
    - {type: conv2d_transpose, filters: 2, kernel: 2, stride: 2, groups: 2}
    - flatten
END

# LeNet-5.
config lenet images.csv "$classes" '[8, 4, 1]' $entropy <<'END'
    - {type: conv2d, filters: 2, kernel: 5, padding: 2}
    - tanh
    - {type: average_pool, window: 2}
    - {type: conv2d, filters: 3, kernel: [3, 2]}
    - tanh
    - {type: average_pool, window: [2, 1]}
    - flatten
    - {type: dense, units: 4}
    - tanh
    - {type: dense, units: 3}
END

# VGG: it kinks, in relu and max_pool.
config vgg images.csv "$classes" '[4, 4, 2]' $entropy <<'END'
    - {type: conv2d, filters: 3, kernel: 3, padding: 1}
    - batch_norm
    - relu
    - {type: conv2d, filters: 3, kernel: 3, padding: 1}
    - relu
    - {type: max_pool, window: 2}
    - {type: conv2d, filters: 4, kernel: 3, padding: 1}
    - relu
    - {type: max_pool, window: 2}
    - flatten
    - {type: dense, units: 3}
END

# MobileNet: an inverted residual, and one of half the size with a gate.
config mobilenet images.csv "$classes" '[4, 4, 2]' $entropy <<'END'
    - type: residual
      layers:
        - {type: conv2d, filters: 4, kernel: 1, bias: false}
        - batch_norm
        - relu6
        - {type: conv2d, filters: 4, kernel: 3, padding: 1, groups: 4, bias: false}
        - batch_norm
        - relu6
        - {type: conv2d, filters: 2, kernel: 1, bias: false}
        - batch_norm
    - {type: conv2d, filters: 4, kernel: 3, stride: 2, padding: 1, groups: 2}
    - {type: hardswish, name: features}
    - {type: adaptive_average_pool, output: 1}
    - {type: conv2d, filters: 4, kernel: 1}
    - {type: hardsigmoid, name: gate}
    - {type: multiply, inputs: [features, gate]}
    - global_average_pool
    - {type: dense, units: 3}
END

# U-Net: up by repetition, and by a transposed convolution; a number for each pixel.
config unet images.csv 'targets: images.csv' '[4, 4, 2]' mean_squared_error <<'END'
    - {type: conv2d, filters: 2, kernel: 3, padding: 1}
    - {type: group_norm, groups: 2}
    - {type: silu, name: wide}
    - {type: average_pool, window: 2}
    - {type: conv2d, filters: 3, kernel: 3, padding: 1}
    - {type: silu, name: half}
    - {type: average_pool, window: 2}
    - {type: conv2d, filters: 3, kernel: 3, padding: 1}
    - silu
    - {type: conv2d_transpose, filters: 2, kernel: 2, stride: 2, name: turned}
    - {type: concat, inputs: [turned, half]}
    - {type: conv2d, filters: 2, kernel: 3, padding: 1}
    - {type: upsample, factor: 2, name: repeated}
    - {type: concat, inputs: [repeated, wide]}
    - {type: conv2d, filters: 2, kernel: 1}
    - flatten
END

# LLaMA: norms of squares, rotary angles, queries in groups, SwiGLU.
config llama tokens.csv 'labels: next.csv' '[6]' $entropy <<'END'
    - {type: embedding, vocabulary: 7, width: 8}
    - type: residual
      layers:
        - rms_norm
        - {type: attention, heads: 4, kv_heads: 2, causal: true, bias: false, rope: {}, qk_norm: rms_norm}
    - type: residual
      layers:
        - {type: rms_norm, name: norm}
        - {type: dense, units: 5, bias: false}
        - {type: silu, name: gate}
        - {type: dense, units: 5, bias: false, name: up, input: norm}
        - {type: multiply, inputs: [gate, up]}
        - {type: dense, units: 8, bias: false}
    - rms_norm
    - {type: dense, units: 7, bias: false}
END

# Recurrent networks: the next token at each position; a sequence read both ways.
config lstm tokens.csv 'labels: next.csv' '[6]' $entropy <<'END'
    - {type: embedding, vocabulary: 7, width: 3}
    - {type: lstm, units: 4}
    - {type: lstm, units: 3}
    - {type: dense, units: 7}
END

config gru images.csv "$classes" '[8, 4]' $entropy <<'END'
    - {type: gru, units: 3, name: forth}
    - {type: gru, units: 3, reverse: true, input: data, name: back}
    - {type: concat, inputs: [forth, back]}
    - {type: select, last: true}
    - {type: dense, units: 3}
END

# Inputs by name: a recorded mask of dropout that multiplies, and weights of the samples; a siamese net of two inputs. The
# rows are chosen of all inputs, or of a file beside them.
numbers mask.csv 24 5 18 2
numbers weights.csv 24 1 19 4
numbers left.csv 24 6 20
numbers right.csv 24 6 21
named()
{
    config "$1" images.csv "$2" '[1]' "$4"
    edit "s/file: images.csv, /inputs: $3, /; s/^  input: .*/  inputs: $5/" "$1.yaml"
    cat >> "$1.yaml"
}
targets='targets: scores.csv'
named masked "$targets" '{image: images.csv, mask: mask.csv, w: weights.csv}' \
    '{type: mean_squared_error, sample_weights: w}' '{image: [4, 4, 2], mask: [5], w: [1]}' <<'END'
    - {type: conv2d, filters: 2, kernel: 3, input: image}
    - flatten
    - {type: dense, units: 5, name: hidden}
    - {type: multiply, inputs: [hidden, mask]}
    - tanh
    - {type: dense, units: 1}
END

named pair "$classes" '{right: right.csv, left: left.csv}' $entropy '{left: [6], right: [6]}' <<'END'
    - {type: dense, units: 4, name: one, input: left}
    - {type: tanh, name: a}
    - {type: dense, units: 4, name: two, input: right, share: {kernel: one.kernel, bias: one.bias}}
    - {type: tanh, name: b}
    - {type: multiply, inputs: [a, b], name: both}
    - {type: concat, inputs: [a, b, both]}
    - {type: dense, units: 3}
END

# An encoder and a decoder that attends to it; keys and values in fewer heads.
named translate 'labels: next.csv' '{source: images8.csv, target: tokens.csv}' $entropy '{source: [4, 2], target: [6]}' <<'END'
    - {type: dense, units: 4, input: source, name: encoder}
    - {type: residual, layers: [{type: attention, heads: 2}]}
    - {type: layer_norm, name: memory}
    - {type: embedding, vocabulary: 7, width: 6, input: target}
    - positions
    - {type: residual, layers: [layer_norm, {type: attention, heads: 2, causal: true}]}
    - {type: layer_norm, name: queries}
    - {type: attention, heads: 2, kv_heads: 1, inputs: [queries, memory], name: cross}
    - {type: add, inputs: [queries, cross]}
    - {type: dense, units: 7}
END
cut -d, -f1-8 images.csv > images8.csv

# Differences are of whole trainings, or where these cross kinks of single steps.
for name in densenet resnet gpt mixer vit siamese factors autoencoder convolutional grouped lenet vgg mobilenet unet llama lstm \
    gru masked pair translate; do
    run 0 train $name.yaml -o $name
    silent
    run 0 validate $name --dense-limit 0 --json
    json out passed=true 'adjoint_error<1e-13' finite_difference_verdict=agrees 'finite_difference_error<1e-6'
done

# Statistics that do not move are no parameters that are trained, whatever is, and are kept with the run.
config fixed images.csv "$classes" '[4, 4, 2]' $entropy 'trainable: ["*"]' <<'END'
    - {type: conv2d, filters: 3, kernel: 3}
    - {type: batch_norm, name: bn, statistics: fixed, variance_init: {type: constant, value: 2}}
    - tanh
    - flatten
    - {type: dense, units: 3}
END
run 0 train fixed.yaml -o fixed
run 0 validate fixed --json
json out passed=true 'adjoint_error<1e-13' finite_difference_verdict=agrees 'finite_difference_error<1e-6'
run 0 info fixed --json
json out n_params=102 'layers[1].n_params=6' 'layers[1].n_frozen=6'

# The same network that cuts its inputs out of rows in which they lie side by side.
paste -d, left.csv right.csv > sides.csv
config sides sides.csv "$classes" '[12]' $entropy <<'END'
    - {type: slice, to: 6, name: left}
    - {type: slice, from: 6, input: data, name: right}
END
sed -n '/name: one/,$p' pair.yaml >> sides.yaml
run 0 train sides.yaml -o sides
same_spectrum()
{
    run 0 dense "$1" --json
    cp out one.json
    run 0 dense "$2" --json
    "$jsonkeys" --compare one.json sigma out sigma "$3" > compare.out || { cat compare.out; fail "$1 differs from $2"; }
}
same_spectrum sides pair 0
# Weights 2 are the loss twice; rows of a file beside the inputs, and rows chosen of the inputs.
awk '{ print 2 }' scores.csv > twos.csv
sed 's/weights.csv/twos.csv/; s/steps: 4/steps: 1/' masked.yaml > twos.yaml
sed 's/weights.csv/ones.csv/; s/steps: 4/steps: 1/' masked.yaml > ones.yaml
awk '{ print 1 }' scores.csv > ones.csv
sed 's/, w: weights.csv//; s/, w: \[1\]//; s/, sample_weights: w//; s/steps: 4/steps: 1/' masked.yaml > plain.yaml
for name in ones plain twos; do run 0 train $name.yaml -o $name; done
same_spectrum ones plain 0
run 0 info ones --json
grep -o '"first_loss": [^,]*' out > ones.loss
run 0 info twos --json
grep -o '"first_loss": [^,]*' out > twos.loss
paste ones.loss twos.loss | awk '{ exit !($4 == 2 * $2 && $2 > 0) }' || fail 'weights 2 are not the loss twice'
sed 's/train: {/&first: 4, count: 16, /; s/scores.csv/some.csv/' masked.yaml > chosen.yaml
for file in images mask weights scores; do sed -n 5,20p $file.csv > some-$file.csv; done
cp some-scores.csv some.csv
sed 's/image: images/image: some-images/; s/mask.csv/some-mask.csv/; s/weights.csv/some-weights.csv/; s/scores/some-scores/
    ' masked.yaml > some.yaml
sed 's/train: {/&file: images.csv, first: 4, count: 16, /' some.yaml > beside.yaml
for name in chosen some beside; do run 0 train $name.yaml -o $name; done
same_spectrum some chosen 0
same_spectrum some beside 0

run 0 info translate --json
json out 'layers[17].label=cross.kv' 'layers[17].inputs=memory' 'layers[18].inputs=cross.q, cross.kv'
sed 's/inputs: \[queries, memory\]/causal: true, &/' translate.yaml > changed.yaml
refused 'leave out causal, rope and qk_norm' train changed.yaml -o changed
sed 's/inputs: \[queries, memory\]/inputs: [queries, memory, memory]/' translate.yaml > changed.yaml
refused 'at most two layers' train changed.yaml -o changed
sed 's/inputs: \[queries, memory\]/inputs: [queries, target]/' translate.yaml > changed.yaml
refused 'its second input, of keys and values, is 6, it needs [positions, width]' train changed.yaml -o changed

sed 's/groups: 2/groups: 3/' grouped.yaml > changed.yaml
refused '3 groups do not divide the 4 channels of its input' train changed.yaml -o changed

# What is refused, with its remedy.  change SCRIPT: masked.yaml so edited.
change()
{
    sed "$1" masked.yaml > changed.yaml
    refused "$2" train changed.yaml -o changed
}
sed 1d mask.csv > short.csv
change 's/mask.csv/short.csv/' 'short.csv: has 23 rows, '
change 's/, mask: mask.csv//' "inputs: no file for 'mask', an input of the network; say inputs: {mask: FILE, ...}"
change 's/mask: mask.csv/mask: mask.csv, mark: mask.csv/' \
    "inputs: 'mark' is none of network.inputs (did you mean 'mask'?)"
change 's/mask: mask.csv/mask: left.csv/' 'left.csv: has 6 numbers a row, network.inputs.mask says 5'
change 's/inputs: \[hidden, mask\]/inputs: [hidden, hidden]/' "network.inputs: nothing reads 'mask'"
change 's/- tanh/- {type: tanh, name: mask}/' "two layers, one of them an input, are called 'mask'"
change 's/, input: image//' 'the network has several inputs; say which: input: image'
change 's/input: image/input: data/' "its input 'data' is no layer before it"
change 's/sample_weights: w/sample_weights: mask/' "the input 'mask' has 5 numbers a sample, the loss takes one"
change 's/sample_weights: w/sample_weights: v/' "'v' is none of network.inputs"
change 's/train: {/&scale: 2, /' 'inputs with names are not scaled'
change 's/train: {/&layout: NCL, /' 'layout: NCL is for no input'
change 's/  inputs: /  input: [4]\n&/' 'input and inputs exclude each other'
change 's/^  inputs: .*/  input: [32]/' "layer 'conv2d0': its input 'image' is no layer before it"
change 's/inputs: {image: .*weights.csv}/file: images.csv/' "inputs: no file for 'image'"
change 's/^data: {train: {\(.*\)}}/data: {train: {\1}, test: {inputs: {image: images.csv, w: weights.csv}, targets: scores.csv}}/' \
    "data.test: inputs: no file for 'mask'"
sed 's/file: images.csv/inputs: {x: images.csv}/' lenet.yaml > changed.yaml
refused "the network's one input has none: give one file, or say network.inputs: {x: SHAPE, ...}" train changed.yaml -o changed
sed "s/targets: scores.csv/labels: labels.csv/; s/mean_squared_error/softmax_cross_entropy, ignore_index: 1/
    s/units: 1}/units: 3}/" masked.yaml > changed.yaml
refused 'or take reduction: sum' train changed.yaml -o changed
refused 'noise in the place of the inputs is of networks with one input' study distributions masked
run 0 svd masked --top 1
refused 'take train or test' study divergence masked --data noise

# The graph as a drawing: all names, and an arrow's head for each input.
if command -v gnuplot > /dev/null; then
    for name in gpt translate; do
        run 0 plot $name network
        contains out $name/figures/network.svg
    done
    for word in wte gate head 'layer_norm' '28 shared' '6x7'; do
        grep -q ">$word<\|$word" gpt/figures/network.svg || fail "the drawing lacks $word"
    done
    run 0 plot translate network -o network.pdf
    head -c 4 network.pdf | grep -q '%PDF' || fail 'the pdf is not one'
fi

# The names of the graph, and what is shared.
run 0 info gpt.yaml
contains out '  <- silu9, up' '28 shared' '  wte.table                [7, 4]'
grep -q 'head.kernel' out && fail 'a shared tensor has a name of its own'
run 0 info siamese --json
json out 'layers[3].inputs=data' 'layers[4].n_shared=68' 'layers[4].n_params=0' 'layers[5].inputs='

# Adapters of low rank beside a frozen base that a file gives; and the same with everything trained.
lora()
{
    config "$1" images.csv "$classes" '[32]' $entropy "$2" <<'END'
    - {type: dense, units: 4, name: base}
    - {type: dense, units: 2, bias: false, name: lora_a, input: data}
    - {type: dense, units: 4, bias: false, name: lora_b}
    - {type: add, inputs: [base, lora_b]}
    - tanh
    - {type: dense, units: 3, name: head, trainable: false}
END
}
n_all=$((4 + 128 + 64 + 8 + 3 + 12))
numbers theta.csv $n_all 1 16
init='file: theta.csv'
lora lora 'trainable: ["lora_*"]'
lora short "trainable: [lora_a, lora_b.*]"
lora whole 'l2: 0'
edit 's/, trainable: false//' whole.yaml
for name in lora short whole; do run 0 train $name.yaml -o $name; done
run 0 info lora --json
json out n_params=72 'layers[0].n_frozen=132' 'layers[0].n_params=0' 'parameters[0].name=lora_a.kernel' \
    'parameters[0].frozen=false' 'parameters[2].name=base.bias' 'parameters[2].frozen=true' 'parameters#6'
run 0 info lora
contains out 'base.kernel              [32, 4], not trained' '  lora_a  dense  2               64        0  '
run 0 info short --json
json out n_params=72
run 0 validate lora --json
json out passed=true
rm theta.csv
run 0 validate lora --dense-limit 0
run 0 dense lora --json
cp out lora.json
run 0 dense short --json
"$jsonkeys" --compare lora.json sigma out sigma 0 > /dev/null || fail 'two spellings of what is trained differ'
run 0 info whole --json
json out n_params=$n_all
# The first gradient is that of the whole network's, in part; so is the first step's Jacobian.
run 0 dense lora --from 0 --to 1 --json
cp out first.json
run 0 dense whole --from 0 --to 1 --layers lora_a,lora_b --json
"$jsonkeys" --compare first.json sigma out sigma 1e-12 > compare.out || { cat compare.out; fail 'another Jacobian'; }
refused "'base' is a layer without parameters that are trained" svd lora --layers base

# Another value that is frozen is another run.
numbers theta.csv $n_all 1 16
echo 0.5 > last.csv
edit '$d' theta.csv && cat last.csv >> theta.csv
run 1 train lora.yaml -o lora
contains err 'now "frozen: 147, crc32'

init='seed: 3'
# Operations of a sample: an attention multiplies queries by keys and weights by values, 2 x 2 T T C = 864, and puts out
# T C = 36; a transposed convolution multiplies each of 4 x 4 positions by its kernel of 2 x 2 x 1 x 2, and has 8 x 8 outputs.
config work tokens.csv "$classes" '[6, 1]' $entropy <<'END'
    - {type: dense, units: 6}
    - {type: attention, heads: 2}
    - {type: select, position: 0}
    - {type: dense, units: 3}
END
run 0 info work.yaml --json
json out 'layers[2].type=heads' 'layers[2].flops=900'
config work images.csv "$classes" '[4, 4, 2]' $entropy <<'END'
    - {type: conv2d_transpose, filters: 1, kernel: 2, stride: 2, bias: false}
    - flatten
    - {type: dense, units: 3}
END
run 0 info work.yaml --json
json out 'layers[0].flops=320'
finish
