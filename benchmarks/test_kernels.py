"""Kernels on one core: products' share of the measured peak, the others' of a copy's bandwidth."""

from functools import cache
from math import prod

import machine
import numpy as np
import pytest
from instructions import time_instructions

import backlit as bl
from backlit.layers.base import Layer

RNG = np.random.default_rng(0)
IN_CACHE, IN_MEMORY = 2**17, 2**27  # bytes: a copy within the L2 cache, and one far beyond any


def convolution(channels: int, filters: int, size: int, side: int = 3, **options) -> bl.Model:
    """A convolution of images, its output averaged to logits."""
    inputs = channels // options.get("groups", 1)
    weights = RNG.standard_normal((filters, inputs, side, side)) / np.sqrt(side * side * inputs)
    padding = side // 2 * options.get("dilation", 1)
    return bl.Model(
        [bl.Conv2D(weights, padding=padding, **options), bl.GlobalAvgPool2D(), bl.Flatten()],
        input_shape=(channels, size, size),
    )


def fully_connected(inputs: int, outputs: int) -> bl.Model:
    weights = RNG.standard_normal((inputs, outputs)) / np.sqrt(inputs)
    return bl.Model([bl.Dense(weights)], input_shape=(inputs,))


PRODUCTS = {
    "conv 3x3, 4 to 8, 28x28": lambda: convolution(4, 8, 28),
    "conv 3x3, 8 to 16, 14x14": lambda: convolution(8, 16, 14),
    "conv 3x3, 16 to 32, 14x14": lambda: convolution(16, 32, 14),
    "conv 3x3, 32 to 64, 14x14": lambda: convolution(32, 64, 14),
    "conv 3x3, 32 to 64, 28x28": lambda: convolution(32, 64, 28),
    "conv 3x3, 64 to 64, 14x14": lambda: convolution(64, 64, 14),
    "conv 3x3, 128 to 128, 14x14": lambda: convolution(128, 128, 14),
    "conv 3x3, 16 to 32, 28x28, stride 2": lambda: convolution(16, 32, 28, stride=2),
    "conv 3x3, 16 to 32, 14x14, dilation 2": lambda: convolution(16, 32, 14, dilation=2),
    "conv 3x3, 32 to 64, 14x14, 4 groups": lambda: convolution(32, 64, 14, groups=4),
    "conv 1x1, 64 to 128, 14x14": lambda: convolution(64, 128, 14, side=1),
    "dense 784 to 128": lambda: fully_connected(784, 128),
    "dense 512 to 512": lambda: fully_connected(512, 512),
    "dense 2048 to 2048": lambda: fully_connected(2048, 2048),
}
IMAGES = 8, 14, 14  # for what follows; within the L2 cache
FEATURES = {  # the layer, and what its kernel is known by
    "ReLU": (bl.ReLU(), "elementwise.relu"),
    "LeakyReLU": (bl.LeakyReLU(), "leaky_relu"),
    "Clip": (bl.Clip(0, 6), "clip"),
    "Sigmoid": (bl.Sigmoid(), "sigmoid"),
    "Tanh": (bl.Tanh(), "tanh"),
    "BatchNorm": (bl.BatchNorm(*np.full((4, 8), 0.5)), "affine"),
    "residual addition": (bl.Residual([bl.ReLU()]), "elementwise.add"),
    "MaxPool2D 2": (bl.MaxPool2D(2), "pooling_max_pool"),
    "MaxPool2D 3, stride 2, padding 1": (bl.MaxPool2D(3, 2, padding=1), "pooling_max_pool"),
    "AvgPool2D 2": (bl.AvgPool2D(2), "pooling_average_pool"),
    "GlobalAvgPool2D": (bl.GlobalAvgPool2D(), "pooling_average_pool"),
    "softmax": (bl.Softmax(), "scores_softmax"),
    "log-softmax": (bl.LogSoftmax(), "scores_log_softmax"),
    "depthwise conv 3x3": (
        bl.Conv2D(RNG.standard_normal((8, 1, 3, 3)), padding=1, groups=8),
        "product_1x",
    ),
}
ZEROS = "channels.fill_zero", "channels.zero_border"  # before sums, around images: they count too


