#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-list.sh: runs and results below a folder, each with its number as the analysis itself prints it; what
# cannot be read is a line that says why, and the command in it makes it again.
. "$(dirname "$0")/cli-lib.sh"

short_config c.yaml
mkdir runs
run 0 train c.yaml -o runs/a
mkdir -p runs/more/than/two empty
cp -r runs/a 'runs/more/b c'
cp -r runs/a runs/more/than/two/levels
run 0 svd runs/a --top 5 --json
sigma=$("$jsonkeys" --print out top.sigma[0])
run 0 svd runs/a --top 2 --from 5 --to 10
run 0 density runs/a --probes 4 --steps 30 --json
for key in estimate low high; do
    eval $key=$("$jsonkeys" --print out regions.chaotic.$key)
done
run 0 trace runs/a --products 20 --json
value=$("$jsonkeys" --print out value)
run 0 dense runs/a --json
chaotic=$("$jsonkeys" --print out regions.chaotic)
run 0 study displacement runs/a
"$spectraj" svd 'runs/more/b c' --bottom 2 --json > out 2> err
bound=$("$jsonkeys" --print out bottom.sigma_bound[0])

# In JSON: every number with all its digits.
run 0 list runs --json
silent
json out runs#2 runs[0].dir=runs/a 'runs[1].dir=runs/more/b c' runs[0].n_params=310 runs[0].n_steps=20 \
    runs[0].optimizer=sgd runs[0].error=null runs[0].results#6 runs[1].results#1 \
    runs[0].results[0].file=dense.h5 runs[0].results[0].headline.value=$chaotic \
    runs[0].results[1].headline.value=$estimate runs[0].results[1].headline.low=$low \
    runs[0].results[1].headline.high=$high runs[0].results[2].headline=null \
    runs[0].results[2].file=study-displacement.h5 runs[0].results[3].file=svd-5-10.h5 \
    runs[0].results[4].headline.value=$sigma runs[0].results[4].headline.name=sigma \
    runs[0].results[5].headline.value=$value runs[0].results[5].error=null \
    runs[1].results[0].headline.value=$bound runs[1].results[0].headline.name=sigma_bound
contains out '"request": "svd from 0 to 20 top 5 tol 1e-10 seed 0"' '"command": "spectraj svd RUN --top 5"'

# As a table: the runs, and indented their results in columns.
cp -r runs/more/'b c' d
(cd runs && "$spectraj" list > ../out 2> ../err) || fail 'list without a folder'
silent
contains out 'a  ' '310 parameters, 20 steps of sgd' '  svd.h5 ' "  chaotic $chaotic" \
    "$(printf 'sigma %.6g' $sigma)" "$(printf 'chaotic %.6g [%.6g, %.6g]' $estimate $low $high)" 'more/b c '
grep -A 1 '^  svd-5-10.h5  *20[0-9-]* [0-9:]*  *[0-9.]*  *sigma ' out | grep -q '^      svd from 5 to 10 top 2 ' || fail 'no rows of svd-5-10.h5'
[ "$(sed '/^more/,$d' out | awk 'match($0, /20[0-9][0-9]-/) { print RSTART }' | sort -u | wc -l)" -eq 1 ] || fail 'the columns are not straight'
awk 'length > 80 { print; n++ } END { exit n > 0 }' out || fail 'a row of more than 80 columns'
run 0 list d runs/a
[ "$(grep -c '^[^ ]' out)" -eq 2 ] || fail 'two folders, and other lines'
run 0 list empty --json
json out runs#0
refused 'nowhere: there is no such folder' list runs nowhere
run 1 list runs c.yaml
one_line

# What is damaged, unfinished, or of another run.
damage()
{
    printf 'xxxxxxxx' | dd of="$1" bs=1 seek=3000 conv=notrunc 2> dd.err
}
damage runs/a/svd-5-10.h5
damage runs/a/trace-trace.h5
damage runs/a/study-displacement.h5
cp runs/a/svd-5-10.h5 runs/a/svd-early.h5
damage d/trajectory.h5
mkdir unfinished
cp c.yaml unfinished/config.yaml
echo > unfinished/train.journal
run 0 list
silent
contains out 'd  ' 'NOT READ: d/trajectory.h5: ' "$(printf 'sigma_bound %.6g' $bound)" "$(printf 'sigma %.6g' $sigma)"
tr -s '\n ' '  ' < out > words
contains words 'its training is not finished; go on with: spectraj train CONFIG -o unfinished' \
    'with --force: spectraj svd runs/a --from 5 --to 10 --force' \
    'with --force: spectraj trace runs/a --function trace --force' \
    'with --force: spectraj svd runs/a --force, with the options or the tag' \
    'with --force: spectraj study displacement runs/a --force, with the options'
for command in 'svd runs/a --from 5 --to 10' 'trace runs/a --function trace' 'svd runs/a' 'study displacement runs/a'; do
    contains out "spectraj $command --force" # on one line, to be pasted
done
run 0 list --json
json out runs[0].dir=d runs[0].n_params=null runs[0].error:string runs[0].results[0].error=null

# info, too, names the file and the command; a density knows with which command its pairs were made.
rm runs/a/svd-5-10.h5 runs/a/svd-early.h5 runs/a/trace-trace.h5
refused 'runs/a/study-displacement.h5: |spectraj study displacement runs/a --force' info runs/a
rm runs/a/study-displacement.h5
damage runs/a/svd.h5
refused 'runs/a/svd.h5: |with --force: spectraj svd runs/a --top 5 --force' info runs/a
run 0 $(sed 's/.*: spectraj //' err)
run 0 info runs/a

# A name may hold what a terminal takes as a command.
name=$(printf 'x\033[31my')
cp -r runs/a "$name"
run 0 list
contains out 'x?[31my'
grep -q "$(printf '\033')" out && fail 'a control character went out'
finish
