/** From a program to something that runs: rewrite, lower, encode, load. */

import { type LowerOptions, NEXT, outputNames, toOnnx } from "../formats/onnx/lower.ts";
import { encodeOnnx } from "../formats/onnx/onnx.ts";
import type { Value } from "../ir/op.ts";
import type { Program } from "../ir/program.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, type Tensor, zeros } from "../ir/tensor.ts";
import { optimize } from "../rewrite/index.ts";
import { RunError } from "../util/errors.ts";
import { entries } from "../util/tree.ts";
import { always, byShape, type ShapedSessions } from "./byShape.ts";
import type { Engine, Feeds, Session, SessionOptions } from "./engine.ts";

/** The encoded ONNX bytes of a program after the default rewrites. */
export const onnxBytes = (program: Program, options?: LowerOptions): Uint8Array =>
  encodeOnnx(toOnnx(optimize(program), options)).model;

/** Compiles `program` for `engine`; run it by the names of its inputs and outputs. */
export const compile = (engine: Engine, program: Program, options: SessionOptions = {}): Promise<Session> =>
  engine.load(onnxBytes(program, { halt: options.inPlace ?? false }), options);

/**
 * A compiled step whose `state` inputs come back as outputs. Two sets of buffers change places at each run
 * (ping-pong), so nothing is copied, and the set before the last step stays whole until the next one:
 * `revert` goes back to it.
 */
export interface Resident {
  /** Runs one step on the present state and returns the other outputs, which the next run overwrites. */
  run(feeds: Feeds): Promise<Record<string, Tensor>>;
  /** The present state by input name. The tensors are overwritten two steps later: copy what must last. */
  state(): ReadonlyMap<string, Tensor>;
  /** Copies `tensors` into the present state, all or none. Throws RunError where one is of another type. */
  load(tensors: ReadonlyMap<string, Tensor>): void;
  /** Undoes the last step (once). */
  revert(): void;
  dispose(): Promise<void>;
}

const stateInputs = (program: Program): Map<string, Value> => {
  const outputs = outputNames(program);
  const inputs = [...entries<Value>(program.inputs)].filter(([path]) => outputs.has(path + NEXT));
  return new Map(inputs);
};

/** How a step is compiled. */
export interface StepSessionOptions extends SessionOptions {
  /**
   * The step for feeds of other shapes than the first's, with the same state: each is compiled when it is
   * first met.
   */
  readonly programFor?: (feeds: Feeds) => Program;
}

/** Compiles a step; every input that has an output of the same path is state. All shapes must be fixed. */
export const compileStep = async (
  engine: Engine,
  program: Program,
  { programFor, ...options }: StepSessionOptions = {},
): Promise<Resident> => {
  const open = (step: Program) => compile(engine, step, { ...options, inPlace: true });
  const first = programFor === undefined ? await open(program) : undefined;
  const sessions = first ? always(first) : byShape((feeds) => open(programFor!(feeds)));
  const types = stateInputs(program);
  const buffers = (): Map<string, Tensor> =>
    new Map(Array.from(types, ([name, type]) => [name, zeros(type)]));
  const others = [...outputNames(program)].filter(([name]) => !name.endsWith(NEXT));
  const results = Object.fromEntries(others.map(([name, type]) => [name, zeros(type)]));
  return resident(sessions, [buffers(), buffers()], results);
};

type Buffers = Map<string, Tensor>;

const resident = (
  sessions: ShapedSessions,
  sets: [Buffers, Buffers],
  results: Record<string, Tensor>,
): Resident => {
  let current = 0;
  const now = (): Map<string, Tensor> => sets[current as 0 | 1];
  const other = (): Map<string, Tensor> => sets[(1 - current) as 0 | 1];
  return {
    async run(feeds) {
      const session = await sessions.at(feeds);
      const fetches = Object.fromEntries(Array.from(other(), ([name, t]) => [name + NEXT, t]));
      const used = new Set(session.inputNames);
      const fed = Object.fromEntries([...now()].filter(([name]) => used.has(name)));
      await session.run({ ...fed, ...feeds }, { ...fetches, ...results });
      current = 1 - current;
      return results;
    },
    state: now,
    load(tensors) {
      for (const [name, t] of now()) {
        const source = tensors.get(name);
        if (source === undefined) throw new RunError("is missing from the state to load", { tensor: name });
        if (source.dtype !== t.dtype || !sameShape(source.shape, t.shape)) {
          const [is, wanted] = [source, t].map(({ dtype, shape }) => `${dtype}${shapeText(shape)}`);
          throw new RunError(`is ${is} in the state to load, and ${wanted} here`, { tensor: name });
        }
      }
      for (const [name, t] of now()) (t.data as Float32Array).set(tensors.get(name)!.data as Float32Array);
    },
    revert() {
      current = 1 - current;
    },
    dispose: () => sessions.dispose(),
  };
};
