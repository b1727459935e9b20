# SPDX-License-Identifier: GPL-3.0-or-later
"""The structs of the package are those of the headers, by a compiler; skipped without one."""
import ctypes
import os
import shutil
import subprocess
import tempfile
import unittest

from spectraj import _c, _call

CC = os.environ.get("CC", "cc").split()
INCLUDE = os.path.join(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..", "..")), "include")


@unittest.skipUnless(shutil.which(CC[0]) and os.path.isdir(INCLUDE), "no compiler, or no headers")
class Structs(unittest.TestCase):
    def test_sizes_and_offsets(self):
        lines, wanted = [], []
        for name, struct in _c.STRUCTS.items():
            lines.append(f'printf("%zu\\n", sizeof(struct {name}));')
            wanted.append((name, ctypes.sizeof(struct)))
            for field in struct._fields_:
                lines.append(f'printf("%zu\\n", offsetof(struct {name}, {field[0]}));')
                wanted.append((f"{name}.{field[0]}", getattr(struct, field[0]).offset))
        lines.append('printf("%d\\n", (int)STJ_EINTERRUPTED);')
        wanted.append(("STJ_EINTERRUPTED", _call.INTERRUPTED))
        lines.append('printf("%d\\n", (int)STJ_REPORT_JSON);')
        wanted.append(("STJ_REPORT_JSON", 1))
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "s.c"), os.path.join(folder, "s")
            with open(source, "w", encoding="utf-8") as out:
                out.write("#include <spectraj.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
                          + "\n".join(lines) + "\nreturn 0; }\n")
            subprocess.run([*CC, f"-I{INCLUDE}", source, "-o", program], check=True)
            found = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual([(name, int(n)) for (name, _), n in zip(wanted, found)], wanted)


if __name__ == "__main__":
    unittest.main()
