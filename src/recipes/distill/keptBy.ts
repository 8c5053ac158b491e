/** A teacher's likeliest tokens on disk. */
import { keptBytesPerRow } from "../../compress/distillation/keptTeacher.ts";
import type { DistillOptions } from "../../compress/index.ts";
import type { Model } from "../../models/model.ts";
import { teacherStore } from "../../node/runtime/teacherStore.ts";
import type { RunOptions } from "../config/options.ts";
import type { Ui } from "../context/ui.ts";
import type { DistillModelOptions } from "./options.ts";

/** Where the teacher's likeliest tokens are kept, if they are to be; the most that they take is told. */
export const keptBy = (
  teacher: Model,
  { teacherTopK: topK, teacherCache: dir = "anneal-out/teacher", teacherBits = 32 }: DistillModelOptions,
  { options: { train: t, model }, ui }: { readonly options: RunOptions; readonly ui: Ui },
): Pick<DistillOptions, "kept"> => {
  if (topK === undefined) return {};
  const rows = t.steps * t.accumulate * t.batch * model.n_positions;
  const megabytes = (rows * keptBytesPerRow(topK)) / 1e6;
  const size = megabytes < 10 ? megabytes.toFixed(2) : megabytes.toFixed(0);
  ui.line(`the teacher's ${topK} likeliest tokens take ${size} MB at most in ${dir}`);
  return { kept: { topK, store: teacherStore(teacher, { topK, bits: teacherBits, dir }) } };
};
