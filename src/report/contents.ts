/** The table of contents of a report. */
import { type Html, html } from "../render/html.ts";

const HEADING = /<section id="([a-z]+)"><h2>([^<]*)</;

/** Links to the sections among `parts`; one without content has none. */
export const contents = (parts: readonly Html[]): Html =>
  html`<nav aria-label="contents">${parts.flatMap((part) => {
    const heading = HEADING.exec(part.html);
    return heading === null ? [] : [html`<a href="#${heading[1]}">${{ html: heading[2]! }}</a>`];
  })}</nav>`;
