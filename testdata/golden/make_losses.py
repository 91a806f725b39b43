#!/usr/bin/env python3
"""Writes losses_torch.json: the losses of internal/loss and their gradients, from PyTorch's autograd in float64.

    /usr/bin/python3 testdata/golden/make_losses.py > testdata/golden/losses_torch.json

Needs Debian's python3-torch. "inputs" has batches of logits, exact float32 values, with their labels; -1 is a row that counts
for nothing. Each of "cases" has a loss, its settings as fmtrain's flags name them, and of one of the inputs the loss of each
row that counts, in order, their mean, and the gradient of the mean by the logits.
"""
import json

import torch
import torch.nn.functional as F


def one_hot(logits, labels):
    return F.one_hot(labels, logits.shape[1]).to(logits.dtype)


def focal(logits, labels, gamma):
    """Lin et al. 2017, equation 4, on the softmax: (1 - p)^gamma * -log p, with 1 - p = -expm1(log p)."""
    c = F.cross_entropy(logits, labels, reduction="none")
    return (-torch.expm1(-c)) ** gamma * c


LOSSES = {  # each the losses of the rows
    "cross-entropy": lambda z, y, s: F.cross_entropy(z, y, reduction="none", label_smoothing=s["label-smoothing"]),
    "focal": lambda z, y, s: focal(z, y, s["focal-gamma"]),
    "huber": lambda z, y, s: F.huber_loss(z, one_hot(z, y), reduction="none", delta=s["huber-delta"]).mean(1),
    "mse": lambda z, y, s: F.mse_loss(z, one_hot(z, y), reduction="none").mean(1),
    "hinge": lambda z, y, s: F.multi_margin_loss(z, y, p=1, margin=1.0, reduction="none"),
}

CASES = [
    ("cross-entropy", {"label-smoothing": 0.0}),
    ("cross-entropy", {"label-smoothing": 0.1}),
    ("cross-entropy", {"label-smoothing": 0.75}),
    ("focal", {"focal-gamma": 0.0}),
    ("focal", {"focal-gamma": 0.5}),
    ("focal", {"focal-gamma": 2.0}),
    ("focal", {"focal-gamma": 5.0}),
    ("huber", {"huber-delta": 0.25}),
    ("huber", {"huber-delta": 1.0}),
    ("huber", {"huber-delta": 3.0}),
    ("mse", {}),
    ("hinge", {}),
]


def make_inputs():
    torch.manual_seed(1)
    for rows, classes, scale in [(8, 10, 1.0), (6, 10, 6.0), (5, 3, 2.0), (3, 2, 0.1)]:
        labels = torch.randint(0, classes, (rows,))
        labels[rows // 2] = -1
        yield (torch.randn(rows, classes) * scale).tolist(), labels.tolist()
    # Certain of the right class, of a wrong one, and of none.
    yield [[20.0, 0.0, -5.0, 1.0], [20.0, 0.0, -5.0, 1.0], [0.5, 0.5, 0.5, 0.5], [-30.0, -31.0, -30.5, -29.0]], [0, 2, 3, 1]


def main():
    inputs = [{"logits": logits, "labels": labels} for logits, labels in make_inputs()]
    cases = []
    for name, settings in CASES:
        for i, given in enumerate(inputs):
            logits = torch.tensor(given["logits"], dtype=torch.float64, requires_grad=True)
            labels = torch.tensor(given["labels"])
            counted = labels >= 0
            losses = LOSSES[name](logits[counted], labels[counted], settings)
            mean = losses.mean()
            mean.backward()
            cases.append({
                "loss": name, "settings": settings, "input": i,
                "losses": losses.tolist(), "mean": mean.item(), "gradient": logits.grad.tolist(),
            })
    source = f"PyTorch {torch.__version__}, float64 autograd, by make_losses.py"
    print(json.dumps({"source": source, "inputs": inputs, "cases": cases}))


if __name__ == "__main__":
    main()
