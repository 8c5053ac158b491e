"""Smoothed losses of sequences and their gradients, for smoothedLosses.json: PyTorch's cross_entropy and the LabelSmoother
of transformers' Trainer, on a head with and without a bias.

python test/golden/smoothedLosses.py > test/golden/smoothedLosses.json
"""

import json

import torch
from torch.nn.functional import cross_entropy
from transformers.trainer_pt_utils import LabelSmoother

torch.manual_seed(11)
ROWS, TIME, WIDTH, VOCAB = 2, 4, 3, 7


def rounded(t):
    return torch.round(t.double(), decimals=4)


hidden, head, bias = (rounded(t) for t in (torch.randn(ROWS, TIME, WIDTH), torch.randn(VOCAB, WIDTH), torch.randn(VOCAB)))
labels = torch.tensor([[3, 0, 6, -100], [2, -100, -100, 5]])
EPSILON = 0.1


def case(name, biased, loss):
    x, w = hidden.clone().requires_grad_(), head.clone().requires_grad_()
    b = bias.clone().requires_grad_()
    logits = x @ w.T + (b if biased else 0)
    value = loss(logits)
    value.backward()
    return {
        "name": name,
        "biased": biased,
        "loss": value.item(),
        "hidden": x.grad.flatten().tolist(),
        "head": w.grad.flatten().tolist(),
        "bias": b.grad.flatten().tolist() if biased else [],
    }


def torch_loss(logits):
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=EPSILON)


def trainer_loss(logits):
    return LabelSmoother(epsilon=EPSILON)({"logits": logits}, labels.clone())


print(
    json.dumps(
        {
            "shape": [ROWS, TIME, WIDTH, VOCAB],
            "epsilon": EPSILON,
            "hidden": hidden.flatten().tolist(),
            "head": head.flatten().tolist(),
            "bias": bias.tolist(),
            "labels": labels.flatten().tolist(),
            "cases": [
                case(f"{name}{', a bias' if biased else ''}", biased, loss)
                for name, loss in (("cross_entropy", torch_loss), ("LabelSmoother", trainer_loss))
                for biased in (False, True)
            ],
        },
        indent=1,
    )
)
