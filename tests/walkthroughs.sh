#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/walkthroughs.sh: the plug-ins that docs/adding-*.md write pass their kind's conformance tests.
#
# The code of each page is taken out of it, registered as the page says in copies of the registry, and
# linked before the library, so that the test of the kind runs over one plug-in more.  An analysis is linked into
# the command.
set -u
SHELL=${SHELL:-/bin/sh}
: "${top_srcdir:?is set by make}" "${top_builddir:?is set by make}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$top_builddir" || exit 99
fail=0

# extract PAGE FILE DECLARATIONS REGISTRY NAME: the page's code, and the registry with its two lines, compiled
# in the folder NAME.
extract()
{
    page=$top_srcdir/docs/$1
    mkdir -p "$work/$5/$(dirname "$2")"
    sed -n '/^```c$/,/^```$/{/^```/!p;}' "$page" > "$work/$5/$2"
    [ -s "$work/$5/$2" ] || { echo "FAIL: $1 has no code"; fail=1; return 1; }
    declaration=$(sed -n 's/^    [^ ]*\.h  *\(extern .*;\)$/\1/p' "$page")
    entry=$(sed -n 's/^    [^ ]*\.c  *\(&stj_.*,\)$/\1/p' "$page")
    awk -v line="$declaration" '!done && /^extern const struct stj_[a-z_]* stj_/ { print line; done = 1 }
        { print }' "$top_srcdir/$3" > "$work/$5/$3"
    awk -v line="$entry" '{ print } /stj_plugin_info \*const [a-z_]*\[\] = \{/ { print line }' \
        "$top_srcdir/$4" > "$work/$5/$4"
    for source in "$2" "$4"; do
        # shellcheck disable=SC2086 # lists of flags
        $CC -I"$work/$5/src" $CORE_FLAGS -Werror -c "$work/$5/$source" \
            -o "$work/$5/$(basename "$source" .c).o" ||
            { echo "FAIL: $1: $source does not compile without warnings"; fail=1; return 1; }
    done
}

# link PROGRAM OBJECT...: before the library, so that the objects are taken instead of those in it.
link()
{
    program=$1
    shift
    # shellcheck disable=SC2086
    ./libtool --silent --tag=CC --mode=link $CC $LINK_FLAGS -o "$program" "$@" libspectraj_core.la \
        $CHECK_LIBS || { fail=1; return 1; }
}

# walk PAGE FILE DECLARATIONS REGISTRY TEST CASE
walk()
{
    extract "$1" "$2" "$3" "$4" "$5" || return
    link "$work/$5/test" "tests/$5.o" "$work/$5"/*.o libtestkit.la || return
    CK_RUN_CASE=$6 "$work/$5/test" > "$work/out" 2>&1 || { echo "FAIL: $1: tests/$5"; fail=1; }
    sed "s,^,$5: ," "$work/out"
    grep -q 'Checks: [1-9]' "$work/out" ||
        { echo "FAIL: $1: no tests were run"; fail=1; }
}

# walk_analysis PAGE FILE NAME: the analysis of the page is a command, and in all that commands tell.
walk_analysis()
{
    extract "$1" "$2" src/analysis/analyses.h src/analysis/analyses.c "$3" || return
    link "$work/$3/spectraj" src/cli/spectraj-*.o "$work/$3"/*.o || return
    SPECTRAJ=$work/$3/spectraj $SHELL "$top_srcdir/tests/walkthrough-analysis.sh" ||
        { echo "FAIL: $1: tests/walkthrough-analysis.sh"; fail=1; }
}

walk adding-a-layer.md src/net/layers/channel_scale.c src/net/layers/layers.h \
    src/net/layers/layers.c p-layers conformance
walk adding-an-optimizer.md src/train/plain_adagrad.c src/train/optimizers.h src/train/optimizers.c \
    p-optimizers properties
walk adding-a-method.md src/spectrum/svd/subspace.c src/spectrum/svd/svd_method.h \
    src/spectrum/svd/svd.c o-svd registry
walk adding-a-study.md src/study/path.c src/study/studies.h src/study/studies.c t-study conformance
walk_analysis adding-an-analysis.md src/analysis/diagonal.c diagonal
exit $fail
