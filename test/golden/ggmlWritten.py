"""Blocks of the quantizers of the library that llama.cpp is built on, with importance and without, and what
they lose: ggmlWritten.py LIBGGML_BASE > ggmlWritten.json"""
import base64
import ctypes
import json
import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

lib = ctypes.CDLL(sys.argv[1])
random = np.random.default_rng(1)
ROWS, ROW = 6, 512
# Rows of several sizes with some strong numbers, one around a mean, one with a block of zeros.
values = (random.standard_t(4, (ROWS, ROW)) * np.array([0.02, 1, 1e-3, 0.05, 0.3, 40])[:, None]).astype(np.float32)
values[3] += 0.1
values[4, :256] = 0
# Few inputs are strong, as in language models.
importance = np.exp(1.5 * random.standard_normal(ROW)).astype(np.float32)
types = {"q4_0": 18, "q4_1": 20, "q5_0": 22, "q5_1": 24, "q3_K": 110, "q4_K": 144, "q5_K": 176, "q6_K": 210}
golden = {"values": values, "importance": importance}
for name, size in types.items():
    count = 256 if name.endswith("K") else 32
    quantize = getattr(lib, f"quantize_{name}")
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    quantize.restype = ctypes.c_size_t
    golden[name.lower()] = {}
    for key, weights in (("plain", None), ("weighed", importance)):
        out = np.zeros(values.size // count * size, np.uint8)
        written = quantize(values.ctypes.data, out.ctypes.data, ROWS, ROW, None if weights is None else weights.ctypes.data)
        assert written == out.size
        back = dequantize(out.reshape(ROWS, -1), T[name.upper()])
        w = np.ones(ROW) if weights is None else weights.astype(np.float64)
        errors = ((back.astype(np.float64) - values) ** 2 * w).sum(1)
        golden[name.lower()][key] = {"blocks": out, "errors": errors.tolist()}


def plain(x):
    return base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()


json.dump(golden, sys.stdout, indent=1, default=plain)
