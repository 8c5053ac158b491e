"""Makes modernbert.json: python modernbert.py > modernbert.json (torch, transformers); see encoders.py."""

from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    ModernBertModel,
)

from encoders import LABELS, VOCAB, case, write

SMALL = {
    "vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 12, "max_position_embeddings": 12, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2, "local_attention": 5,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}
BIASED = {
    **SMALL, "num_hidden_layers": 3, "norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True,
    "decoder_bias": False, "hidden_activation": "relu", "classifier_activation": "silu", "num_attention_heads": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "local_attention": 2,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 500.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
    },
}

write({
    "masked-lm": case(ModernBertConfig, ModernBertForMaskedLM, "masked-lm", SMALL, False),
    "masked-lm, with biases, types of layers, and bases of rotary angles": case(
        ModernBertConfig, ModernBertForMaskedLM, "masked-lm", BIASED, False,
    ),
    "masked-lm, a head of its own": case(
        ModernBertConfig, ModernBertForMaskedLM, "masked-lm", {**SMALL, "tie_word_embeddings": False}, False,
    ),
    "sequence-classification": case(
        ModernBertConfig, ModernBertForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, False,
    ),
    "sequence-classification, the mean of the tokens": case(
        ModernBertConfig, ModernBertForSequenceClassification, "sequence-classification",
        {**SMALL, **NAMES, "classifier_pooling": "mean", "global_attn_every_n_layers": 2}, False,
    ),
    "token-classification": case(
        ModernBertConfig, ModernBertForTokenClassification, "token-classification", {**SMALL, **NAMES}, False,
    ),
    "features": case(ModernBertConfig, ModernBertModel, "features", SMALL, False),
})
