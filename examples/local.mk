# The examples, installed with their data: one file per line.
digitsdir = $(pkgdatadir)/examples/digits
dist_digits_DATA =
dist_digits_DATA += %reldir%/digits/README.md
dist_digits_DATA += %reldir%/digits/digits.csv.gz
dist_digits_DATA += %reldir%/digits/digits.yaml
dist_digits_DATA += %reldir%/digits/inputs_noise.npy
dist_digits_DATA += %reldir%/digits/labels_shuffled.npy
dist_digits_DATA += %reldir%/digits/test_inputs_noise.npy
dist_digits_DATA += %reldir%/digits/test_rows.txt
dist_digits_DATA += %reldir%/digits/theta0.npy
dist_digits_DATA += %reldir%/digits/train_rows.txt

# The paper's experiments, which use the data of digits/ beside them.
paperdir = $(pkgdatadir)/examples/paper
dist_paper_DATA =
dist_paper_DATA += %reldir%/paper/README.md
dist_paper_DATA += %reldir%/paper/adam.yaml
dist_paper_DATA += %reldir%/paper/noise.yaml
dist_paper_DATA += %reldir%/paper/other-seed.yaml
dist_paper_DATA += %reldir%/paper/reproduce.sh
dist_paper_DATA += %reldir%/paper/shuffled.yaml

examplesdir = $(pkgdatadir)/examples
dist_examples_DATA = %reldir%/large-networks.sh
lenetdir = $(pkgdatadir)/examples/lenet
dist_lenet_DATA =
dist_lenet_DATA += %reldir%/lenet/lenet-short.yaml
dist_lenet_DATA += %reldir%/lenet/lenet-small.yaml
dist_lenet_DATA += %reldir%/lenet/lenet.yaml
mlpwidedir = $(pkgdatadir)/examples/mlp-wide
dist_mlpwide_DATA = %reldir%/mlp-wide/mlp-wide.yaml
transformerdir = $(pkgdatadir)/examples/transformer
dist_transformer_DATA = %reldir%/transformer/transformer.yaml
resnet20dir = $(pkgdatadir)/examples/resnet20
dist_resnet20_DATA = %reldir%/resnet20/resnet20.yaml
gptdir = $(pkgdatadir)/examples/gpt
dist_gpt_DATA = %reldir%/gpt/gpt.yaml
vitdir = $(pkgdatadir)/examples/vit
dist_vit_DATA = %reldir%/vit/vit.yaml

# The Python examples, run by python/tests/test_page.py.
examplepythondir = $(pkgdatadir)/examples/python
dist_examplepython_DATA = %reldir%/python/cnn.py
dist_examplepython_DATA += %reldir%/python/layers.ipynb
dist_examplepython_DATA += %reldir%/python/layers.py
dist_examplepython_DATA += %reldir%/python/mlp.py
dist_examplepython_DATA += %reldir%/python/operator_of_ours.py

# The C examples, numbered in the order to read them, are built with everything else from the public
# headers alone, run by tests/examples.sh, and installed as source.
examplecdir = $(pkgdatadir)/examples/c
dist_examplec_DATA = %reldir%/c/small.yaml
dist_examplec_DATA += %reldir%/c/01-own-operator.c
dist_examplec_DATA += %reldir%/c/02-own-network.c
dist_examplec_DATA += %reldir%/c/03-train-and-top-values.c
dist_examplec_DATA += %reldir%/c/04-density.c
dist_examplec_DATA += %reldir%/c/05-window-and-trace.c
dist_examplec_DATA += %reldir%/c/06-perturb-training.c
dist_examplec_DATA += %reldir%/c/07-run-of-callbacks.c

example_cppflags = $(STJ_CPPFLAGS) -I$(top_srcdir)/include
noinst_PROGRAMS += %reldir%/c/01-own-operator
%canon_reldir%_c_01_own_operator_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_01_own_operator_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/02-own-network
%canon_reldir%_c_02_own_network_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_02_own_network_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/03-train-and-top-values
%canon_reldir%_c_03_train_and_top_values_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_03_train_and_top_values_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/04-density
%canon_reldir%_c_04_density_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_04_density_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/05-window-and-trace
%canon_reldir%_c_05_window_and_trace_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_05_window_and_trace_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/06-perturb-training
%canon_reldir%_c_06_perturb_training_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_06_perturb_training_LDADD = libspectraj.la
noinst_PROGRAMS += %reldir%/c/07-run-of-callbacks
%canon_reldir%_c_07_run_of_callbacks_CPPFLAGS = $(example_cppflags)
%canon_reldir%_c_07_run_of_callbacks_LDADD = libspectraj.la

# The other end of a problem in another process, in C and in Python.
problemdir = $(pkgdatadir)/examples/problem
dist_problem_DATA =
dist_problem_DATA += %reldir%/problem/linear.py
dist_problem_DATA += %reldir%/problem/linear.yaml
dist_problem_DATA += %reldir%/problem/quadratic.c
dist_problem_DATA += %reldir%/problem/quadratic.yaml

# Removed by make uninstall when they are empty.
example_folders = \
	'$(digitsdir)' \
	'$(paperdir)' \
	'$(lenetdir)' \
	'$(mlpwidedir)' \
	'$(transformerdir)' \
	'$(resnet20dir)' \
	'$(gptdir)' \
	'$(vitdir)' \
	'$(examplepythondir)' \
	'$(examplecdir)' \
	'$(problemdir)'
