"""Whole networks: a list of layers, forward and back, in float64."""

import numpy as np

import backlit as bl
from tests.reference.layers import BACKWARD, FORWARD, softmax


def forward(layers, x):
    for layer in layers:
        x = step(layer, x)
    return x


def step(layer, x):
    if isinstance(layer, bl.Residual):
        return forward(layer.body, x) + forward(layer.shortcut, x)
    return FORWARD[type(layer)](layer, x)


def backward(layers, x, g):
    """The gradient of the input of a chain of layers, for `g` that of its output."""
    inputs = [x]
    for layer in layers[:-1]:
        inputs.append(step(layer, inputs[-1]))
    for layer, value in zip(reversed(layers), reversed(inputs), strict=False):
        if isinstance(layer, bl.Residual):
            g = backward(layer.body, value, g) + backward(layer.shortcut, value, g)
        else:
            g = BACKWARD[type(layer)](layer, value, g)
    return g


def before_softmax(layers):
    layers = list(layers)
    if layers and isinstance(layers[-1], bl.Softmax | bl.LogSoftmax):
        layers.pop()
    return layers


def logits(model, X):
    x = np.asarray(X, dtype=np.float64).reshape(-1, *model.input_shape)
    return forward(before_softmax(model.layers), x)


def chosen(model, X, target=None):
    """Targets as an array of N classes."""
    if target is None:
        return logits(model, X).argmax(axis=1)
    return np.broadcast_to(target, (len(X),))


def score_values(z, targets, score):
    """The score of each sample, from its logits."""
    own = z[np.arange(len(z)), targets]
    if score == "logit":
        return own
    p = softmax(z)[np.arange(len(z)), targets]
    return {"probability": p, "log_probability": np.log(p), "loss": -np.log(p)}[score]


def score_gradient(z, targets, score):
    """The derivative of each sample's score by its logits."""
    onehot = np.eye(z.shape[1])[targets]
    p = softmax(z)
    own = p[np.arange(len(z)), targets][:, None]
    return {
        "logit": onehot,
        "log_probability": onehot - p,
        "loss": p - onehot,
        "probability": own * (onehot - p),
    }[score]


def input_gradient(model, X, target=None, score="logit"):
    """d score / d input, of the shape of `X`."""
    x = np.asarray(X, dtype=np.float64)
    z = logits(model, x)
    seed = score_gradient(z, chosen(model, x, target), score)
    inner = backward(before_softmax(model.layers), x.reshape(-1, *model.input_shape), seed)
    return inner.reshape(x.shape)


def central_differences(function, x, step=1e-5):
    """The gradient of a function of one array to a number."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[place] = step
        gradient[place] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient
