# The benchmark: built and run by `make bench` alone.  ENGINE_FLAGS are its options, as in
#   make bench ENGINE_FLAGS='--case digits-single --profile'
EXTRA_PROGRAMS += %reldir%/engine
%canon_reldir%_engine_SOURCES =
%canon_reldir%_engine_SOURCES += %reldir%/engine.c
%canon_reldir%_engine_SOURCES += %reldir%/flops.c
%canon_reldir%_engine_SOURCES += %reldir%/flops.h
%canon_reldir%_engine_SOURCES += %reldir%/profile.c
%canon_reldir%_engine_SOURCES += %reldir%/profile.h
%canon_reldir%_engine_SOURCES += tests/make_run.c
%canon_reldir%_engine_SOURCES += tests/make_run.h
%canon_reldir%_engine_CPPFLAGS = $(STJ_CPPFLAGS) $(core_cppflags) -I$(top_srcdir)/%reldir% \
	-I$(top_srcdir)/tests
%canon_reldir%_engine_LDADD = libspectraj_core.la
%canon_reldir%_engine_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=stj_gemm
EXTRA_PROGRAMS += %reldir%/traces
%canon_reldir%_traces_SOURCES = %reldir%/traces.c
%canon_reldir%_traces_CPPFLAGS = -I$(top_srcdir)/include
%canon_reldir%_traces_LDADD = libspectraj.la -lm
EXTRA_PROGRAMS += %reldir%/bridge
%canon_reldir%_bridge_SOURCES = %reldir%/bridge.c
%canon_reldir%_bridge_CPPFLAGS = $(STJ_CPPFLAGS) $(core_cppflags)
%canon_reldir%_bridge_LDADD = libspectraj_core.la
CLEANFILES += %reldir%/engine$(EXEEXT) %reldir%/traces$(EXEEXT) %reldir%/bridge$(EXEEXT)

bench: %reldir%/engine$(EXEEXT) %reldir%/traces$(EXEEXT) %reldir%/bridge$(EXEEXT)
	%reldir%/engine$(EXEEXT) $(ENGINE_FLAGS)
	%reldir%/traces$(EXEEXT)
	%reldir%/bridge$(EXEEXT)

# Beside SLEPc, where it is installed (with mpicc, which its headers need).
EXTRA_DIST += %reldir%/slepc.c
bench-slepc: libspectraj.la
	$(LIBTOOL) --tag=CC --mode=link mpicc -O2 -I$(top_srcdir)/include $(srcdir)/%reldir%/slepc.c \
	  libspectraj.la $$(pkg-config --cflags --libs slepc) -o %reldir%/slepc
	%reldir%/slepc "$(RUN)" $(K) $(NCV)
CLEANFILES += %reldir%/slepc

# The cost of the smallest singular values, of the runs named: the table of docs/bottom.md.
EXTRA_DIST += %reldir%/bottom.sh
bench-bottom: all tests/jsonkeys$(EXEEXT)
	SPECTRAJ=./spectraj$(EXEEXT) JSONKEYS=tests/jsonkeys$(EXEEXT) $(SHELL) $(srcdir)/%reldir%/bottom.sh $(RUNS)

# Ranks beside threads, and the memory of four: docs/scaling.md.  RUN: a run; without, one of examples/mlp-wide is made.
EXTRA_DIST += %reldir%/ranks.sh
bench-ranks: all tests/jsonkeys$(EXEEXT)
	top_srcdir=$(top_srcdir) SPECTRAJ=./spectraj$(EXEEXT) JSONKEYS=tests/jsonkeys$(EXEEXT) \
	  $(SHELL) $(srcdir)/%reldir%/ranks.sh $(RUN)

.PHONY: bench bench-bottom bench-ranks bench-slepc
