/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/import/parameter_file.h: files that hold the parameters of a run's network, once or once for
 * each state of a series.
 *
 * A file of one array (NPY, CSV), or an array named as FILE:NAME, is the whole parameter vector in
 * the network's order.  Any other file has an array for each tensor, found by the config's
 * init.names and brought from the file's layout to ours (net/parameter_map.h).  In a series every
 * array has one more axis, the first, that counts the states.
 */
#ifndef STJ_RUN_IMPORT_PARAMETER_FILE_H
#define STJ_RUN_IMPORT_PARAMETER_FILE_H

#include "run/run_internal.h"

struct stj_parameter_file;

/* *file <- what `text` (FILE or FILE:NAME) means, its arrays found and of the right shapes; run and
 * key (that of the config, for messages) are borrowed.  STJ_EMISMATCH lists all that do not fit. */
enum stj_status stj_parameter_file_open(const struct stj_run *run, const char *key,
                                        const char *text, bool is_series,
                                        struct stj_parameter_file **file, struct stj_error *err);

/* The same of a slot of the optimizer, in arrays called TENSOR.SLOT; frozen tensors have none. */
enum stj_status stj_slot_file_open(const struct stj_run *run, const char *key, const char *text,
                                   const char *slot, struct stj_parameter_file **file,
                                   struct stj_error *err);
void stj_parameter_file_close(struct stj_parameter_file *file); /* NULL is accepted */

size_t stj_parameter_file_n_states(const struct stj_parameter_file *file); /* 1 unless a series */

/* theta[n_params], and frozen[n_frozen] unless NULL, <- state k.  States in ascending order cost one pass over a packed file.  An
 * error names the file; whose it is, the caller adds. */
enum stj_status stj_parameter_file_read(struct stj_parameter_file *file, size_t k, double *theta,
                                        double *frozen, struct stj_error *err);

/* parameter <- tensor i in files of the layout that the config says. */
enum stj_status stj_run_get_tensor(const struct stj_run *run, size_t i,
                                   struct stj_parameter *parameter, struct stj_error *err);

#endif
