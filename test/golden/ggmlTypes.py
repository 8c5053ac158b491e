"""Numbers of random blocks of each type by the library that llama.cpp is built on, and by its Python package
gguf, which must agree: ggmlTypes.py LIBGGML_BASE > ggmlTypes.json"""
import base64
import ctypes
import json
import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

lib = ctypes.CDLL(sys.argv[1])
# Bytes of a block, numbers in it, and where it has float16 numbers.
types = {
    "q8_0": (34, 32, [0]),
    "q4_0": (18, 32, [0]),
    "q4_1": (20, 32, [0, 2]),
    "q5_0": (22, 32, [0]),
    "q5_1": (24, 32, [0, 2]),
    "iq4_nl": (18, 32, [0]),
    "q2_K": (84, 256, [80, 82]),
    "q3_K": (110, 256, [108]),
    "q4_K": (144, 256, [0, 2]),
    "q5_K": (176, 256, [0, 2]),
    "q6_K": (210, 256, [208]),
    "q8_K": (292, 256, []),
    "iq4_xs": (136, 256, [0]),
}
random = np.random.default_rng(1)
golden = {}
for name, (size, count, halves) in types.items():
    blocks = random.integers(0, 256, (4 if count == 256 else 32, size), dtype=np.uint8)
    for at in halves:
        # Of every size: subnormal ones, zero, and the largest that the arithmetic stands.
        scale = random.standard_normal(len(blocks)) * 2.0 ** random.integers(-26, 5, len(blocks))
        scale[0] = 0
        blocks[:, at : at + 2] = scale.astype(np.float16).view(np.uint8).reshape(-1, 2)
    if name == "q8_K":
        scale = random.standard_normal(len(blocks)).astype(np.float32)
        blocks[:, :4] = scale.view(np.uint8).reshape(-1, 4)
    out = np.zeros(len(blocks) * count, np.float32)
    read = getattr(lib, f"dequantize_row_{name}")
    read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    read.restype = None
    read(blocks.ctypes.data, out.ctypes.data, out.size)
    if name != "q8_K":
        again = dequantize(blocks, T[name.upper()]).reshape(-1)
        assert np.array_equal(again.view(np.uint32), out.view(np.uint32)), name
    golden[name.lower()] = {
        "blocks": base64.b64encode(blocks.tobytes()).decode(),
        "numbers": base64.b64encode(out.tobytes()).decode(),
    }
json.dump(golden, sys.stdout, indent=1)
