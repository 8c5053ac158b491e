import { beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { judge } from "./filter.ts";
import {
  checkLanguage,
  type LanguageDetector,
  languages,
  loadLanguageDetector,
  looksLikeCode,
} from "./language.ts";

const texts: Record<string, string> = {
  en: "A young man in a blue shirt is standing on a ladder cleaning a window of the old house.",
  de: "Ein junger Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster des alten Hauses.",
  fr: "Un jeune homme en chemise bleue est debout sur une échelle et nettoie une fenêtre de la maison.",
  es: "Un hombre joven con una camisa azul está de pie en una escalera limpiando una ventana de la casa.",
  ru: "Молодой человек в синей рубашке стоит на лестнице и моет окно старого дома.",
  zh: "一个穿着蓝色衬衫的年轻人站在梯子上擦拭老房子的窗户。",
  ja: "青いシャツを着た若い男性がはしごに立って古い家の窓を掃除しています。",
};

const program =
  "export const add = (a: number, b: number): number => {\n  return a + b;\n};\n\nfor (const x of xs) {\n  y.push(f(x));\n}\n";

describe("language", () => {
  let detect: LanguageDetector;
  beforeAll(async () => {
    detect = await loadLanguageDetector();
  });
  for (const [code, text] of Object.entries(texts)) {
    test(code, () => {
      const found = detect(text);
      expect(found.code).toBe(code);
      expect(found.confidence).toBeGreaterThan(0.5);
      expect(languages).toContain(code);
    });
  }
  test("short texts, code and noise are not judged", () => {
    for (const text of ["", "Hello!", "12345 67890 ".repeat(20), program, "<div><p>a</p></div>".repeat(5)]) {
      expect(detect(text).code, text).toBe("unknown");
    }
    expect(looksLikeCode(program)).toBe(true);
    expect(looksLikeCode(texts.en!.repeat(3))).toBe(false);
  });
  test("a long text is looked at in several places", () => {
    const text = `${program.repeat(8)}\n${texts.de!.repeat(20)}`;
    expect(detect(text).code).toBe("de");
  });
  test("the kept languages stay; the unknown by choice", () => {
    const run = (text: string, keepUnknown?: boolean) =>
      judge(
        text,
        {
          preset: "none",
          language: { keep: ["en", "fr"], ...(keepUnknown === undefined ? {} : { keepUnknown }) },
        },
        { detector: detect },
      );
    expect(run(texts.en!)).toMatchObject({ keep: true, language: { code: "en" } });
    const german = run(texts.de!);
    expect(german.keep).toBe(false);
    expect(german.reasons[0]).toMatchObject({ rule: "language", matched: "de", threshold: 0.5 });
    expect(run(program).keep).toBe(true);
    expect(run(program, false).keep).toBe(false);
  });
  test("an unsure answer counts as unknown", () => {
    const options = { preset: "none", language: { keep: ["en"], minConfidence: 0.9 } } as const;
    expect(judge("x", options, { detector: () => ({ code: "de", confidence: 0.89 }) }).keep).toBe(true);
    expect(judge("x", options, { detector: () => ({ code: "de", confidence: 0.9 }) }).keep).toBe(false);
  });
});

test.each([
  ["id", undefined],
  ["klingon", undefined],
  ["", undefined],
  ["German", "de"],
  ["eng", "en"],
  ["en-GB", "en"],
  ["FR", "fr"],
])("a language %j is refused with the list, and with %j where that is what it means", (given, meant) => {
  const attempt = () => checkLanguage({ keep: [given] });
  expect(attempt).toThrow(ConfigError);
  try {
    attempt();
  } catch (error) {
    const { hint } = (error as ConfigError).details;
    expect(hint).toContain(`known: ${languages.join(" ")}`);
    if (meant === undefined) expect(hint).not.toContain("did you mean");
    else expect(hint).toContain(`did you mean "${meant}"?`);
  }
});
