"""PyTorch twins of backlit models, built from the same weights, for the peers to run."""

import functools

import backlit as bl
import numpy as np
import torch
from torch import nn


def to_torch(model: bl.Model) -> nn.Module:
    """The same network as a PyTorch module in evaluation mode, its parameters frozen.

    A softmax at the end is left out: the peers differentiate logits, as backlit does.
    """
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
    weights = _tensor(layer.weights).T.contiguous()  # ours (in, out), PyTorch's (out, in)
    module = nn.Linear(weights.shape[1], weights.shape[0])
    return _fill(module, weight=weights, bias=_bias(layer.bias, weights.shape[0]))


@convert.register
def _(layer: bl.Conv2D) -> nn.Module:
    weights = _tensor(layer.weights)
    pad, padding = _padding(layer.padding)
    module = nn.Conv2d(
        weights.shape[1] * layer.groups,
        weights.shape[0],
        weights.shape[2:],
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    _fill(module, weight=weights, bias=_bias(layer.bias, weights.shape[0]))
    return nn.Sequential(pad, module) if pad else module


@convert.register
def _(layer: bl.MaxPool2D) -> nn.Module:
    stride = layer.size if layer.stride is None else layer.stride
    _, padding = _padding(layer.padding)
    return nn.MaxPool2d(layer.size, stride, padding, ceil_mode=layer.ceil_mode)


@convert.register
def _(layer: bl.AvgPool2D) -> nn.Module:
    stride = layer.size if layer.stride is None else layer.stride
    _, padding = _padding(layer.padding)
    return nn.AvgPool2d(
        layer.size,
        stride,
        padding,
        ceil_mode=layer.ceil_mode,
        count_include_pad=layer.count_include_pad,
    )


@convert.register
def _(layer: bl.BatchNorm) -> nn.Module:
    module = nn.BatchNorm2d(len(layer.gamma), eps=layer.epsilon)
    module.running_mean = _tensor(layer.mean)
    module.running_var = _tensor(layer.variance)
    return _fill(module, weight=_tensor(layer.gamma), bias=_tensor(layer.beta))


@convert.register
def _(layer: bl.Residual) -> nn.Module:
    return _Sum(
        nn.Sequential(*map(convert, layer.body)), nn.Sequential(*map(convert, layer.shortcut))
    )


convert.register(bl.GlobalAvgPool2D, lambda _: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
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
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _bias(bias, size: int) -> torch.Tensor:
    return torch.zeros(size) if bias is None else _tensor(bias)


def _fill(module: nn.Module, **values: torch.Tensor) -> nn.Module:
    for name, value in values.items():
        setattr(module, name, nn.Parameter(value))
    return module


def _padding(padding) -> tuple[nn.Module | None, tuple[int, int]]:
    """(explicit padding module or None, symmetric padding) from an int, a pair or four sides."""
    if np.ndim(padding) == 0:
        return None, (int(padding), int(padding))
    if len(padding) == 2:
        return None, tuple(padding)
    top, left, bottom, right = padding
    if (top, left) == (bottom, right):
        return None, (top, left)
    return nn.ZeroPad2d((left, right, top, bottom)), (0, 0)
