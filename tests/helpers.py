"""Random layers and inputs, comparisons, and other processes."""

import os
import subprocess
import sys

import numpy as np

import backlit as bl
from backlit import engine


def grid(rng, *shape, most=3):
    """Small whole numbers: sums of their products are exact in float32, ties and kinks included."""
    return rng.integers(-most, most + 1, shape).astype(np.float32)


def ending(rng, layers, input_shape, classes=3):
    """A model of layers, made to end in class scores by a dense layer."""
    shape = tuple(input_shape)
    for layer in layers:
        shape = layer.output_shape(shape)
    layers = list(layers)
    if len(shape) > 1:
        layers.append(bl.Flatten())
    layers.append(bl.Dense(grid(rng, int(np.prod(shape)), classes)))
    return bl.Model(layers, input_shape)


def assert_close(found, expected, tolerance=1e-5):
    """Equal to a share of the largest value."""
    assert found.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-30)
    worst = np.abs(found - expected).max(initial=0)
    assert worst <= tolerance * scale, f"differs by {worst / scale:.3g} of the largest value"


def filled_with(value, aligned=engine.aligned):
    """Makes arenas, in place of `engine.aligned`, that hold a value until something is written."""

    def fill(size):
        memory = aligned(size)
        memory.fill(value)
        return memory

    return fill


def examples(number):
    """How many random cases: so many where new ones are drawn, of those of every run a third."""
    return number if "HYPOTHESIS_PROFILE" in os.environ else -(-number // 3)


def run_python(code, **environment):
    """Run code in another process; returns what it printed, fails with what it complained of."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    return result
