"""Makes rope.json: python rope.py > rope.json (torch, transformers): cosines and sines of real models' configs."""

import json

import torch
import transformers
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

POSITIONS = [0, 1, 77, 4096, 100000]
BASE = {"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 1, "max_position_embeddings": 131072}
CASES = {
    "SmolLM2": {"rope_theta": 100000.0},
    "Llama 3.2": {
        "rope_theta": 500000.0,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    "Qwen2.5 with yarn": {
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    },
    "yarn with its options": {
        "rope_parameters": {
            "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "rope_theta": 10000.0,
            "beta_fast": 16.0, "beta_slow": 2.0, "mscale": 0.7, "mscale_all_dim": 0.4, "truncate": False,
        },
    },
    "yarn with an amplitude": {
        "rope_parameters": {
            "rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 65536, "rope_theta": 10000.0,
            "attention_factor": 1.5,
        },
    },
    "linear": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "dynamic": {"rope_scaling": {"type": "dynamic", "factor": 4.0}, "rope_theta": 50000.0},
}


def case(fields):
    given = json.loads(json.dumps(fields))
    config = transformers.LlamaConfig(**BASE, **given)
    cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.tensor([POSITIONS]))
    half = cos.shape[-1] // 2
    rows = lambda x: [[float(f"{v:.7g}") for v in row[::7]] for row in x[0, :, :half].tolist()]
    return {"config": {**BASE, **fields}, "cos": rows(cos), "sin": rows(sin)}


print(json.dumps({
    "made": f"torch {torch.__version__}, transformers {transformers.__version__}",
    "positions": POSITIONS,
    "every": 7,
    "cases": {name: case(fields) for name, fields in CASES.items()},
}))
