"""Makes vectorLosses.json: sentence-transformers' losses and their gradients by the vectors.

    python vectorLosses.py > vectorLosses.json      (sentence-transformers)

Vectors: number i of all, row-major in [texts][batch][width]: sin(0.37 * i + 0.011 * i * i) + 0.2.
"""

import json

import torch
from sentence_transformers import __version__
from sentence_transformers.sentence_transformer import losses

B, C = 6, 8
torch.manual_seed(0)


class Cut(torch.nn.Module):
    """A model whose texts are their vectors."""

    def forward(self, features):
        return {**features, "sentence_embedding": features["vectors"]}

    def get_embedding_dimension(self):
        return C


def vectors(texts):
    i = torch.arange(texts * B * C, dtype=torch.float64)
    values = torch.sin(0.37 * i + 0.011 * i * i) + 0.2
    return [v.clone().float().requires_grad_() for v in values.reshape(texts, B, C)]


def case(make, texts, labels=None, **options):
    given = vectors(texts)
    loss = make(Cut())(list({"vectors": v} for v in given), labels)
    loss.backward()
    return {
        **options,
        "texts": texts,
        **({} if labels is None else {"labels": labels.tolist()}),
        "loss": loss.item(),
        "gradients": [v.grad.flatten().tolist() for v in given],
    }


metric = losses.TripletDistanceMetric
hard = losses.BatchHardTripletLossDistanceFunction
scores = torch.tensor([0.9, 0.1, 0.5, 0.5, 0.0, 1.0])
classes = torch.tensor([0, 1, 0, 2, 1, 0])
mnrl = losses.MultipleNegativesRankingLoss
print(json.dumps({
    "version": __version__,
    "batch": B,
    "width": C,
    "cases": {
        "pairs": case(mnrl, 2, kind="in-batch-negatives"),
        "pairs at another scale": case(lambda m: mnrl(m, scale=50.0), 2, kind="in-batch-negatives", scale=50),
        "two hard negatives": case(mnrl, 4, kind="in-batch-negatives"),
        "cosent": case(losses.CoSENTLoss, 2, scores, kind="cosent"),
        "triplets": case(losses.TripletLoss, 3, kind="triplet-margin"),
        "triplets by cosine": case(
            lambda m: losses.TripletLoss(m, metric.COSINE, 0.4), 3,
            kind="triplet-margin", distance="cosine", margin=0.4,
        ),
        "classes": case(losses.BatchAllTripletLoss, 1, classes, kind="batch-triplets"),
        "classes by cosine": case(
            lambda m: losses.BatchAllTripletLoss(m, hard.cosine_distance, 0.3), 1, classes,
            kind="batch-triplets", distance="cosine", margin=0.3,
        ),
        "matryoshka": case(
            lambda m: losses.MatryoshkaLoss(m, mnrl(m), [8, 4, 2]), 2,
            kind="in-batch-negatives", widths=[8, 4, 2],
        ),
        "matryoshka of scores": case(
            lambda m: losses.MatryoshkaLoss(m, losses.CoSENTLoss(m), [8, 4]), 2, scores,
            kind="cosent", widths=[8, 4],
        ),
    },
}))
