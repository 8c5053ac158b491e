/** What the start's forms cost: what others would is told by that. */
import type { Context } from "../../compress/pass.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Model } from "../../models/model.ts";
import type { ShipDtype } from "../../ship/onnx/dtype.ts";
import { SIZE } from "../figures.ts";
import { type Base, type MeasuredCandidate, type TrialRecord, withForms } from "./candidate.ts";
import { fileBytes } from "./foretell.ts";
import type { ProbeModel } from "./measure.ts";
import type { Known } from "./shape.ts";
import { baseKey, dtypeIn } from "./space.ts";

/** The dtypes in which the start was made: what was too large was not measured. */
const madeIn = (records: readonly TrialRecord[]): ShipDtype[] => {
  const own = baseKey(records[0]!.values);
  const made = records.filter(
    ({ values, stage }) => baseKey(values) === own && (stage === "measured" || stage === "size"),
  );
  return [...new Set(made.map(({ values }) => dtypeIn(values)))];
};

/** What the start's forms cost; those that were too large to be measured are timed where that is asked. */
export const startCosts = async (
  held: Base,
  { records, probe }: { readonly records: readonly TrialRecord[]; readonly probe: ProbeModel },
  context: Context,
): Promise<Known> => {
  const start = await withForms(held, madeIn(records), context);
  const own = records.flatMap(({ candidate: c }) => (c?.base === held.name ? [c] : []));
  const measured = new Map(own.map((c: MeasuredCandidate) => [c.dtype, c.figures] as const));
  const timed = new Map<ShipDtype, Promise<Figures>>();
  const forms = Object.entries(start.forms) as [ShipDtype, Model][];
  return {
    start,
    sizes: new Map(
      forms.map(([dtype, form]) => [dtype, measured.get(dtype)?.[SIZE]?.value ?? fileBytes(form)]),
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
