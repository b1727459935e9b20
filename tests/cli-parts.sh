#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-parts.sh: blocks of layers and the full state in every analysis: sizes, values that agree
# with each other, files of their own, and names that are none.
. "$(dirname "$0")/cli-lib.sh"

short_config run.yaml 's/units: 4/units: 3/'
run 0 train run.yaml -o RUN
# 64 * 3 + 3 and 3 * 10 + 10 parameters, and momentum as large
first=195
last=40
all=235

run 0 dense RUN --layers dense2 --json
silent
json out n_params=$last sigma#$last part.state=theta 'part.layers[0]=dense2.bias' \
    'part.layers[1]=dense2.kernel' part.from=0 part.to=20
sigma=$("$jsonkeys" --print out 'sigma[0]')
[ -e RUN/dense.h5 ] && fail "a block went into dense.h5"
ls RUN/dense-block-*.h5 > /dev/null || fail "a block has no file of its own"
# The same block by other names, and in another order, is the same request.
run 0 dense RUN --layers dense2.kernel,dense2.bias --json
json out trajectory=null "sigma[0]=$sigma"
run 0 svd RUN --layers dense2 --top 3 --json
silent
json out n_params=$last top.converged=3 part.state=theta
"$jsonkeys" --print out 'top.sigma[0]' > got
awk -v a="$sigma" '{ d = $1 / a - 1; exit !(d < 1e-9 && d > -1e-9) }' got ||
    fail "svd of a block: $(cat got), dense: $sigma"
run 0 svd RUN --layers dense2 --top 3
contains out 'of the block of dense2.bias,dense2.kernel' 'stored result'
run 0 svd RUN --top 2 --json
json out n_params=$all part.layers=null
run 0 density RUN --layers dense0 --probes 2 --steps 20 --json
json out n_params=$first
run 0 trace RUN --layers dense0.bias --products 3 --json
json out n_params=3 method=exact
run 0 validate RUN --layers dense0,dense2.bias --json
json out passed=true 'part.layers[2]=dense2.bias'
# All layers are no block.
run 0 svd RUN --layers dense0,dense2 --top 2 --json
json out n_params=$all part.layers=null applications.jvp=0

run 0 dense RUN --state full --json
json out n_params=$((2 * all)) sigma#$((2 * all)) part.state=full
full=$("$jsonkeys" --print out 'sigma[0]')
[ -e RUN/dense-full.h5 ] || fail "the full state has no file of its own"
run 0 svd RUN --state full --top 2 --json
json out n_params=$((2 * all))
"$jsonkeys" --print out 'top.sigma[0]' > got
awk -v a="$full" '{ d = $1 / a - 1; exit !(d < 1e-9 && d > -1e-9) }' got ||
    fail "svd of the full state: $(cat got), dense: $full"
run 0 svd RUN --state full --layers dense2 --top 2 --json
json out n_params=$((2 * last)) part.state=full
run 0 validate RUN --state full --json
json out passed=true part.state=full
run 0 validate RUN --from 5 --to 15 --json
json out passed=true part.from=5 part.to=15
run 0 svd RUN --top 2 --from 5 --to 15 --layers dense0 --tag early
contains out 'of the block'
[ -e RUN/svd-early.h5 ] || fail "a tagged block has not its tag's file"

# Many windows in one go: each is the stored result of its window.
run 0 svd RUN --at 5,12,20 --top 3 --json
silent
json out at#3 'at[0].from=0' 'at[0].to=5' 'at[1].to=12' 'at[2].to=20' 'at[0].top.sigma#3' \
    'at[0].applications.jvp>0' 'at[1].analysis=svd'
"$jsonkeys" --print out 'at[1].top.sigma' > wanted
run 0 svd RUN --at 5,12,20 --top 3 --json
json out 'at[0].applications.jvp=0' 'at[1].applications.jvp=0' 'at[2].applications.jvp=0'
run 0 svd RUN --to 12 --top 3 --json
json out applications.jvp=0
"$jsonkeys" --print out top.sigma | cmp -s - wanted || fail 'a window by itself has other values'
run 0 svd RUN --at 5,12 --top 3
contains out 'J(0 -> 5)' 'J(0 -> 12)' 'stored result'
run 0 density RUN --at 5,12 --to-end --probes 2 --steps 12 --json
json out at#2 'at[0].from=5' 'at[0].to=20' 'at[1].from=12' 'at[1].regions.bulk.low>0'
run 0 density RUN --at 0 --to-end --probes 2 --steps 12 --json
json out at#1 'at[0].to=20'
run 2 svd RUN --at 3,4 --top 3 --max-applications 8 --json
json out at#2
run 0 plot RUN spectrum-at --data
[ "$(sed 1q out)" = "series,step,sigma" ] || fail "the head of the CSV is $(sed 1q out)"
contains out 'sigma_1,12,' 'sigma_2,20,'
run 0 plot RUN regions-to-end --data
contains out 'bulk,12,' 'bulk,5,' 'chaotic_from,0,'
refused 'J(0 -> t)|spectraj density RUN --at' plot RUN regions-at --data
refused 'without a tag' plot RUN spectrum-at --tag early --data
refused '--at|step 21|above 0|at most 20' svd RUN --at 5,21
refused 'step 0 must be above 0' svd RUN --at 0,5
refused 'step 20|below 20' svd RUN --at 20 --to-end
refused '--at and --tag' svd RUN --at 5 --tag x
refused 'where the windows end|--to' svd RUN --at 5 --to 7
refused 'where the windows begin|--from' svd RUN --at 5 --to-end --from 2
refused '--to-end|--at' svd RUN --to-end

# The table of tensors has the shapes and the layout of the vectors, also where init.file has others.
python3 - << 'END' || fail 'no parameters of another layout'
import json, struct
shapes = {"dense0.bias": [3], "dense0.kernel": [3, 64], "dense2.bias": [10], "dense2.kernel": [10, 3]}
head, data = {}, b""
for i, (name, shape) in enumerate(shapes.items()):
    n = shape[0] * (shape[1] if len(shape) > 1 else 1)
    head[name] = {"dtype": "F64", "shape": shape, "data_offsets": [len(data), len(data) + 8 * n]}
    data += b"".join(struct.pack("<d", 0.1 * ((7 * k + i) % 11 - 5)) for k in range(n))
text = json.dumps(head).encode()
open("torch.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
END
short_config torch.yaml 's/units: 4/units: 3/' 's/seed: 3}/file: torch.safetensors, dense_kernel: out_in}/'
run 0 train torch.yaml -o T
run 0 info T
contains out '[3, 64]' '[10, 3]'
for run in RUN T; do
    run 0 svd $run --top 2 --tag table
    contains $run/svd-table.h5 'dense0.kernel [64, 3] 3 row-major' 'dense2.kernel [3, 10] 205 row-major'
done

refused "layers|dense3|did you mean 'dense0" svd RUN --layers dense3
refused "layers|'relu'|spectraj info" dense RUN --layers relu
refused "gelu1' is a layer without parameters that are trained" svd RUN --layers dense0,gelu1
refused "layers|no layer or tensor ''" density RUN --layers dense0,
refused "did you mean 'full'" svd RUN --state ful
finish
