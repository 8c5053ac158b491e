/**
 * The report of a run of the data pipeline as one file of HTML: no script, nothing loaded from elsewhere, and
 * a policy that forbids both, for it shows excerpts of whatever text was read.
 */

import { html } from "../../render/html.ts";
import { contents } from "../contents.ts";
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

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

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
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: POLICY }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${report.title}</title>
<style>${{ html: dataReportStyle }}</style>
</head>
<body><main>
<header><h1>${report.title}</h1>${dataHeadline(report)}${contents(parts)}</header>
${parts}
</main></body>
</html>
`.html;
};

/** The contents of report.json: the same data, indented. */
export const dataReportJson = (report: DataPipelineReport): string => `${JSON.stringify(report, null, 2)}\n`;
