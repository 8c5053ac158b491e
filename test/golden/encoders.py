"""What bert.py, roberta.py, xlmRoberta.py, mpnet.py, distilbert.py, electra.py and modernbert.py share: encoders on weights that both sides compute.

Weights: parameter number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.3 * sin(0.37 * j + 1.3 * i), plus 1 for the weights of the layer norms.
Rows are of unequal length, padded on the right. labels[r] of a token is -100 where it does not count.
"""

import json

import numpy as np
import torch
import transformers

torch.manual_seed(0)
torch.set_num_threads(1)
VOCAB, LENGTHS, WIDTH, LABELS = 23, (8, 5, 3), 8, 3


def batch(pad):
    """Ids from 4 on, so that none of them is the padding's."""
    ids = [[4 + (7 * t + 3 + 5 * b) % 19 if t < n else pad for t in range(WIDTH)] for b, n in enumerate(LENGTHS)]
    mask = [[int(t < n) for t in range(WIDTH)] for n in LENGTHS]
    types = [[int(n // 2 <= t < n) for t in range(WIDTH)] for n in LENGTHS]
    return ids, mask, types


def labels_of(task, mask):
    if task == "sequence-classification":
        return [(2 * b + 1) % LABELS for b in range(len(LENGTHS))]
    flat = [m for row in mask for m in row]
    if task == "replaced-token-detection":
        return [int(r % 4 == 1) if m else -100 for r, m in enumerate(flat)]
    size = VOCAB if task == "masked-lm" else LABELS
    return [(11 * r + 4) % size if m and r % 5 != 2 else -100 for r, m in enumerate(flat)]


def is_norm(name):
    return name.endswith("weight") and any(part in name for part in ("LayerNorm", "layer_norm", "norm."))


def named(model):
    """Parameters by name; tied ones by that of what they are tied to."""
    tied = (model._tied_weights_keys or {}) if model.config.tie_word_embeddings else {}
    return [(tied.get(name, name), p) for name, p in model.named_parameters()]


def fill(model):
    fill_named(named(model))


def fill_named(params):
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(params)):
            j = np.arange(p.numel(), dtype=np.float64)
            values = 0.3 * np.sin(0.37 * j + 1.3 * i) + is_norm(name)
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def short(x):
    return float(f"{x:.8g}")


def case(config_class, model_class, task, fields, types):
    """`fields` of the config; `types` whether token types are fed."""
    config = config_class(**fields, attn_implementation="eager")
    extra = {"add_pooling_layer": False} if task == "features" and config.model_type not in ("distilbert", "electra", "modernbert") else {}
    model = model_class(config, **extra).eval()
    assert not any(isinstance(m, torch.nn.Dropout) and m.training for m in model.modules())
    fill(model)
    ids, mask, token_types = batch(config.pad_token_id)
    feeds = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
    if types:
        feeds["token_type_ids"] = torch.tensor(token_types)
    base = "" if task != "features" else f"{model.base_model_prefix}."
    out = {
        "task": task,
        "config": {"model_type": config.model_type, "architectures": [model_class.__name__], **fields},
        "ids": ids,
        "mask": mask,
        **({"types": token_types} if types else {}),
    }
    if task == "features":
        out["logits"] = [short(x) for x in model(**feeds).last_hidden_state.detach().flatten().tolist()]
        out["names"] = {base + n: list(p.shape) for n, p in model.named_parameters()}
        return out
    labels = torch.tensor(labels_of(task, mask))

    def loss_of():
        logits = model(**feeds).logits
        if task == "replaced-token-detection":
            counted = labels >= 0
            told = logits.flatten()[counted]
            return logits, torch.nn.functional.binary_cross_entropy_with_logits(told, labels[counted].float())
        rows = logits.reshape(labels.shape[0], -1)
        return logits, torch.nn.functional.cross_entropy(rows, labels, ignore_index=-100)

    logits, loss = loss_of()
    loss.backward()
    # A pooler that no head reads has no gradient, and is no weight of ours.
    norms = {n: p.grad.double().norm().item() for n, p in named(model) if p.grad is not None}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        _, at = loss_of()
        losses.append(at.item())
        at.backward()
        optimizer.step()
    return {
        **out,
        "labels": labels.tolist(),
        "logits": [short(x) for x in logits.detach().flatten().tolist()],
        "loss": short(loss.item()),
        "gradNorms": {k: short(v) for k, v in norms.items()},
        "losses": [short(x) for x in losses],
    }


def made():
    return f"torch {torch.__version__}, transformers {transformers.__version__}"


def write(cases):
    print(json.dumps({"made": made(), "cases": cases}))
