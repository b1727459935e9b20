#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/odd-inputs.sh: small inputs that once went wrong, or might have: repeated singular values, values below rounding,
# derivatives that differences hardly reach, data files as other programs write and damage them, names, sizes.  Each folder of
# odd-inputs/ has its files and the commands to be run; here is what has to come: the exit status, and a pattern that the
# output has, or has not (!).
. "$(dirname "$0")/cli-lib.sh"

folder=$top_srcdir/tests/odd-inputs
mkdir -p bin
printf '#!/bin/sh\nexec "%s" "$@"\n' "$spectraj" > bin/spectraj
chmod +x bin/spectraj
PATH=$PWD/bin:$PATH

expect()
{
    name=$1
    wanted=$2
    shift 2
    rm -rf case
    cp -r "$folder/$name" case
    chmod -R u+w case
    (cd case && bash -c "$(cat commands)" > ../said 2>&1)
    got=$?
    [ "$got" -eq "$wanted" ] || fail "$name: exit status $got instead of $wanted: $(tail -n 2 said)"
    for pattern; do
        case $pattern in
            !*) ! grep -q -E -e "${pattern#!}" said || fail "$name says ${pattern#!}" ;;
            *) grep -q -E -e "$pattern" said || fail "$name does not say $pattern: $(tail -n 2 said)" ;;
        esac
    done
}

# Repeated values: all copies, as the whole matrix has them.
expect rep-above-10 0 '10 of 10 converged' '^ +10 +3 '
expect rep-linreg 0 '^ +3 +0\.356871878 '
expect rep-softmax-top 0 '3 of 3' '8 of 8' '^ +8 +1 ' '!0\.99788'
expect rep-top-rand 0 '^ +3 +0\.997209936 ' '^ +4 +0\.9950965'
expect rep-residual-net 0 '20 of 20 converged' '^passed'
expect identity 0 '3 of 3' '20 of 20' '^passed'
expect identity-above-1 0 'above 1: 0, and 20 within' '!DISAGREES'

# Beyond the rounding of the largest.
expect density-1e14 0 '^chaotic .* 100\.0 ' 'ROUNDING'
expect dense-1e16 0 'NOT KNOWN'
expect dense-1e17 0 'NOT KNOWN'
expect zeroinit-adam-density 0 'NOT KNOWN' 'ROUNDING'

# Validation of derivatives that are right, or are not there.
expect zero 0 'J is zero' '^passed'
expect zero-to-rounding 2 'J is below the rounding of a step' '^passed'
expect zerohead-adam 0 '^passed' '!switch'
expect zerohead-rmsprop 0 '^passed' '!switch'
expect warmup-all 0 '^passed'
expect adam-eps0 1 'has no derivative'
expect bn-one-row 1 'one row for its statistics'

# Data files.
for name in csv-blank-end csv-heading-comma csv-number-headings csvgz-two-members h5-gzip-shuffle-fletcher-be h5-soft-link \
    rows-bom safetensors-empty-meta-bf16; do
    expect $name 0 '(^|[^0-9])8 rows'
done
expect csvgz-second-member 1 'the file is damaged'
expect csvgz-zeroed-tail 1 'zeros follow the end of its packed data'
expect h5-lzf 1 'the filter lzf'
expect npy-gz 1 'packed with gzip, which is not read'
expect npz-duplicate-member 0 "holds 2 arrays 'x'"
expect images-nchw 3 'the array is 8 x 3 x 4 x 4, network.input says 4 x 4 x 3' 'images of 4 channels, .* of 3 channels' '^train loss'

# Names.
expect layer-name-comma 1 'without blanks, commas and control characters'
expect layer-name-of-label 1 "two layers are called 'dense0'"
expect layer-name-escape 1 '!033'

# Sizes, and data that moved.
expect plan-huge 1 '2147483647 that the integers'
expect steps-1e8-memory 0 '^train '
expect moved-data 0 'svd\.h5' '!cannot open'
finish
