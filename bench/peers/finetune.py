"""The PyTorch side of `bench finetune --peer`: transformers' BertForSequenceClassification in float32, AdamW, a moving
average of the weights, on the batches of a file.

Reads one JSON order a line on stdin and answers each by one JSON line on stdout:
    {"do": "open", "folder", "threads", "weightDecay", "clipNorm", "ema"} -> {"torch": version}
    {"do": "steps", "file", "from", "lrs"} -> {"seconds"}: steps on the file's batches from number `from` on
    {"do": "accuracy", "file"} -> {"accuracy"}: of the averaged weights, over all labelled rows of the file's batches
A file holds, batch by batch, int32 rows and width, ids [B, T], attention mask [B, T], labels [B].
"""

import copy
import functools
import json
import sys
import time

import numpy as np
import torch
import transformers
from transformers import BertForSequenceClassification

transformers.utils.logging.disable_progress_bar()


@functools.cache
def batches(file):
    numbers, at, found = np.fromfile(file, dtype="<i4"), 0, []
    while at < len(numbers):
        rows, width = numbers[at : at + 2]
        size, at = rows * width, at + 2
        ids, mask = numbers[at : at + 2 * size].reshape(2, rows, width)
        labels, at = numbers[at + 2 * size : at + 2 * size + rows], at + 2 * size + rows
        found.append([torch.from_numpy(part.astype(np.int64)) for part in (ids, mask, labels)])
    return found


class Run:
    def __init__(self, order):
        torch.set_num_threads(order["threads"])
        self.clip, self.decay, self.count = order["clipNorm"], order["ema"], 0
        self.model = BertForSequenceClassification.from_pretrained(order["folder"]).train()
        self.parts = list(self.model.parameters())
        decays = [
            {"params": [p for p in self.parts if p.ndim >= 2], "weight_decay": order["weightDecay"]},
            {"params": [p for p in self.parts if p.ndim < 2], "weight_decay": 0},
        ]
        self.optimizer = torch.optim.AdamW(decays, fused=True)
        self.averaged = copy.deepcopy(self.model).eval()

    @torch.no_grad()
    def average(self):
        self.count += 1
        share = (1 - self.decay) / (1 - self.decay**self.count)
        torch._foreach_lerp_(list(self.averaged.parameters()), self.parts, share)

    def steps(self, order):
        todo = batches(order["file"])[order["from"] :]
        start = time.perf_counter()
        for lr, (ids, mask, labels) in zip(order["lrs"], todo):
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.zero_grad()
            loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parts, self.clip)
            self.optimizer.step()
            self.average()
            loss.item()
        return {"seconds": time.perf_counter() - start}

    @torch.no_grad()
    def accuracy(self, order):
        right = count = 0
        for ids, mask, labels in batches(order["file"]):
            said = self.averaged(input_ids=ids, attention_mask=mask).logits.argmax(-1)
            right += ((said == labels) & (labels >= 0)).sum().item()
            count += (labels >= 0).sum().item()
        return {"accuracy": right / count}


run = None
for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "open":
        run, answer = Run(order), {"torch": torch.__version__}
    else:
        answer = getattr(run, order["do"])(order)
    print(json.dumps(answer), flush=True)
