"""Writes metrics.json: what the reference implementations say of predictions and references.

    pip install sacrebleu==2.6.0 scipy==1.17.1 && python test/golden/metrics.py
"""

import json
import pathlib
import random

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.bleu import _get_tokenizer
from scipy import stats

LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Prices rose by 3.5 % (from $1,200.50 to $1,242.52) in 2019-2020.",
    "It's a well-known fact: \"don't\" isn't &quot;do not&quot; &amp; never was.",
    "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
    "Der Fluß ist 1.000,5 km lang – behauptet er… «Ja!»",
    "今天天气很好，我们去公园玩吧。",
    "北京2022年冬奥会(Olympics)开幕，约3,000人参加。",
    "東京は日本の首都です。",
    "Привет, мир! Это — проверка.",
    "مرحبا بالعالم، كيف حالك؟",
    "नमस्ते दुनिया! यह एक परीक्षण है।",
    "A family emoji 👨‍👩‍👧 and a flag 🇩🇪, 50€ and ½ cup.",
    "no-break\u00a0space, ideographic\u3000space, unit\u001fseparator, next\u0085line, zero\ufeffwidth",
    "end-of-line hy-\nphen and\nnewline <skipped> &lt;b&gt;",
    "  leading and trailing blanks  ",
    ".5 of it, and ,then some .",
    "ΟΔΥΣΣΕΥΣ İstanbul STRASSE",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 beyond 16 bits: 𠀀𪛖",
    "a",
    "!",
    "(hi) --- 'tis ?! a.b. 1-2-3 x-1 7.",
    "",
    "   ",
]


def noisy(text, rng):
    """A translation that is partly right: words dropped, doubled, swapped."""
    words = text.split(" ")
    out = []
    for word in words:
        r = rng.random()
        if r < 0.15:
            continue
        out.append(word)
        if r > 0.92:
            out.append(word)
    if len(out) > 2 and rng.random() < 0.5:
        out[0], out[1] = out[1], out[0]
    return " ".join(out)


def corpora():
    rng = random.Random(7)
    full = [line for line in LINES if line.strip()]
    yield "identical", full, [[line] for line in full]
    yield "noisy", [noisy(x, rng) for x in full], [[line] for line in full]
    yield "two references", [noisy(x, rng) for x in full], [[x, noisy(x, rng)] for x in full]
    yield "varying references", full, [[noisy(x, rng) for _ in range(1 + i % 3)] for i, x in enumerate(full)]
    yield "empty predictions", ["" for _ in full], [[line] for line in full]
    yield "one empty prediction", ["", "the cat sat on the mat"], [["a dog ran"], ["the cat sat on a mat"]]
    yield "empty reference", ["some words here", "the cat sat on the mat"], [[""], ["the cat sat on the mat"]]
    yield "both empty", [""], [[""]]
    yield "one token", ["cat"], [["cat"]]
    yield "one wrong token", ["cat"], [["dog"]]
    yield "three tokens", ["the cat sat"], [["the cat sat"]]
    yield "four tokens", ["the cat sat down"], [["the cat sat down"]]
    yield "no bigram matches", ["a b c d e f"], [["b a d c f e"]]
    yield "short", ["the cat"], [["the cat sat on the mat and slept"]]
    yield "long", ["the cat sat on the mat and slept the cat sat"], [["the cat"]]
    yield "repeated", ["the the the the the the"], [["the cat is on the mat"]]
    yield "two lengths", ["a b c d"], [["a b c", "a b c d e"]]
    yield "case", ["The Cat Sat On The Mat"], [["the cat sat on the mat"]]


def translations():
    rows = []
    for name, predictions, references in corpora():
        width = max(len(r) for r in references)
        streams = [[r[i] if i < len(r) else None for r in references] for i in range(width)]
        row = {"name": name, "predictions": predictions, "references": references, "bleu": {}, "chrf": {}}
        for tokenizer in ["13a", "intl", "zh", "char", "none"]:
            for lowercase in [False, True]:
                metric = BLEU(tokenize=tokenizer, lowercase=lowercase)
                score = metric.corpus_score(predictions, streams)
                row["bleu"][f"{tokenizer}{' lc' if lowercase else ''}"] = {
                    "score": score.score,
                    "precisions": score.precisions,
                    "brevityPenalty": score.bp,
                    "predictedLength": score.sys_len,
                    "referenceLength": score.ref_len,
                    "signature": str(metric.get_signature()),
                }
        for word_order in [0, 1, 2]:
            for lowercase in [False, True]:
                metric = CHRF(word_order=word_order, lowercase=lowercase)
                row["chrf"][f"{word_order}{' lc' if lowercase else ''}"] = {
                    "score": metric.corpus_score(predictions, streams).score,
                    "signature": str(metric.get_signature()),
                }
        rows.append(row)
    return rows


def tokens():
    names = ["13a", "intl", "zh", "char", "none"]
    return [
        {"text": line, **{name: _get_tokenizer(name)()(line.rstrip()).split() for name in names}} for line in LINES
    ]


def correlations():
    rng = random.Random(11)
    noise = [(x := rng.gauss(0, 1), x + rng.gauss(0, 1)) for _ in range(60)]
    stars = [(rng.randint(0, 5), rng.randint(0, 5)) for _ in range(60)]
    cases = {
        "noise": ([a for a, _ in noise], [b for _, b in noise]),
        "ties": ([float(a) for a, _ in stars], [float(b) for _, b in stars]),
        "perfect": ([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0]),
        "reversed": ([4.0, 3.0, 2.0, 1.0], [1.0, 10.0, 100.0, 1000.0]),
        "two": ([0.1, 0.2], [5.0, 4.0]),
        "far from zero": ([1e9 + 1, 1e9 + 2, 1e9 + 4, 1e9 + 3], [0.1, 0.2, 0.3, 0.4]),
        "one differs": ([1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0]),
        "negative zero": ([0.0, -0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0]),
    }
    return [
        {
            "name": name,
            "predictions": x,
            "references": y,
            "pearson": float(stats.pearsonr(x, y)[0]),
            "spearman": float(stats.spearmanr(x, y)[0]),
        }
        for name, (x, y) in cases.items()
    ]


def proportions():
    rows = [(0, 10), (10, 10), (5, 10), (90, 100), (1, 1), (999, 100_000)]
    intervals = [stats.binomtest(k, n).proportion_ci(0.95, method="wilson") for k, n in rows]
    return [{"hits": k, "n": n, "low": float(i.low), "high": float(i.high)} for (k, n), i in zip(rows, intervals)]


if __name__ == "__main__":
    golden = {
        "tokens": tokens(),
        "translations": translations(),
        "correlations": correlations(),
        "proportions": proportions(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    sections = []
    for name, rows in golden.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        sections.append(f"{json.dumps(name)}: [\n{lines}\n]")
    path.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")
    print(path.name, path.stat().st_size)
