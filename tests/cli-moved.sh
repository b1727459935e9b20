#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-moved.sh: a run whose data have been moved away, changed or damaged shows all that is stored of it; what is
# to be computed says which file is missing, leaves the run as it is, and goes on when the data are back.
. "$(dirname "$0")/cli-lib.sh"

awk 'BEGIN { srand(3); for (i = 0; i < 12; i++) print rand() "," rand() "," i % 3 }' > in.csv
awk 'BEGIN { srand(4); for (i = 0; i < 5; i++) print rand() "," rand() "," i % 3 }' > test.csv
awk 'BEGIN { for (i = 0; i < 6; i++) print i "," 11 - i "," (i % 2 ? -1 : 6) }' > rows.csv
cat > c.yaml << 'END'
data:
  train: {file: in.csv, label_column: 2}
  test: {file: test.csv, label_column: 2}
network: {input: [2], layers: [{type: dense, units: 4}, {type: tanh}, {type: dense, units: 3}], loss: softmax_cross_entropy}
init: {seed: 1}
training: {optimizer: adam, learning_rate: {schedule: constant, peak: 0.1}, batch_size: 3, steps: 6, batches: rows.csv}
trajectory: {every: 3}
END
run 0 train c.yaml -o R
run 0 svd R --top 4 --json
cp out svd.json
run 0 density R --probes 2 --steps 10 --json
cp out density.json
run 0 study displacement R
cp out displacement
run 0 info R
cp out info

# stored: what needs no data.
stored()
{
    run 0 info R
    cmp -s info out || fail "info says something else $1"
    run 0 svd R --top 4 --json
    json out applications.jvp=0
    "$jsonkeys" --compare svd.json top.sigma out top.sigma 0 || fail "other values $1"
    run 0 svd R --top 2 --json
    run 0 density R --probes 2 --steps 10 --json
    json out applications.jvp=0
    run 0 study displacement R
    run 0 export R -o E
    [ -s E/svd-sigma.csv ] || fail "nothing was exported $1"
    run 0 report R
    drawing run 0 plot R loss -o loss.svg
}

# wanting TEXTS: what would be computed.
wanting()
{
    cksum R/* > before
    refused "$1" trace R
    refused "$1" svd R --top 3 --bottom 2
    refused "$1" svd R --top 4 --force
    refused "$1" dense R
    refused "$1" validate R
    refused "$1" plan R
    refused "$1" study restrict R
    cksum R/* | cmp -s before - || fail "a refused request changed the run ($1)"
}

mkdir away
for set in in.csv test.csv rows.csv; do
    mv $set away
    stored "without $set"
    wanting "R: |$set|cannot open"
    cp away/$set .
done
rm -f in.csv
mkdir in.csv
stored "with a folder for the data"
wanting 'data.train|in.csv'
rmdir in.csv
sed '3s/^0/1/' away/in.csv > in.csv
stored "with other data"
wanting 'the data changed since the training'
cp away/in.csv .
sed '2s/^1,/2,/' away/rows.csv > rows.csv
stored "with other batches"
wanting 'the file training.batches changed'
cp away/rows.csv .
run 0 svd R --top 3 --bottom 2
run 0 trace R
run 0 validate R
finish
