"""Activation functions by name: values and derivatives against definitions in float64."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish
from backlit.layers import Activation
from backlit.layers.activations import ACTIVATIONS
from tests.builds import between_convolutions, normal, of_one
from tests.reference import operators as reference

PARAMETERS = {
    "elu": [
        {},
        {"alpha": 0.7},
        {"alpha": 1.6732632, "scale": 1.0507009},
        {"alpha": 2.0, "input_scale": 0.5},
    ],
    "softplus": [{}, {"beta": 2.5}, {"beta": 0.3}],
    "hard_sigmoid": [{}, {"alpha": 0.2, "beta": 0.4}],
    "thresholded_relu": [{}, {"alpha": 0.3}, {"alpha": -0.5}],
    "clamp": [{}, {"low": -0.2, "high": 0.6}],
    "power": [{"exponent": 3.0}, {"exponent": -2.0}, {"exponent": 4.0}, {}],
    "step": [{}, {"at_zero": 1.0}],
    "scale": [{"factor": -2.0}, {"shift": 0.5}, {"factor": 3.0, "shift": -1.0}],
}
FUNCTIONS = [(name, p) for name in ACTIVATIONS for p in PARAMETERS.get(name, [{}])]
FUNCTIONS.append(("power", {"exponent": 2.5}))
POSITIVE = {"log", "sqrt"}


def is_positive(name, parameters):
    return name in POSITIVE or parameters.get("exponent", 0) % 1 != 0


def pointwise(name, parameters, x):
    """Values and derivatives of a function at float32 numbers, each a sample of its own."""
    b = GraphBuilder((1,))
    model = finish(b, b.append(Activation(name, **parameters), b.input), outputs="values")
    X = np.asarray(x, np.float32)[:, None]
    values, slopes = model.logits(X), bl.gradient(model, X)
    alone = slice(len(X) // 3, len(X) // 3 + 1)
    np.testing.assert_array_equal(model.logits(X[alone]), values[alone])
    np.testing.assert_array_equal(bl.gradient(model, X[alone]), slopes[alone])
    return values[:, 0], slopes[:, 0]


def test_every_function_has_a_definition():
    assert set(reference.ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize(("name", "parameters"), FUNCTIONS)
def test_values_and_derivatives(name, parameters):
    near = np.geomspace(1e-3, 12, 3000)
    x = (near if is_positive(name, parameters) else np.concatenate([-near, near])).astype("f4")
    kinks = [parameters.get(key, 1.0) for key in ("alpha", "low", "high")]
    kinks += [-1, 0, 1, 3, -3] + [
        (y - parameters.get("beta", 0.5)) / parameters.get("alpha", 1 / 6) for y in (0, 1)
    ]
    if name == "round":
        kinks += np.arange(-12.5, 13).tolist()
    x = x[(np.abs(x[:, None] - kinks) > 1e-4).all(axis=1)]
    values, slopes = pointwise(name, parameters, x)
    exact = x.astype(np.float64)
    f = reference.ACTIVATIONS[name]
    step = 1e-5 * np.minimum(1, np.abs(exact))
    difference = f(exact + step, **parameters) - f(exact - step, **parameters)
    np.testing.assert_allclose(values, f(exact, **parameters), rtol=2e-6, atol=6e-7)
    np.testing.assert_allclose(slopes, difference / (2 * step), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "parameters"), FUNCTIONS)
def test_on_images_and_features(rng, name, parameters):
    """Between padded convolutions too, where f(0) need not be 0."""
    f = reference.ACTIVATIONS[name]
    has_pole = name == "reciprocal" or parameters.get("exponent", 0) < 0
    positive = has_pole or is_positive(name, parameters)

    def build(b, x):
        if positive:
            x = arithmetic.scale(b, arithmetic.unary(b, "square", x), 0.5, shift=0.3)
        return arithmetic.unary(b, name, x, **parameters)

    def definition(x):
        return f(x**2 / 2 + 0.3 if positive else x, **parameters)

    for place, shape in ((of_one, (13,)), (of_one, (2, 3)), (between_convolutions, (2, 5, 3))):
        place(rng, shape, build, definition).check(normal(rng, *shape), 3e-5)


# At kinks: the derivatives that PyTorch has there
KINKS = [
    ("elu", {"alpha": 0.5, "scale": 2.0}, [(0, 1.0)]),
    ("elu", {"alpha": 2.0, "input_scale": 0.5}, [(0, 1.0)]),
    ("hard_sigmoid", {"alpha": 0.25, "beta": 0.5}, [(-2, 0.0), (2, 0.0), (0, 0.25)]),
    ("hard_swish", {}, [(-3, 0.0), (3, 1.0), (0, 0.5)]),
    ("thresholded_relu", {"alpha": 1.0}, [(1, 0.0), (1.5, 1.0)]),
    ("clamp", {"low": -1.0, "high": 1.0}, [(-1, 1.0), (1, 1.0), (1.5, 0.0)]),
    ("abs", {}, [(0, 0.0), (-1, -1.0)]),
    ("square", {}, [(0, 0.0)]),
    ("softsign", {}, [(0, 1.0)]),
    ("power", {"exponent": 3.0}, [(0, 0.0), (-2, 12.0)]),
    ("power", {"exponent": 1.0}, [(0, 1.0), (-2, 1.0)]),
    ("power", {"exponent": 0.0}, [(0, 0.0), (-2, 0.0)]),
    ("step", {"at_zero": 1.0}, [(0, 0.0), (-2, 0.0), (3, 0.0)]),
    ("round", {}, [(0, 0.0), (0.5, 0.0), (-1.5, 0.0), (3, 0.0)]),
]


@pytest.mark.parametrize(("name", "parameters", "expected"), KINKS)
def test_derivatives_at_kinks(name, parameters, expected):
    x, slopes = np.transpose(expected)
    np.testing.assert_allclose(pointwise(name, parameters, x)[1], slopes, rtol=1e-6)


FAR = [-1e10, -1000, -200, 200, 1000, 1e10]
# Far out, where exponentials overflow: the limits of values and derivatives, left and right
LIMITS = {
    "elu": ([-1, -1, -1, None, None, None], [0, 1]),
    "gelu": ([0, 0, 0, None, None, None], [0, 1]),
    "gelu_tanh": ([0, 0, 0, None, None, None], [0, 1]),
    "silu": ([0, 0, 0, None, None, None], [0, 1]),
    "mish": ([0, 0, 0, None, None, None], [0, 1]),
    "softplus": ([0, 0, 0, None, None, None], [0, 1]),
    "erf": ([-1, -1, -1, 1, 1, 1], [0, 0]),
    "hard_swish": ([0, 0, 0, None, None, None], [0, 1]),
    "exp": ([0, 0, 0, np.inf, np.inf, np.inf], [0, np.inf]),
}


@pytest.mark.parametrize("name", LIMITS)
def test_far_out(name):
    """None stands for x itself."""
    limits, (left, right) = LIMITS[name]
    values, slopes = pointwise(name, {}, FAR)
    expected = [x if limit is None else limit for x, limit in zip(FAR, limits, strict=True)]
    np.testing.assert_allclose(values, np.array(expected, np.float32), rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(slopes, [left] * 3 + [right] * 3, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_steps(at_zero):
    values = pointwise("step", {"at_zero": at_zero}, [-2, -1e-37, -0.0, 0, 1e-37, 3])[0]
    np.testing.assert_array_equal(values, [0, 0, at_zero, at_zero, 1, 1])


def test_rounding():
    """Halves go to the even number; large numbers are whole."""
    x = np.array([-2.5, -1.5, -0.5, -0.0, 0.49999997, 0.5, 2.5, 3.5, 8388607.5, 1e30], "f4")
    np.testing.assert_array_equal(pointwise("round", {}, x)[0], np.rint(x))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (bl.Clip(0, 6), [-1.0, 7.0]),
        (bl.ReLU(), [-1.0, 0.0]),
        (Activation("clamp", low=0, high=2), [-1.0, 3.0]),
        (Activation("round"), [-1.0, 2.0]),
        (Activation("step"), [-1.0, 2.0]),
        (Activation("thresholded_relu", alpha=1), [0.5, 1.0]),
        (Activation("hard_sigmoid"), [-9.0, 9.0]),
        (Activation("hard_swish"), [-9.0, -3.0]),
    ],
)
def test_what_is_constant_lets_no_infinite_gradient_pass(layer, x):
    """As in PyTorch, also where a derivative of infinity comes back."""
    behind = Activation("scale", factor=3e38)
    model = bl.Model([layer, behind, behind], (2,), outputs="values")
    for count in (1, 17):
        np.testing.assert_array_equal(bl.gradient(model, np.float32([x] * count), 0), 0)


@pytest.mark.parametrize(("name", "other", "sign"), [("sin", np.cos, 1), ("cos", np.sin, -1)])
def test_many_turns(name, other, sign):
    x = np.linspace(-5000, 5000, 20001, dtype=np.float32)
    values, slopes = pointwise(name, {}, x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(values, getattr(np, name)(exact), rtol=0, atol=3e-7)
    np.testing.assert_allclose(slopes, sign * other(exact), rtol=0, atol=3e-7)


@pytest.mark.parametrize(("name", "bad"), [("log", -1.0), ("sqrt", -1.0)])
def test_undefined_numbers_are_nan(name, bad):
    assert np.isnan(pointwise(name, {}, [bad, 1.0])[0][0])


def test_wrong_names_and_parameters():
    with pytest.raises(ValueError, match=r"name must be one of 'elu', 'gelu'.* got 'gelo': did"):
        Activation("gelo")
    with pytest.raises(TypeError, match=r"elu takes the parameters .*'alpha'.* not \['slope'\]"):
        Activation("elu", slope=1)
    with pytest.raises((TypeError, ValueError), match="exponent"):
        Activation("power", exponent="two")
