"""Elementwise kernels, over whole buffers: borders and slack are computed along.

Backward kernels take the gradient of the output in `g` and write the gradient of the input.
Derivatives at kinks are PyTorch's: ReLU'(0) = 0, leaky ReLU'(0) = slope, clip' = 0 at its bounds.
"""

from typing import Any

from backlit_kernels.functions import relu_rule
from backlit_kernels.kernel import kernel
from backlit_kernels.team import vectors
from backlit_kernels.vector import load, maximum, splat, store


@kernel
def add(arena: Any, team: Any, a: int, b: int, out: int, size: int) -> None:
    for i in vectors(team, size):
        store(arena, out + i, load(arena, a + i) + load(arena, b + i))


@kernel
def relu(arena: Any, team: Any, x: int, out: int, size: int) -> None:
    zero = splat(0.0)
    for i in vectors(team, size):
        store(arena, out + i, maximum(zero, load(arena, x + i)))


@kernel
def relu_backward(
    arena: Any, team: Any, y: int, g: int, out: int, size: int, masked: int, rectified: int
) -> None:
    for i in vectors(team, size):
        value = relu_rule(load(arena, g + i), load(arena, y + i), masked, rectified)
        store(arena, out + i, value)
