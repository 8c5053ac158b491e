"""What t5.py and marian.py share: weights that both sides compute, ten training steps, generation.

Weights: number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.3 * sin(0.37 * j + 0.017 * j * j + 1.3 * i), plus 1 for the weights of the norms.
The second source is padded. labels[b][u] is the token wanted at that place; -100 does not count. The decoder's
inputs are the reference's own shift of the labels. `greedy` and `beams` are what generate() gives after the
start token, padded behind the end, which is an id that comes up.
"""

import json

import numpy as np
import torch
import transformers

torch.manual_seed(0)
torch.set_num_threads(1)
# Id 0 is padding.
IDS = [[(7 * t + 3 + 5 * b) % 17 + 2 for t in range(7)] for b in range(2)]
MASK = [[1] * 7, [1] * 4 + [0] * 3]
IDS[1] = [id if MASK[1][t] else 0 for t, id in enumerate(IDS[1])]
LABELS = [[-100 if r == 3 else (11 * r + 4) % 17 + 2 for r in range(6)], [(5 * r + 3) % 17 + 2 for r in range(4)] + [1, -100]]
FROZEN = "embed_positions"
LR = 1e-2


def trained(model):
    return [(name, p) for name, p in model.named_parameters() if FROZEN not in name]


def fill(model):
    buffers = [(name, b) for name, b in model.named_buffers() if name == "final_logits_bias"]
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(trained(model) + buffers)):
            j = np.arange(p.numel(), dtype=np.float64)
            values = 0.3 * np.sin(0.37 * j + 0.017 * j * j + 1.3 * i) + ("norm" in name and name.endswith("weight"))
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def loss_of(model):
    out = model(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK), labels=torch.tensor(LABELS))
    return out.logits, out.loss


def generate(model, beams):
    given = {"input_ids": torch.tensor(IDS), "attention_mask": torch.tensor(MASK)}
    out = model.generate(**given, max_new_tokens=12, num_beams=beams, do_sample=False, forced_eos_token_id=None)
    return [row[1:].tolist() for row in out]


def case(fields, model):
    fill(model)
    generated = {"greedy": generate(model, 1), "beams": generate(model, 3)}
    logits, loss = loss_of(model)
    loss.backward()
    norms = {name: p.grad.double().norm().item() for name, p in trained(model)}
    optimizer = torch.optim.AdamW(
        [p for _, p in trained(model)], lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=0
    )
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        _, at = loss_of(model)
        losses.append(at.item())
        at.backward()
        optimizer.step()
    short = lambda x: float(f"{x:.8g}")
    return {
        "config": fields,
        "logits": [short(x) for x in logits.detach().flatten().tolist()],
        "loss": short(loss.item()),
        "gradNorms": {k: short(v) for k, v in norms.items()},
        "losses": [short(x) for x in losses],
        **generated,
    }


def write(cases, **more):
    print(json.dumps({
        "made": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "ids": IDS,
        "mask": MASK,
        "labels": LABELS,
        **more,
        "cases": cases,
    }, indent=1))
