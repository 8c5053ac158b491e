"""Goldens of lm-evaluation-harness: `python harness.py` (lm_eval 0.4, transformers, torch).

Writes a small random GPT-2 with a byte tokenizer (harness/model), task files and records (harness/*.yaml, *.jsonl), and what
lm_eval says of them (harness.json).
"""
import json
import pathlib
import random

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

here = pathlib.Path(__file__).parent
place = here / "harness"
place.mkdir(exist_ok=True)
torch.manual_seed(7)
random.seed(7)

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
vocab = {c: i for i, c in enumerate([*alphabet, "<|endoftext|>"])}
tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>", unk_token=None)
end = len(alphabet)
config = GPT2Config(vocab_size=end + 1, n_positions=96, n_embd=16, n_layer=1, n_head=2, bos_token_id=end, eos_token_id=end, initializer_range=0.4)
model = GPT2LMHeadModel(config).eval()
model.save_pretrained(place / "model")
fast.save_pretrained(place / "model")

words = "sun moon river stone wolf lamp cloud bread glass winter harbour copper".split()
rows = []
for i in range(12):
    options = random.sample(words, 3)
    rows.append({"question": f"Which is number {i}, \"{options[0]}\" or what's left?", "options": options, "answer": i % 3, "reply": options[i % 3]})
(place / "choices.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
(place / "shots.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[:4]))
texts = [{"page": " ".join(random.choices(words, k=k))} for k in (3, 9, 40)]
(place / "pages.jsonl").write_text("".join(json.dumps(r) + "\n" for r in texts))

data = lambda test, **more: {"data_files": {"test": test, **more}}
common = {"dataset_path": "json", "test_split": "test"}
tasks = {
    "choice": {
        **common, "dataset_kwargs": data("choices.jsonl"), "output_type": "multiple_choice",
        "doc_to_text": "{% if question %}\nQ: {{question}}\n{% endif %}A:", "doc_to_choice": "{{options}}", "doc_to_target": "answer",
        "metric_list": [{"metric": m} for m in ("acc", "acc_norm")],
    },
    "shots": {
        **common, "dataset_kwargs": data("choices.jsonl", shots="shots.jsonl"), "output_type": "multiple_choice", "fewshot_split": "shots", "num_fewshot": 2,
        "fewshot_config": {"sampler": "first_n"}, "description": "Answer.\n\n",
        "doc_to_text": "{{question}}", "doc_to_choice": ["x", "it's", "q\""], "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": m} for m in ("acc", "acc_norm")],
    },
    "said": {
        **common, "dataset_kwargs": data("choices.jsonl"), "output_type": "loglikelihood",
        "doc_to_text": "{{question}} ", "doc_to_target": "{{reply}}", "target_delimiter": "",
        "metric_list": [{"metric": m} for m in ("perplexity", "acc")],
    },
    "pages": {
        **common, "dataset_kwargs": data("pages.jsonl"), "output_type": "loglikelihood_rolling",
        "doc_to_text": "", "doc_to_target": "{{page}}",
        "metric_list": [{"metric": m} for m in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
    },
    "written": {
        **common, "dataset_kwargs": data("choices.jsonl"), "output_type": "generate_until",
        "doc_to_text": "Q: {{question}}\nA:", "doc_to_target": "C",
        "generation_kwargs": {"until": ["\n", "e"], "max_gen_toks": 12, "do_sample": False},
        "filter_list": [{"name": "letters", "filter": [{"function": "regex", "regex_pattern": "([a-z]+)"}, {"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "ignore_case": True}],
    },
}
import yaml

lm = HFLM(pretrained=model, tokenizer=fast, batch_size=1)
golden = {}
for name, task in tasks.items():
    (place / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **task}, sort_keys=False, allow_unicode=True))
    files = {split: str(place / file) for split, file in task["dataset_kwargs"]["data_files"].items()}
    config = {"task": name, **task, "dataset_kwargs": {"data_files": files}}
    found = simple_evaluate(lm, tasks=[config], task_manager=TaskManager(), bootstrap_iters=0, log_samples=True)
    figures = {k.split(",")[0]: v for k, v in found["results"][name].items() if "," in k and "stderr" not in k}
    samples = [{"replies": s["filtered_resps"] if name == "written" else [r[0] if isinstance(r, (list, tuple)) and len(r) == 1 else r for r in s["resps"]], "target": s["target"]} for s in found["samples"][name]]
    golden[name] = {"figures": figures, "samples": samples}
    print(name, figures)
(here / "harness.json").write_text(json.dumps(golden, indent=1, default=str))
