#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/docs-commands.sh: every indented block of the pages below is run as it stands, in one folder: what one page leaves
# the next goes on with.  Those of the tutorial are run by docs.sh, those that need PyTorch by torch/pages.py.
#
# The networks are smaller than the pages': digits has 4 units in place of 64 and one epoch in place of 25, and the
# large ones read 8 characters in place of 64, are trained for 2 steps, and asked for less.  CONFIG and RUN are the transformer's.
. "$(dirname "$0")/cli-lib.sh"

# smaller FILE SCRIPT...: each must change something.
smaller()
{
    file=$1
    shift
    for script in "$@"; do
        cp "$file" before
        edit "$script" "$file"
        ! cmp -s before "$file" || fail "'$script' changes nothing in $file"
    done
}
cp -r "$top_srcdir/examples" examples && chmod -R u+w examples
for config in digits/digits paper/adam paper/noise paper/other-seed paper/shuffled; do
    smaller examples/$config.yaml 's/units: 64/units: 4/' 's/epochs: 25/epochs: 1/'
    edit 's/^init: {file.*/init: {seed: 3}/' examples/$config.yaml
done
smaller examples/digits/digits.yaml 's/top: 20, bottom: 20/top: 5, bottom: 2/' 's/probes: 8, steps: 100/probes: 2, steps: 20/'
for name in transformer gpt; do
    smaller examples/$name/$name.yaml 's/sequence: 64/sequence: 8/' 's/input: .64./input: [8]/' 's/  steps: [0-9]*/  steps: 2/' \
        's/top: [0-9]*/top: 1/' 's/probes: 2, steps: [34]0/probes: 1, steps: 4/'
done
SPECTRAJ_EXAMPLES=$work/examples
export SPECTRAJ_EXAMPLES

mkdir bin
printf '#!/bin/sh\nexec "%s" "$@"\n' "$spectraj" > bin/spectraj
command -v gnuplot > /dev/null || printf '#!/bin/sh\ncase "$1 $*" in plot*--data*) ;; plot* | compare*) exit 0 ;; esac\nexec "%s" "$@"\n' \
    "$spectraj" > bin/spectraj
chmod +x bin/spectraj
PATH=$work/bin:$PATH
export PATH
unset SPECTRAJ # for the examples, which take it from the environment

# page NAME [SED EXPRESSION]...
page()
{
    name=$1
    shift
    sed -n 's/^    //p' "$top_srcdir/docs/$name.md" | sed -e ';' "$@" > script
    [ -s script ] || fail "docs/$name.md has no commands"
    echo "docs/$name.md: $(wc -l < script) lines, from second $(($(date +%s) - start))"
    sh -ex script > out 2> err || fail "a command of docs/$name.md: $(grep '^+' err | tail -n 1)"
}
start=$(date +%s)
page paper-in-an-hour
page comparing
smaller digits.yaml 's/input: \[64\]/input: [8, 8, 1]/' 's/- {type: gelu}/- tanh/' \
    's/- {type: dense, units: 4,.*/- {type: conv2d, filters: 2, kernel: 3, padding: same}\n    - {type: flatten}/'
run 0 train digits.yaml -o lenet-run
page gallery
page large-networks -e 's/CONFIG/examples\/transformer\/transformer.yaml/' -e 's/RUN/transformer-run/'

# problem-protocol.md: its configs, with the processes of the examples.
block() # LINE: the block that has it
{
    awk -v has="$1" '/^    / { text = text substr($0, 5) "\n"; found = found || index($0, has) } !/^    / { if (found) { printf "%s", text; exit }
        text = "" }' "$top_srcdir/docs/problem-protocol.md"
}
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
block my_problem.py > served.yaml
python=$(python_numpy)
if [ -n "$python" ]; then
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v "$python")" > bin/python3
    chmod +x bin/python3
    cp examples/problem/linear.py my_problem.py
    run 0 train served.yaml -o served
    run 0 svd served --top 3
else
    echo 'no python3 has numpy: the first config of docs/problem-protocol.md is skipped'
fi
${CC:-cc} -O2 -o quadratic "$top_srcdir/examples/problem/quadratic.c" -lm || exit 99
{ echo 'problem: {command: [./quadratic, 12, step]}'; block own_step; } > own.yaml
run 0 train own.yaml -o own
run 0 svd own --top 3

# What the page of the large networks names within a sentence.
sh examples/large-networks.sh gpt > out 2> err || fail 'examples/large-networks.sh'
finish
