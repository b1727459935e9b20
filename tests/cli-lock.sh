#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-lock.sh: two commands on one run at the same time: one of them is refused by name, whatever reads
# goes on, and nobody stands in the way of a run whose command was killed.
. "$(dirname "$0")/cli-lib.sh"

# held COMMAND ARGUMENT...: the command in the background, stopped once it has its lock; its process is $holder.
held()
{
    "$spectraj" "$@" > held.out 2> held.err &
    holder=$!
    tries=0
    until [ -s RUN/.lock ]; do
        tries=$((tries + 1))
        kill -0 $holder 2> /dev/null && [ $tries -lt 200000 ] || { cat held.err; fail "spectraj $* held no lock"; return; }
    done
    kill -STOP $holder
}

short_config c.yaml 's/steps: 20/steps: 100/'
short_config long.yaml 's/steps: 20/steps: 1000/'

# A training keeps everybody off, and another training; killed, it is continued.
held train long.yaml -o RUN
refused "RUN: is in use by another spectraj (process $holder on |writing the whole run" train long.yaml -o RUN
refused "RUN: is in use by another spectraj (process $holder on " train c.yaml -o RUN --force
kill -9 $holder
wait $holder 2> /dev/null
run 0 train long.yaml -o RUN
run 0 train c.yaml -o RUN --force
[ ! -e RUN/.lock ] || fail "a finished training left its lock"

# An analysis keeps its like and trainings off, and no other analysis; nobody keeps readers off.
held svd RUN --top 40 --tol 1e-13 --max-applications 100000
refused "RUN/svd.h5: is in use by another spectraj (process $holder on " svd RUN --top 3
refused "RUN: is in use by another spectraj (process $holder on |writing svd.h5" train c.yaml -o RUN --force
run 0 svd RUN --top 3 --tag other
run 0 info RUN
run 0 density RUN --probes 2 --steps 20
run 0 report RUN
[ -e RUN/.lock ] || fail "the lock of an analysis was removed by another"
kill -9 $holder
wait $holder 2> /dev/null
run 0 svd RUN --top 3
[ ! -e RUN/.lock ] || fail "a finished analysis left its lock"

# Stopped for a while and continued, an analysis ends as any other.
held svd RUN --top 10 --tag long
kill -CONT $holder
wait $holder || fail "a command that was stopped and continued: exit status $?"
[ ! -e RUN/.lock ] || fail "a continued analysis left its lock"
finish
