# src/data/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/batch_order.c
libspectraj_core_la_SOURCES += %reldir%/batch_order.h
libspectraj_core_la_SOURCES += %reldir%/dataset.c
libspectraj_core_la_SOURCES += %reldir%/dataset.h
libspectraj_core_la_SOURCES += %reldir%/matrix.h
libspectraj_core_la_SOURCES += %reldir%/reader.c
libspectraj_core_la_SOURCES += %reldir%/reader.h
libspectraj_core_la_SOURCES += %reldir%/readers/csv.c
libspectraj_core_la_SOURCES += %reldir%/readers/npy.c
libspectraj_core_la_SOURCES += %reldir%/rows.c
libspectraj_core_la_SOURCES += %reldir%/rows.h
libspectraj_core_la_SOURCES += %reldir%/text_lines.c
libspectraj_core_la_SOURCES += %reldir%/text_lines.h
