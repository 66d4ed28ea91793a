"""What outputs mean: classes, one of two classes, labels, values; their targets and scores."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.reference.network import central_differences, forward

SCORES = ["logit", "log_probability", "probability", "loss"]
BATCHES = [1, 7, 16, 17]


def network(rng, count, *last, image=False, **options):
    """Smooth, so that central differences hold everywhere."""
    first = [bl.Dense(rng.normal(size=(6, 5)), rng.normal(size=5))]
    if image:
        first = [bl.Conv2D(rng.normal(size=(2, 1, 2, 2)), rng.normal(size=2)), bl.Flatten()]
    inner = 16 if image else 5
    layers = [*first, bl.Tanh(), bl.Dense(rng.normal(size=(inner, count)), rng.normal(size=count))]
    return bl.Model([*layers, *last], (1, 3, 5) if image else (6,), **options)


def reference_score(outputs, z, target, score):
    """The target's score in each sample, in float64, from the definition."""
    z = np.asarray(z, np.float64)
    if outputs == "binary":
        logit = np.where(target == 1, z[:, 0], -z[:, 0])
    else:
        logit = z[np.arange(len(z)), target]
    if score == "logit":
        return logit
    probability = 1 / (1 + np.exp(-logit))
    return {
        "probability": probability,
        "log_probability": np.log(probability),
        "loss": -np.log(probability),
    }[score]


def reference_gradient(model, X, target, score):
    layers = [layer for layer in model.layers if not isinstance(layer, bl.Sigmoid)]

    def total(x):
        return reference_score(model.outputs, forward(layers, x), target, score).sum()

    return central_differences(total, X.astype(np.float64))


KINDS = {
    "binary": lambda rng: network(rng, 1, bl.Sigmoid()),
    "binary, without a sigmoid": lambda rng: network(rng, 1, outputs="binary"),
    "binary, of images": lambda rng: network(rng, 1, bl.Sigmoid(), image=True),
    "labels": lambda rng: network(rng, 3, bl.Sigmoid()),
    "labels, without a sigmoid": lambda rng: network(rng, 3, outputs="labels"),
    "labels, of images": lambda rng: network(rng, 3, bl.Sigmoid(), image=True),
}


