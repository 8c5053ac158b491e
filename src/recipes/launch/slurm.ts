/** A batch script for Slurm (https://slurm.schedmd.com/sbatch.html). */
import { type LaunchPlan, leftBy, nodesOf, perNode, quoted, rankCommand } from "./plan.ts";

/** How srun and each MPI find one another. */
const pmi = { openmpi: "pmix", mpich: "pmi2" } as const;

/**
 * The script: two minutes before its time is up, or where the job makes room, all ranks are asked to save and
 * leave; started again, it goes on with what it left.
 */
export const slurmScript = (plan: LaunchPlan): string => {
  const words = rankCommand(plan).filter((word) => word !== "--resume");
  const directives = {
    "job-name": "anneal",
    nodes: nodesOf(plan),
    ntasks: plan.ranks,
    "ntasks-per-node": perNode(plan),
    "cpus-per-task": plan.cpus,
    ...(plan.hosts.length > 0 ? { nodelist: plan.hosts.join(",") } : {}),
    signal: "TERM@120",
    "open-mode": "append",
  };
  const lines = Object.entries(directives).map(([name, value]) => `#SBATCH --${name}=${value}`);
  return `#!/bin/bash
${lines.join("\n")}
#SBATCH --requeue
set -euo pipefail
resume=()
if [ -e ${quoted(leftBy(plan))} ]; then resume=(--resume); fi
srun --mpi=${pmi[plan.mpi]} --kill-on-bad-exit=1 npx anneal ${words.map(quoted).join(" ")} "\${resume[@]}"
`;
};
