"""Makes beam.json: beam search of Hugging Face's generate on a small GPT-2.

    python beam.py > beam.json      (torch, transformers)

Weights: parameter number i in the order of sorted names, element number j (row-major), in float64 and then rounded:
    0.5 * sin(0.7 * j * j + 1.3 * i), plus 1 for the weights of the layer norms. The head is tied.
"""

import json

import numpy as np
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

torch.set_num_threads(1)
CONFIG = {
    "vocab_size": 23, "n_positions": 24, "n_embd": 16, "n_layer": 2, "n_head": 2,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
}
PROMPTS = [[3, 10, 17, 1, 8], [5, 12], [20]]
# Names on the right are those of generate.
CASES = [
    {"num_beams": 1, "max_new_tokens": 8, "eos_token_id": 22},
    {"num_beams": 3, "max_new_tokens": 8, "eos_token_id": 22},
    {"num_beams": 4, "max_new_tokens": 12, "eos_token_id": [1, 19], "length_penalty": 1.0},
    {"num_beams": 4, "max_new_tokens": 12, "eos_token_id": [9], "length_penalty": 2.0, "early_stopping": True},
    {"num_beams": 4, "max_new_tokens": 12, "eos_token_id": [3, 21], "length_penalty": -1.0, "early_stopping": "never"},
    {"num_beams": 4, "max_new_tokens": 12, "eos_token_id": [9, 14], "length_penalty": 0.5, "early_stopping": "never"},
    {"num_beams": 3, "max_new_tokens": 12, "eos_token_id": [21, 19], "no_repeat_ngram_size": 2, "min_new_tokens": 5},
    {"num_beams": 2, "max_new_tokens": 9, "eos_token_id": [6], "bad_words_ids": [[14], [2]], "forced_eos_token_id": 6},
    {"num_beams": 5, "max_new_tokens": 10, "eos_token_id": [6]},
    {"num_beams": 4, "max_new_tokens": 16, "eos_token_id": [18]},
    {"num_beams": 2, "max_new_tokens": 16, "eos_token_id": [18], "length_penalty": 3.0, "early_stopping": "never"},
]


def fill(model):
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            j = np.arange(p.numel(), dtype=np.float64)
            values = 0.5 * np.sin(0.7 * j * j + 1.3 * i) + ("ln_" in name and name.endswith("weight"))
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def texts(model, prompt, case):
    out = model.generate(
        torch.tensor([prompt]), do_sample=False, num_return_sequences=case["num_beams"], pad_token_id=0,
        return_dict_in_generate=True, output_scores=True, **case,
    )
    scores = out.sequences_scores.tolist() if case["num_beams"] > 1 else [None]
    eos = case["eos_token_id"] if isinstance(case["eos_token_id"], list) else [case["eos_token_id"]]
    rows = []
    for ids, score in zip(out.sequences[:, len(prompt):].tolist(), scores):
        end = next((k + 1 for k, id in enumerate(ids) if id in eos), len(ids))
        rows.append({"ids": ids[:end], "score": score})
    return rows


def main():
    model = GPT2LMHeadModel(GPT2Config(**CONFIG, attn_implementation="eager")).eval()
    fill(model)
    results = [{"options": case, "texts": [texts(model, p, case) for p in PROMPTS]} for case in CASES]
    print(json.dumps({
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "config": CONFIG, "prompts": PROMPTS, "cases": results,
    }))


main()
