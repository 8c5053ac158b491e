/** What the data report adds to the report's style. */
import { reportStyle } from "../run/style.ts";

const own = `
svg .flow, svg .bin { fill: var(--accent); }
svg .bin { opacity: .85; }
svg .joint { fill: var(--accent); opacity: .22; }
svg .lost { fill: var(--held); }
svg .median { stroke: var(--held); stroke-width: 1.6; }
svg .edge { stroke: var(--held); stroke-width: 1.1; stroke-dasharray: 4 4; }
.funnel { max-width: 50rem; margin: 1.5rem 0; overflow-x: auto; }
.funnel svg { min-width: 33rem; overflow: hidden; }
.key.edge { border-top-style: dashed; border-color: var(--held); }
.panels.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.25rem 0; max-width: none; }
.tiles div { background: var(--wash); border-radius: 8px; padding: .7rem .9rem; }
.tiles dt { font-size: .82rem; }
.tiles dd { font-size: 1.3rem; font-weight: 650; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
details { border-top: 1px solid var(--line); padding: .45rem 0; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; font-weight: 600; font-size: .95rem; }
summary .soft { font-weight: 400; }
summary .number { font-variant-numeric: tabular-nums; }
.cluster { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; margin: .8rem 0; }
.cluster .examples { margin: .3rem 0; }
.examples li.kept { border-left-color: var(--good); }
.examples li.gone { border-left-color: var(--bad); }
.tag { font-weight: 600; }
td .bar { display: inline-block; vertical-align: baseline; }
@media (max-width: 34rem) { .tiles { grid-template-columns: 1fr 1fr; } .tiles dd { font-size: 1.1rem; } }
@media print { .tiles div { border: 1px solid var(--line); } }
`;

/** The style sheet of a data report. */
export const dataReportStyle = `${reportStyle}${own}`;
