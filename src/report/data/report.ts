/**
 * The report of a run of the data pipeline as one file of HTML: no script, nothing loaded from elsewhere, and
 * a policy that forbids both, for it shows excerpts of whatever text was read.
 */

import { pageHtml } from "../page.ts";
import {
  clustersSection,
  contaminationSection,
  dataNotesSection,
  dataProvenanceSection,
  mixtureSection,
  rulesSection,
  selectionSection,
  splitsSection,
} from "./details.ts";
import type { DataPipelineReport } from "./model.ts";
import { dataHeadline, reasonsSection, shapeSection, stagesSection } from "./sections.ts";
import { dataReportStyle } from "./style.ts";

export type * from "./model.ts";

const sections = [
  stagesSection,
  dataNotesSection,
  splitsSection,
  mixtureSection,
  shapeSection,
  clustersSection,
  rulesSection,
  contaminationSection,
  selectionSection,
  reasonsSection,
  dataProvenanceSection,
];

/** A self-contained page, light or dark as the reader prefers, the same for the same report. */
export const dataReportHtml = (report: DataPipelineReport): string => {
  const parts = sections.map((part) => part(report));
  return pageHtml({
    title: report.title,
    heading: report.title,
    headline: dataHeadline(report),
    parts,
    style: dataReportStyle,
  });
};

/** The contents of report.json: the same data, indented. */
export const dataReportJson = (report: DataPipelineReport): string => `${JSON.stringify(report, null, 2)}\n`;
