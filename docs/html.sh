#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# docs/html.sh FOLDER: the Markdown pages and the manual pages as a browsable manual in FOLDER, by pandoc.
#
# FOLDER mirrors the source tree, so that links between pages and to examples hold.  Mathematics is MathML, search is
# a list of all sections in search.js; nothing is loaded from elsewhere.  Without pandoc exits with 77 and a line.
set -eu
: "${top_srcdir:?is set by make}" "${top_builddir:?is set by make}"
command -v pandoc > /dev/null || {
    echo "html: skipped, pandoc was not found (Debian package pandoc)"
    exit 77
}
here=$top_srcdir/docs
rm -rf "$1"
mkdir -p "$1/docs" "$1/man"
out=$(cd "$1" && pwd)
cd "$top_srcdir"

# relinked: links to .md go to the page made of it; parentheses have the height of their line.
relinked() { sed -e 's/\(href="[^":]*\)\.md\(["#]\)/\1.html\2/g' -e 's/<mo stretchy="true"\([^>]*>[()|]<\)/<mo stretchy="false"\1/g'; }

# title FILE: its first heading, or its name.
title() { sed -n 's/^# //p;T;q' "$1" | grep . || basename "$1"; }

# page SOURCE TARGET ROOT FORMAT TITLE: ROOT is the way from the page to FOLDER.
page()
{
    pandoc -f "$4" -t html5 --mathml --standalone --template "$here/html/page.html" -M title="$5" -M root="$3" \
        --variable nav="$(sed "s,href=\"\([^\"]*\)\",href=\"$3/docs/\1\",g" "$out/nav")" "$1" | relinked > "$out/$2"
}

# The contents at the side are those of docs/README.md, and the manual pages.
manuals=$(find "$top_builddir/docs" -name 'spectraj*.[15]' | sort)
{
    sed '1,/^## /{/^## /!d;}' docs/README.md | pandoc -f gfm -t html5 | sed 's/ id="[^"]*"//' | relinked
    echo '<h2>Manual pages</h2><ul>'
    for source in $manuals; do
        name=$(basename "$source")
        echo "<li><a href=\"../man/$name.html\">${name%.[15]}(${name##*.})</a></li>"
    done
    echo '</ul>'
} > "$out/nav"
pages=$(ls README.md CONTRIBUTING.md docs/*.md examples/*/README.md)
for source in $pages; do
    root=.
    case $source in
        docs/*) root=.. ;;
        examples/*) root=../.. ;;
    esac
    mkdir -p "$out/$(dirname "$source")"
    page "$source" "${source%.md}.html" "$root" gfm+tex_math_dollars "$(title "$source")"
done
for source in $manuals; do
    name=$(basename "$source")
    page "$source" "man/$name.html" .. man "${name%.[15]}(${name##*.})"
done
rm "$out/nav"

# The other files of the tree that pages link to: figures, examples, sources.
find "$out" -name '*.html' | while read -r made; do
    folder=$(dirname "${made#"$out"/}")
    grep -oE '(href|src)="[^":#]+["#]' "$made" | sed 's/^[a-z]*="//; s/["#]$//' | while read -r target; do
        source=$folder/$target
        [ ! -e "$out/$source" ] && [ -f "$source" ] || continue
        mkdir -p "$out/$(dirname "$source")"
        cp "$source" "$out/$source"
    done
done

# Search: one record for each section, with its words.
cp "$here/html/manual.css" "$here/html/search.js" "$out/"
{
    echo 'const sections = ['
    # shellcheck disable=SC2086 # names without blanks
    awk 'function flush() { if (head != "") printf "[\"%s\",\"%s\",\"%s\",\"%s\"],\n", page, anchor, head, text; text = "" }
        function quoted(s) { gsub(/[`*|\t]+/, " ", s); gsub(/[\\"]/, "\\\\&", s); return s }
        FNR == 1 { flush(); head = ""; page = FILENAME; sub(/md$/, "html", page); code = 0 }
        /^```/ { code = !code }
        !code && /^#+ / {
            flush(); head = $0; sub(/^#+ /, "", head); anchor = tolower(head)
            gsub(/[^a-z0-9 _-]/, "", anchor); gsub(/ /, "-", anchor); head = quoted(head); next
        }
        { text = text " " quoted($0) }
        END { flush() }' $pages
    echo '];'
} > "$out/sections.js"
printf '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/README.html"><a href="docs/README.html">The spectraj manual</a>\n' > "$out/index.html"
echo "html: $(find "$out" -name '*.html' | wc -l) pages, begin with $out/index.html"
