# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi.sh: mpirun as tests need it; to be sourced.
#
#     ranks P COMMAND...     COMMAND on P ranks of this machine, however few its processors are
#
# Open MPI wants to be told that more ranks than processors, and root (in a container), are meant: up to 4 by
# OMPI_MCA, from 5 by PRTE_MCA.  MPICH asks for nothing.

command -v "${MPIRUN:=mpirun}" >/dev/null 2>&1 || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMP_WAIT_POLICY=passive

ranks() {
    ranks_p=$1
    shift
    "$MPIRUN" -n "$ranks_p" "$@"
}
