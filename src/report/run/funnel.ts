/** The part of the report about the search: how far each configuration came, and what that spared. */
import { count, percent, short } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section, shareBar } from "../data/sections.ts";

/** Why configurations ended in a stage. */
export interface FunnelReason {
  /** "size foretold as 2.10 MB, of 1.00" */
  readonly why: string;
  /** How many ended for it, or for the like. */
  readonly count: number;
  /** The first of them. */
  readonly name: string;
}

/** A question that configurations were asked. */
export interface FunnelStage {
  /** "size foretold" */
  readonly stage: string;
  /** How many came so far, and how many of them ended here. */
  readonly entered: number;
  readonly ended: number;
  readonly reasons: readonly FunnelReason[];
  /** What those that ended here took. */
  readonly seconds: number;
}

/** All stages, and what it took. */
export interface Funnel {
  readonly stages: readonly FunnelStage[];
  /** Seconds that all took, and about how many more they would have, had all been measured whole. */
  readonly spentSec: number;
  readonly savedSec: number;
}

/** A configuration and where it ended: as the records of an optimization are. */
export interface Ended<S extends string> {
  readonly name: string;
  readonly stage: S;
  readonly why?: string;
  readonly seconds: number;
}

/** Reasons that differ in their numbers alone are one. */
const likeOf = (why: string): string => why.replace(/\d+(?:\.\d+)?/g, "#");

const reasonsOf = (ended: readonly Ended<string>[]): FunnelReason[] => {
  const found = new Map<string, { why: string; count: number; name: string }>();
  for (const { name, why = "no reason told" } of ended) {
    const known = found.get(likeOf(why));
    if (known === undefined) found.set(likeOf(why), { why, count: 1, name });
    else known.count++;
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
};

/**
 * The funnel of ended configurations: `stages` are titles by stage, in the order in which they are asked, the
 * last being that of those that came through. What is spared is what those that ended early would have taken,
 * had each taken the mean of those that came through.
 */
export const funnelOf = <S extends string>(
  all: readonly Ended<S>[],
  stages: Readonly<Record<S, string>>,
): Funnel => {
  const names = Object.keys(stages) as S[];
  const last = names.at(-1);
  const through = all.filter(({ stage }) => stage === last);
  const sum = (some: readonly Ended<S>[]): number => some.reduce((total, { seconds }) => total + seconds, 0);
  const whole = through.length === 0 ? 0 : sum(through) / through.length;
  let entered = all.length;
  const found = names.map((stage): FunnelStage => {
    const ended = all.filter((each) => each.stage === stage);
    const before = entered;
    if (stage !== last) entered -= ended.length;
    const out = stage === last ? [] : ended;
    return {
      ...{ stage: stages[stage], entered: before, ended: out.length },
      ...{ reasons: reasonsOf(out), seconds: sum(ended) },
    };
  });
  const early = all.filter(({ stage }) => stage !== last);
  const savedSec = early.reduce((total, { seconds }) => total + Math.max(0, whole - seconds), 0);
  return { stages: found, spentSec: sum(all), savedSec };
};

/** Reasons that a stage shows. */
const SHOWN = 4;

const reasonTexts = ({ reasons }: FunnelStage): Html[] => {
  const more = reasons.slice(SHOWN).reduce((sum, each) => sum + each.count, 0);
  return [
    ...reasons.slice(0, SHOWN).map(({ why, count: n, name }) => {
      const others = n === 1 ? "" : ` and ${count(n - 1)} like it`;
      return html`<li>${name}${others}: ${why}</li>`;
    }),
    ...(more > 0 ? [html`<li>${count(more)} for other reasons</li>`] : []),
  ];
};

const timeText = (seconds: number): string =>
  seconds >= 90 ? `${short(seconds / 60)} min` : seconds > 0 ? `${short(seconds)} s` : "no time";

const stageItem = (stage: FunnelStage, all: number, last: boolean): Html => {
  const { entered, ended, seconds } = stage;
  const went = entered - ended;
  const on = last ? "all came through" : "all went on";
  const end = ended === 0 ? on : `${count(ended)} ended here`;
  return html`<li><div class="stage"><b>${stage.stage}</b><span>${count(entered)} asked</span>
<span>${end}</span><span class="soft">${timeText(seconds)}</span></div>
${shareBar(all === 0 ? 0 : went / all)}${
  stage.reasons.length > 0 && html`<ul class="why">${reasonTexts(stage)}</ul>`
}</li>`;
};

/** The stages with what ended in each and why, what was spent and spared; nothing where all came through. */
export const funnelSection = (funnel: Funnel | undefined): Html => {
  const early = funnel?.stages.some(({ ended }) => ended > 0) ?? false;
  if (funnel === undefined || !early) return html``;
  const { stages, spentSec, savedSec } = funnel;
  const all = stages[0]!.entered;
  const whole = spentSec + savedSec;
  const share = whole > 0 ? percent(savedSec / whole) : percent(0);
  return section(
    "search",
    "How the search went",
    html`<p>The cheapest question first; a bar is the share of all ${count(all)} configurations that went on.
Spent <b>${timeText(spentSec)}</b>; spared about <b>${timeText(savedSec)}</b> (${share}), had all that ended
early taken as long as those that were measured whole.</p>
<ol class="stages">${stages.map((stage, i) => stageItem(stage, all, i === stages.length - 1))}</ol>`,
  );
};
