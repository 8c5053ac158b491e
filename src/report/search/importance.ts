/** Which parameters decided how good a trial was. */
import { percent } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section, shareBar, table } from "../data/sections.ts";
import { shortName } from "./parallel.ts";

/** A parameter's share of what decided. */
export type Importance = readonly (readonly [name: string, share: number])[];

/** Shares by PED-ANOVA, the largest first as they come. */
export const importanceSection = (importance: Importance): Html =>
  section(
    "importance",
    "What decided",
    html`<p class="soft">PED-ANOVA: how far the values of the best tenth of the trials are from those of all,
as shares. Few trials make it a rough guess.</p>${table(
      ["parameter", "share", ""],
      importance.map(([name, share]) => [shortName(name), percent(share), shareBar(share)]),
    )}`,
  );
