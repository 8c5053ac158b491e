import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entries, flatten, isLeaf, leaves, mapTree, type Tree, unflatten } from "./tree.ts";

interface Leaf {
  readonly dtype: string;
  readonly id: number;
}
const leaf = (id: number): Leaf => ({ dtype: "float32", id });

/** Trees of objects and arrays whose keys hold no dots. */
const trees: fc.Arbitrary<Tree<Leaf>> = fc.letrec<{ tree: Tree<Leaf> }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.nat().map(leaf),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), tie("tree"), { maxKeys: 4 }),
  ),
})).tree;

const model = { wte: { weight: leaf(1) }, h: [{ bias: leaf(2) }, { bias: leaf(3) }], ln: leaf(4) };

describe("trees", () => {
  test("paths are dotted, arrays count from 0, the order is that of insertion", () => {
    expect([...flatten<Leaf>(model).keys()]).toEqual(["wte.weight", "h.0.bias", "h.1.bias", "ln"]);
    expect(leaves<Leaf>(model).map((l) => l.id)).toEqual([1, 2, 3, 4]);
  });

  test("a leaf alone has the empty path", () => {
    expect([...entries<Leaf>(leaf(7))]).toEqual([["", leaf(7)]]);
  });

  test("what has a dtype is a leaf, whatever else it has", () => {
    expect(isLeaf({ dtype: "float32", parts: { q: leaf(1) } })).toBe(true);
    expect([isLeaf(null), isLeaf("dtype"), isLeaf([]), isLeaf({ weight: leaf(1) })]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("mapTree gets the paths of entries and keeps the structure", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const paths: string[] = [];
        const same = mapTree<Leaf, Leaf>(tree, (l, path) => {
          paths.push(path);
          return l;
        });
        expect(same).toEqual(tree);
        expect(paths).toEqual(Array.from(entries<Leaf>(tree), ([path]) => path));
      }),
    );
  });

  test("mapTree composes", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const up = (l: Leaf): Leaf => leaf(l.id + 1);
        const twice = (l: Leaf): Leaf => leaf(l.id * 2);
        const steps = mapTree<Leaf, Leaf>(mapTree<Leaf, Leaf>(tree, up), twice);
        expect(mapTree<Leaf, Leaf>(tree, (l) => twice(up(l)))).toEqual(steps);
      }),
    );
  });

  test("mapTree does not touch the tree it is given", () => {
    const before = JSON.stringify(model);
    mapTree<Leaf, Leaf>(model, () => leaf(0));
    expect(JSON.stringify(model)).toBe(before);
  });

  test("unflatten undoes flatten", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const blank = mapTree<Leaf, Leaf>(tree, () => leaf(-1));
        const back = unflatten<Leaf, Leaf>(blank, flatten<Leaf>(tree), (path) => {
          throw new Error(`${path} is missing`);
        });
        expect(back).toEqual(tree);
      }),
    );
  });

  test("unflatten asks for what is missing, by path and with the leaf it had", () => {
    const asked: [string, number][] = [];
    const out = unflatten<Leaf, Leaf>(model, new Map([["ln", leaf(40)]]), (path, l) => {
      asked.push([path, l.id]);
      return leaf(0);
    });
    expect(asked).toEqual([
      ["wte.weight", 1],
      ["h.0.bias", 2],
      ["h.1.bias", 3],
    ]);
    expect(flatten<Leaf>(out as Tree<Leaf>).get("ln")).toEqual(leaf(40));
  });
});
