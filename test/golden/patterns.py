"""Patterns of tokenizer.json files as the Rust library tokenizers reads them: what each matches in hostile texts, and
which characters its classes have. Run: python test/golden/patterns.py (tokenizers 0.23.3)"""

import json
import pathlib
import random
import zlib

from tokenizers import Regex
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import Split

WRITTEN = [
    r"\w+|[^\w\s]+", r"\d+|\D+", r"^\w", r"\w$", r"\b\w", r"\B", r"\Aa", r"s\z", r"s\Z", r"\h+", r"(?i:ss)", r"(?i:ß)",
    r"(?i:st)+", r"(?i:[st]+)", r"(?i:k)", r"a(?i)b|c", r"(?i)ab(?-i)c", r"(?x) a b # c", r"(?m:.)", r".", r"\R", r"\N+",
    r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[[:punct:]]+", r"\p{Punct}+", r"[[:word:]]+", r"[\w]+", r"[a-z&&[^aeiou]]+",
    r"[]a]", r"[^]a]", r"[a-]", r"\p{^L}+", r"\p{Han}+", r"a*+a", r"a++b", r"a?+a", r"(?>a+)b", r"a{2}+", r"a{1,2}+",
    r"a{,2}", r"a{x", r"a{2}?", r"(?<=a|bc)x", r"(?<!a)b", r"(?:a*)*", r"a**", r"", r"()", r"a*", r"(?=a)", r"x|",
    r"(?<name>a)b", r"(?#comment)a", r"\x61\x{62}\u0063\143", r"[\b\t]", r"(?:a+)+b", r"(a|aa)+$",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    # What cannot be read.
    r"(", r")", r"*a", r"[z-a]", r"[a", r"\p{Foo}", r"[[:foo:]]", r"(?s:.)", r"(?P<x>a)",
]  # fmt: skip
FOREIGN = [r"(a)\1", r"(?<n>a)\k<n>", r"(?<n>a)\g<n>", r"a\Kb", r"\Ga", r"\X", r"(?~b)", r"(?<=a+)x", r"(?:a?b?)*"]
ATOMS = [
    "a", "b", "c", " ", r"\n", r"\s", r"\S", r"\w", r"\W", r"\d", r"\D", r"\h", ".", "é", "ß", "1", "'", "[ab]", "[^a]",
    r"[^\s\w]", "[a-c1]", r"\p{L}", r"\P{L}", r"\p{Lu}", "[[:alpha:]]", "[[:^digit:]x]", "[[:punct:]]", "[a-z&&[^b]]",
    r"\R", "s", "S", "ſ", "t", "f", "i", "k", r"[\p{Lu}ß]", "[^ßa]", "中", "😀", "[😀中a]",
]  # fmt: skip
PLACES = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]
TIMES = ["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{,2}", "{2,}", "{1,2}?", "{2}?"]
WRAPS = ["(?:%s)", "(?:%s)?", "(%s)", "(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)", "(?>%s)", "(?i:%s)", "(?m:%s)"]
CHARACTERS = list("abc \n\réß1'xSsſtﬁfiKk中😀AÉﬆẞ.-_²\t") + ["\u0301", "\u00a0", "\u0085", "\ufeff", "\u2028", "\U00010940"]
SETS = [
    r"\w", r"\d", r"\s", r"\h", r"[\w]", r"[[:alnum:]]", r"[[:alpha:]]", r"[[:blank:]]", r"[[:graph:]]", r"[[:lower:]]",
    r"[[:print:]]", r"[[:punct:]]", r"[[:upper:]]", r"\p{Print}", r"\p{Graph}", r"\p{Punct}", r"\p{L}", r"\p{Ll}", r"\p{Lo}",
    r"\p{N}", r"\p{M}", r"\p{P}", r"\p{S}", r"\p{Cn}", r"\p{Han}", r"\p{Emoji}", r"\p{Alphabetic}", r"(?i:[k])", r"(?i:[\p{Lu}])",
]  # fmt: skip
ALL = "".join(chr(code) for code in range(0x12000) if not 0xD800 <= code <= 0xDFFF)

rng = random.Random(7)


def made(depth):
    kind = rng.random()
    if depth <= 0 or kind < 0.35:
        return rng.choice(ATOMS)
    if kind < 0.42:
        return rng.choice(PLACES)
    if kind < 0.6:
        return rng.choice(ATOMS) + rng.choice(TIMES)
    if kind < 0.7:
        return f"(?:{made(depth - 1)}|{made(depth - 1)})"
    if kind < 0.85:
        return rng.choice(WRAPS) % made(depth - 1)
    return made(depth - 1) + made(depth - 1)


def text():
    return "".join(rng.choice("ab s\n") if rng.random() < 0.4 else rng.choice(CHARACTERS) for _ in range(rng.randrange(14)))


def row(pattern, texts):
    try:
        regex = Regex(pattern)
    except Exception:
        return {"pattern": pattern, "refused": True}
    replaced = Replace(regex, "#")
    cuts = [Split(regex, b) for b in ("isolated", "merged_with_previous", "merged_with_next", "contiguous", "removed")]
    return {
        "pattern": pattern,
        "rows": [[t, replaced.normalize_str(t)] + [[x for x, _ in c.pre_tokenize_str(t)] for c in cuts] for t in texts],
    }


FIXED = ["it's WE'LL  a\n b\r\n\n 12345 x², шесть naïve aab abc bcx ax!", "aaa\ncd ssSSß ﬆ STs K k\n", "[:a-]{x}🙂中文\t_\u0301é"]
patterns = [row(p, FIXED) for p in WRITTEN] + [row(made(3) + made(2), [text() for _ in range(5)]) for _ in range(300)]


def members(pattern):
    kept = set(Replace(Regex(pattern), "").normalize_str(ALL))
    return "".join("0" if c in kept else "1" for c in ALL)


sets = {p: zlib.crc32(members(p).encode()) for p in SETS}
out = {"patterns": patterns, "foreign": FOREIGN, "sets": sets}
path = pathlib.Path(__file__).parent / "patterns.json"
path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
