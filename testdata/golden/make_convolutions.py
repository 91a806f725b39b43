#!/usr/bin/env python3
"""Writes convolutions_torch.json: convolutions and pools of internal/layer and their gradients, from PyTorch's autograd in float64.

    /usr/bin/python3 testdata/golden/make_convolutions.py > testdata/golden/convolutions_torch.json

Needs Debian's python3-torch. Each of "cases" is one layer, written as fmtrain's --layers has it, over a batch of maps x. Of the values
y it has the gradient dy, and the gradients dx, dweight and dbias that follow from it. All tensors are as fmtrain has them: maps are [batch, height,
width, channels], weights [k, k, in, out]. The inputs are multiples of 1/8 from -2 to 2. So every sum of products is exact in float32 too, and
windows have equal largest values.
"""
import json

import torch
import torch.nn.functional as F

CASES = [  # batch, height, width, channels, layer
    (2, 5, 7, 2, "conv:3"),
    (3, 7, 5, 1, "conv:2s2"),
    (1, 8, 9, 3, "conv:2s3"),
    (2, 8, 9, 3, "conv:2v"),
    (2, 7, 6, 2, "conv:3s2v"),
    (1, 8, 10, 2, "conv:2s3v"),
    (2, 6, 4, 2, "conv:4x1"),
    (2, 6, 5, 3, "conv:2x1s2v"),
    (1, 4, 5, 2, "conv:3x2"),
    (1, 5, 4, 2, "conv:2x4"),
    (2, 9, 7, 2, "conv:2x5"),
    (2, 9, 8, 1, "conv:3x5s2v"),
    (1, 7, 8, 2, "conv:2x5s3"),
    (2, 7, 7, 2, "conv:2x7v"),
    (1, 9, 7, 1, "conv:2x7s2"),
    (1, 10, 9, 2, "conv:1x7s3v"),
    (2, 1, 1, 2, "conv:2"),
    (1, 1, 6, 1, "conv:2x5"),
    (1, 5, 5, 9, "conv:17"),
    (2, 6, 8, 2, "maxpool"),
    (2, 7, 5, 3, "maxpool"),
    (1, 9, 11, 2, "maxpool:3"),
    (2, 3, 2, 2, "maxpool:1"),
    (2, 6, 8, 2, "avgpool"),
    (1, 8, 7, 3, "avgpool:3"),
    (3, 5, 4, 3, "globalmax"),
    (1, 1, 1, 2, "globalmax"),
    (3, 4, 5, 3, "globalavg"),
]


def layer(text, x, weight, bias):
    """The layer on x [batch, channels, height, width]."""
    word, _, options = text.partition(":")
    if word == "conv":
        k = weight.shape[2]
        stride = int(options.rstrip("v").partition("s")[2] or 1)
        return F.conv2d(x, weight, bias, stride, 0 if options.endswith("v") else (k - 1) // 2)
    if word == "globalmax":  # max_pool2d and not amax: amax shares the gradient between equal values
        return F.max_pool2d(x, x.shape[2:]).flatten(1)
    if word == "globalavg":
        return x.mean((2, 3))
    return (F.max_pool2d if word == "maxpool" else F.avg_pool2d)(x, int(options or 2))


def draw(*shape):
    return (torch.randint(-16, 17, shape) / 8).double()


def last(t):
    """With the channels last."""
    return t.permute(0, 2, 3, 1) if t.dim() == 4 else t


def case(batch, height, width, channels, text):
    x = draw(batch, channels, height, width).requires_grad_()
    parameters = {}
    if text.startswith("conv"):
        options = text.partition(":")[2].rstrip("v").partition("s")[0]
        out, _, k = options.partition("x")
        out, k = int(out), int(k or 3)
        parameters = dict(weight=draw(out, channels, k, k).requires_grad_(), bias=draw(out).requires_grad_())
    y = layer(text, x, parameters.get("weight"), parameters.get("bias"))
    dy = draw(*y.shape)
    y.backward(dy)
    made = dict(layer=text, x=last(x), y=last(y), dy=last(dy), dx=last(x.grad))
    if parameters:
        weight, bias = parameters.values()
        made |= dict(weight=weight.permute(2, 3, 1, 0), bias=bias, dweight=weight.grad.permute(2, 3, 1, 0), dbias=bias.grad)
    return {
        name: value if name == "layer" else dict(shape=list(value.shape), values=value.detach().flatten().tolist())
        for name, value in made.items()
    }


def main():
    torch.manual_seed(1)
    text = json.dumps(dict(source=f"PyTorch {torch.__version__}, float64", cases=[case(*c) for c in CASES]), separators=(",", ":"))
    print(text.replace('{"layer"', '\n{"layer"').replace(".0,", ",").replace(".0]", "]"))


if __name__ == "__main__":
    main()
