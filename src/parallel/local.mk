# src/parallel/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/parallel.c
libspectraj_core_la_SOURCES += %reldir%/parallel.h
libspectraj_core_la_SOURCES += %reldir%/progress.c
libspectraj_core_la_SOURCES += %reldir%/ranks.c
libspectraj_core_la_SOURCES += %reldir%/ranks.h
libspectraj_core_la_SOURCES += %reldir%/ranks_division.c
libspectraj_core_la_SOURCES += %reldir%/ranks_internal.h
libspectraj_core_la_SOURCES += %reldir%/ranks_mpi.c
libspectraj_core_la_SOURCES += %reldir%/ranks_serial.c
libspectraj_core_la_SOURCES += %reldir%/share_sum.c
libspectraj_core_la_SOURCES += %reldir%/share_sum.h
libspectraj_core_la_SOURCES += %reldir%/shared_memory.c
libspectraj_core_la_SOURCES += %reldir%/shared_memory.h
libspectraj_core_la_SOURCES += %reldir%/slice_sync.h
