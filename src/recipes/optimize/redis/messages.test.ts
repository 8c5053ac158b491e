/** What Redis holds is not to be trusted: only what has the known shape and size is read. */
import { expect, test } from "vitest";
import { read, written } from "../store.ts";
import {
  type Came,
  cameOf,
  denseFiles,
  isWhole,
  jobSaid,
  toldCame,
  trialLine,
  trialSaid,
} from "./messages.ts";

const job = {
  ...{ number: 2, values: { layers: 1, layersBy: "spread" }, leftMs: 20.5 },
  watched: { quality: 1, mean: Number.NaN, costs: [Number.POSITIVE_INFINITY], work: 3 },
};
const file = (name: string, sizeBytes = 10) => ({ name, sizeBytes, sha256: "a".repeat(64) });
const came: Came = {
  made: {
    ...{ stopped: false, rungs: [[Number.NaN, 1]], rows: [{ step: 1, loss: Number.NEGATIVE_INFINITY }] },
    ...{ lateMs: 3, pace: { updateMs: 1, work: 2 }, error: "why" },
  },
  files: [file("base.json"), file("model.safetensors"), file("model-00001-of-00002.safetensors")],
};
/** As Redis gives it back. */
const through = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("what was sent is read as it was, numbers that JSON has not, too", () => {
  expect(jobSaid(written(job))).toEqual(job);
  expect(cameOf(through(toldCame(came)))).toEqual(came);
  expect(cameOf(through(toldCame({ made: came.made })))).toEqual({ made: came.made });
  const long = { ...came, made: { ...came.made, error: "x".repeat(1e5) } };
  expect(cameOf(through(toldCame(long)))!.made.error).toHaveLength(10_000);
  const trial = { ...{ number: 1, values: { layers: 1 }, state: "pruned" as const }, rungs: [[Number.NaN]] };
  // Of a record only what trials are compared by.
  expect(trialSaid(trialLine({ ...trial, name: "a", stage: "rung" } as typeof trial))).toEqual(trial);
});

test("paths, sizes, other fields and other types are refused", () => {
  for (const name of ["../base.json", "x/base.json", "base.json.tmp", "model.onnx", "", "a".repeat(200)]) {
    expect(denseFiles.isSent(name), name).toBe(false);
    expect(cameOf(through(toldCame({ ...came, files: [file(name)] }))), name).toBeUndefined();
  }
  const large = Array.from({ length: 3 }, () => file("base.json", 2 ** 29));
  expect(cameOf(through(toldCame({ ...came, files: large })))).toBeUndefined();
  for (const value of [null, "text", {}, { made: 1 }, { made: "{" }, { made: "{}" }, { made: "null" }]) {
    expect(cameOf(value)).toBeUndefined();
  }
  const strange = { ...came.made, more: 1 };
  expect(cameOf(through(toldCame({ made: strange })))).toBeUndefined();
  const wrong = [{ ...job, number: -1 }, { ...job, values: { a: {} } }, { ...job, watched: {} }, [], 3];
  for (const value of wrong) expect(jobSaid(written(value))).toBeUndefined();
  for (const value of [undefined, 3, job, "{"]) expect(jobSaid(value)).toBeUndefined();
  expect(trialSaid(written({ ...job, state: "odd" }))).toBeUndefined();
});

test("a model is whole by its own files alone", () => {
  const said = (files: unknown): string =>
    JSON.stringify({ config: { a: 1 }, history: [], files, rungs: [] });
  expect(isWhole(said(["model.safetensors"]), came.files!)).toBe(true);
  for (const files of [[], ["../../model.safetensors"], ["model.safetensors", "/etc/passwd"], "model", [1]]) {
    expect(isWhole(said(files), came.files!), String(files)).toBe(false);
  }
  expect(isWhole("", came.files!)).toBe(false);
  expect(read(said([]))).toHaveProperty("history");
});
