"""Optuna on a table: each line of JSON is an order, answered with the rows that its sampler asked for, in their order.

    {"rows": [{"values": {...}, "objectives": [...] | null}], "params": [{"name", "ordered", "choices"}], "sampler": "tpe" | "gp",
     "seed": 1, "trials": 40, "asks": 60, "most": null | [null, 0.5]}

`most` bounds objectives, told to Optuna as constraints. Parameters of ordered choices are integers to it, others categories; one that
no row has beside the values so far is not suggested. A row that is asked for again costs nothing (it is answered from the table, and
named once in the answer), but it is one of `asks`.
"""
import json
import sys
import warnings

import optuna
from optuna.trial import TrialState

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def make(sampler, seed):
    return optuna.samplers.GPSampler(seed=seed) if sampler == "gp" else optuna.samplers.TPESampler(seed=seed)


def walk(trial, rows, params):
    left = list(range(len(rows)))
    for p in params:
        name, choices = p["name"], p["choices"]
        if not any(name in rows[i]["values"] for i in left):
            continue
        if p["ordered"]:
            value = choices[trial.suggest_int(name, 0, len(choices) - 1)]
        else:
            value = trial.suggest_categorical(name, choices)
        left = [i for i in left if rows[i]["values"].get(name) == value]
    (row,) = left
    return row


def run(order):
    rows, most, wanted = order["rows"], order.get("most"), order["trials"]
    study = optuna.create_study(directions=["minimize"] * order["axes"], sampler=make(order["sampler"], order["seed"]))
    asked = []
    while len(set(asked)) < wanted and len(asked) < order["asks"]:
        trial = study.ask()
        row = walk(trial, rows, order["params"])
        asked.append(row)
        values = rows[row]["objectives"]
        if values is None:
            study.tell(trial, state=TrialState.FAIL)
            continue
        for i, bound in enumerate(most or []):
            if bound is not None:
                trial.set_constraint(f"most{i}", values[i] - bound)
        study.tell(trial, values)
    return list(dict.fromkeys(asked))


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
