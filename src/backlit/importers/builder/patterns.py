"""Activation functions as written out: SiLU, hard swish, Mish and GELU, which are products, and
softplus, which is x itself above a threshold.
"""

import numpy as np
from numpy.polynomial import Polynomial

from backlit.importers.builder import GraphBuilder, Tensor, Value
from backlit.layers import Activation, Layer, Sigmoid, Tanh
from backlit.operators import Add, Binary

LEAST = 15  # from here on, softplus is x to float32's digits
# Of what GELU takes the error function, and its approximation tanh
LINEAR = Polynomial([0, np.sqrt(0.5)])
CUBIC = np.sqrt(2 / np.pi) * Polynomial([0, 1, 0, 0.044715])


def softplus(builder: GraphBuilder, condition: Tensor, a: Value, b: Value) -> Tensor | None:
    """x where beta x is above a threshold, else log(1 + exp(beta x)) / beta: softplus anyhow."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    step, difference = _step_back(builder, condition.number)
    divided, logarithm = _unscaled(builder, b.number)
    layer, source = _step_back(builder, logarithm)
    if _is(layer, "log"):
        layer, source = _step_back(builder, source)
        exponential, source = _step_back(builder, source)
        found = _is(layer, "scale", 1.0, 1.0) and _is(exponential, "exp")
    else:
        found = _is(layer, "softplus", 1.0)
    if not found or divided <= 0 or not _is(step, "step", 0.0):
        return None
    slope, offset, compared = _affine(builder, difference)
    factor, shift, origin = _affine(builder, a.number)
    inner, start, scaled = _affine(builder, source)
    beta = 1 / divided
    alike = np.allclose((inner, start, slope), (beta * factor, beta * shift, inner), rtol=1e-6)
    if not origin == scaled == compared or not alike or start - offset < LEAST:
        return None
    return builder.activation(a, "softplus", beta=beta)


def product(builder: GraphBuilder, a: Value, b: Value) -> Tensor:
    """a * b, as one activation function where it is one."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        for x, gate in ((a, b), (b, a)):
            found = _gated(builder, x, gate)
            if found is not None:
                return found
    return builder.binary("multiply", a, b)


def _gated(builder: GraphBuilder, x: Tensor, gate: Tensor) -> Tensor | None:
    layer, source = _step_back(builder, gate.number)
    if isinstance(layer, Sigmoid) and source == x.number:
        return builder.activation(x, "silu")
    if _is(layer, "hard_sigmoid", 1 / 6, 0.5) and source == x.number:
        return builder.activation(x, "hard_swish")
    if isinstance(layer, Tanh):
        inner, start = _step_back(builder, source)
        if _is(inner, "softplus", 1.0) and start == x.number:
            return builder.activation(x, "mish")
    return gelu(builder, x, gate)


def gelu(builder: GraphBuilder, x: Tensor, gate: Tensor) -> Tensor | None:
    """c x * d (1 + erf(x / sqrt(2))) is 2 c d GELU(x); with a tanh it is its approximation."""
    d, shift, rise = _affine(builder, gate.number)
    layer, source = _step_back(builder, rise)
    if shift != d or not (isinstance(layer, Tanh) or _is(layer, "erf")):
        return None
    name, inside = ("gelu_tanh", CUBIC) if isinstance(layer, Tanh) else ("gelu", LINEAR)
    for c, origin in ((1.0, x.number), _unscaled(builder, x.number)):
        found = _as_polynomial(builder, source, origin)
        if found is not None and _alike(found, inside):
            whole = builder.activation(Tensor(origin, x.shape), name)
            return builder.activation(whole, "scale", factor=2 * c * d)
    return None


def _as_polynomial(builder: GraphBuilder, tensor: int, x: int) -> Polynomial | None:
    """A tensor as a polynomial of another, if that is of degree 3 at most."""
    found = {x: Polynomial([0, 1])}
    for node in builder.graph.nodes:
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


def _unscaled(builder: GraphBuilder, tensor: int) -> tuple[float, int]:
    """A tensor as a factor times another."""
    factor, shift, source = _affine(builder, tensor)
    return (factor, source) if shift == 0 else (1.0, tensor)


def _affine(builder: GraphBuilder, tensor: int) -> tuple[float, float, int]:
    """A tensor as a factor times another, plus a number."""
    layer, source = _step_back(builder, tensor)
    if isinstance(layer, Activation) and layer.name == "scale":
        factor, shift = layer.parameters
        return factor, shift, source
    return 1.0, 0.0, tensor


def _step_back(builder: GraphBuilder, tensor: int) -> tuple[Layer | None, int]:
    """The layer that a tensor comes from, and that layer's input."""
    node = builder.graph.producer(tensor)
    return (node.layer, node.inputs[0]) if node and node.inputs else (None, -1)


def _is(layer: Layer | None, name: str, *parameters: float) -> bool:
    return (
        isinstance(layer, Activation)
        and layer.name == name
        and np.allclose(layer.parameters[: len(parameters)], parameters, rtol=1e-6, atol=1e-9)
    )
