#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/kills.sh: `kill -9` at random moments, of the command that finds singular pairs.
#
# A run of the digits example is killed KILLS times (20) at moments drawn from SEED (1); after each the journal of
# products must hold no less than before, and at the end the same command must give the same bits as one that
# nobody disturbed, with as many products in all: none was lost and none computed twice.
# Run by `make check-kills`; takes some minutes.
. "$(dirname "$0")/cli-lib.sh"
kills=${KILLS:-20}
seed=${SEED:-1}

size_of() { wc -c < "$1" 2> /dev/null || echo 0; }

# try NAME ARGUMENT...: as above, for `spectraj svd RUN --tag victim ARGUMENT...`.
try()
{
    name=$1
    shift
    "$spectraj" svd RUN --tag calm "$@" --json > calm.json 2> err
    calm_status=$?
    # Delays from 0 to a sixteenth of the calm time: each run gets some way further, most kills come in time.
    awk -v n="$kills" -v seed="$seed" -v t="$("$jsonkeys" --print calm.json seconds)" \
        'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.3f\n", rand() * t / 16 }' > delays
    before=0
    killed=0
    while read -r delay; do
        "$spectraj" svd RUN --tag victim "$@" --json > out 2> err < /dev/null &
        victim=$!
        sleep "$delay"
        kill -9 $victim 2> /dev/null
        wait $victim 2> /dev/null
        status=$?
        [ "$status" -ne "$calm_status" ] || break # it had finished
        killed=$((killed + 1))
        now=$(cat RUN/svd-victim*.journal | wc -c)
        # A record that was being written may be torn, and is dropped by the next run.
        [ "$((now + 200000))" -ge "$before" ] || fail "$name: the journal went from $before to $now bytes"
        before=$now
    done < delays
    [ "$status" -eq "$calm_status" ] || run $calm_status svd RUN --tag victim "$@" --json
    for key in top.sigma top.residual top.cosine bottom.sigma_bound bottom.residual bottom.cosine; do
        "$jsonkeys" calm.json "$key#0" > /dev/null && continue
        "$jsonkeys" --compare calm.json $key out $key 0 || fail "$name: $key has other bits"
    done
    for key in applications.jvp applications.vjp; do
        [ "$("$jsonkeys" --print calm.json $key)" = "$("$jsonkeys" --print out $key)" ] ||
            fail "$name: $key is $("$jsonkeys" --print out $key) instead of $("$jsonkeys" --print calm.json $key)"
    done
    json out 'applications.replayed>0'
    echo "$name: $killed of $kills killed, $("$jsonkeys" --print out applications.replayed) products from the journal," \
        "$("$jsonkeys" --print out applications.jvp) J and $("$jsonkeys" --print out applications.vjp) J' in all"
}

run 0 train "$digits/digits.yaml" -o RUN
try "svd --top 50" --top 50
try "svd --bottom 20" --bottom 20 --max-applications 350
finish
