/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_sink.h: the HDF5 file driver that result files are written through. */
#ifndef STJ_IO_H5_SINK_H
#define STJ_IO_H5_SINK_H

#include <hdf5.h>

/* Where the bytes go.  Owned by the caller, who opens and closes `fd`; it must outlive the HDF5
 * file made with it. */
struct stj_h5_sink {
    int fd;
    int failure;  /* errno of the first write that failed, else 0 */
    hid_t driver; /* kept from stj_h5_sink_access on; zero before */
};

/* A file access property list whose files are written to the sink (to be closed with H5Pclose),
 * or a negative number. */
hid_t stj_h5_sink_access(struct stj_h5_sink *sink);

/* Give up the driver, when the file is closed; one that was not made is accepted. */
void stj_h5_sink_release(struct stj_h5_sink *sink);

#endif
