"""LIME."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.by_segment import inverse, seeded
from backlit.attribution.lime import proximity
from tests.attribution.networks import pooled, residual, samples
from tests.helpers import assert_close, run_python
from tests.reference import perturbation

SEGMENTS = (np.arange(9) * 2 // 9)[:, None] * 3 + np.arange(11) * 3 // 11


def coalitions(count, samples):
    kept = seeded(0)(count).integers(0, 2, (samples, count)).astype(float)
    kept[0] = 1
    return kept


@pytest.mark.parametrize("size", [0, 1, 2, 7, 150])
def test_inverse(size):
    rng = np.random.default_rng(size)
    matrix = rng.normal(size=(size, size)) * (np.arange(size) != size - 1)  # rows that change
    matrix += np.eye(size)[::-1]
    if size > 1:
        assert matrix[-1, -1] == 0
    np.testing.assert_allclose(inverse(matrix) @ matrix, np.eye(size), atol=1e-9)
    np.testing.assert_allclose(matrix @ inverse(matrix), np.eye(size), atol=1e-9)
    with pytest.raises(np.linalg.LinAlgError):
        inverse(np.ones((size + 2, size + 2)))


def test_same_bits_for_any_number_of_blas_threads():
    code = """
import numpy as np
from hashlib import blake2b
from backlit.attribution.kernel_shap import regression_plan
from backlit.attribution.lime import sampled_plan
from backlit.attribution.xrai import gather

rng = np.random.default_rng(0)
for count, samples in ((4, 20_000), (130, 700)):
    for plan in (
        sampled_plan(0, None, count, samples, 0.25, "ridge", 1.0, True),
        regression_plan(0, None, count, samples, True),
    ):
        y = rng.normal(size=len(plan[0]))
        for value in plan[1](y, 0.5).values():
            print(blake2b(np.asarray(value).tobytes()).hexdigest())
