"""Makes roberta.json: python roberta.py > roberta.json (torch, transformers); see encoders.py."""

from transformers import (
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
)

from encoders import LABELS, VOCAB, case, write

SMALL = {
    "vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 12, "type_vocab_size": 1,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}
OTHER = {**SMALL, "hidden_act": "gelu_new", "type_vocab_size": 2, "pad_token_id": 3}

write({
    "masked-lm": case(RobertaConfig, RobertaForMaskedLM, "masked-lm", SMALL, False),
    "masked-lm, gelu_new, types, another padding": case(
        RobertaConfig, RobertaForMaskedLM, "masked-lm", OTHER, True,
    ),
    "sequence-classification": case(
        RobertaConfig, RobertaForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, False,
    ),
    "token-classification": case(
        RobertaConfig, RobertaForTokenClassification, "token-classification", {**SMALL, **NAMES}, False,
    ),
    "features": case(RobertaConfig, RobertaModel, "features", SMALL, False),
})
