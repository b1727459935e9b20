#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# autogen.sh: make ./configure from configure.ac; needed once after a git clone.
set -eu
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
    command -v "$tool" >/dev/null 2>&1 || {
        echo "autogen.sh: $tool was not found; on Debian, as root:" >&2
        echo "  apt-get install --no-install-recommends autoconf automake libtool pkg-config" >&2
        exit 1
    }
done
exec autoreconf --install --warnings=all,no-extra-portability
