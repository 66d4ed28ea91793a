"""Layers and their derivatives from the definitions: ``forward(x)`` and ``backward(x, g)``.

Arrays are float64, samples first. `backward` returns the gradient of the input, for `g` that of
the output.
"""

import numpy as np

import backlit as bl
from backlit.layers import ConvTranspose2D
from tests.reference import operators


def pad(x, border, value=0.0):
    top, left, bottom, right = border
    edges = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(x, edges, constant_values=value)


def dense(layer, x):
    return x @ layer.weights.astype(np.float64) + layer.bias


def dense_backward(layer, x, g):
    return g @ layer.weights.T.astype(np.float64)


def convolution(layer, x):
    """out[n, m, y, x] = bias[m] + sum over c, i, j of w[m, c, i, j] padded[n, c, sy + di, ...].

    Term after term, of all m at once.
    """
    weights = by_groups(layer.weights.astype(np.float64), layer.groups, 0)
    padded = by_groups(pad(x, layer.padding), layer.groups)
    shape = layer.output_shape(x.shape[1:])
    out = by_groups(np.zeros((len(x), *shape)) + layer.bias[:, None, None], layer.groups)
    for c, i, j in np.ndindex(*weights.shape[2:]):
        rows, columns = places(layer, shape, i, j)
        terms = padded[:, :, c, None, rows, columns]
        out += weights[:, :, c, i, j, None, None] * terms
    return out.reshape(len(x), *shape)


def convolution_backward(layer, x, g):
    """Each term's gradient, to all c at once."""
    weights = by_groups(layer.weights.astype(np.float64), layer.groups, 0)
    top, left, _, _ = layer.padding
    gradient = pad(np.zeros(x.shape), layer.padding)
    gradients, g = by_groups(gradient, layer.groups), by_groups(g, layer.groups)
    for m, i, j in np.ndindex(weights.shape[1], *weights.shape[3:]):
        rows, columns = places(layer, g.shape[2:], i, j)
        gradients[..., rows, columns] += weights[:, m, :, i, j, None, None] * g[:, :, m, None]
    return gradient[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def by_groups(x, groups, axis=1):
    """A view with an axis for the groups of channels."""
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])


def places(layer, shape, i, j):
    """The padded image's rows and columns that meet the weights at (i, j)."""
    (sy, sx), (dy, dx) = layer.stride, layer.dilation
    _, height, width = shape
    rows = slice(i * dy, i * dy + (height - 1) * sy + 1, sy)
    return rows, slice(j * dx, j * dx + (width - 1) * sx + 1, sx)


def transposed_convolution(layer, x):
    options = layer.stride, layer.padding, layer.dilation, layer.groups, layer.output_padding
    return operators.transposed_convolution(x, layer.weights, layer.bias, *options)


def transposed_convolution_backward(layer, x, g):
    options = layer.stride, layer.padding, layer.dilation, layer.groups
    return operators.transposed_convolution_backward(g, x.shape[2:], layer.weights, *options)


def windows(layer, shape):
    """For each output position, the rows and columns of its window inside the image."""
    _, height, width = shape
    _, out_height, out_width = layer.output_shape(shape)
    for oy in range(out_height):
        for ox in range(out_width):
            y, x = oy * layer.stride[0] - layer.padding[0], ox * layer.stride[1] - layer.padding[1]
            rows = range(max(y, 0), min(y + layer.size[0], height))
            columns = range(max(x, 0), min(x + layer.size[1], width))
            yield (oy, ox), (y, x), rows, columns


def max_pooling(layer, x):
    out = np.empty((len(x), *layer.output_shape(x.shape[1:])))
    for (oy, ox), _, rows, columns in windows(layer, x.shape[1:]):
        out[:, :, oy, ox] = x[:, :, rows.start : rows.stop, columns.start : columns.stop].max(
            (2, 3)
        )
    return out


def max_pooling_backward(layer, x, g):
    gradient = np.zeros(x.shape)
    for (oy, ox), _, rows, columns in windows(layer, x.shape[1:]):
        for n, c in np.ndindex(x.shape[:2]):
            places = [(x[n, c, i, j], i, j) for i in rows for j in columns]
            best = max(value for value, _, _ in places)
            i, j = next((i, j) for value, i, j in places if value == best)
            gradient[n, c, i, j] += g[n, c, oy, ox]
    return gradient


