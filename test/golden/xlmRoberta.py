"""Makes xlmRoberta.json: python xlmRoberta.py > xlmRoberta.json (torch, transformers); see encoders.py."""

from transformers import (
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification,
    XLMRobertaModel,
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

write({
    "masked-lm": case(XLMRobertaConfig, XLMRobertaForMaskedLM, "masked-lm", SMALL, False),
    "sequence-classification": case(
        XLMRobertaConfig, XLMRobertaForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, False,
    ),
    "token-classification": case(
        XLMRobertaConfig, XLMRobertaForTokenClassification, "token-classification", {**SMALL, **NAMES}, False,
    ),
    "features": case(XLMRobertaConfig, XLMRobertaModel, "features", SMALL, False),
})
