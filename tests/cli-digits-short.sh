#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-digits-short.sh: every command on a shortened digits run: 310 parameters, 20 steps.
. "$(dirname "$0")/cli-lib.sh"
N=310
STEPS=20
BATCH=64

short_config short.yaml
short_config plain.yaml '/^analysis:/,$d'

# train
run 0 train plain.yaml -o R --json
silent
json out schema=1 n_params=$N n_steps=$STEPS 'train_loss>0' 'test_loss>0' 'test_accuracy>0' \
    'test_accuracy<1' 'seconds>0' fingerprint:string
mv out train.json
[ -s R/config.yaml ] && [ -s R/trajectory.h5 ] || fail "R lacks config.yaml or trajectory.h5"
refused 'R|complete|--force' train plain.yaml -o R
run 0 train plain.yaml -o R --force
silent
contains out "$N parameters" "$STEPS steps of $BATCH rows" 'train loss' 'test accuracy'

# The seed: the same one gives the same run, another one another.
run 0 train -o S plain.yaml --seed 3 --json
json out "train_loss=$("$jsonkeys" --print train.json train_loss)"
run 0 train plain.yaml -o T --seed 4 --json
[ "$("$jsonkeys" --print out train_loss)" != "$("$jsonkeys" --print train.json train_loss)" ] ||
    fail "another seed gave the same training"

# info
run 0 info R --json
silent
json out schema=1 n_params=$N n_steps=$STEPS batch_size=$BATCH train_rows=1600 test_rows=197 \
    loss=softmax_cross_entropy optimizer=sgd layers#3 'layers[0].n_params=260' \
    'layers[0].offset=0' 'layers[1].n_params=0' 'layers[2].offset=260' 'layers[2].type=dense' \
    'layers[2].n_params=50' results#0 version:string blas:string \
    "train_loss=$("$jsonkeys" --print train.json train_loss)"
run 0 info R
contains out dense0 "$N parameters" 'none yet'

# svd: matrix-free
run 0 svd R --top 5 --json
silent
json out schema=1 n_params=$N top.requested=5 top.converged=5 top.sigma#5 top.residual#5 \
    top.cosine#5 'top.products>4' bottom.requested=0 bottom.converged=0 bottom.products=0 \
    bottom.sigma_bound#0 bottom.residual#0 bottom.floor 'applications.jvp>5' 'applications.vjp>5' \
    applications.replayed=0 'seconds>0' stop=converged seed:integer method:string 'ncv>5' 'tol=1e-10'
mv out svd.json
# Residuals are |J'u - sigma v| <= tol sigma_1, absolute.
sigma_1=$("$jsonkeys" --print svd.json 'top.sigma[0]')
limit=$(awk -v s="$sigma_1" 'BEGIN { printf "%.3e", 1e-10 * s * 1.001 }')
for i in 0 1 2 3 4; do
    json svd.json "top.residual[$i]<$limit" "top.cosine[$i]<1.0000001"
done

# The same again costs nothing and is the same; --force computes it again.
run 0 svd R --top 5 --json
json out applications.jvp=0 applications.vjp=0 top.sigma#5
"$jsonkeys" --compare svd.json top.sigma out top.sigma 0 || fail "the stored values differ"
run 0 svd R --top 5 --json --force
json out 'applications.jvp>0'
run 0 svd R --top 5
contains out '5 of 5 converged' 'stored result'
run 2 svd R --top 5 --max-applications 1 --tag nothing
contains out '0 of 5 converged' 'cost: none'
! grep -q 'stored result' out || fail 'no products: the result is said to be stored'

run 0 svd R --top 5 --monitor --force
contains err 'products, ' ' of 5 converged' 'sigma 1: ' ' +- '
one=$("$jsonkeys" --print svd.json 'top.sigma[0]')
run 0 svd R --top 5 --json
json out "top.sigma[0]=$one"

# Other settings are never taken for the stored ones.
run 0 svd R --top 3 --json --tag three
json out 'applications.jvp>0' top.requested=3 top.sigma#3
"$jsonkeys" --compare svd.json top.sigma out top.sigma 1e-10 || fail "3 pairs differ from 5"
[ -s R/svd-three.h5 ] || fail "there is no svd-three.h5"
run 0 svd R --top 3 --to 10 --tag window --json
json out 'applications.jvp>0'
"$jsonkeys" --compare svd.json top.sigma out top.sigma 1e-3 > /dev/null &&
    fail "the window of half the steps has the same singular values"

# Running out of a budget is a result.
run 2 svd R --top 5 --max-applications 8 --tag budget --json
silent
json out top.requested=5 'top.converged<5' stop=max_applications top.sigma#1

