#!/usr/bin/python3
"""fmtrain's training in eager PyTorch on the CPU: the other side of `make bench-peers` and `make bench-search`.

The same data, split, network, solvers, learning rates and loop: dense layers with LayerNorm and ReLU, cross-entropy, running
means of loss and accuracy, validation after each epoch. LayerNorm is PyTorch's own, which fmtrain calls the keras form. The
last batch of an epoch is left out if it is short.

Prints a line of JSON an epoch and a summary at the end. samples_per_s covers only the training loop: shuffling, batches, both
passes, both solvers and the running means. Needs Debian's python3-torch, python3-numpy and dataset-fashion-mnist.
"""
import argparse
import json
import time

import torch
from torch import nn
from torch.nn import functional

import fashion


def network(widths):
    """Returns the lower layers and the upper layer."""
    lower, inputs = nn.Sequential(), fashion.PIXELS
    for width in widths:
        for module in nn.Linear(inputs, width), nn.LayerNorm(width, eps=1e-3), nn.ReLU():
            lower.append(module)
        inputs = width
    return lower, nn.Linear(inputs, fashion.CLASSES)


def train_epoch(model, solvers, images, labels, batch):
    """Trains for one epoch. Returns the mean loss, the accuracy, the number of samples and the seconds."""
    begin = time.perf_counter()
    losses, correct, seen = 0.0, 0, 0
    for rows in torch.randperm(len(images)).split(batch):
        if len(rows) < batch:
            break
        x, y = images[rows], labels[rows]
        logits = model(x)
        loss = functional.cross_entropy(logits, y)
        fashion.step(loss, solvers)
        losses += loss.item() * batch
        correct += (logits.argmax(1) == y).sum().item()
        seen += batch
    return losses / seen, correct / seen, seen, time.perf_counter() - begin


@torch.no_grad()
def evaluate(model, images, labels):
    """Returns the mean loss and the accuracy."""
    logits = model(images)
    return functional.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).double().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fashion.add_flags(parser)
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--hidden", default="100", metavar="N,N,...")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--seed", type=int, default=42, metavar="N")
    parser.add_argument("--target", type=float, metavar="ACCURACY", help="stop after the epoch that reaches it on the test images")
    a = parser.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    images, labels = fashion.load(a.data, "train", torch.float32)
    test = fashion.load(a.data, "t10k", torch.float32)
    validation = images[: fashion.VALIDATION], labels[: fashion.VALIDATION]
    training = images[fashion.VALIDATION :], labels[fashion.VALIDATION :]

    lower, upper = network([int(width) for width in a.hidden.split(",")])
    model = nn.Sequential(lower, upper)
    solvers = fashion.solvers(a, lower.parameters(), upper.parameters())

    best = 0.0
    for epoch in range(1, a.epochs + 1):
        loss, accuracy, seen, seconds = train_epoch(model, solvers, *training, a.batch)
        val_loss, val_accuracy = evaluate(model, *validation)
        _, test_accuracy = evaluate(model, *test)
        best = max(best, seen / seconds)
        line = {
            "epoch": epoch, "loss": loss, "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy,
            "test_accuracy": test_accuracy, "seconds": round(seconds, 3), "samples_per_s": round(seen / seconds),
        }  # fmt: skip
        print(json.dumps(line), flush=True)
        if a.target and test_accuracy >= a.target:
            break
    summary = {"torch": torch.__version__, "threads": a.threads, "best_samples_per_s": round(best), "test_accuracy": test_accuracy}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
