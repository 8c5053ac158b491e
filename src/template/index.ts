/** Chats, and the templates that write them: Python's Jinja, as transformers sets it up. */
export { type Rendered, type Renderer, render, renderer, type Span } from "./render.ts";
export { Refusal, TemplateFault } from "./values/values.ts";
