"""The models of the benchmarks, and random stand-ins where a carried one is missing."""

import numpy as np

import backlit as bl


def load(name: str) -> bl.Model:
    """A carried model by name; one of the same architecture with random weights if not carried."""
    if hasattr(bl.models, name):
        return getattr(bl.models, name)()
    return RANDOM[name](np.random.default_rng(0))


def random_fc(rng: np.random.Generator) -> bl.Model:
    """784-128-64-10."""
    layers = [
        bl.Flatten(),
        dense(rng, 784, 128),
        bl.ReLU(),
        dense(rng, 128, 64),
        bl.ReLU(),
        dense(rng, 64, 10),
    ]
    return bl.Model(layers, input_shape=(1, 28, 28))


def random_cnn(rng: np.random.Generator) -> bl.Model:
    """conv 4, pool, conv 8, pool, dense 10."""
    layers = [
        conv(rng, 1, 4, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        conv(rng, 4, 8, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Flatten(),
        dense(rng, 8 * 7 * 7, 10),
    ]
    return bl.Model(layers, input_shape=(1, 28, 28))


def random_cnn_wide(rng: np.random.Generator) -> bl.Model:
    """conv 32, conv 64, pool, dense 128, dense 10."""
    layers = [
        conv(rng, 1, 32),
        bl.ReLU(),
        conv(rng, 32, 64),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Flatten(),
        dense(rng, 64 * 12 * 12, 128),
        bl.ReLU(),
        dense(rng, 128, 10),
    ]
    return bl.Model(layers, input_shape=(1, 28, 28))


RANDOM = {"mnist_fc": random_fc, "mnist_cnn": random_cnn, "mnist_cnn_wide": random_cnn_wide}


def dense(rng: np.random.Generator, rows: int, columns: int) -> bl.Dense:
    """A dense layer with weights as He et al. (2015) draw them."""
    weights = rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)
    return bl.Dense(weights.astype(np.float32), np.zeros(columns, np.float32))


def conv(rng: np.random.Generator, channels: int, filters: int, padding: int = 0) -> bl.Conv2D:
    """A 3x3 convolution, weights likewise."""
    weights = rng.standard_normal((filters, channels, 3, 3)) * np.sqrt(2 / (9 * channels))
    return bl.Conv2D(weights.astype(np.float32), np.zeros(filters, np.float32), padding=padding)
