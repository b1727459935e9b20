# The documents, one per line: pages under docdir.
dist_doc_DATA += %reldir%/adding-a-layer.md
dist_doc_DATA += %reldir%/adding-a-method.md
dist_doc_DATA += %reldir%/adding-a-study.md
dist_doc_DATA += %reldir%/adding-an-analysis.md
dist_doc_DATA += %reldir%/adding-an-optimizer.md
dist_doc_DATA += %reldir%/architecture.md
dist_doc_DATA += %reldir%/bottom.md
dist_doc_DATA += %reldir%/comparing.md
dist_doc_DATA += %reldir%/c.md
dist_doc_DATA += %reldir%/data.md
dist_doc_DATA += %reldir%/density.md
dist_doc_DATA += %reldir%/from-pytorch.md
dist_doc_DATA += %reldir%/gallery.md
dist_doc_DATA += %reldir%/glossary.md
dist_doc_DATA += %reldir%/imported-trajectory.md
dist_doc_DATA += %reldir%/influence.md
dist_doc_DATA += %reldir%/json.md
dist_doc_DATA += %reldir%/large-networks.md

dist_doc_DATA += %reldir%/math.md
dist_doc_DATA += %reldir%/memory.md
dist_doc_DATA += %reldir%/networks.md
dist_doc_DATA += %reldir%/optimizers.md
dist_doc_DATA += %reldir%/own-problem.md
dist_doc_DATA += %reldir%/paper.md
dist_doc_DATA += %reldir%/paper-in-an-hour.md
dist_doc_DATA += %reldir%/performance.md
dist_doc_DATA += %reldir%/precision.md
dist_doc_DATA += %reldir%/python.md
dist_doc_DATA += %reldir%/python-pytorch.md
dist_doc_DATA += %reldir%/portability.md
dist_doc_DATA += %reldir%/problem-protocol.md
dist_doc_DATA += %reldir%/reading-figures.md
dist_doc_DATA += %reldir%/results-format.md
dist_doc_DATA += %reldir%/scaling.md
dist_doc_DATA += %reldir%/studies.md
dist_doc_DATA += %reldir%/trajectory-format.md
dist_doc_DATA += %reldir%/troubleshooting.md
dist_doc_DATA += %reldir%/tutorial.md
dist_doc_DATA += %reldir%/which-settings.md

# Manual pages and the completion of bash come from the tables of the built program; an archive has them
# too, in docs/made/, for a cross build, whose program does not run here.
man1_pages = %reldir%/spectraj.1
man1_pages += %reldir%/spectraj-compare.1
man1_pages += %reldir%/spectraj-dense.1
man1_pages += %reldir%/spectraj-density.1
man1_pages += %reldir%/spectraj-export.1
man1_pages += %reldir%/spectraj-curvature.1
man1_pages += %reldir%/spectraj-exponents.1
man1_pages += %reldir%/spectraj-influence.1
man1_pages += %reldir%/spectraj-info.1
man1_pages += %reldir%/spectraj-init.1
man1_pages += %reldir%/spectraj-list.1
man1_pages += %reldir%/spectraj-plan.1
man1_pages += %reldir%/spectraj-plot.1
man1_pages += %reldir%/spectraj-report.1
man1_pages += %reldir%/spectraj-run.1
man1_pages += %reldir%/spectraj-study.1
man1_pages += %reldir%/spectraj-svd.1
man1_pages += %reldir%/spectraj-sweep.1
man1_pages += %reldir%/spectraj-trace.1
man1_pages += %reldir%/spectraj-train.1
man1_pages += %reldir%/spectraj-validate.1
nodist_man1_MANS = $(man1_pages)
nodist_man5_MANS = %reldir%/spectraj-config.5
completiondir = $(datadir)/bash-completion/completions
nodist_completion_DATA = %reldir%/spectraj
zshdir = $(datadir)/zsh/site-functions
nodist_zsh_DATA = %reldir%/_spectraj
fishdir = $(datadir)/fish/vendor_completions.d
nodist_fish_DATA = %reldir%/spectraj.fish
completions = %reldir%/spectraj %reldir%/_spectraj %reldir%/spectraj.fish
CLEANFILES += $(man1_pages) %reldir%/spectraj-config.5 $(completions)

