"""Makes settings.json: what generate makes of generation_config.json's fields, on a Llama, a T5 and a Marian.

    python settings.py > settings.json      (torch, transformers)

Weights as in seq2seq.py. For each model and each of its prompts (of T5 and Marian: sources): the new ids of greedy
search, those and the scores of all texts of beam search with 3 beams, and, for settings of sampling, the logits and
the processed scores (null is -inf) of each step of a text that was drawn.
"""

import json
import math

import seq2seq
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, MarianConfig, MarianMTModel, T5Config, T5ForConditionalGeneration

MODELS = {
    "llama": {
        "model_type": "llama", "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "tie_word_embeddings": False, "bos_token_id": None, "eos_token_id": None,
    },
    "t5": {
        "model_type": "t5", "vocab_size": 23, "d_model": 16, "d_kv": 6, "d_ff": 24, "num_heads": 2, "num_layers": 2,
        "num_decoder_layers": 2, "dropout_rate": 0.0, "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 10, "feed_forward_proj": "relu", "tie_word_embeddings": True,
    },
    "marian": {
        "model_type": "marian", "vocab_size": 23, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
        "max_position_embeddings": 64, "activation_function": "swish", "scale_embedding": True, "dropout": 0.0,
        "attention_dropout": 0.0, "activation_dropout": 0.0, "tie_word_embeddings": True, "pad_token_id": 0,
        "eos_token_id": 1, "decoder_start_token_id": 0,
    },
}
CLASSES = {
    "llama": (LlamaConfig, LlamaForCausalLM), "t5": (T5Config, T5ForConditionalGeneration),
    "marian": (MarianConfig, MarianMTModel),
}
PROMPTS = [[3, 10, 17, 1, 8, 3, 10], [5]]
BASE = {"eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0, "max_new_tokens": 9}
MOST = list(range(2, 12))

SETTINGS = [
    {},
    {"eos_token_id": [1, *range(12, 23)]},
    {"eos_token_id": [], "pad_token_id": 2},
    {"max_new_tokens": None, "max_length": 12},
    {"max_length": 5},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 0.6},
    {"encoder_repetition_penalty": 2.5},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 2},
    {"encoder_no_repeat_ngram_size": 1},
    {"encoder_no_repeat_ngram_size": 2},
    {"bad_words_ids": [[i] for i in MOST]},
    {"bad_words_ids": [[i, j] for i in range(23) for j in range(0, 23, 2)] + [[1]]},
    {"bad_words_ids": [[i, j, i] for i in range(23) for j in range(23)]},
    {"sequence_bias": [[[4], 3.5], [[7], -2.0], [[4, 9], 6.5], [[9, 4, 2], 8.0]]},
    {"eos_token_id": MOST, "min_length": 11},
    {"eos_token_id": MOST, "min_length": 4},
    {"eos_token_id": MOST, "min_new_tokens": 4},
    {"eos_token_id": MOST, "min_new_tokens": 3, "min_length": 8},
    {"forced_bos_token_id": 11},
    {"forced_eos_token_id": 1},
    {"forced_eos_token_id": [6]},
    {"forced_bos_token_id": 11, "begin_suppress_tokens": MOST},
    {"suppress_tokens": MOST},
    {"begin_suppress_tokens": MOST},
    {"suppress_tokens": MOST, "remove_invalid_values": True, "renormalize_logits": True},
    {"exponential_decay_length_penalty": [2, 1.6]},
    {"renormalize_logits": True, "repetition_penalty": 1.7},
    {"length_penalty": 2.0, "eos_token_id": MOST},
    {"length_penalty": -1.0, "early_stopping": True, "eos_token_id": MOST},
    {"early_stopping": "never", "length_penalty": 0.5, "eos_token_id": [1, 3]},
    {
        "repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "min_length": 6, "forced_eos_token_id": 1,
        "bad_words_ids": [[0]], "suppress_tokens": [2], "begin_suppress_tokens": [1],
    },
]
# Sampling starts from no more than what is said: 0 switches the default of 50 off.
SAMPLED = [
    {"temperature": 0.7, "top_k": 0},
    {"top_k": 5},
    {"top_k": 0, "top_p": 0.8},
    {"top_k": 0, "top_p": 0.0},
    {"top_k": 8, "top_p": 0.9, "temperature": 1.4},
    {"top_k": 0, "min_p": 0.2},
    {"top_k": 0, "typical_p": 0.6},
    {"top_k": 0, "top_h": 0.5},
    {"top_k": 0, "epsilon_cutoff": 0.04},
    {"top_k": 0, "eta_cutoff": 0.3},
    {"top_k": 6, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9, "renormalize_logits": True},
    {"top_k": 0, "top_p": 0.9, "repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "temperature": 0.8},
    {"top_k": 4, "suppress_tokens": MOST, "sequence_bias": [[[13], 2.0]], "min_new_tokens": 5},
]


def made(name):
    config, kind = CLASSES[name]
    model = kind(config(**MODELS[name], attn_implementation="eager")).eval()
    model.generation_config = transformers.GenerationConfig()
    seq2seq.fill(model)
    return model


def short(x):
    return None if math.isinf(x) and x < 0 else float(f"{x:.6g}")


def run(model, prompt, settings, **more):
    config = transformers.GenerationConfig(**{**BASE, **settings, **more})
    out = model.generate(
        torch.tensor([prompt]), generation_config=config, return_dict_in_generate=True, output_scores=True,
        output_logits=True,
    )
    start = 1 if model.config.is_encoder_decoder else len(prompt)
    return out, [row[start:].tolist() for row in out.sequences]


def until_end(ids, settings):
    eos = settings.get("eos_token_id", BASE["eos_token_id"])
    ends = eos if isinstance(eos, list) else [eos]
    return ids[:next((k + 1 for k, id in enumerate(ids) if id in ends), len(ids))]


def searched(model, prompt, settings):
    _, greedy = run(model, prompt, settings)
    out, beams = run(model, prompt, settings, num_beams=3, num_return_sequences=3)
    scores = [short(x) for x in out.sequences_scores.tolist()]
    return {
        "greedy": until_end(greedy[0], settings),
        "beams": [{"ids": until_end(ids, settings), "score": s} for ids, s in zip(beams, scores)],
    }


def drawn(model, prompt, settings):
    torch.manual_seed(5)
    out, ids = run(model, prompt, {**settings, "max_new_tokens": 4}, do_sample=True)
    return {
        "ids": ids[0],
        "logits": [[short(x) for x in step[0].tolist()] for step in out.logits],
        "scores": [[short(x) for x in step[0].tolist()] for step in out.scores],
    }


def main():
    transformers.logging.set_verbosity_error()
    models = {name: made(name) for name in MODELS}
    over = lambda fn, settings: {
        name: [fn(model, prompt, settings) for prompt in PROMPTS] for name, model in models.items()
    }
    print(json.dumps({
        "made": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "base": BASE, "models": MODELS, "prompts": PROMPTS,
        "searched": [{"settings": s, "models": over(searched, s)} for s in SETTINGS],
        "sampled": [{"settings": s, "models": over(drawn, s)} for s in SAMPLED],
    }))


main()
