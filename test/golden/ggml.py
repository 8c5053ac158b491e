"""Blocks of ggml's own reference quantizers, from the library that llama.cpp is built on: ggml.py LIBGGML_BASE > ggml.json"""
import ctypes
import json
import sys

import numpy as np

lib = ctypes.CDLL(sys.argv[1])
n = 128
# Halves between two steps, blocks of several sizes, a block of zeros.
values = np.array([((i * 37) % 101 - 50) / 8 * (1, 0.001, 0, 1000)[i // 32] for i in range(n)], np.float32)
values[0] = 127
values[1:9] = [0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 63.5, -63.5]
blocks = {}
for name, size in (("q8_0", 34), ("q4_0", 18)):
    out = np.zeros(n // 32 * size, np.uint8)
    quantize = getattr(lib, f"quantize_row_{name}_ref")
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    quantize.restype = None
    quantize(values.ctypes.data, out.ctypes.data, n)
    blocks[name] = out.tobytes().hex()
json.dump(blocks, sys.stdout)
