import { parallelStyle } from "../search/parallel.ts";

/** The report's style: one column, light or dark as the reader prefers, fit for a phone and for paper. */

const light = `--paper: #fdfdfb; --ink: #1d1f23; --soft: #5e636d; --line: #dcdcd6; --wash: #f1f1ec;
  --accent: #0b6b8f; --held: #c2410c; --bad: #b42318; --good: #1a7f4b;
  --shade: #1d1f2359; --mark: #1d1f230f;`;

const dark = `--paper: #16181c; --ink: #e6e6e3; --soft: #9da2ac; --line: #353941; --wash: #20232a;
  --accent: #5cc0e6; --held: #fb9a63; --bad: #ff8a7a; --good: #63cf97;
  --shade: #000000e6; --mark: #ffffff12;`;

const page = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; color-scheme: light dark; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: .95rem; font-weight: 600; color: var(--soft); margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
p, ul, dl { max-width: 46rem; }
p { margin: .5rem 0; }
.lead-sentence { font-size: clamp(1.2rem, 1rem + 1.2vw, 1.65rem); line-height: 1.35; margin: 0 0 .75rem;
  text-wrap: pretty; }
.lead-sentence b { color: var(--accent); font-weight: 650; white-space: nowrap; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  monospace; }
code { font-size: .88em; overflow-wrap: anywhere; }
pre { font-size: .85rem; line-height: 1.5; background: var(--wash); border-radius: 6px;
  padding: .75rem 1rem; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre .prompt { color: var(--accent); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0;
  max-width: none; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; margin: 1rem 0 0; }
a { color: var(--accent); text-underline-offset: .15em; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr));
  gap: 1.5rem; margin: 1rem 0; }
.panels figure { max-width: 36rem; }
.panels.board { grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
.key { display: inline-block; width: 1.6em; height: 0; border-top: 2px solid var(--soft);
  vertical-align: middle; margin-right: .4em; }
.key.held { border-color: var(--held); }
`;

const tables = `
.scroll { margin: .75rem 0; }
/* What goes on beyond the right edge shows by a shadow, which a cover that scrolls along hides at the end. */
.scroll, .funnel { overflow-x: auto; background: linear-gradient(to left, var(--paper) 40%, transparent)
  right / 2.5rem 100% no-repeat local, linear-gradient(to left, var(--shade), transparent)
  right / 1.1rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; line-height: 1.25; }
th small { font-weight: 400; display: block; }
tbody th { color: inherit; font-weight: 400; vertical-align: baseline; line-height: inherit; }
td { vertical-align: baseline; }
td small { font-weight: 400; display: block; color: var(--soft); }
th:first-child, td.text, th.text { text-align: left; }
.picks th small { white-space: normal; min-width: 8rem; }
.trades { list-style: none; padding: 0; margin: .2rem 0; font-size: .92rem; }
.made h3 { margin-top: .8rem; }
th:first-child { position: sticky; left: 0; background: var(--paper); }
tr.chosen > * { font-weight: 650; background: var(--mark); }
tr.chosen th:first-child { background: linear-gradient(var(--mark), var(--mark)) var(--paper); }
tr.dim > * { color: var(--soft); }
tr > td.bad { color: var(--bad); }
.bar { display: block; width: 8rem; height: .6rem; border-radius: 3px; background: var(--line);
  overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
.examples { list-style: none; padding: 0; margin: .3rem 0 1rem; font-size: .85rem; }
.examples li { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .75rem; margin: .45rem 0;
  overflow-wrap: anywhere; }
.examples .mono { display: block; font-size: .92em; white-space: pre-wrap; }
.examples .from { color: var(--soft); }
`;

const charts = `
svg { display: block; width: 100%; height: auto; font-size: 12px; overflow: visible; }
svg text { fill: var(--soft); stroke: none; }
svg .name { fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: .7; }
svg .axis, svg .tick { stroke: var(--soft); stroke-width: 1; }
svg .front { fill: none; stroke: var(--accent); stroke-width: 1.5; opacity: .7; }
svg .point { fill: var(--accent); }
svg .point.dim { fill: var(--paper); stroke: var(--soft); stroke-width: 1.3; }
svg .ring { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .label { fill: var(--ink); stroke: var(--paper); stroke-width: 3; stroke-linejoin: round;
  paint-order: stroke; }
svg .label.dim { fill: var(--soft); }
svg .label.strong { font-weight: 650; }
svg .lead { stroke: var(--soft); stroke-width: .8; }
svg .limit { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 5 4; }
svg .ends { stroke: var(--soft); stroke-width: 1; }
svg .mark { stroke: var(--paper); stroke-width: 3; stroke-linejoin: round; paint-order: stroke; }
svg .limit-name { fill: var(--bad); }
svg .beyond { fill: var(--bad); opacity: .09; }
svg .train { fill: none; stroke: var(--soft); stroke-width: 1.1; stroke-linejoin: round; }
svg .train-dot { fill: var(--soft); }
svg .held { fill: none; stroke: var(--held); stroke-width: 1.5; }
svg .held-dot { fill: var(--held); }
`;

const search = `
.made { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem;
  align-items: start; margin: .75rem 0; }
details { border-bottom: 1px solid var(--line); padding: .45rem 0; min-width: 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.passes { margin: .4rem 0; padding-left: 1.6rem; overflow-wrap: anywhere; }
.stages { list-style: none; padding: 0; margin: .75rem 0; max-width: 46rem; }
.stages > li { margin: 0 0 1rem; }
.stage { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; font-size: .92rem; }
.stage b { flex: 1 1 12rem; font-weight: 600; }
.stages .bar { width: 100%; margin-top: .25rem; }
.why { font-size: .85rem; color: var(--soft); margin: .3rem 0 0; padding-left: 1.1rem;
  overflow-wrap: anywhere; }
.sides { grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: .25rem 0; }
.sides dd { margin: 0; }
`;

const paper = `
@media (max-width: 34rem) {
  main { padding: 1.25rem .9rem 3rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  th, td { padding: .3rem .45rem; }
}
@media print {
  :root { ${light} }
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  table { font-size: 7.5pt; }
  th, td { padding: .2rem .3rem; white-space: normal; }
  .scroll, .funnel { overflow: visible; background: none; }
  nav { display: none; }
  figure, tr, pre, .examples li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`;

/** The style sheet of a run's report. */
export const reportStyle = `:root { ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
${page}${tables}${charts}${search}${parallelStyle}${paper}`;
