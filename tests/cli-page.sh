#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-page.sh: the report page: what is on it, and what Chromium shows of it where that is there.
. "$(dirname "$0")/cli-lib.sh"

cat > small.yaml << EOF
$(sed -e 's/epochs: .*/epochs: 1/' "$digits/digits.yaml")
EOF
cp "$digits"/*.npy "$digits"/*.csv.gz "$digits"/*.txt .
run 0 train small.yaml -o R
run 0 svd R --top 3
run 0 svd R --top 4 --to 10 --tag few
run 0 density R --probes 2 --steps 12
run 0 report R
page=R/report.html
contains $page 'id="trained"' '<nav' 'svd-few.h5' 'Estimates: counts come from random probes' 'each with a residual' \
    'class="how"' 'href="data:text/csv,' '@page' 'class="shade"' 'class="graph' 'The network, one layer per row: dense0, 64; gelu1, 64; dense2, 10' 'aria-label='
grep -q '<script' $page && fail "the page has scripts"
[ "$(wc -c < $page)" -lt 2000000 ] || fail "the page has $(wc -c < $page) bytes"
# Every link leads somewhere, and each figure has its sentence.
for id in $(sed -n 's/.*href="#\([^"]*\)".*/\1/p' $page); do
    contains $page "id=\"$id\""
done
[ "$(grep -c '<figure' $page)" -eq "$(grep -c 'class="how"' $page)" ] || fail "a figure without a sentence"
grep -q '>-0<' $page && fail "-0 on an axis"

# The numbers are CSV without quotes, and with keys without numbers of this run.
run 0 plot R density --data
contains out 'series,sigma,density' 'band_low,' 'band_high,' 'chaotic,'
grep -q '"' out && fail "quotes in CSV"
run 0 plot R density --script
contains out "set output 'density.pdf'" 'filledcurves' 'EOD'
refused '--width|8.6cm' plot R density --width 8.6
refused 'vector|--width' plot R vector --width 8cm

chromium=$(command -v chromium) || { echo "no chromium: what it shows is not tested"; finish; }
command -v python3 > /dev/null || { echo "no python3: what Chromium shows is not tested"; finish; }
TMPDIR=$work python3 "$top_srcdir/tests/page.py" "$chromium" $page > wrong || { cat wrong; fail "the page in Chromium"; }
finish
