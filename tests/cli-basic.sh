#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-basic.sh: the command line itself: help, usage errors, exit status, standard streams.
. "$(dirname "$0")/cli-lib.sh"

commands="init train info svd density trace dense validate study plot report export run"
common="json progress verbose quiet help"

# What each command's options are; the help and the parser come from one table, this is the promise.
options_of()
{
    case $1 in
        train) echo "output set seed threads allow-problem-command ranks-per-product force accept-deviation continue steps learning-rate" ;;
        info) echo "set memory allow-problem-command" ;;
        svd) echo "top bottom above below certify ncv tol method block of max-applications max-seconds monitor from to at to-end layers state precision seed memory" \
            "threads allow-problem-command ranks-per-product tag force" ;;
        density) echo "epsilon confidence probes steps tolerance reorthogonalize scratch no-deflation edges" \
            "curve gap of max-applications max-seconds from to at to-end layers state precision seed memory threads allow-problem-command ranks-per-product tag force" ;;
        trace) echo "function method products confidence of from to at to-end layers state precision seed memory threads allow-problem-command ranks-per-product tag force" ;;
        dense) echo "epsilon from to at to-end layers state precision memory threads allow-problem-command ranks-per-product tag force" ;;
        validate) echo "dense-limit from to layers state precision seed memory threads allow-problem-command ranks-per-product" ;;
        study) echo "seed memory threads allow-problem-command ranks-per-product tag force" ;;
        plot) echo "output with tags terminal data width height font no-title log-x log-y script index tensor side tag" ;;
        report) echo "output" ;;
        export) echo "output csv npy" ;;
        init) echo "output force" ;;
        run) echo "output set seed memory threads allow-problem-command ranks-per-product force accept-deviation" ;;
    esac
}

run 0 --version
silent
contains out "spectraj " OpenBLAS HDF5
run 0 --help
silent
run 0 help
for command in $commands; do
    contains out "  $command "
done

for command in $commands; do
    run 0 "$command" --help
    silent
    mv out by-option
    run 0 help "$command"
    cmp -s out by-option || fail "'help $command' and '$command --help' differ"
    contains out "Usage: spectraj $command " "Options:" "Exit status:" "130  interrupted" "Example:"
    grep -q "^  spectraj $command " out || fail "the example of $command does not use it"
    [ "$(awk 'length > 80' out | wc -l)" -eq 0 ] || fail "the help of $command is wider than 80"
    for option in $(options_of "$command") $common; do
        grep -q -e "--$option\( \|\$\)" out || fail "--$option is not in the help of $command"
        # The parser knows it: with --help at the end nothing is done.
        "$spectraj" "$command" "--$option" > /dev/null 2> err < /dev/null
        if grep -q 'unknown option' err; then
            fail "$command does not know --$option"
        fi
    done
    listed=$(grep -c '^  \(-[a-zA-Z],\|   \) --[a-z]' out)
    expected=$(for name in $(options_of "$command") $common; do echo "$name"; done | wc -l)
    [ "$listed" -eq "$expected" ] || fail "$command lists $listed options instead of $expected"
done

# The options of an analysis in groups.
run 0 svd --help
awk '/^ What:/ { g = 1 } /^ Window/ { g = 2 } /^ Budget:/ { g = 3 } /^ Output:/ { g = 4 } /^Exit/ { exit 0 }
    /^  .*--top K/ { if (g != 1) exit 1 } /^  .*--from STEP/ { if (g != 2) exit 1 }
    /^  .*--max-seconds/ { if (g != 3) exit 1 } /^  .*--memory SIZE/ { if (g != 3) exit 1 }
    /^  .*--monitor/ { if (g != 4) exit 1 } /^  .*--json / { if (g != 4) exit 1 }' out || fail 'the groups of svd --help'

