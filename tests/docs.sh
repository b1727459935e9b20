#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/docs.sh: links lead somewhere, the commands of all pages are the program's with its options, those of the tutorial
# and of the pages about its run are run, spelling is British, the release has one version and one date, and `make html`
# gives a manual without a broken link.
#
# Without python3, codespell or pandoc their part is left out.
. "$(dirname "$0")/cli-lib.sh"

if command -v python3 > /dev/null; then
    for what in links commands words release; do
        python3 "$top_srcdir/tests/docs.py" $what "$top_srcdir" "$spectraj" > wrong || fail "docs.py $what"
        [ ! -s wrong ] || { cat wrong; fail "$what of the documents"; }
    done
else
    echo "no python3: links, commands and British spelling are not checked"
fi

if command -v codespell > /dev/null; then
    (cd "$top_srcdir" && codespell -L numer,commun,workd,ans,fo,te,nd,ba,ot,hist README.md CONTRIBUTING.md NEWS docs/*.md \
        examples/*/README.md include src python/spectraj) > wrong || { cat wrong; fail "spelling"; }
else
    echo "no codespell: spelling is not checked (Debian package codespell)"
fi

# The tutorial, in an empty folder, and the pages that go on with its run.
mkdir empty bin
printf '#!/bin/sh\nexec "%s" "$@"\n' "$spectraj" > bin/spectraj
command -v gnuplot > /dev/null || printf '#!/bin/sh\ncase "$1 $*" in plot*--data*) ;; plot*) exit 0 ;; esac\nexec "%s" "$@"\n' \
    "$spectraj" > bin/spectraj
chmod +x bin/spectraj
for page in tutorial reading-figures; do
    sed -n '/^```sh$/,/^```$/{/^```/!p;}' "$top_srcdir/docs/$page.md" > script
    [ -s script ] || fail "docs/$page.md has no commands"
    (cd empty && PATH=$work/bin:$PATH && export PATH && sh -e ../script) > out 2> err ||
        { tail -n 5 out; fail "a command of docs/$page.md"; }
done
contains "$top_srcdir/docs/tutorial.md" "$("$spectraj" dense empty/moons | grep bulk)"

if command -v pandoc > /dev/null; then
    sh "$top_srcdir/docs/html.sh" html > out || fail "html.sh"
    find html -name '*.html' | while read -r made; do
        grep -oE '(href|src)="[^":#]+["#]' "$made" | sed 's/^[a-z]*="//; s/["#]$//' | while read -r target; do
            [ -e "$(dirname "$made")/$target" ] || echo "$made: $target"
        done
    done > wrong
    [ ! -s wrong ] || { cat wrong; fail "links of the manual"; }
else
    echo "no pandoc: the manual in HTML is not made (Debian package pandoc)"
fi
finish
