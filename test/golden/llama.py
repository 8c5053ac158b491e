"""Makes llama.json: python llama.py > llama.json (torch, transformers). See decoders.py."""

from decoders import PAD, write

BASE = {
    "model_type": "llama",
    "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 32, "tie_word_embeddings": False,
    "bos_token_id": 0, "eos_token_id": 0,
}
LABELS = {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}


def made(head, **fields):
    return {**BASE, "architectures": [f"Llama{head}"], **fields}


LLAMA3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16, "rope_theta": 100.0,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "rope_theta": 100.0}
GROUPS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}

write("model", {
    "plain": (made("ForCausalLM"), {}),
    "grouped, tied, llama3 scaling": (
        made("ForCausalLM", **GROUPS, tie_word_embeddings=True, rope_parameters=LLAMA3), {},
    ),
    "one key, biases, linear scaling, gelu": (
        made(
            "ForCausalLM", num_attention_heads=4, num_key_value_heads=1, head_dim=8, attention_bias=True,
            mlp_bias=True, hidden_act="gelu", rms_norm_eps=1e-3,
            rope_parameters={"rope_type": "linear", "factor": 2.5, "rope_theta": 50.0},
        ), {},
    ),
    "yarn scaling, wide heads": (made("ForCausalLM", head_dim=16, rope_parameters=YARN), {}),
    "yarn scaling with its options, narrow heads": (
        made(
            "ForCausalLM", num_attention_heads=4, head_dim=4,
            rope_parameters={
                **YARN, "beta_fast": 8.0, "beta_slow": 2.0, "mscale": 0.7, "mscale_all_dim": 0.4, "truncate": False,
            },
        ), {},
    ),
    "dynamic scaling": (
        made("ForCausalLM", rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 100.0}), {},
    ),
    "padded on both sides": (made("ForCausalLM", **GROUPS), {"padded": True}),
    "padded, with positions": (made("ForCausalLM", **GROUPS), {"padded": True, "positions": True}),
    "text labels": (
        made("ForSequenceClassification", **GROUPS, **LABELS, pad_token_id=PAD), {"padded": True},
    ),
    "token labels": (made("ForTokenClassification", **GROUPS, **LABELS, classifier_dropout=0.0), {"padded": True}),
    "features": (made("Model", **GROUPS), {}),
})