# Usage errors: one line, with the remedy.
refused 'no command|--help'
refused "no command 'trian'|did you mean 'train'" trian
refused "no command 'frobnicate'|--help" frobnicate
refused "did you mean 'dense'" help desne
refused "unknown option '--tpo'|did you mean '--top'" svd R --tpo 3
refused "unknown option '--colour'" svd R --colour
refused "unknown option '-x'" svd R -x
refused "option '--json' takes no value" svd R --json=yes
refused "option '--top' needs a value" svd R --top
refused 'too few arguments|RUN' svd
refused 'too few arguments|CONFIG' train -o R
refused "'--output RUN' is missing" train config.yaml
refused "unexpected argument 'again'" svd R again
refused "--top is 'many', not an integer of at least 0 and at most 1000000000" svd R --top many
refused "--top is '-3'" svd R --top -3
refused "--top is '-1', not an integer of at least 0" svd R --top -1
refused "--top is '3.5'" svd R --top 3.5
refused "--top is empty, not an integer" svd R --top ''
refused "--top is '99999999999999999999'" svd R --top 99999999999999999999
refused "--tol is 'nan', not a number" svd R --tol nan
refused "--tol is '0x1p-3'" svd R --tol 0x1p-3
refused "--tol is '0', not a number above 0 and below 1" svd R --tol 0
refused "--epsilon is '1', not a number above 0 and below 1" dense R --epsilon 1
refused "--memory is '8X'|8G" svd R --memory 8X
refused "--memory is '99999999T'" svd R --memory 99999999T
refused "--seed is '18446744073709551616'" svd R --seed 18446744073709551616
run 0 trace --help
contains out 'seed of the random vectors (default: 0)'
run 0 validate --help
contains out 'seed of every random number (default: 0)'
refused "--seed is '18446744073709551616'" validate R --seed 18446744073709551616
refused "--seed is '-1'" validate R --seed -1
refused "--threads is '0', not an integer of at least 1 and at most 4096" validate R --threads 0
refused "--progress is 'plan', not one of auto, plain, off|did you mean 'plain'" svd R --progress plan
refused "--tag is empty, not a text" svd R --tag ''
refused "--method is 'arpak', not one of|did you mean 'arpack'" svd R --method arpak
refused "--terminal and --output" plot R -t -o figure.svg
refused "--terminal and --json" plot R -t --json
refused "--terminal and --data" plot R -t --data
refused "no figure 'spectrun'; did you mean 'spectrum'" plot R spectrun
refused "no figure 'xyz', but spectrum, density, |see spectraj plot RUN help" plot R xyz
refused "no study 'nostudy', but alignment, " study nostudy R
refused "no option '--verson'; did you mean '--version'?" --verson
refused "no option '--frob', but --help, --version" --frob
refused "--tol is '0,1', not a number|decimals stand behind a point" svd R --tol 0,1
refused "--above is '1e400', not a number above 0 and at most 1e300" svd R --above 1e400
refused 'does-not-exist' info does-not-exist
refused 'does-not-exist' info --json does-not-exist

# What needs no run.
run 0 help --help
contains out 'Usage: spectraj help' '--completion'
run 0 plot --help
contains out 'use the result that is stored under this name'
run 0 init --help
contains out 'replace the file if it exists'
run 0 train --help
contains out 'train again and replace'
run 0 svd --method help
silent
contains out arpack
run 0 svd --state help
contains out theta full
refused 'too few arguments' svd --top 3 --top 4
run 0 plot R help
contains out spectrum loss

# Streams: what cannot be written is an error, and a closed one never becomes a file of ours.
command_line="--help > /dev/full"
if [ -e /dev/full ]; then
    "$spectraj" --help > /dev/full 2> err
    status=$?
    [ "$status" -eq 1 ] || fail "a full device gave exit status $status"
    one_line
    contains err 'standard output'
fi
command_line="--help >&-"
"$spectraj" --help >&- 2> err
status=$?
[ "$status" -eq 1 ] || fail "a closed standard output gave exit status $status"
one_line
finish
