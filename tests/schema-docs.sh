#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/schema-docs.sh: docs/json.md and docs/results-format.md have the names of every analysis' schema, and
# no others.
#
# The section of an analysis, "## NAME" or "## NAME...h5...", is looked through, and "## Every result" for what
# all results have.  Names in files stand there as they are; names in JSON objects by their words, since
# `regions.chaotic`, `.bulk` and {"estimate", "low"} say what a table of all their combinations would.
set -u
: "${top_srcdir:?is set by make}" "${top_builddir:?is set by make}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failures=0

fail()
{
    echo "FAIL: $1"
    failures=$((failures + 1))
}

"$top_builddir/tests/schema_names" --print > "$work/names" || exit 99
[ "$(wc -l < "$work/names")" -ge 150 ] || fail "the schemas have only $(wc -l < "$work/names") names"

# section FILE TITLE: the lines between that heading and the next.
section()
{
    awk -v title="$2" '/^## / { inside = index($0, "## " title) == 1 && substr($0, length(title) + 4, 1) !~ /[a-z]/ }
        inside' "$1"
}

# quoted: what stands between backticks, a piece a line.
quoted()
{
    tr '\n' ' ' | grep -o '`[^`]*`' | tr -d '`'
}

words()
{
    grep -o '[A-Za-z_][A-Za-z_0-9]*' | sort -u
}

# cells: the first cells of a table's rows.
cells()
{
    sed -n 's/^| *\(`[^|]*\)|.*/\1/p'
}

# compare DOCS TITLE ANALYSIS PLACE FILTER EXTRA...: the names with the section, FILTER making comparable pieces
# of both; EXTRA may be there beside them.
compare()
{
    docs=$top_srcdir/docs/$1
    title=$2
    analysis=$3
    place=$4
    filter=$5
    shift 5
    section "$docs" "$title" > "$work/section"
    [ -s "$work/section" ] || { fail "$docs has no section '$title'"; return; }
    quoted < "$work/section" | $filter > "$work/there"
    cells < "$work/section" | quoted | $filter > "$work/claimed"
    awk -v a="$analysis" -v p="$place" '$1 == a && $2 == p { print $3 }' "$work/names" | $filter > "$work/wanted"
    printf '%s\n' "$@" | cat - "$work/wanted" | sort -u > "$work/allowed"
    missing=$(comm -23 "$work/wanted" "$work/there" | tr '\n' ' ')
    [ -z "$missing" ] || fail "$docs, '$title' lacks: $missing"
    stale=$(comm -13 "$work/allowed" "$work/claimed" | tr '\n' ' ')
    [ -z "$stale" ] || fail "$docs, '$title' has what no result has: $stale"
}

pieces()
{
    sed 's/, */\n/g' | grep . | sort -u
}

LC_ALL=C
export LC_ALL
compare json.md 'Every result' every json words analysis part trajectory cost self_check
compare results-format.md 'Every result' every file pieces @format @version @fingerprint layers tensors
for analysis in $(awk '$1 != "every" { print $1 }' "$work/names" | sort -u); do
    compare json.md "$analysis" "$analysis" json words
    compare results-format.md "$analysis" "$analysis" file pieces
done
[ "$failures" -eq 0 ] || exit 1
