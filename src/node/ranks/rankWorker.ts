/** Runs one rank of a run: a thread that `threadTeam.ts` starts. */
import { parentPort, workerData } from "node:worker_threads";
import { obey } from "../../distribute/team.ts";
import { openRank } from "../../train/ranks/rank.ts";
import { nodeEngine } from "../runtime/engine.ts";
import { portCollective } from "./portCollective.ts";
import type { RankAnswer, RankStart, Told } from "./threadTeam.ts";

const port = parentPort;
const start = (workerData as { rankStart?: RankStart } | null)?.rankStart;
if (port !== null && start !== undefined) {
  const say = (answer: RankAnswer): void => port.postMessage(answer);
  const engine = await nodeEngine({ threads: start.plan.threads });
  // Where another rank fails the first one ends them all.
  const collective = portCollective(start.rank, start.ports, new Promise<never>(() => {}));
  const rank = await openRank(engine, start.plan, collective);
  let last = Promise.resolve();
  port.on("message", (order: Told) => {
    // Wherever this rank is, it waits for another: nothing is being computed while a message is read.
    if (order.do === "end") process.exit(0);
    last = last.then(async () => {
      try {
        say({ result: await obey(rank, order) });
      } catch (error) {
        say({ failed: error instanceof Error ? error.message : String(error) });
      }
    });
  });
  say({});
}
