import { defineConfig } from "vitest/config";

/**
 * What takes more than about ten seconds alone: whole runs that are stopped and gone on with, each kind of
 * model
 * through each verb, pages. `npm run check` runs them too; `npm test` stays short without them.
 */
const long: readonly string[] = [
  "src/cli/cli.test.ts",
  "src/compress/forms.test.ts",
  "src/node/files/checkpointFaults.test.ts",
  "src/node/prepare/tokenizePool.test.ts",
  "src/recipes/data/proxyMix.test.ts",
  "src/recipes/optimize/torn.test.ts",
  "src/tokenizer/bpe/scan.test.ts",
  "test/browser/*.test.ts",
  "test/cli/process.test.ts",
  "test/configs.test.ts",
  "test/distribute.test.ts",
  "test/e2e/badData.test.ts",
  "test/e2e/chats.test.ts",
  "test/e2e/consumer.test.ts",
  "test/e2e/data.test.ts",
  "test/e2e/dataFaults.test.ts",
  "test/e2e/export.test.ts",
  "test/e2e/finetune.test.ts",
  "test/e2e/kinds.test.ts",
  "test/e2e/llamaSearch.test.ts",
  "test/e2e/llamaTarget.test.ts",
  "test/e2e/lora.test.ts",
  "test/e2e/optimizeKilled.test.ts",
  "test/e2e/optimizeRedis.test.ts",
  "test/e2e/optimizeWorkers.test.ts",
  "test/e2e/pairs.test.ts",
  "test/e2e/pretrained.test.ts",
  "test/e2e/ranks.test.ts",
  "test/e2e/resume.test.ts",
  "test/e2e/sentences.test.ts",
  "test/e2e/sweepRedis.test.ts",
  "test/e2e/sweepWorkers.test.ts",
  "test/e2e/tagging.test.ts",
  "test/e2e/verifyGraphs.test.ts",
  "test/examples.test.ts",
  "test/fuzz.test.ts",
  "test/memory.test.ts",
  "test/train/train.test.ts",
];

const project = (name: string, include: readonly string[], exclude: readonly string[] = []) => ({
  extends: true as const,
  test: { name, include: [...include], exclude: [...exclude] },
});

export default defineConfig({
  test: {
    // Workers and the command line run from dist: no test meets yesterday's.
    globalSetup: "test/build.ts",
    // Two cores: ONNX Runtime uses both inside a run, so test files run one or two at a time.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      project("unit", ["src/**/*.test.ts"], long),
      project("e2e", ["test/**/*.test.ts"], long),
      project("long", long),
    ],
  },
});
