"""Numbers that the tests of other packages expect, and the small functions that they are of.

PAIR's saliency: `saliency/core/*_test.py` and `saliency/tf1/*_test.py`. shap:
`tests/explainers/test_{kernel,sampling,permutation,linear,deep}.py`. DeepLIFT, of its authors:
`tests/layers/test_{activation,conv2d}.py` and, earlier, `tests/blobs/test_revealcancel_dense.py`.
"""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.xrai import gather
from tests.attribution.test_blur_integrated_gradients import blur

torch = pytest.importorskip("torch")


def model_of(function, *shape):
    """A model of one value, a function of tensors (N, *shape)."""

    class Function(torch.nn.Module):
        def forward(self, x):
            return function(x).reshape(-1, 1)

    return bl.from_torch(Function().eval(), torch.zeros(2, *shape), outputs="values")


# --- PAIR's saliency ------------------------------------------------------------------------------

CONTRIBUTIONS = (lambda x: 5 * x[:, 0], lambda x: x[:, 1] ** 2, lambda x: torch.sin(x[:, 2]))


def test_pairs_gradient():
    model = model_of(lambda x: sum(part(x) for part in CONTRIBUTIONS), 3)
    np.testing.assert_allclose(bl.gradient(model, [[1, 2, 3]]), [[5, 4, np.cos(3)]], rtol=1e-6)


@pytest.mark.parametrize("start", [(0.5, 1.0, 1.0), (0.5, 0.8, 1.0)])
def test_pairs_integrated_gradients(start):
    """Variables that do not interact get what each adds."""
    model = model_of(lambda x: sum(part(x) for part in CONTRIBUTIONS), 3)
    ends = torch.tensor([[1.0, 2.0, 3.0], start], dtype=torch.float64)
    expected = [float(part(ends)[0] - part(ends)[1]) for part in CONTRIBUTIONS]
    found = bl.integrated_gradients(model, ends[:1], baseline=list(start))
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def linear(x):
    return 2 * x[:, 0] + x[:, 1]


def apart(x):
    return 2 * x[:, 0] ** 2 + x[:, 1] ** 2


def together(x):
    return linear(x) ** 2


@pytest.mark.parametrize(
    ("function", "ends", "steps", "fraction", "most", "expected"),
    [
        (linear, ([-1, -3], [10, 5]), 10, 0.1, 0.5, [22, 8]),
        (linear, ([0, 0], [10, 5]), 10, 0.1, 0.5, [20, 5]),
        (apart, ([0, 0], [3, 3]), 1000, 0.1, 0.4, [18, 9]),
        (apart, ([3, 3], [0, 0]), 1000, 0.1, 0.4, [-18, -9]),
        (together, ([0, 0], [3, 3]), 1000, 0.1, 0.0, [54, 27]),
        (together, ([0, 0], [3, 3]), 1000, 1.0, 0.5, [54, 27]),
        (together, ([0, 0], [3, 3]), 1000, 0.1, 1.0, [72, 9]),
    ],
)
def test_pairs_guided_integrated_gradients(function, ends, steps, fraction, most, expected):
    start, end = np.array(ends, np.float32)
    options = {"steps": steps, "fraction": fraction, "max_distance": most}
    found = bl.guided_integrated_gradients(
        model_of(function, 2), end[None], baseline=start, **options
    )
    np.testing.assert_allclose(found, [expected], rtol=0.01)


def test_pairs_guided_path_between_the_extremes():
    model, x = model_of(together, 2), np.full((1, 2), 3.0)
    options = {"steps": 1000, "fraction": 0.1, "max_distance": 0.2}
    first, second = bl.guided_integrated_gradients(model, x, **options)[0]
    assert 55 < first < 71
    assert 10 < second < 26
    assert first + second == pytest.approx(81, abs=0.1)


