# The documents, one per line: pages under docdir, manual pages under man1.
dist_doc_DATA += %reldir%/architecture.md
dist_doc_DATA += %reldir%/bottom.md
dist_doc_DATA += %reldir%/data.md
dist_doc_DATA += %reldir%/density.md
dist_doc_DATA += %reldir%/json.md
dist_doc_DATA += %reldir%/memory.md
dist_doc_DATA += %reldir%/optimizers.md
dist_doc_DATA += %reldir%/own-problem.md
dist_doc_DATA += %reldir%/performance.md
dist_doc_DATA += %reldir%/results-format.md
dist_doc_DATA += %reldir%/studies.md
dist_doc_DATA += %reldir%/trajectory-format.md
