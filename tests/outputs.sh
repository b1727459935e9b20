#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/outputs.sh: what every command does when its output goes to a full disk, to a reader that stops
# reading, or to a file; and the commands of README.md, which must run as they stand there.
. "$(dirname "$0")/cli-lib.sh"

# The README's commands, in its order: lines of a code block that begin with spectraj, or with `$ spectraj`.
mkdir -p examples/digits
SPECTRAJ_EXAMPLES=$top_srcdir/examples
export SPECTRAJ_EXAMPLES
short_config digits.yaml '/^analysis:/,$d' 's/steps: 20/steps: 120/'
mv digits.yaml examples/digits/digits.yaml
sed -n -e 's/^    \$ spectraj/spectraj/p' -e 's/^    spectraj /spectraj /p' "$top_srcdir/README.md" > all
{ grep '^spectraj train' all; grep -v '^spectraj train' all; } > commands
command -v gnuplot > /dev/null || edit '/--terminal/d' commands
[ "$(wc -l < commands)" -ge 5 ] || fail "README.md has only $(wc -l < commands) commands"
while read -r line; do
    # shellcheck disable=SC2086
    run 0 ${line#spectraj }
done < commands

# Every command that prints, on results that are there: nothing is computed again.
run 0 density digits-run --probes 2 --steps 10
run 0 trace digits-run
run 0 study alignment digits-run
# The report names the commands that made the results: each finds its own result again.
run 0 report digits-run
sed -n '/To reproduce/,/<\/pre>/p' digits-run/report.html | sed -n 's/^spectraj \(.*\)/\1/p' |
    grep -v -e '^train' -e '^report' | sed 's/RUN/digits-run/' > made
[ "$(wc -l < made)" -ge 5 ] || fail "the report names only $(wc -l < made) commands"
while read -r line; do
    # shellcheck disable=SC2086
    run 0 $line
    contains out 'stored result'
done < made

cat > printing <<'END'
help
help --man
help --man svd
help --completion
help config
--version
svd --help
svd --method help
info digits-run
info digits-run --json
plan digits-run
plan digits-run --json
svd digits-run --top 3
svd digits-run --top 3 --json
density digits-run --probes 2 --steps 10
trace digits-run --json
dense digits-run
study alignment digits-run
study alignment digits-run --json
plot digits-run --data
plot digits-run density --data
plot digits-run --terminal
validate digits-run --json
END
command -v gnuplot > /dev/null || edit '/--terminal/d' printing

# On a terminal: a bar with the numbers and the time left, which is wiped out at the end; with --progress plain and
# with --quiet none.  A bar comes with work of a tenth of a second.
if script -qec true /dev/null < /dev/null > /dev/null 2>&1; then
    bar='\[#*\.*\] [0-9]*/[0-9]*'
    on_terminal() { TERM=xterm script -qec "'$spectraj' $*" /dev/null < /dev/null > out 2> err; }
    on_terminal svd digits-run --top 60 --tol 1e-13 --tag terminal ||
        fail "svd on a terminal: exit status $?"
    short_config long.yaml '/^analysis:/,$d' 's/steps: 20/steps: 1500/'
    run 0 train long.yaml -o long-run
    on_terminal dense long-run --force || fail "dense on a terminal: exit status $?"
    grep -q "$bar.*left" out || fail "no bar of dense on a terminal"
    grep -q "$(printf '\r\033')\[K" out || fail "the bar stays"
    # Pairs that have converged and products of how many, in no more columns than there are.
    TERM=xterm script -qec "stty cols 36; '$spectraj' svd long-run --method arpack --top 8 --tag narrow" /dev/null \
        < /dev/null > out 2> err || fail "svd on a narrow terminal: exit status $?"
    tr '\r' '\n' < out | sed "s/$(printf '\033')\[K.*//" | grep '([0-9]* of 8)' > drawn
    grep -q '([0-9]* of 8)  *[0-9]*/[0-9]*' drawn || fail 'no products and pairs on a narrow terminal'
    awk 'length > 35 { exit 1 }' drawn || fail "wider than the terminal: $(awk 'length > 35' drawn | head -1)"
    for quiet in '--progress off' --quiet '--progress plain'; do
        on_terminal dense long-run --force "$quiet" || fail "dense $quiet: exit status $?"
        if grep -q "$bar" out; then fail "a bar in spite of $quiet"; fi
    done
    # In a log: lines with a date, the first at once.
    run 0 dense long-run --force --progress plain
    grep -Eq '^spectraj: [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} dense Jacobian [0-9]+/[0-9]+' err ||
        fail '--progress plain has no dated line'
    drawing on_terminal plot digits-run --terminal || fail "plot --terminal: exit status $?"
fi

full=0
[ -e /dev/full ] && full=1
while read -r line; do
    # To a file: nothing of a progress bar, and nothing on standard error that is not a message.
    # shellcheck disable=SC2086
    run 0 $line
    silent
    if grep -q "$(printf '[\033\r]')" out; then
        fail "$line: control characters in a file"
    fi
    # To a reader that leaves: ended by the signal, quietly, or by one line.
    command_line="$line | true"
    # shellcheck disable=SC2086
    { "$spectraj" $line 2> err; echo $? > status; } | :
    case $(cat status) in
        0 | 1 | 141) ;;
        *) fail "exit status $(cat status)" ;;
    esac
    [ "$(wc -l < err)" -le 1 ] || fail "more than one line on standard error"
    # To a full disk.
    [ "$full" -eq 1 ] || continue
    command_line="$line > /dev/full"
    # shellcheck disable=SC2086
    "$spectraj" $line > /dev/full 2> err
    status=$?
    [ "$status" -eq 1 ] || fail "exit status $status instead of 1"
    one_line
done < printing
finish
