# src/run/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/config.c
libspectraj_core_la_SOURCES += %reldir%/config.h
libspectraj_core_la_SOURCES += %reldir%/describe.c
libspectraj_core_la_SOURCES += %reldir%/folder.c
libspectraj_core_la_SOURCES += %reldir%/identity.c
libspectraj_core_la_SOURCES += %reldir%/initial.c
libspectraj_core_la_SOURCES += %reldir%/meter.c
libspectraj_core_la_SOURCES += %reldir%/meter.h
libspectraj_core_la_SOURCES += %reldir%/part.c
libspectraj_core_la_SOURCES += %reldir%/prepare.c
libspectraj_core_la_SOURCES += %reldir%/run.c
libspectraj_core_la_SOURCES += %reldir%/run_internal.h
libspectraj_core_la_SOURCES += %reldir%/train.c
libspectraj_core_la_SOURCES += %reldir%/training.c
libspectraj_core_la_SOURCES += %reldir%/unfinished.c
libspectraj_core_la_SOURCES += %reldir%/validate.c
