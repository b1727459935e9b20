#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# bench/bottom.sh: what the smallest singular values cost, as the table of docs/bottom.md.
#
#   sh bench/bottom.sh RUN...
#
# For each run: the truth, where RUN/dense.h5 is there, and for each method and budget the work and the
# bounds, the worst over the seeds.  Each bound is checked against the truth.  In the environment:
# K (20), BUDGETS ("200 350 500 800 1200 1600"), SEEDS ("0 1 2"), METHODS ("arnoldi"), SPECTRAJ, JSONKEYS.
set -eu
spectraj=${SPECTRAJ:-./spectraj}
jsonkeys=${JSONKEYS:-tests/jsonkeys}
k=${K:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The values of a JSON file's array, one per line, of indices $3 .. $4.
values()
{
    i=$3
    while [ "$i" -le "$4" ]; do
        echo "$("$jsonkeys" --print "$1" "$2[$i]")"
        i=$((i + 1))
    done
}

row() { printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$@"; }

# summary FILE: 1st, 10th and 20th of sorted values, those under 1e-3 and under 0.1.
summary()
{
    awk '{ s[NR] = $1
           small += ($1 < 1e-3); tenth += ($1 < 0.1) }
         END { printf "%.2g %s %.2g %d %d\n", s[1], (NR >= 10 ? sprintf("%.2g", s[10]) : "-"), s[NR], small,
               tenth }' "$1"
}

# The larger of two columns of bounds, line by line.
worse() { paste "$1" "$2" | awk '{ print ($1 > $2 ? $1 : $2) }'; }

truth_of()
{
    [ -e "$1/dense.h5" ] || return 1
    "$spectraj" dense "$1" --json > "$work/dense.json" 2> "$work/err"
    n=$("$jsonkeys" --print "$work/dense.json" n_params)
    values "$work/dense.json" sigma $((n - k)) $((n - 1)) | sort -g > "$work/truth"
    row "(truth: dense)" "$n" "$n" $(summary "$work/truth")
}

# No bound lies below the value it bounds, to what double precision can tell.
check()
{
    floor=$("$jsonkeys" --print "$1" bottom.floor)
    paste "$work/bounds" "$work/truth" | awk -v f="$floor" '$1 < $2 - f { bad = 1 } END { exit bad }' || {
        echo "bottom.sh: a bound lies below the true value" >&2
        exit 1
    }
}

# solve RUN METHOD BUDGET: all seeds.
solve()
{
    rm -f "$work/worst"
    cost=0
    for seed in ${SEEDS:-0 1 2}; do
        "$spectraj" svd "$1" --bottom "$k" --method "$2" --max-applications "$3" --seed "$seed" \
            --tag bench-bottom --force --json > "$work/svd.json" 2> "$work/err" || [ $? -eq 2 ] || {
            cat "$work/err" >&2
            exit 1
        }
        values "$work/svd.json" bottom.sigma_bound 0 $((k - 1)) > "$work/bounds"
        [ ! -e "$work/truth" ] || check "$work/svd.json"
        [ -e "$work/worst" ] || cp "$work/bounds" "$work/worst"
        worse "$work/bounds" "$work/worst" > "$work/both"
        mv "$work/both" "$work/worst"
        cost=$({
            echo "$cost"
            echo "$("$jsonkeys" --print "$work/svd.json" applications.jvp)"
            echo "$("$jsonkeys" --print "$work/svd.json" applications.vjp)"
        } | awk 'NR == 1 { most = $1 } NR > 1 { sum += $1 } END { printf "%.0f", (sum > most ? sum : most) }')
    done
    row "$2" "$3" "$cost" $(summary "$work/worst")
    rm -f "$1/svd-bench-bottom.h5"
}

for run in "$@"; do
    printf '\n%s, the worst of seeds %s:\n\n' "$(basename "$run")" "${SEEDS:-0 1 2}"
    row method budget cost 1st 10th "${k}th" "< 1e-3" "< 0.1"
    row --- --- --- --- --- --- --- ---
    rm -f "$work/truth"
    truth_of "$run" || true
    for method in ${METHODS:-arnoldi}; do
        for budget in ${BUDGETS:-200 350 500 800 1200 1600}; do
            solve "$run" "$method" "$budget"
        done
    done
done
