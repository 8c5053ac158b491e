/** What the start's forms cost: what others would is told by that. */
import type { Context } from "../../compress/pass.ts";
import type { Figures } from "../../metrics/metric.ts";
import { SIZE } from "../figures.ts";
import { type Base, type MeasuredCandidate, type TrialRecord, withForms } from "./candidate.ts";
import type { Form, FormDtype, FormFormat } from "./formats/format.ts";
import type { ProbeModel } from "./measure.ts";
import type { Known } from "./shape.ts";
import { baseKey, dtypeIn } from "./space.ts";

/** The dtypes in which the start was made: what was too large was not measured. */
const madeIn = (records: readonly TrialRecord[]): FormDtype[] => {
  const own = baseKey(records[0]!.values);
  const made = records.filter(
    ({ values, stage }) => baseKey(values) === own && (stage === "measured" || stage === "size"),
  );
  return [...new Set(made.map(({ values }) => dtypeIn(values)))];
};

/** What is known of the start, and how its forms are made and measured. */
export interface StartCostOptions {
  readonly records: readonly TrialRecord[];
  readonly probe: ProbeModel;
  readonly format: FormFormat;
}

/** What the start's forms cost; those that were too large to be measured are timed where that is asked. */
export const startCosts = async (
  held: Base,
  { records, probe, format }: StartCostOptions,
  context: Context,
): Promise<Known> => {
  const start = await withForms(held, madeIn(records), { context, format });
  const own = records.flatMap(({ candidate: c }) => (c?.base === held.name ? [c] : []));
  const measured = new Map(own.map((c: MeasuredCandidate) => [c.dtype, c.figures] as const));
  const timed = new Map<FormDtype, Promise<Figures>>();
  const forms = Object.entries(start.forms) as [FormDtype, Form][];
  return {
    ...{ start, format },
    sizes: new Map(
      forms.map(([dtype, form]) => [dtype, measured.get(dtype)?.[SIZE]?.value ?? format.bytes(form)]),
    ),
    async speeds(dtype) {
      const form = start.forms[dtype];
      if (form === undefined || measured.has(dtype)) return measured.get(dtype);
      const found = timed.get(dtype) ?? probe(form).then(({ figures }) => figures);
      timed.set(dtype, found);
      return found;
    },
  };
};
