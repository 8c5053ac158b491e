/** Training on several ranks. */
export { requireAgreement } from "./agree.ts";
export { dataParallel } from "./dataParallel.ts";
export { gathered } from "./gather.ts";
export { type LocalOptions, localSteps } from "./localSteps.ts";
export { pipeline } from "./pipeline.ts";
export { type Spmd, type SpmdOptions, spmd } from "./spmd.ts";
export { type Crew, type Order, obey, type Team } from "./team.ts";
