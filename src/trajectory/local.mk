# src/trajectory/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/file.c
libspectraj_core_la_SOURCES += %reldir%/memory.c
libspectraj_core_la_SOURCES += %reldir%/policy.h
libspectraj_core_la_SOURCES += %reldir%/record.c
libspectraj_core_la_SOURCES += %reldir%/record.h
libspectraj_core_la_SOURCES += %reldir%/recording.c
libspectraj_core_la_SOURCES += %reldir%/recording.h
libspectraj_core_la_SOURCES += %reldir%/trajectory.c
libspectraj_core_la_SOURCES += %reldir%/trajectory.h
