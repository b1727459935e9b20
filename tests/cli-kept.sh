#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-kept.sh: nothing that was computed is lost: requests in any order are answered again at no cost, a
# part is answered from the whole, a larger one begins from what is there, and another question has a file of its own.
. "$(dirname "$0")/cli-lib.sh"

short_config run.yaml 's/units: 4/units: 3/'
run 0 train run.yaml -o R0
seed=${STJ_KEPT_SEED:-$(date +%j)} # another order every day; printed when something fails

cat > requests << 'END'
svd --top 12
svd --top 5
svd --bottom 3
svd --top 4 --from 0 --to 10
svd --top 4 --layers dense2
svd --top 4 --tag x
svd --top 4 --state full
dense
dense --from 0 --to 10
density --probes 2 --steps 10
trace --products 20
END

# ask REQUEST: run it on R, whatever it converges to.
ask()
{
    set -- $1
    command=$1
    shift
    "$spectraj" "$command" R "$@" --json > out 2> err
    rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 2 ] || fail "$command $*: exit status $rc: $(cat err)"
}

for order in 1 2 3; do
    rm -rf R
    cp -r R0 R
    awk -v s="$seed$order" 'BEGIN { srand(s) } { print rand() "\t" $0 }' requests | sort -n | cut -f2 > order
    while read -r request; do
        ask "$request"
    done < order
    cksum R/*.h5 | sort > before
    while read -r request; do
        ask "$request"
        json out applications.jvp=0 applications.vjp=0
    done < requests
    cksum R/*.h5 | sort > after
    cmp -s before after || fail "seed $seed, order $order: asking again changed a file"
    ls R/*.journal > journals 2>&1 && fail "seed $seed: a finished solve left $(cat journals)"
done

# A seed has 64 bits.
for seed in 9223372036854775808 18446744073709551615; do
    run 0 trace R0 --products 20 --seed $seed --tag $seed --json
    contains out '"seed": "'$seed'"' "--seed $seed"
    run 0 trace R0 --products 20 --seed $seed --tag $seed --json
    json out applications.jvp=0
done

# What is asked of one end leaves the other.
rm -rf R && cp -r R0 R
run 0 svd R --top 6 --json
mv out six.json
ask "svd --bottom 2"
json out top.sigma#0 bottom.sigma_bound#2
run 0 svd R --top 6 --json
json out applications.jvp=0 top.sigma#6 bottom.sigma_bound#0
"$jsonkeys" --compare six.json top.sigma out top.sigma 0 || fail "the other end changed the largest"

# A larger number begins from what is stored and takes its place.  (What that saves is seen at larger numbers: o-svd.)
cp -r R anew
rm -f anew/svd.h5
run 0 svd R --top 12 --json
mv out larger.json
run 0 svd anew --top 12 --json
"$jsonkeys" --compare larger.json top.sigma out top.sigma 1e-9 ||
    fail "12 pairs from 6 differ from 12 anew"
run 0 svd R --top 6 --json
json out applications.jvp=0 top.sigma#6

# Where the iteration finds the pairs, that saves products, and both questions are then answered.
rm -rf anew && cp -r R0 R1 && cp -r R0 anew
run 0 svd R1 --top 20 --method arpack
run 0 svd R1 --top 30 --method arpack --json
mv out larger.json
run 0 svd anew --top 30 --method arpack --json
mv out anew.json
anew=$("$jsonkeys" --print anew.json applications.jvp)
json larger.json "applications.jvp<$anew" top.sigma#30
"$jsonkeys" --compare larger.json top.sigma anew.json top.sigma 1e-9 ||
    fail "30 pairs from 20 differ from 30 anew"
for top in 20 30; do
    run 0 svd R1 --top $top --method arpack --json
    json out applications.jvp=0 applications.vjp=0 top.sigma#$top
done

# Other questions have files of their own, and a tag is not taken over.
run 0 svd R --top 4 --seed 7
run 0 svd R --top 4 --tol 1e-6
run 0 svd R --top 4 --method arpack
for file in svd-seed-7 svd-tol-1e-06 svd-method-arpack; do
    [ -e R/$file.h5 ] || fail "$file.h5, of another question, is not there: $(ls R)"
done
run 0 svd R --top 12 --json
json out applications.jvp=0 top.sigma#12
run 0 svd R --top 3 --tag mine
cksum R/svd-mine.h5 > before
refused 'svd-mine.h5|another question|--tag' svd R --top 3 --seed 9 --tag mine
cksum R/svd-mine.h5 | cmp -s - before || fail "a refused request changed what has its tag"
run 0 svd R --top 12 --force --json
json out 'applications.jvp>0'

# What damaged bytes there are, info finds.
printf 'overwrite' | dd of=R/svd-mine.h5 bs=1 seek=3000 conv=notrunc 2> /dev/null
refused 'svd-mine.h5|--force' info R

# Pairs that a budget left no product to look outside of are "at least these", now and when they are asked for again; a
# larger budget looks.
short_config look.yaml
run 0 train look.yaml -o L
run 0 svd L --top 4 --method arpack --json
spent=$("$jsonkeys" --print out applications.jvp)
steps=$("$jsonkeys" --print out top.outside.steps)
# twice the iteration and the finishing, without the look
budget=$(awk -v a="$spent" -v b="$steps" 'BEGIN { print 2 * (a - b) }')
for again in 1 2; do
    run 2 svd L --top 4 --method arpack --tag cut --max-applications "$budget" --json
    json out stop=max_applications top.converged=4 top.outside.undecided=true top.outside.bound=null top.outside.steps=0
done
run 0 svd L --top 4 --method arpack --tag cut --json
json out stop=converged top.converged=4 top.outside.undecided=false
finish
