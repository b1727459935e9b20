#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/from-pytorch.sh: every line and fragment of docs/from-pytorch.md is read by the program, and every layer, loss and
# optimizer that there is stands on the page.
. "$(dirname "$0")/cli-lib.sh"

page=$top_srcdir/docs/from-pytorch.md
run 0 help config
for kind in layer loss optimizer; do
    sed -n "s/^$kind: \([a-z_0-9]*\): .*/\1/p" out > names
    [ -s names ] || fail "help config lists no $kind"
    while read -r name; do
        [ "$name" != own_step ] || continue # the step of a process, which PyTorch has no name for
        grep -q -e "^| .* | \`$name\`" -e "^| .* | \`{type: $name[,}]" "$page" || fail "docs/from-pytorch.md lacks the $kind $name"
    done < names
done

# Data of 4 rows of whole numbers below 2, as plain rows; images for the whole config; and what has the page's names.
cat > make.py << 'END'
import re, struct, sys
page = open(sys.argv[1], encoding="utf-8").read()
whole = "\n".join(line[4:] for line in page.split("## A whole config")[1].split("## ")[0].split("\n") if line.startswith("    "))

def npy(path, shape, values):
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }" % (tuple(shape),)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(values))

def config(path, data, layers, shape, loss, optimizer):
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"data: {{train: {{file: in{len(shape)}.npy, {data}}}}}\nnetwork:\n  input: {list(shape)}\n  layers:\n")
        f.write("".join(f"    - {layer}\n" for layer in layers))
        f.write(f"  loss: {loss}\ninit: {{seed: 1}}\ntraining: {{optimizer: {optimizer}, learning_rate: {{schedule: "
                "constant, peak: 0.1}, batch_size: 4, steps: 1}\n")

def rows(title):
    for line in page.split(f"## {title}\n")[1].split("\n## ")[0].split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        code = re.fullmatch("`(.*)`", cells[1]) if line.startswith("| ") and len(cells) > 1 else None
        if code:
            yield code.group(1), cells

n = 0
npy("y.npy", [4], [0, 1, 2, 1])
npy("x.npy", [4, 3, 8, 8], [i % 2 for i in range(768)])
npy("third.npy", [4, 3], [0, 0, 1] * 4)
npy("in1.npy", [4, 8], [i % 2 for i in range(32)])
npy("in2.npy", [4, 48], [i % 2 for i in range(192)])
npy("in3.npy", [4, 192], [i % 2 for i in range(768)])
npy("in6.npy", [4, 6], [i % 2 for i in range(24)])
npy("in4.npy", [4, 256], [i % 2 for i in range(1024)])
for layer, cells in rows("Layers"):
    shape = [int(k) for k in cells[2].strip("`[]").split(",")]
    before = ["{type: identity, name: a}", "{type: tanh, name: b, input: data}"] if "inputs: [a, b]" in layer else []
    config(f"{n}.yaml", "label_file: y.npy", before + [layer, "flatten", "{type: dense, units: 3}"], shape,
           "softmax_cross_entropy", "sgd")
    if shape in ([6], [8, 8, 4]):
        text = open(f"{n}.yaml", encoding="utf-8").read().replace(f"in{len(shape)}.npy", f"in{shape[-1]}.npy")
        open(f"{n}.yaml", "w", encoding="utf-8").write(text)
    n += 1
for loss, cells in rows("Losses"):
    data = "label_file: y.npy" if cells[2] == "labels" else "targets: third.npy"
    config(f"{n}.yaml", data, ["{type: dense, units: 3}"], [8], loss, "sgd")
    n += 1
for optimizer, cells in rows("Optimizers"):
    if optimizer.startswith("{type"):
        config(f"{n}.yaml", "label_file: y.npy", ["{type: dense, units: 3}"], [8], "softmax_cross_entropy", optimizer)
        n += 1
for block in re.findall("(?:^    .*\n)+", page, re.M):
    text = re.sub("^    ", "", block, flags=re.M)
    key = text.split(":")[0]
    parts = re.split("(?m)^(?=[a-z])", whole)
    open(f"{n}.yaml", "w", encoding="utf-8").write(
        text if "training:" in text else "".join(text if part.startswith(key + ":") else part for part in parts) + "\n")
    n += 1
open("count", "w").write(str(n))
END
python3 make.py "$page" || fail 'the page is not laid out as its head says'
n=$(cat count)
[ "$n" -ge 100 ] || fail "only $n lines and fragments on the page"
i=0
while [ "$i" -lt "$n" ]; do
    # The page's own model is not there, which info says when it has read all else.
    "$spectraj" info "$i.yaml" > said 2> wrong || grep -q '^spectraj: init.file: .*/model.safetensors: cannot open' wrong ||
        fail "$(cat wrong): $(cat "$i.yaml")"
    i=$((i + 1))
done
finish
