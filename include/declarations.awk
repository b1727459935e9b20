# SPDX-License-Identifier: GPL-3.0-or-later
# include/declarations.awk: the functions that headers declare, one a line: "TYPE NAME(PARAMETERS)".
#
# The library's list of exported names is made of it, and tests of the whole interface are.

# The text of a header without comments, directives, and what C++ alone reads.
/^#ifdef __cplusplus/ { skipped = 1 }
skipped { if (/^#endif/) skipped = 0; next }
/^[ \t]*#/ || directive { directive = /\\$/; next }
{ text = text $0 " " }

END {
    while ((at = index(text, "/*")) > 0) {
        end = index(substr(text, at), "*/")
        text = substr(text, 1, at - 1) " " substr(text, at + end + 1)
    }
    n = length(text)
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        if (c == "{")
            depth++
        if (depth == 0 && c != ";")
            statement = statement c
        if (c == "}" && --depth == 0 && statement ~ /^ *static /)
            statement = "" # a function with its body
        if (c == ";" && depth == 0) {
            put(statement)
            statement = ""
        }
    }
}

function put(line)
{
    gsub(/[ \t]+/, " ", line)
    sub(/^ /, "", line)
    sub(/ ?__attribute__.*/, "", line)
    if (line ~ /[ *]stj_[a-z0-9_]+\(/ && line !~ /^typedef /)
        print line
}
