"""Makes preferences.json: losses of DPO and KTO, and their gradients, by TRL's own trainers.

    python preferences.py > preferences.json      (torch, trl)

The trainers' `_compute_loss` runs on a model of one embedding and one head: what it says of a row follows from the
hidden states and the head that are given, and the golden holds both with the gradients of the loss.
"""

import json
from collections import defaultdict
from types import SimpleNamespace

import torch
import trl
from trl import DPOTrainer, KTOTrainer

torch.manual_seed(7)
V, C, T, N = 11, 5, 8, 3


class Model(torch.nn.Module):
    """Hidden states by row, found by the row's index in its first token's place."""

    def __init__(self, hidden, head):
        super().__init__()
        self.hidden, self.head = torch.nn.Parameter(hidden), torch.nn.Parameter(head)
        self.rows = None

    def forward(self, input_ids, labels=None, **_):
        rows = self.rows(input_ids)
        logits = self.hidden[rows] @ self.head.T
        shifted = labels[:, 1:]
        log_probs = logits[:, :-1].log_softmax(-1).gather(-1, shifted.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        log_probs = log_probs * (shifted != -100)
        zeros = torch.zeros_like(log_probs)
        return SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())


def stub(**more):
    same = lambda x: x
    accelerator = SimpleNamespace(device="cpu", gather_for_metrics=same, gather=same)
    return SimpleNamespace(
        accelerator=accelerator, _metrics=defaultdict(lambda: defaultdict(list)), aux_loss_enabled=False,
        precompute_ref_logps=True, _total_train_tokens=0, _tp_size=1, **more,
    )


def rows_of(n):
    ids = torch.randint(0, V, (n, T))
    ids[:, 0] = torch.arange(n)
    mask = torch.zeros(n, T, dtype=torch.long)
    for i in range(n):
        start = 2 + i % 3
        mask[i, start : min(T, start + 2 + i % 4)] = 1
    return ids, mask


def result(model, ids, mask, reference, loss, **more):
    loss.backward()
    return {
        "ids": ids.tolist(), "mask": mask.tolist(), "reference": reference.tolist(), "hidden": model.hidden.tolist(),
        "head": model.head.tolist(), "loss": loss.item(), "hiddenGrad": model.hidden.grad.tolist(),
        "headGrad": model.head.grad.tolist(), **more,
    }


def dpo(beta):
    ids, mask = rows_of(2 * N)  # chosen, then rejected
    model = Model(torch.randn(2 * N, T, C), torch.randn(V, C))
    model.rows = lambda given: given[:, 0]
    reference = -6 * torch.rand(2 * N)
    self = stub(
        ld_alpha=None, f_divergence_type="reverse_kl", loss_types=["sigmoid"],
        loss_weights=[1.0], beta=beta, label_smoothing=0.0, use_weighting=False,
        model=SimpleNamespace(training=True),
    )
    inputs = {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask,
        "ref_chosen_logps": reference[:N], "ref_rejected_logps": reference[N:],
    }
    return result(model, ids, mask, reference, DPOTrainer._compute_loss(self, model, inputs, False), beta=beta)


def kto(beta, weights, shift):
    ids, mask = rows_of(2 * N)  # examples, then their prompts with others' answers
    model = Model(torch.randn(2 * N, T, C), torch.randn(V, C))
    model.rows = lambda given: given[:, 0]
    reference = -6 * torch.rand(2 * N) + shift
    label = torch.tensor([True, False, True])
    self = stub(
        beta=beta, calculate_KL=True, loss_type="kto", model=SimpleNamespace(training=True), desirable_weight=weights[0], undesirable_weight=weights[1],
    )
    self._compute_kl_logps = lambda m, b: KTOTrainer._compute_kl_logps(self, m, b)
    inputs = {
        "input_ids": ids[:N], "attention_mask": torch.ones_like(ids[:N]), "completion_mask": mask[:N],
        "KL_input_ids": ids[N:], "KL_attention_mask": torch.ones_like(ids[N:]), "KL_completion_mask": mask[N:],
        "label": label, "ref_logps": reference[:N], "ref_KL_logps": reference[N:],
    }
    loss = KTOTrainer._compute_loss(self, model, inputs, False)
    more = {"desirable": label.int().tolist(), "weights": weights, "beta": beta, "kl": self._metrics["train"]["kl"][0]}
    return result(model, ids, mask, reference, loss, **more)


if __name__ == "__main__":
    print(json.dumps({
        "made": f"trl {trl.__version__}, torch {torch.__version__}",
        "dpo": [dpo(0.1), dpo(0.5)],
        # The model has left the untouched one, and it has not: z is 0 then.
        "kto": [kto(0.1, [1.0, 1.0], -22), kto(0.3, [1.0, 1.5], -16), kto(0.1, [1.0, 1.0], 9)],
    }))
