"""Writes rounding.json: what GPTQ, AWQ's scale search and HQQ make of small matrices, by their authors' algorithms.

References, transcribed into numpy in float64 line by line, since none of the three runs without a model around it:
- GPTQ: https://github.com/IST-DASLab/gptq, gptq.py (`fasterquant`, act order, static groups) and quant.py (`find_params`
  without mse, asymmetric and symmetric); H = sum x x^T, whose factor does not matter.
- AWQ: https://github.com/mit-han-lab/llm-awq, quantize/auto_scale.py (`get_act_scale`, `_search_module_scale`, with the
  products themselves as the module that is inspected) and quantizer.py (`pseudo_quantize_tensor`, with 0 in its range).
- HQQ: https://github.com/mobiusml/hqq, hqq/core/optimize.py (`optimize_weights_proximal_legacy`, `shrink_lp_op`) and the
  beginning of `Quantizer.quantize`.

    python3 test/golden/rounding.py
"""
import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(7)


def data(n, k, rows):
    mixing = rng.normal(size=(k, k)) / np.sqrt(k)
    strength = np.exp(rng.normal(size=k))
    x = (rng.normal(size=(rows, k)) @ mixing) * strength
    w = rng.normal(size=(n, k)) * 0.05
    # As float32 numbers that take few digits to write.
    return np.float32(np.round(w, 5)).astype(float), np.float32(np.round(x, 3)).astype(float)


def find_params(w, bits, sym):
    """quant.py: w [N, group] -> scale, zero [N]."""
    maxq = 2**bits - 1
    xmin, xmax = np.minimum(w.min(1), 0), np.maximum(w.max(1), 0)
    if sym:
        xmax = np.maximum(np.abs(xmin), xmax)
        xmin = np.where(xmin < 0, -xmax, xmin)
    scale = (xmax - xmin) / maxq
    zero = np.full_like(scale, (maxq + 1) / 2) if sym else np.round(-xmin / scale)
    return np.float32(scale).astype(float), zero


def quantize(w, scale, zero, maxq):
    return np.clip(np.round(w / scale) + zero, 0, maxq)


def gptq(w, x, bits, group, actorder, percdamp=0.01):
    w = w.copy()
    n, k = w.shape
    maxq = 2**bits - 1
    h = x.T @ x
    groups = [find_params(w[:, i : i + group], bits, False) for i in range(0, k, group)]
    perm = np.argsort(-np.diag(h), kind="stable") if actorder else np.arange(k)
    w, h = w[:, perm], h[perm][:, perm]
    h = h + percdamp * np.mean(np.diag(h)) * np.eye(k)
    hinv = np.linalg.cholesky(np.linalg.inv(h)).T
    codes = np.zeros((n, k), dtype=int)
    for i in range(k):
        scale, zero = groups[perm[i] // group]
        q = quantize(w[:, i], scale, zero, maxq)
        codes[:, perm[i]] = q
        err = (w[:, i] - (q - zero) * scale) / hinv[i, i]
        w[:, i:] -= np.outer(err, hinv[i, i:])
    return codes


def pseudo_quantize(w, bits, group):
    n, k = w.shape
    blocks = w.reshape(-1, group)
    scale, zero = find_params(blocks, bits, False)
    codes = quantize(blocks, scale[:, None], zero[:, None], 2**bits - 1)
    return ((codes - zero[:, None]) * scale[:, None]).reshape(n, k)


def awq(matrices, x, bits, group):
    x_max = np.abs(x).mean(0)
    best = None
    for step in range(20):
        ratio = step / 20
        scales = np.maximum(x_max**ratio, 1e-4)
        scales = scales / np.sqrt(scales.max() * scales.min())
        outputs = [
            x @ (w - pseudo_quantize(np.float32(w * scales).astype(float), bits, group) / scales).T for w in matrices
        ]
        loss = float((np.concatenate(outputs, 1) ** 2).mean())
        if best is None or loss < best["loss"]:
            best = {"loss": loss, "ratio": ratio, "scales": scales.tolist()}
        if step == 0:
            plain = loss
    return {**best, "plain": plain}


def shrink_lp_op(x, beta, lp_norm):
    with np.errstate(divide="ignore"):
        return np.sign(x) * np.maximum(np.abs(x) - (1.0 / beta) * np.power(np.abs(x), lp_norm - 1), 0)


def hqq(w, bits, group):
    blocks = w.reshape(-1, group)
    low, high = blocks.min(1, keepdims=True), blocks.max(1, keepdims=True)
    most = 2**bits - 1
    scale = np.minimum(most / (high - low), 2e4)
    zero = -low * scale
    if bits == 4:
        zero = np.round(zero)
    beta, best_error = 1e1, 1e4
    for _ in range(20):
        q = np.clip(np.round(blocks * scale + zero), 0, most)
        r = (q - zero) / scale
        e = shrink_lp_op(blocks - r, beta, 0.7)
        zero = np.mean(q - (blocks - e) * scale, axis=1, keepdims=True)
        beta *= 1.01
        error = float(np.abs(blocks - r).mean())
        if error < best_error:
            best_error = error
        else:
            break
    q = np.clip(np.round(blocks * scale + zero), 0, most).astype(int)
    return {"q": q.ravel().tolist(), "scale": (1 / scale).ravel().tolist(), "zero": zero.ravel().tolist()}


def plain(a):
    return [float(str(np.float32(v))) for v in np.ravel(a)]


cases = []
for bits, group in [(4, 8), (3, 12), (2, 8), (4, 24)]:
    w, x = data(5, 24, 40)
    other = data(5, 24, 1)[0]
    cases.append(
        {
            "bits": bits,
            "block": group,
            "n": 5,
            "k": 24,
            "w": plain(w),
            "other": plain(other),
            "x": plain(x),
            "gptq": gptq(w, x, bits, group, True).ravel().tolist(),
            "gptqInOrder": gptq(w, x, bits, group, False).ravel().tolist(),
            "awq": awq([w, other], x, bits, group),
            "hqq": hqq(w, bits, group),
        }
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
