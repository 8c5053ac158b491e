"""Writes signRound.json: what auto-round's asymmetric grid makes of small matrices, with its gradients.

Reference: auto-round 0.16.1 (PyPI, https://github.com/intel/auto-round), auto_round/data_type/int.py,
`quant_tensor_asym`: codes, scales and zeros in float32, and the gradients of sum(values * cotangent) with respect to
the offsets of rounding and the factors of the grids' ends. Its rounding, (round(x) - x).detach() + x, is off by an ulp,
which puts some codes at a grid's end outside of it, where no gradient passes, and torch's clamp lets none pass at the
end itself. Here rounding is exact and gradients pass at the ends, as in src/compress/reconstruction/signRound.ts: of 2
bits half of the codes stand there.

    python3 test/golden/signRound.py
"""
import json
from pathlib import Path

import auto_round.data_type.int as reference
import torch


class RoundThrough(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return torch.round(x)

    @staticmethod
    def backward(_, g):
        return g


class ClampThrough(torch.autograd.Function):
    @staticmethod
    def forward(context, x, low, high):
        context.save_for_backward((x >= low) & (x <= high))
        return x.clip(low, high)

    @staticmethod
    def backward(context, g):
        return g * context.saved_tensors[0], None, None


def clamp(x, low=None, high=None, *, min=-torch.inf, max=torch.inf):
    return ClampThrough.apply(x, min if low is None else low, max if high is None else high)


reference.round_ste = RoundThrough.apply
torch.clamp = clamp
torch.manual_seed(5)


def case(bits, block, n, blocks):
    def leaf(x):
        return x.round(decimals=4).requires_grad_()

    k = block * blocks
    w = (torch.randn(n, k) * 0.05).round(decimals=4)
    offset = leaf(torch.rand(n * blocks, block) - 0.5)
    low_factor = leaf(1 - 0.5 * torch.rand(n * blocks))
    high_factor = leaf(1 - 0.5 * torch.rand(n * blocks))
    cotangent = torch.randn(n, k).round(decimals=3)
    values, scale, zero = reference.quant_tensor_asym(
        w, bits, block, v=offset, min_scale=low_factor, max_scale=high_factor, scale_dtype=torch.float32
    )
    (values * cotangent).sum().backward()
    tensors = {
        "w": w,
        "offset": offset,
        "lowFactor": low_factor,
        "highFactor": high_factor,
        "cotangent": cotangent,
        "values": values,
        "scale": scale,
        "zero": zero,
        "dOffset": offset.grad,
        "dLowFactor": low_factor.grad,
        "dHighFactor": high_factor.grad,
    }
    rounded = {name: [float(f"{v:.8g}") for v in t.detach().flatten().tolist()] for name, t in tensors.items()}
    return {"bits": bits, "block": block, "n": n, "blocks": blocks, **rounded}


cases = [case(4, 8, 3, 2), case(2, 8, 3, 2), case(3, 16, 2, 1)]
Path(__file__).with_name("signRound.json").write_text(json.dumps(cases) + "\n")
