/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks_serial.c: a build without MPI: one rank of one. */
#ifndef STJ_WITH_MPI
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "parallel/ranks_internal.h"

enum stj_status stj_transport_begin(const struct stj_transport **transport, size_t *rank,
                                    size_t *size, struct stj_error *err)
{
    const char *ompi = getenv("OMPI_COMM_WORLD_SIZE");
    const char *started = ompi ? ompi : getenv("PMI_SIZE");
    (void)transport, (void)rank, (void)size;
    STJ_NEED(err, !started || strcmp(started, "1") == 0, STJ_EUNSUPPORTED,
             "%s processes were started, and this spectraj was built without MPI: they would all "
             "do the same; build it with ./configure --with-mpi, or start one",
             started);
    return STJ_OK;
}
#endif
