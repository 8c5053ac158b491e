/**
 * What mpi.h would say, for there is none here: the values of MPI's handles differ between its kinds.
 * Sources: mpi.h of Open MPI 4.1.4 and 5.0.11, of MPICH 4.0.2 and 5.0.2; of the ABI of MPI 5.0 mpi_abi.h of
 * MPICH 5.0.2 (the standard's appendix A, https://github.com/mpi-forum/mpi-abi-stubs).
 */

/** Kinds of MPI: those of one kind agree on the values of handles. */
export type MpiKind = "Open MPI" | "MPICH" | "MPI ABI";

/** A handle: its value, or the name of the symbol whose address it is. */
type Handle = number | string;

/** How a kind of MPI names its handles. */
export interface Handles {
  /** C's type of a handle. */
  readonly type: "int" | "uintptr_t";
  readonly world: Handle;
  readonly float: Handle;
  /** The error handler by which functions return their errors. */
  readonly errorsReturn: Handle;
  readonly requestNull: Handle;
  /** The address that stands for no statuses. */
  readonly statusesIgnore: number;
  /** MPI_THREAD_FUNNELED: several threads, of which one calls MPI. */
  readonly funneled: number;
}

/** The handles of each kind. */
export const handles: Readonly<Record<MpiKind, Handles>> = {
  "Open MPI": {
    type: "uintptr_t",
    world: "ompi_mpi_comm_world",
    float: "ompi_mpi_float",
    errorsReturn: "ompi_mpi_errors_return",
    requestNull: "ompi_request_null",
    statusesIgnore: 0,
    funneled: 1,
  },
  MPICH: {
    type: "int",
    world: 0x44000000,
    float: 0x4c00040a,
    errorsReturn: 0x54000001,
    requestNull: 0x2c000000,
    statusesIgnore: 1,
    funneled: 1,
  },
  "MPI ABI": {
    type: "uintptr_t",
    world: 0x101,
    float: 0x210,
    errorsReturn: 0x143,
    requestNull: 0x180,
    statusesIgnore: 0,
    funneled: 1024,
  },
};
