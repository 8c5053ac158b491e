"""Makes qwen2.json: python qwen2.py > qwen2.json (torch, transformers). See decoders.py."""

from decoders import PAD, write

BASE = {
    "model_type": "qwen2",
    "vocab_size": 23, "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 32, "tie_word_embeddings": True,
    "bos_token_id": 0, "eos_token_id": 0, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
LABELS = {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}


def made(head, **fields):
    return {**BASE, "architectures": [f"Qwen2{head}"], **fields}


write("model", {
    "tied": (made("ForCausalLM", rope_parameters={"rope_type": "default", "rope_theta": 100.0}), {}),
    "untied, padded, with positions, yarn scaling": (
        made(
            "ForCausalLM", tie_word_embeddings=False, rms_norm_eps=1e-3,
            rope_parameters={
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8, "rope_theta": 10000.0,
            },
        ),
        {"padded": True, "positions": True},
    ),
    "text labels": (made("ForSequenceClassification", **LABELS, pad_token_id=PAD), {"padded": True}),
    "token labels": (made("ForTokenClassification", **LABELS, classifier_dropout=0.0), {"padded": True}),
    "features": (made("Model"), {"padded": True}),
})