# All above and below a threshold, counted by the dense matrix further down.
run 0 svd R --above 1.1 --tag above --json
silent
json out top.above=1.1 top.straddling=0 'bottom.sigma_bound#0' stop=converged
mv out above.json
run 0 svd R --below 0.9 --tag below --json
json out bottom.below=0.9 'top.sigma#0' stop=converged
mv out below.json
run 1 svd R --above 1.1 --top 3
contains err 'give one of them'

# dense
run 0 dense R --json
silent
json out schema=1 n_params=$N sigma#$N cosine#$N epsilon=0.1 'regions.chaotic>0' 'regions.bulk>0' \
    'regions.stable>0' 'seconds_build>0' 'seconds_svd>0'
mv out dense.json
total=0
for region in chaotic bulk stable; do
    total=$((total + $("$jsonkeys" --print dense.json regions.$region)))
done
[ "$total" -eq $N ] || fail "the regions have $total values instead of $N"
"$jsonkeys" --compare dense.json sigma svd.json top.sigma 1e-9 || fail "svd and dense disagree"
[ "$("$jsonkeys" --print above.json top.requested)" -eq "$("$jsonkeys" --print dense.json regions.chaotic)" ] ||
    fail "--above 1.1 and dense count differently"
[ "$("$jsonkeys" --print below.json bottom.requested)" -eq "$("$jsonkeys" --print dense.json regions.stable)" ] ||
    fail "--below 0.9 and dense count differently"
run 0 dense R
contains out chaotic bulk stable %
run 0 dense R --epsilon 0.2 --tag wide --json
json out epsilon=0.2 "regions.bulk>$("$jsonkeys" --print dense.json regions.bulk)"

# validate
run 0 validate R --json
silent
json out schema=1 'adjoint_error<1e-12' 'finite_difference_error<1e-6' \
    'finite_difference_step<0.011' 'finite_difference_step>9e-10' replay_identical=true \
    'dense.max_sigma_error<1e-9' 'dense.bottom_violation<1e-9' 'dense.bottom_excess>-1e-300' passed=true
run 0 validate R --dense-limit 10 --json
json out dense=null passed=true
run 0 validate R
contains out passed

# The page: complete in itself, with the figures and tables of what is stored.
run 0 report R
contains out R/report.html
contains R/report.html '<!DOCTYPE html>' "$N" 'dense.h5: all singular values' '<svg' 'svd.h5: largest and smallest singular values' \
    'spectraj dense RUN' fingerprint softmax_cross_entropy
grep -q -e '<script' -e 'src=' -e 'url(' -e 'https\{0,1\}:' R/report.html && fail "the page needs something else"
run 0 report R -o page.html --json
json out figure=report file=page.html
cmp -s R/report.html page.html || fail "two reports of the same run differ"
rm page.html
run 1 report R -o nowhere/page.html
contains err nowhere
run 1 report
run 1 report nowhere

# export: every array in a file of its own; the numbers are those of the result.
run 0 export R svd -o arrays
contains out arrays/svd-sigma.csv arrays/svd-v.csv arrays/svd-attributes.csv
[ "$(head -1 arrays/svd-sigma.csv)" = "$("$jsonkeys" --print svd.json 'top.sigma[0]')" ] ||
    fail "svd-sigma.csv does not begin with sigma_1"
[ "$(wc -l < arrays/svd-sigma.csv)" -eq 5 ] || fail "svd-sigma.csv has not 5 lines"
[ "$(head -1 arrays/svd-v.csv | tr ',' '\n' | wc -l)" -eq $N ] || fail "svd-v.csv has not $N columns"
grep -q '^requested,5$' arrays/svd-attributes.csv || fail "svd-attributes.csv lacks requested"
run 0 export R svd --npy -o arrays
[ "$(wc -c < arrays/svd-v.npy)" -eq $((128 + 8 * 5 * N)) ] || fail "svd-v.npy has not its size"
head -c 6 arrays/svd-v.npy | grep -q NUMPY || fail "svd-v.npy is no NPY file"
run 0 export R -o all
contains out all/dense-sigma.csv all/svd-three-sigma.csv
run 1 export R nonsense -o arrays
contains err nonsense
run 1 export R svd --csv --npy -o arrays
rm -rf arrays all

# init: every example is a config that would train where its data are.
SPECTRAJ_EXAMPLES=$top_srcdir/examples
export SPECTRAJ_EXAMPLES
run 0 init
contains out 'optimizer:' "$digits/digits.csv.gz" '# '
run 0 init digits -o new.yaml
run 0 info new.yaml --json
json out n_params=4810
run 1 init digits -o new.yaml
contains err 'force'
for example in lenet mlp transformer; do
    run 0 init $example
    contains out 'network:' 'layers:'
done
run 1 init digit
contains err "did you mean 'digits'"
rm new.yaml

# info lists what is there by now.
run 0 info R --json
json out 'results[0]=dense-wide.h5' 'results[1]=dense.h5'