def divisor(layer, shape, corner, rows, columns):
    if not layer.count_include_pad:
        return len(rows) * len(columns)
    _, _, bottom, right = layer.padding
    ends = [
        min(corner[axis] + layer.size[axis], shape[1 + axis] + (bottom, right)[axis])
        for axis in range(2)
    ]
    return (ends[0] - corner[0]) * (ends[1] - corner[1])


def average_pooling(layer, x):
    out = np.empty((len(x), *layer.output_shape(x.shape[1:])))
    for (oy, ox), corner, rows, columns in windows(layer, x.shape[1:]):
        part = x[:, :, rows.start : rows.stop, columns.start : columns.stop].sum((2, 3))
        out[:, :, oy, ox] = part / divisor(layer, x.shape[1:], corner, rows, columns)
    return out


def average_pooling_backward(layer, x, g):
    gradient = np.zeros(x.shape)
    for (oy, ox), corner, rows, columns in windows(layer, x.shape[1:]):
        share = g[:, :, oy, ox] / divisor(layer, x.shape[1:], corner, rows, columns)
        part = (slice(None), slice(None), slice(rows.start, rows.stop))
        gradient[(*part, slice(columns.start, columns.stop))] += share[:, :, None, None]
    return gradient


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def per_channel(values, x):
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def normalize(layer, x):
    scale = layer.gamma / np.sqrt(layer.variance.astype(np.float64) + layer.epsilon)
    return per_channel(scale, x) * (x - per_channel(layer.mean, x)) + per_channel(layer.beta, x)


def normalize_backward(layer, x, g):
    scale = layer.gamma / np.sqrt(layer.variance.astype(np.float64) + layer.epsilon)
    return per_channel(scale, x) * g


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORWARD = {
    bl.Dense: dense,
    bl.Conv2D: convolution,
    ConvTranspose2D: transposed_convolution,
    bl.MaxPool2D: max_pooling,
    bl.AvgPool2D: average_pooling,
    bl.GlobalAvgPool2D: lambda layer, x: x.mean(axis=(2, 3), keepdims=True),
    bl.Flatten: lambda layer, x: x.reshape(len(x), -1),
    bl.ReLU: lambda layer, x: np.maximum(x, 0),
    bl.LeakyReLU: lambda layer, x: np.where(x > 0, x, layer.slope * x),
    bl.Clip: lambda layer, x: np.clip(x, layer.low, layer.high),
    bl.Sigmoid: lambda layer, x: sigmoid(x),
    bl.Tanh: lambda layer, x: np.tanh(x),
    bl.BatchNorm: normalize,
    bl.Softmax: lambda layer, x: softmax(x),
    bl.LogSoftmax: lambda layer, x: log_softmax(x),
}

BACKWARD = {
    bl.Dense: dense_backward,
    bl.Conv2D: convolution_backward,
    ConvTranspose2D: transposed_convolution_backward,
    bl.MaxPool2D: max_pooling_backward,
    bl.AvgPool2D: average_pooling_backward,
    bl.GlobalAvgPool2D: lambda layer, x, g: np.broadcast_to(g / x[0, 0].size, x.shape),
    bl.Flatten: lambda layer, x, g: g.reshape(x.shape),
    bl.ReLU: lambda layer, x, g: g * (x > 0),
    bl.LeakyReLU: lambda layer, x, g: g * np.where(x > 0, 1, layer.slope),
    bl.Clip: lambda layer, x, g: g * ((x > layer.low) & (x < layer.high)),
    bl.Sigmoid: lambda layer, x, g: g * sigmoid(x) * (1 - sigmoid(x)),
    bl.Tanh: lambda layer, x, g: g * (1 - np.tanh(x) ** 2),
    bl.BatchNorm: normalize_backward,
    bl.Softmax: lambda layer, x, g: softmax(x) * (g - (g * softmax(x)).sum(1, keepdims=True)),
    bl.LogSoftmax: lambda layer, x, g: g - softmax(x) * g.sum(axis=1, keepdims=True),
}