def test_pairs_blur_integrated_gradients():
    """Each pixel is attributed its own change, the greatest 0.641 and 0.838."""
    model = model_of(lambda x: torch.sin(x).sum((1, 2, 3)), 1, 5, 5)
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 1, 1], x[0, 0, 2, 2] = 0.7, 1
    found = bl.blur_integrated_gradients(model, x, max_sigma=10)
    np.testing.assert_allclose(found, np.sin(x) - np.sin(blur(x, 10)), atol=0.005)
    np.testing.assert_allclose(found[0, 0, [1, 2], [1, 2]], [0.641, 0.838], atol=0.005)
    assert np.count_nonzero(found) == found.size


def test_pairs_grad_cam():
    """A detector of horizontal lines at the edges of a square, scaled by the greatest value."""
    filters = np.array([[-1, -1, -1], [2, 2, 2], [-1, -1, -1]])[None, None]
    dense = bl.Dense(np.ones((25, 2)))
    model = bl.Model([bl.Conv2D(filters, padding=1), bl.Flatten(), dense], (1, 5, 5))
    x = np.zeros((1, 1, 5, 5))
    x[:, :, 1:-1, 1:-1] = 1
    found = bl.grad_cam(model, x, 0, layer=0)[0, 0]
    line, none = [0.33, 0.67, 1, 0.67, 0.33], [0] * 5
    np.testing.assert_allclose(found / found.max(), [none, line, none, line, none], atol=0.01)


def test_pairs_occlusion():
    """Which adds up what windows that overlap say, where ours is their mean."""
    model = bl.Model([bl.Flatten(), bl.Dense(np.full((25, 1), 3))], (1, 5, 5))
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 1, 1] = x[0, 0, 3, 3] = 1
    found = bl.occlusion(model, x, 0, window=3, stride=1)[0, 0]
    windows = np.array([1, 2, 3, 2, 1])  # over each row, or column
    expected = [[3, 6, 6, 3, 0], [6, 15, 18, 12, 3], [6, 18, 24, 18, 6]]
    expected += [row[::-1] for row in expected[1::-1]]
    np.testing.assert_allclose(found * np.outer(windows, windows), expected, rtol=1e-6)


def test_pairs_xrai():
    """The mean of two integrated gradients, over two segments of three pixels."""
    model = model_of(lambda x: 5 * x[:, 0] + x[:, 1] ** 2 + 2 * x[:, 2], 3)
    x = np.array([[3.0, 2, 3]])
    given = bl.integrated_gradients(model, x, baseline=[np.array([0.0, 0, 3]), np.zeros(3)])
    np.testing.assert_allclose(given, [[15, 4, 3]], rtol=1e-5)
    segments = np.array([[True, True, False], [False, False, True]])
    np.testing.assert_allclose(gather(segments[:, None], given), [[9.5, 9.5, 3]], rtol=1e-5)


# --- shap -----------------------------------------------------------------------------------------

SHAPLEY = [
    (bl.exact_shapley, {}),
    (bl.kernel_shap, {}),
    (bl.shapley_sampling, {}),
    (bl.shapley_sampling, {"samples": 2}),
    (bl.partition_shap, {}),
]


@pytest.mark.parametrize(("method", "options"), SHAPLEY)
@pytest.mark.parametrize("count", [4, 10])
def test_shaps_null_model(count, method, options):
    model = bl.Model([bl.Dense(np.zeros((count, 1)))], (count,))
    x, background = np.ones((1, count)), np.ones((2, count))
    assert not method(model, x, 0, segments=count, background=background, **options).any()


@pytest.mark.parametrize(("method", "options"), SHAPLEY)
def test_shaps_products_are_shared_by_halves(method, options):
    """An order and its reverse are enough for a function of second order."""
    x = np.random.default_rng(0).integers(0, 2, (100, 5)).astype(np.float32)
    a, b, c, d, _ = x.T
    model = model_of(lambda z: z[:, 0] * z[:, 2] + z[:, 1] + z[:, 2] + z[:, 2] * z[:, 3], 5)
    expected = np.stack([a * c / 2, b, a * c / 2 + c + c * d / 2, c * d / 2, 0 * a], axis=1)
    np.testing.assert_allclose(method(model, x, segments=5, **options), expected, atol=1e-6)


