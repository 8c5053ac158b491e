// Runs when npm installs anneal, before onnxruntime-node's own script does. On Linux that one asks another host
// than the registry for CUDA libraries, some hundred MB that anneal never loads, and fails the whole installation
// where it is not reached; it leaves alone what is there already. So notes are put where the libraries would be:
//   npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12
// puts the libraries there still. Who has set onnxruntime-node's own setting is not interfered with.
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const asked = ["ONNXRUNTIME_NODE_INSTALL", "npm_config_onnxruntime_node_install"].some(
  (name) => process.env[name] !== undefined,
);
const note =
  "No library: CUDA was not asked for. npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12 gets it.\n";

/** Puts a note in place of each library that onnxruntime-node's script would fetch for this machine. */
const leaveNotes = () => {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve("onnxruntime-node/package.json"));
  const { requirements, manifests } = require(join(root, "script", "install-metadata.js"));
  const here = `${process.platform}/${process.arch}`;
  for (const name of requirements[here] ?? []) {
    for (const file of Object.keys(manifests[`${here}:${name}`])) {
      const path = join(root, "bin", "napi-v6", here, file);
      if (!existsSync(path)) writeFileSync(path, note);
    }
  }
};

if (!asked) {
  try {
    leaveNotes();
  } catch {
    // Not there yet, or of another make: then its script does what it would have done.
  }
}
