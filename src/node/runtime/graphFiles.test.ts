import { link, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import {
  concat,
  type Encoded,
  intField,
  messageField,
  textField,
  toBytes,
} from "../../formats/onnx/protobuf.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { nodeEngine } from "./engine.ts";
import { loadGraph } from "./graph.ts";
import { checkGraphFiles } from "./graphFiles.ts";

let dir = "";
let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-graph-"));
  await mkdir(join(dir, "model/onnx"), { recursive: true });
  await writeFile(join(dir, "secret.bin"), bytesOf([1, 2, 3, 4]));
  await writeFile(join(dir, "model/onnx/model.onnx_data"), bytesOf([5, 6, 7, 8]));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const bytesOf = (values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

const entry = (key: string, value: string): Encoded =>
  messageField(13, [textField(1, key), textField(2, value)]);

/** A float32 tensor of four in an external file. */
const weights = (location: string): Encoded[] => [
  intField(1, 4),
  intField(2, 1),
  textField(8, "w"),
  entry("location", location),
  entry("offset", "0"),
  entry("length", "16"),
  intField(14, 1),
];
const io = (field: number, name: string): Encoded => {
  const shape = messageField(2, [messageField(1, [intField(1, 4)])]);
  return messageField(field, [
    textField(1, name),
    messageField(2, [messageField(1, [intField(1, 1), shape])]),
  ]);
};
/** The bytes of y = x + w, with `parts` among the graph's fields. */
const graph = (parts: Encoded[], beside: Encoded[] = []): Uint8Array =>
  toBytes(
    concat([
      intField(1, 8),
      messageField(7, [
        messageField(1, [textField(1, "x"), textField(1, "w"), textField(2, "y"), textField(4, "Add")]),
        textField(2, "g"),
        ...parts,
        io(11, "x"),
        io(12, "y"),
      ]),
      messageField(8, [textField(1, ""), intField(2, 17)]),
      ...beside,
    ]),
  );
const adding = (location: string): Uint8Array => graph([messageField(5, weights(location))]);

const file = (): string => join(dir, "model/onnx/model.onnx");
const put = (bytes: Uint8Array): Promise<void> => writeFile(file(), bytes);

describe("a graph with weights in a file", () => {
  test("beside it is loaded, from a path and as a decoder", async () => {
    await put(adding("model.onnx_data"));
    for (const session of [await engine.load(file()), await loadGraph(engine, file())]) {
      const { y } = await session.run({ x: tensorOf("float32", [4], [1, 1, 1, 1]) });
      expect(Array.from(y!.data as Float32Array)).toEqual([6, 7, 8, 9]);
      await session.dispose();
    }
  });

  test.each([
    ["../secret.bin", /contains "\.\."/],
    ["sub/../../secret.bin", /contains "\.\."/],
    ["/etc/hostname", /is absolute/],
    ["C:secret.bin", /is absolute/],
    ["..\\secret.bin", /contains a backslash/],
    ["model.onnx_data\0/x", /contains NUL/],
    ["", /is empty/],
    ["other.bin", /has weights in "other.bin", which is not there/],
    [".", /is no file/],
    ["link.bin", /link\.bin: is a link that leaves the folder/],
    ["linked/secret.bin", /is a link that leaves the folder/],
    ["hard.bin", /hard\.bin: is a hard link/],
    ["x".repeat(5000), /more bytes than a path can have/],
  ])("named %j is refused", async (location, message) => {
    const onnx = dirname(file());
    await symlink(join("..", "..", "secret.bin"), join(onnx, "link.bin"));
    await symlink(dir, join(onnx, "linked"));
    await link(join(dir, "secret.bin"), join(onnx, "hard.bin"));
    await put(adding(location));
    for (const load of [() => engine.load(file()), () => loadGraph(engine, file())]) {
      await expect(load()).rejects.toThrow(FormatError);
      await expect(load()).rejects.toThrow(message);
    }
  });
});

test.each<[string, (location: string) => Uint8Array]>([
  ["a constant", (at) => attribute([messageField(5, weights(at))])],
  ["a list of constants", (at) => attribute([messageField(10, weights(at))])],
  ["a branch", (at) => attribute([messageField(6, [messageField(5, weights(at))])])],
  ["a list of branches", (at) => attribute([messageField(11, [messageField(5, weights(at))])])],
  ["sparse weights", (at) => graph([messageField(15, [messageField(2, weights(at))])])],
  ["a sparse constant", (at) => attribute([messageField(22, [messageField(1, weights(at))])])],
  ["a function", (at) => graph([], [messageField(25, [node(7, [messageField(5, weights(at))])])])],
  ["training", (at) => graph([], [messageField(20, [messageField(1, [messageField(5, weights(at))])])])],
  ["a second graph", (at) => graph([], [messageField(7, [messageField(5, weights(at))])])],
  ["many tensors", (at) => graph([...Array.from({ length: 500 }, own), messageField(5, weights(at))])],
])("what %s names is checked too", async (_, make) => {
  await put(make("../secret.bin"));
  await expect(checkGraphFiles(file())).rejects.toThrow(/"\.\.\/secret\.bin", which contains "\.\."/);
  await put(make("model.onnx_data"));
  await checkGraphFiles(file());
});

const own = (): Encoded => messageField(5, weights("model.onnx_data"));
const node = (field: number, parts: Encoded[]): Encoded => messageField(field, [messageField(5, parts)]);
const attribute = (parts: Encoded[]): Uint8Array => graph([node(1, parts)]);

describe("a graph", () => {
  test("through a link that leaves the model's folder is refused", async () => {
    await writeFile(join(dir, "outside.onnx"), graph([]));
    await symlink(join(dir, "outside.onnx"), file());
    await expect(engine.load(file())).rejects.toThrow(/model\.onnx: is a link that leaves the folder/);
    await expect(loadGraph(engine, file())).rejects.toThrow(/is a link that leaves the folder/);
  });

  test("through a link within the model's folder, or of the Hub's cache, is read", async () => {
    await writeFile(join(dir, "model/shared.onnx"), adding("model.onnx_data"));
    await symlink(join("..", "shared.onnx"), file());
    await checkGraphFiles(file());
    const snapshot = join(dir, "repo/snapshots/abc/onnx");
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(dir, "repo/blobs"));
    await writeFile(join(dir, "repo/blobs/123"), graph([]));
    await symlink(join("..", "..", "..", "blobs", "123"), join(snapshot, "model.onnx"));
    await checkGraphFiles(join(snapshot, "model.onnx"));
  });

  test("that is not there, or is none, is refused by its name", async () => {
    await expect(engine.load(file())).rejects.toThrow(DataError);
    for (const bytes of [[0xff], [0x3a, 0x7f], [0x0b], Array.from({ length: 12 }, () => 0x80)]) {
      await put(Uint8Array.from(bytes));
      await expect(engine.load(file())).rejects.toThrow(FormatError);
      await expect(engine.load(file())).rejects.toThrow(/model\.onnx, byte \d+: /);
      await expect(loadGraph(engine, file())).rejects.toThrow(/is no graph that can be loaded/);
    }
  });

  test("of messages too deep is refused", async () => {
    let deep = messageField(6, []);
    for (let i = 0; i < 60; i++) deep = messageField(6, [node(1, [deep])]);
    await put(attribute([deep]));
    await expect(checkGraphFiles(file())).rejects.toThrow(/more than 100 deep/);
  });

  test("in memory has no files beside it", async () => {
    await expect(engine.load(adding("model.onnx_data"))).rejects.toThrow(
      /"model.onnx_data", which was not given/,
    );
  });
});
