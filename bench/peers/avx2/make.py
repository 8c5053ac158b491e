"""A processor with AVX2 only, on one that has more (Linux, x64): `python make.py`, then `/tmp/anneal-avx2/run COMMAND ...`.

Copies libonnxruntime.so.1 with each cpuid instruction replaced by a breakpoint, and compiles hide.c, whose handler answers
them without AVX-512, VNNI and AMX. Needs objdump, readelf and gcc. `run npx vitest run` is how tests see such a processor.
"""
import pathlib
import re
import subprocess
import sys

here = pathlib.Path(__file__).parent
out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/tmp/anneal-avx2")
out.mkdir(exist_ok=True)
source = next((here / "../../../node_modules/onnxruntime-node/bin").resolve().glob("napi-v*/linux/x64/libonnxruntime.so.1"))


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


places = [int(m, 16) for m in re.findall(r"^\s*([0-9a-f]+):\s+0f a2\s+cpuid", output("objdump", "-d", source), re.M)]
segment = r"LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)"
segments = [[int(x, 16) for x in m] for m in re.findall(segment, output("readelf", "-lW", source))]
data = bytearray(source.read_bytes())
for place in places:
    (at,) = [offset + place - start for offset, start, size in segments if start <= place < start + size]
    assert data[at : at + 2] == b"\x0f\xa2"
    data[at : at + 2] = b"\xcc\x90"
(out / source.name).write_bytes(data)
subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", out / "hide.so", here / "hide.c"], check=True)
run = out / "run"
run.write_text(f'#!/bin/sh\nLD_PRELOAD="{out}/hide.so {out}/{source.name}" exec "$@"\n')
run.chmod(0o755)
print(f"{len(places)} instructions; run commands by {run}")
