# The library and the command.  Each folder lists its own sources, headers included, one per line
# and sorted, so that two additions never meet in one line.

noinst_LTLIBRARIES += libspectraj_core.la
libspectraj_core_la_SOURCES =
single_sources =
libspectraj_core_la_CPPFLAGS = $(STJ_CPPFLAGS) $(core_cppflags)
libspectraj_core_la_LIBADD = libspectraj_single.la $(STJ_LIBS)

# The network and its problem once more in single precision, by the same sources: what their headers
# declare gets the ending _single.  A name that is missed is defined twice, and nothing links.
noinst_LTLIBRARIES += libspectraj_single.la
libspectraj_single_la_SOURCES = $(net_sources) $(single_sources)
libspectraj_single_la_CPPFLAGS = $(STJ_CPPFLAGS) $(core_cppflags) -DSTJ_SINGLE -include single_names.h
$(libspectraj_single_la_OBJECTS): single_names.h
CLEANFILES += single_names.h
single_names.h: src/local.mk $(net_sources) src/train/network_problem.h
	$(AM_V_GEN)(cd $(srcdir) && cat src/net/*.h src/net/*/*.h src/train/network_problem.h) | sed -n \
	  -e '/stj_initializers/d' \
	  -e 's/^extern [^;]*[ *]\(stj_[a-z0-9_]*\)\(\[\]\)*;.*/#define \1 \1_single/p' \
	  -e '/^static/!s/^[a-z][^(;={]*[ *]\(stj_[a-z0-9_]*\)(.*/#define \1 \1_single/p' > $@-t && \
	  mv $@-t $@

lib_LTLIBRARIES += libspectraj.la
libspectraj_la_SOURCES =
libspectraj_la_LIBADD = libspectraj_core.la
libspectraj_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(STJ_VERSION_INFO) -no-undefined
if VERSION_SCRIPT
libspectraj_la_LDFLAGS += -Wl,--version-script=libspectraj.map
else
libspectraj_la_LDFLAGS += -export-symbols libspectraj.sym
endif
EXTRA_libspectraj_la_DEPENDENCIES = libspectraj.map libspectraj.sym

# What the public headers declare, and nothing else, is exported, under a version that is the number
# in the library's file name: the current interface less its age.
EXTRA_DIST += include/declarations.awk
CLEANFILES += libspectraj.map libspectraj.sym
libspectraj.sym: libspectraj.map
	$(AM_V_GEN)$(SED) -n 's/^ *\(stj_.*\);/\1/p' libspectraj.map > $@
libspectraj.map: include/declarations.awk $(include_HEADERS) $(spectrajinclude_HEADERS) Makefile
	$(AM_V_GEN)(cd $(srcdir) && $(AWK) -f include/declarations.awk $(include_HEADERS) \
	  $(spectrajinclude_HEADERS)) | $(AWK) -v info='$(STJ_VERSION_INFO)' ' \
	  BEGIN { split(info, v, ":"); printf "SPECTRAJ_%d {\nglobal:\n", v[1] - v[3] } \
	  { sub(/\(.*/, ""); sub(/.*[ *]/, ""); print "    " $$0 ";" } \
	  END { print "local:\n    *;\n};" }' > $@-t && mv $@-t $@

bin_PROGRAMS += spectraj
spectraj_SOURCES =
spectraj_CPPFLAGS = $(STJ_CPPFLAGS) -I$(top_srcdir)/include \
	-DSPECTRAJ_EXAMPLES_DIR='"$(pkgdatadir)/examples"'
spectraj_CFLAGS = $(AM_CFLAGS) $(STJ_PIE_CFLAGS)
spectraj_LDFLAGS = $(AM_LDFLAGS) $(STJ_PIE_LDFLAGS)
spectraj_LDADD = libspectraj.la

include %reldir%/base/local.mk
include %reldir%/parallel/local.mk
include %reldir%/io/local.mk
include %reldir%/options/local.mk
include %reldir%/data/local.mk
include %reldir%/net/local.mk
include %reldir%/train/local.mk
include %reldir%/trajectory/local.mk
include %reldir%/op/local.mk
include %reldir%/spectrum/local.mk
include %reldir%/run/local.mk
include %reldir%/analysis/local.mk
include %reldir%/study/local.mk
include %reldir%/report/local.mk
include %reldir%/cli/local.mk
