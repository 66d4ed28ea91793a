"""Modules of PyTorch that several files test, and what agreeing with one means."""

from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def samples(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def assert_agrees(model, module, X):
    """Logits and gradients, for many samples and for one."""
    targets = np.arange(len(X)) % model.classes
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    logits = deepcopy(module).double().eval()(x)
    logits[np.arange(len(X)), targets].sum().backward()
    assert_close(model.logits(X), logits.detach().numpy())
    assert_close(bl.gradient(model, X, targets), x.grad.numpy())
    assert_close(bl.gradient(model, X[:1], targets[:1]), x.grad.numpy()[:1])


class Block(nn.Module):
    """Calls its convolution and its activation twice, in place."""

    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.conv(x))
        out = self.conv(out)
        out += x
        return self.relu(out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(4, 5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = self.blocks(F.relu(self.stem(x)))
        return self.head(self.drop(x.mean((2, 3))))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.inner = nn.Linear(6, 6)

    def forward(self, x):
        return self.function(self.inner(x))
