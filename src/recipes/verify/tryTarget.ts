/** Trying a folder's dtypes on one target. */
import type { Place, PlaceOptions, Target } from "../../node/targets/target.ts";
import { type ExportDtype, exportDtypes } from "../../ship/onnx/dtype.ts";
import type { FormName } from "../../ship/verify/tolerance.ts";
import { type DtypeParity, judged, statusOf, type TargetParity } from "../../ship/verify/verify.ts";
import { type AnnealError, MissingError } from "../../util/errors.ts";
import type { Ui } from "../context/ui.ts";
import type { ShippedFiles } from "./shippedFiles.ts";

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim();

/** What is tried on one target. */
export interface Work extends PlaceOptions {
  /** Path of the reference's file. */
  readonly reference: string;
  /** Every dtype's files, of the target's format. */
  readonly files: ShippedFiles;
  /** SHA-256 by dtype. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly ui: Ui;
  readonly signal?: AbortSignal | undefined;
}

/** What `work` gives, or at once the reason of an abort. */
const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  new Promise((resolve, reject) => {
    work.then(resolve, reject);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const tryDtypes = async (target: string, place: Place, work: Work): Promise<TargetParity> => {
  const names = Object.keys(work.files) as FormName[];
  const task = work.ui.task(target, names.length);
  const found: Record<string, DtypeParity> = {};
  let engine: string | undefined;
  for (const [i, dtype] of names.entries()) {
    work.signal?.throwIfAborted();
    task.update(i, { dtype });
    if (exportDtypes[dtype as ExportDtype]?.half === true && place.float16 === false) {
      found[dtype] = { status: "not checked", reason: "the adapter has no float16" };
      continue;
    }
    try {
      const { engine: name, ...trial } = await unlessAborted(
        place.trial({ dtype, graphs: work.files[dtype]! }, work.reference),
        work.signal,
      );
      engine = name;
      found[dtype] = judged(dtype, trial);
    } catch (error) {
      work.signal?.throwIfAborted();
      found[dtype] = { status: "failed", reason: messageOf(error) };
    }
    found[dtype] = { ...found[dtype]!, sha256: work.hashes[dtype]! };
  }
  const said = Object.entries(found).map(([dtype, { status }]) => `${dtype} ${status}`);
  task.done(`${target}: ${said.join(", ")}`);
  return {
    status: statusOf(found),
    ...(engine === undefined ? {} : { engine }),
    ...(place.device === undefined ? {} : { device: place.device }),
    dtypes: found,
  };
};

const notChecked = ({ message, details }: AnnealError): TargetParity => ({
  status: "not checked",
  reason: message.trim(),
  ...(details.hint === undefined ? {} : { hint: details.hint }),
  dtypes: {},
});

/** What a target would run, and how to have it. */
const wanting = {
  onnx: { reason: "there are no graphs for it", hint: "npx anneal export MODEL --dtype q8 makes graphs" },
  gguf: { reason: "there is no GGUF file for it", hint: "npx anneal export MODEL --gguf q8_0 makes one" },
} as const;

const withoutFiles = ({ format }: Target): TargetParity => ({
  status: "not checked",
  ...wanting[format],
  dtypes: {},
});

/**
 * What each dtype does on a target; what fails is in the result. One that is not on this machine is not
 * checked. Throws the reason of an abort.
 */
export const tryTarget = async (
  [name, target]: readonly [string, Target],
  work: Work,
): Promise<TargetParity> => {
  if (Object.keys(work.files).length === 0) return withoutFiles(target);
  let place: Place;
  try {
    place = await target.open(work);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    work.ui.line(`${name}: not checked: ${messageOf(error)}`);
    return notChecked(error);
  }
  try {
    return await tryDtypes(name, place, work);
  } finally {
    await place.close();
  }
};
