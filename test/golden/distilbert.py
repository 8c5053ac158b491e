"""Makes distilbert.json: python distilbert.py > distilbert.json (torch, transformers); see encoders.py."""

from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
)

from encoders import LABELS, VOCAB, case, write

SMALL = {
    "vocab_size": VOCAB, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 12,
    "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0, "pad_token_id": 0,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}

write({
    "masked-lm": case(DistilBertConfig, DistilBertForMaskedLM, "masked-lm", SMALL, False),
    "masked-lm, relu": case(
        DistilBertConfig, DistilBertForMaskedLM, "masked-lm", {**SMALL, "activation": "relu", "n_heads": 4}, False,
    ),
    "sequence-classification": case(
        DistilBertConfig, DistilBertForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, False,
    ),
    "token-classification": case(
        DistilBertConfig, DistilBertForTokenClassification, "token-classification", {**SMALL, **NAMES}, False,
    ),
    "features": case(DistilBertConfig, DistilBertModel, "features", SMALL, False),
})
