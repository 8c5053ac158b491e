"""What the goldens of the decoder families share: Hugging Face models on weights that both sides compute.

Weights: parameter number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.3 * sin(0.37 * j + 1.3 * i), plus 1 for the weights of norms.
Names of a bare body get its prefix. A case is a config whose `architectures` names the class, and maybe padding: the
first text's end and the second's beginning do not count. Losses: cross-entropy of the labels (-100 does not count);
of features, the mean of their elements times sin(0.7 * j), or times 0 where the token does not count.
"""

import json

import numpy as np
import torch
import transformers

torch.manual_seed(0)
torch.set_num_threads(1)

TOKENS = 8
IDS = [[(7 * t + 3 + 5 * b) % 23 for t in range(TOKENS)] for b in range(2)]
LABELS = [-100 if r in (2, 11) else (11 * r + 4) % 23 for r in range(2 * TOKENS)]
MASK = [[1, 1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]]
POSITIONS = [[0, 1, 2, 3, 4, 5, 5, 5], [0, 0, 0, 0, 1, 2, 3, 4]]
PAD = 22
TEXT_LABELS = [2, 0]


def name_of(prefix, name):
    body = not name.startswith((prefix + ".", "lm_head.", "score.", "classifier."))
    return prefix + "." + name if body else name


def fill(model, prefix):
    named = {name_of(prefix, name): p for name, p in model.named_parameters()}
    with torch.no_grad():
        for i, name in enumerate(sorted(named)):
            p = named[name]
            j = np.arange(p.numel(), dtype=np.float64)
            one = ("norm" in name or "ln_" in name) and name.endswith("weight")
            values = 0.3 * np.sin(0.37 * j + 1.3 * i) + one
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))
    return named


def batch(config, padded):
    ids, labels = IDS, LABELS
    if padded:
        flat = [m for row in MASK for m in row]
        labels = [label if m else -100 for label, m in zip(LABELS, flat)]
        if config.get("pad_token_id") is not None:
            ids = [[i if m else PAD for i, m in zip(*pair)] for pair in zip(IDS, MASK)]
    name = config["architectures"][0]
    if "SequenceClassification" in name:
        labels = TEXT_LABELS
    if "TokenClassification" in name:
        labels = [label if label < 0 else label % 3 for label in labels]
    return ids, labels


def loss_of(model, config, case):
    given = {"input_ids": torch.tensor(case["ids"]), "use_cache": False}
    if "mask" in case:
        given["attention_mask"] = torch.tensor(case["mask"])
    if "positions" in case:
        given["position_ids"] = torch.tensor(case["positions"])
    out = model(**given)
    if "labels" not in case:
        hidden = out.last_hidden_state
        weights = torch.sin(0.7 * torch.arange(hidden.numel(), dtype=torch.float32)).reshape(hidden.shape)
        counts = torch.tensor(case.get("mask", [[1] * TOKENS] * 2)).unsqueeze(-1)
        return hidden, (hidden * weights * counts).mean()
    logits = out.logits
    rows = logits.reshape(-1, logits.shape[-1])
    return logits, torch.nn.functional.cross_entropy(rows, torch.tensor(case["labels"]), ignore_index=-100)


def short(x):
    return float(f"{x:.8g}")


def case(prefix, fields, padded=False, positions=False):
    model_type = fields["model_type"]
    cls = getattr(transformers, fields["architectures"][0])
    rest = {k: v for k, v in fields.items() if k not in ("model_type", "architectures")}
    config = transformers.AutoConfig.for_model(model_type, **rest)
    config._attn_implementation = "eager"
    model = cls(config).eval()
    named = fill(model, prefix)
    ids, labels = batch(fields, padded)
    made = {"config": fields, "ids": ids}
    if padded:
        made["mask"] = MASK
    if positions:
        made["positions"] = POSITIONS
    if not fields["architectures"][0].endswith(("GPT2Model", "LlamaModel", "Qwen2Model", "Qwen3Model")):
        made["labels"] = labels
    logits, loss = loss_of(model, fields, made)
    loss.backward()
    norms = {name: p.grad.double().norm().item() for name, p in named.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        _, at = loss_of(model, fields, made)
        losses.append(at.item())
        at.backward()
        optimizer.step()
    return {
        **made,
        "shape": list(logits.shape),
        "logits": [short(x) for x in logits.detach().flatten().tolist()],
        "loss": short(loss.item()),
        "gradNorms": {k: short(v) for k, v in norms.items()},
        "losses": [short(x) for x in losses],
    }


def write(prefix, cases):
    """Prints the golden of {name: (config, options)}: what differs from a line a case is whitespace."""
    made = {name: case(prefix, config, **options) for name, (config, options) in cases.items()}
    print('{"made": %s, "cases": {' % json.dumps(f"torch {torch.__version__}, transformers {transformers.__version__}"))
    for i, (name, value) in enumerate(made.items()):
        print(f"{json.dumps(name)}: {json.dumps(value)}" + ("," if i + 1 < len(made) else ""))
    print("}}")
