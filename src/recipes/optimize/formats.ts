/** The format that a search's candidates have: that of the targets that it is measured on. */
import { basename, resolve } from "node:path";
import type { Model } from "../../models/model.ts";
import { inScratch } from "../../node/files/scratch.ts";
import { type TargetName, targets as table } from "../../node/targets/index.ts";
import type { Format } from "../../node/targets/target.ts";
import type { FormFormat } from "../../search/candidates/formats/format.ts";
import { ggufFormat } from "../../search/candidates/formats/gguf.ts";
import { onnxFormat } from "../../search/candidates/formats/onnx.ts";
import type { GgufTokenizer } from "../../ship/gguf/gguf.ts";
import { parseText } from "../../util/jsonText.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";
import type { Source } from "../model/source.ts";
import { type FormFiles, ggufFiles, graphFiles } from "./formFiles.ts";
import { ggufShipping } from "./shipping/gguf.ts";
import { graphShipping } from "./shipping/graphs.ts";
import type { Shipping, ShippingOptions } from "./shipping/shipping.ts";

/** What a search is of, besides its model. */
export interface Searched {
  readonly data: UserData;
  readonly options: RunOptions;
  readonly source?: Source | undefined;
}

/** The tokenizer as a GGUF file has it: of the checkpoint's own files where there are such. */
const tokenizerOf = ({ data, source }: Searched): GgufTokenizer => {
  const own = data.tokenizer.files();
  const text = (name: string): string | undefined => {
    const bytes = source?.files.get(name);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };
  const json = (name: string) => {
    const found = text(name);
    return found === undefined ? undefined : (parseText(found) as GgufTokenizer["tokenizer"]);
  };
  const chatTemplate = text("chat_template.jinja");
  return {
    tokenizer: json("tokenizer.json") ?? own.tokenizer,
    config: json("tokenizer_config.json") ?? own.config,
    ...(source?.generation === undefined ? {} : { generation: source.generation.fields }),
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  };
};

/** The forms that candidates have. Throws as `ggufFormat`. */
export const formatOf = (targets: readonly TargetName[], model: Model, about: Searched): FormFormat => {
  if (table[targets[0]!].format === "onnx") return onnxFormat;
  const named = about.source?.card.title ?? basename(resolve(about.options.out));
  const name = named.replace(/\.gguf$/i, "");
  return ggufFormat(model, { tokenizer: tokenizerOf(about), name });
};

/** Works with the files of forms, and a folder that goes with them. */
export const withFiles = <T>(
  format: Format,
  work: (files: FormFiles, dir: string) => Promise<T>,
): Promise<T> => inScratch("forms", (dir) => work(format === "gguf" ? ggufFiles(dir) : graphFiles, dir));

/** How a format's forms are shipped. */
export const shippingOf = ({ name }: FormFormat, options: ShippingOptions): Shipping =>
  name === "gguf" ? ggufShipping(options) : graphShipping(options);
