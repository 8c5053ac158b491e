"""Makes lessons.json: ten steps of Hugging Face's BERT and T5 in float32 on the batches of anneal's lessons.

    npm run -s build && node lessons.mjs | python lessons.py > lessons.json      (torch, transformers, numpy)

Weights: number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.1 * sin(0.37 * j + 0.017 * j * j + 1.3 * i), plus 1 for the weights of the norms.
AdamW decays matrices alone; the gradients' norm is clipped; `lrs` are the steps' learning rates. The loss of several
micro-batches is the mean over what all of them ask.

`spans` has what run_t5_mlm_flax.py of transformers (examples/flax/language-modeling, v4.57) makes of lengths: by the
longest source, tokens of text, source and target (`lengths`, from 16 on: below, it forgets the one span that it
takes); by the tokens of a text, tokens and spans that are taken out (`counts`). Its own filtering of a text by
sentinels must give the lesson's sources and targets, from the mask that follows from them.
"""

import json
import sys

import numpy as np
import torch
import transformers
from transformers import BertConfig, BertForMaskedLM, T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
torch.set_num_threads(1)
CLASSES = {"bert": (BertConfig, BertForMaskedLM), "t5": (T5Config, T5ForConditionalGeneration)}
NAMES = {
    "inputIds": "input_ids", "attentionMask": "attention_mask", "tokenTypeIds": "token_type_ids",
    "decoderInputIds": "decoder_input_ids",
}
LRS = [2e-3 * (i + 1) / 4 if i < 3 else 2e-3 * (1 - i / 12) for i in range(10)]
WEIGHT_DECAY, CLIP = 0.05, 1.0
RATE, MEAN_SPAN = 0.15, 3.0


def named(model):
    """Parameters by name; tied ones by that of what they are tied to."""
    tied = model._tied_weights_keys or {}
    return [(tied.get(name, name), p) for name, p in model.named_parameters()]


def fill(model):
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(named(model))):
            j = np.arange(p.numel(), dtype=np.float64)
            one = "norm" in name.lower() and name.endswith("weight")
            values = 0.1 * np.sin(0.37 * j + 0.017 * j * j + 1.3 * i) + one
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def totals(model, batch, rows):
    """The loss of a batch added up, and how many tokens it asks for."""
    feeds = {theirs: torch.tensor(batch[ours]).reshape(rows, -1) for ours, theirs in NAMES.items() if ours in batch}
    labels = torch.tensor(batch["labels"])
    logits = model(**feeds).logits.flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum"), (labels >= 0).sum()


def losses_of(case):
    config_class, model_class = CLASSES[case["config"]["model_type"]]
    model = model_class(config_class(**case["config"], attn_implementation="eager")).train()
    fill(model)
    parts = [p for _, p in named(model)]
    groups = [
        {"params": [p for p in parts if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parts if p.ndim < 2], "weight_decay": 0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    micro, losses = case["accumulate"], []
    for step, lr in enumerate(LRS):
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        made = [totals(model, b, case["options"]["batch"]) for b in case["batches"][step * micro : (step + 1) * micro]]
        loss = sum(total for total, _ in made) / sum(count for _, count in made)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, CLIP)
        optimizer.step()
        losses.append(float(f"{loss.item():.8g}"))
    return losses


def lengths_of(source):
    """compute_input_and_target_lengths"""

    def made(tokens):
        noise = int(round(tokens * RATE))
        spans = int(round(noise / MEAN_SPAN))
        return tokens - noise + spans + 1, noise + spans + 1

    tokens = source
    while made(tokens + 1)[0] <= source:
        tokens += 1
    return {"context": source, "text": tokens, "source": made(tokens)[0], "target": made(tokens)[1]}


def counts_of(length):
    """The first half of random_spans_noise_mask."""
    noise = int(np.round(length * RATE))
    rest = length - noise
    noise = min(max(noise, 1), length - 1)
    spans = max(int(np.round(min(noise, rest) / MEAN_SPAN)), 1)
    return {"length": length, "noise": noise, "spans": spans}


def filtered(tokens, taken, sentinels, end):
    """create_sentinel_ids and filter_input_ids: the first token of a span becomes its sentinel, the rest goes."""
    begins = taken & ~np.concatenate([[False], taken[:-1]])
    kept = np.where(begins, np.array(sentinels)[np.maximum(np.cumsum(begins) - 1, 0)], np.where(taken, -1, tokens))
    return [*kept[kept >= 0].tolist(), end]


def check_spans(case, sentinels):
    rows, end = case["options"]["batch"], case["config"]["eos_token_id"]
    for batch in case["batches"]:
        sources, mask = (np.array(batch[name]).reshape(rows, -1) for name in ("inputIds", "attentionMask"))
        labels = np.array(batch["labels"]).reshape(rows, -1)
        for b in range(rows):
            source, target = sources[b][mask[b] > 0].tolist(), labels[b][labels[b] >= 0].tolist()
            pieces, tokens, taken = {}, [], []
            for token in target[:-1]:
                if token in sentinels:
                    pieces[token] = []
                else:
                    pieces[list(pieces)[-1]].append(token)
            for token in source[:-1]:
                tokens += pieces.get(token, [token])
                taken += [True] * len(pieces[token]) if token in pieces else [False]
            tokens, taken = np.array(tokens), np.array(taken)
            counts = counts_of(len(tokens))
            assert taken.sum() == counts["noise"] and len(pieces) == counts["spans"]
            assert source == filtered(tokens, taken, sentinels, end)
            assert target == filtered(tokens, ~taken, sentinels, end)


given = json.load(sys.stdin)
for case in given["cases"].values():
    case["losses"] = losses_of(case)
    if case["marks"] == "t5":
        check_spans(case, list(range(3, 103)))
print(json.dumps({
    "made": f"torch {torch.__version__}, transformers {transformers.__version__}",
    **given,
    "lrs": LRS, "weightDecay": WEIGHT_DECAY, "clipNorm": CLIP,
    "spans": {"lengths": [lengths_of(n) for n in range(16, 513)], "counts": [counts_of(n) for n in range(2, 601)]},
}))
