#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-density.sh: spectraj density and trace on a shortened digits run: 310 parameters, 20 steps.
. "$(dirname "$0")/cli-lib.sh"
N=310

short_config short.yaml '/^analysis:/,$d'
run 0 train short.yaml -o R
run 0 dense R --json
mv out dense.json

# between JSON PATH: the true count lies in the enclosure.
enclosed()
{
    for region in chaotic bulk stable; do
        truth=$("$jsonkeys" --print "$2" regions.$region)
        low=$("$jsonkeys" --print "$1" regions.$region.enclosure_low)
        high=$("$jsonkeys" --print "$1" regions.$region.enclosure_high)
        awk -v l="$low" -v t="$truth" -v h="$high" 'BEGIN { exit !(l <= t && t <= h) }' ||
            fail "$region: $truth is not in $low .. $high"
    done
}

# The counts, with every promised key.
run 0 density R --probes 4 --steps 30 --json
silent
json out schema=1 n_params=$N epsilon=0.1 confidence=0.95 probes=4 steps=30 \
    applications.jvp=120 applications.vjp=120 applications.replayed=0 'seconds>0' stop=converged \
    seed=0 reorthogonalize=full known.deflated=0 curve#0 between#0 functionals.floor
for region in chaotic bulk stable; do
    for key in estimate low high enclosure_low enclosure_high; do
        json out regions.$region.$key
    done
done
mv out density.json
enclosed density.json dense.json
awk -v a="$("$jsonkeys" --print density.json regions.chaotic.estimate)" \
    -v b="$("$jsonkeys" --print density.json regions.bulk.estimate)" \
    -v c="$("$jsonkeys" --print density.json regions.stable.estimate)" -v n=$N \
    'BEGIN { d = a + b + c - n; exit !(d < 1e-9 && d > -1e-9) }' || fail "the counts do not sum to $N"
[ ! -e R/density.journal ] || fail "the journal of a complete result was left behind"

# The same again costs nothing and says the same.
run 0 density R --probes 4 --steps 30 --json
json out applications.jvp=0 applications.vjp=0 \
    "regions.bulk.estimate=$("$jsonkeys" --print density.json regions.bulk.estimate)" \
    "regions.bulk.low=$("$jsonkeys" --print density.json regions.bulk.low)"
run 0 density R --probes 4 --steps 30
contains out chaotic bulk stable enclosure 'stored result' 'sum of log sigma'

# Bases in files: the same bits, and nothing left in the folder.
mkdir scratch
run 0 density R --probes 4 --steps 30 --scratch scratch --tag disk --json
for key in estimate low high; do
    json out "regions.bulk.$key=$("$jsonkeys" --print density.json regions.bulk.$key)"
done
[ -z "$(ls -A scratch)" ] || fail "a scratch file was left behind"
run 1 density R --probes 4 --steps 31 --scratch nowhere --tag nowhere
contains err nowhere 'scratch files'

# Other questions to the same quadrature cost nothing either.
run 0 dense R --epsilon 0.3 --json
mv out dense3.json
run 0 density R --probes 4 --steps 30 --epsilon 0.3 --confidence 0.8 --curve 7 --edges 0,0.5,2,inf \
    --gap --json
json out applications.jvp=0 epsilon=0.3 confidence=0.8 curve#7 between#3 'curve[6].epsilon=0.9' \
    'between[0].from=0' 'between[2].to=null' 'between[1].count.estimate>0' gap.found
enclosed out dense3.json
run 0 density R --probes 4 --steps 30 --curve 3 --edges 0.5,2 --gap
contains out 'bulk within' '0.5 to 2' gap

# Other settings are never taken for the stored ones; --force computes again.
run 0 density R --probes 4 --steps 31 --tag more --json
json out applications.jvp=124
run 0 density R --probes 4 --steps 30 --seed 5 --tag seed --json
json out applications.jvp=120 seed=5
run 0 density R --probes 4 --steps 30 --force --json
json out applications.jvp=120 applications.replayed=0
run 0 density R --probes 2 --steps 10 --to 10 --tag window --json
json out applications.jvp=10

# A budget is a result; what it paid for serves the next request.
run 2 density R --probes 4 --steps 30 --max-applications 97 --tag budget --json
silent
json out stop=max_applications applications.jvp=48 applications.vjp=48 steps=12
run 0 density R --probes 4 --steps 30 --tag budget --json
json out stop=converged applications.jvp=120 applications.replayed=96 \
    "regions.bulk.estimate=$("$jsonkeys" --print density.json regions.bulk.estimate)"
