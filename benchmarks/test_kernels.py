"""Kernels on one core: products' share of the measured peak, the others' of a copy's bandwidth."""

from functools import cache

import machine
import numpy as np
import pytest
from instructions import time_instructions

import backlit as bl

RNG = np.random.default_rng(0)
IN_CACHE, IN_MEMORY = 2**17, 2**27  # bytes: a copy within the L2 cache, and one far beyond any


def images(channels: int, size: int, *layers) -> bl.Model:
    """Layers on images, their output averaged to logits."""
    ends = [bl.GlobalAvgPool2D(), bl.Flatten()]
    return bl.Model([*layers, *ends], input_shape=(channels, size, size))


def convolution(channels: int, filters: int, size: int) -> bl.Model:
    weights = RNG.standard_normal((filters, channels, 3, 3)) / np.sqrt(9 * channels)
    return images(channels, size, bl.Conv2D(weights, padding=1))


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
    "dense 784 to 128": lambda: fully_connected(784, 128),
    "dense 512 to 512": lambda: fully_connected(512, 512),
    "dense 2048 to 2048": lambda: fully_connected(2048, 2048),
}
IMAGES = 8, 14  # channels and size of the images for what follows; within the L2 cache
FEATURES = {
    "ReLU": bl.ReLU(),
    "LeakyReLU": bl.LeakyReLU(),
    "Clip": bl.Clip(0, 6),
    "Sigmoid": bl.Sigmoid(),
    "Tanh": bl.Tanh(),
    "BatchNorm": bl.BatchNorm(*np.full((4, 8), 0.5)),
    "MaxPool2D 2": bl.MaxPool2D(2),
    "MaxPool2D 3, stride 2, padding 1": bl.MaxPool2D(3, stride=2, padding=1),
    "AvgPool2D 2": bl.AvgPool2D(2),
}


def tile_lanes(model: bl.Model) -> int:
    """How many samples lie side by side when there are many."""
    return model._programs.tile_lanes


@cache
def timings(layer: str):
    if layer in PRODUCTS:
        model = PRODUCTS[layer]()
        # the loss's gradient has an entry for each class: no product leaves out what is zero
        return time_instructions(model, tile_lanes(model), score="loss")
    model = images(*IMAGES, FEATURES[layer])
    return time_instructions(model, tile_lanes(model))


@pytest.fixture(scope="module")
def peak() -> float:
    return machine.fma_peak()


@pytest.fixture(scope="module")
def bandwidth() -> float:
    return machine.copy_bandwidth(IN_CACHE)


def test_peaks(peak, bandwidth, record):
    memory = machine.copy_bandwidth(IN_MEMORY)
    for what, rate, unit in (
        ("fused multiply-adds", peak, "GFLOP/s"),
        ("copy within the L2 cache, read and written", bandwidth, "GB/s"),
        ("copy within main memory, read and written", memory, "GB/s"),
    ):
        record("peaks", {"what": what, "rate": rate, "unit": unit})


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("layer", PRODUCTS)
def test_product(layer, backward, peak, benchmark, replay, record):
    model = PRODUCTS[layer]()
    parts = [t for t in timings(layer) if is_product(t.kernel) and t.backward == backward]
    assert parts
    seconds = [sum(turn) for turn in zip(*(t.seconds for t in parts), strict=True)]
    benchmark.group = "kernels: products"
    replay(benchmark, seconds)
    operations = 2 * tile_lanes(model) * multiply_adds(model)
    done = operations * share_of_products(model, parts)
    median = float(np.median(seconds))
    record(
        "kernels",
        {
            "layer": layer + (", input gradient" if backward else ""),
            "kernel": ", ".join(sorted({t.kernel for t in parts})),
            "seconds": median,
            "rate": operations / median,
            "unit": "GFLOP/s",
            "share": operations / median / peak,
            "done": done / median / peak,
        },
    )


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
    """For one sample, in the one layer with weights."""
    weights = model.layers[0].weights
    return weights.size if weights.ndim == 2 else weights.size * int(np.prod(model.input_shape[1:]))


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("layer", FEATURES)
def test_feature(layer, backward, bandwidth, benchmark, replay, record):
    timing = timings(layer)[-2 if backward else 1]  # samples are loaded before, stored after it
    benchmark.group = "kernels: features"
    replay(benchmark, timing.seconds)
    rate = 4 * timing.floats / timing.median
    record(
        "features",
        {
            "layer": layer + (", backward" if backward else ""),
            "kernel": timing.kernel,
            "seconds": timing.median,
            "rate": rate,
            "unit": "GB/s",
            "share": rate / bandwidth,
        },
    )
