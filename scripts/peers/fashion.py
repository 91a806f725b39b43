"""What both programs share: reading Fashion-MNIST, and fmtrain's solvers in PyTorch."""
import gzip
import os

import numpy
import torch

PIXELS, CLASSES = 28 * 28, 10
VALIDATION = 5000  # images at the start of the training files, which fmtrain keeps for validation

# By fmtrain's names and with fmtrain's options. AdamW decays every parameter by 0.01; that is fmtrain's adamw with
# --lower-weight-decay 0.01 --upper-weight-decay 0.01 --weight-decay-all.
SOLVERS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-7}),
    "adagrad": (torch.optim.Adagrad, {"eps": 1e-7}),
    "adam": (torch.optim.Adam, {"eps": 1e-7}),
    "adamw": (torch.optim.AdamW, {"eps": 1e-7, "weight_decay": 0.01}),
    "nadam": (torch.optim.NAdam, {"eps": 1e-7}),
}


def load(directory, part, dtype):
    """Returns the images of "train" or "t10k" as rows of pixels from 0 to 1, and their labels."""

    def body(kind, header):
        with gzip.open(os.path.join(directory, f"{part}-{kind}-ubyte.gz")) as file:
            return numpy.frombuffer(file.read(), numpy.uint8, offset=header)

    images = body("images-idx3", header=16).reshape(-1, PIXELS)
    labels = body("labels-idx1", header=8)
    return torch.tensor(images).to(dtype) / 255, torch.tensor(labels).long()


def add_flags(parser):
    """Adds the flags that both programs have."""
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", metavar="DIR")
    parser.add_argument("--batch", type=int, default=32, metavar="N")
    for group, name, rate in ("lower", "adam", 1e-4), ("upper", "nadam", 1e-3):
        parser.add_argument(f"--{group}-solver", default=name, choices=SOLVERS, metavar="NAME")
        parser.add_argument(f"--{group}-lr", type=float, default=rate, metavar="RATE")


def solvers(arguments, lower, upper):
    """Makes the two solvers that the flags name, for the parameters of the lower and of the upper layers."""
    made = []
    for name, rate, parameters in (
        (arguments.lower_solver, arguments.lower_lr, lower),
        (arguments.upper_solver, arguments.upper_lr, upper),
    ):
        kind, options = SOLVERS[name]
        made.append(kind(parameters, lr=rate, **options))
    return made


def step(loss, solvers):
    """Runs the backward pass and moves the weights."""
    for s in solvers:
        s.zero_grad(set_to_none=True)
    loss.backward()
    for s in solvers:
        s.step()
