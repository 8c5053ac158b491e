"""Writes optimizers.json: ten steps of each optimizer on a small network.

    pip install torch numpy && python test/golden/optimizers.py

SGD, Adam, AdamW and Muon are torch.optim's; LAMB and Lion are written from their papers. All run in float64, Muon too:
its casts to bfloat16 are taken out.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
STEPS = 10
SHAPES = {
    "h.0.weight": (4, 6),
    "h.0.bias": (6,),
    "h.1.weight": (6, 3),
    "h.1.bias": (3,),
    "lm_head.weight": (3, 2),
}


def sines(shape, phase):
    """0.8 sin(0.7 i + phase), rounded to float32."""
    index = torch.arange(math.prod(shape))
    return (0.8 * torch.sin(0.7 * index + phase)).float().double().reshape(shape)


X, Y = sines((8, 4), 0.3), sines((8, 2), 1.1)


def loss_of(p):
    h = torch.tanh(X @ p["h.0.weight"] + p["h.0.bias"])
    h = torch.tanh(h @ p["h.1.weight"] + p["h.1.bias"])
    return ((h @ p["lm_head.weight"] - Y) ** 2).sum()


def initial():
    return {name: sines(shape, i).requires_grad_() for i, (name, shape) in enumerate(SHAPES.items())}


def groups(p, wd):
    return [
        {"params": [t for t in p.values() if t.ndim >= 2], "weight_decay": wd},
        {"params": [t for t in p.values() if t.ndim < 2], "weight_decay": 0},
    ]


def torch_sgd(p, o):
    return [torch.optim.SGD(groups(p, o.get("weightDecay", 0)), momentum=o.get("momentum", 0), nesterov=o.get("nesterov", False))]


def torch_adam(cls, default):
    def make(p, o):
        betas = (float(o.get("b1", 0.9)), o.get("b2", 0.999))
        return [cls(groups(p, o.get("weightDecay", default)), betas=betas, eps=o.get("eps", 1e-8))]

    return make


class Ratio:
    """An optimizer that takes a share of the learning rate."""

    def __init__(self, inner, ratio):
        self.inner, self.ratio, self.param_groups = inner, ratio, [{}]

    def step(self):
        for group in self.inner.param_groups:
            group["lr"] = self.param_groups[0]["lr"] * self.ratio
        self.inner.step()


def torch_muon(p, o):
    torch.bfloat16 = torch.float64  # what torch.optim.Muon casts to
    wd = o.get("weightDecay", 0.1)
    hidden = [t for n, t in p.items() if n.startswith("h.") and t.ndim == 2]
    rest = {n: t for n, t in p.items() if not (n.startswith("h.") and t.ndim == 2)}
    adjust = {"original": "original", "matchRmsAdamw": "match_rms_adamw"}[o.get("adjustLr", "original")]
    muon = torch.optim.Muon(hidden, weight_decay=wd, momentum=o.get("decay", 0.95), nesterov=o.get("nesterov", True), adjust_lr_fn=adjust)
    ratio = o.get("adamwLrRatio", 0.1 if adjust == "original" else 1)
    return [muon, Ratio(torch.optim.AdamW(groups(rest, wd), eps=1e-8), ratio)]


class Lamb:
    def __init__(self, p, o):
        self.p, self.o, self.param_groups, self.t = p, o, [{}], 0
        self.m = {n: torch.zeros_like(t) for n, t in p.items()}
        self.v = {n: torch.zeros_like(t) for n, t in p.items()}

    @torch.no_grad()
    def step(self):
        b1, b2 = self.o.get("b1", 0.9), self.o.get("b2", 0.999)
        lr, self.t = self.param_groups[0]["lr"], self.t + 1
        for n, x in self.p.items():
            self.m[n] = b1 * self.m[n] + (1 - b1) * x.grad
            self.v[n] = b2 * self.v[n] + (1 - b2) * x.grad**2
            m_hat, v_hat = self.m[n] / (1 - b1**self.t), self.v[n] / (1 - b2**self.t)
            r = m_hat / (v_hat.sqrt() + self.o.get("eps", 1e-6))
            if x.ndim < 2:
                x -= lr * r
                continue
            u = r + self.o.get("weightDecay", 0.01) * x
            x -= lr * x.norm() / u.norm() * u


class Lion:
    def __init__(self, p, o):
        self.p, self.o, self.param_groups = p, o, [{}]
        self.m = {n: torch.zeros_like(t) for n, t in p.items()}

    @torch.no_grad()
    def step(self):
        b1, b2 = self.o.get("b1", 0.9), self.o.get("b2", 0.99)
        lr = self.param_groups[0]["lr"]
        for n, x in self.p.items():
            c = b1 * self.m[n] + (1 - b1) * x.grad
            wd = self.o.get("weightDecay", 0) if x.ndim >= 2 else 0
            x -= lr * (c.sign() + wd * x)
            self.m[n] = b2 * self.m[n] + (1 - b2) * x.grad


MAKE = {
    "sgd": torch_sgd,
    "momentum": lambda p, o: torch_sgd(p, {**o, "momentum": o.get("decay", 0.9)}),
    "nesterov": lambda p, o: torch_sgd(p, {**o, "momentum": o.get("decay", 0.9), "nesterov": True}),
    "adam": torch_adam(torch.optim.Adam, 0),
    "adamw": torch_adam(torch.optim.AdamW, 0.01),
    "lamb": lambda p, o: [Lamb(p, o)],
    "lion": lambda p, o: [Lion(p, o)],
    "muon": torch_muon,
}

CASES = [
    ("sgd", 0.02, {}, {}),
    ("sgd", 0.02, {"weightDecay": 0.1}, {"norm": 1}),
    ("momentum", 0.005, {}, {}),
    ("momentum", 0.005, {"decay": 0.8, "weightDecay": 0.1}, {"value": 0.5}),
    ("nesterov", 0.005, {}, {}),
    ("nesterov", 0.005, {"weightDecay": 0.1}, {}),
    ("adam", 0.01, {}, {}),
    ("adam", 0.01, {"b1": 0.8, "b2": 0.95, "eps": 1e-3, "weightDecay": 0.1}, {"norm": 1}),
    ("adamw", 0.01, {}, {}),
    ("adamw", 0.01, {"b2": 0.95, "weightDecay": 0.1}, {"norm": 1}),
    ("adamw", 0.01, {"b1": 0, "weightDecay": 0}, {}),
    ("lamb", 0.02, {}, {}),
    ("lamb", 0.02, {"b2": 0.95, "weightDecay": 0.1}, {"norm": 1}),
    ("lion", 0.003, {}, {}),
    ("lion", 0.003, {"b1": 0.95, "b2": 0.98, "weightDecay": 0.5}, {}),
    ("muon", 0.05, {}, {}),
    ("muon", 0.02, {"nesterov": False, "decay": 0.9, "weightDecay": 0.2, "adamwLrRatio": 1}, {"norm": 1}),
    ("muon", 0.02, {"adjustLr": "matchRmsAdamw"}, {}),
]


def run(name, lr, options, clip):
    p = initial()
    optimizers = MAKE[name](p, options)
    losses, trail = [], {}
    for step in range(1, STEPS + 1):
        loss = loss_of(p)
        for t in p.values():
            t.grad = None
        loss.backward()
        if "norm" in clip:
            torch.nn.utils.clip_grad_norm_(p.values(), clip["norm"])
        if "value" in clip:
            torch.nn.utils.clip_grad_value_(p.values(), clip["value"])
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - 0.05 * (step - 1))
            optimizer.step()
        losses.append(loss.item())
        if step in (1, 2, STEPS):
            trail[step] = {n: [float(f"{v:.9g}") for v in t.detach().flatten().tolist()] for n, t in p.items()}
    return {"optimizer": name, "lr": lr, "options": options, "clip": clip, "losses": losses, "params": trail}


cases = ",\n".join(json.dumps(run(*case)) for case in CASES)
text = f'{{"torch": "{torch.__version__}", "shapes": {json.dumps(SHAPES)}, "cases": [\n{cases}\n]}}\n'
pathlib.Path(__file__).with_suffix(".json").write_text(text)