dist-hook: $(man1_pages) %reldir%/spectraj-config.5 $(completions)
	$(MKDIR_P) '$(distdir)/%reldir%/made'
	cp $(man1_pages) %reldir%/spectraj-config.5 $(completions) '$(distdir)/%reldir%/made'
if CROSS
$(man1_pages) %reldir%/spectraj-config.5 $(completions): Makefile
	@$(MKDIR_P) %reldir%
	@test -f '$(srcdir)/%reldir%/made/$(@F)' || { \
	  echo "$@: comes from the built program, which does not run here; build from an archive (make dist)," \
	    "which has the page" >&2; exit 1; }
	$(AM_V_GEN)cp '$(srcdir)/%reldir%/made/$(@F)' $@
else
$(man1_pages) %reldir%/spectraj-config.5: spectraj$(EXEEXT)
	@$(MKDIR_P) %reldir%
	$(AM_V_GEN)name=`basename $@ | sed 's/\.[15]$$//; s/^spectraj-*//'`; \
	./spectraj$(EXEEXT) help --man $$name > $@.tmp && mv $@.tmp $@
$(completions): spectraj$(EXEEXT)
	@$(MKDIR_P) %reldir%
	$(AM_V_GEN)case $@ in *.fish) shell=fish ;; */_spectraj) shell=zsh ;; *) shell=bash ;; esac; \
	./spectraj$(EXEEXT) help --completion $$shell > $@.tmp && mv $@.tmp $@
endif

# The reference of the library, from its headers, on demand; without doxygen says so.
EXTRA_DIST += %reldir%/Doxyfile
EXTRA_DIST += %reldir%/doxygen-filter.awk
doc:
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/reference.sh '$(abs_top_builddir)/%reldir%/reference'; \
	rc=$$?; test $$rc -eq 77 || exit $$rc
.PHONY: doc
clean-local: clean-reference
clean-reference:
	rm -rf %reldir%/reference html

# The manual in html/ of the build folder; without pandoc says so.  docs/README.md is its contents, and is not installed, for
# the README.md of the top lies where it would.
EXTRA_DIST += %reldir%/README.md
EXTRA_DIST += %reldir%/html.sh
EXTRA_DIST += %reldir%/html/manual.css
EXTRA_DIST += %reldir%/html/page.html
EXTRA_DIST += %reldir%/html/search.js
html-local: $(man1_pages) %reldir%/spectraj-config.5
	@$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/%reldir%/html.sh html; \
	rc=$$?; test $$rc -eq 77 || exit $$rc

# Figures of paper.md, from examples/paper/reproduce.sh.
docfiguresdir = $(docdir)/figures
dist_docfigures_DATA =
dist_docfigures_DATA += %reldir%/figures/alignment.png
dist_docfigures_DATA += %reldir%/figures/displacement.png
dist_docfigures_DATA += %reldir%/figures/distributions-density.svg
dist_docfigures_DATA += %reldir%/figures/distributions.svg
dist_docfigures_DATA += %reldir%/figures/divergence-shift.png
dist_docfigures_DATA += %reldir%/figures/divergence.png
dist_docfigures_DATA += %reldir%/figures/function-jacobian-null-train.png
dist_docfigures_DATA += %reldir%/figures/function-jacobian-train.svg
dist_docfigures_DATA += %reldir%/figures/lenet-density.svg
dist_docfigures_DATA += %reldir%/figures/overlap-adam.svg
dist_docfigures_DATA += %reldir%/figures/overlap-noise.svg
dist_docfigures_DATA += %reldir%/figures/overlap-other-seed.svg
dist_docfigures_DATA += %reldir%/figures/overlap-shuffled.svg
dist_docfigures_DATA += %reldir%/figures/response-bulk.svg
dist_docfigures_DATA += %reldir%/figures/response-chaotic.svg
dist_docfigures_DATA += %reldir%/figures/response-stable.svg
dist_docfigures_DATA += %reldir%/figures/restrict.svg
dist_docfigures_DATA += %reldir%/figures/spectrum-adam.svg
dist_docfigures_DATA += %reldir%/figures/spectrum.svg
dist_docfigures_DATA += %reldir%/figures/transformer-density.svg
dist_docfigures_DATA += %reldir%/figures/transformer-divergence.svg
dist_docfigures_DATA += %reldir%/figures/tutorial-labels.svg
