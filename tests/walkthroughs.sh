#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/walkthroughs.sh: the plug-ins that docs/adding-a-*.md write pass their kind's conformance tests.
#
# The code of each page is taken out of it, registered as the page says in copies of the registry, and
# linked before the library, so that the test of the kind runs over one plug-in more.
set -u
: "${top_srcdir:?is set by make}" "${top_builddir:?is set by make}"
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$top_builddir" || exit 99
fail=0

# walk PAGE FILE DECLARATIONS REGISTRY TEST CASE
walk()
{
    page=$top_srcdir/docs/$1
    mkdir -p "$work/$5/$(dirname "$2")"
    sed -n '/^```c$/,/^```$/{/^```/!p;}' "$page" > "$work/$5/$2"
    [ -s "$work/$5/$2" ] || { echo "FAIL: $1 has no code"; fail=1; return; }
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
            { echo "FAIL: $1: $source does not compile without warnings"; fail=1; return; }
    done
    # shellcheck disable=SC2086
    ./libtool --silent --tag=CC --mode=link $CC $LINK_FLAGS -o "$work/$5/test" \
        "tests/$5.o" "$work/$5"/*.o libtestkit.la libspectraj_core.la $CHECK_LIBS || { fail=1; return; }
    CK_RUN_CASE=$6 "$work/$5/test" > "$work/out" 2>&1 || { echo "FAIL: $1: tests/$5"; fail=1; }
    sed "s,^,$5: ," "$work/out"
    grep -q 'Checks: [1-9]' "$work/out" ||
        { echo "FAIL: $1: no tests were run"; fail=1; }
}

walk adding-a-layer.md src/net/layers/channel_scale.c src/net/layers/layers.h \
    src/net/layers/layers.c p-layers conformance
walk adding-an-optimizer.md src/train/adagrad.c src/train/optimizers.h src/train/optimizers.c \
    p-optimizers properties
walk adding-a-method.md src/spectrum/svd/subspace.c src/spectrum/svd/svd_method.h \
    src/spectrum/svd/svd.c o-svd registry
walk adding-a-study.md src/study/path.c src/study/studies.h src/study/studies.c t-study conformance
exit $fail
