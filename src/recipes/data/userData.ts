/** The user's data as a task takes it: running text, or pairs of texts where the records are such. */
import type { DataReport } from "../../data/records/document.ts";
import type { Material } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Corpus } from "./corpus.ts";

/** The user's data with the tokenizer that reads it, and what was left out. */
export interface UserData {
  readonly tokenizer: Tokenizer;
  readonly material: Material;
  readonly report: DataReport;
  /** Records left out because they could not be read. */
  readonly skipped: readonly string[];
  readonly tokens: {
    readonly train: number;
    readonly validation: number;
    readonly bytesPerToken: number;
  };
}

/** A corpus as a task takes it. */
export const asUserData = ({ tokenizer, train, validation, packed, report, skipped }: Corpus): UserData => ({
  tokenizer,
  material: {
    kind: "text",
    train: train.tokens,
    validation: validation.tokens,
    ...(packed === undefined ? {} : { packed }),
  },
  report,
  skipped,
  tokens: {
    train: train.tokens.length,
    validation: validation.tokens.length,
    bytesPerToken: train.bytes / train.tokens.length,
  },
});