def feature(layer: Layer) -> bl.Model:
    """A layer on images (softmax on a list of features), and a dense layer after it."""
    flat = isinstance(layer, bl.Softmax | bl.LogSoftmax)
    shape = (prod(IMAGES),) if flat else IMAGES
    features = prod(layer.output_shape(shape))
    ends = [bl.Flatten(), bl.Dense(RNG.standard_normal((features, 10)))]
    return bl.Model([layer, *ends], input_shape=shape)


def tile_lanes(model: bl.Model) -> int:
    """How many samples lie side by side when there are many."""
    return model._programs.tile_lanes


@cache
def timings(layer: str):
    if layer in PRODUCTS:
        model = PRODUCTS[layer]()
        # the loss's gradient has an entry for each class: no product leaves out what is zero
        return time_instructions(model, tile_lanes(model), score="loss", beside=machine.fma_rate)
    model = feature(FEATURES[layer][0])
    return time_instructions(model, tile_lanes(model))


@pytest.fixture
def bandwidth() -> float:
    return machine.copy_bandwidth(IN_CACHE)


def test_peaks(bandwidth, record):
    memory = machine.copy_bandwidth(IN_MEMORY)
    for what, rate, unit in (
        ("fused multiply-adds", machine.fma_peak(), "GFLOP/s"),
        ("the same, all cores at once", machine.fma_peak_of_all(), "GFLOP/s"),
        ("copy within the L2 cache, read and written", bandwidth, "GB/s"),
        ("copy within main memory, read and written", memory, "GB/s"),
    ):
        record("peaks", {"what": what, "rate": rate, "unit": unit})


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("layer", PRODUCTS)
def test_product(layer, backward, benchmark, replay, record):
    model = PRODUCTS[layer]()
    parts = [t for t in timings(layer) if is_product(t.kernel) and t.backward == backward]
    assert parts
    seconds = summed(parts)
    benchmark.group = "kernels: products"
    replay(benchmark, seconds)
    operations = 2 * tile_lanes(model) * multiply_adds(model)
    done = operations * share_of_products(model, parts)
    # measured in turns with each: a shared machine's speed comes and goes
    peak = max(rate for t in parts for rate in t.beside)
    quickest = sum(t.quickest for t in parts)
    record(
        "kernels",
        {
            "layer": layer + (", input gradient" if backward else ""),
            "kernel": ", ".join(sorted({t.kernel for t in parts})),
            "seconds": quickest,
            "rate": operations / quickest,
            "unit": "GFLOP/s",
            "share": operations / quickest / peak,
            "done": done / quickest / peak,
        },
    )


def summed(parts: list) -> list[float]:
    """The seconds of several instructions, round by round."""
    return [sum(turn) for turn in zip(*(t.seconds for t in parts), strict=True)]


def is_product(kernel: str) -> bool:
    """Whether a kernel is a part of a product: Winograd's method has its transforms."""
    return "product" in kernel or "winograd" in kernel


def share_of_products(model: bl.Model, parts: list) -> float:
    """How many of the products of direct sums are done, where Winograd's method saves some."""
    kernels = " ".join(t.kernel for t in parts)
    if "winograd" not in kernels:
        return 1.0
    m = 4 if "winograd_transform_input_4" in kernels else 2  # outputs on a patch's side
    height, width = model.input_shape[1:]
    patches = -(-height // m) * -(-width // m)
    return (m + 2) ** 2 * patches / (9 * height * width)


def multiply_adds(model: bl.Model) -> int:
    """For one sample, in the first layer."""
    layer = model.layers[0]
    return layer.weights.size * prod(layer.output_shape(model.input_shape)[1:])


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("layer", FEATURES)
def test_feature(layer, backward, bandwidth, benchmark, replay, record):
    side = [t for t in timings(layer) if t.backward == backward]
    (kernel,) = [t for t in side if FEATURES[layer][1] in t.kernel]
    parts = [kernel, *(t for t in side if t.kernel in ZEROS)]
    benchmark.group = "kernels: features"
    replay(benchmark, summed(parts))
    quickest = sum(t.quickest for t in parts)
    rate = 4 * kernel.floats / quickest
    record(
        "features",
        {
            "layer": layer + (", backward" if backward else ""),
            "kernel": kernel.kernel,
            "seconds": quickest,
            "rate": rate,
            "unit": "GB/s",
            "share": rate / bandwidth,
        },
    )
