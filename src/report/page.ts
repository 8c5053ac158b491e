/** The page that every report is: one file, nothing fetched, light or dark as the reader prefers. */
import { type Html, html } from "../render/html.ts";
import { contents } from "./contents.ts";

/** A page may show its own styles and pictures, and run nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** What a page is made of. */
export interface Page {
  /** What the browser's tab says. */
  readonly title: string;
  /** What stands above all. */
  readonly heading: string;
  readonly headline: Html;
  /** Sections, in their order; the table of contents names those that have a heading. */
  readonly parts: readonly Html[];
  readonly style: string;
}

/** The text of a page, the same for the same parts. */
export const pageHtml = ({ title, heading, headline, parts, style }: Page): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: POLICY }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ html: style }}</style>
</head>
<body><main>
<header><h1>${heading}</h1>${headline}${contents(parts)}</header>
${parts}
</main></body>
</html>
`.html;
