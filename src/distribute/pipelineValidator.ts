/** Held-out loss of a model whose layers several ranks share: batches flow through all of them. */
import { byShape } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Tensor } from "../ir/tensor.ts";
import { zeros } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { batchFeeds } from "../tasks/scores.ts";
import { weightStages } from "../train/pipeline/divided.ts";
import { linesOf } from "../train/pipeline/flow.ts";
import { inStages, linksOf } from "../train/pipeline/stages.ts";
import type { Collective } from "../train/ranks/collective.ts";
import type { Stepper } from "../train/stepper.ts";
import { heldOutFeeds, heldOutProgram, tally } from "../train/validate.ts";
import { shared } from "./agree.ts";

/** A stage that runs. */
interface Opened extends ReturnType<typeof linksOf> {
  readonly session: Session;
  readonly taken: Readonly<Record<string, Tensor>>;
}

/** What is measured, as the last rank has found it. */
const toldBy = async (collective: Collective, own: readonly number[], judged: boolean) => {
  const count = judged ? 3 : 2;
  const values = own.length > 0 ? own : new Array<number>(count).fill(0);
  const [loss, tokens, figure] = await shared(collective, values, collective.size - 1);
  return { loss: loss!, tokens: tokens!, ...(figure === undefined ? {} : { figure }) };
};

/** A validator of which each rank runs its stage. */
export const pipelineValidator = (
  engine: Engine,
  model: Model,
  collective: Collective,
): NonNullable<Stepper["validator"]> => {
  const { rank, size } = collective;
  const { send, receive } = linesOf(collective);
  const weights = weightStages(model, size);
  return async (windows, options) => {
    const { judge } = options;
    const programFor = heldOutProgram(model, windows, options);
    const links = new Map<Session, Omit<Opened, "session">>();
    const sessions = byShape(async (window) => {
      const stages = inStages(programFor(window), weights, size);
      const { program, taken } = stages[rank]!;
      const session = await compile(engine, program, { idle: "sleep" });
      const room = Object.entries(taken).map(([name, type]) => [name, zeros(type)]);
      links.set(session, { ...linksOf(stages, rank), taken: Object.fromEntries(room) });
      return session;
    });
    const through = async (window: Feeds, given: Feeds, sending: Promise<void>[]) => {
      const session = await sessions.at(window);
      const { takes, gives, taken } = links.get(session)!;
      for (const { name, from } of takes) await receive(from, taken[name]!.data as Float32Array);
      const out = await session.run({ ...given, ...batchFeeds(window), ...taken });
      for (const { name, to } of gives) {
        for (const other of to) sending.push(send(other, out[name]!.data as Float32Array));
      }
      return out;
    };
    return {
      async run(own) {
        const given = heldOutFeeds(model, own);
        const sending: Promise<void>[] = [];
        const { add, result } = tally(judge);
        for (const window of windows) {
          const out = await through(window, given, sending);
          if (rank === size - 1) add(out);
        }
        await Promise.all(sending);
        const found = rank === size - 1 ? Object.values(result()) : [];
        return toldBy(collective, found, judge !== undefined);
      },
      dispose: () => sessions.dispose(),
    };
  };
};
