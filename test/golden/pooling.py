"""Makes pooling.json: python pooling.py > pooling.json (torch, sentence-transformers): what its modules Pooling and
Normalize make of hidden states, and which mode its reader finds in the Pooling's config.json."""

import json

import sentence_transformers
import torch
from sentence_transformers.models import Normalize, Pooling
from sentence_transformers.sentence_transformer.modules.pooling import _convert_legacy_pooling_kwargs

torch.manual_seed(7)
hidden = torch.randn(3, 5, 4).mul(100).round().div(100)
mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
CONFIGS = [
    {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    {"pooling_mode_cls_token": True},
    {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True},
    {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False},
    {"pooling_mode_mean_tokens": False},
    {},
    {"pooling_mode": "lasttoken", "pooling_mode_mean_tokens": True},
    {"pooling_mode": ["mean"]},
    {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
    {"pooling_mode_weightedmean_tokens": True},
    {"pooling_mode": ["max", "mean"]},
]


def vectors(mode, normalize):
    features = {"token_embeddings": hidden, "attention_mask": mask}
    features = Pooling(4, pooling_mode=mode)(features)
    return (Normalize()(features) if normalize else features)["sentence_embedding"].flatten().tolist()


def mode_of(config):
    found = dict(config)
    _convert_legacy_pooling_kwargs(found)
    mode = Pooling(4, **found).pooling_mode
    return mode if isinstance(mode, str) else list(mode)


print(json.dumps({
    "versions": {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__},
    "hidden": hidden.flatten().tolist(),
    "mask": mask.flatten().tolist(),
    "vectors": {
        mode: {"pooled": vectors(mode, False), "normalized": vectors(mode, True)}
        for mode in ["mean", "cls", "max", "lasttoken"]
    },
    "configs": [{"config": config, "mode": mode_of(config)} for config in CONFIGS],
}, indent=1))
