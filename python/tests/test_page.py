# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of docs/python.md, one block after another, and the programs of examples/python."""
import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from helper import copy_of, trained

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


@unittest.skipUnless(os.path.isdir(os.path.join(TOP, "docs")), "not in the source tree")
class Pages(unittest.TestCase):
    def setUp(self):
        there = tempfile.TemporaryDirectory()
        self.addCleanup(there.cleanup)
        self.folder = there.name
        os.symlink(copy_of(trained(), "page"), os.path.join(self.folder, "RUN"))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def run_page(self, name, most):
        with open(os.path.join(TOP, "docs", name), encoding="utf-8") as page:
            blocks = re.findall(r"^```python\n(.*?)^```$", page.read(), re.M | re.S)
        self.assertGreaterEqual(len(blocks), most)
        names = {}
        for block in blocks:
            needed = re.match(r"# needs (\w+)", block)
            if needed and not importlib.util.find_spec(needed.group(1)):
                continue
            if needed and needed.group(1) == "matplotlib":
                block = "import matplotlib\nmatplotlib.use('Agg')\n" + block
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block, f"docs/{name}", "exec"), names)  # pylint: disable=exec-used

    def test_the_tutorial(self):
        self.run_page("python.md", 8)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "no torch")
    def test_the_tutorial_of_pytorch(self):
        import torch
        self.addCleanup(torch.set_default_dtype, torch.get_default_dtype())
        self.run_page("python-pytorch.md", 2)

    def program(self, name, *arguments):
        path = os.path.join(TOP, "examples", "python", name)
        return subprocess.run([sys.executable, path, *arguments], check=True, capture_output=True, text=True,
                              cwd=self.folder).stdout

    def test_the_notebook(self):
        path = os.path.join(TOP, "examples", "python", "layers.ipynb")
        if importlib.util.find_spec("nbconvert") and importlib.util.find_spec("ipykernel"):
            text = subprocess.run([sys.executable, "-m", "nbconvert", "--execute", "--to", "markdown", "--stdout", path,
                                   "--ExecutePreprocessor.cwd=" + self.folder], check=True, capture_output=True,
                                  text=True, cwd=self.folder).stdout
        else:
            with open(path, encoding="utf-8") as book:
                cells = [cell for cell in json.load(book)["cells"] if cell["cell_type"] == "code"]
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile("\n".join("".join(cell["source"]) for cell in cells), path, "exec"), {})
            text = said.getvalue()
        self.assertRegex(text, r"dense2.kernel +\d+\.\d\d% of \d+ directions")

    def test_the_examples(self):
        self.assertIn("dense2.kernel", self.program("layers.py", "RUN"))
        self.assertIn("converged", self.program("operator_of_ours.py"))

    @unittest.skipUnless(importlib.util.find_spec("torch"), "no torch")
    def test_the_examples_of_pytorch(self):
        self.assertIn("35 steps", self.program("mlp.py"))
        self.assertIn("7.kernel", self.program("cnn.py"))


if __name__ == "__main__":
    unittest.main()
