"""Makes mixed.safetensors: the reference writer's file of every dtype that both sides have.

    python mixed.py mixed.safetensors      (safetensors 0.8.0)

Tensor number i in the order of DTYPES is named "<dtype>.a" with shape [2, 3] and "<dtype>.b" with shape [i % 3]; its
bytes are (7 * j + 13 * i) % 251 for byte number j (bool: that modulo 2). Six names more test the order and the escapes.
"""

import ctypes
import sys

# This file bears the package's name; its folder must not shadow it.
sys.path.pop(0)

from safetensors import TensorSpec, serialize  # noqa: E402

DTYPES = {
    "float32": 4, "float16": 2, "float64": 8, "bfloat16": 2, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
}


kept = []  # the writer takes addresses
tensors = {}


def add(name: str, dtype: str, shape: list, i: int, size: int) -> None:
    modulus = 2 if dtype == "bool" else 251
    buffer = ctypes.create_string_buffer(bytes((7 * j + 13 * i) % 251 % modulus for j in range(size)), max(size, 1))
    kept.append(buffer)
    tensors[name] = TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffer), data_len=size)


for i, (dtype, width) in enumerate(DTYPES.items()):
    add(f"{dtype}.a", dtype, [2, 3], i, 6 * width)
    add(f"{dtype}.b", dtype, [i % 3], i, i % 3 * width)
for i, name in enumerate(["\U0001f600", "\ufffd", 'quote " slash \\ line\n\u0001\u007f', "__proto__", "constructor", "0"]):
    add(name, "float32", [], i, 4)

with open(sys.argv[1], "wb") as file:
    file.write(serialize(tensors, metadata={"format": "pt"}))
