/** How the forms of a format become a folder: its files, its parity figures, what it writes. */
import type { Engine } from "../../../engine/engine.ts";
import type { Report } from "../../../report/run/report.ts";
import type { Base, BaseParity, Candidate } from "../../../search/candidates/candidate.ts";
import type { FormDtype } from "../../../search/candidates/formats/format.ts";
import type { Optimized } from "../../../search/candidates/optimize.ts";
import type { Files } from "../../../ship/onnx/files.ts";
import type { ParityFile } from "../../../ship/verify/verify.ts";
import type { RunOptions } from "../../config/options.ts";
import type { UserData } from "../../data/userData.ts";
import type { Source } from "../../model/source.ts";

/** What folders are made of besides the models. */
export interface ShippingOptions {
  readonly engine: Engine;
  readonly data: UserData;
  readonly options: RunOptions;
  /** What the checkpoint passes on that it began with. */
  readonly source?: Source;
}

/** What a folder has of a dense model's forms. */
export interface FolderParts {
  /** The form that a user gets who asks for none. */
  readonly dtype: FormDtype;
  /** Whether it alone is shipped; all that were made unless told. */
  readonly alone?: boolean;
  /** Whether the dense weights are among the files; they are unless told. */
  readonly weights?: boolean;
}

/** What is written on the first prompts. */
export type Samples = Report["samples"];

/** Makes folders of forms. */
export interface Shipping {
  /** All files but the card, the report and the parity figures. */
  folder(base: Base, parts: FolderParts): Files;
  /** What was found before the choice; other targets wait for anneal verify. */
  parity(judged: BaseParity, files: Files, base: Base): ParityFile;
  /** What the shipped files write, and the start beside them. */
  samples(optimized: Optimized, base: Base, files: Files): Promise<Samples>;
  /** The command that gets a candidate's files out of the folder that it is in. */
  command(dir: string, candidate: Candidate): string;
}
