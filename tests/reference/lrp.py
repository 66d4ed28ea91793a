"""Layer-wise relevance propagation with zennit's rules, from the matrix of every linear layer."""

import dataclasses

import numpy as np

import backlit as bl
from backlit.layers import ConvTranspose2D
from tests.reference.layers import BACKWARD
from tests.reference.network import before_softmax, chosen, forward, score_values, step

LINEAR = (bl.Conv2D, ConvTranspose2D, bl.Dense)
POOLING = (bl.AvgPool2D, bl.GlobalAvgPool2D, bl.BatchNorm)
STABILISER = 1e-6


def stabilise(z, epsilon=STABILISER):
    return z + np.where(z >= 0, epsilon, -epsilon)


def matrix(layers, shape):
    """Matrix and bias of an affine chain of layers, on flattened samples."""
    size = int(np.prod(shape))
    basis = np.concatenate([np.zeros((1, size)), np.eye(size)]).reshape(-1, *shape)
    images = forward(layers, basis).reshape(size + 1, -1)
    return images[1:] - images[0], images[0]


def hand_down(name, x, w, taps, b, r, options):
    """Relevances of one sample's inputs; `taps` is 1 where there is a weight, even if it is 0."""
    n = x[:, None] * w
    up, down = np.maximum(n, 0), np.minimum(n, 0)
    up_b, down_b = np.maximum(b, 0), np.minimum(b, 0)
    if name == "epsilon":
        return n @ (r / stabilise(n.sum(0) + b, options["epsilon"]))
    if name in ("z_plus", "alpha1_beta0"):
        return up @ (r / stabilise(up.sum(0) + up_b))
    if name == "alpha2_beta1":
        positive = up @ (r / stabilise(up.sum(0) + up_b))
        return 2 * positive - down @ (r / stabilise(down.sum(0) + down_b))
    if name == "gamma":
        gamma, z = options["gamma"], n.sum(0) + b
        more, more_b = n + gamma * up, b + gamma * up_b
        less, less_b = n + gamma * down, b + gamma * down_b
        result = more @ (np.where(z > 0, r, 0) / stabilise(more.sum(0) + more_b))
        return result + less @ (np.where(z < 0, r, 0) / stabilise(less.sum(0) + less_b))
    if name == "w_square":
        return w**2 @ (r / stabilise((w**2).sum(0) + b**2))
    if name == "flat":
        return taps @ (r / stabilise(taps.sum(0)))
    assert name == "z_box"
    low, high = options["low"], options["high"]
    n = n - low * np.maximum(w, 0) - high * np.minimum(w, 0)
    return n @ (r / stabilise(n.sum(0)))


def affine(layers, x, r, rule, options):
    name, *own = [rule] if isinstance(rule, str) else rule
    if own:
        options = options | {name: own[0]}
    w, b = matrix(layers, x.shape[1:])
    taps = np.ones_like(w)
    if name == "flat":
        ones = dataclasses.replace(layers[0], weights=np.ones_like(layers[0].weights), bias=None)
        taps, _ = matrix([ones], x.shape[1:])
    shares = [
        hand_down(name, row.ravel(), w, taps, b, relevance.ravel(), options)
        for row, relevance in zip(x, r, strict=True)
    ]
    return np.reshape(shares, x.shape)


def back(layers, x, r, rules, options, prefix=""):
    steps = []  # (names of the layer and its rule, layers, input)
    position = 0
    while position < len(layers):
        group = layers[position : position + 1]
        follower = layers[position + 1 : position + 2]
        if isinstance(group[0], LINEAR) and follower and isinstance(follower[0], bl.BatchNorm):
            group = [group[0], follower[0]]
        steps.append((f"{prefix}{position}", group, x))
        x = forward(group, x)
        position += len(group)
    for name, group, value in reversed(steps):
        layer = group[0]
        if isinstance(layer, LINEAR):
            r = affine(group, value, r, rules.get(name, "epsilon"), options)
        elif isinstance(layer, POOLING):
            r = affine(group, value, r, "epsilon", {"epsilon": STABILISER})
        elif isinstance(layer, bl.Residual):
            parts = {"body": layer.body, "shortcut": layer.shortcut}
            values = {part: forward(chain, value) for part, chain in parts.items()}
            s = r / stabilise(values["body"] + values["shortcut"])
            r = sum(
                back(list(chain), value, values[part] * s, rules, options, f"{name}.{part}.")
                for part, chain in parts.items()
            )
        elif isinstance(layer, bl.MaxPool2D | bl.Flatten):
            r = BACKWARD[type(layer)](layer, value, r)
        else:
            assert step(layer, value).shape == value.shape
    return r


def lrp(model, X, rules, target=None, score="logit", **options):
    """`rules` are names, or names and parameters, by the layer's place; epsilon where none is."""
    options = {"epsilon": 1e-6, "gamma": 0.25, "low": 0.0, "high": 1.0} | options
    x = np.asarray(X, dtype=np.float64)
    layers = before_softmax(model.layers)
    z, targets = forward(layers, x), chosen(model, x, target)
    r = np.eye(model.classes)[targets] * score_values(z, targets, score)[:, None]
    return back(layers, x, r, rules, options)
