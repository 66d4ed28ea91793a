"""Class activation maps from their formulas, in float64, for a chain of layers."""

import numpy as np

from tests.reference.layers import softmax
from tests.reference.network import backward, before_softmax, forward, score_values


def at_layer(model, X, target, layer):
    """Activations and the gradient of the logit by them."""
    layers = before_softmax(model.layers)
    a = forward(layers[: layer + 1], np.asarray(X, dtype=np.float64))
    return a, backward(layers[layer + 1 :], a, np.eye(model.classes)[target])


def by_channel(weights, a):
    return np.einsum("nc,nchw->nhw", weights, a)


def grad_cam(a, g):
    return by_channel(g.mean(axis=(2, 3)), a)


def grad_cam_plus_plus(a, g):
    total = a.sum(axis=(2, 3), keepdims=True)
    alpha = g**2 / (2 * g**2 + total * g**3 + 1e-6)
    return by_channel((alpha * np.maximum(g, 0)).sum(axis=(2, 3)), a)


def xgrad_cam(a, g):
    return by_channel((g * a).sum(axis=(2, 3)) / (a.sum(axis=(2, 3)) + 1e-7), a)


def hires_cam(a, g):
    return (g * a).sum(axis=1)


def layer_cam(a, g):
    return (np.maximum(g, 0) * a).sum(axis=1)


def enlarged(image, size):
    """Bilinear, pixel by pixel: that at y, x lies at (y + 1/2) height / size - 1/2, ..."""
    out = np.empty((*image.shape[:-2], *size))
    height, width = image.shape[-2:]
    for y, x in np.ndindex(*size):
        at = np.maximum([(y + 0.5) * height / size[0] - 0.5, (x + 0.5) * width / size[1] - 0.5], 0)
        top, left = np.floor(at).astype(int)
        down, across = at - (top, left)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        upper = image[..., top, left] * (1 - across) + image[..., top, right] * across
        lower = image[..., bottom, left] * (1 - across) + image[..., bottom, right] * across
        out[..., y, x] = upper * (1 - down) + lower * down
    return out


def score_cam(model, X, target, layer, score="logit"):
    x = np.asarray(X, dtype=np.float64)
    a, _ = at_layer(model, x, target, layer)
    weights = np.empty(a.shape[:2])
    for c in range(a.shape[1]):
        mask = enlarged(a[:, c], x.shape[2:])
        low, high = mask.min((1, 2), keepdims=True), mask.max((1, 2), keepdims=True)
        mask = (mask - low) / (high - low + 1e-8)
        z = forward(before_softmax(model.layers), x * mask[:, None])
        weights[:, c] = score_values(z, target, score)
    return by_channel(softmax(weights), a)


def ablation_cam(model, X, target, layer, score="logit"):
    a, _ = at_layer(model, X, target, layer)
    rest = before_softmax(model.layers)[layer + 1 :]
    whole = score_values(forward(rest, a), target, score)
    weights = np.empty(a.shape[:2])
    for c in range(a.shape[1]):
        without = a.copy()
        without[:, c] = 0
        weights[:, c] = (whole - score_values(forward(rest, without), target, score)) / whole
    return by_channel(weights, a)


def eigen_cam(a):
    maps = []
    for sample in a:
        pixels = sample.reshape(len(sample), -1).T
        pixels = pixels - pixels.mean(axis=0)
        axis = np.linalg.svd(pixels)[2][0]
        maps.append((pixels @ axis * np.sign(axis.sum())).reshape(sample.shape[1:]))
    return np.array(maps)


def full_grad(model, X, target):
    """For a chain whose biases, other than those of dense layers, are of convolutions."""
    x = np.asarray(X, dtype=np.float64)
    layers = before_softmax(model.layers)
    onehot = np.eye(model.classes)[target]
    parts = [x * backward(layers, x, onehot)]
    for number, layer in enumerate(layers):
        if type(layer).__name__ == "Conv2D":
            parts.append(layer.bias[:, None, None] * at_layer(model, x, target, number)[1])
    total = 0
    for part in np.abs(parts[0]), *map(np.abs, parts[1:]):
        part = part - part.min((1, 2, 3), keepdims=True)
        part = part / (part.max((1, 2, 3), keepdims=True) + 1e-6)
        total = total + enlarged(part, x.shape[2:]).sum(axis=1)
    return total
