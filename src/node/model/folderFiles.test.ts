import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, rename, rm, symlink, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { encodeIndex, planShards } from "../../formats/safetensors/safetensorsIndex.ts";
import { zeros } from "../../ir/tensor.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { config, dir, loaded, put, putShards, putTensors, refusal, weights } from "./folder.fixture.ts";
import { loadFolder, loadModel } from "./folder.ts";

describe("safetensors of a folder", () => {
  test("cut at every place: refused with the file and a place in it", async () => {
    const whole = Buffer.concat(encodeSafetensors(new Map([["w", zeros({ dtype: "float32", shape: [2] })]])));
    for (let size = 0; size < whole.length; size++) {
      await put("model.safetensors", whole.subarray(0, size));
      const error = await refusal(loadModel(dir));
      expect(error, String(size)).toBeInstanceOf(FormatError);
      expect(error.details.file).toBe(join(dir, "model.safetensors"));
      expect(error.details.offset).toBeLessThanOrEqual(whole.length);
    }
  });

  test.each([
    ["a header longer than the format allows", 100_000_001n],
    ["a header longer than the file", 2n ** 20n],
    ["a header longer than a number", 2n ** 63n],
  ])("%s is not read", async (_, length) => {
    const bytes = Buffer.alloc(64);
    bytes.writeBigUInt64LE(length);
    await put("model.safetensors", bytes);
    const error = await refusal();
    expect(error.message).toMatch(/model\.safetensors, byte 0: declares a header of \d+ bytes/);
  });

  test("a large file that is all zeros is refused by its first bytes", async () => {
    await put("model.safetensors", "");
    await truncate(join(dir, "model.safetensors"), 2 ** 32);
    expect((await refusal()).message).toMatch(/byte 8: the header does not begin with/);
  });
});

describe("an index", () => {
  const putIndex = (index: unknown) =>
    put("model.safetensors.index.json", typeof index === "string" ? index : JSON.stringify(index));
  const name = "transformer.wpe.weight";

  test.each(["../outside.safetensors", "/etc/outside.safetensors", "a/../../x.safetensors", "x.bin", ""])(
    "that names %j reads nothing",
    async (file) => {
      await putIndex({ weight_map: { [name]: file } });
      const error = await refusal();
      expect(error).toBeInstanceOf(FormatError);
      expect(error.details).toMatchObject({ file: join(dir, "model.safetensors.index.json"), tensor: name });
    },
  );

  test("with a tensor twice, in text or in two shards", async () => {
    const names = await putShards();
    const twice = new Map([["more", zeros({ dtype: "float32", shape: [1] })]]);
    for (const name of names.slice(0, 2)) await putTensors(name, twice);
    expect((await refusal()).message).toMatch(
      /tensor "more": is in model-0.* too, and the index does not say/,
    );
    await putIndex(`{"weight_map": {"${name}": "${names[0]}", "${name}": "${names[1]}"}}`);
    expect(await refusal()).toMatchObject({ details: { tensor: name, offset: expect.any(Number) } });
  });

  test("with a tensor that no shard has", async () => {
    await putShards();
    const shards = planShards(weights, 1024);
    const more = new Map(weights).set("more", zeros({ dtype: "float32", shape: [0] }));
    await putIndex(encodeIndex([...shards.slice(0, -1), [...shards.at(-1)!, "more"]], more));
    expect((await refusal()).message).toMatch(/tensor "more": is named by the index and is not there/);
  });

  test("with a shard beside it that it does not name", async () => {
    await putShards();
    await putTensors("model-00099-of-00099.safetensors", new Map());
    expect((await refusal()).message).toMatch(/model-00099-of-00099\.safetensors: is a shard that the index/);
  });

  test.each([1, -1, 1.5, "large", 2 ** 53, null])(
    "with the total %j is read: it says nothing",
    async (total) => {
      await putShards();
      const shards = planShards(weights, 1024);
      const { weight_map } = JSON.parse(encodeIndex(shards, weights));
      await putIndex({ metadata: { total_size: total }, weight_map });
      expect(await loaded()).toEqual(weights);
    },
  );

  test("with a million names is read in bounded time, and refused by what is missing", async () => {
    const names = Array.from({ length: 1_000_000 }, (_, i) => `"t${i}":"x.safetensors"`);
    await putIndex(`{"weight_map":{${names.join(",")}}}`);
    await putTensors("x.safetensors", new Map());
    expect((await refusal()).message).toMatch(/tensor "t0": is named by the index and is not there/);
  });
});

describe("links", () => {
  let outside = "";
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), "anneal-outside-"));
    await putTensors("model.safetensors", weights);
  });
  afterEach(() => rm(outside, { recursive: true, force: true }));

  const moveOut = async (name: string) => {
    await rename(join(dir, name), join(outside, name));
    await symlink(join(outside, name), join(dir, name));
  };

  test.each(["model.safetensors", "config.json", "tokenizer.json"])(
    "%s may not lead out of the folder",
    async (name) => {
      await moveOut(name);
      const error = await refusal();
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain(`${join(dir, name)}: is a link that leaves the folder`);
    },
  );

  test("a shard may not, also over a folder of the folder or to a beginning of its name", async () => {
    await rm(join(dir, "model.safetensors"));
    const [first] = await putShards();
    await moveOut(first!);
    expect((await refusal()).message).toContain("leaves the folder");
    await rm(join(dir, first!));
    await rename(outside, `${dir}-beside`);
    await symlink(join(`${dir}-beside`, first!), join(dir, first!));
    try {
      expect((await refusal()).message).toContain("leaves the folder");
    } finally {
      await rename(`${dir}-beside`, outside);
    }
  });

  test("a link to itself, a broken one, a pipe and a folder are no files", async () => {
    const path = join(dir, "model.safetensors");
    await rm(path);
    await symlink("model.safetensors", path);
    expect(await refusal()).toBeInstanceOf(DataError);
    await rm(path);
    await symlink("nowhere.safetensors", path);
    expect((await refusal()).message).toMatch(/is not there/);
    await rm(path);
    execFileSync("mkfifo", [path]);
    expect((await refusal()).message).toMatch(/is no file/);
    await rm(path);
    await mkdir(path);
    expect((await refusal()).message).toMatch(/is no file/);
  });

  test("inside the folder, to it, and in the Hub's cache they are followed", async () => {
    await rename(join(dir, "model.safetensors"), join(dir, "real.safetensors"));
    await symlink("real.safetensors", join(dir, "model.safetensors"));
    expect(await loaded()).toEqual(weights);
    await symlink(dir, join(outside, "there"));
    expect((await loadFolder(join(outside, "there"))).model.config).toEqual(config);
    const snapshot = join(outside, "models--a--b", "snapshots", "1");
    const blobs = join(outside, "models--a--b", "blobs");
    await mkdir(snapshot, { recursive: true });
    await mkdir(blobs);
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "real.safetensors"]) {
      await link(join(dir, name), join(blobs, name));
      const shown = name.replace("real", "model");
      await symlink(join("..", "..", "blobs", name), join(snapshot, shown));
    }
    expect((await loadFolder(snapshot)).model.config).toEqual(config);
  });
});
