"""Folders as transformers writes them, and what PyTorch computes from them in float32.

    python test/golden/loading.py

writes test/golden/loading/CASE (config.json, safetensors single or sharded, generation_config.json) and
loading.json with the logits of two rows of ids. Made with torch 2.15, transformers 5.24.
"""
import json
import os
import shutil

import torch
import transformers as tf

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "loading")
IDS = [[3, 10, 17, 1, 8], [5, 12, 19, 2, 9]]

V, C, L, H = 23, 16, 2, 2

gpt2 = lambda: tf.GPT2Config(vocab_size=V, n_positions=12, n_embd=C, n_layer=L, n_head=H, bos_token_id=0, eos_token_id=0)
llama = lambda **more: tf.LlamaConfig(
    vocab_size=V, hidden_size=C, intermediate_size=24, num_hidden_layers=L, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=32, bos_token_id=1, eos_token_id=2, **more)
qwen2 = lambda: tf.Qwen2Config(
    vocab_size=V, hidden_size=C, intermediate_size=24, num_hidden_layers=L, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=32, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2)
bert = lambda **more: tf.BertConfig(
    vocab_size=V, hidden_size=C, num_hidden_layers=L, num_attention_heads=H, intermediate_size=24,
    max_position_embeddings=12, **more)
roberta = lambda **more: tf.RobertaConfig(
    vocab_size=V, hidden_size=C, num_hidden_layers=L, num_attention_heads=H, intermediate_size=24,
    max_position_embeddings=14, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, **more)
distilbert = lambda **more: tf.DistilBertConfig(
    vocab_size=V, dim=C, n_layers=L, n_heads=H, hidden_dim=24, max_position_embeddings=12, **more)

labels = dict(id2label={0: "bad", 1: "good", 2: "so so"}, label2id={"bad": 0, "good": 1, "so so": 2})

CASES = {
    "gpt2-bfloat16-sharded": (tf.GPT2LMHeadModel, gpt2(), torch.bfloat16, "6KB"),
    "gpt2-body": (tf.GPT2Model, gpt2(), torch.float32, None),
    "llama-float16": (tf.LlamaForCausalLM, llama(tie_word_embeddings=False), torch.float16, None),
    "llama-body-bfloat16": (tf.LlamaModel, llama(), torch.bfloat16, "4KB"),
    "qwen2-tied": (tf.Qwen2ForCausalLM, qwen2(), torch.bfloat16, None),
    "bert-pretraining": (tf.BertForPreTraining, bert(), torch.float32, None),
    "bert-classifier-float16": (tf.BertForSequenceClassification, bert(**labels), torch.float16, "8KB"),
    "bert-body": (tf.BertModel, bert(), torch.bfloat16, None),
    "roberta-tagger": (tf.RobertaForTokenClassification, roberta(**labels), torch.float16, None),
    "distilbert-body": (tf.DistilBertModel, distilbert(), torch.float16, None),
}


def fill(model):
    """A sine over each parameter's elements, of another phase for each."""
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            n = torch.arange(p.numel(), dtype=torch.float64)
            p.copy_((0.3 * torch.sin(0.7 * n + i)).reshape(p.shape))


def golden(name):
    cls, config, dtype, shard = CASES[name]
    folder = os.path.join(OUT, name)
    model = cls(config).eval()
    fill(model)
    model.to(dtype).save_pretrained(folder, **({} if shard is None else {"max_shard_size": shard}))
    back = cls.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        out = back(torch.tensor(IDS))
    for field in ("logits", "prediction_logits", "last_hidden_state"):
        if getattr(out, field, None) is not None:
            return [round(x, 6) for x in getattr(out, field).flatten().tolist()]


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    found = {"ids": IDS, "logits": {name: golden(name) for name in CASES}}
    with open(os.path.join(HERE, "loading.json"), "w") as f:
        json.dump(found, f)
        f.write("\n")
