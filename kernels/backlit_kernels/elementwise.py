"""Elementwise kernels, over whole buffers: borders and slack are computed along.

Backward kernels take the gradient of the output in `g` and write the gradient of the input.
Derivatives at kinks are PyTorch's: ReLU'(0) = 0, leaky ReLU'(0) = slope, clip' = 0 at its bounds.
"""

from typing import Any

from backlit_kernels.functions import relu_rule, sigmoid, tanh
from backlit_kernels.kernel import kernel
from backlit_kernels.vector import LANES, load, load_one, maximum, minimum, select, splat, store


@kernel
def add(arena: Any, a: int, b: int, out: int, size: int) -> None:
    for i in range(0, size, LANES):
        store(arena, out + i, load(arena, a + i) + load(arena, b + i))


@kernel
def relu(arena: Any, x: int, out: int, size: int) -> None:
    zero = splat(0.0)
    for i in range(0, size, LANES):
        store(arena, out + i, maximum(zero, load(arena, x + i)))


@kernel
def relu_backward(
    arena: Any, y: int, g: int, out: int, size: int, masked: int, rectified: int
) -> None:
    for i in range(0, size, LANES):
        value = relu_rule(load(arena, g + i), load(arena, y + i), masked, rectified)
        store(arena, out + i, value)


@kernel
def leaky_relu(arena: Any, constants: Any, x: int, out: int, size: int, slope: int) -> None:
    zero, factor = splat(0.0), load_one(constants, slope)
    for i in range(0, size, LANES):
        value = load(arena, x + i)
        store(arena, out + i, select(value > zero, value, value * factor))


@kernel
def leaky_relu_backward(
    arena: Any, constants: Any, x: int, g: int, out: int, size: int, slope: int
) -> None:
    zero, factor = splat(0.0), load_one(constants, slope)
    for i in range(0, size, LANES):
        value = load(arena, g + i)
        store(arena, out + i, select(load(arena, x + i) > zero, value, value * factor))


@kernel
def clip(arena: Any, constants: Any, x: int, out: int, size: int, bounds: int) -> None:
    """Clip to the two constants at `bounds`."""
    low, high = load_one(constants, bounds), load_one(constants, bounds + 1)
    for i in range(0, size, LANES):
        store(arena, out + i, minimum(high, maximum(low, load(arena, x + i))))


@kernel
def clip_backward(
    arena: Any, constants: Any, x: int, g: int, out: int, size: int, bounds: int
) -> None:
    low, high = load_one(constants, bounds), load_one(constants, bounds + 1)
    zero = splat(0.0)
    for i in range(0, size, LANES):
        value = load(arena, x + i)
        inside = (value > low) & (value < high)
        store(arena, out + i, select(inside, load(arena, g + i), zero))


@kernel
def sigmoid_forward(arena: Any, x: int, out: int, size: int) -> None:
    for i in range(0, size, LANES):
        store(arena, out + i, sigmoid(load(arena, x + i)))


@kernel
def sigmoid_backward(arena: Any, y: int, g: int, out: int, size: int) -> None:
    """y (1 - y) g, with y the sigmoid."""
    one = splat(1.0)
    for i in range(0, size, LANES):
        y_ = load(arena, y + i)
        store(arena, out + i, load(arena, g + i) * y_ * (one - y_))


@kernel
def tanh_forward(arena: Any, x: int, out: int, size: int) -> None:
    for i in range(0, size, LANES):
        store(arena, out + i, tanh(load(arena, x + i)))


@kernel
def tanh_backward(arena: Any, y: int, g: int, out: int, size: int) -> None:
    """(1 - y^2) g, with y the tanh."""
    one = splat(1.0)
    for i in range(0, size, LANES):
        y_ = load(arena, y + i)
        store(arena, out + i, load(arena, g + i) * (one - y_ * y_))
