"""Losses of classifiers of texts and their gradients by PyTorch, for classifierLosses.json.

python test/golden/classifierLosses.py > test/golden/classifierLosses.json
"""

import json

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

torch.manual_seed(7)
ROWS, CLASSES = 6, 4


def case(name, logits, labels, loss, **options):
    x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = loss(x)
    value.backward()
    return {
        "name": name,
        "logits": logits,
        "labels": labels,
        "loss": value.item(),
        "gradient": x.grad.tolist(),
        **options,
    }


logits = [[round(v, 4) for v in row] for row in (3 * torch.randn(ROWS, CLASSES)).tolist()]
classes = [2, 0, 3, -100, 1, 2]
several = torch.randint(0, 2, (ROWS, CLASSES)).tolist()
weights = [0.5, 2.0, 1.25, 3.0]
numbers = [[round(v, 4)] for v in torch.randn(ROWS).tolist()]
scores = [[row[0]] for row in logits]
ids, w = torch.tensor(classes), torch.tensor(weights, dtype=torch.float64)
many = torch.tensor(several, dtype=torch.float64)
right = torch.tensor(numbers, dtype=torch.float64)
print(
    json.dumps(
        [
            case("one", logits, classes, lambda x: cross_entropy(x, ids)),
            case("weighted", logits, classes, lambda x: cross_entropy(x, ids, weight=w), classWeights=weights),
            case("smooth", logits, classes, lambda x: cross_entropy(x, ids, label_smoothing=0.1), labelSmoothing=0.1),
            case(
                "both",
                logits,
                classes,
                lambda x: cross_entropy(x, ids, weight=w, label_smoothing=0.2),
                classWeights=weights,
                labelSmoothing=0.2,
            ),
            case("several", logits, several, lambda x: binary_cross_entropy_with_logits(x, many)),
            case(
                "several, weighted",
                logits,
                several,
                lambda x: binary_cross_entropy_with_logits(x, many, pos_weight=w),
                classWeights=weights,
            ),
            case("number", scores, numbers, lambda x: mse_loss(x, right)),
        ],
        indent=1,
    )
)
