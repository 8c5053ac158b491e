"""Writes sparsity.json: what magnitude, Wanda and SparseGPT make of small matrices, by their authors' algorithms.

References, transcribed into numpy in float64 line by line, since none of them runs without a model around it:
- magnitude and Wanda: https://github.com/locuslab/wanda, lib/prune.py (`prune_magnitude`, `prune_wanda` without variants) and
  lib/layerwrapper.py (`scaler_row`: the mean over rows of x^2).
- SparseGPT: https://github.com/IST-DASLab/sparsegpt, sparsegpt.py (`fasterprune` without quantization); H = 2 / rows sum x x^T.

    python3 test/golden/sparsity.py
"""
import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(11)


def data(n, k, rows, dead=()):
    mixing = rng.normal(size=(k, k)) / np.sqrt(k)
    strength = np.exp(rng.normal(size=k))
    x = (rng.normal(size=(rows, k)) @ mixing) * strength
    x[:, list(dead)] = 0
    w = rng.normal(size=(n, k)) * 0.05
    return np.float32(np.round(w, 5)).astype(float), np.float32(np.round(x, 3)).astype(float)


def smallest(tmp, count):
    """torch.topk(tmp, count, dim=1, largest=False)[1]"""
    return np.argsort(tmp, axis=1, kind="stable")[:, :count]


def groups(metric, prune_n, prune_m):
    mask = np.zeros_like(metric, dtype=bool)
    for ii in range(0, metric.shape[1], prune_m):
        np.put_along_axis(mask, ii + smallest(metric[:, ii : ii + prune_m], prune_n), True, 1)
    return mask


def prune_magnitude(w, sparsity, prune_n, prune_m):
    metric = np.abs(w)
    if prune_n != 0:
        mask = groups(metric, prune_n, prune_m)
    else:
        thresh = np.sort(metric.flatten())[int(w.size * sparsity)]
        mask = metric <= thresh
    return np.where(mask, 0, w)


def prune_wanda(w, x, sparsity, prune_n, prune_m):
    scaler_row = (x**2).mean(0)
    metric = np.abs(w) * np.sqrt(scaler_row)[None]
    if prune_n != 0:
        mask = groups(metric, prune_n, prune_m)
    else:
        mask = np.zeros_like(metric, dtype=bool)
        np.put_along_axis(mask, smallest(metric, int(w.shape[1] * sparsity)), True, 1)
    return np.where(mask, 0, w)


def fasterprune(w, x, sparsity, prune_n, prune_m, blocksize, percdamp=0.01):
    w = w.copy()
    columns = w.shape[1]
    h = 2 / len(x) * x.T @ x
    dead = np.diag(h) == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    h = h + percdamp * np.mean(np.diag(h)) * np.eye(columns)
    hinv = np.linalg.cholesky(np.linalg.inv(h)).T
    for i1 in range(0, columns, blocksize):
        i2 = min(i1 + blocksize, columns)
        w1 = w[:, i1:i2].copy()
        q1, err = np.zeros_like(w1), np.zeros_like(w1)
        hinv1 = hinv[i1:i2, i1:i2]
        if prune_n == 0:
            tmp = w1**2 / np.diag(hinv1)[None] ** 2
            thresh = np.sort(tmp.flatten())[int(tmp.size * sparsity)]
            mask1 = tmp <= thresh
        else:
            mask1 = np.zeros_like(w1, dtype=bool)
        for i in range(i2 - i1):
            d = hinv1[i, i]
            if prune_n != 0 and i % prune_m == 0:
                tmp = w1[:, i : i + prune_m] ** 2 / np.diag(hinv1)[i : i + prune_m][None] ** 2
                np.put_along_axis(mask1, i + smallest(tmp, prune_n), True, 1)
            q = np.where(mask1[:, i], 0, w1[:, i])
            q1[:, i] = q
            err1 = (w1[:, i] - q) / d
            w1[:, i:] -= np.outer(err1, hinv1[i, i:])
            err[:, i] = err1
        w[:, i1:i2] = q1
        w[:, i2:] -= err @ hinv[i1:i2, i2:]
    return w


def plain(a):
    return [float(str(np.float32(v))) for v in np.ravel(a)]


cases = []
for sparsity, prune_n, prune_m, dead in [(0.5, 0, 0, ()), (0.3, 0, 0, (4,)), (0, 2, 4, ()), (0, 4, 8, (9,))]:
    w, x = data(5, 24, 40, dead)
    pattern = {"share": sparsity} if prune_n == 0 else {"zeros": prune_n, "of": prune_m}
    cases.append(
        {
            "pattern": pattern,
            "n": 5,
            "k": 24,
            "block": 8,
            "w": plain(w),
            "x": plain(x),
            "magnitude": plain(prune_magnitude(w, sparsity, prune_n, prune_m)),
            "wanda": plain(prune_wanda(w, x, sparsity, prune_n, prune_m)),
            "sparsegpt": plain(fasterprune(w, x, sparsity, prune_n, prune_m, 8)),
        }
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