def test_the_last_layer_tells(rng):
    assert network(rng, 1).outputs == "values"
    assert network(rng, 3).outputs == "classes"
    assert network(rng, 3, bl.Softmax()).outputs == "classes"
    assert network(rng, 1, bl.Sigmoid()).outputs == "binary"
    assert network(rng, 3, bl.Sigmoid()).outputs == "labels"
    assert network(rng, 3, bl.Sigmoid(), outputs="values").outputs == "values"


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(rng, kind, score, batch):
    model = KINDS[kind](rng)
    X = rng.normal(size=(batch, *model.input_shape)).astype(np.float32)
    target = rng.integers(0, model.classes, batch)
    expected = reference_gradient(model, X, target, score)
    assert_close(bl.gradient(model, X, target, score=score), expected, 2e-5)
    z = model.logits(X)
    likeliest = (z[:, 0] > 0).astype(int) if model.outputs == "binary" else z.argmax(axis=1)
    np.testing.assert_array_equal(
        bl.gradient(model, X, score=score), bl.gradient(model, X, likeliest, score=score)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_in_any_company(rng, kind):
    model = KINDS[kind](rng)
    X = rng.normal(size=(37, *model.input_shape)).astype(np.float32)
    for score in SCORES:
        whole = bl.gradient(model, X, score=score)
        alone = [bl.gradient(model, x[None], score=score) for x in X[::4]]
        np.testing.assert_array_equal(whole[::4], np.concatenate(alone))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", KINDS)
def test_completeness(rng, kind, score):
    """What adds up to the score does so for these scores too, and their gap is found."""
    model = KINDS[kind](rng)
    X = rng.normal(size=(9, *model.input_shape)).astype(np.float32)
    target = np.arange(9) % model.classes
    change = reference_score(model.outputs, model.logits(X), target, score)
    change = change - reference_score(
        model.outputs, np.repeat(model.logits(0 * X[:1]), 9, axis=0), target, score
    )
    own = np.arange(X[0].size).reshape(X[0].shape)
    for maps in (
        bl.integrated_gradients(model, X, target, score=score, steps=200),
        bl.deeplift(model, X, target, score=score),
        bl.shapley_sampling(model, X, target, score=score, segments=own, samples=32),
    ):
        np.testing.assert_allclose(maps.reshape(9, -1).sum(axis=1), change, atol=3e-5)
        gap = bl.completeness_gap(model, X, 2 * maps, 0.0, target, score=score)
        np.testing.assert_allclose(gap, change, atol=3e-5)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("outputs", ["binary", "labels"])
def test_relevance_adds_up_to_the_score(rng, outputs, score):
    count = 1 if outputs == "binary" else 3
    weights = rng.normal(size=(6, 5)), rng.normal(size=(5, count))
    model = bl.Model([bl.Dense(weights[0]), bl.Tanh(), bl.Dense(weights[1])], (6,), outputs=outputs)
    X = rng.normal(size=(9, 6))
    target = np.arange(9) % model.classes
    relevance = bl.lrp(model, X, target, score=score, epsilon=0.0).sum(axis=1)
    expected = reference_score(outputs, model.logits(X), target, score)
    np.testing.assert_allclose(relevance, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("z", [-30.0, -8.0, 8.0, 30.0])
def test_saturated_sigmoids_keep_their_digits(z):
    model = bl.Model([bl.Dense([[1.0]]), bl.Sigmoid()], (1,))
    for target, u in ((0, -z), (1, z)):
        rest = 1 / (1 + np.exp(u))  # 1 - p
        sign = 2 * target - 1
        for score, slope in (
            ("log_probability", rest),
            ("loss", -rest),
            ("probability", rest / (1 + np.exp(-u))),
        ):
            found = bl.gradient(model, [[z]], target, score=score)
            np.testing.assert_allclose(found, [[sign * slope]], rtol=1e-6)
    probabilities = model.predict_proba([[z]])
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp([[z, -z]])), rtol=1e-6)


def test_predictions_of_two_classes(rng):
    model = KINDS["binary"](rng)
    X = rng.normal(size=(23, 6))
    z = forward(model.layers[:-1], X)
    assert model.classes == 2
    assert_close(model.logits(X), z)
    p = 1 / (1 + np.exp(-z))
    assert_close(model.predict_proba(X), np.hstack([1 - p, p]))
    predicted = model.predict(X)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, z[:, 0] > 0)
    assert 0 < predicted.sum() < 23
    zero = bl.Model([bl.Dense([[1.0]]), bl.Sigmoid()], (1,))
    assert zero.predict([[0.0]]) == 0


def test_predictions_of_labels(rng):
    model = KINDS["labels"](rng)
    X = rng.normal(size=(23, 6))
    z = forward(model.layers[:-1], X)
    assert model.classes == 3
    assert_close(model.logits(X), z)
    assert_close(model.predict_proba(X), 1 / (1 + np.exp(-z)))
    assert model.predict(X).dtype == np.int64
    np.testing.assert_array_equal(model.predict(X), z > 0)


def test_values(rng):
    X = rng.normal(size=(19, 6)).astype(np.float32)
    for count in (1, 3):
        model = network(rng, count, outputs="values")
        z = forward(model.layers, X.astype(np.float64))
        assert_close(model.predict(X), z[:, 0] if count == 1 else z)
        assert model.classes == count
        for target in range(count):
            expected = reference_gradient(model, X, np.full(19, target), "logit")
            assert_close(bl.gradient(model, X, target), expected, 2e-5)
            found = bl.exact_shapley(model, X, target, segments=np.arange(6)).sum(axis=1)
            np.testing.assert_allclose(
                found, z[:, target] - model.logits(0 * X[:1])[0, target], atol=3e-5
            )
        maps = bl.jacobian(model, X)
        assert maps.shape == (19, count, 6)
        np.testing.assert_array_equal(maps[:, -1], bl.gradient(model, X, count - 1))
        assert bl.layer_activation(model, X, layer=0).shape == (19, 5)
        with pytest.raises(ValueError, match="values, which have no probabilities"):
            model.predict_proba(X)
        for score in SCORES[1:]:
            with pytest.raises(ValueError, match=f"score must be 'logit', .* got '{score}'"):
                bl.saliency(model, X, 0, score=score)
        if count == 1:
            np.testing.assert_array_equal(bl.gradient(model, X), bl.gradient(model, X, 0))
            with pytest.raises(ValueError, match=r"target must be in 0 \.\.\. 0, got 1"):
                bl.saliency(model, X, 1)
        else:
            with pytest.raises(ValueError, match="target must say which of the 3 outputs"):
                bl.saliency(model, X)


