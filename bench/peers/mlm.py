"""The PyTorch side of `bench mlm`: transformers' BertForMaskedLM in float32 on two threads, AdamW, on the batches of a file.

Reads one JSON order a line on stdin and answers each by one JSON line on stdout:
    {"do": "open", "folder", "batch", "context", "weightDecay", "clipNorm", "compile"} -> {"torch": version}
    {"do": "steps", "file", "from", "lrs"} -> {"seconds", "losses"}: steps on the file's batches from number `from` on
    {"do": "held", "file"} -> {"loss"}: mean over all labelled tokens of the file's batches
A file holds, batch by batch, int32 ids [B, T], attention mask [B, T], labels [B, T].
"""

import json
import sys
import time

import numpy as np
import torch
import transformers
from transformers import BertForMaskedLM

torch.set_num_threads(2)
transformers.utils.logging.disable_progress_bar()


class Run:
    def __init__(self, order):
        self.shape = (3, order["batch"], order["context"])
        self.clip = order["clipNorm"]
        self.model = BertForMaskedLM.from_pretrained(order["folder"]).train()
        self.parts = list(self.model.parameters())
        decays = [
            {"params": [p for p in self.parts if p.ndim >= 2], "weight_decay": order["weightDecay"]},
            {"params": [p for p in self.parts if p.ndim < 2], "weight_decay": 0},
        ]
        self.optimizer = torch.optim.AdamW(decays, fused=True)
        self.loss_of = torch.compile(self.loss) if order["compile"] else self.loss

    def loss(self, ids, mask, labels):
        return self.model(input_ids=ids, attention_mask=mask, labels=labels).loss

    def batches(self, file):
        return torch.from_numpy(np.fromfile(file, dtype="<i4").reshape(-1, *self.shape)).long()

    def steps(self, order):
        batches = self.batches(order["file"])[order["from"] :]
        losses, start = [], time.perf_counter()
        for lr, batch in zip(order["lrs"], batches):
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.zero_grad()
            loss = self.loss_of(*batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parts, self.clip)
            self.optimizer.step()
            losses.append(loss.item())
        return {"seconds": time.perf_counter() - start, "losses": losses}

    @torch.no_grad()
    def held(self, order):
        total = count = 0
        for ids, mask, labels in self.batches(order["file"]):
            counted = (labels >= 0).sum().item()
            total += self.loss(ids, mask, labels).item() * counted
            count += counted
        return {"loss": total / count}


run = None
for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "open":
        run, answer = Run(order), {"torch": torch.__version__}
    else:
        answer = getattr(run, order["do"])(order)
    print(json.dumps(answer), flush=True)
