"""Makes mpnet.json: python mpnet.py > mpnet.json (torch, transformers); see encoders.py."""

from transformers import (
    MPNetConfig,
    MPNetForMaskedLM,
    MPNetForSequenceClassification,
    MPNetForTokenClassification,
    MPNetModel,
)

from encoders import LABELS, VOCAB, case, write

SMALL = {
    "vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 12,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}
OTHER = {**SMALL, "hidden_act": "relu", "num_attention_heads": 4, "relative_attention_num_buckets": 40}

write({
    "masked-lm": case(MPNetConfig, MPNetForMaskedLM, "masked-lm", SMALL, False),
    "masked-lm, relu, more buckets than distances have": case(
        MPNetConfig, MPNetForMaskedLM, "masked-lm", OTHER, False,
    ),
    "sequence-classification": case(
        MPNetConfig, MPNetForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, False,
    ),
    "token-classification": case(
        MPNetConfig, MPNetForTokenClassification, "token-classification", {**SMALL, **NAMES}, False,
    ),
    "features": case(MPNetConfig, MPNetModel, "features", SMALL, False),
})
