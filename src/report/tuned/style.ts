/** What the report of a fine-tuned model adds to the report's style. */
import { reportStyle } from "../run/style.ts";

const own = `
svg .edge { stroke: var(--soft); stroke-width: 1.1; stroke-dasharray: 4 4; }
svg .bubble { fill: var(--accent); opacity: .75; }
svg .dot { fill: var(--accent); opacity: .5; }
td small { display: block; color: var(--soft); font-size: .82em; }
td { vertical-align: top; }
.matrix td.cell { text-align: center; min-width: 3.2rem; }
.matrix th[scope="col"] { text-align: center; max-width: 8rem; white-space: normal; overflow-wrap: anywhere; }
.matrix th:first-child { text-align: left; }
.matrix td.none { color: var(--soft); }
.matrix td.hit { background: color-mix(in srgb, var(--good) calc(var(--share) * 55%), transparent); }
.matrix td.miss { background: color-mix(in srgb, var(--bad) calc(var(--share) * 75%), transparent); }
tbody th { overflow-wrap: anywhere; white-space: normal; min-width: 5rem; }
ol.examples { counter-reset: item; }
.examples .verdict { display: block; margin-top: .15rem; }
mark { background: color-mix(in srgb, var(--held) 30%, transparent); color: inherit; border-radius: 3px;
  padding: 0 .15em; }
`;

/** The style sheet of the report of a fine-tuned model. */
export const tunedStyle = `${reportStyle}${own}`;