# plot
run 0 plot R --data
silent
[ "$(sed 1q out)" = "series,index,sigma" ] || fail "the head of the CSV is $(sed 1q out)"
[ "$(wc -l < out)" -eq $((N + 1)) ] || fail "$(wc -l < out) lines of CSV"
mv out all.csv
run 0 plot R -d -o spectrum.csv
contains out spectrum.csv
cmp -s all.csv spectrum.csv || fail "the CSV in a file is another one"
refused 'JSON' plot R --data --json
if command -v gnuplot > /dev/null; then
    run 0 plot R --terminal
    silent
    contains out 'singular values' 'chaotic'
    contains out 'up: '
    # On a terminal of 60 columns no row is longer, words and labels are whole.
    if command -v python3 > /dev/null; then
        python3 - "$spectraj" > narrow <<'END' || fail 'a narrow terminal'
import fcntl, os, pty, struct, subprocess, sys, termios
for words in (["plot", "R", "-t"], ["list", "R"], ["info", "R"]):
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
    process = subprocess.Popen([sys.argv[1], *words], stdout=its)
    os.close(its)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # the end of a terminal
        pass
    assert process.wait() == 0
    text = text.decode().replace("\r", "")
    assert max(len(line) for line in text.split("\n")) <= 60, text
    print(text)
END
        contains narrow 'singular values of the training Jacobian' 'up: singular value' ' 300 '
    fi
    run 0 plot R loss -t
    contains out 'step'
    run 0 plot R
    contains out R/figures/spectrum.svg
    grep -q '</svg>' R/figures/spectrum.svg || fail "spectrum.svg is not whole"
    run 0 plot R loss -o "lo'ss \$(x).pdf" --json
    json out schema=1 figure=loss "file=lo'ss \$(x).pdf"
    head -c 4 "lo'ss \$(x).pdf" | grep -q '%PDF' || fail "the pdf is not one"
    run 0 plot R network -o network.svg
    for word in '</svg>' data dense gelu; do
        grep -q "$word" network.svg || fail "network.svg lacks $word"
    done
    refused "spectraj info" plot R network -t
    refused "spectraj info" plot R network --data
    refused '.svg, .pdf or .png' plot R -o figure.jpeg
    refused "no result for the figure 'spectrum'|spectraj svd" plot S
    no_files S/figures
    refused 'no-such-folder' plot R -o no-such-folder/figure.svg
fi
if [ "${spectraj#/}" != "$spectraj" ]; then
    # The program may be a script of libtool, which needs its PATH: an empty folder in front hides
    # nothing, so gnuplot is hidden by a name that cannot be run.
    mkdir bin
    for tool in sh sed grep ls dirname basename expr cat rm mv mkdir chmod cut tr uname gcc ld; do
        path=$(command -v $tool) && ln -s "$path" bin/$tool
    done
    PATH=$work/bin "$spectraj" plot R -o figure.svg > out 2> err
    status=$?
    command_line="plot R -o figure.svg, without gnuplot"
    [ "$status" -eq 1 ] || fail "exit status $status instead of 1"
    one_line
    contains err gnuplot-nox
    [ ! -e figure.svg ] || fail "a figure was left"
fi

# run: all of it, and again at no cost
run 0 run short.yaml -o all
silent
contains out "$N parameters" '6 of 6 converged' chaotic
run 0 run short.yaml -o all --json
silent
json out schema=1 train.n_params=$N svd.top.requested=6 svd.applications.jvp=0 \
    dense.sigma#$N "dense.sigma[0]=$("$jsonkeys" --print dense.json 'sigma[0]')"
run 0 run plain.yaml -o R --json
json out train.n_params=$N svd=null dense=null
short_config other.yaml 's/units: 4/units: 3/'
refused 'all|--force' run other.yaml -o all

# An interrupt ends in 130, says how to go on, and gives the folder to no other training unasked.
short_config long.yaml 's/steps: 20/steps: 300000/'
"$spectraj" train long.yaml -o interrupted > out 2> err &
child=$!
# Not before the first states are in the log, however slow the machine is.
tries=0
until [ -s interrupted/train.journal ] || [ "$tries" -ge 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
sleep 1
kill -TERM "$child" 2> /dev/null
wait "$child"
status=$?
command_line="train long.yaml, interrupted"
[ "$status" -eq 130 ] || fail "exit status $status instead of 130"
one_line
contains err 'spectraj train long.yaml -o interrupted'
[ ! -e interrupted/trajectory.h5 ] || fail "an interrupted training left a trajectory"
refused 'steps: 20|steps: 300000|--force' train plain.yaml -o interrupted
refused 'not finished|spectraj train' info interrupted
run 0 train plain.yaml -o interrupted --force
run 0 info interrupted
finish
