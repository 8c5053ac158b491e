"""Makes electra.json: python electra.py > electra.json (torch, transformers); see encoders.py.

`joint` is pre-training as the paper has it, ten steps of AdamW: a generator fills in masks, a discriminator that has
the same embeddings tells replaced tokens; the replacements are given, and the loss is the generator's mean + 50 x the
detector's. Weights: those of the discriminator by their names, those of the generator behind "generator.", all sorted.
"""

import json

import torch
from transformers import (
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    ElectraForSequenceClassification,
    ElectraForTokenClassification,
    ElectraModel,
)

import encoders
from encoders import LABELS, VOCAB, batch, case, fill_named, named, short

SMALL = {
    "vocab_size": VOCAB, "embedding_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 12, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 0,
}
NAMES = {
    "id2label": {str(i): f"L{i}" for i in range(LABELS)}, "label2id": {f"L{i}": i for i in range(LABELS)},
}
EVEN = {**SMALL, "embedding_size": 16, "hidden_act": "gelu_new", "layer_norm_eps": 1e-3}
MASK, WEIGHT = 3, 50.0


def joint():
    fields = {**EVEN, "num_attention_heads": 4, "hidden_act": "gelu", "intermediate_size": 32}
    disc = ElectraForPreTraining(ElectraConfig(**fields, attn_implementation="eager")).eval()
    gen = ElectraForMaskedLM(ElectraConfig(**{
        **fields, "hidden_size": 4, "num_attention_heads": 1, "intermediate_size": 8,
    }, attn_implementation="eager")).eval()
    gen.electra.embeddings = disc.electra.embeddings
    gen.tie_weights()
    own = [(f"generator.{n}", p) for n, p in named(gen) if "embeddings." not in n and not n.endswith("lm_head.weight")]
    params = [*named(disc), *own]
    fill_named(params)
    ids, mask, types = batch(0)
    original, attention, token_types = torch.tensor(ids), torch.tensor(mask), torch.tensor(types)
    places = torch.tensor([[1, 4], [2, 3], [1, 1]])
    labels = torch.full_like(original, -100)
    replaced_ids = original.clone()
    masked = original.clone()
    for b, row in enumerate(places.tolist()):
        for t in set(row):
            labels[b, t] = original[b, t]
            masked[b, t] = MASK
            replaced_ids[b, t] = original[b, t] if (b + t) % 3 == 0 else 4 + (3 * b + 5 * t) % 19
    replaced = torch.where(attention == 1, (replaced_ids != original).long(), torch.full_like(original, -100))
    # A place that is over is the first token's, which has no label.
    places = torch.tensor([[1, 4], [2, 3], [1, 0]])
    feeds = {"attention_mask": attention, "token_type_ids": token_types}
    optimizer = torch.optim.AdamW([p for _, p in params], lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        logits = gen(input_ids=masked, **feeds).logits
        mlm = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        told = disc(input_ids=replaced_ids, **feeds).logits
        counted = attention == 1
        rtd = torch.nn.functional.binary_cross_entropy_with_logits(told[counted], replaced[counted].float())
        loss = mlm + WEIGHT * rtd
        losses.append(short(loss.item()))
        loss.backward()
        optimizer.step()
    return {
        "config": {"model_type": "electra", "architectures": ["ElectraForPreTraining"], **fields},
        "maskId": MASK,
        "batch": {
            "inputIds": replaced_ids.tolist(), "attentionMask": mask, "tokenTypeIds": types,
            "labels": labels.flatten().tolist(), "places": places.tolist(), "replaced": replaced.flatten().tolist(),
        },
        "names": sorted(n for n, _ in params),
        "losses": losses,
    }


cases = {
    "masked-lm": case(ElectraConfig, ElectraForMaskedLM, "masked-lm", {**SMALL, "embedding_size": 16}, True),
    "masked-lm, narrow embeddings": case(ElectraConfig, ElectraForMaskedLM, "masked-lm", SMALL, False),
    "replaced-token-detection": case(
        ElectraConfig, ElectraForPreTraining, "replaced-token-detection", SMALL, True,
    ),
    "replaced-token-detection, gelu_new": case(
        ElectraConfig, ElectraForPreTraining, "replaced-token-detection", EVEN, True,
    ),
    "sequence-classification": case(
        ElectraConfig, ElectraForSequenceClassification, "sequence-classification", {**SMALL, **NAMES}, True,
    ),
    "token-classification": case(
        ElectraConfig, ElectraForTokenClassification, "token-classification", {**SMALL, **NAMES}, True,
    ),
    "features": case(ElectraConfig, ElectraModel, "features", SMALL, True),
}
print(json.dumps({"made": encoders.made(), "cases": cases, "joint": joint()}))
