# The tests.  Names: t- examples by unit, p- random properties, o- oracles, bad- error paths,
# cli- the command; other scripts are about the source tree and the built library.
#
# A C test is one line below: its source is tests/NAME.c, and it links everything in src/ but the
# command, the helpers, and Check.  A script is one line further down, and finds in its environment
# top_srcdir and top_builddir (absolute), SPECTRAJ (the program), CC and NM.
# Exit codes as automake wants them: 0 passed, 77 skipped, 99 could not even start, else failed.

check_PROGRAMS += %reldir%/bad-network
check_PROGRAMS += %reldir%/jsonkeys
check_PROGRAMS += %reldir%/o-curvature
check_PROGRAMS += %reldir%/o-density
check_PROGRAMS += %reldir%/o-part
check_PROGRAMS += %reldir%/o-quadratic
check_PROGRAMS += %reldir%/o-repeated
check_PROGRAMS += %reldir%/o-svd
check_PROGRAMS += %reldir%/o-study
check_PROGRAMS += %reldir%/o-trace
check_PROGRAMS += %reldir%/o-given
check_PROGRAMS += %reldir%/p-layers
check_PROGRAMS += %reldir%/p-losses
check_PROGRAMS += %reldir%/p-network
check_PROGRAMS += %reldir%/p-optimizers
check_PROGRAMS += %reldir%/p-single
check_PROGRAMS += %reldir%/schema_names
check_PROGRAMS += %reldir%/t-analysis
check_PROGRAMS += %reldir%/t-arrays
check_PROGRAMS += %reldir%/p-whole-runs
check_PROGRAMS += %reldir%/problem-proxy
check_PROGRAMS += %reldir%/p-storage
check_PROGRAMS += %reldir%/t-cgroup
check_PROGRAMS += %reldir%/t-config
check_PROGRAMS += %reldir%/t-dataset
check_PROGRAMS += %reldir%/t-file
check_PROGRAMS += %reldir%/t-h5
check_PROGRAMS += %reldir%/t-honest
check_PROGRAMS += %reldir%/t-images
check_PROGRAMS += %reldir%/t-import
check_PROGRAMS += %reldir%/t-initializers
check_PROGRAMS += %reldir%/t-layers
check_PROGRAMS += %reldir%/t-journal
check_PROGRAMS += %reldir%/t-libraries
check_PROGRAMS += %reldir%/t-lock
check_PROGRAMS += %reldir%/t-option
check_PROGRAMS += %reldir%/t-problem
check_PROGRAMS += %reldir%/t-readers
check_PROGRAMS += %reldir%/t-report
check_PROGRAMS += %reldir%/t-resume
check_PROGRAMS += %reldir%/t-run
check_PROGRAMS += %reldir%/t-schedules
check_PROGRAMS += %reldir%/t-study
check_PROGRAMS += %reldir%/t-trajectory
check_PROGRAMS += %reldir%/t-vector-math
check_PROGRAMS += %reldir%/t-yaml

# Helpers shared by C tests, headers included, one file per line.
check_LTLIBRARIES += libtestkit.la
libtestkit_la_SOURCES =
libtestkit_la_SOURCES += %reldir%/expect.h
libtestkit_la_SOURCES += %reldir%/known_op.c
libtestkit_la_SOURCES += %reldir%/known_op.h
libtestkit_la_SOURCES += %reldir%/layer_subject.c
libtestkit_la_SOURCES += %reldir%/layer_subject.h
libtestkit_la_SOURCES += %reldir%/make_run.c
libtestkit_la_SOURCES += %reldir%/make_run.h
libtestkit_la_SOURCES += %reldir%/scratch.c
libtestkit_la_SOURCES += %reldir%/scratch.h
libtestkit_la_SOURCES += %reldir%/small_run.c
libtestkit_la_SOURCES += %reldir%/small_run.h
libtestkit_la_SOURCES += %reldir%/temp_files.c
libtestkit_la_SOURCES += %reldir%/temp_files.h
libtestkit_la_SOURCES += %reldir%/write_arrays.c
libtestkit_la_SOURCES += %reldir%/write_arrays.h

