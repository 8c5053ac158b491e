/** What Redis holds is not to be trusted: only what has the known shape and size is read. */
import { expect, test } from "vitest";
import { toldOf } from "../../redis/messages.ts";
import { askedOf, keptOf, resultOf } from "./messages.ts";

const ended = {
  ...{ state: "complete", objectives: [1.25, null], rungs: [[2], [1.5]], seconds: 3, steps: 9 },
  judge: { name: "held-out loss", better: "less" },
};
const file = { name: "model/onnx/model.onnx", sizeBytes: 10, sha256: "a".repeat(64) };
const asked = { number: 2, values: { "train.lrPeak": 0.1, "train.optimizer": "muon" }, others: [] };
const study = "3d4a6c1e-7f57-4f0b-9a55-0d8f2c1b6e77";

test("what was sent is read as it was, numbers that are not finite too", () => {
  const found = resultOf({ ended, files: [file] })!;
  expect(found.files).toEqual([file]);
  expect(JSON.stringify(found.ended)).toBe(JSON.stringify(resultOf({ ended })!.ended));
  expect(found.ended.objectives).toEqual([1.25, Number.NaN]);
  const other = { ...ended, number: 1, values: asked.values, begun: 1 };
  expect(askedOf({ ...asked, others: [other, { ...asked, others: undefined }] })).toBeUndefined();
  expect(askedOf({ ...asked, others: [other] })!.others).toHaveLength(1);
  expect(toldOf(JSON.stringify({ study, material: { a: 1 } }))).toEqual({ study, material: { a: 1 } });
  expect(keptOf(JSON.stringify({ study, values: asked.values, ended }))!.study).toBe(study);
});

test("paths, sizes, other fields and other types are refused", () => {
  const names = [
    ...["/etc/passwd", "../model/a.json", "model/../a.json", "model/onnx/../../a", "model\\a.json", "a.json"],
    ...[
      "model/.hidden",
      "model/onnx/x/y.onnx",
      "run/../x",
      "model/",
      "options.json",
      `model/${"a".repeat(130)}`,
    ],
  ];
  for (const name of names) expect(resultOf({ ended, files: [{ ...file, name }] }), name).toBeUndefined();
  const large = { ...file, sizeBytes: 2 ** 27 + 1 };
  const wrong: unknown[] = [
    ...[null, "text", {}, { ended: { ...ended, state: "running" } }, { ended: { ...ended, more: 1 } }],
    ...[
      { ended: { ...ended, objectives: Array(9).fill(1) } },
      { ended: { ...ended, error: "x".repeat(1e5) } },
    ],
    ...[
      { ended, files: [large, large] },
      { ended, files: Array(101).fill(file) },
    ],
    ...[
      { ended, files: [{ ...file, sha256: "a" }] },
      { ended, files: [{ ...file, sizeBytes: -1 }] },
    ],
  ];
  for (const value of wrong) expect(resultOf(value)).toBeUndefined();
  expect(askedOf({ ...asked, number: -1 })).toBeUndefined();
  expect(askedOf({ ...asked, values: { a: { b: 1 } } })).toBeUndefined();
  expect(toldOf("{")).toBeUndefined();
  expect(toldOf(JSON.stringify({ study: "../x", material: 1 }))).toBeUndefined();
});
