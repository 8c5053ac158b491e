// A limit on the memory of processes: a control group for each rank, of version 1 or 2. Needs root.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";

const v1 = "/sys/fs/cgroup/memory";
const isV1 = existsSync(v1);
const root = isV1 ? v1 : "/sys/fs/cgroup";
const files = isV1
  ? ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
  : ["memory.max", "memory.swap.max"];

/**
 * Groups of `bytes` each for `count` ranks; undefined, with a line that says why, where this machine does not allow
 * them. The result's words stand in front of a rank's command.
 */
export const limited = ({ bytes, count, log }) => {
  const dirs = Array.from({ length: count }, (_, rank) => `${root}/anneal-${process.pid}-${rank}`);
  const end = () => {
    for (const dir of dirs) if (existsSync(dir)) rmdirSync(dir);
  };
  try {
    for (const dir of dirs) {
      mkdirSync(dir);
      writeFileSync(`${dir}/${files[0]}`, String(bytes));
      // Swap is none of it; of version 1 the limit is that of both together.
      if (existsSync(`${dir}/${files[1]}`)) writeFileSync(`${dir}/${files[1]}`, isV1 ? String(bytes) : "0");
    }
    execFileSync("bash", ["-c", `echo $$ > ${dirs[0]}/cgroup.procs`]);
  } catch (error) {
    log(`no limits on memory: ${error.message}`);
    end();
    return undefined;
  }
  const own = `${root}/anneal-${process.pid}-\${OMPI_COMM_WORLD_RANK:-0}/cgroup.procs`;
  return { words: ["bash", "-c", `echo $$ > ${own} && exec "$@"`, "bash"], end };
};
