/** What a filter is: a value, the arguments behind it, and the filters and tests that it may call by name. */
import { bind, type Parameter } from "../functions.ts";
import type { Given, Value } from "../values/values.ts";

/** Filters and tests by name. */
export interface Calls {
  filter(name: string, value: Value, given: Given): Value;
  test(name: string, value: Value, given: Given): boolean;
}

/** Makes a value of a value. */
export type Filter = (value: Value, given: Given, calls: Calls) => Value;
/** Filters by name. */
export type Filters = Readonly<Record<string, Filter>>;

/** A filter with these parameters. */
export const filter =
  (parameters: readonly Parameter[], body: (value: Value, ...args: Value[]) => Value): Filter =>
  (value, given) =>
    body(value, ...bind("filter", parameters, given));
