# src/cli/: the command, one file per line, sorted.
spectraj_SOURCES += %reldir%/args.c
spectraj_SOURCES += %reldir%/args.h
spectraj_SOURCES += %reldir%/cli.c
spectraj_SOURCES += %reldir%/cli.h
spectraj_SOURCES += %reldir%/dense.c
spectraj_SOURCES += %reldir%/density.c
spectraj_SOURCES += %reldir%/help.c
spectraj_SOURCES += %reldir%/info.c
spectraj_SOURCES += %reldir%/main.c
spectraj_SOURCES += %reldir%/nearest.c
spectraj_SOURCES += %reldir%/plot.c
spectraj_SOURCES += %reldir%/progress.c
spectraj_SOURCES += %reldir%/run.c
spectraj_SOURCES += %reldir%/svd.c
spectraj_SOURCES += %reldir%/trace.c
spectraj_SOURCES += %reldir%/train.c
spectraj_SOURCES += %reldir%/validate.c
