#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/lenet-small.sh: convolutions on real images: singular values found without the matrix against all of
# the dense Jacobian, and counts against their intervals.  The network of examples/lenet/lenet-small.yaml
# with fewer units and steps; skipped where its images are not installed.
. "$(dirname "$0")/cli-lib.sh"

images=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
[ -r "$images" ] || { echo "$images is not there (Debian package dataset-fashion-mnist)"; exit 77; }
sed -e 's/units: 48/units: 16/' -e 's/steps: 120/steps: 15/' -e 's/count: 6000/count: 800/' \
    -e 's/peak: 0.05/peak: 0.2/' "$top_srcdir/examples/lenet/lenet-small.yaml" > small.yaml
! grep -q 'units: 48' small.yaml && grep -q 'steps: 15' small.yaml || fail 'the config was not made smaller'

run 0 train small.yaml -o R --json
json out n_params=1370 n_steps=15
run 0 dense R --json
cp out dense.json
run 0 svd R --top 20 --json
cp out svd.json
json svd.json top.converged=20
# Residuals certify 1e-10 sigma_1; what is compared is the values of two methods.
"$jsonkeys" --compare svd.json top.sigma dense.json sigma 1e-8 > compare.out ||
    { cat compare.out; fail 'the largest singular values differ'; }
run 0 density R --probes 8 --steps 100 --no-deflation --json
for region in chaotic bulk stable; do
    truth=$("$jsonkeys" --print dense.json regions.$region)
    low=$("$jsonkeys" --print out regions.$region.low)
    high=$("$jsonkeys" --print out regions.$region.high)
    awk -v t="$truth" -v l="$low" -v h="$high" 'BEGIN { exit !(l <= t && t <= h) }' ||
        fail "$truth $region values are not within $low .. $high"
done
run 0 validate R --dense-limit 0
finish