# Scripts, one per line.
test_scripts =
test_scripts += %reldir%/single.sh
test_scripts += %reldir%/bad-input.sh
test_scripts += %reldir%/cli-average.sh
test_scripts += %reldir%/cli-basic.sh
test_scripts += %reldir%/cli-bottom.sh
test_scripts += %reldir%/cli-compare.sh
test_scripts += %reldir%/cli-density.sh
test_scripts += %reldir%/cli-digits-short.sh
test_scripts += %reldir%/cli-faults.sh
test_scripts += %reldir%/cli-accumulate.sh
test_scripts += %reldir%/cli-groups.sh
test_scripts += %reldir%/cli-curvature.sh
test_scripts += %reldir%/cli-influence.sh
test_scripts += %reldir%/cli-interrupt.sh
test_scripts += %reldir%/cli-kept.sh
test_scripts += %reldir%/cli-precision.sh
test_scripts += %reldir%/cli-continue.sh
test_scripts += %reldir%/cli-list.sh
test_scripts += %reldir%/cli-moved.sh
test_scripts += %reldir%/odd-inputs.sh
test_scripts += %reldir%/cli-lock.sh
test_scripts += %reldir%/cli-page.sh
test_scripts += %reldir%/cli-parts.sh
test_scripts += %reldir%/cli-rounding.sh
test_scripts += %reldir%/cli-plan.sh
test_scripts += %reldir%/graph.sh
test_scripts += %reldir%/installed.sh
test_scripts += %reldir%/lenet-small.sh
test_scripts += %reldir%/cli-sam.sh
test_scripts += %reldir%/cli-study.sh
test_scripts += %reldir%/cli-sweep.sh
test_scripts += %reldir%/cli-trajectory.sh
test_scripts += %reldir%/docs.sh
test_scripts += %reldir%/docs-commands.sh
test_scripts += %reldir%/examples.sh
test_scripts += %reldir%/from-pytorch.sh
test_scripts += %reldir%/headers.sh
test_scripts += %reldir%/imported.sh
test_scripts += %reldir%/problem.sh
test_scripts += %reldir%/includes.sh
test_scripts += %reldir%/manual.sh
test_scripts += %reldir%/nulls.sh
test_scripts += %reldir%/outputs.sh
test_scripts += %reldir%/portable.sh
test_scripts += %reldir%/python.sh
test_scripts += %reldir%/reference.sh
test_scripts += %reldir%/reproduce.sh
test_scripts += %reldir%/schema-docs.sh
test_scripts += %reldir%/symbols.sh
test_scripts += %reldir%/walkthroughs.sh
test_scripts += %reldir%/xarray.sh

# Scripts that only run on demand, or in others.
dist_check_SCRIPTS += %reldir%/analyze.sh
dist_check_SCRIPTS += %reldir%/cli-lib.sh
dist_check_SCRIPTS += %reldir%/coverage.sh
dist_check_SCRIPTS += %reldir%/faults.sh
dist_check_SCRIPTS += %reldir%/format.sh
dist_check_SCRIPTS += %reldir%/fuzz.sh
dist_check_SCRIPTS += %reldir%/kills.sh
dist_check_SCRIPTS += %reldir%/memcheck.sh
dist_check_SCRIPTS += %reldir%/paper-digits.sh
dist_check_SCRIPTS += %reldir%/portable-roots.sh

dist_check_SCRIPTS += %reldir%/torch/check.sh
dist_check_SCRIPTS += %reldir%/trajectory-bars.sh
EXTRA_DIST += %reldir%/docs.py
EXTRA_DIST += %reldir%/page.py
EXTRA_DIST += %reldir%/torch/check.py
EXTRA_DIST += %reldir%/torch/losses.py
EXTRA_DIST += %reldir%/torch/networks.py
EXTRA_DIST += %reldir%/torch/optimizers.py
EXTRA_DIST += %reldir%/torch/pages.py
EXTRA_DIST += %reldir%/torch/process.py
EXTRA_DIST += %reldir%/torch/steps.py
EXTRA_DIST += %reldir%/torch/trainings.py
dist_check_SCRIPTS += %reldir%/walkthrough-analysis.sh

# Programs and scripts of several ranks, for a build with MPI: make check-mpi.
mpi_scripts =
mpi_scripts += %reldir%/mpi-command.sh
mpi_scripts += %reldir%/mpi-failures.sh
mpi_scripts += %reldir%/mpi-given.sh
mpi_scripts += %reldir%/mpi-rows.sh
mpi_scripts += %reldir%/mpi-studies.sh
dist_check_SCRIPTS += $(mpi_scripts)
EXTRA_DIST += %reldir%/odd-inputs
EXTRA_DIST += %reldir%/mpi.sh
mpi_programs =
mpi_programs += %reldir%/m-rows$(EXEEXT)
EXTRA_PROGRAMS += %reldir%/m-rows
CLEANFILES += $(mpi_programs)

# Built for trajectory-bars.sh alone.
EXTRA_PROGRAMS += %reldir%/runbars
CLEANFILES += %reldir%/runbars$(EXEEXT)

# Files that tests read.
EXTRA_DIST += %reldir%/data/trajectory-v1.h5
EXTRA_DIST += %reldir%/data/imported/make.py
EXTRA_DIST += %reldir%/data/imported/adam.npy
EXTRA_DIST += %reldir%/data/imported/batches.npy
EXTRA_DIST += %reldir%/data/imported/labels.npy
EXTRA_DIST += %reldir%/data/imported/momentum.h5
EXTRA_DIST += %reldir%/data/imported/momentum.npy
EXTRA_DIST += %reldir%/data/imported/momentum.npz
EXTRA_DIST += %reldir%/data/imported/step-000.safetensors
EXTRA_DIST += %reldir%/data/imported/step-001.safetensors
EXTRA_DIST += %reldir%/data/imported/step-002.safetensors
EXTRA_DIST += %reldir%/data/imported/step-003.safetensors
EXTRA_DIST += %reldir%/data/imported/step-004.safetensors
EXTRA_DIST += %reldir%/data/imported/step-005.safetensors
EXTRA_DIST += %reldir%/data/imported/step-006.safetensors
EXTRA_DIST += %reldir%/data/imported/step-007.safetensors
EXTRA_DIST += %reldir%/data/imported/step-008.safetensors
EXTRA_DIST += %reldir%/data/imported/step-009.safetensors
EXTRA_DIST += %reldir%/data/imported/step-010.safetensors
EXTRA_DIST += %reldir%/data/imported/step-011.safetensors
EXTRA_DIST += %reldir%/data/imported/step-012.safetensors
EXTRA_DIST += %reldir%/data/imported/theta0.npy
EXTRA_DIST += %reldir%/data/imported/x.npy

