"""Losses of distillation and their gradients by the student's part, by PyTorch, for distillation.json.

python test/golden/distillation.py > test/golden/distillation.json
"""

import json
import math

import torch
from torch.nn.functional import cosine_similarity, cross_entropy, kl_div, log_softmax, normalize

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)


def rounded(*shape, scale=1.0):
    return [round(v, 4) for v in (scale * torch.randn(*shape)).flatten().tolist()], list(shape)


def made(flat):
    values, shape = flat
    return torch.tensor(values).reshape(shape)


def case(name, student, given, loss, **options):
    x = made(student).requires_grad_()
    value = loss(x, *[made(g) for g in given])
    value.backward()
    as_json = [{"values": values, "shape": shape} for values, shape in [student, *given]]
    return {"name": name, "inputs": as_json, "loss": value.item(), "gradient": x.grad.flatten().tolist(), **options}


ROWS, VOCAB = 4, 6
labels = torch.tensor([2, 0, 5, 1])


def soft(kind, s, t, temperature):
    """As TRL's GKDTrainer has them: kl_div(log q, log p) is KL(p || q)."""
    s, t = log_softmax(s / temperature, -1), log_softmax(t / temperature, -1)
    kl = lambda p, q: kl_div(q, p, log_target=True, reduction="none").sum(-1)
    if kind == "forward":  # without the teacher's entropy
        return -(t.exp() * s).sum(-1)
    if kind == "reverse":
        return kl(s, t)
    half = math.log(0.5)
    m = torch.logsumexp(torch.stack([s + half, t + half]), 0)
    return 0.5 * kl(t, m) + 0.5 * kl(s, m)


def distilled(kind, alpha, temperature):
    def loss(s, t):
        hard = cross_entropy(s, labels, reduction="none")
        return (alpha * temperature**2 * soft(kind, s, t, temperature) + (1 - alpha) * hard).mean()

    return loss


logits, scores = rounded(ROWS, VOCAB, scale=2), rounded(ROWS, VOCAB, scale=2)
cases = [
    case(kind, logits, [scores], distilled(kind, alpha, t), divergence=kind, alpha=alpha, temperature=t)
    for kind in ["forward", "reverse", "js"]
    for alpha, t in [(1, 1), (0.7, 1), (0.5, 2)]
]

mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]], dtype=torch.float64)


def hidden(s, t, p):
    off = ((s @ p.T - t) ** 2).sum(-1) / (t**2).sum(-1)
    return (off * mask).sum() / mask.sum()


states, theirs, projection = rounded(2, 4, 3), rounded(2, 4, 5), rounded(5, 3)
cases.append(case("hidden", states, [theirs, projection], hidden))


def relation(width_s, width_t, heads):
    """MiniLMv2, section 3: KL of softmax(A A^T / sqrt(d_r)), the mean over heads and tokens."""

    def scores_of(a, b):
        n, t, width = a.shape
        a, b = [x.reshape(n, t, heads, width // heads).transpose(1, 2) for x in (a, b)]
        raw = a @ b.transpose(-1, -2) / math.sqrt(width // heads)
        return log_softmax(raw.masked_fill(mask[:, None, None, :] == 0, -1e9), -1)

    def loss(s, t):
        mine, other = scores_of(s, s), scores_of(t, t)
        kl = (other.exp() * (other - mine)).sum(-1).mean(1)  # [B, T]
        return (kl * mask).sum() / mask.sum()

    return loss


cases.append(case("relation", rounded(2, 4, 4), [rounded(2, 4, 8)], relation(4, 8, 2), heads=2))
counts = torch.tensor([1, 1, 1, 0], dtype=torch.float64)


def relations(s, t):
    """RKD's idea with cosines: how texts lie to each other, the diagonal left out."""
    s, t = normalize(s, dim=-1), normalize(t, dim=-1)
    off = (s @ s.T - t @ t.T) ** 2 * (1 - torch.eye(4)) * counts[None, :]
    return (off.sum(-1) / (counts.sum() - counts) * counts).sum() / counts.sum()


vectors = rounded(4, 3)
cases.append(case("relations", vectors, [rounded(4, 5)], relations))
same = rounded(4, 3)
cases.append(case("cosine", vectors, [same], lambda s, t: ((1 - cosine_similarity(s, t)) * counts).sum() / counts.sum()))
cases.append(case("mse", vectors, [same], lambda s, t: (((s - t) ** 2).mean(-1) * counts).sum() / counts.sum()))
print(json.dumps(cases))