run 2 density R --probes 2 --steps 4 --tolerance 0.001 --max-applications 100 --tag tolerance --json
json out stop=max_applications
run 0 density R --probes 2 --steps 10 --tolerance 0.5 --tag tolerant --json
json out stop=converged

# What svd has found is taken out, unless that is not wanted.
run 0 svd R --top 6
run 0 density R --probes 4 --steps 30 --tag deflated --json
json out known.deflated=6 'known.missed_above.sigma>1' known.missed_below.sigma=null
enclosed out dense.json
run 0 density R --probes 4 --steps 30 --tag plain --no-deflation --json
json out known.deflated=0

# The pairs beyond a threshold are looked for with the density's count of them, and held against it.
for region in chaotic stable; do
    case $region in
        chaotic) end=top beyond='--above 1.1' ;;
        stable) end=bottom beyond='--below 0.9' ;;
    esac
    # shellcheck disable=SC2086
    run 0 svd R $beyond --tag $region --json
    json out "$end.requested=$("$jsonkeys" --print dense.json regions.$region)" stop=converged
done
run 0 svd R --above 1.1 --tag chaotic --json
json out top.density.agrees=true 'top.density.low>0' 'top.density.high<200' 'top.residual_excess<1'
run 0 svd R --above 1.1 --tag chaotic
contains out 'above 1.1: '

# Ways to save memory.
run 0 density R --probes 4 --steps 30 --reorthogonalize one-sided --tag one --json
json out reorthogonalize=one-sided
run 0 density R --probes 4 --steps 30 --reorthogonalize none --tag none --json
json out reorthogonalize=none

# Refusals.
refused "--epsilon is '0', not a number above 0 and below 1" density R --epsilon 0
refused "--epsilon is '1', not a number above 0 and below 1" density R --epsilon 1
refused "--confidence is '1', not a number above 0 and below 1" density R --confidence 1
refused "--probes is '0', not an integer of at least 1" density R --probes 0
refused "--steps is '0', not an integer of at least 1" density R --steps 0
refused 'edge|overlap' density R --tag overlap --edges 1,0.5
refused '1 edges' density R --tag overlap --edges 1
[ ! -e R/density-overlap.h5 ] || fail "regions were refused after the work was done"
refused "edges is '1,x'|'x' is not a number" density R --edges 1,x
refused "'ful'|'full'" density R --reorthogonalize ful
run 0 train short.yaml -o S --seed 9
cp R/density.h5 S/density.h5
refused 'density.h5|fingerprint|--force' density S --probes 4 --steps 30
head -c 4000 R/density.h5 > S/density.h5
refused 'density.h5|--force' density S --probes 4 --steps 30

# trace
run 0 trace R --json
silent
json out schema=1 n_params=$N function=trace method=xtrace products=100 samples=50 'error>0' \
    applications.jvp=100 applications.vjp=0 low high confidence=0.95 seed=0 'seconds>0'
mv out trace.json
run 0 trace R --json
json out applications.jvp=0 "value=$("$jsonkeys" --print trace.json value)"
run 0 trace R
contains out 'tr J' 'stored result'
run 0 trace R --products $N --json --tag exact
json out method=exact error=0
awk -v e="$("$jsonkeys" --print out value)" -v v="$("$jsonkeys" --print trace.json value)" \
    -v s="$("$jsonkeys" --print trace.json error)" \
    'BEGIN { d = v - e; d = d < 0 ? -d : d; exit !(d < 5 * s) }' ||
    fail "the trace is more than five standard errors off"
for method in xtrace hutch++ hutchinson; do
    run 0 trace R --function frobenius --method $method --products 60 --json
    json out function=frobenius "method=$method" 'value>0' products=60
done
run 0 trace R -f deviation -n 60
contains out 'J - I'
run 0 trace R --method help
contains out xtrace hutchinson
refused "'xtrase'|xtrace" trace R --method xtrase
refused 'products is 3|at least 4' trace R --products 3
refused "'norm'" trace R --function norm
run 0 info R --json
json out 'results[0]=dense.h5'
contains out trace-trace.h5 density-deflated.h5

# run: what the config asks for, the density after the pairs that it can deflate.
short_config asks.yaml 's/  dense: {}/  density: {probes: 3, steps: 12, epsilon: 0.2}/'
run 0 run asks.yaml -o A --json
json out svd.top.requested=6 dense=null density.probes=3 density.steps=12 density.epsilon=0.2 \
    'density.known.deflated>5' density.applications.jvp=36
run 0 run asks.yaml -o A
contains out 'largest singular values' 'counted with 3 probes' 'stored result'

finish
