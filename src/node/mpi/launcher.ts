/** Who has started this process, as its environment says: nothing of MPI is loaded to find out. */

/** A launcher that has started several processes of one command. */
export interface Launched {
  readonly by: "mpirun of Open MPI" | "mpiexec of MPICH" | "srun";
  readonly rank: number;
  readonly size: number;
  /** Ranks on this machine. */
  readonly local: number;
}

type Env = Readonly<Record<string, string | undefined>>;

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

/** Such as "4(x3),2" for four tasks on each of three machines and two on the next: those of the first. */
const onNode = (tasks: string | undefined): number | undefined => count(/^\d+/.exec(tasks ?? "")?.[0]);

/**
 * The launcher that `env` tells of; undefined for a process that was started alone. Open MPI sets
 * OMPI_COMM_WORLD_*, MPICH's Hydra and Slurm's PMI-2 set PMI_*, Slurm's PMIx sets PMIX_RANK.
 */
export const launcherIn = (env: Env): Launched | undefined => {
  const found = (
    by: Launched["by"],
    rank: string | undefined,
    size: string | undefined,
    local?: number,
  ): Launched | undefined => {
    const [r, n] = [count(rank), count(size)];
    return r === undefined || n === undefined || r >= n
      ? undefined
      : { by, rank: r, size: n, local: local ?? n };
  };
  const slurm = env.SLURM_PROCID !== undefined;
  const tasks = onNode(env.SLURM_STEP_TASKS_PER_NODE);
  return (
    found(
      "mpirun of Open MPI",
      env.OMPI_COMM_WORLD_RANK,
      env.OMPI_COMM_WORLD_SIZE,
      count(env.OMPI_COMM_WORLD_LOCAL_SIZE),
    ) ??
    (slurm
      ? (found("srun", env.PMI_RANK, env.PMI_SIZE, tasks) ??
        found("srun", env.PMIX_RANK, env.SLURM_STEP_NUM_TASKS ?? env.SLURM_NTASKS, tasks))
      : found("mpiexec of MPICH", env.PMI_RANK, env.PMI_SIZE, count(env.MPI_LOCALNRANKS)))
  );
};

/**
 * Threads for each of the ranks on a machine, of which this process may use `usable` of `cores`: a launcher
 * that binds leaves fewer.
 */
export const threadsOf = (
  { local }: Launched,
  { cores, usable }: { readonly cores: number; readonly usable: number },
): number => Math.max(1, Math.min(usable, Math.floor(cores / Math.max(1, local))));
