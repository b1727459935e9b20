#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/cli-faults.sh: a few faults of each kind; `make check-faults` does many.
exec "${SHELL:-sh}" "$(dirname "$0")/faults.sh" --short
