/**
 * The report of a run as one file of HTML: no script, nothing loaded from elsewhere, and a policy that
 * forbids both, for it shows excerpts of whatever text was trained on.
 */

import { html } from "../../render/html.ts";
import { ConfigError } from "../../util/errors.ts";
import { contents } from "../contents.ts";
import { candidatesSection, headline, paretoSection } from "./candidates.ts";
import type { Report, ReportCandidate } from "./model.ts";
import {
  curvesSection,
  dataSection,
  notesSection,
  paritySection,
  provenanceSection,
  samplesSection,
} from "./sections.ts";
import { reportStyle } from "./style.ts";

export type * from "./model.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

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
  candidatesSection,
  notesSection,
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
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: POLICY }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${report.title}: ${report.chosen}</title>
<style>${{ html: reportStyle }}</style>
</head>
<body><main>
<header><h1>${report.title}</h1>${headline(report, chosen)}${contents(parts)}</header>
${parts}
</main></body>
</html>
`.html;
};
