"""What imported models are made of, from the definitions, and gradients by central differences.

Arrays are float64, samples first; axes count the samples' axis, as in the builder.
"""

from math import erf, prod

import numpy as np

ERF = np.vectorize(erf, otypes=[np.float64])


def softplus(x, beta=1.0):
    return np.logaddexp(0, beta * x) / beta


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(input_scale * np.minimum(x, 0)))


ACTIVATIONS = {
    "elu": elu,
    "gelu": lambda x: x * (1 + ERF(x / np.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x, alpha=1 / 6, beta=0.5: np.clip(alpha * x + beta, 0, 1),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "thresholded_relu": lambda x, alpha=1.0: np.where(x > alpha, x, 0),
    "clamp": lambda x, low=-1.0, high=1.0: np.clip(x, low, high),
    "erf": ERF,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "power": lambda x, exponent=2.0: x**exponent,
    "sin": np.sin,
    "cos": np.cos,
    "round": np.rint,
    "step": lambda x, at_zero=0.0: np.heaviside(x, at_zero),
    "scale": lambda x, factor=1.0, shift=0.0: factor * x + shift,
}

BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "larger": np.maximum,
    "smaller": np.minimum,
    "raise_to": np.power,
}

REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}


def transpose(x, axes):
    """out[i, j, ...] = x[index], where index[axes[0]] = i, index[axes[1]] = j, ..."""
    out = np.empty([x.shape[axis] for axis in axes])
    for place in np.ndindex(*out.shape[1:]):
        index = [slice(None)] * x.ndim
        for position, axis in zip(place, axes[1:], strict=True):
            index[axis] = position
        out[(slice(None), *place)] = x[tuple(index)]
    return out


def reshape(x, shape):
    """The row-major order, entry by entry."""
    out = np.empty((len(x), *shape[1:]))
    for a, b in zip(np.ndindex(*x.shape[1:]), np.ndindex(*out.shape[1:]), strict=True):
        out[(slice(None), *b)] = x[(slice(None), *a)]
    return out


def rows(x, axis, entries):
    """Along an axis, output r is the sum of ``weight * x[column]`` over ``entries[r]``."""
    source = np.moveaxis(x, axis, 0)
    out = np.zeros((len(entries), *source.shape[1:]))
    for r, row in enumerate(entries):
        for column, weight in row:
            out[r] += weight * source[column]
    return np.moveaxis(out, 0, axis)


def gather(x, axis, indices):
    return rows(x, axis, [[(i, 1.0)] if i >= 0 else [] for i in indices])


def matmul(a, b):
    """out[..., i, j] = sum over k of a[..., i, k] b[..., k, j]."""
    return sum(a[..., :, k, None] * b[..., k, None, :] for k in range(a.shape[-1]))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x, axis):
    return np.log(softmax(x, axis))


