"""DeepLIFT's reveal-cancel rule: the paper's examples, its definition, its sum."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, pooling, reductions, shapes
from tests.attribution.networks import NETWORKS, conv, dense, samples
from tests.helpers import assert_close


def explain(model, x, **options):
    return bl.deeplift(model, x, rule="reveal_cancel", **options)


def test_minimum_of_two():
    """min(a, b) = a - relu(a - b): both inputs get half of it; by rescale one gets everything."""
    model = bl.Model(
        [bl.Dense([[1, 1], [-1, 0]]), bl.ReLU(), bl.Dense([[-1], [1]])], (2,), outputs="values"
    )
    x = np.array([[5.0, 3.0], [2.0, 6.0], [4.0, 4.0]])
    np.testing.assert_allclose(explain(model, x), [[1.5, 1.5], [1, 1], [2, 2]], rtol=1e-6)
    np.testing.assert_allclose(bl.deeplift(model, x[:2]), [[0, 3], [2, 0]], atol=1e-6)


def test_and():
    """relu(a + b - 1) of two bits that are on: each gets half of 1."""
    model = bl.Model([bl.Dense([[1], [1]], [-1]), bl.ReLU()], (2,), outputs="values")
    found = explain(model, np.array([[1, 1], [1, 0], [0, 0]]))
    np.testing.assert_allclose(found, [[0.5, 0.5], [0, 0], [0, 0]], atol=1e-7)


def by_definition(layers, x, x0, target):
    """The rule on dense layers with ReLUs between, in float64."""
    values, references = [x.astype(np.float64)], [x0.astype(np.float64)]
    for layer in layers:
        for path in (values, references):
            z = path[-1] @ layer.weights.astype(np.float64) + layer.bias
            path.append(z if layer is layers[-1] else np.maximum(z, 0))
    m = layers[-1].weights.astype(np.float64)[:, target]
    for k in range(len(layers) - 2, -1, -1):
        w = layers[k].weights.astype(np.float64)
        z0 = references[k] @ w + layers[k].bias
        change = values[k] - references[k]
        parts = change[:, None] * w
        up, down = np.maximum(parts, 0).sum(0), np.minimum(parts, 0).sum(0)

        def f(z):
            return np.maximum(z, 0)

        rise = (f(z0 + up) - f(z0) + f(z0 + up + down) - f(z0 + down)) / 2
        fall = (f(z0 + down) - f(z0) + f(z0 + up + down) - f(z0 + up)) / 2
        by_rise = m * np.where(up == 0, 0, rise / np.where(up == 0, 1, up))
        by_fall = m * np.where(down == 0, 0, fall / np.where(down == 0, 1, down))
        by_sign = np.where(parts > 0, by_rise, by_fall)
        m = (w * np.where(parts == 0, (by_rise + by_fall) / 2, by_sign)).sum(1)
    return m * (values[0] - references[0])


@pytest.mark.parametrize("count", [1, 19])
def test_the_definition(count):
    model = NETWORKS["fully connected"]()
    layers = [layer for layer in model.layers if isinstance(layer, bl.Dense)]
    x, x0 = samples(model, count), samples(model, 1, seed=2)[0]
    expected = [by_definition(layers, one, x0, 2) for one in x]
    assert_close(explain(model, x, target=2, baseline=x0), np.array(expected))


def smooth(seed=0):
    rng = np.random.default_rng(seed)
    b = GraphBuilder((2, 6, 7))

    def convolve(x, outputs):
        layer = conv(rng, x.shape[1], outputs, padding=1)
        return b.append(layer, x)

    x = arithmetic.unary(b, "gelu", convolve(b.input, 4))
    y = b.append(bl.ReLU(), convolve(x, 3))
    x = shapes.concatenate(b, [x, arithmetic.unary(b, "silu", convolve(y, 3))], 1)
    gate = b.append(bl.Sigmoid(), reductions.reduce(b, "mean", x, [2, 3], True))
    x = pooling.max_pool(b, arithmetic.binary(b, "multiply", x, gate), (2, 2), (2, 2), (0,) * 4)
    x = b.append(bl.Tanh(), b.append(dense(rng, 63, 5), shapes.reshape(b, x, (1, 63))))
    return finish(b, b.append(dense(rng, 5, 3), x))


MODELS = {**NETWORKS, "smooth": smooth}


@pytest.mark.parametrize("score", ["logit", "log_probability"])
@pytest.mark.parametrize("name", MODELS)
def test_it_adds_up(name, score):
    model = MODELS[name]()
    x, base = samples(model, 19), samples(model, 19, seed=3)
    target = np.arange(19) % model.classes
    maps = explain(model, x, target=target, baseline=base, score=score)
    rows = np.arange(19)
    if score == "logit":
        ends = [model.logits(a)[rows, target] for a in (x, base)]
    else:
        ends = [np.log(model.predict_proba(a)[rows, target]) for a in (x, base)]
    np.testing.assert_allclose(
        maps.reshape(19, -1).sum(axis=1), ends[0] - ends[1], rtol=1e-4, atol=2e-5
    )
    for one in (0, 18):
        part = slice(one, one + 1)
        alone = explain(model, x[part], target=target[part], baseline=base[part], score=score)
        np.testing.assert_array_equal(alone, maps[part])
    assert not explain(model, x, target=target, baseline=x).any()


def test_unknown_rule():
    model = NETWORKS["fully connected"]()
    with pytest.raises(ValueError, match="rule must be one of 'rescale', 'reveal_cancel', got 'x'"):
        bl.deeplift(model, samples(model, 1), rule="x")
