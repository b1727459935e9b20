#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/reproduce.sh: "To reproduce" of a run's page is a script: run in an empty folder beside the config it makes
# the same numbers, also where a result was made with another that was replaced by a larger one later.
. "$(dirname "$0")/cli-lib.sh"

short_config run.yaml 's/units: 4/units: 3/'
run 0 train run.yaml -o R
run 0 svd R --top 3
run 0 density R --probes 2 --steps 12 --seed 5
run 0 study alignment R
run 0 svd R --top 6
run 0 trace R --products 20 --function deviation
run 0 dense R
run 0 svd R --top 4 --from 0 --to 10 --tol 1e-8
# Studies of two runs: one trained by another command, and a third that takes its place.
for seed in 8 9; do
    run 0 train run.yaml -o "other $seed" --seed $seed
    run 0 svd "other $seed" --top 3
    run 0 study overlap R "other $seed" --tag with-$seed
done
run 0 report R
rm -r other*

sed -n '/<pre>spectraj train/,/<\/pre>/p' R/report.html | sed 's/^.*<pre>//; /<\/pre>/d' |
    sed 's/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&amp;/\&/g' > script
grep -q '^spectraj svd RUN --top 3' script || fail "the pairs that the density took out are not made"
mkdir again && cp run.yaml again/config.yaml
cat > spectraj << END
#!/bin/sh
exec "$spectraj" "\$@"
END
chmod +x spectraj
(cd again && PATH=$PWD/..:$PWD:$PATH sh -e ../script > ../script.out 2>&1) ||
    fail "the script failed: $(cat script.out)"

for result in R/*.h5; do
    name=$(basename "$result" .h5)
    [ -e "again/RUN/$name.h5" ] || fail "$name was not made again"
    [ "$name" = trajectory ] && continue
    run 0 export R "$name" --output wanted
    run 0 export again/RUN "$name" --output got
done
for file in wanted/*.csv; do
    case $file in
        *-attributes.csv) # but when, where, and how long it took
            for side in wanted got; do
                grep -vE '^(created|host|seconds|seconds_build|seconds_svd|source|RUN2|spectraj|build)' \
                    "$side/$(basename "$file")" > $side.numbers
            done
            cmp -s wanted.numbers got.numbers ||
                fail "$(basename "$file"): $(diff wanted.numbers got.numbers | head -4)"
            ;;
        *) cmp -s "$file" "got/$(basename "$file")" || fail "$(basename "$file") differs" ;;
    esac
done
finish
