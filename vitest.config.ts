import { defineConfig } from "vitest/config";

const project = (name: string, include: string, exclude: readonly string[] = []) => ({
  extends: true as const,
  test: { name, include: [include], exclude: [...exclude] },
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
      project("unit", "src/**/*.test.ts"),
      project("e2e", "test/**/*.test.ts", ["test/browser/**"]),
      project("browser", "test/browser/**/*.test.ts"),
    ],
  },
});
