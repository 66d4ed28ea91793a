"""Random networks with wide and deep convolutions, and methods to explain them by."""

import numpy as np

import backlit as bl
from tests.attribution.networks import norm

METHODS = {
    "gradient": {},
    "guided_backprop": {},
    "integrated_gradients": {"steps": 5},
    "blur_integrated_gradients": {"steps": 3},
    "guided_integrated_gradients": {"steps": 3},
    "smoothgrad": {"samples": 4},
    "expected_gradients": {"samples": 6},
    "deeplift": {},
    "deeplift_shap": {},
    "lrp": {"rule": "epsilon_plus"},
    "grad_cam": {},
    "score_cam": {},
    "ablation_cam": {},
    "full_grad": {},
    "occlusion": {},
    "feature_ablation": {},
    "lime": {"samples": 80},
    "kernel_shap": {"samples": 160},
    "shapley_sampling": {"samples": 4},
    "rise": {"samples": 20},
}
OF_SEGMENTS = ("feature_ablation", "lime", "kernel_shap", "shapley_sampling")


def normal(rng, *shape):
    return rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))


def convolution(rng, shape):
    size = int(rng.choice([1, 3, 3, 5]))
    groups = int(rng.choice([1, 1, 2])) if shape[0] % 2 == 0 else 1
    weights = normal(rng, int(rng.choice([2, 4, 6, 16, 20])), shape[0] // groups, size, size)
    stride, padding = int(rng.choice([1, 1, 2])), int(rng.integers(0, size // 2 + 1))
    return bl.Conv2D(weights, 0.1 * rng.normal(size=len(weights)), stride, padding, groups=groups)


def residual(rng, shape):
    first, second = (bl.Conv2D(normal(rng, *shape[:1] * 2, 3, 3), padding=1) for _ in range(2))
    return bl.Residual([first, bl.ReLU(), second], [])


def separable(rng, shape):
    """Only the middle one's windows reach into borders: its input's, and its gradient's."""
    channels, size = 2 * shape[0], int(rng.choice([3, 5]))
    return bl.Residual(
        [
            bl.Conv2D(normal(rng, channels, shape[0], 1, 1), rng.normal(size=channels)),
            activation(rng, shape),
            bl.Conv2D(normal(rng, channels, 1, size, size), padding=size // 2, groups=channels),
            activation(rng, shape),
            bl.Conv2D(normal(rng, shape[0], channels, 1, 1), rng.normal(size=shape[0])),
        ],
        [],
    )


def pooling(rng, shape):
    kind = bl.MaxPool2D if rng.random() < 0.6 else bl.AvgPool2D
    return kind(2) if rng.random() < 0.6 else kind(3, 2, int(rng.integers(0, 2)))


def activation(rng, shape):
    return [bl.ReLU(), bl.ReLU(), bl.Tanh(), bl.LeakyReLU(0.1)][rng.integers(4)]


def normalisation(rng, shape):
    return norm(rng, shape[0])


KINDS = (
    (convolution,) * 4 + (activation,) * 3 + (pooling,) * 2 + (residual, separable, normalisation)
)


def network(rng):
    sides = rng.choice([7, 8, 14, 28]), rng.choice([9, 16])
    shape = input_shape = (int(rng.choice([1, 2, 3])), *map(int, sides))
    layers = [convolution(rng, shape)]
    shape = layers[0].output_shape(shape)
    for _ in range(rng.integers(2, 8)):
        layer = KINDS[rng.integers(len(KINDS))](rng, shape)
        try:
            shape = layer.output_shape(shape)
        except ValueError:  # larger than what is left
            continue
        layers.append(layer)
    layers.append(bl.Flatten())
    layers.append(bl.Dense(normal(rng, 4, int(np.prod(shape))).T, 0.1 * rng.normal(size=4)))
    return bl.Model(layers, input_shape)


def options(rng, name, X):
    """A method's own, with windows and segments of any size."""
    own = dict(METHODS[name])
    if name in ("expected_gradients", "deeplift_shap"):
        own["background"] = X[:3].copy()
    elif name in OF_SEGMENTS:
        own["segments"] = int(rng.choice([1, 2, 3, 4, 5, 7]))
    elif name == "occlusion":
        own["window"] = tuple(int(rng.integers(1, min(n, 6) + 1)) for n in X.shape[2:])
        own["stride"] = tuple(int(rng.integers(1, n + 1)) for n in own["window"])
        own["fill"] = rng.normal(size=X.shape[1:])
    return own
