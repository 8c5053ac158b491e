/** What the card and anneal.json of a quantized model say of it. */
import type { Json } from "../../models/model.ts";
import { table } from "../../render/markdown.ts";
import type { QuantizeReport } from "./options.ts";

const words = {
  nearest: "rounded to nearest",
  search: "rounded on scales that were searched for, so that errors make up for each other",
  hqq: "rounded by HQQ",
  awq: "rounded by AWQ, whose scales are folded into the layers in front",
  reconstruct:
    "rounded by GPTQ, then so that each block of layers computes what the dense one does (SignRound)",
  gptq: "rounded by GPTQ",
} as const;

/** "4 bits in blocks of 32, by gptq" */
export const formInWords = ({ bits, block, method }: QuantizeReport): string =>
  bits === 8 ? "8 bits per channel" : `4 bits in blocks of ${block}, by ${method}`;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

/** A section for the card. */
export const quantizeSection = (report: QuantizeReport): readonly [title: string, text: string] => {
  const { before, after, wide, matrices, unit, scored, calibrationTokens: tokens, method } = report;
  const four =
    wide.length === 0 ? "" : ` ${wide.length} of ${matrices} matrices keep 8 bits, which 4 would cost most.`;
  const on = tokens === 0 ? "" : ` It was calibrated on ${tokens} tokens of text.`;
  const scores = [before, after].map(({ score }) => (score === undefined ? [] : [score.toFixed(4)]));
  const rows = [
    ["float32", megabytes(before.sizeBytes), ...scores[0]!],
    [formInWords(report), megabytes(after.sizeBytes), ...scores[1]!],
  ];
  const head = ["weights", "MB", ...(unit === undefined ? [] : [`${unit}, ${scored} held out`])];
  return ["## Quantization", `The matrices are ${words[method]}.${four}${on}\n\n${table(head, rows)}`];
};

/** The same for programs. */
export const quantizeJson = ({ wide, notes, ...report }: QuantizeReport): Json =>
  JSON.parse(JSON.stringify({ ...report, wide, notes })) as Json;
