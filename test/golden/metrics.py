"""Writes metrics.json: what the reference implementations say of predictions and references.

    pip install sacrebleu==2.6.0 scipy==1.17.1 scikit-learn==1.9.1 seqeval==1.2.2 pytrec_eval-terrier==0.5.11 \
        rouge-score==0.1.2 && python test/golden/metrics.py
"""

import json
import pathlib
import random
import re
import string
import warnings

import numpy as np
import pytrec_eval
import seqeval.metrics
import seqeval.scheme
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.bleu import _get_tokenizer
from scipy import stats
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import MultiLabelBinarizer

# Divisions by zero are what some cases are for.
warnings.filterwarnings("ignore")

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


def classifications():
    rng = random.Random(3)
    names = ["neutral", "positive", "negative", "смешанный"]
    many = [rng.choice(names) for _ in range(80)]
    cases = {
        "many": ([x if rng.random() < 0.6 else rng.choice(names) for x in many], many),
        "numbers": ([2, 0, 10, 1, 1, 2, 10, 0], [2, 0, 1, 1, 10, 2, 10, 2]),
        "binary": (["yes", "no", "yes", "no", "no", "yes"], ["yes", "yes", "yes", "no", "no", "no"]),
        "perfect": (["a", "b", "a"], ["a", "b", "a"]),
        "all wrong": (["b", "a", "b"], ["a", "b", "a"]),
        "one class predicted": (["a", "a", "a", "a"], ["a", "b", "a", "c"]),
        "one class right": (["a", "b", "a", "a"], ["a", "a", "a", "a"]),
        "single class": (["a", "a"], ["a", "a"]),
        "no positives": (["no", "no", "yes"], ["no", "no", "no"]),
        "one example": (["a"], ["a"]),
        "one wrong example": (["a"], ["b"]),
    }
    rows = []
    for name, (predictions, references) in cases.items():
        labels = sorted(set(predictions) | set(references))
        row = {"name": name, "predictions": predictions, "references": references, "classes": labels}
        row["accuracy"] = float(sklearn.accuracy_score(references, predictions))
        row["matthews"] = float(sklearn.matthews_corrcoef(references, predictions))
        row["confusion"] = sklearn.confusion_matrix(references, predictions, labels=labels).tolist()
        row["averages"] = averages(references, predictions)
        row["perClass"] = [list(map(float, x)) for x in zip(*per_class(references, predictions, labels=labels))]
        rows.append(row)
    return rows


def per_class(references, predictions, **options):
    return sklearn.precision_recall_fscore_support(references, predictions, zero_division=0, **options)


def averages(references, predictions):
    return {
        average: [float(x) for x in per_class(references, predictions, average=average)[:3]]
        for average in ["micro", "macro", "weighted"]
    }


def multi_labels():
    rng = random.Random(5)
    names = ["a", "b", "c", "d"]
    right = [[n for n in names if rng.random() < 0.4] for _ in range(40)]
    guess = [[n for n in names if (n in r) != (rng.random() < 0.2)] for r in right]
    cases = {
        "many": (guess, right),
        "none right": ([["a"], []], [["b"], []]),
        "none predicted": ([[], []], [["b"], ["a"]]),
    }
    rows = []
    for name, (predictions, references) in cases.items():
        binarizer = MultiLabelBinarizer().fit(predictions + references)
        y, p = binarizer.transform(references), binarizer.transform(predictions)
        row = {"name": name, "predictions": predictions, "references": references, "averages": averages(y, p)}
        row["accuracy"] = float(sklearn.accuracy_score(y, p))
        rows.append(row)
    return rows


def calibrations():
    rng = random.Random(9)
    confidence = [rng.random() for _ in range(200)] + [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.1, 0.3, 0.7, 0.9]
    hits = [int(rng.random() < c**2) for c in confidence]
    rows = []
    for bins in [1, 5, 10, 15]:
        accuracy, mean = calibration_curve(hits, confidence, n_bins=bins)
        inside = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
        counts = np.bincount(inside, minlength=bins)
        error = float(np.sum(counts[counts > 0] * np.abs(accuracy - mean)) / len(hits))
        curve = {"counts": counts.tolist(), "accuracy": accuracy.tolist(), "meanConfidence": mean.tolist()}
        rows.append({"bins": bins, "confidence": confidence, "hits": hits, "error": error, **curve})
    return rows


