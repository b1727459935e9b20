#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/walkthrough-analysis.sh: a command with the analysis of docs/adding-an-analysis.md, which
# tests/walkthroughs.sh has linked, knows it wherever analyses are known.
. "$(dirname "$0")/cli-lib.sh"

short_config short.yaml 's/^  dense: {}/  dense: {}\n  diagonal: {samples: 7, seed: 2}/' '/^  svd:/d'

# A command, with help, manual page, completion and nearest names.
run 0 --help
contains out diagonal
run 0 diagonal --help
contains out --samples --seed --from --layers 'spectraj diagonal digits-run'
run 0 help --man diagonal
contains out '.SH EXAMPLES'
run 0 help --complete ''
contains out diagonal
run 0 help --complete diagonal --
contains out --samples
run 0 help config
contains out 'analysis: diagonal: ' 'seed of the draw'
refused "--samples" diagonal R --sampels 3

# A config plans it, run does it, and says what it found.
run 0 plan short.yaml --json
contains out '"diagonal"' '"--samples 7"'
run 0 run short.yaml -o R --json
silent
json out 'diagonal.samples=7' 'diagonal.seed=2' 'diagonal.entry#7' 'diagonal.coordinate#7' 'diagonal.mean:real' \
    'diagonal.analysis=diagonal' 'diagonal.applications.jvp=7' 'diagonal.file=diagonal.h5'
mv out all

# Asked again it costs nothing; another question has a file of its own.
run 0 diagonal R --samples 7 --seed 2 --json
json out 'applications.jvp=0' 'spent.jvp=7' 'made.version:string'
cp R/diagonal.h5 first.h5
run 0 diagonal R --samples 7 --seed 3 --from 5 --json
json out 'applications.jvp>0' 'part.from=5'
cmp -s first.h5 R/diagonal.h5 || fail "another question changed diagonal.h5"
[ "$(find R -name 'diagonal*.h5' | wc -l)" -eq 2 ] || fail "there are not two results"

# The entries are those of the matrix: all of them have its trace as their sum.
run 0 trace R --products 310 --json
trace=$("$jsonkeys" --print out value)
run 0 diagonal R --samples 1000 --json
json out 'samples=310'
mean=$("$jsonkeys" --print out mean)
awk -v t="$trace" -v m="$mean" 'BEGIN { d = 310 * m - t; exit !(d * d <= 1e-18 * t * t) }' ||
    fail "310 entries of mean $mean do not sum to the trace $trace"

# The table is made from the schema, in the terminal and on the page.
run 0 diagonal R --samples 7 --seed 2
contains out mean spread coordinate entry 'this is the stored result'
run 0 report R
contains R/report.html diagonal 'random coordinates'
run 0 info R
contains out diagonal.h5 'diagonal from 0 to 20 samples 7'
run 0 info R --json
contains out '"diagonal.h5"'
mkdir tables
run 0 export R diagonal -o tables
[ "$(wc -l < tables/diagonal-entry.csv)" -eq 7 ] || fail "the exported entries are not 7"
contains tables/diagonal-attributes.csv 'samples,7'
finish
