/** Chat templates: Python's Jinja, as transformers sets it up. */
export { render } from "./render.ts";
export { Refusal, TemplateFault } from "./values/values.ts";
