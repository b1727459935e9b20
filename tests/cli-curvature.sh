#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-curvature.sh: eigenvalues of Hessians against the Jacobian of a step, exponents against determinants and
# singular values, and what is refused.
. "$(dirname "$0")/cli-lib.sh"

# near NAME WANTED TOLERANCE < the number
near()
{
    awk -v n="$1" -v w="$2" -v t="$3" '{ d = $1 - w; if (d < 0) d = -d; if (!(d <= t)) { print n ": " $1 " instead of " w; exit 1 } }' ||
        fail "$1"
}

short_config plain.yaml
run 0 train plain.yaml -o plain

# Of the first step, whose momentum is zero, theta_1 = theta_0 - eta g: J = I - eta H.
run 0 curvature plain --loss batch --at 0 --top 3 --bottom 2 --json
json out matrix=hessian loss=batch 'at#1' 'at[0]=0' 'top#1' 'top[0]#3' 'bottom[0]#2' 'residual_top[0]#3' \
    'residual_bottom[0]#2' density=null overlap=null n_params=310 'applications.jvp>10' 'residual_top[0][0]<1e-8'
"$jsonkeys" --print out 'bottom[0][0]' > lowest
"$jsonkeys" --print out 'top[0][1]' > second
run 0 svd plain --from 0 --to 1 --top 1 --json
"$jsonkeys" --print out 'top.sigma[0]' > sigma
near 'smallest eigenvalue of the first batch' "$(awk '{ printf "%.17g", (1 - $1) / 0.1 }' sigma)" 1e-9 < lowest

# What is stored answers less; both ends of the whole spectrum are the same.
run 0 curvature plain --loss batch --at 0 --top 2 --json
json out 'top[0]#2' 'bottom[0]#0' applications.jvp=0
"$jsonkeys" --print out 'top[0][1]' > again
cmp second again || fail 'a stored eigenvalue'
run 0 curvature plain --loss test --at 20 --top 310 --bottom 310 --json
"$jsonkeys" --print out 'top[0][309]' > low
"$jsonkeys" --print out 'bottom[0][0]' > same
near 'the last of the largest' "$(cat same)" 1e-10 < low
"$jsonkeys" --print out 'bottom[0][309]' > low
"$jsonkeys" --print out 'top[0][0]' > same
near 'the last of the smallest' "$(cat same)" 1e-10 < low

# The default steps, the edge of stability, directions of a stored svd; a density counts all.
run 0 svd plain --top 5 --bottom 5
run 0 curvature plain --top 2 --bottom 1 --density --probes 4 --steps 20 --tag counted
contains out 'eigenvalues of the Hessian of the train loss, 310 parameters' 'mean squared cosine' 'largest    1' 'at most 0'
run 0 curvature plain --top 2 --bottom 1 --density --probes 4 --steps 20 --tag counted --json
json out 'at#5' 'at[4]=20' 'two_over_eta[0]=20' 'edge[0]>37.9999' 'edge[0]<38.0001' 'edge[4]=null' 'density.count[0]#60' \
    'density.edge[0]#61' 'overlap.right_chaotic#5' 'overlap.right_chaotic[0]>0' 'overlap.right_chaotic[0]<1'
run 0 plot plain curvature -o c.svg
run 0 plot plain curvature_density --tag counted -o d.svg
run 0 curvature plain --matrix gauss_newton --at 3 --top 2 --bottom 0 --json
json out 'top[0][0]>0'
run 0 plot plain curvature --data
! grep -q '^,' out || fail "lines of the figure have no key in its CSV"
run 0 report plain -o page.html
grep -q '>momentum</th>' page.html || fail 'the page has no column of momenta'
short_config adam.yaml 's/optimizer: .*/optimizer: adam/'
run 0 train adam.yaml -o adam
run 0 curvature adam --top 1 --at 3
run 0 report adam -o adam.html
grep -q '>eta</th>' adam.html && ! grep -q '>momentum</th>' adam.html || fail 'a column without a number is on the page'
! grep -q '<rect class="shade"' page.html || fail "what lies below 0 is shaded as if it were not resolved"
run 0 export plain curvature -o files
run 0 plan plain

# Exponents: J of the full state, the determinants of its steps.
run 0 exponents plain --top 620 --every 4 --json
json out start=svd 'top#620' 'running#5' 'running[0]#620' 'step[4]=20' n_state=620
"$jsonkeys" --print out 'top[0]' > first
tr -d ' \n' < out | sed 's/.*"top":\[\([^]]*\)\].*/\1/' | tr ',' '\n' |
    awk '{ s += $1 } END { printf "%.15g\n", s }' > sum
near 'the sum of all exponents' "$(awk 'BEGIN { printf "%.15g", 310 * log(0.9) }')" 1e-9 < sum
run 0 svd plain --state full --top 3 --json
"$jsonkeys" --print out 'top.sigma[0]' > sigma
near 'the first exponent' "$(awk '{ printf "%.17g", log($1) / 20 }' sigma)" 1e-12 < first
run 0 exponents plain --top 2 --every 7 --json
json out 'top#2' 'running#3'
contains out 'svd-full.h5'
"$jsonkeys" --print out 'top[0]' > again
near 'the first exponent, other windows' "$(cat first)" 1e-12 < again
run 0 exponents plain --start random --seed 1 --top 3 --every 5
contains out 'RANDOM START'
run 0 plot plain exponents -o e.svg

# Refused.
refused 'steps with a batch are 0 to 19|--loss train' curvature plain --loss batch --at 20
refused 'are 0 to 20' curvature plain --at 21
refused 'give steps that ascend' curvature plain --at 5,3
refused 'give --at' curvature plain --from 3
refused 'all parameters' curvature plain --layers dense0
refused 'top is 0 and bottom is 0' curvature plain --top 0
refused 'has 310 parameters' curvature plain --top 311
refused '620 numbers' exponents plain --top 621
refused 'leave out the choice of layers' exponents plain --layers dense0
short_config linear.yaml 's/  loss: softmax_cross_entropy/    - {type: log_softmax}\n  loss: negative_log_likelihood/'
run 0 train linear.yaml -o linear
refused 'negative_log_likelihood|--matrix hessian' curvature linear --matrix gauss_newton --at 0
run 0 curvature linear --at 0 --top 1
finish
