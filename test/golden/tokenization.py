"""Goldens of tokenizers and chat templates, by the Rust library tokenizers and by transformers.

python test/golden/tokenization.py > test/golden/tokenization.json   (tokenizers 0.23, transformers 5; a script named
tokenizers.py would hide the library from the scripts beside it)

Small vocabularies are trained on a fixed text; the files and what they make of hostile texts are written out.
"""

import functools
import json
import random
import struct
import tempfile
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

TEXT = [
    "The quick brown fox jumps over the lazy dog. The dog's owner wasn't there; they'll see, we've been.",
    "Ünïcödé naïve café, Zürich and señor: the accents of the others. ΟΔΥΣΣΕΥΣ ὀδυσσεύς İstanbul",
    "你好，世界。これは日本語です。 한국어 문장 Привет мир 12345 3.14 x+y=z",
    "the then them there these those thing think thought through; running runner ran runs unrunnable",
    "I don't know what you're doing, he said . She said ' hello ' and do not go ? Yes !",
    "a aa aaa aaaa b bb bbb abab baba 0 1 2 10 100 1000",
]
HOSTILE = [
    "",
    " ",
    "   \n\n\t \r\n x  ",
    "The quick brown fox, the thinker's dog... wasn't running?",
    "emoji 😀🏽‍♂️ 👨‍👩‍👧 🇫🇷 e\u0301 a\u0308\u0323 \u0000\u0001\u001b[31m\u007f\u0085\u00a0\u2028\ufeffend",
    "CRLF\r\nline\rold\n\ttab\u000b\u000c \u200b\u200dzero\u00adsoft \ufffd",
    "中文字符 𠀀𠀁 𫝀 한국어 العربية ‏שלום‎ हिन्दी ไทย",
    "ΟΔΥΣΣΕΥΣ Σ ΑΣ İI ıi ß ẞ ﬁ ﬀ ① ½ x² Å Å ｱｲｳ Ａｂｃ ～ ㎞",
    "unrunnable" * 30,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "[CLS] the [SEP] a[MASK]b [MASK] <s> </s>the <unk> <pad> <mask> x <mask>y <extra_id_0>",
    "x<tool>y <tool> tool <word> a<word>b  <Upper> <upper> <UPPER>",
    "▁the ▁▁ the▁fox <0x41> <0xE4>  two  spaces   three",
    "'s 't 're 've 'm 'll 'd 'S don't  'll 1 22 333 4444 ١٢٣ Ⅷ",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ «quoted» – — … ¿? 。、",
    "__proto__ constructor toString hasOwnProperty",
    "\u0378 \ue000 \U000e0001 \U0001fae8 \U000f0000",
]
PAIRS = [["The quick fox", "jumps over"], ["", "the"], ["the thing", ""]]


def darts(pairs):
    """A Darts double array of (bytes, value), as spm_precompiled reads it, and the blob of a charsmap."""
    texts = b""
    values = {}
    for key, value in sorted(pairs):
        values[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    trie = {}
    for key in values:
        node = trie
        for byte in key:
            node = node.setdefault(byte, {})
        node[None] = values[key]
    units = {0: 0}
    used = {0}

    def place(node, at, label):
        children = sorted((0 if c is None else c) for c in node)
        offset = 1
        while (offset in blocks) or any((at ^ offset ^ c) in used for c in children):
            offset += 1
        blocks.add(offset)
        assert offset < 1 << 21
        base = at ^ offset
        for c in children:
            used.add(base ^ c)
        units[at] = (offset << 10) | (0x100 if None in node else 0) | label
        if None in node:
            units[base] = node[None] | (1 << 31)
        for c, child in sorted((c, n) for c, n in node.items() if c is not None):
            place(child, base ^ c, c)

    blocks = set()
    place(trie, 0, 0)
    size = max(units) + 1
    array = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size))
    return struct.pack("<I", len(array)) + array + texts


CHARSMAP = darts(
    [
        ("ﬁ", "fi"), ("①", "1"), ("½", "1/2"), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("\r", " "),
        ("\u0001", ""), ("\ufeff", ""), ("\u200b", " "), ("Å", "Å"), ("A\u030a", "Å"), ("e\u0301", "é"), ("e", "e"),
        ("Ａ", "A"), ("ｱ", "ア"), ("～", "~"), ("a\u0308", "ä"), ("㎞", "km"), ("👨", "man"), ("x", "x"), ("²", "2"),
    ]
)


def wordpiece(lower):
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=260, special_tokens=names, show_progress=False))
    cls, sep = t.token_to_id("[CLS]"), t.token_to_id("[SEP]")
    if lower:
        t.post_processor = processors.TemplateProcessing(
            "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", [("[CLS]", cls), ("[SEP]", sep)]
        )
    else:
        t.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    t.decoder = decoders.WordPiece()
    t.add_tokens([AddedToken("<word>", single_word=True), AddedToken("<upper>", normalized=True)])
    return t


