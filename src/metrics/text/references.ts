/** One right text or more for an example. */
import { DataError } from "../../util/errors.ts";

/** What a text is compared with: one reference, or several of which any will do. */
export type References = string | readonly string[];

/** References as a list. Throws DataError where there is none. */
export const referenceList = (references: References): readonly string[] => {
  if (typeof references === "string") return [references];
  if (references.length === 0) throw new DataError("an example without a reference");
  return references;
};

/** How a signature begins: "nrefs:1", or "nrefs:var" where examples have not all as many references. */
export const countReferences = (references: readonly References[]): string => {
  const counts = new Set(references.map((r) => referenceList(r).length));
  return `nrefs:${counts.size === 1 ? [...counts][0] : "var"}`;
};
