/** All filters, by name. */
import type { Filters } from "./filter.ts";
import { numberFilters } from "./number.ts";
import { sequenceFilters } from "./sequence.ts";
import { textFilters } from "./text.ts";

/** All filters by name. */
export const filters: Filters = { ...textFilters, ...sequenceFilters, ...numberFilters };
