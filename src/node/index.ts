/** Node: the engine, files, checkpoints, locks, measuring, a browser. */
export { type BrowserOptions, type Gpu, openBrowser, type PageHost } from "./browser/browser.ts";
export { type StaticOptions, type StaticServer, serveStatic } from "./browser/static.ts";
export { checkpointStore, type StoreOptions } from "./files/checkpoints.ts";
export { type Chunks, writeFileDurable, writeFolder } from "./files/files.ts";
export { adapterDirs, defaultCacheDir, type HubOptions, modelDir, openModel } from "./hub/hub.ts";
export type { HubProgress } from "./hub/progress.ts";
export {
  type LoadedModel,
  type LoadFolderOptions,
  loadFolder,
  loadModel,
  type ModelFolder,
} from "./model/folder.ts";
export type { FolderPooling } from "./model/pooling.ts";
export { type RenderChatOptions, readChatTemplates, renderChat } from "./model/template.ts";
export { readTokenizer } from "./model/tokenizerFiles.ts";
export {
  type EncodedTexts,
  type TokenizePool,
  type TokenizePoolOptions,
  tokenizePool,
} from "./prepare/tokenizePool.ts";
export { threadTeam } from "./ranks/threadTeam.ts";
export { htmlToText } from "./read/html.ts";
export { type InputFile, kindOf, type ListOptions } from "./read/inputs.ts";
export { listInputs, type ReadOptions, readDocuments, readFileDocuments } from "./read/read.ts";
export { type NodeEngineOptions, nodeEngine } from "./runtime/engine.ts";
export { type TargetName, targets } from "./targets/index.ts";
export type { Artifact, Place, PlaceOptions, Target } from "./targets/target.ts";
export { checkWebgpu, type Webgpu } from "./targets/webgpu.ts";