@functools.cache
def unigram(kind):
    names = ["<pad>", "</s>", "<unk>"]
    t = Tokenizer(models.Unigram())
    parts = [normalizers.Precompiled(CHARSMAP)]
    if kind == "t5":
        t.normalizer = normalizers.Sequence(parts)
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    else:
        parts += [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
        t.normalizer = normalizers.Sequence(parts)
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="always" if kind == "t5" else "first")
    trainer = trainers.UnigramTrainer(vocab_size=230, special_tokens=names, unk_token="<unk>", show_progress=False)
    t.train_from_iterator(TEXT, trainer)
    if kind == "t5":
        t.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
        t.add_special_tokens([AddedToken("<extra_id_0>", rstrip=True, lstrip=True)])
    else:
        t.add_special_tokens([AddedToken("<s>"), AddedToken("<mask>", lstrip=True)])
        s = t.token_to_id("<s>")
        t.post_processor = processors.TemplateProcessing(
            "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", s), ("</s>", 1)]
        )
    return t


def unigram_bytes():
    base = json.loads(unigram("t5").to_str())
    vocab = base["model"]["vocab"] + [[f"<0x{b:02X}>", -12.0] for b in range(256)]
    t = Tokenizer(models.Unigram([(v[0], v[1]) for v in vocab], unk_id=2, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.add_special_tokens(["</s>"])
    return t


@functools.cache
def roberta():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=330, special_tokens=names, initial_alphabet=alphabet, show_progress=False)
    )
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.add_tokens([AddedToken("<tool>", rstrip=True)])
    return t


def gpt2():
    t = roberta()
    state = json.loads(t.to_str())
    state["added_tokens"] = [{**a, "lstrip": False, "rstrip": False} for a in state["added_tokens"]]
    state["pre_tokenizer"]["add_prefix_space"] = False
    state["post_processor"] = json.loads(roberta().to_str())["post_processor"]
    return Tokenizer.from_str(json.dumps(state))


@functools.cache
def llama_model():
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    names = ["<unk>", "<s>", "</s>", *bytes_]
    trainer = trainers.BpeTrainer(
        vocab_size=480, special_tokens=names, show_progress=False, initial_alphabet=[], limit_alphabet=45
    )
    t.train_from_iterator(TEXT, trainer)
    return json.loads(t.to_str())


def llama(kind):
    state = llama_model()
    model = models.BPE(
        state["model"]["vocab"],
        [tuple(m) for m in state["model"]["merges"]],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=kind != "unknown",
    )
    t = Tokenizer(model)
    if kind == "metaspace":
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    t.add_special_tokens(["<unk>", "<s>", "</s>"])
    return t


def clip():
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.StripAccents()])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=250, special_tokens=["<unk>", "</s>"], end_of_word_suffix="</w>", show_progress=False
    )
    t.train_from_iterator(TEXT, trainer)
    t.decoder = decoders.BPEDecoder()
    return t


def words():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex("[aeiou]"), "merged_with_previous"), pre_tokenizers.Split("-", "merged_with_next"),
         pre_tokenizers.Split(Regex(r"\s+"), "removed"), pre_tokenizers.Digits(), pre_tokenizers.Punctuation("contiguous")]
    )
    t.train_from_iterator(TEXT, trainers.WordLevelTrainer(vocab_size=120, special_tokens=["<unk>", "</s>"], show_progress=False))
    return t


def spm(kind):
    """What transformers makes of a SentencePiece model without a family, by its own converter."""
    from types import SimpleNamespace as Space

    from transformers.convert_slow_tokenizer import SpmConverter

    if kind == "bpe":
        vocab = llama_model()["model"]["vocab"]
        rows = [(token, -float(id)) for token, id in sorted(vocab.items(), key=lambda item: item[1])]
    else:
        rows = [tuple(row) for row in json.loads(unigram("t5").to_str())["model"]["vocab"]]
    types = {"<unk>": 2, "<s>": 3, "</s>": 3, "<pad>": 3, "▁the": 4 if kind == "bpe" else 1}
    pieces = [
        Space(piece=p, score=s, type=6 if p.startswith("<0x") else types.get(p, 1)) for p, s in rows
    ]
    proto = Space(
        pieces=pieces,
        trainer_spec=Space(byte_fallback=kind == "bpe", unk_piece="<unk>", unk_id=[p for p, _ in rows].index("<unk>")),
        normalizer_spec=Space(
            remove_extra_whitespaces=kind != "bpe", precompiled_charsmap=b"" if kind == "bpe" else CHARSMAP,
            add_dummy_prefix=True, escape_whitespaces=True,
        ),
    )
    vocab = {p: i for i, (p, _) in enumerate(rows)} if kind == "bpe" else rows
    t = SpmConverter.build_tokenizer_from_spm_proto(proto, vocab, legacy=kind != "bpe")
    t.add_special_tokens([AddedToken(p, normalized=False) for p, _ in rows if types.get(p) in (2, 3)])
    if kind == "bpe":
        t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
    return t


