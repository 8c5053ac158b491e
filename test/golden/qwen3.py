"""Makes qwen3.json: python qwen3.py > qwen3.json (torch, transformers). See decoders.py."""

from decoders import PAD, write

BASE = {
    "model_type": "qwen3",
    "vocab_size": 23, "hidden_size": 20, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 32, "tie_word_embeddings": True,
    "bos_token_id": 0, "eos_token_id": 0, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
LABELS = {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}


def made(head, **fields):
    return {**BASE, "architectures": [f"Qwen3{head}"], **fields}


write("model", {
    "tied": (made("ForCausalLM"), {}),
    "untied, biases, padded, with positions": (
        made("ForCausalLM", tie_word_embeddings=False, attention_bias=True, rms_norm_eps=1e-3),
        {"padded": True, "positions": True},
    ),
    "text labels": (made("ForSequenceClassification", **LABELS, pad_token_id=PAD), {"padded": True}),
    "token labels": (made("ForTokenClassification", **LABELS, classifier_dropout=0.0), {"padded": True}),
    "features": (made("Model"), {"padded": True}),
})
