"""The OpenVINO side of `bench quantize`: an exported encoder in float32, and in 8 bits as NNCF rounds it (weights and activations,
calibrated on given texts, for transformers), on one stream.

Reads one JSON order a line on stdin and answers each by one JSON line on stdout:
    {"do": "open", "name", "file", "threads", "bits": 32 or 8, "calibration": file} -> {"openvino", "nncf"}: versions
    {"do": "times", "name", "tokens", "turns"} -> {"ms": [...]}: of forward passes on one row
    {"do": "nats", "name", "file"} -> {"nats"}: mean cross-entropy of the labels that are not -100
A file of batches holds, batch by batch, int32 rows and width, then ids, attention mask and labels [B, T] each.
"""

import sys

sys.path.pop(0)  # The peer tokenize.py would stand in for the library's module of that name.

import json
import logging
import os
import time

import numpy as np

# Progress bars belong to nobody's answers: they go where errors go.
answers, sys.stdout = sys.stdout, sys.stderr
os.environ.setdefault("NNCF_LOG_LEVEL", "ERROR")

import nncf
import openvino

logging.disable(logging.WARNING)
opened = {}


def batches(file):
    numbers, at, found = np.fromfile(file, dtype="<i4"), 0, []
    while at < len(numbers):
        rows, width = numbers[at : at + 2]
        size, at = rows * width, at + 2
        found.append(numbers[at : at + 3 * size].reshape(3, rows, width).astype(np.int64))
        at += 3 * size
    return found


def feeds(model, ids, mask):
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = [name for port in model.inputs for name in port.get_names()]
    return {name: known[name] for name in names if name in known}


def open_model(name, file, threads, bits, calibration=None):
    core = openvino.Core()
    model = core.read_model(file)
    if bits == 8:
        rows = [(ids[i : i + 1], mask[i : i + 1]) for ids, mask, _ in batches(calibration) for i in range(len(ids))]
        data = nncf.Dataset(rows, lambda row: feeds(model, *row))
        model = nncf.quantize(
            model, data, subset_size=len(rows), model_type=nncf.ModelType.TRANSFORMER, fast_bias_correction=True
        )
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    opened[name] = core.compile_model(model, "CPU", options)
    return {"openvino": openvino.__version__, "nncf": nncf.__version__}


def times(name, tokens, turns):
    model, taken = opened[name], []
    ids = (5 + np.arange(tokens, dtype=np.int64) * 7919 % 1000)[None]
    given, request = feeds(model, ids, np.ones_like(ids)), model.create_infer_request()
    for _ in range(turns):
        start = time.perf_counter()
        request.infer(given)
        taken.append(1000 * (time.perf_counter() - start))
    return {"ms": taken}


def nats(name, file):
    total, count = 0.0, 0
    for ids, mask, labels in batches(file):
        logits = opened[name](feeds(opened[name], ids, mask))[0].astype(np.float64)
        rest = logits - logits.max(-1, keepdims=True)
        logs = rest - np.log(np.exp(rest).sum(-1, keepdims=True))
        own = labels >= 0
        total -= np.take_along_axis(logs, np.maximum(labels, 0)[..., None], -1)[..., 0][own].sum()
        count += int(own.sum())
    return {"nats": total / count}


orders = {"open": open_model, "times": times, "nats": nats}
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(orders[order.pop("do")](**order)), file=answers, flush=True)
