import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Two cores: ONNX Runtime uses both inside a run, so test files run one or two at a time.
    maxWorkers: 2,
    testTimeout: 120_000,
  },
});
