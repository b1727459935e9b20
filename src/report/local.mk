# src/report/: one file per line, sorted.
libspectraj_core_la_SOURCES += %reldir%/charts.c
libspectraj_core_la_SOURCES += %reldir%/figure.c
libspectraj_core_la_SOURCES += %reldir%/gnuplot.c
libspectraj_core_la_SOURCES += %reldir%/gnuplot.h
libspectraj_core_la_SOURCES += %reldir%/json.c
libspectraj_core_la_SOURCES += %reldir%/json.h
libspectraj_core_la_SOURCES += %reldir%/plot.c
libspectraj_core_la_SOURCES += %reldir%/plot.h
libspectraj_core_la_SOURCES += %reldir%/report.c
libspectraj_core_la_SOURCES += %reldir%/result.c
libspectraj_core_la_SOURCES += %reldir%/result.h
libspectraj_core_la_SOURCES += %reldir%/result_dense.c
libspectraj_core_la_SOURCES += %reldir%/result_density.c
libspectraj_core_la_SOURCES += %reldir%/result_svd.c
libspectraj_core_la_SOURCES += %reldir%/result_trace.c
libspectraj_core_la_SOURCES += %reldir%/text.c
libspectraj_core_la_SOURCES += %reldir%/text.h
