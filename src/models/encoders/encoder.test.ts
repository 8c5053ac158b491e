import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { encoderLabels, labelsField } from "./encoder.ts";

describe("labels", () => {
  test.each([
    [{}, ["LABEL_0", "LABEL_1"]],
    [{ num_labels: 3 }, ["LABEL_0", "LABEL_1", "LABEL_2"]],
    [{ id2label: { 0: "no", 1: "yes" }, label2id: { LABEL_0: 0, LABEL_1: 1 } }, ["no", "yes"]],
    [{ id2label: { 0: "no", 1: "yes" }, label2id: { no: "0", yes: "1" } }, ["no", "yes"]],
    [{ id2label: { 0: "no", 1: "yes" }, label2id: ["no", "yes"] }, ["no", "yes"]],
    [{ id2label: { 1: "yes", 0: "no" } }, ["no", "yes"]],
    [{ id2label: { "01": "yes", " 0": "no" } }, ["no", "yes"]],
    [{ id2label: { 0: 5, 1: true, 2: null, 3: 0.5 } }, ["5", "true", "null", "0.5"]],
    [{ id2label: { 0: "no", 1: "yes" }, num_labels: 3 }, ["LABEL_0", "LABEL_1", "LABEL_2"]],
  ])("of %j", (fields, names) => {
    const { id2label, label2id } = labelsField(fields);
    expect(id2label).toEqual(Object.fromEntries(names.map((name, i) => [i, name])));
    expect(label2id).toEqual(Object.fromEntries(names.map((name, i) => [name, i])));
  });

  test("of two alike, ids know the last", () => {
    const { id2label, label2id } = labelsField({ id2label: { 0: "O", 1: "X", 2: "X" } });
    expect(id2label).toEqual({ 0: "O", 1: "X", 2: "X" });
    expect(label2id).toEqual({ O: 0, X: 2 });
  });

  const wrong = [
    [{ id2label: {} }, /field "id2label": has no labels/],
    [{ id2label: { 1: "A", 2: "B" } }, /field "id2label": has no label of id 0/],
    [{ id2label: { A: 0, B: 1 } }, /field "id2label": has no label of id 0/],
    [{ id2label: ["A", "B"] }, /field "id2label": must be an object/],
    [{ num_labels: 0 }, /field "num_labels"/],
    [{ num_labels: 3_000_000 }, /field "num_labels": 3000000 labels are more/],
    [{ problem_type: "ranking" }, /field "problem_type": must be one of single_label/],
  ] as const;

  test.each(wrong)("%j is refused of a classifier, and idle for another task", (fields, message) => {
    for (const task of ["sequence-classification", "token-classification"] as const) {
      expect(() => encoderLabels(fields, task)).toThrow(ConfigError);
      expect(() => encoderLabels(fields, task)).toThrow(message);
    }
    for (const task of ["features", "masked-lm"] as const) {
      const { id2label, problem_type } = encoderLabels(fields, task);
      expect(Object.keys(id2label)).toHaveLength(2);
      expect(problem_type).toBeNull();
    }
  });
});
