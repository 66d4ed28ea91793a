"""Activation functions as written out: SiLU, hard swish, Mish and GELU, which are products, and
softplus, which is x itself above a threshold.
"""

import numpy as np
from numpy.polynomial import Polynomial

from backlit.importers.builder import arithmetic
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, Value
from backlit.layers import Activation, Clip, Layer, Sigmoid, Tanh
from backlit.operators import Add, Binary

LEAST = 15  # from here on, softplus is x to float32's digits
# Of what GELU takes the error function, and its approximation tanh
LINEAR = Polynomial([0, np.sqrt(0.5)])
CUBIC = np.sqrt(2 / np.pi) * Polynomial([0, 1, 0, 0.044715])


def softplus(b: GraphBuilder, condition: Tensor, x: Value, y: Value) -> Tensor | None:
    """x where beta x is above a threshold, else log(1 + exp(beta x)) / beta: softplus anyhow."""
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return None
    step, difference = _step_back(b, condition.number)
    divided, logarithm = _unscaled(b, y.number)
    layer, source = _step_back(b, logarithm)
    if _is(layer, "log"):
        layer, source = _step_back(b, source)
        exponential, source = _step_back(b, source)
        found = _is(layer, "scale", 1.0, 1.0) and _is(exponential, "exp")
    else:
        found = _is(layer, "softplus", 1.0)
    if not found or divided <= 0 or not _is(step, "step", 0.0):
        return None
    slope, offset, compared = _affine(b, difference)
    factor, shift, origin = _affine(b, x.number)
    inner, start, scaled = _affine(b, source)
    beta = 1 / divided
    alike = np.allclose((inner, start, slope), (beta * factor, beta * shift, inner), rtol=1e-6)
    if not origin == scaled == compared or not alike or start - offset < LEAST:
        return None
    return arithmetic.unary(b, "softplus", x, beta=beta)


def product(b: GraphBuilder, x: Value, y: Value) -> Tensor:
    """x * y, as one activation function where it is one."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        for whole, gate in ((x, y), (y, x)):
            found = _gated(b, whole, gate)
            if found is not None:
                return found
    return arithmetic.binary(b, "multiply", x, y)


def _gated(b: GraphBuilder, x: Tensor, gate: Tensor) -> Tensor | None:
    layer, source = _step_back(b, gate.number)
    if isinstance(layer, Sigmoid) and source == x.number:
        return arithmetic.unary(b, "silu", x)
    if _is(layer, "hard_sigmoid", 1 / 6, 0.5) and source == x.number:
        return arithmetic.unary(b, "hard_swish", x)
    if isinstance(layer, Tanh):
        inner, start = _step_back(b, source)
        if _is(inner, "softplus", 1.0) and start == x.number:
            return arithmetic.unary(b, "mish", x)
    return hard_swish(b, x, gate) or gelu(b, x, gate)


def hard_swish(b: GraphBuilder, x: Tensor, gate: Tensor) -> Tensor | None:
    """x * d clip(x + 3, 0, 6) is 6 d times hard swish."""
    d, shift, clipped = _affine(b, gate.number)
    layer, source = _step_back(b, clipped)
    if shift != 0 or not isinstance(layer, Clip) or layer.parameters != (0, 6):
        return None
    factor, offset, origin = _affine(b, x.number)
    slope, start, same = _affine(b, source)
    if same != origin or not np.allclose((slope, start), (factor, offset + 3), rtol=1e-6):
        return None
    whole = arithmetic.unary(b, "hard_swish", x)
    return arithmetic.scale(b, whole, float(np.float32(6 * d)))


def gelu(b: GraphBuilder, x: Tensor, gate: Tensor) -> Tensor | None:
    """c x * d (1 + erf(x / sqrt(2))) is 2 c d GELU(x); with a tanh it is its approximation."""
    d, shift, rise = _affine(b, gate.number)
    layer, source = _step_back(b, rise)
    if shift != d or not (isinstance(layer, Tanh) or _is(layer, "erf")):
        return None
    name, inside = ("gelu_tanh", CUBIC) if isinstance(layer, Tanh) else ("gelu", LINEAR)
    for c, origin in ((1.0, x.number), _unscaled(b, x.number)):
        found = _as_polynomial(b, source, origin)
        if found is not None and _alike(found, inside):
            whole = arithmetic.unary(b, name, Tensor(origin, x.shape))
            return arithmetic.scale(b, whole, 2 * c * d)
    return None


def _as_polynomial(b: GraphBuilder, tensor: int, x: int) -> Polynomial | None:
    """A tensor as a polynomial of another, if that is of degree 3 at most."""
    found = {x: Polynomial([0, 1])}
    for node in b.graph.nodes:
        if x < node.output <= tensor and all(source in found for source in node.inputs):
            value = _polynomial(node.layer, [found[source] for source in node.inputs])
            if value is not None and value.degree() <= 3:
                found[node.output] = value
    return found.get(tensor)


def _polynomial(layer: Layer, inputs: list[Polynomial]) -> Polynomial | None:
    """What a layer makes of polynomials, if that is one."""
    if isinstance(layer, Add) or (isinstance(layer, Binary) and layer.function == "add"):
        return inputs[0] + inputs[1]
    if isinstance(layer, Binary) and layer.function == "multiply":
        return inputs[0] * inputs[1]
    if isinstance(layer, Activation) and layer.name == "scale":
        factor, shift = layer.parameters
        return factor * inputs[0] + shift
    if _is(layer, "square"):
        return inputs[0] ** 2
    return inputs[0] ** 3 if _is(layer, "power", 3.0) else None


def _alike(a: Polynomial, b: Polynomial) -> bool:
    """Whether polynomials have the same coefficients, to float32's digits."""
    return a.degree() == b.degree() and np.allclose(a.coef, b.coef, rtol=1e-6, atol=1e-9)


def _unscaled(b: GraphBuilder, tensor: int) -> tuple[float, int]:
    """A tensor as a factor times another."""
    factor, shift, source = _affine(b, tensor)
    return (factor, source) if shift == 0 else (1.0, tensor)


def _affine(b: GraphBuilder, tensor: int) -> tuple[float, float, int]:
    """A tensor as a factor times another, plus a number."""
    layer, source = _step_back(b, tensor)
    if isinstance(layer, Activation) and layer.name == "scale":
        factor, shift = layer.parameters
        return factor, shift, source
    return 1.0, 0.0, tensor


def _step_back(b: GraphBuilder, tensor: int) -> tuple[Layer | None, int]:
    """The layer that a tensor comes from, and that layer's input."""
    node = b.graph.producer(tensor)
    return (node.layer, node.inputs[0]) if node and node.inputs else (None, -1)


def _is(layer: Layer | None, name: str, *parameters: float) -> bool:
    return (
        isinstance(layer, Activation)
        and layer.name == name
        and np.allclose(layer.parameters[: len(parameters)], parameters, rtol=1e-6, atol=1e-9)
    )
