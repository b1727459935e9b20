# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m pytest python/tests` finds the package beside it, and the command and the library of ./build."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
BUILT = os.path.join(HERE, "..", "..", "build", "spectraj")
if "SPECTRAJ" not in os.environ and os.path.exists(BUILT):
    os.environ["SPECTRAJ"] = BUILT