def tag_cases():
    rng = random.Random(13)
    iob = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    iobes = iob + ["E-PER", "S-PER", "E-LOC", "S-LOC"]
    bilou = [t.replace("E-", "L-").replace("S-", "U-") for t in iobes]

    def draw(tags, n):
        return [[rng.choice(tags) for _ in range(1 + i % 9)] for i in range(n)]

    def near(sentences, tags):
        return [[t if rng.random() < 0.8 else rng.choice(tags) for t in s] for s in sentences]

    for scheme, tags in {"IOB2": iob, "IOBES": iobes, "BILOU": bilou}.items():
        right = draw(tags, 60)
        yield f"random {scheme}", scheme, near(right, tags), right
    yield "exact", "IOB2", [["B-PER", "I-PER", "O"]], [["B-PER", "I-PER", "O"]]
    yield "wrong end", "IOB2", [["B-PER", "O", "O"]], [["B-PER", "I-PER", "O"]]
    yield "wrong type", "IOB2", [["B-LOC", "I-LOC"]], [["B-PER", "I-PER"]]
    yield "no beginning", "IOB2", [["I-PER", "I-PER", "O"]], [["B-PER", "I-PER", "O"]]
    yield "type changes", "IOB2", [["B-PER", "I-LOC"]], [["B-PER", "B-LOC"]]
    yield "no entities", "IOB2", [["O", "O"]], [["O", "O"]]
    yield "none predicted", "IOB2", [["O", "O"]], [["B-PER", "O"]]
    yield "none right", "IOB2", [["B-PER", "O"]], [["O", "O"]]
    yield "no types", "IOB2", [["B", "I", "O", "B"]], [["B", "I", "O", "O"]]
    yield "dashes in a type", "IOB2", [["B-A-B", "I-A-B"]], [["B-A-B", "I-A-B"]]
    yield "across sentences", "IOB2", [["B-PER"], ["I-PER"]], [["B-PER"], ["I-PER"]]
    yield "single not ended", "IOBES", [["B-PER", "I-PER"], ["S-PER", "E-PER"]], [["B-PER", "E-PER"], ["S-PER", "O"]]
    yield "unit", "BILOU", [["U-PER", "U-PER", "B-LOC", "L-LOC"]], [["U-PER", "U-PER", "B-LOC", "I-LOC"]]


def entities():
    rows = []
    to_iobes = {"L": "E", "U": "S"}
    for name, scheme, predictions, references in tag_cases():
        row = {"name": name, "scheme": scheme, "predictions": predictions, "references": references}
        # The default mode does not know L and U; read as E and S they mean what they say.
        same = [[[to_iobes.get(t[0], t[0]) + t[1:] for t in s] for s in side] for side in (references, predictions)]
        for mode in ["default", "strict"]:
            sides = (references, predictions) if mode == "strict" else same
            options = {"mode": "strict", "scheme": getattr(seqeval.scheme, scheme)} if mode == "strict" else {}
            found = any(t != "O" for side in sides for s in side for t in s)
            row[mode] = {
                average: [
                    float(f(*sides, average=average, **options))
                    for f in (seqeval.metrics.precision_score, seqeval.metrics.recall_score, seqeval.metrics.f1_score)
                ]
                # seqeval's mean over no types is NaN.
                for average in (["micro", "macro", "weighted"] if found else ["micro"])
            }
        rows.append(row)
    return rows


def retrievals():
    rng = random.Random(17)
    documents = [f"d{i}" for i in range(30)]
    qrels, runs = {}, {}
    for q in range(12):
        qrels[f"q{q:02}"] = {d: rng.choice([0, 0, 1, 2, 3]) for d in rng.sample(documents, 12)}
        runs[f"q{q:02}"] = {d: float(rng.randint(0, 8)) for d in rng.sample(documents, 20)}
    qrels["q12"], runs["q12"] = {"d1": 1}, {"d1": 1.0}
    qrels["q13"], runs["q13"] = {"d1": 1}, {"d2": 1.0}
    qrels["q14"], runs["q14"] = {"d1": 0}, {"d1": 1.0}
    qrels["q15"], runs["q15"] = {"d1": -1, "d2": 2}, {"d1": 2.0, "d2": 1.0}
    measures = {"map", "recip_rank", "ndcg_cut.1,3,10,100", "recall.1,3,10,100", "map_cut.1,3,10,100"}
    values = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(runs)
    return [{"judgments": qrels[q], "scores": runs[q], "values": values[q]} for q in qrels]


def normalize_answer(s):
    """SQuAD's evaluate-v1.1.py."""
    s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def answers():
    texts = LINES + ["The  Beatles!", "a an the", "an apple a day", "theatre", "naïve-a", "a\u0301 the\u0301", "l'a été"]
    return [{"text": text, "normalized": normalize_answer(text)} for text in texts]


def summaries():
    rng = random.Random(19)
    scorer = RougeScorer(["rougeL"])
    rows = [(noisy(line, rng), [line]) for line in LINES]
    rows += [("", ["some words"]), ("some words", [""]), ("the cat", ["a dog", "the cat sat", "cat the"])]
    rows.append((noisy("police killed the gunman in the old town", rng), ["police kill the gunman", "the gunman kills"]))
    scores = [scorer.score_multi(references, prediction)["rougeL"].fmeasure for prediction, references in rows]
    return [{"prediction": p, "references": r, "rougeL": float(score)} for (p, r), score in zip(rows, scores)]


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
        "classifications": classifications(),
        "multiLabels": multi_labels(),
        "calibration": calibrations(),
        "entities": entities(),
        "retrieval": retrievals(),
        "summaries": summaries(),
        "answers": answers(),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    sections = []
    for name, rows in golden.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        sections.append(f"{json.dumps(name)}: [\n{lines}\n]")
    path.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")
    print(path.name, path.stat().st_size)