@pytest.mark.parametrize(("method", "options"), SHAPLEY)
def test_shaps_linear_function(method, options):
    """Corollary 1 of Lundberg and Lee, 2017: weights times distances from the mean."""
    x = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    weights = np.array([[1.0], [2.0], [0.0]])
    model = bl.Model([bl.Dense(weights)], (3,))
    found = method(model, x, 0, segments=3, background=x, **options)
    np.testing.assert_allclose(found, (x - x.mean(axis=0)) * weights[:, 0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", [bl.deeplift_shap, bl.expected_gradients])
def test_shaps_linear_network(method):
    """Its DeepExplainer's, of data far from zero."""
    x = np.random.default_rng(0).normal(1, 10, size=(1000, 2)).astype(np.float32)
    model = bl.Model([bl.Dense([[1.0], [2.0]], [1.0])], (2,))
    options = {"samples": 1000} if method is bl.expected_gradients else {}
    found = method(model, x, background=x, **options)
    np.testing.assert_allclose(found, (x - x.mean(axis=0)) * [1, 2], atol=1e-4)


# --- DeepLIFT's authors ---------------------------------------------------------------------------


def multipliers(model, x, target, **options):
    return bl.deeplift(model, x, target, multiply_by_inputs=False, **options)


def test_deeplifts_rescale_rule():
    """A rise of the sum from -1 to 9 makes one from 0 to 9, and a fall from 1 to -9 one to 0."""
    weights = np.outer([1, 2, 3, 4], [1, -1])
    model = bl.Model([bl.Dense(weights, [-1, 1]), bl.ReLU()], (4,), outputs="values")
    x = np.array([[1.0] * 4, [2.0] * 4])
    for target, shares in enumerate(([9 / 10, 19 / 20], [1 / 10, 1 / 20])):
        expected = np.outer(shares, weights[:, target])
        np.testing.assert_allclose(multipliers(model, x, target), expected, rtol=1e-6)


def test_deeplifts_reveal_cancel_rule():
    weights = np.array([1, -2, -3, 4])
    model = bl.Model([bl.Dense(weights[:, None], [1]), bl.ReLU()], (4,), outputs="values")
    found = multipliers(model, np.array([[-1.0, -1, 1, 1]]), 0, rule="reveal_cancel")
    fall, rise = 2.5 / 4, 4.5 / 6
    np.testing.assert_allclose(found, [weights * [fall, rise, fall, rise]], rtol=1e-6)


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_deeplifts_convolutions(rule):
    filters = np.arange(8.0).reshape(1, 2, 2, 2)
    filters = np.concatenate([filters, -filters])
    x = np.arange(64.0).reshape(2, 2, 4, 4)
    apart = [np.tile(part, (2, 2)) for part in (2 * filters[0])]
    together = [
        [[0, 2, 2, 2], [4, 12, 12, 8], [4, 12, 12, 8], [4, 10, 10, 6]],
        [[8, 18, 18, 10], [20, 44, 44, 24], [20, 44, 44, 24], [12, 26, 26, 14]],
    ]
    for stride, outputs, expected in ((1, 9, together), (2, 4, apart)):
        signs = np.repeat([1.0, -1.0], outputs)[:, None]
        convolution = bl.Conv2D(filters, [-1, 1], stride=stride)
        layers = [convolution, bl.Flatten(), bl.Dense(signs, [1])]
        model = bl.Model(layers, (2, 4, 4), outputs="values")
        found = multipliers(model, x, 0, rule=rule)
        np.testing.assert_allclose(found, [expected, expected], atol=1e-4)