def test_values_keep_their_last_layer(rng):
    """A regression may end in a sigmoid: what it computes is then what is explained."""
    model = network(rng, 1, bl.Sigmoid(), outputs="values")
    X = rng.normal(size=(5, 6))
    expected = forward(model.layers, X)[:, 0]
    assert_close(model.predict(X), expected)
    slopes = central_differences(lambda x: forward(model.layers, x).sum(), X)
    assert_close(bl.gradient(model, X), slopes, 2e-5)


def test_jacobian_of_two_classes(rng):
    model = KINDS["binary"](rng)
    X = rng.normal(size=(5, 6))
    maps = bl.jacobian(model, X, score="loss")
    assert maps.shape == (5, 2, 6)
    for k in range(2):
        np.testing.assert_array_equal(maps[:, k], bl.gradient(model, X, k, score="loss"))


def test_exact_path(rng):
    layers = [bl.Dense(rng.normal(size=(6, 5))), bl.ReLU(), bl.Dense(rng.normal(size=(5, 1)))]
    X = rng.normal(size=(7, 6))
    for outputs in ("binary", "values"):
        model = bl.Model(layers, (6,), outputs=outputs)
        maps = bl.integrated_gradients(model, X, steps="exact")
        z = model.logits(X)[:, 0]
        np.testing.assert_allclose(
            maps.sum(axis=1), np.abs(z) if outputs == "binary" else z, atol=1e-5
        )


@pytest.mark.parametrize("kind", [*KINDS, "values"])
def test_saved(tmp_path, rng, kind):
    model = KINDS[kind](rng) if kind in KINDS else network(rng, 3, outputs="values")
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    X = rng.normal(size=(5, *model.input_shape))
    assert found.outputs == model.outputs
    np.testing.assert_array_equal(found.predict(X), model.predict(X))


def test_refused(rng):
    with pytest.raises(ValueError, match=r"outputs must be one of 'classes', .* got 'regression'"):
        network(rng, 3, outputs="regression")
    with pytest.raises(ValueError, match=r"outputs must not be 'binary', one score, .* with 3"):
        network(rng, 3, outputs="binary")
    with pytest.raises(ValueError, match="outputs must be 'binary', not 'labels'"):
        network(rng, 1, outputs="labels")
    model = KINDS["binary"](rng)
    with pytest.raises(ValueError, match=r"target must be in 0 \.\.\. 1, got 2"):
        bl.saliency(model, np.ones((1, 6)), 2)
    model = bl.Model([bl.Dense(np.ones((16, 1)))], (16,))
    for picture in (
        lambda: bl.show_saliency(model, np.ones((1, 16)), [0], show=False),
        lambda: bl.compare([model], np.ones((1, 16)), [0], show=False),
        lambda: bl.wrong(model, np.ones((1, 16)), [0], show=False),
    ):
        with pytest.raises(ValueError, match=r"model must tell classes apart, .* are 'values'"):
            picture()


def test_pictures_of_two_classes():
    model = bl.Model([bl.Dense(np.linspace(-1, 1, 16)[:, None]), bl.Sigmoid()], (16,))
    X = np.concatenate([np.eye(16)[:3], np.eye(16)[-3:]]).reshape(6, 4, 4)
    y = [0, 1, 0, 1, 1, 0]
    figure = bl.wrong(model, X, y, show=False)
    words = {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}
    assert sum(word.startswith("said") for word in words) == 2
