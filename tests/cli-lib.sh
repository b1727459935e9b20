# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-lib.sh: what the tests of the command share; they source it.
#
# Each runs in a folder of its own, counts what failed, and ends with `finish`.
set -u
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
spectraj=${SPECTRAJ:-$top_builddir/spectraj}
jsonkeys=$top_builddir/tests/jsonkeys
digits=$top_srcdir/examples/digits
# Tests run beside each other: a thread that waits must not spin.
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export OMP_WAIT_POLICY
# A shell that controls no jobs lets its background commands ignore SIGINT, unless this is in front of them.
heed=
env --default-signal=INT true 2> /dev/null && heed='env --default-signal=INT'
failures=0
command_line=
status=0

[ -x "$spectraj" ] || { echo "$spectraj was not built"; exit 99; }
[ -x "$jsonkeys" ] || { echo "$jsonkeys was not built (make check builds it)"; exit 99; }
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 99

# edit SCRIPT FILE: sed in place, which not every sed can.
edit()
{
    sed "$1" "$2" > "$2.edited" && mv "$2.edited" "$2"
}

# timeout -s KILL SECONDS COMMAND, where the system has none.
command -v timeout > /dev/null || timeout()
{
    shift 2
    perl -e 'alarm shift; exec @ARGV' "$@"
}

# python_numpy: a python3 that has numpy; nothing where there is none.
python_numpy()
{
    for one in "${PYTHON:-python3}" /usr/bin/python3; do
        "$one" -c 'import numpy' 2> /dev/null && echo "$one" && return
    done
}

# drawing COMMAND: what needs gnuplot; nothing where there is none.
drawing()
{
    command -v gnuplot > /dev/null || return 0
    "$@"
}

# now: seconds, with what is behind the point where date has it.
now()
{
    date +%s.%N | sed 's/\.%*N$//'
}

fail()
{
    echo "FAIL: $1"
    [ -z "$command_line" ] || echo "  command: spectraj $command_line (exit status $status)"
    [ ! -s err ] || sed 's/^/  stderr: /' err
    failures=$((failures + 1))
}

# run WANTED ARGUMENT...: the command, with what it prints in `out` and `err`.
run()
{
    wanted=$1
    shift
    command_line=$*
    "$spectraj" "$@" > out 2> err
    status=$?
    [ "$status" -eq "$wanted" ] || fail "exit status $status instead of $wanted"
}

# interrupt_at JOURNAL BYTES ARGUMENT...: the command, interrupted when its journal is larger than that; $status is its status.
interrupt_at()
{
    watched=$1
    most_bytes=$2
    shift 2
    $heed "$spectraj" "$@" > out 2> err &
    child=$!
    while kill -0 $child 2> /dev/null; do
        [ -e "$watched" ] && [ "$(wc -c < "$watched")" -gt "$most_bytes" ] && break
        sleep 0.01
    done
    kill -INT $child 2> /dev/null
    wait $child
    status=$?
}

# The last run said nothing on standard error.
silent()
{
    [ ! -s err ] || fail "something was printed on standard error"
}

# unfold FILE: rows of info that go on in indented lines below become one line each.
unfold()
{
    awk '/^      / && NR > 1 { sub(/^ */, ""); printf " %s", $0; next }
         { printf "%s%s", (NR > 1 ? "\n" : ""), $0 } END { print "" }' "$1" > "$1.rows"
    mv "$1.rows" "$1"
}

# contains FILE TEXT...: each is somewhere in the file.
contains()
{
    file=$1
    shift
    for text in "$@"; do
        grep -qF -e "$text" "$file" || fail "'$text' is not in $file"
    done
}

# refused 'TEXT|TEXT...' ARGUMENT...: exit status 1, nothing on standard output, and one line on
# standard error with each TEXT in it.
refused()
{
    texts=$1
    shift
    run 1 "$@"
    [ ! -s out ] || fail "something was printed on standard output"
    one_line
    ifs=$IFS
    IFS='|'
    set -f
    for part in $texts; do
        contains err "$part"
    done
    set +f
    IFS=$ifs
}

# Standard error has one line, of the command.
one_line()
{
    [ "$(wc -l < err)" -eq 1 ] || fail "standard error has $(wc -l < err) lines instead of 1"
    grep -q '^spectraj: .' err || fail "the line does not begin with 'spectraj: '"
}

# json FILE CONDITION...: see jsonkeys.c.
json()
{
    "$jsonkeys" "$@" > jsonkeys.out || { cat jsonkeys.out; fail "conditions on $1"; }
}

# no_files RUN: the folder is absent or empty.
no_files()
{
    [ ! -e "$1" ] || [ -z "$(find "$1" ! -type d)" ] ||
        fail "$1 holds $(find "$1" ! -type d | tr '\n' ' ')"
}

# short_config FILE [SED SCRIPT]...: a network of 310 parameters and 20 steps on the digits data; the
# scripts change it.
short_config()
{
    file=$1
    shift
    cat > "$file.tmp" <<END
data:
  train: {file: $digits/digits.csv.gz, rows: $digits/train_rows.txt, label_column: 64, scale: 0.0625}
  test: {file: $digits/digits.csv.gz, rows: $digits/test_rows.txt, label_column: 64, scale: 0.0625}
network:
  input: [64]
  layers:
    - {type: dense, units: 4}
    - {type: gelu}
    - {type: dense, units: 10}
  loss: softmax_cross_entropy
init: {seed: 3}
training:
  optimizer: {type: sgd, momentum: 0.9}
  learning_rate: {schedule: cosine, peak: 0.1}
  batch_size: 64
  steps: 20
analysis:
  svd: {top: 6}
  dense: {}
END
    for script in "$@"; do
        sed "$script" "$file.tmp" > "$file.new"
        cmp -s "$file.new" "$file.tmp" && { echo "sed '$script' changes nothing"; exit 99; }
        mv "$file.new" "$file.tmp"
    done
    mv "$file.tmp" "$file"
}

finish()
{
    [ "$failures" -eq 0 ] && exit 0
    echo "$failures checks failed"
    exit 1
}
