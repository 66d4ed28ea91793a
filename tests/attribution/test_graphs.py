"""DeepLIFT, LRP and methods on layers for graphs with branches, products and any activation."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, reductions, shapes

SHAPE = (4, 6, 5)


def filters(rng, outputs, inputs, size=3):
    return rng.normal(size=(outputs, inputs, size, size)) * np.sqrt(2 / (inputs * size * size))


def squeeze_excite(rng, bias=True):
    """Convolutions with GELU and SiLU, a gate, a concatenation, and a mean at the end."""
    b = GraphBuilder(SHAPE)

    def conv(x, outputs, size=3):
        around = (size // 2,) * 4
        weights = filters(rng, outputs, x.shape[1], size)
        offsets = rng.normal(size=outputs) * 0.3 if bias else None
        return products.convolution(b, x, weights, offsets, padding=around)

    x = arithmetic.unary(b, "gelu", conv(b.input, 8))
    gate = reductions.reduce(b, "mean", x, [2, 3], True)
    gate = b.append(bl.Sigmoid(), conv(b.append(bl.ReLU(), conv(gate, 4, 1)), 8, 1))
    x = arithmetic.binary(b, "multiply", x, gate)
    y = arithmetic.unary(b, "hard_swish", conv(x, 6))
    x = shapes.concatenate(b, [x, y], 1)
    x = b.append(bl.ReLU(), conv(x, 5))
    x = reductions.reduce(b, "mean", x, [2, 3], False)
    weights, offsets = rng.normal(size=(5, 3)), rng.normal(size=3) if bias else None
    return finish(b, products.dense(b, x, weights, offsets))


def of_two(rng, function):
    """A function of two tensors, one of them repeated, between convolutions."""
    b = GraphBuilder(SHAPE)
    x = products.convolution(b, b.input, filters(rng, 4, 4), None, padding=(1,) * 4)
    x = b.append(bl.Tanh(), x)
    y = arithmetic.scale(b, reductions.reduce(b, "mean", b.input, [3], True), 1.0, shift=2.0)
    y = arithmetic.unary(b, "softplus", y)
    x = shapes.reshape(b, arithmetic.binary(b, function, x, y), (1, -1))
    return finish(b, products.dense(b, x, rng.normal(size=(120, 3)) / 10))


def attention(rng):
    b = GraphBuilder((5, 6))
    q, k, v = (
        products.dense(b, b.input, rng.normal(size=(6, 6)) / 2, rng.normal(size=6))
        for _ in range(3)
    )
    weights = b.append(bl.Sigmoid(), products.matmul(b, q, shapes.transpose(b, k, (0, 2, 1))))
    x = shapes.reshape(b, products.matmul(b, weights, v), (1, 30))
    return finish(b, products.dense(b, x, rng.normal(size=(30, 4)) / 5))


MODELS = {
    "squeeze and excite": squeeze_excite,
    "attention": attention,
    **{
        name: lambda rng, name=name: of_two(rng, name)
        for name in ("add", "subtract", "multiply", "divide", "larger", "smaller")
    },
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_deeplift_adds_up(name, score):
    rng = np.random.default_rng(0)
    model = MODELS[name](rng)
    x = rng.normal(size=(11, *model.input_shape)).astype(np.float32)
    base = rng.normal(size=model.input_shape).astype(np.float32)
    target = rng.integers(0, model.classes, len(x))
    maps = bl.deeplift(model, x, target, baseline=base, score=score)
    values = model.logits if score == "logit" else model.predict_proba
    rows = np.arange(len(x))
    difference = (values(x) - values(base[None]))[rows, target]
    np.testing.assert_allclose(maps.sum(axis=tuple(range(1, maps.ndim))), difference, atol=3e-5)
    alone = [
        bl.deeplift(model, x[i : i + 1], target[i : i + 1], baseline=base, score=score)[0]
        for i in range(3)
    ]
    np.testing.assert_array_equal(alone, maps[:3])


def test_deeplift_of_a_product():
    """(a - a0) (b + b0) / 2 and the other way round."""
    b = GraphBuilder((2,))
    parts = [shapes.gather(b, b.input, 1, [i]) for i in range(2)]
    model = finish(b, arithmetic.binary(b, "multiply", *parts))
    maps = bl.deeplift(model, np.array([[3.0, 5.0]]), 0, baseline=np.array([1.0, 2.0]))
    np.testing.assert_allclose(maps, [[2 * 3.5, 3 * 2.0]], rtol=1e-6)


def test_deeplift_of_a_quotient_and_an_extreme():
    b = GraphBuilder((2,))
    parts = [shapes.gather(b, b.input, 1, [i]) for i in range(2)]
    model = finish(b, arithmetic.binary(b, "divide", *parts))
    # a r with r = 1/b: (a - a0) (r + r0) / 2 and (r - r0) (a + a0) / 2
    maps = bl.deeplift(model, np.array([[3.0, 4.0]]), 0, baseline=np.array([1.0, 2.0]))
    np.testing.assert_allclose(maps, [[2 * 0.375, -0.25 * 2]], rtol=1e-6)
    b = GraphBuilder((2,))
    parts = [shapes.gather(b, b.input, 1, [i]) for i in range(2)]
    model = finish(b, arithmetic.binary(b, "larger", *parts))
    # a + relu(b - a): the lead rises from -1 to 3, its ReLU from 0 to 3
    maps = bl.deeplift(model, np.array([[2.0, 5.0]]), 0, baseline=np.array([1.0, 0.0]))
    np.testing.assert_allclose(maps, [[1 * 0.25, 5 * 0.75]], rtol=1e-6)


def test_no_rule():
    rng = np.random.default_rng(0)
    model = of_two(rng, "raise_to")
    for count in (1, 0):
        x = np.ones((count, *SHAPE))
        with pytest.raises(ValueError, match=r"DeepLIFT has a rule for.*raise_to"):
            bl.deeplift(model, x)
        with pytest.raises(ValueError, match=r"DeepLIFT has a rule for.*raise_to"):
            bl.deeplift_shap(model, x, background=np.ones((2, *SHAPE)))
        with pytest.raises(ValueError, match=r"LRP has a rule for.*raise_to"):
            bl.lrp(model, x)
        with pytest.raises(ValueError, match=r"LRP has a rule for.*raise_to"):
            bl.noise_tunnel(model, x, of="lrp")
    b = GraphBuilder((2, 3, 3))
    conv = products.convolution(b, b.input, filters(rng, 2, 2, 1))
    both = arithmetic.binary(b, "multiply", b.append(bl.ReLU(), conv), b.input)
    model = finish(b, shapes.reshape(b, both, (1, 18)))
    for count in (1, 0):
        with pytest.raises(ValueError, match="signal and a gate"):
            bl.lrp(model, np.ones((count, 2, 3, 3)))


@pytest.mark.parametrize("rule", ["epsilon", "z_plus", "epsilon_plus_flat"])
@pytest.mark.parametrize("name", ["squeeze and excite", "add", "subtract"])
def test_lrp_conserves_without_biases(name, rule):
    rng = np.random.default_rng(1)
    b = GraphBuilder(SHAPE)
    if name == "squeeze and excite":
        model = squeeze_excite(rng, bias=False)
    else:
        x = products.convolution(b, b.input, filters(rng, 4, 4), None, padding=(1,) * 4)
        x = b.append(bl.ReLU(), x)
        y = reductions.reduce(b, "sum", shapes.transpose(b, b.input, (0, 1, 2, 3)), [3], True)
        x = shapes.reshape(b, arithmetic.binary(b, name, x, y), (1, -1))
        model = finish(b, products.dense(b, x, rng.normal(size=(120, 3)) / 10))
    x = np.abs(rng.normal(size=(9, *model.input_shape))).astype(np.float32)
    target = rng.integers(0, 3, len(x))
    relevance = bl.lrp(model, x, target, rule=rule)
    assert np.isfinite(relevance).all()
    if rule == "epsilon":  # the other rules of layers lose what no input supports
        score = model.logits(x)[np.arange(len(x)), target]
        np.testing.assert_allclose(relevance.sum(axis=(1, 2, 3)), score, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("layer", ["sigmoid", "concatenate", "mean"])
def test_layer_deeplift_adds_up(layer):
    """Where all paths lead through a layer, its contributions add up to the difference."""
    rng = np.random.default_rng(2)
    b = GraphBuilder(SHAPE)
    x = products.convolution(b, b.input, filters(rng, 6, 4), rng.normal(size=6), padding=(1,) * 4)
    b.label = "sigmoid"
    x = b.append(bl.Sigmoid(), x)
    b.label = "concatenate"
    x = shapes.concatenate(b, [x, arithmetic.unary(b, "square", x)], 1)
    b.label = "mean"
    x = reductions.reduce(b, "mean", b.append(bl.ReLU(), x), [2, 3], False)
    b.label = "scores"
    model = finish(b, products.dense(b, x, rng.normal(size=(12, 3))))
    x = rng.normal(size=(9, *SHAPE)).astype(np.float32)
    parts = bl.layer_attribution(model, x, 1, layer=layer, method="deeplift", baseline=0.5)
    activation = bl.layer_activation(model, x, layer=layer)
    assert parts.shape == activation.shape
    difference = model.logits(x)[:, 1] - model.logits(np.full((1, *SHAPE), 0.5))[0, 1]
    np.testing.assert_allclose(parts.reshape(9, -1).sum(axis=1), difference, atol=2e-5)


def test_layer_deeplift_of_the_input_side():
    """After a flattening of the input, it is DeepLIFT."""
    rng = np.random.default_rng(3)
    layers = [bl.Flatten(), bl.Dense(rng.normal(size=(12, 5))), bl.ReLU()]
    model = bl.Model([*layers, bl.Dense(rng.normal(size=(5, 2)))], (3, 2, 2))
    x = rng.normal(size=(4, 3, 2, 2)).astype(np.float32)
    inner = bl.layer_attribution(model, x, 0, layer=0, method="deeplift", baseline=0.1)
    np.testing.assert_allclose(
        inner.reshape(x.shape), bl.deeplift(model, x, 0, baseline=0.1), atol=1e-6
    )


@pytest.mark.parametrize(
    ("x", "x0", "expected"),
    [
        ([1, 5, 2], [4, 3, 0], [0, 1, 0]),  # a rise by 1 is due to the input's maximum
        ([1, 2, 0], [4, 3, 0], [-2, 0, 0]),  # a fall by 2 is due to the reference's
        ([3, 3, 0], [1, 2, 0], [0.5, 0.5, 0]),  # equal maxima share it
        ([3, 2, 1], [1, 3, 0], [0, 0, 0]),  # nothing has changed
    ],
)
@pytest.mark.parametrize("count", [1, 17])
def test_deeplift_through_a_maximum(x, x0, expected, count):
    b = GraphBuilder((3,))
    model = finish(b, reductions.reduce(b, "max", b.input, [1], True), outputs="values")
    maps = bl.deeplift(model, np.tile(x, (count, 1)), baseline=np.array(x0))
    np.testing.assert_allclose(maps, np.tile(expected, (count, 1)), rtol=1e-6)


@pytest.mark.parametrize("axes", [[1], [3], [2, 3]])
def test_deeplift_adds_up_through_maxima(axes):
    rng = np.random.default_rng(0)
    b = GraphBuilder(SHAPE)
    x = products.convolution(b, b.input, filters(rng, 4, 4), rng.normal(size=4), padding=(1,) * 4)
    x = reductions.reduce(b, "max", x, axes, True)
    size = int(np.prod(x.sample))
    x = shapes.reshape(b, x, (1, size))
    model = finish(b, products.dense(b, x, rng.normal(size=(size, 2))))
    x, base = rng.normal(size=(2, 9, *SHAPE)).astype(np.float32)
    maps = bl.deeplift(model, x, 1, baseline=base)
    rise = (model.logits(x) - model.logits(base))[:, 1]
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), rise, atol=2e-5)