CONFIGS = {
    "bertUncased": {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"},
    "roberta": {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>",
                "mask_token": {"content": "<mask>", "lstrip": True}, "pad_token": "<pad>", "unk_token": "<unk>"},
}


def cases(t):
    rng = random.Random(7)
    size = t.get_vocab_size()
    rows = []
    for text in HOSTILE:
        t.encode_special_tokens = False
        ids = t.encode(text, add_special_tokens=False).ids
        around = t.encode(text).ids
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        rows.append({"ids": ids, "template": around if around != ids else None, "plain": plain if plain != ids else None,
                     "text": t.decode(ids), "special": t.decode(around, skip_special_tokens=False)})
    decoded = []
    for n in (3, 8, 20, 40):
        ids = [rng.randrange(size) for _ in range(n)]
        decoded.append({"ids": ids, "text": t.decode(ids)})
    pairs = []
    for a, b in PAIRS:
        e = t.encode(a, b)
        pairs.append({"ids": e.ids, "types": e.type_ids})
    return {"rows": rows, "decoded": decoded, "pairs": pairs}


CHATML = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\n"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}"
    "{% else %}{% set rest = messages %}{% set system = false %}{% endif %}"
    "{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate: user, assistant, user ...') }}{% endif %}"
    "{% if loop.index0 == 0 and system %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'] %}"
    "{% else %}{% set content = m['content'] %}{% endif %}"
    "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
ZEPHYR = (
    "{%- for message in messages %}\n    {%- if message.role == 'user' %}\n{{ '<|user|>\\n' + message.content + eos_token }}\n"
    "    {%- elif message.role == 'system' %}\n{{ '<|system|>\\n' + message.content + eos_token }}\n"
    "    {%- else %}\n{{ '<|assistant|>\\n'  + message.content | trim + eos_token }}\n    {%- endif %}\n"
    "    {% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n    {% endif %}\n{% endfor %}\n"
)
TOOLS = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}"
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + loop.index %}"
    "{{ m.role | upper }}: {{ m.content }}\n{% endfor %}({{ ns.n }})"
)
CHATS = [
    [{"role": "user", "content": "Hi there"}],
    [{"role": "system", "content": "You are terse."}, {"role": "user", "content": " What is 2+2? "},
     {"role": "assistant", "content": " 4 "}, {"role": "user", "content": "<|im_end|> __proto__ {{ x }} 你好 😀"}],
]
TOOL = {"type": "function", "function": {"name": "add", "description": "Adds <two> numbers & more", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}}}


def chats():
    from transformers import PreTrainedTokenizerFast

    t = PreTrainedTokenizerFast(tokenizer_object=words(), bos_token="<s>", eos_token="</s>")
    out = []
    for name, template in (("chatml", CHATML), ("inst", INST), ("zephyr", ZEPHYR), ("tools", TOOLS)):
        for i, chat in enumerate(CHATS):
            for add in (False, True):
                tools = [TOOL] if name == "tools" else None
                text = t.apply_chat_template(
                    chat, chat_template=template, tokenize=False, add_generation_prompt=add, tools=tools
                )
                out.append({"name": name, "chat": i, "add": add, "text": text})
    return out


def main():
    made = {
        "bertUncased": wordpiece(True),
        "bertCased": wordpiece(False),
        "t5": unigram("t5"),
        "xlm": unigram("xlm"),
        "unigramBytes": unigram_bytes(),
        "roberta": roberta(),
        "gpt2": gpt2(),
        "llama": llama("legacy"),
        "llamaMetaspace": llama("metaspace"),
        "llamaUnknown": llama("unknown"),
        "clip": clip(),
        "words": words(),
        "spmBpe": spm("bpe"),
        "spmUnigram": spm("unigram"),
    }
    kinds = {n: {"json": json.loads(t.to_str()), "config": CONFIGS.get(n, {}), **cases(t)} for n, t in made.items()}
    bytes_model = kinds["unigramBytes"]["json"]["model"]
    del bytes_model["vocab"]  # t5's and the 256 bytes at -12: the test puts them together again
    del kinds["spmBpe"]["json"]["model"]["vocab"], kinds["spmUnigram"]["json"]["model"]["vocab"]
    for copy in ("llamaMetaspace", "llamaUnknown"):
        for part in ("vocab", "merges"):
            assert kinds[copy]["json"]["model"][part] == kinds["llama"]["json"]["model"][part]
            del kinds[copy]["json"]["model"][part]
    for part in ("vocab", "merges"):
        del kinds["gpt2"]["json"]["model"][part]
    print(json.dumps({
        "hostile": HOSTILE, "pairs": PAIRS, "kinds": kinds, "chats": CHATS, "tools": [TOOL],
        "templates": {"chatml": CHATML, "inst": INST, "zephyr": ZEPHYR, "tools": TOOLS}, "rendered": chats(),
    }, ensure_ascii=True, separators=(",", ":")))


main()
