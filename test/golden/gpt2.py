"""Makes gpt2.json: Hugging Face GPT-2 on weights that both sides compute.

    python gpt2.py > gpt2.json      (torch, transformers)

Weights: parameter number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.3 * sin(0.37 * j + 1.3 * i), plus 1 for the weights of the layer norms.
The head is tied. labels[r] is the token wanted at row r of the flattened logits; -100 does not count.
"""

import json

import numpy as np
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
torch.set_num_threads(1)
SMALL = {
    "vocab_size": 23, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
    "bos_token_id": 0, "eos_token_id": 0,
}
CASES = {
    "gelu_new": {**SMALL, "activation_function": "gelu_new"},
    "gelu, inner width, epsilon": {
        **SMALL, "activation_function": "gelu", "n_inner": 24, "layer_norm_epsilon": 1e-3, "n_head": 4,
    },
}
IDS = [[(7 * t + 3 + 5 * b) % 23 for t in range(8)] for b in range(2)]
LABELS = [-100 if r in (2, 11) else (11 * r + 4) % 23 for r in range(16)]


def fill(model):
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            j = np.arange(p.numel(), dtype=np.float64)
            values = 0.3 * np.sin(0.37 * j + 1.3 * i) + ("ln_" in name and name.endswith("weight"))
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def loss_of(model):
    logits = model(torch.tensor(IDS), use_cache=False).logits
    return logits, torch.nn.functional.cross_entropy(logits.reshape(16, -1), torch.tensor(LABELS), ignore_index=-100)


def case(fields):
    model = GPT2LMHeadModel(GPT2Config(**fields, attn_implementation="eager")).eval()
    fill(model)
    logits, loss = loss_of(model)
    loss.backward()
    norms = {name: p.grad.double().norm().item() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        _, at = loss_of(model)
        losses.append(at.item())
        at.backward()
        optimizer.step()
    short = lambda x: float(f"{x:.8g}")
    return {
        "config": {"model_type": "gpt2", **fields},
        "logits": [short(x) for x in logits.detach().flatten().tolist()],
        "loss": short(loss.item()),
        "gradNorms": {k: short(v) for k, v in norms.items()},
        "losses": [short(x) for x in losses],
    }


print(json.dumps({
    "made": f"torch {torch.__version__}, transformers {transformers.__version__}",
    "ids": IDS,
    "labels": LABELS,
    "cases": {name: case(fields) for name, fields in CASES.items()},
}, indent=1))