def normalize(x, axes, epsilon, scale=1.0, shift=0.0):
    centred = x - x.mean(axes, keepdims=True)
    variance = (centred**2).mean(axes, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * scale + shift


def windows(image, size, stride, padding, dilation, ceil_mode):
    """For each output position, the pixels of its window that lie inside the image."""
    dims = len(size)
    counts = []
    for i in range(dims):
        room = image[i] + padding[i] + padding[i + dims] - (size[i] - 1) * dilation[i] - 1
        count = room // stride[i] + 1
        # rounded up, if that window begins inside the image or its leading padding
        if ceil_mode and room % stride[i] and count * stride[i] < image[i] + padding[i]:
            count += 1
        counts.append(count)
    for place in np.ndindex(*counts):
        first = [p * s - padding[i] for i, (p, s) in enumerate(zip(place, stride, strict=True))]
        pixels = [
            tuple(f + t * d for f, t, d in zip(first, tap, dilation, strict=True))
            for tap in np.ndindex(*size)
        ]
        inside = [p for p in pixels if all(0 <= q < n for q, n in zip(p, image, strict=True))]
        yield place, inside


def max_pool(x, size, stride, padding, dilation=None, ceil_mode=False):
    """Over windows in one or two dimensions; what lies in the padding is never the maximum."""
    dilation = dilation or (1,) * len(size)
    found = list(windows(x.shape[2:], size, stride, padding, dilation, ceil_mode))
    out = np.empty((*x.shape[:2], *(n + 1 for n in found[-1][0])))
    for place, pixels in found:
        out[(..., *place)] = np.max([x[(..., *pixel)] for pixel in pixels], axis=0)
    return out


def average_pool(x, size, stride, padding):
    """The padding counts as zeros."""
    found = list(windows(x.shape[2:], size, stride, padding, (1,) * len(size), False))
    out = np.zeros((*x.shape[:2], *(n + 1 for n in found[-1][0])))
    for place, pixels in found:
        for pixel in pixels:
            out[(..., *place)] += x[(..., *pixel)] / prod(size)
    return out


def convolution(x, weights, bias, stride, padding, dilation, groups):
    """out[m, o] = bias[m] + sum over c, t of w[m, c, t] x[c, stride o + dilation t - padding]."""
    dims = x.ndim - 2
    edges = [(padding[i], padding[i + dims]) for i in range(dims)]
    padded = np.pad(x, [(0, 0), (0, 0), *edges])
    kernel = weights.shape[2:]
    found = list(windows(padded.shape[2:], kernel, stride, [0] * 2 * dims, dilation, False))
    out = np.empty((len(x), len(weights), *(n + 1 for n in found[-1][0])))
    per_group, inputs = len(weights) // groups, weights.shape[1]
    for place, pixels in found:
        for m in range(len(weights)):
            first = m // per_group * inputs
            total = bias[m]
            for tap, pixel in zip(np.ndindex(*kernel), pixels, strict=True):
                for c in range(inputs):
                    total = total + weights[(m, c, *tap)] * padded[(slice(None), first + c, *pixel)]
            out[(slice(None), m, *place)] = total
    return out


def transposed_convolution(x, weights, bias, stride, padding, dilation, groups, output_padding):
    """Each input pixel i adds ``w[c, m, t] x[c, i]`` at ``stride i + dilation t - padding``."""
    dims = x.ndim - 2
    image, kernel = x.shape[2:], weights.shape[2:]
    whole = [(n - 1) * s for n, s in zip(image, stride, strict=True)]
    for i in range(dims):
        whole[i] += (kernel[i] - 1) * dilation[i] + 1 + output_padding[i]
    per_group, inputs = weights.shape[1], x.shape[1] // groups
    out = np.zeros((len(x), per_group * groups, *whole))
    for pixel in np.ndindex(*image):
        for tap in np.ndindex(*kernel):
            place = [stride[i] * pixel[i] + dilation[i] * tap[i] for i in range(dims)]
            for c in range(x.shape[1]):
                for m in range(per_group):
                    channel = c // inputs * per_group + m
                    share = weights[(c, m, *tap)] * x[(slice(None), c, *pixel)]
                    out[(slice(None), channel, *place)] += share
    kept = [slice(padding[i], whole[i] - padding[i + dims]) for i in range(dims)]
    return out[(slice(None), slice(None), *kept)] + bias.reshape(-1, *[1] * dims)


def transposed_convolution_backward(g, image, weights, stride, padding, dilation, groups):
    """What each pixel of an input of size `image` is multiplied by, times `g` there."""
    dims = g.ndim - 2
    edges = [(padding[i], padding[i + dims]) for i in range(dims)]
    padded = np.pad(g, [(0, 0), (0, 0), *edges])
    per_group, inputs = weights.shape[1], len(weights) // groups
    gradient = np.zeros((len(g), len(weights), *image))
    for pixel in np.ndindex(*image):
        for tap in np.ndindex(*weights.shape[2:]):
            place = [stride[i] * pixel[i] + dilation[i] * tap[i] for i in range(dims)]
            for c in range(len(weights)):
                for m in range(per_group):
                    channel = c // inputs * per_group + m
                    share = weights[(c, m, *tap)] * padded[(slice(None), channel, *place)]
                    gradient[(slice(None), c, *pixel)] += share
    return gradient


def gradient(function, X, target, entries, step=1e-5):
    """d function(x)[target] / d entries of each sample, by central differences, all in one call."""
    X = X.astype(np.float64)
    steps = np.zeros((len(entries), prod(X.shape[1:])))
    steps[np.arange(len(entries)), entries] = step
    steps = steps.reshape(1, -1, *X.shape[1:])
    around = np.concatenate([X[:, None] + steps, X[:, None] - steps])
    scores = function(around.reshape(-1, *X.shape[1:])).reshape(2, len(X), len(entries), -1)
    above, below = (side[np.arange(len(X)), :, target] for side in scores)
    return (above - below) / (2 * step)
