# src/op/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/check.c
libspectraj_core_la_SOURCES += %reldir%/dense.c
libspectraj_core_la_SOURCES += %reldir%/difference.c
libspectraj_core_la_SOURCES += %reldir%/difference.h
libspectraj_core_la_SOURCES += %reldir%/journal.c
libspectraj_core_la_SOURCES += %reldir%/journal.h
libspectraj_core_la_SOURCES += %reldir%/linear_store.c
libspectraj_core_la_SOURCES += %reldir%/linear_store.h
libspectraj_core_la_SOURCES += %reldir%/memory_split.c
libspectraj_core_la_SOURCES += %reldir%/memory_split.h
libspectraj_core_la_SOURCES += %reldir%/normal.c
libspectraj_core_la_SOURCES += %reldir%/operator.c
libspectraj_core_la_SOURCES += %reldir%/operator.h
libspectraj_core_la_SOURCES += %reldir%/sweep.c
libspectraj_core_la_SOURCES += %reldir%/sweep.h
libspectraj_core_la_SOURCES += %reldir%/training_jacobian.c
libspectraj_core_la_SOURCES += %reldir%/training_jacobian.h
