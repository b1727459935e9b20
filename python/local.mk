# The Python package, one file per line: installed with --with-python, and by `pip install ./python`
# without this.
python_modules =
python_modules += %reldir%/spectraj/__init__.py
python_modules += %reldir%/spectraj/_c.py
python_modules += %reldir%/spectraj/_call.py
python_modules += %reldir%/spectraj/_frames.py
python_modules += %reldir%/spectraj/_module.py
python_modules += %reldir%/spectraj/jax.py
python_modules += %reldir%/spectraj/plot.py
python_modules += %reldir%/spectraj/py.typed
python_modules += %reldir%/spectraj/result.py
python_modules += %reldir%/spectraj/run.py
python_modules += %reldir%/spectraj/serve_torch.py
python_modules += %reldir%/spectraj/solve.py
python_modules += %reldir%/spectraj/torch.py
EXTRA_DIST += $(python_modules)
EXTRA_DIST += %reldir%/README.md
EXTRA_DIST += %reldir%/pyproject.toml
EXTRA_DIST += %reldir%/tests/conftest.py
EXTRA_DIST += %reldir%/tests/helper.py
EXTRA_DIST += %reldir%/tests/test_jax.py
EXTRA_DIST += %reldir%/tests/test_operators.py
EXTRA_DIST += %reldir%/tests/test_page.py
EXTRA_DIST += %reldir%/tests/test_runs.py
EXTRA_DIST += %reldir%/tests/test_structs.py
EXTRA_DIST += %reldir%/tests/test_torch.py

python_folders =
if PYTHON
spectrajpythondir = $(pythondir)/spectraj
python_folders += '$(spectrajpythondir)'
spectrajpython_DATA = $(python_modules) %reldir%/spectraj/_libdir.py
CLEANFILES += %reldir%/spectraj/_libdir.py
# Where make install puts the library: the system's linker need not know the folder.
%reldir%/spectraj/_libdir.py: Makefile
	@$(MKDIR_P) %reldir%/spectraj
	$(AM_V_GEN)echo 'LIBDIR = "$(libdir)"' > $@.tmp && mv $@.tmp $@
endif
