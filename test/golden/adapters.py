"""Adapters of Hugging Face PEFT: its files, and what models give with them.

Base: as in decoders.py, over the sorted names of the model's parameters. Adapter: tensor number i in the order of the
saved file's sorted keys, element number j (row-major): 0.2 * sin(0.53 * j + 0.7 * i), so the golden has shapes alone.
python adapters.py FOLDER NAME reads an adapter that anneal wrote and compares the logits with the golden's.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
IDS = [[(7 * t + 3 + 5 * b) % 23 for t in range(6)] for b in range(2)]
TARGET = [[(5 * t + 2 + 3 * b) % 23 for t in range(4)] for b in range(2)]
SMALL = {"vocab_size": 23, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}

CASES = {
    "gpt2": (
        transformers.GPT2LMHeadModel,
        {"vocab_size": 23, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2},
        {"task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "fan_in_fan_out": True, "target_modules": "all-linear"},
    ),
    "llama": (
        transformers.LlamaForCausalLM,
        {**SMALL, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": False},
        {
            "task_type": "CAUSAL_LM",
            "r": 4,
            "lora_alpha": 6,
            "use_rslora": True,
            "lora_dropout": 0.25,
            "rank_pattern": {"v_proj": 2, "layers.1.mlp.up_proj": 3},
            "alpha_pattern": {"v_proj": 5},
            "target_modules": ["q_proj", "v_proj", "up_proj", "embed_tokens"],
        },
    ),
    "bert": (
        transformers.BertForSequenceClassification,
        {**SMALL, "num_attention_heads": 2, "max_position_embeddings": 12, "num_labels": 3},
        {
            "task_type": "SEQ_CLS",
            "r": 2,
            "lora_alpha": 2,
            "target_modules": "all-linear",
            "modules_to_save": ["classifier"],
        },
    ),
    "t5": (
        transformers.T5ForConditionalGeneration,
        {"vocab_size": 23, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2},
        {"task_type": "SEQ_2_SEQ_LM", "r": 3, "lora_alpha": 3, "target_modules": ["q", "v", "wo"]},
    ),
}


def variant(name, model=None, **fields):
    """A case of the family `name` with other options."""
    model_class, config, adapter = CASES[name]
    return (model_class, {**config, **(model or {})}, {**adapter, **fields})


CASES |= {
    "gpt2-dora": variant("gpt2", use_dora=True),
    "gpt2-bias": variant("gpt2", bias="all"),
    "gpt2-tokens": variant("gpt2", trainable_token_indices=[3, 8, 22]),
    "llama-dora": variant("llama", use_dora=True, target_modules=["q_proj", "v_proj", "up_proj"]),
    "llama-tokens": variant(
        "llama", target_modules=["q_proj"], rank_pattern={}, alpha_pattern={},
        trainable_token_indices={"embed_tokens": [1, 5]},
    ),
    "llama-tied": variant(
        "llama", {"tie_word_embeddings": True}, target_modules=["q_proj"], rank_pattern={}, alpha_pattern={},
        trainable_token_indices=[2, 13],
    ),
    "llama-head": variant(
        "llama", target_modules=["q_proj"], rank_pattern={}, alpha_pattern={}, modules_to_save=["lm_head", "embed_tokens"],
    ),
    "bert-dora": variant("bert", use_dora=True, use_rslora=True),
    "bert-bias": variant("bert", bias="lora_only"),
    "bert-loraBias": variant("bert", lora_bias=True),
    "t5-dora": variant("t5", use_dora=True, rank_pattern={"v": 2}),
}


def wave(tensors, size, step, shift):
    with torch.no_grad():
        for i, name in enumerate(sorted(tensors)):
            p = tensors[name]
            j = np.arange(p.numel(), dtype=np.float64)
            one = size == 0.3 and ("norm" in name.lower() or "ln_" in name) and name.endswith("weight")
            values = size * np.sin(step * j + shift * i) + one
            p.copy_(torch.from_numpy(values.reshape(p.shape)).to(torch.float32))


def base_of(name):
    model_class, fields, _ = CASES[name]
    model = model_class(model_class.config_class(**fields, attn_implementation="eager")).eval()
    wave(dict(model.named_parameters()), 0.3, 0.37, 1.3)
    return model


def logits_of(model):
    given = {"input_ids": torch.tensor(IDS)}
    if model.config.is_encoder_decoder:
        given["decoder_input_ids"] = torch.tensor(TARGET)
    with torch.no_grad():
        return [float(f"{x:.8g}") for x in model(**given).logits.flatten().tolist()]


def case(name):
    base = base_of(name)
    plain = logits_of(base)
    config = {**base.config.to_diff_dict(), "model_type": name.split("-")[0], "architectures": [CASES[name][0].__name__]}
    model = peft.get_peft_model(base, peft.LoraConfig(**CASES[name][2])).eval()
    state = peft.get_peft_model_state_dict(model)
    wave(state, 0.2, 0.53, 0.7)
    peft.set_peft_model_state_dict(model, state)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        adapter = json.loads((pathlib.Path(folder) / "adapter_config.json").read_text())
        saved = load_file(f"{folder}/adapter_model.safetensors")
    shapes = {key: list(saved[key].shape) for key in sorted(saved)}
    adapter["target_modules"] = sorted(adapter["target_modules"])
    return {"config": config, "adapter": adapter, "shapes": shapes, "plain": plain, "logits": logits_of(model)}


if len(sys.argv) == 3:
    golden = json.loads((HERE / "adapters.json").read_text())["cases"][sys.argv[2]]
    ours = logits_of(peft.PeftModel.from_pretrained(base_of(sys.argv[2]), sys.argv[1]).eval())
    print(sys.argv[2], max(abs(a - b) for a, b in zip(ours, golden["logits"])))
else:
    cases = {name: case(name) for name in CASES}
    golden = {"peft": peft.__version__, "ids": IDS, "target": TARGET, "cases": cases}
    (HERE / "adapters.json").write_text(json.dumps(golden) + "\n")
