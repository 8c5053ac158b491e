"""Makes gpt2.json: python gpt2.py > gpt2.json (torch, transformers). See decoders.py. The head is tied."""

from decoders import PAD, write

BASE = {
    "model_type": "gpt2",
    "vocab_size": 23, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
    "bos_token_id": 0, "eos_token_id": 0,
}
LABELS = {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}


def made(head, **fields):
    return {**BASE, "architectures": [f"GPT2{head}"], **fields}


write("transformer", {
    "gelu_new": (made("LMHeadModel", activation_function="gelu_new"), {}),
    "gelu, inner width, epsilon": (
        made("LMHeadModel", activation_function="gelu", n_inner=24, layer_norm_epsilon=1e-3, n_head=4), {},
    ),
    "padded on both sides": (made("LMHeadModel"), {"padded": True}),
    "padded, with positions": (made("LMHeadModel"), {"padded": True, "positions": True}),
    "text labels": (made("ForSequenceClassification", **LABELS, pad_token_id=PAD), {"padded": True}),
    "token labels": (made("ForTokenClassification", **LABELS, classifier_dropout=0.0), {"padded": True}),
    "features": (made("Model"), {"padded": True}),
})
