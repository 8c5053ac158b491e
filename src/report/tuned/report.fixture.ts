/** Reports of fine-tuned models, one of each kind of records. */
import { decay } from "../run/report.fixture.ts";
import type { Said, TunedReport } from "./model.ts";

const measured = (value: number, n = 40) => ({ value, low: value - 0.05, high: value + 0.05, n });

export const tunedFixture: TunedReport = {
  title: "reviews",
  task: "sequence-classification",
  measuredOn: "40 held-out records",
  figures: {
    accuracy: measured(0.9),
    macroF1: measured(0.88),
    calibrationError: measured(0.06),
    "ndcg@10": measured(0.7),
    meanSquaredError: { ...measured(0.2), low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
  },
  curve: {
    ...{ name: "full", unit: "nats per text", figureName: "accuracy" },
    train: decay(80, 1, 0.7, 0.3, 0.05),
    validation: decay(80, 20, 0.68, 0.35, 0),
    figure: decay(80, 20, 0.5, 0.9, 0),
  },
  training: [["learning rate", "1e-4"]],
  records: [["to train on", "360"]],
  notes: ["the training loss did not fall"],
  provenance: [["seed", "1"]],
  command: "npx anneal finetune body --data reviews.csv",
};

const texts = ["a lovely film", "a dull sunset", "not a bad film", "warm and bright", "cold soup", "so so"];
const at = (i: number) => ({ id: `reviews.csv:${i + 2}`, texts: [texts[i]!] });

/** One of each kind. */
export const saidOfEachKind: { readonly [K in Said["kind"]]: Extract<Said, { kind: K }> } = {
  labels: {
    kind: "labels",
    names: ["bad", "good", "neither"],
    all: [
      { ...at(0), right: 1, probabilities: [0.02, 0.97, 0.01] },
      { ...at(1), right: 1, probabilities: [0.97, 0.02, 0.01] },
      { ...at(2), right: 1, probabilities: [0.6, 0.3, 0.1] },
      { ...at(3), right: 0, probabilities: [0.8, 0.1, 0.1] },
      { ...at(4), right: 0, probabilities: [0.9, 0.05, 0.05] },
      { ...at(5), right: 2, probabilities: [0.2, 0.2, 0.6] },
    ],
  },
  several: {
    kind: "several",
    names: ["warm", "film", "<b>food"],
    all: [
      { ...at(0), right: [false, true, false], probabilities: [0.1, 0.9, 0.05] },
      { ...at(3), right: [true, false, false], probabilities: [0.04, 0.2, 0.6] },
    ],
  },
  numbers: {
    ...{ kind: "numbers", what: "said" },
    all: texts.map((_, i) => ({ ...at(i), right: i, said: i === 5 ? 0 : i * 0.9 })),
  },
  tags: {
    ...{ kind: "tags", entities: true },
    all: [
      {
        id: "a.conll:1",
        words: ["Anna", "went", "to", "New", "York", "."],
        right: ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"],
        said: ["B-PER", "O", "O", "B-LOC", "O", "O"],
        sure: [0.99, 0.9, 0.98, 0.7, 0.8, 0.99],
      },
      {
        ...{ id: "a.conll:8", words: ["Rome"], right: ["B-LOC"], said: ["O"], sure: [0.6] },
      },
    ],
  },
  searches: {
    kind: "searches",
    all: [
      { id: "p.jsonl:1", text: "what is rope", right: ["rope is cord"], found: ["rope is cord"], score: 1 },
      { id: "p.jsonl:2", text: "who sells it", right: ["the shop"], found: ["rope is cord"], score: 0.5 },
      { id: "p.jsonl:3", text: "when", right: ["till six"], found: ["the shop"], score: 0 },
    ],
  },
  answers: {
    kind: "answers",
    all: [{ id: "c.jsonl:1", prompt: "<|im_start|>user\nopen?", right: "Aye.", said: "Aye, till six." }],
  },
  preferences: {
    kind: "preferences",
    all: [
      { id: "d.jsonl:1", texts: ["open?", "Aye."], margin: 0.4 },
      { id: "d.jsonl:2", texts: ["open?", "No."], margin: -0.3 },
      { id: "d.jsonl:3", texts: ["open?"], margin: 0.2, good: false },
    ],
  },
};
