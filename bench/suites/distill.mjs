// Distillation: what students gain of their teachers. Six parts, each alone by --parts gap,sst2,static,qad,policy,across:
// gap     a GPT-2 of 6 layers on wikitext2.valid and tinyshakespeare, and 3 of its layers: studentGapClosed is the share of the gap
//         between that student trained alone (from nothing, on as many tokens) and the teacher that is closed by distilling layers cut
//         out of the teacher; freshGapClosed the same of a student that begins with random weights; studentSpeedup by forward passes.
// qad     that teacher at 3 and 2 bits in blocks of 32: keptQad3 and keptQad2 are the nats that training against quantization loses over
//         those of the best method that reads no gradients.
// sst2    a classifier of 4 layers and its student of 2: sst2StudentKept (of accuracy), sst2StudentSpeedup.
// static  static embeddings of the embedding model in --embedder DIR: staticKept is the share of its rank correlation with how near
//         sentences of wikitext2.valid stand (next to each other, in one article, in two), staticSpeedup by texts of 128 tokens.
// policy  a student that goes on with texts of its own: policyKept is its KL to the teacher on what it writes over that of one that learns
//         from the data alone. across: acrossGapClosed, of a student of another tokenizer.
// Arguments: --layers N (6) and --steps N of the teacher (600), --student-layers N (3), --student-steps N (400), --qad-steps N (1200), --seeds N (3), --threads N (1), --held N (16384; of qad 65536), --embedder DIR,
// --body DIR (a pre-trained encoder for sst2; else one is trained, of --pretrain-steps 1000), --out DIR.
import { acrossPart } from "./distill/across.mjs";
import { gapPart } from "./distill/gap.mjs";
import { policyPart } from "./distill/policy.mjs";
import { qadPart } from "./distill/qad.mjs";
import { argument } from "./distill/shared.mjs";
import { sst2Part } from "./distill/sst2.mjs";
import { staticPart } from "./distill/static.mjs";

const parts = {
  ...{ gap: gapPart, qad: qadPart, sst2: sst2Part, static: staticPart },
  ...{ policy: policyPart, across: acrossPart },
};

export default async function distill({ log, args }) {
  const asked = String(argument(args, "parts", Object.keys(parts).join())).split(",");
  const options = {
    ...{ log, args, threads: argument(args, "threads", 1), seeds: argument(args, "seeds", 3) },
    ...{ steps: argument(args, "steps", 600), studentSteps: argument(args, "student-steps", 400) },
    ...{ layers: argument(args, "layers", 6), studentLayers: argument(args, "student-layers", 3) },
    held: argument(args, "held", 16_384),
  };
  let metrics = {};
  for (const name of asked) metrics = { ...metrics, ...(await parts[name](options)) };
  return metrics;
}
