# SPDX-License-Identifier: GPL-3.0-or-later
# docs/doxygen-filter.awk: the public headers as Doxygen wants to read them.
#
# The headers are written for people: a plain comment stands before what it explains, or behind it
# on the same line.  For Doxygen
#
#   the comment at the head of a file        becomes  /** @file ... */
#   one before a declaration                 becomes  /** ... */
#   one behind a declaration                 goes before it, as /** ... */
#   one with an empty line after it          is about no declaration, and stays plain
#   ENTRY(CODE, "text") of a list macro      becomes an enumerator where the list is expanded
#
# and what Doxygen would take for a command in the text is escaped.

function escape(text)
{
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    gsub(/[\\@#%]/, "\\\\&", text)
    while (match(text, /`[^`]*`/))
        text = substr(text, 1, RSTART - 1) "<tt>" substr(text, RSTART + 1, RLENGTH - 2) "</tt>" \
            substr(text, RSTART + RLENGTH)
    sub(/^\*/, "\\&lowast;", text)
    return text
}

# The text of the comment that begins at column `at` of line i, its lines joined with newlines; sets
# last to the line where it ends, and rest to what follows there.
function comment(i, at,    line, text, n)
{
    line = substr(source[i], at + 2)
    text = ""
    while (!(n = index(line, "*/")) && i < NR) {
        text = text trimmed(line) "\n"
        line = source[++i]
        if (line !~ /^[ \t]*\*\//)
            sub(/^[ \t]*\*?/, "", line)
    }
    last = i
    rest = substr(line, n + 2)
    return text trimmed(substr(line, 1, n - 1))
}

function trimmed(text)
{
    sub(/^[ \t]+/, "", text)
    sub(/[ \t]+$/, "", text)
    return escape(text)
}

# Lines of the output; a declaration that is not finished yet began at line `start`.
function put(line,    code, n)
{
    if (!open)
        start = n_out + 1
    out[++n_out] = line
    code = line
    depth += gsub(/\(/, "", code) - gsub(/\)/, "", code)
    open = depth > 0 || (line !~ /[;,{}][ \t]*$/ && line !~ /^[ \t]*($|#|\/\*)/ && line !~ /\*\/$/)
}

function put_comment(text)
{
    out[++n_out] = text
    if (!open)
        start = n_out + 1
}

function put_before(text,    i)
{
    for (i = ++n_out; i > start; i--)
        out[i] = out[i - 1]
    out[start] = "/** " text " */"
}

# The entries of a list macro, from line i; returns its last line.
function entries(i,    name, code, text)
{
    name = source[i]
    sub(/^#define /, "", name)
    sub(/\(.*/, "", name)
    while (source[i] ~ /\\$/) {
        i++
        code = source[i]
        if (!match(code, /ENTRY\([A-Z_a-z0-9]+/))
            continue
        text = code
        code = substr(code, RSTART + 6, RLENGTH - 6)
        sub(/^[^"]*"/, "", text)
        if (index(text, "/*"))
            list[name] = list[name] sprintf("/** %s: %s */\n%s,\n",
                escape(substr(text, 1, index(text, "\"") - 1)),
                trimmed(substr(text, index(text, "/*") + 2, index(text, "*/") - index(text, "/*") - 2)), code)
        else
            list[name] = list[name] sprintf("/** %s */\n%s,\n",
                escape(substr(text, 1, index(text, "\"") - 1)), code)
    }
    return i
}

# "double low, high;" with a comment: one for each.
function split_declaration(text, line,    n, i, name, type)
{
    sub(/^[ \t]+/, "", line)
    sub(/[ \t]*;.*/, "", line)
    match(line, /^(const )?((struct|enum) )?[a-z_0-9]+ /)
    type = substr(line, 1, RLENGTH)
    n = split(substr(line, RLENGTH + 1), name, /, */)
    for (i = 1; i <= n; i++)
        print (i > 1 ? text "\n" : "") type name[i] ";"
}

{ source[NR] = $0 }

END {
    for (i = 1; i <= NR; i++) {
        line = source[i]
        name = line
        gsub(/^ +|\(.*/, "", name)
        at = index(line, "/*")
        if (line ~ /^#define [A-Z_]+_LIST\(ENTRY\)/)
            i = entries(i)
        else if (line ~ /^#(define [A-Z_]+\(code, text\)|undef)/)
            continue
        else if (name in list)
            put(list[name])
        else if (!at || line ~ /^#/ || line ~ /SPDX/)
            put(line)
        else if (line ~ /^[ \t]*\/\*/) {
            text = comment(i, at)
            i = last
            if (text ~ /^spectraj(\/[a-z_]+)?\.h: /)
                put_comment("/** @file\n" substr(text, index(text, ": ") + 2) " */")
            else if (source[i + 1] ~ /^[ \t]*$/ || open)
                put_comment("/* " text " */")
            else
                put_comment("/** " text " */")
            if (rest !~ /^[ \t]*$/)
                put(rest)
        } else {
            put(substr(line, 1, at - 1))
            kept = start
            text = comment(i, at)
            i = last
            start = kept
            put_before(text)
        }
    }
    for (i = 1; i <= n_out; i++)
        if (out[i] ~ /^ [^()]*, [^()]*;[ \t]*$/ && out[i - 1] ~ /^\/\*\*/)
            split_declaration(out[i - 1], out[i])
        else
            print out[i]
}
