#!/usr/bin/python3
"""Repeats the first steps of an unshuffled run of fmtrain in PyTorch in float64, and compares the loss of every batch.

    fmtrain train --epochs 0 --out initial
    fmtrain train --epochs 1 --shuffle=false --log-every 1 --out run
    scripts/peers/replay.py --initial initial/checkpoints/last.safetensors --metrics run/metrics.jsonl

The weights come from the first run, and the losses to compare with from the second. The flags name the solvers and the rates
of both. Networks are dense layers with or without LayerNorm and ReLU, such as those of --model mlp and mlp-ln. Prints the largest
relative difference and its step. `make exactness` calls it. Needs Debian's python3-torch, python3-numpy and
dataset-fashion-mnist.
"""
import argparse
import itertools
import json
import sys

import numpy
import torch
from torch.nn import functional

import fashion


def read_weights(path):
    """The tensors model.* of a checkpoint, by the rest of their names, in float64."""
    weights = {}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = file.read()
    for name, tensor in header.items():
        if name.startswith("model."):
            values = numpy.frombuffer(tensors[slice(*tensor["data_offsets"])], "<f4").reshape(tensor["shape"])
            weights[name.removeprefix("model.")] = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    return weights


def read_losses(path):
    """The batch losses of the first epoch, in the order of the steps."""
    with open(path) as file:
        events = map(json.loads, file)
        return [e["batch_loss"] for e in events if e["event"] == "iteration" and e["epoch"] == 1]


def layer_norm(x, alpha, beta, form, epsilon):
    """The formula: the book adds epsilon to the standard deviation, Keras to the variance."""
    variance, mean = torch.var_mean(x, dim=1, unbiased=False, keepdim=True)
    scale = variance.sqrt() + epsilon if form == "book" else (variance + epsilon).sqrt()
    return alpha * ((x - mean) / scale) + beta


def logits(x, weights, form, epsilon):
    for i in itertools.count():
        layer = f"lower.{i}."
        if layer + "weight" not in weights:
            return torch.addmm(weights["upper.bias"], x, weights["upper.weight"])
        x = torch.addmm(weights[layer + "bias"], x, weights[layer + "weight"])
        if layer + "norm.alpha" in weights:
            x = layer_norm(x, weights[layer + "norm.alpha"], weights[layer + "norm.beta"], form, epsilon)
        x = torch.relu(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fashion.add_flags(parser)
    parser.add_argument("--initial", required=True, metavar="CHECKPOINT")
    parser.add_argument("--metrics", required=True, metavar="FILE")
    parser.add_argument("--steps", type=int, default=500, metavar="N")
    parser.add_argument("--form", default="book", choices=["book", "keras"], help="of LayerNorm")
    parser.add_argument("--epsilon", type=float, default=1e-3, metavar="E")
    a = parser.parse_args()

    logged = read_losses(a.metrics)[: a.steps]
    if len(logged) < a.steps:
        sys.exit(f"{a.metrics}: expected the losses of {a.steps} steps, found {len(logged)}; train with --log-every 1")
    weights = read_weights(a.initial)
    solvers = fashion.solvers(
        a,
        [w for name, w in weights.items() if name.startswith("lower.")],
        [w for name, w in weights.items() if name.startswith("upper.")],
    )
    images, labels = fashion.load(a.data, "train", torch.float64)
    batches = zip(images[fashion.VALIDATION :].split(a.batch), labels[fashion.VALIDATION :].split(a.batch))

    differences = []
    for loss, (x, y) in zip(logged, batches):
        replayed = functional.cross_entropy(logits(x, weights, a.form, a.epsilon), y)
        fashion.step(replayed, solvers)
        differences.append(abs(loss - replayed.item()) / replayed.item())
    largest = max(differences)
    print(f"{len(differences)} steps, largest relative difference {largest:.1e} at step {differences.index(largest) + 1}")


if __name__ == "__main__":
    main()
