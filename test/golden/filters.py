"""Goldens of the filters of single documents, by datatrove with the filters' defaults.

python test/golden/filters.py [texts ...] > test/golden/filters.json   (datatrove 0.10, spacy 3.8)

Excerpts of the given files, and texts made to break one rule each, go through GopherRepetitionFilter,
GopherQualityFilter, C4QualityFilter and FineWebQualityFilter: the reason of each (null: kept), what C4 leaves of a
text, and how many words spaCy cuts it into.
"""

import json
import random
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words

rng = random.Random(4)
WORDS = (
    "river stone garden window morning letter market village winter summer bridge forest silver copper window "
    "teacher doctor sailor painter writer question answer story valley mountain harbour island evening candle "
    "carries follows remembers describes answers watches builds finds leaves opens paints quiet heavy narrow "
    "bright distant gentle hollow ancient curious patient broken golden hidden"
).split()


def sentence(n=12):
    words = [rng.choice(WORDS) for _ in range(n)]
    words[2] = "the"
    words[5] = "of"
    words[8] = "and"
    return " ".join(words).capitalize() + "."


def paragraph(n=4):
    return " ".join(sentence(rng.randint(10, 16)) for _ in range(n))


def page(n=5):
    return "\n\n".join(paragraph() for _ in range(n))


def made():
    p, q = paragraph(), paragraph()
    yield "plain", page()
    yield "empty", ""
    yield "blank", " \n\n \t"
    yield "short", paragraph(2)
    yield "one word", "Word."
    yield "49 words", " ".join(["the river of stone and"] * 9 + ["garden gate of iron"])
    yield "50 words", sentence(16) + " " + sentence(16) + " " + sentence(18)
    yield "short words", " ".join(rng.choice(["a", "to", "of", "be", "it", "on", "we"]) for _ in range(80))
    yield "long words", " ".join(rng.choice(WORDS) * 3 for _ in range(80))
    yield "hashes", " ".join("#" + w if i % 4 == 0 else w for i, w in enumerate(page().split()))
    yield "few hashes", " ".join("#" + w if i % 14 == 0 else w for i, w in enumerate(page().split()))
    yield "ellipses", page().replace(" the ", " the... ").replace(" of ", " of\u2026 ")
    yield "bullets", "\n".join("- " + sentence() for _ in range(20))
    yield "some bullets", "\n".join(("\u2022 " if i % 3 else "") + sentence() for i in range(20))
    yield "ellipsis lines", "\n".join(sentence()[:-1] + ("..." if i % 2 else ".") for i in range(20))
    yield "numbers", " ".join(w if i % 3 else str(i) for i, w in enumerate(page().split()))
    yield "no stop words", " ".join(rng.choice(WORDS) for _ in range(120)) + "."
    yield "one stop word", " ".join(rng.choice([*WORDS, "the"]) for _ in range(120)) + "."
    yield "same paragraph", "\n\n".join([p, q, p, p, q])
    yield "same paragraph once", "\n\n".join([page(), p, p])
    yield "same lines", "\n".join([sentence(9) for _ in range(6)] + ["Read the rest of this and more."] * 5)
    yield "same line", "\n".join([*[sentence() for _ in range(20)], *["Read on."] * 2])
    yield "refrain", " ".join(sentence() if i % 3 else "the garden of stone and silver is here" for i in range(40))
    yield "phrase", " ".join(sentence() if i % 9 else "the garden of stone and silver is here" for i in range(60))
    yield "pairs", " ".join(f"{rng.choice(WORDS)} heavy harbour" if i % 2 else "heavy harbour" for i in range(60))
    yield "curly", page() + "\nThis is a { and the rest of it."
    yield "curly in a heading", page() + "\nif (a) {"
    yield "lorem", page() + "\nHere is Lorem ipsum and the rest of it."
    yield "javascript", page() + "\nPlease enable JavaScript and the rest of it.\n" + page(2)
    yield "policy", page() + "\nRead the privacy policy of the site.\nWe use cookies and more.\n" + page(1)
    yield "citations", page().replace(" the ", " the[1] ").replace(".\n", ".[edit]\n")
    yield "headings", "\n".join(f"{rng.choice(WORDS)} {rng.choice(WORDS)}\n{paragraph(2)}" for _ in range(6))
    yield "few sentences", "\n".join([sentence(), sentence(), "no end here", sentence(60), sentence()])
    yield "five sentences", "\n".join(sentence(20) for _ in range(5))
    yield "long word", page(3) + "\nThe word " + "x" * 1001 + " is of it.\n" + page(1)
    yield "no ends", "\n".join(sentence()[:-1] for _ in range(20))
    yield "few ends", "\n".join(sentence()[: None if i % 7 == 0 else -1] for i in range(21))
    yield "short lines", "\n".join(sentence(4 + 6) [:29] + "." for _ in range(20))
    yield "mixed lines", "\n".join(sentence() if i % 2 else "A short line of it." for i in range(20))
    yield "list", "\n".join("The river of " + rng.choice(WORDS) + str(i) + " and." for i in range(30))
    yield "contractions", page().replace(" the ", " didn't they'll say it's ").replace(" of ", " \u201cof\u201d (e.g. U.S.) ")
    yield "umlauts", page().replace("e", "\u00eb").replace("a", "\u00e4")
    yield "pictures", page().replace(" the ", " \U0001f600 the \U00020bb7\U00020bb7 ")
    yield "line ends", page().replace("\n\n", "\r\n").replace(". ", ".\u2028")


def excerpts():
    for name in sys.argv[1:]:
        text = Path(name).read_text(encoding="utf-8")
        for i in range(12):
            at = rng.randrange(len(text) - 4000)
            yield f"{Path(name).name} {at}", text[at : at + rng.randint(300, 2500)]


filters = {
    "repetition": GopherRepetitionFilter(),
    "quality": GopherQualityFilter(),
    "c4": C4QualityFilter(),
    "fineweb": FineWebQualityFilter(),
}


def outcome(filter, text):
    doc = Document(text=text, id="")
    try:
        result = filter.filter(doc)
    except (ZeroDivisionError, AssertionError) as error:
        return {"fails": type(error).__name__}
    reason = result[1] if isinstance(result, tuple) else None if result else "dropped"
    return {"reason": reason, **({"text": doc.text} if doc.text != text else {})}


rows = []
for name, text in [*made(), *excerpts()]:
    row = {"name": name, "text": text, "words": len(split_into_words(text))}
    for key, filter in filters.items():
        row[key] = outcome(filter, text)
    rows.append(row)
print(json.dumps(rows, indent=0, ensure_ascii=True))
