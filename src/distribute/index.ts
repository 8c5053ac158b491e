/** Training on several ranks. */
export { dataParallel } from "./dataParallel.ts";
export { type Crew, type Order, obey, type Team } from "./team.ts";
