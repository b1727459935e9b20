# src/parallel/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/parallel.c
libspectraj_core_la_SOURCES += %reldir%/parallel.h
libspectraj_core_la_SOURCES += %reldir%/ranks.c
libspectraj_core_la_SOURCES += %reldir%/ranks.h
libspectraj_core_la_SOURCES += %reldir%/share_sum.c
libspectraj_core_la_SOURCES += %reldir%/share_sum.h
libspectraj_core_la_SOURCES += %reldir%/slice_sync.h