masks = rng.random((9, 200, 300)) < 0.3
print(blake2b(gather(masks, rng.normal(size=(200, 300))).tobytes()).hexdigest())
"""
    found = [run_python(code, OPENBLAS_NUM_THREADS=n, OMP_NUM_THREADS=n).stdout for n in "12"]
    assert found[0] == found[1]


@pytest.mark.parametrize("alpha", [1.0, 0.01])
def test_equals_a_slow_weighted_ridge(alpha):
    model = pooled()
    x = samples(model, 2)
    values, details = bl.lime(
        model, x, 1, segments=(2, 3), samples=40, alpha=alpha, per_segment=True, return_details=True
    )
    kept = coalitions(6, 40)
    weights = proximity(kept, 0.25)
    for one in range(2):
        game = perturbation.Game(model, x[one], 1, SEGMENTS)
        y = np.array([game(list(np.flatnonzero(row))) for row in kept])
        expected, intercept = perturbation.weighted_ridge(kept, weights, y, alpha)
        assert_close(values[one], expected)
        assert details["intercept"][one] == pytest.approx(intercept, rel=1e-4, abs=1e-5)
        fitted = kept @ expected + intercept
        mean = np.average(y, weights=weights)
        r2 = 1 - weights @ (y - fitted) ** 2 / (weights @ (y - mean) ** 2)
        assert details["r2"][one] == pytest.approx(r2, abs=1e-5)


def test_weights_are_those_of_the_lime_package():
    kept = np.array([[1.0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    distance = np.array([0, 0.5, 1])  # cosine
    np.testing.assert_allclose(
        proximity(kept, 0.25), np.sqrt(np.exp(-(distance**2) / 0.25**2)), rtol=1e-12
    )


def test_a_linear_model_is_found():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((6, 2))
    model = bl.Model([bl.Dense(weights, [0.5, -1])], (6,))
    x = rng.standard_normal((3, 6))
    options = {"segments": 6, "alpha": 0.0, "return_details": True}
    values, details = bl.lime(model, x, 1, **options)
    assert_close(values, (x * weights[:, 1]).astype(np.float32))
    np.testing.assert_allclose(details["intercept"], -1, rtol=1e-5)
    np.testing.assert_allclose(details["r2"], 1, rtol=1e-6)


@pytest.mark.parametrize("regression", ["ridge", "lasso"])
def test_equals_scikit_learn(regression):
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = pooled()
    x = samples(model, 2)
    options = {"segments": (2, 3), "samples": 50, "per_segment": True, "return_details": True}
    values, details = bl.lime(model, x, 1, regression=regression, **options)
    kept = coalitions(6, 50)
    weights = proximity(kept, 0.25)
    peer = {"ridge": linear_model.Ridge(1.0), "lasso": linear_model.Lasso(0.01)}[regression]
    for one in range(2):
        game = perturbation.Game(model, x[one], 1, SEGMENTS)
        y = np.array([game(list(np.flatnonzero(row))) for row in kept])
        peer.fit(kept, y, sample_weight=weights)
        np.testing.assert_allclose(values[one], peer.coef_, atol=1e-4 * np.abs(y).max())
        assert details["r2"][one] == pytest.approx(peer.score(kept, y, weights), abs=1e-3)


class Drawn:
    """A stand-in for a random state, of which the `lime` package asks for coalitions alone."""

    def __init__(self, kept):
        self.kept = kept

    def randint(self, low, high=None, size=None):
        return 0 if size is None else self.kept.astype(int).reshape(size)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hidden", [0.5, None])  # None: by the segments' means
@pytest.mark.parametrize(("grid", "count", "width"), [((1, 1), 7, 1), ((2, 3), 40, 0.25)])
def test_equals_the_lime_package(grid, count, width, hidden):
    lime_image = pytest.importorskip("lime.lime_image")
    model = residual()
    x = samples(model, 2)
    rows, columns = (np.arange(n) * part // n for n, part in zip((8, 6), grid, strict=True))
    segments = rows[:, None] * grid[1] + columns
    mean = [[one[:, segments == n].mean(axis=1) for n in range(segments.max() + 1)] for one in x]
    baseline = np.moveaxis(np.array(mean)[:, segments], -1, 1) if hidden is None else hidden
    explainer = lime_image.LimeImageExplainer(kernel_width=width, feature_selection="none")
    explainer.random_state = Drawn(coalitions(segments.max() + 1, count))
    options = {"samples": count, "kernel_width": width, "per_segment": True, "return_details": True}
    found, details = bl.lime(model, x, 1, segments=segments, baseline=baseline, **options)
    for n in range(2):
        theirs = explainer.explain_instance(
            np.moveaxis(x[n], 0, -1).astype(np.float64),
            lambda images: model.logits(np.moveaxis(images, -1, 1)),
            labels=(1,),
            top_labels=None,
            hide_color=hidden,
            num_samples=count,
            segmentation_fn=lambda image: segments,
        )
        expected = np.array([value for _, value in sorted(theirs.local_exp[1])])
        assert_close(found[n], expected, 1e-4)
        np.testing.assert_allclose(details["intercept"][n], theirs.intercept[1], rtol=1e-4)
        np.testing.assert_allclose(details["r2"][n], theirs.score, atol=1e-4)


@pytest.mark.parametrize("name", ["slic", "quickshift"])
def test_segmentations(name):
    pytest.importorskip("skimage")
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:3]
    maps = bl.lime(model, x, segments=name, samples=100)
    alone = bl.lime(model, x[1:2], segments=name, samples=100)
    np.testing.assert_array_equal(maps[1], alone[0])
    assert all(1 < len(np.unique(one)) < 200 for one in maps)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"samples": 1}, ValueError, "samples must be at least 2"),
        ({"kernel_width": 0}, ValueError, "kernel_width must be positive"),
        ({"regression": "tree"}, ValueError, "regression must be"),
        ({"alpha": -1}, ValueError, "alpha must not be negative"),
        ({"baseline": "black"}, TypeError, "baseline must hold real numbers"),
    ],
)
def test_bad_arguments(options, error, words):
    model = pooled()
    with pytest.raises(error, match=words):
        bl.lime(model, samples(model, 2), **options)
