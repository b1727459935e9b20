# src/study/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/alignment.c
libspectraj_core_la_SOURCES += %reldir%/common.c
libspectraj_core_la_SOURCES += %reldir%/directions.c
libspectraj_core_la_SOURCES += %reldir%/directions.h
libspectraj_core_la_SOURCES += %reldir%/displacement.c
libspectraj_core_la_SOURCES += %reldir%/divergence.c
libspectraj_core_la_SOURCES += %reldir%/response.c
libspectraj_core_la_SOURCES += %reldir%/restrict.c
libspectraj_core_la_SOURCES += %reldir%/result.c
libspectraj_core_la_SOURCES += %reldir%/result.h
libspectraj_core_la_SOURCES += %reldir%/retrain.c
libspectraj_core_la_SOURCES += %reldir%/retrain.h
libspectraj_core_la_SOURCES += %reldir%/samples.c
libspectraj_core_la_SOURCES += %reldir%/samples.h
libspectraj_core_la_SOURCES += %reldir%/studies.c
libspectraj_core_la_SOURCES += %reldir%/studies.h
libspectraj_core_la_SOURCES += %reldir%/study.h
