"""DeepLIFT by the rescale rule, one layer after the other, in float64."""

from itertools import product

import numpy as np

import backlit as bl
from tests.reference.layers import BACKWARD, softmax, windows
from tests.reference.network import before_softmax, chosen, forward, step

ELEMENTWISE = (bl.ReLU, bl.LeakyReLU, bl.Clip, bl.Sigmoid, bl.Tanh)


def quotient(layer, x, x0, g):
    same = np.abs(x - x0) < 1e-12
    rise = step(layer, x) - step(layer, x0)
    return np.where(same, BACKWARD[type(layer)](layer, x, g), g * rise / np.where(same, 1, x - x0))


def logarithmic_mean(p, q):
    same = np.abs(p / q - 1) < 1e-9
    return np.where(same, p, (p - q) / np.log(np.where(same, np.e, p / q)))


def softmax_multipliers(x, x0, g, logarithm):
    mean = logarithmic_mean(softmax(x), softmax(x0))
    total = mean.sum(axis=1, keepdims=True)
    if logarithm:
        return g - mean / total * g.sum(axis=1, keepdims=True)
    return mean * (g - (g * mean).sum(axis=1, keepdims=True) / total)


def max_pool(layer, x, x0, g):
    """Window by window: the change of the maximum over that of the pixel it is due to."""
    y, y0 = step(layer, x), step(layer, x0)
    result = np.zeros_like(x)
    for (row, column), _, rows, columns in windows(layer, x.shape[1:]):
        for n, c in np.ndindex(*x.shape[:2]):
            falls = y[n, c, row, column] < y0[n, c, row, column]
            image = (x0 if falls else x)[n, c]
            i, j = max(product(rows, columns), key=image.__getitem__)  # the first of equals
            at = n, c, i, j
            change = x[at] - x0[at]
            rise = y[n, c, row, column] - y0[n, c, row, column]
            result[at] += g[n, c, row, column] * (rise / change if change else 1)
    return result


def multipliers(layers, x, x0, g):
    pairs = [(x, x0)]
    for layer in layers[:-1]:
        pairs.append(tuple(step(layer, value) for value in pairs[-1]))
    for layer, (a, b) in zip(reversed(layers), reversed(pairs), strict=False):
        if isinstance(layer, bl.Residual):
            g = multipliers(layer.body, a, b, g) + multipliers(layer.shortcut, a, b, g)
        elif isinstance(layer, ELEMENTWISE):
            g = quotient(layer, a, b, g)
        elif isinstance(layer, bl.Softmax | bl.LogSoftmax):
            g = softmax_multipliers(a, b, g, isinstance(layer, bl.LogSoftmax))
        elif isinstance(layer, bl.MaxPool2D):
            g = max_pool(layer, a, b, g)
        else:
            g = BACKWARD[type(layer)](layer, a, g)
    return g


def deeplift(model, X, baseline, target=None, score="logit", multiply_by_inputs=True):
    """Attributions for baselines of the shape of `X`, which has that of the model's input."""
    x, x0 = (np.asarray(a, dtype=np.float64) for a in (X, baseline))
    layers = before_softmax(model.layers)
    z, z0 = forward(layers, x), forward(layers, x0)
    g = np.eye(model.classes)[chosen(model, x, target)]
    if score != "logit":
        g = softmax_multipliers(z, z0, g, score != "probability")
    if score == "loss":
        g = -g
    m = multipliers(layers, x, x0, g)
    return (x - x0) * m if multiply_by_inputs else m
