# The installed headers besides include/spectraj.h, which includes them all; one per line, sorted.
spectrajinclude_HEADERS =
spectrajinclude_HEADERS += %reldir%/spectraj/config.h
spectrajinclude_HEADERS += %reldir%/spectraj/density.h
spectrajinclude_HEADERS += %reldir%/spectraj/op.h
spectrajinclude_HEADERS += %reldir%/spectraj/problem.h
spectrajinclude_HEADERS += %reldir%/spectraj/progress.h
spectrajinclude_HEADERS += %reldir%/spectraj/report.h
spectrajinclude_HEADERS += %reldir%/spectraj/results.h
spectrajinclude_HEADERS += %reldir%/spectraj/run.h
spectrajinclude_HEADERS += %reldir%/spectraj/status.h
spectrajinclude_HEADERS += %reldir%/spectraj/storage.h
spectrajinclude_HEADERS += %reldir%/spectraj/study.h
spectrajinclude_HEADERS += %reldir%/spectraj/svd.h
spectrajinclude_HEADERS += %reldir%/spectraj/trace.h
spectrajinclude_HEADERS += %reldir%/spectraj/training.h
spectrajinclude_HEADERS += %reldir%/spectraj/version.h
