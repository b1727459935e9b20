#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/includes.sh: the folders of src/ are layers, and a debugger finds their functions.
#
# A file includes <...> headers, headers of its own folder, and headers of the folders before its
# own in `layers`.  src/cli/ includes its own folder and <spectraj...> only, and the public headers
# include nothing of src/.  Outside src/net/, whose plug-ins are many and alike, at most three files have a static
# function of the same name.
set -u
: "${top_srcdir:?is set by make}"
layers="base parallel io options data net train trajectory op spectrum run analysis study report cli"

# check ROOT: print "file:line: reason" for each violation under ROOT/src and ROOT/include.
check()
{
    (cd "$1" && find src include -name '*.[ch]' | sort | xargs -r grep -n '^[[:space:]]*#[[:space:]]*include' /dev/null) |
    awk -v layers="$layers" '
        BEGIN { n = split(layers, name, " "); for (i = 1; i <= n; i++) rank[name[i]] = i }
        function bad(why) { print where ": " why }
        {
            match($0, /^[^:]*:[0-9]*:/)
            where = substr($0, 1, RLENGTH - 1)
            file = where; sub(/:[0-9]*$/, "", file)
            split(file, part, "/")
            folder = part[2]
            line = substr($0, RLENGTH + 1)
            quoted = line ~ /"/
            header = line
            sub(/^[^"<]*["<]/, "", header); sub(/[">].*$/, "", header)
            split(header, piece, "/")
            target = piece[1]
            if (header ~ /(^|\/)\.\.(\/|$)/)
                bad("\"" header "\" climbs out of its folder")
            else if (part[1] == "include" && (quoted || target in rank))
                bad("a public header includes " header)
            else if (part[1] == "src" && !(folder in rank))
                bad("src/" folder " is not in the list of layers")
            else if (part[1] == "src" && quoted && header !~ /\//)
                { if (folder != "cli") bad("\"" header "\" should name its folder") }
            else if (part[1] == "src" && quoted && !(target in rank))
                bad("\"" header "\" is in no folder of the list; use <...> for other libraries")
            else if (part[1] == "src" && quoted && rank[target] > rank[folder])
                bad(folder " comes before " target " and may not include \"" header "\"")
            else if (folder == "cli" && quoted && target != "cli")
                bad("the command may not include \"" header "\", only <spectraj/...>")
        }'
}

# shared_names ROOT: print the names that static functions of more than three files have.
shared_names()
{
    (cd "$1" && find src -name '*.c' ! -path 'src/net/*' | sort | xargs -r grep -h '^static [^;=]*(') |
        sed 's/^static [^(]*[ *]\([a-z_0-9]*\)(.*/\1/' | sort | uniq -c |
        awk '$1 > 3 { print $2 ": " $1 " static functions have this name: put that of the file before it" }'
}

# The checker must see each kind of violation, or its silence means nothing.
self_test()
{
    root=$(mktemp -d) || exit 99
    trap 'rm -rf "$root"' EXIT
    mkdir -p "$root/src/base" "$root/src/net/layers" "$root/src/cli" "$root/include/spectraj"
    printf '#include "net/layer.h"\n' > "$root/src/base/upward.c"
    printf '#include "base/error.h"\n#include "net/layer.h"\n#include <math.h>\n' > "$root/src/net/layers/good.c"
    printf '#include "../layer.h"\n' > "$root/src/net/layers/climbs.c"
    printf '#include "layer.h"\n' > "$root/src/net/bare.h"
    printf '#include <spectraj/status.h>\n#include "cli/table.h"\n' > "$root/src/cli/good.c"
    printf '# include "base/error.h"\n' > "$root/src/cli/inside.c"
    printf '#include "base/error.h"\n' > "$root/include/spectraj/leak.h"
    for file in a b c d; do
        printf 'static void same(int x)\nstatic int %s_only(void)\nstatic int same = (1);\n' "$file" > "$root/src/base/$file.c"
        printf 'static void same(void)\n' > "$root/src/net/layers/$file.c"
    done
    found=$(check "$root" | sed 's/:.*//' | sort | tr '\n' ' ')
    wanted="include/spectraj/leak.h src/base/upward.c src/cli/inside.c src/net/bare.h src/net/layers/climbs.c "
    [ "$found" = "$wanted" ] || {
        echo "the checker itself is wrong: found '$found' instead of '$wanted'"
        exit 99
    }
    [ "$(shared_names "$root")" = "same: 4 static functions have this name: put that of the file before it" ] || {
        echo "the checker of names itself is wrong: it says '$(shared_names "$root")'"
        exit 99
    }
}

self_test
violations=$(check "$top_srcdir" && shared_names "$top_srcdir")
[ -z "$violations" ] && exit 0
printf '%s\n' "$violations"
exit 1
