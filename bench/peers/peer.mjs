// A peer's process: a Python program that answers each line of JSON with one.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Starts `script` with the Python that ANNEAL_PYTHON names: `ask` gives it an order and waits for the answer. */
export const peerOf = (script) => {
  const python = process.env.ANNEAL_PYTHON ?? "python3";
  const child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(order) {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended: set ANNEAL_PYTHON to a Python with torch and transformers`);
      return JSON.parse(value);
    },
    end: () => child.stdin.end(),
  };
};
