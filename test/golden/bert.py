"""Makes bert.json: python bert.py > bert.json (torch, transformers); see encoders.py."""

from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)

from encoders import LABELS, VOCAB, case, write

SMALL = {
    "vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 12, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 0,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}
OTHER = {**SMALL, "hidden_act": "gelu_new", "layer_norm_eps": 1e-3, "num_attention_heads": 4}

write({
    "masked-lm": case(BertConfig, BertForMaskedLM, "masked-lm", SMALL, True),
    "masked-lm, gelu_new, epsilon, no types": case(BertConfig, BertForMaskedLM, "masked-lm", OTHER, False),
    "masked-lm, relu": case(BertConfig, BertForMaskedLM, "masked-lm", {**SMALL, "hidden_act": "relu"}, True),
    "sequence-classification": case(
        BertConfig, BertForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, True,
    ),
    "token-classification": case(
        BertConfig, BertForTokenClassification, "token-classification", {**SMALL, **NAMES}, True,
    ),
    "features": case(BertConfig, BertModel, "features", SMALL, True),
})
