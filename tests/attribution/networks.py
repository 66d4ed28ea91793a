"""Small random networks that together have every kind of layer, and samples for them."""

from typing import Any

import numpy as np

import backlit as bl


def dense(rng: np.random.Generator, rows: int, columns: int) -> bl.Dense:
    weights = rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)
    return bl.Dense(weights, rng.standard_normal(columns) * 0.1)


def conv(rng: np.random.Generator, channels: int, filters: int, **options: Any) -> bl.Conv2D:
    weights = rng.standard_normal((filters, channels, 3, 3)) * np.sqrt(2 / (9 * channels))
    return bl.Conv2D(weights, rng.standard_normal(filters) * 0.1, **options)


def norm(rng: np.random.Generator, channels: int) -> bl.BatchNorm:
    gamma, beta, mean = rng.standard_normal((3, channels))
    return bl.BatchNorm(gamma, beta * 0.1, mean * 0.1, rng.uniform(0.5, 1.5, channels))


def fully_connected(seed: int = 0) -> bl.Model:
    rng = np.random.default_rng(seed)
    layers = [dense(rng, 21, 15), bl.ReLU(), dense(rng, 15, 9), bl.ReLU(), dense(rng, 9, 4)]
    return bl.Model(layers, (21,))


def pooled(seed: int = 0) -> bl.Model:
    """Overlapping and padded pooling, an odd image size."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 2, 5, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(3, stride=2, padding=1),
        conv(rng, 5, 6),
        bl.ReLU(),
        bl.AvgPool2D(2, stride=1),
        bl.ReLU(),
        bl.Flatten(),
        dense(rng, 6 * 2 * 3, 5),
    ]
    return bl.Model(layers, (2, 9, 11))


def residual(seed: int = 0) -> bl.Model:
    """Residual additions, batch normalisation, max-pooling, global average pooling."""
    rng = np.random.default_rng(seed)
    body = [conv(rng, 4, 4, padding=1), norm(rng, 4), bl.ReLU(), conv(rng, 4, 4, padding=1)]
    wider = [conv(rng, 4, 6, padding=1), bl.ReLU(), conv(rng, 6, 6, padding=1)]
    layers = [
        conv(rng, 3, 4, padding=1),
        norm(rng, 4),
        bl.ReLU(),
        bl.Residual(body, []),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Residual(wider, [conv(rng, 4, 6, padding=1)]),
        bl.ReLU(),
        bl.GlobalAvgPool2D(),
        bl.Flatten(),
        dense(rng, 6, 7),
    ]
    return bl.Model(layers, (3, 8, 6))


def pooled_twice(seed: int = 0) -> bl.Model:
    """Convolutions whose outputs only a pooling needs, one of them by Winograd's method."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 2, 16, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        conv(rng, 16, 17, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Flatten(),
        dense(rng, 17 * 2 * 3, 4),
    ]
    return bl.Model(layers, (2, 9, 13))


NETWORKS = {
    "fully connected": fully_connected,
    "pooled": pooled,
    "residual": residual,
    "pooled twice": pooled_twice,
}


def samples(model: bl.Model, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, *model.input_shape)).astype(np.float32)
