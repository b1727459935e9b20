#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/format.sh [--fix]: every C file is as .clang-format wants it, or is made so.
#
# Skipped without clang-format 14, since each version of the tool has opinions of its own.
set -u
: "${top_srcdir:?is set by make}"
tool=${CLANG_FORMAT:-clang-format}
version=$($tool --version 2>/dev/null | sed 's/.*version \([0-9]*\).*/\1/')
if [ "$version" != 14 ]; then
    echo "format: skipped, clang-format 14 was not found (Debian package clang-format-14)"
    exit 77
fi
cd "$top_srcdir" || exit 99
files=$(find src include tests examples bench -name '*.[ch]' | sort)
[ -n "$files" ] || { echo "format: no C files under $top_srcdir"; exit 99; }
[ "${1-}" != --fix ] || { echo "$files" | xargs "$tool" --style=file -i; exit; }
fail=0
for file in $files; do
    "$tool" --style=file "$file" | cmp -s - "$file" || {
        echo "format: $file is not as .clang-format wants it"
        fail=1
    }
done
if [ $fail -eq 0 ]; then
    echo "format: $(echo "$files" | wc -l) files are as .clang-format wants them"
else
    echo "format: \`make format\` rewrites them"
fi
exit $fail
