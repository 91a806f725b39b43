#!/usr/bin/python3
"""Repeats the first steps of an unshuffled run of fmtrain in PyTorch in float64, and compares the loss of every batch.

    fmtrain train --epochs 0 --out initial
    fmtrain train --epochs 1 --shuffle=false --log-every 1 --out run
    scripts/peers/replay.py --initial initial/checkpoints/last.safetensors --metrics run/metrics.jsonl

The network and the weights come from the first run, and the losses to compare with from the second. The flags name the solvers and the
rates of both. The network may have any layers of --layers but dropout, and the groups lower and upper. Prints the largest relative
difference and its step. `make exactness` calls it. Needs Debian's python3-torch, python3-numpy and dataset-fashion-mnist.
"""
import argparse
import collections
import json
import re
import sys

import numpy
import torch
from torch.nn import functional

import fashion


def read_checkpoint(path):
    """The architecture of a checkpoint, and its tensors model.* by the rest of their names, in float64."""
    weights = {}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = file.read()
    for name, tensor in header.items():
        if name.startswith("model."):
            values = numpy.frombuffer(tensors[slice(*tensor["data_offsets"])], "<f4").reshape(tensor["shape"])
            weights[name.removeprefix("model.")] = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    return json.loads(header["__metadata__"]["model"]), weights


def read_losses(path):
    """The batch losses of the first epoch, in the order of the steps."""
    with open(path) as file:
        events = map(json.loads, file)
        return [e["batch_loss"] for e in events if e["event"] == "iteration" and e["epoch"] == 1]


def layer_norm(x, alpha, beta, form, epsilon):
    """The formula: the book adds epsilon to the standard deviation, Keras to the variance. Where all values are equal, x - mean is 0."""
    difference = x - x.mean(-1, keepdim=True)
    variance = difference.square().mean(-1, keepdim=True)
    if form == "keras":
        return alpha * difference / (variance + epsilon).sqrt() + beta
    flat = variance == 0  # where the root has no derivative
    deviation = torch.where(flat, torch.zeros_like(variance), torch.where(flat, torch.ones_like(variance), variance).sqrt())
    return alpha * difference / (deviation + epsilon) + beta


def convolution(x, weight, bias, options):
    """Options are what follows conv:, as in 32x5s2v. x is [batch, height, width, channels], as all maps here."""
    stride = int(options.rstrip("v").partition("s")[2] or 1)
    padding = 0 if options.endswith("v") else (len(weight) - 1) // 2
    return functional.conv2d(x.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1), bias, stride, padding).permute(0, 2, 3, 1)


def windows(x, side):
    """The values of the windows side by side, as [batch, height, width, values, channels]."""
    batch, height, width, channels = x.shape
    x = x[:, : height // side * side, : width // side * side]
    x = x.reshape(batch, height // side, side, width // side, side, channels).transpose(2, 3)
    return x.reshape(batch, height // side, width // side, side * side, channels)


def largest(x, dim):
    """The largest value, whose gradient goes to its first place: argmax doesn't promise that for equal values."""
    is_largest = x == x.amax(dim, keepdim=True)
    first = (is_largest & (is_largest.cumsum(dim) == 1)).to(x.dtype)
    return (x * first).sum(dim)


ACTIVATIONS = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "selu": functional.selu,
}


def split(text):
    """The items of a list of layers, where a block is one item."""
    items, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "-" and depth == 0:
            items.append("")
        else:
            items[-1] += c
    return items


class Network:
    def __init__(self, architecture, weights):
        self.architecture, self.weights = architecture, weights
        self.items = split(architecture["layers"])[1:]  # without the number of inputs
        self.maps = re.search("conv|pool|global", architecture["layers"])

    def logits(self, x):
        self.number, self.name, self.norms = 0, "lower", collections.Counter()
        return self.run(x.reshape(-1, 28, 28, 1) if self.maps else x, self.items)

    def next(self):
        """The weight and the bias of the next numbered layer."""
        lower = f"lower.{self.number}"
        self.number += 1
        self.name = lower if lower + ".weight" in self.weights else "upper"
        return self.weights[self.name + ".weight"], self.weights[self.name + ".bias"]

    def norm(self, x):
        """The next LayerNorm after a numbered layer."""
        self.norms[self.name] += 1
        n = self.norms[self.name]
        name = f"{self.name}.norm{n if n > 1 else ''}"
        form, epsilon = self.architecture["layernorm"], self.architecture["epsilon"]
        return layer_norm(x, self.weights[name + ".alpha"], self.weights[name + ".beta"], form, epsilon)

    def run(self, x, items):
        for item in items:
            word, _, options = item.partition(":")
            if item.startswith("res("):
                x = x + self.run(x, split(item[4:-1]))
            elif word == "conv":
                x = convolution(x, *self.next(), options)
            elif word == "maxpool":
                x = largest(windows(x, int(options or 2)), 3)
            elif word == "avgpool":
                x = windows(x, int(options or 2)).mean(3)
            elif word == "globalmax":
                x = largest(x.flatten(1, 2), 1)
            elif word == "globalavg":
                x = x.flatten(1, 2).mean(1)
            elif word == "ln":
                x = self.norm(x)
            elif word.isdigit():
                weight, bias = self.next()
                x = torch.addmm(bias, x.flatten(1), weight)
            elif word in ACTIVATIONS:
                x = ACTIVATIONS[word](x)
            else:
                sys.exit(f"expected layers that can be replayed, found {item}")
        return x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fashion.add_flags(parser)
    parser.add_argument("--initial", required=True, metavar="CHECKPOINT")
    parser.add_argument("--metrics", required=True, metavar="FILE")
    parser.add_argument("--steps", type=int, default=500, metavar="N")
    a = parser.parse_args()

    logged = read_losses(a.metrics)[: a.steps]
    if len(logged) < a.steps:
        sys.exit(f"{a.metrics}: expected the losses of {a.steps} steps, found {len(logged)}; train with --log-every 1")
    architecture, weights = read_checkpoint(a.initial)
    network = Network(architecture, weights)
    solvers = fashion.solvers(
        a,
        [w for name, w in weights.items() if name.startswith("lower.")],
        [w for name, w in weights.items() if name.startswith("upper.")],
    )
    images, labels = fashion.load(a.data, "train", torch.float64)
    batches = zip(images[fashion.VALIDATION :].split(a.batch), labels[fashion.VALIDATION :].split(a.batch))

    differences = []
    for loss, (x, y) in zip(logged, batches):
        replayed = functional.cross_entropy(network.logits(x), y)
        fashion.step(replayed, solvers)
        differences.append(abs(loss - replayed.item()) / replayed.item())
    largest = max(differences)
    print(f"{len(differences)} steps, largest relative difference {largest:.1e} at step {differences.index(largest) + 1}")


if __name__ == "__main__":
    main()
