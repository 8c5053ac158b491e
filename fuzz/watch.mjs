// A thread that ends the process of the cases where one of them hangs, which that process cannot do itself.
import { readFileSync, writeSync } from "node:fs";
import { workerData } from "node:worker_threads";

const { caseFile, processorSeconds, wallSeconds } = workerData;

/** Of this process, all threads: that the machine is busy does not count. */
const processor = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const wall = () => performance.now() / 1000;

let [last, since, sinceWall] = ["", 0, 0];
setInterval(() => {
  const now = readFileSync(caseFile, "utf8");
  if (now !== last) [last, since, sinceWall] = [now, processor(), wall()];
  const [took, waited] = [processor() - since, wall() - sinceWall];
  if (took <= processorSeconds && waited <= wallSeconds) return;
  writeSync(2, `hangs: ${took.toFixed(1)} s of the processor, ${waited.toFixed(0)} s in all`);
  process.kill(process.pid, "SIGKILL");
}, 200);
