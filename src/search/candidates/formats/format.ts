/** The formats that dense models are measured and shipped in: one literal a format. */
import type { Context } from "../../../compress/pass.ts";
import type { Format } from "../../../evaluate/probe.ts";
import type { Model } from "../../../models/model.ts";
import type { GgufMixName } from "../../../ship/gguf/mixes.ts";
import type { GgufImportance } from "../../../ship/gguf/model.ts";
import type { GgufTokenizer } from "../../../ship/gguf/tokenizer.ts";
import type { ShipDtype } from "../../../ship/onnx/dtype.ts";

/** The form of a dense model: a dtype of its graphs, or a kind of GGUF file. "fp32" is exact in each. */
export type FormDtype = ShipDtype | GgufMixName;

/** What a GGUF file is written by, besides a model. */
export interface GgufForm {
  readonly type: GgufMixName;
  readonly tokenizer: GgufTokenizer;
  /** What errors of each matrix's inputs count. */
  readonly importance: GgufImportance;
  /** Base name of the file. */
  readonly name: string;
}

/** A model in one form: its weights are packed as its graphs have them, or it is to be written as GGUF. */
export interface Form extends Model {
  readonly gguf?: GgufForm;
}

/** What forms there are, how they are made, and how large they are. */
export interface FormFormat {
  readonly name: Format;
  /** All that there are, from those of most bits, which is "fp32". */
  readonly dtypes: readonly FormDtype[];
  /** Those that are tried unless others are named, in the same order. */
  readonly usual: readonly FormDtype[];
  /** Whether matrices of 4 bits are rounded in several ways. */
  readonly rounds: boolean;
  /** A dense model in one of the dtypes. */
  make(dense: Model, dtype: FormDtype, context: Context): Promise<Form>;
  /** A shape as it would be in a form, as large and as fast; of formats that decide nothing by numbers. */
  like?(shape: Model, form: Form): Form;
  /** Bytes of the files of a form. */
  bytes(form: Form): number;
}
