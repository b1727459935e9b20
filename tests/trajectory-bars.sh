#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/trajectory-bars.sh: trajectories of some size, measured.
#
#   bits    J x and J'y of the digits run and of a small convolutional network, from files with all, some
#           and two states, under budgets from the least (few states in memory) to plenty: the same bits
#   memory  a run whose states are 8 times the budget: the peak of the process is within what the plan says,
#           and a product with J' takes at most 1.5 times that with all states in memory, nothing else kept; where
#           only some states are stored, its time is told: one training more, by the count of p-storage.c
#   kills   KILLS (20) kills -9 at random moments of a training and of an import: the same bits at the end
#   flips   FLIPS (2000) random bytes of trajectory.h5, one at a time: refused by name, or without effect
#
# Parts may be named as arguments; SEED (1) is that of kills and flips.  Run by `make check-trajectory`.
. "$(dirname "$0")/cli-lib.sh"
runbars=$top_builddir/tests/runbars
seed=${SEED:-1}
parts=${*:-bits memory kills flips}
[ -x "$runbars" ] || { echo "$runbars was not built (make check-trajectory builds it)"; exit 99; }

value() { "$jsonkeys" --print "$1" "$2"; }

# measure RUN MEMORY FILE: see runbars.c.
measure()
{
    "$runbars" products "$1" "$2" > "$3" || fail "products of $1 with $2 bytes"
}

# ---- bits ----

# digits_config FILE [LINE]: the digits run with that line in place of its analyses.
digits_config()
{
    sed "/^analysis/,\$d; s,file: ,&$digits/,; s,rows: ,&$digits/," "$digits/digits.yaml" > "$1"
    echo "${2:-}" >> "$1"
}

conv_config()
{
    cat > "$1" <<END
data:
  train: {file: $digits/digits.csv.gz, rows: $digits/train_rows.txt, label_column: 64, scale: 0.0625}
network:
  input: [8, 8, 1]
  layers:
    - {type: conv2d, filters: 6, kernel: 3, padding: same}
    - relu
    - {type: max_pool, window: 2}
    - {type: conv2d, filters: 8, kernel: 3}
    - tanh
    - flatten
    - {type: dense, units: 10}
  loss: softmax_cross_entropy
training:
  optimizer: {type: adam, eps_root: 1.0e-8}
  learning_rate: {schedule: constant, peak: 0.01}
  batch_size: 32
  steps: 150
$2
END
}

# same_bits NAME RUN...: with the budgets that each of the runs has policies for.
same_bits()
{
    name=$1
    shift
    met=
    count=0
    jvp=
    for dir in "$@"; do
        read -r all least < STATES-"$dir"
        for memory in "$least" $((least * 5 / 4)) $((least + (all - least) / 20)) \
            $((least + (all - least) / 5)) $((least + (all - least) / 2)) "$all" $((all * 4)); do
            measure "$dir" "$memory" bits.json
            if [ -z "$jvp" ]; then
                jvp=$(value bits.json jvp)
                vjp=$(value bits.json vjp)
            fi
            [ "$(value bits.json jvp)" = "$jvp" ] || fail "$name: J x of $dir in $memory bytes has other bits"
            [ "$(value bits.json vjp)" = "$vjp" ] || fail "$name: J'y of $dir in $memory bytes has other bits"
            json bits.json diverged=false
            policy=$(value bits.json policy)
            count=$((count + 1))
            case $met in *"/$policy/"*) ;; *) met="$met/$policy/ " ;; esac
            echo "  $name, $(value bits.json stored) of $(value bits.json states) states stored," \
                "$memory bytes: $policy, $(value bits.json held) held, J x $jvp, J'y $vjp"
        done
    done
    for policy in memory disk 'memory and replay' 'disk and replay' revolve; do
        case $met in *"/$policy/"*) ;; *) fail "$name: no budget led to the policy '$policy': $met" ;; esac
    done
    echo "$name: the same bits under $count budgets"
}

bits()
{
    for name in digits conv; do
        for every in 1 25 100000; do
            ${name}_config $name-$every.yaml "trajectory: {every: $every}"
            run 0 train $name-$every.yaml -o $name-$every
            "$runbars" states $name-$every > STATES-$name-$every || fail "states of $name-$every"
        done
        same_bits $name $name-1 $name-25 $name-100000
    done
}

# ---- memory ----

