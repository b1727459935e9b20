#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/imported.sh: trajectories from elsewhere: batches that a file lists, states that files hold.
. "$(dirname "$0")/cli-lib.sh"

value() { "$jsonkeys" --print "$1" "$2"; }

# ---- batches ----

# The order of the batches that the config would give by itself, as a file: the same training.
awk 'BEGIN { for (t = 0; t < 20; t++) for (i = 0; i < 64; i++)
    printf "%d%s", t * 64 + i, i < 63 ? "," : "\n" }' > in-order.csv
short_config plain.yaml
short_config listed.yaml '/steps: 20/a\  batches: in-order.csv'
run 0 train plain.yaml -o plain --json
cp out plain.json
run 0 train listed.yaml -o listed --json
silent
for key in train_loss test_loss; do
    [ "$(value plain.json $key)" = "$(value out $key)" ] || fail "listed batches give another $key"
done
run 0 svd listed --top 3 --json
cp out listed.json
run 0 svd plain --top 3 --json
"$jsonkeys" --compare out top.sigma listed.json top.sigma 0 || fail "listed batches give another sigma"

# Other rows are another training, and the run knows.
sed '3s/128,/0,/' in-order.csv > changed.csv
cp in-order.csv kept.csv
cp changed.csv in-order.csv
refused 'training.batches changed|batches: crc32' info listed
refused 'complete run of another config' train listed.yaml -o listed
cp kept.csv in-order.csv
run 0 info listed

# The last batch may be shorter.
sed '20s/,[^,]*,[^,]*$/,-1,-1/' in-order.csv > shorter.csv
short_config shorter.yaml '/steps: 20/a\  batches: shorter.csv'
run 0 train shorter.yaml -o shorter --json
[ "$(value plain.json train_loss)" != "$(value out train_loss)" ] ||
    fail "a shorter batch made no difference"

# What cannot be.
sed '$d' in-order.csv > few.csv
short_config bad.yaml '/steps: 20/a\  batches: few.csv'
refused 'training.batches|batches of 19 steps|has 20' train bad.yaml -o BAD
sed '5s/^256,/9999,/' kept.csv > beyond.csv
short_config bad.yaml '/steps: 20/a\  batches: beyond.csv'
refused 'step 4 has row 9999|counted from 0' train bad.yaml -o BAD
sed '5s/^256,/2.5,/' kept.csv > half.csv
short_config bad.yaml '/steps: 20/a\  batches: half.csv'
refused 'training.batches|step 4 has 2.5' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' 's/batch_size: 64/batch_size: 32/'
refused 'training.batches|64 rows in each batch|batch_size is 32' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' 's/steps: 20/epochs: 1/'
refused 'training|excludes epochs and shuffle' train bad.yaml -o BAD
short_config bad.yaml '/steps: 20/a\  batches: kept.csv' '/steps: 20/a\  shuffle: true'
refused 'training|excludes epochs and shuffle' train bad.yaml -o BAD
no_files BAD
finish
