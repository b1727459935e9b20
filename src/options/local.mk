# src/options/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/option.c
libspectraj_core_la_SOURCES += %reldir%/option.h
libspectraj_core_la_SOURCES += %reldir%/option_pairs.c
libspectraj_core_la_SOURCES += %reldir%/option_set.c
libspectraj_core_la_SOURCES += %reldir%/option_text.c
libspectraj_core_la_SOURCES += %reldir%/option_value.c
libspectraj_core_la_SOURCES += %reldir%/option_value.h
libspectraj_core_la_SOURCES += %reldir%/option_write.c
libspectraj_core_la_SOURCES += %reldir%/suggest.c
libspectraj_core_la_SOURCES += %reldir%/yaml.c
libspectraj_core_la_SOURCES += %reldir%/yaml.h
