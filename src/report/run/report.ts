/**
 * The report of a run as one file of HTML: no script, nothing loaded from elsewhere, and a policy that
 * forbids both, for it shows excerpts of whatever text was trained on.
 */

import { ConfigError } from "../../util/errors.ts";
import { besideSection } from "../beside.ts";
import { pageHtml } from "../page.ts";
import { candidatesSection, headline, paretoSection } from "./candidates.ts";
import { funnelSection } from "./funnel.ts";
import { lineageSection, parametersSection } from "./lineage.ts";
import type { Report, ReportCandidate } from "./model.ts";
import { picksSection } from "./picks.ts";
import {
  curvesSection,
  dataSection,
  notesSection,
  paritySection,
  provenanceSection,
  samplesSection,
} from "./sections.ts";
import { reportStyle } from "./style.ts";

export { type Ended, type Funnel, type FunnelReason, type FunnelStage, funnelOf } from "./funnel.ts";
export type * from "./model.ts";

/** The candidate that a report says is shipped. Throws ConfigError where it is not among the candidates. */
export const chosenOf = ({ candidates, chosen }: Report): ReportCandidate => {
  const found = candidates.find(({ name }) => name === chosen);
  if (found === undefined) {
    const names = candidates.map(({ name }) => name).join(", ") || "none";
    throw new ConfigError(`no candidate is named "${chosen}"`, {
      field: "chosen",
      hint: `there are: ${names}`,
    });
  }
  return found;
};

const sections = [
  paretoSection,
  picksSection,
  candidatesSection,
  lineageSection,
  (report: Report) => funnelSection(report.search?.funnel),
  parametersSection,
  notesSection,
  (report: Report) => besideSection(report.beside, [report.candidates[0]!.name, report.chosen]),
  curvesSection,
  samplesSection,
  paritySection,
  dataSection,
  provenanceSection,
];

/**
 * A self-contained page, the same for the same report. Throws ConfigError where the chosen one is missing.
 */
export const reportHtml = (report: Report): string => {
  const chosen = chosenOf(report);
  const parts = sections.map((part) => part(report));
  return pageHtml({
    title: `${report.title}: ${report.chosen}`,
    heading: report.title,
    headline: headline(report, chosen),
    parts,
    style: reportStyle,
  });
};
