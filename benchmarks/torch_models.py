"""PyTorch twins of backlit models, built from the same weights, for the peers to run."""

import functools
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

import backlit as bl

_originals: WeakKeyDictionary[bl.Model, nn.Module] = WeakKeyDictionary()


def imported(module: nn.Module, shape: tuple[int, ...]) -> bl.Model:
    """backlit's model of a module, which is then its twin."""
    model = bl.from_torch(module.eval().requires_grad_(False), torch.zeros(1, *shape))
    _originals[model] = module
    return model


def to_torch(model: bl.Model) -> nn.Module:
    """The same network as a PyTorch module in evaluation mode, its parameters frozen.

    A softmax at the end is left out: the peers differentiate logits, as backlit does.
    """
    if model in _originals:
        return _originals[model]
    layers = list(model.layers)
    if isinstance(layers[-1], (bl.Softmax, bl.LogSoftmax)):
        layers.pop()
    # Peers run faster when autograd has no parameter to track, so freeze them: the fair comparison.
    return nn.Sequential(*map(convert, layers)).eval().requires_grad_(False)


@functools.singledispatch
def convert(layer) -> nn.Module:
    """The PyTorch module for one layer."""
    raise TypeError(f"no PyTorch twin for layer {type(layer).__name__}")


@convert.register
def _(layer: bl.Dense) -> nn.Module:
    inputs, outputs = layer.weights.shape  # PyTorch's are (out, in)
    return _fill(nn.Linear(inputs, outputs), weight=layer.weights.T, bias=layer.bias)


@convert.register
def _(layer: bl.Conv2D) -> nn.Module:
    filters, channels, *size = layer.weights.shape
    top, left, bottom, right = layer.padding
    uneven = (top, left) != (bottom, right)
    module = nn.Conv2d(
        channels * layer.groups,
        filters,
        size,
        stride=layer.stride,
        padding=0 if uneven else (top, left),
        dilation=layer.dilation,
        groups=layer.groups,
    )
    _fill(module, weight=layer.weights, bias=layer.bias)
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), module) if uneven else module


@convert.register
def _(layer: bl.MaxPool2D) -> nn.Module:
    padding = _symmetric(layer)
    return nn.MaxPool2d(layer.size, layer.stride, padding, ceil_mode=layer.ceil_mode)


@convert.register
def _(layer: bl.AvgPool2D) -> nn.Module:
    return nn.AvgPool2d(
        layer.size, layer.stride, _symmetric(layer), layer.ceil_mode, layer.count_include_pad
    )


@convert.register
def _(layer: bl.BatchNorm) -> nn.Module:
    module = nn.BatchNorm2d(len(layer.gamma), eps=layer.epsilon)
    module.running_mean = _tensor(layer.mean)
    module.running_var = _tensor(layer.variance)
    return _fill(module, weight=layer.gamma, bias=layer.beta)


@convert.register
def _(layer: bl.Residual) -> nn.Module:
    return _Sum(
        nn.Sequential(*map(convert, layer.body)), nn.Sequential(*map(convert, layer.shortcut))
    )


convert.register(bl.GlobalAvgPool2D, lambda _: nn.AdaptiveAvgPool2d(1))
convert.register(bl.Flatten, lambda _: nn.Flatten())
convert.register(bl.ReLU, lambda _: nn.ReLU())
convert.register(bl.LeakyReLU, lambda layer: nn.LeakyReLU(layer.slope))
convert.register(bl.Clip, lambda layer: nn.Hardtanh(layer.low, layer.high))
convert.register(bl.Sigmoid, lambda _: nn.Sigmoid())
convert.register(bl.Tanh, lambda _: nn.Tanh())


class _Sum(nn.Module):
    """body(x) + shortcut(x); an empty shortcut is the identity."""

    def __init__(self, body: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def _tensor(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


def _fill(module: nn.Module, **values: np.ndarray) -> nn.Module:
    for name, value in values.items():
        setattr(module, name, nn.Parameter(_tensor(value)))
    return module


def _symmetric(pool) -> tuple[int, int]:
    top, left, bottom, right = pool.padding
    if (top, left) != (bottom, right):
        raise TypeError(f"no PyTorch twin for a pooling with padding {pool.padding}")
    return top, left