# Read by tests/analyze.sh.
EXTRA_DIST += %reldir%/cppcheck.explained

# Read by tests/memcheck.sh.
EXTRA_DIST += %reldir%/valgrind.supp

# Built by tests/faults.sh, for LD_PRELOAD.
EXTRA_DIST += %reldir%/fault-shim.c

# Built and run by tests/fuzz.sh.
EXTRA_PROGRAMS += %reldir%/fuzz/fuzz
%canon_reldir%_fuzz_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%canon_reldir%_fuzz_fuzz_LDADD = libspectraj_core.la
EXTRA_DIST += %reldir%/fuzz/seeds/config/conv
EXTRA_DIST += %reldir%/fuzz/seeds/config/digits
EXTRA_DIST += %reldir%/fuzz/seeds/csv-gz/plain
EXTRA_DIST += %reldir%/fuzz/seeds/csv/crlf
EXTRA_DIST += %reldir%/fuzz/seeds/csv/header
EXTRA_DIST += %reldir%/fuzz/seeds/csv/plain
EXTRA_DIST += %reldir%/fuzz/seeds/idx/bytes
EXTRA_DIST += %reldir%/fuzz/seeds/idx/doubles
EXTRA_DIST += %reldir%/fuzz/seeds/idx/gz
EXTRA_DIST += %reldir%/fuzz/seeds/idx/labels
EXTRA_DIST += %reldir%/fuzz/seeds/log/three
EXTRA_DIST += %reldir%/fuzz/seeds/log/torn
EXTRA_DIST += %reldir%/fuzz/seeds/frames/gradients
EXTRA_DIST += %reldir%/fuzz/seeds/frames/steps
EXTRA_DIST += %reldir%/fuzz/seeds/hello/quadratic
EXTRA_DIST += %reldir%/fuzz/seeds/manifest/four
EXTRA_DIST += %reldir%/fuzz/seeds/npy/f8
EXTRA_DIST += %reldir%/fuzz/seeds/npy/fortran
EXTRA_DIST += %reldir%/fuzz/seeds/npy/i4
EXTRA_DIST += %reldir%/fuzz/seeds/npy/scalar
EXTRA_DIST += %reldir%/fuzz/seeds/npz/deflated
EXTRA_DIST += %reldir%/fuzz/seeds/npz/stored
EXTRA_DIST += %reldir%/fuzz/seeds/result/study-growth.h5
EXTRA_DIST += %reldir%/fuzz/seeds/result/svd.h5
EXTRA_DIST += %reldir%/fuzz/seeds/safetensors/metadata
EXTRA_DIST += %reldir%/fuzz/seeds/safetensors/two
EXTRA_DIST += %reldir%/fuzz/seeds/trajectory/two-steps.h5

# Below: what serves all tests and need not change when one is added.
AM_CPPFLAGS = $(STJ_CPPFLAGS) $(core_cppflags) -I$(top_srcdir)/%reldir% $(CHECK_CFLAGS)
LDADD = libtestkit.la libspectraj_core.la $(CHECK_LIBS)

dist_check_SCRIPTS += $(test_scripts)
TESTS += $(check_PROGRAMS) $(test_scripts)
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
# Tests run beside each other, so threads that wait must not spin.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	SPECTRAJ='$(abs_top_builddir)/spectraj$(EXEEXT)'; export SPECTRAJ; \
	CORE_FLAGS='$(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS)'; export CORE_FLAGS; \
	LINK_FLAGS='$(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS)'; export LINK_FLAGS; \
	CHECK_LIBS='$(CHECK_LIBS)'; export CHECK_LIBS; \
	CC='$(CC)'; export CC; NM='$(NM)'; export NM; \
	CLANG_FORMAT='$(CLANG_FORMAT)'; export CLANG_FORMAT; \
	OMP_WAIT_POLICY=passive; export OMP_WAIT_POLICY;
if SANITIZERS
# A sanitized test is a few times slower than a plain one.
AM_TESTS_ENVIRONMENT += \
	CK_TIMEOUT_MULTIPLIER=10; export CK_TIMEOUT_MULTIPLIER; \
	UBSAN_OPTIONS=print_stacktrace=1; export UBSAN_OPTIONS;
endif
if COVERAGE
AM_TESTS_ENVIRONMENT += \
	CK_TIMEOUT_MULTIPLIER=10; export CK_TIMEOUT_MULTIPLIER; \
	COVERAGE=yes; export COVERAGE;
endif
