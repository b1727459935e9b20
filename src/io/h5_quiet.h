/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_quiet.h: HDF5 without the error stack that it prints. */
#ifndef STJ_IO_H5_QUIET_H
#define STJ_IO_H5_QUIET_H

#include <hdf5.h>

#include <spectraj/status.h>

/* HDF5 prints its error stack unless told not to; the process's own setting is put back. */
struct stj_h5_quiet {
    H5E_auto2_t function;
    void *data;
};
struct stj_h5_quiet stj_h5_quiet_begin(void);
void stj_h5_quiet_end(struct stj_h5_quiet quiet);

/* STJ_ENOMEM unless there is the memory that a call of HDF5 may want, which crashes where it
 * gets none: to be asked before HDF5 is. */
enum stj_status stj_h5_reserve(struct stj_error *err);

#endif
