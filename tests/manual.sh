#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/manual.sh: manual pages, --help and the completion say the same, since one table makes them all, and every
# example runs.
#
# The examples of --help name digits-run, digits.yaml and lenet.yaml; here these are a shortened digits run.
. "$(dirname "$0")/cli-lib.sh"

commands=$("$spectraj" --help | sed -n '/^Commands:/,/^$/p' | awk '/^  / && $1 != "help" { print $1 }')
[ "$(echo "$commands" | wc -l)" -ge 10 ] || fail "--help lists only: $commands"

lint()
{
    command -v mandoc > /dev/null || return 0
    mandoc -T lint -W style "$1" > lint.out 2>&1
    [ ! -s lint.out ] || fail "mandoc of $1: $(head -3 lint.out)"
}

# The pages, with every option and what the exit statuses mean.
for command in $commands; do
    run 0 help --man "$command"
    silent
    mv out page.1
    lint page.1
    sed 's/\\-/-/g' page.1 > plain
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
        grep -q "^\.SH $section\$" plain || fail "spectraj-$command(1) has no $section"
    done
    "$spectraj" "$command" --help | sed -n '/^Options:/,/^Exit status:/p' |
        sed -n 's/^  .*\(--[a-z][a-z-]*\).*/\1/p' > options
    [ -s options ] || fail "the help of $command has no options"
    while read -r option; do
        grep -q -e "\\\\fB$option\\\\fR" plain || fail "spectraj-$command(1) lacks $option"
    done < options
done
run 0 help --man
mv out page.1
lint page.1
for command in $commands; do
    grep -q "spectraj..$command" page.1 || fail "spectraj(1) lacks $command"
done

# The config: every key of the text is a key of the page.
run 0 help --man config
silent
mv out page.5
lint page.5
run 0 help config
silent
contains out 'training:' 'batch_size' 'layer: dense' 'units' 'loss: softmax_cross_entropy' 'default: 0.9' 'at least 1' \
    'analysis: svd: ' 'analysis: trace: ' '  above '
sed -n 's/^  \([a-z_0-9]*\) .*/\1/p' out | sort -u > keys
[ "$(wc -l < keys)" -ge 50 ] || fail "help config lists only $(wc -l < keys) keys"
while read -r key; do
    grep -q "^.fB$key" page.5 || fail "spectraj-config(5) lacks $key"
done < keys
run 1 help --man nonsense
run 1 help nonsense

# The completion is a script that bash reads, and offers commands and their options.
run 0 help --completion
mv out completion
if command -v bash > /dev/null; then
    bash -n completion || fail "bash does not read the completion"
    offers=$(PATH=$(dirname "$spectraj"):$PATH bash -c '. ./completion; COMP_WORDS=(spectraj de); COMP_CWORD=1; _spectraj
        echo "${COMPREPLY[*]}"; COMP_WORDS=(spectraj svd RUN --bo); COMP_CWORD=3; _spectraj
        echo "${COMPREPLY[*]}"')
    [ "$offers" = "density dense
--bottom" ] || fail "the completion offers: $offers"
fi

# Studies, figures, templates, tags, layers and values come from the tables and from the run.
offers()
{
    offered=$1
    shift
    run 0 help --complete "$@"
    grep -qx -e "$offered" out || fail "$offered is not offered: $(tr '\n' ' ' < out)"
    if grep -v "^$(printf %s "$offered" | cut -c1-2)" out | grep -q .; then fail 'what was typed is not heeded'; fi
}
short_config c.yaml '/^analysis:/,$d'
run 0 train c.yaml -o tagged
run 0 svd tagged --top 2 --bottom 0 --tag mine
offers alignment study al
offers loss plot tagged lo
offers digits init di
offers full svd tagged --state fu
offers mine svd tagged --tag mi
offers svd-mine export tagged svd
offers dense0.kernel svd tagged --layers dense0.k
offers dense0.bias,dense0.kernel svd tagged --layers dense0.bias,dense0.k
offers --epsilon study alignment tagged --ep
run 0 help --complete svd ''
silent
[ ! -s out ] || fail 'something else than files is offered for RUN'
for shell in bash zsh fish; do
    run 0 help --completion $shell
    mv out completion.$shell
    ! command -v $shell > /dev/null || $shell -n completion.$shell || fail "$shell does not read its completion"
done
refused "no completion of 'elvish', but bash, zsh, fish" help --completion elvish

# The examples.
SPECTRAJ_EXAMPLES=$top_srcdir/examples
export SPECTRAJ_EXAMPLES
short_config digits.yaml '/^analysis:/,$d' 's/steps: 20/steps: 120/'
cp digits.yaml lenet.yaml
for command in train svd $commands; do
    "$spectraj" "$command" --help | sed '1,/^Example/d' > examples
    [ -s examples ] || fail "$command has no example"
    while read -r line; do
        case $line in
            "spectraj train digits"*" -o "*) rm -rf "${line##* }" ;;
        esac
        case $line in
            "spectraj plot "*) command -v gnuplot > /dev/null || continue ;;
            "spectraj run "*) run 0 train digits.yaml -o digits-run --force ;;
        esac
        command_line=${line#spectraj }
        # "> FILE" is the only thing of a shell in an example.
        arguments=${command_line%% > *}
        # shellcheck disable=SC2086
        "$spectraj" $arguments > out 2> err < /dev/null
        status=$?
        case $status in
            0 | 2) ;;
            *) fail "an example ends with status $status" ;;
        esac
    done < examples
done
finish