# 38410 parameters with a slot, 320 steps: 197 MB of states.
memory()
{
    for every in 1 10; do
        digits_config big-$every.yaml "trajectory: {every: $every}"
        edit 's/units: 64/units: 512/; s/epochs: .*/steps: 320/; s/^init:.*/init: {seed: 1}/' big-$every.yaml
        run 0 train big-$every.yaml -o big-$every --json
        n_params=$(value out n_params)
    done
    budget=$((2 * n_params * 8 * 321 / 8))
    read -r all least <<END
$("$runbars" states big-1)
END
    for every in 1 10; do
        run 0 plan big-$every --memory $budget --json
        cp out plan.json
        # By turns, so that both meet the same machine.
        for again in 1 2 3; do
            measure big-1 "$all" all-$again.json
            measure big-$every $budget part-$again.json
        done
        echo "states of 8 times the budget, $(value part-1.json stored) of 321 stored:"
        for again in 1 2 3; do
            echo "$(value all-$again.json vjp_seconds) $(value part-$again.json vjp_seconds)" \
                "$(value all-$again.json vjp_cpu) $(value part-$again.json vjp_cpu)"
        done > times
        json all-1.json policy=memory
        [ "$(value all-1.json vjp)" = "$(value part-1.json vjp)" ] || fail 'the budget changes bits'
        # The process with the run open, the budget, and the sweep's own work space.
        awk -v peak="$(value part-1.json peak)" -v resident="$(value part-1.json resident)" -v budget=$budget \
            -v work="$(value part-1.json work_bytes)" -v vectors=$((4 * n_params * 8)) \
            -v engine="$(value plan.json memory_bytes.engine)" -v policy="$(value part-1.json policy)" '
            BEGIN {
                limit = 1.1 * (resident + budget + work + vectors)
                printf "  %s: peak %.1f MB, of which %.1f MB are the open run; budget %.1f MB, work space %.1f MB, " \
                    "limit with 10 %% %.1f MB; engine in the plan %.1f MB\n", policy, peak / 1e6, resident / 1e6,
                    budget / 1e6, work / 1e6, limit / 1e6, engine / 1e6
                exit !(peak <= limit)
            }' || fail 'the peak is beyond budget and work space'
        awk '{ all = NR == 1 || $1 < all ? $1 : all; part = NR == 1 || $2 < part ? $2 : part
               ca = NR == 1 || $3 < ca ? $3 : ca; cp = NR == 1 || $4 < cp ? $4 : cp }
             END {
                 printf "  a product with J%s: %.3f s, all states in memory %.3f s, ratio %.2f (of CPU time %.2f)\n",
                     "\047", part, all, part / all, cp / ca
                 exit !(part <= 1.5 * all || stored < 321)
             }' stored="$(value part-1.json stored)" times || fail "a product with J' takes more than 1.5 times as long"
        # A whole analysis beside its own plan.
        run 0 trace big-$every --products 4 --memory $budget --json
        awk -v peak="$(value out cost.peak_memory_bytes)" -v plan="$(value out cost.planned_memory_bytes)" '
            BEGIN {
                printf "  an analysis: peak %.1f MB, planned %.1f MB\n", peak / 1e6, plan / 1e6
                exit !(peak <= 1.1 * plan)
            }' || fail 'an analysis takes more than its plan'
    done
}

# ---- kills ----

# Is the folder a complete run?  A process may be killed when all that it has left to do is to end.
complete() { [ -e "$1/trajectory.h5" ] && [ ! -e "$1/train.journal" ]; }

# try NAME CONFIG: `train CONFIG` killed at random moments; the file is compared with an undisturbed one's.
try()
{
    name=$1
    began=$(now)
    run 0 train "$2" -o "$name-calm"
    ended=$(now)
    awk -v n="${KILLS:-20}" -v seed="$seed" -v a="$began" -v b="$ended" 'BEGIN {
        srand(seed); for (i = 0; i < n; i++) printf "%.3f\n", rand() * (b - a) * 0.6 }' > delays
    killed=0
    while read -r delay; do
        complete "$name-victim" && rm -rf "$name-victim"
        "$spectraj" train "$2" -o "$name-victim" > out 2> err < /dev/null &
        victim=$!
        sleep "$delay"
        kill -9 $victim 2> /dev/null
        wait $victim 2> /dev/null
        status=$?
        [ $status -eq 0 ] && continue # it had finished
        [ $status -eq 137 ] || fail "$name: exit status $status"
        killed=$((killed + 1))
    done < delays
    complete "$name-victim" || run 0 train "$2" -o "$name-victim"
    for dir in calm victim; do
        "$runbars" products $name-$dir 0 > $name-$dir.json || fail "products of $name-$dir"
        run 0 info $name-$dir --json
        cp out $name-$dir.info
    done
    for key in jvp vjp; do
        [ "$(value $name-calm.json $key)" = "$(value $name-victim.json $key)" ] || fail "$name: $key has other bits"
    done
    for key in fingerprint train_loss test_loss; do
        [ "$(value $name-calm.info $key)" = "$(value $name-victim.info $key)" ] || fail "$name: another $key"
    done
    if [ "$name" = import ]; then
        for key in imported.deviation imported.deviation_step imported.states; do
            [ "$(value $name-calm.info $key)" = "$(value $name-victim.info $key)" ] || fail "$name: another $key"
        done
    fi
    echo "$name: killed $killed times, the same bits at the end"
}

kills()
{
    digits_config train.yaml
    try train train.yaml
    # Its states can be given again.
    run 0 train train.yaml -o plain
    sed '/^init:/d' train.yaml > import.yaml
    echo 'trajectory: {states: "plain/trajectory.h5:states"}' >> import.yaml
    try import import.yaml
    json import-victim.info imported.states=626 imported.deviation=0
}

# ---- flips ----

flips()
{
    for name in small given; do
        short_config $name.yaml '/^  test:/d' 's/units: 4/units: 2/'
        [ $name = small ] || edit 's,^init.*,trajectory: {states: "small/trajectory.h5:states"},' $name.yaml
        run 0 train $name.yaml -o $name
    done
    for name in small given; do
        command_line="(runbars flips $name)"
        "$runbars" flips $name "${FLIPS:-2000}" "$seed" > out 2> err || fail "flips of $name"
        cat out
    done
}

for part in $parts; do
    $part
done
finish
