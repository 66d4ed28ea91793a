"""Arguments that could be taken for something else: one meaning, or an error that says so."""

import numpy as np
import pytest

import backlit as bl
from backlit.model import Model
from tests.helpers import ending


@pytest.fixture
def model(rng):
    return ending(rng, [bl.Conv2D(rng.normal(size=(5, 3, 3, 3)), padding=1), bl.ReLU()], (3, 6, 5))


@pytest.fixture
def X(rng):
    return rng.normal(size=(3, 3, 6, 5)).astype(np.float32)


def planes(count=3):
    return np.stack([np.arange(30).reshape(6, 5) % k for k in range(2, 2 + count)])


def test_planes_of_as_many_images_as_channels(model, X):
    with pytest.raises(ValueError, match=r"give the shape \(1, 3, 6, 5\) or \(3, 1, 6, 5\)"):
        bl.feature_ablation(model, X, 0, segments=planes())
    found = bl.feature_ablation(model, X, 0, segments=planes()[:, None])
    alone = [
        bl.feature_ablation(model, X[i : i + 1], 0, segments=planes()[i : i + 1]) for i in range(3)
    ]
    np.testing.assert_array_equal(found, np.concatenate(alone))
    one = bl.feature_ablation(model, X[:2], 0, segments=planes())
    np.testing.assert_array_equal(
        bl.feature_ablation(model, X, 0, segments=planes()[None])[:2], one
    )


def test_planes_of_images_with_channels_last(model, X):
    last = Model.of_graph(model._source, channels_last=True)
    given = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    found = bl.feature_ablation(last, given, 0, segments=planes())
    expected = bl.feature_ablation(model, X, 0, segments=planes()[:, None])
    np.testing.assert_array_equal(np.moveaxis(found, -1, 1), expected)


@pytest.mark.parametrize("shape", [(1,), (5,), (1, 5), (6, 1), (1, 1, 1), (3, 1, 5), (1, 6, 5)])
def test_segments_with_axes_that_stand_for_all(model, X, rng, shape):
    segments = rng.integers(0, 4, shape)
    whole = np.broadcast_to(segments, X.shape[1:])
    expected = bl.feature_ablation(model, X[:2], 0, segments=whole)
    found = bl.feature_ablation(model, X[:2], 0, segments=segments)
    np.testing.assert_array_equal(found, expected)
    if len(shape) < 3:  # those of a plane's axes, wherever channels are
        last = Model.of_graph(model._source, channels_last=True)
        given = np.ascontiguousarray(np.moveaxis(X[:2], 1, -1))
        found = bl.feature_ablation(last, given, 0, segments=segments)
        np.testing.assert_array_equal(np.moveaxis(found, -1, 1), expected)


@pytest.mark.parametrize("segments", ["slic", np.zeros((0, 6, 5), int)])
@pytest.mark.parametrize("method", [bl.lime, bl.kernel_shap, bl.feature_ablation])
def test_no_samples(model, X, method, segments):
    if isinstance(segments, str):
        pytest.importorskip("skimage")
    assert method(model, X[:0], segments=segments).shape == (0, 3, 6, 5)


def test_grids_of_small_inputs(rng):
    model = bl.Model([bl.Dense(rng.normal(size=(4, 3)))], (4,))
    X = rng.normal(size=(2, 4)).astype(np.float32)
    for method in (bl.kernel_shap, bl.lime, bl.shapley_sampling, bl.partition_shap):
        found = method(model, X, 0)
        np.testing.assert_array_equal(found, method(model, X, 0, segments=4))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (bl.integrated_gradients, {"baseline": [0.0, 1.0]}),
        (bl.integrated_gradients, {"steps": "exact"}),
        (bl.integrated_gradients, {"tolerance": 1e-3}),
        (bl.guided_integrated_gradients, {}),
        (bl.gradient, {}),
    ],
)
def test_results_over_the_samples(model, X, method, options):
    expected = method(model, X, 0, **options)
    given = X.copy()
    method(model, given, 0, out=given, **options)
    np.testing.assert_array_equal(given, expected)
    room = np.zeros((4, *X.shape[1:]), np.float32)
    room[:3] = X
    method(model, room[:3], 0, out=room[1:], **options)
    np.testing.assert_array_equal(room[1:], expected)


@pytest.mark.parametrize(
    ("method", "name", "options"),
    [
        (bl.integrated_gradients, "baseline", {"steps": 3}),
        (bl.integrated_gradients, "baseline", {"steps": "exact"}),
        (bl.integrated_gradients, "baseline", {"tolerance": 0.1}),
        (bl.guided_integrated_gradients, "baseline", {"steps": 4}),
        (bl.deeplift, "baseline", {}),
        (bl.feature_ablation, "fill", {}),
        (bl.occlusion, "fill", {"window": 2}),
        (bl.kernel_shap, "baseline", {"segments": 2}),
        (bl.rise, "baseline", {"samples": 20}),
    ],
)
def test_results_over_the_references(model, X, method, name, options, rng):
    reference = rng.normal(size=X.shape).astype(np.float32)
    expected = method(model, X, 0, **{name: reference}, **options)
    given = reference.copy()
    method(model, X, 0, out=given, **{name: given}, **options)
    np.testing.assert_array_equal(given, expected)
    if method is bl.integrated_gradients:
        given = reference.copy()
        expected = method(model, X, 0, baseline=[0.0, reference], **options)
        method(model, X, 0, baseline=[0.0, given], out=given, **options)
        np.testing.assert_array_equal(given, expected)


def test_results_over_tensors(model, X):
    torch = pytest.importorskip("torch")
    expected = bl.integrated_gradients(model, X, 0, baseline=[0.0, 1.0], steps=3)
    given = torch.from_numpy(X.copy())
    bl.integrated_gradients(model, given, 0, baseline=[0.0, 1.0], steps=3, out=given.numpy())
    np.testing.assert_array_equal(given.numpy(), expected)


@pytest.mark.parametrize("switch", ["relative", "antithetic", "progress"])
def test_switches_of_the_noise_tunnel(model, X, switch):
    with pytest.raises(TypeError, match=f"{switch} must be True or False"):
        bl.noise_tunnel(model, X, 0, of="gradient", **{switch: "no"})


def test_only_maps_are_averaged(model, X):
    with pytest.raises(ValueError, match="return_delta must be False"):
        bl.noise_tunnel(model, X, 0, return_delta=True)


def test_list_that_is_one_baseline(rng):
    model = bl.Model([bl.Dense(rng.normal(size=(3, 5))), bl.Tanh(), bl.Dense(np.eye(5))], (3,))
    X, base = rng.normal(size=(2, 3)), [0.5, -1.0, 2.0]
    found = bl.integrated_gradients(model, X, 0, baseline=base)
    np.testing.assert_array_equal(
        found, bl.integrated_gradients(model, X, 0, baseline=np.array(base))
    )
    several = bl.integrated_gradients(model, X, 0, baseline=[0.0, 1.0])
    each = [bl.integrated_gradients(model, X, 0, baseline=b) for b in (0.0, 1.0)]
    np.testing.assert_allclose(several, np.mean(each, axis=0), rtol=1e-5, atol=1e-6)


def test_nested_lists_with_channels_last(rng):
    shape = (4, 4, 4)
    model = ending(rng, [bl.Conv2D(rng.normal(size=(5, 4, 3, 3)), padding=1), bl.ReLU()], shape)
    last = Model.of_graph(model._source, channels_last=True)
    X = rng.normal(size=(2, *shape)).astype(np.float32)
    base = rng.normal(size=shape).astype(np.float32)
    for method, name, value in (
        (bl.deeplift, "baseline", base),
        (bl.integrated_gradients, "baseline", base),
        (bl.occlusion, "fill", base),
        (bl.deeplift_shap, "background", base[None]),
    ):
        expected = method(last, X, 0, **{name: value})
        np.testing.assert_array_equal(method(last, X, 0, **{name: value.tolist()}), expected)


def test_transposed_convolutions_see_images(rng):
    model = ending(rng, [bl.ConvTranspose2D(rng.normal(size=(3, 2, 2, 2))), bl.ReLU()], (3, 4, 5))
    with pytest.raises(ValueError, match="X must have shape"):
        model.logits(rng.normal(size=(2, 4, 5, 3)))


@pytest.mark.parametrize("method", [bl.lime, bl.kernel_shap, bl.shapley_sampling])
def test_details_of_no_samples(model, X, method):
    details = [method(model, X[:n], 0, segments=2, return_details=True)[1] for n in (0, 2)]
    assert details[0].keys() == details[1].keys()
    for name, values in details[1].items():
        assert details[0][name].shape == (0, *values.shape[1:])


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (bl.integrated_gradients, {"baseline": 1e39}, ValueError, "baseline holds values beyond"),
        (bl.occlusion, {"fill": 1e39}, ValueError, "fill holds values beyond"),
        (bl.deeplift_shap, {"background": np.full((1, 3, 6, 5), 1e39)}, ValueError, "background"),
        (bl.smoothgrad, {"noise": 1e39}, ValueError, "noise must be finite"),
        (bl.lrp, {"epsilon": 1e39}, ValueError, "epsilon must be finite"),
        (bl.smoothgrad, {"relative": "no"}, TypeError, "relative must be True or False"),
        (bl.lime, {"per_segment": "no"}, TypeError, "per_segment must be True or False"),
        (bl.grad_cam, {"relu": 0}, TypeError, "relu must be True or False"),
        (bl.deeplift, {"rule": ["rescale"]}, ValueError, "rule must be one of"),
        (bl.integrated_gradients, {"steps": "all"}, ValueError, "an int or 'exact', got 'all'"),
        (bl.kernel_shap, {"samples": "all"}, ValueError, "an int or 'exact', got 'all'"),
        (bl.blur_integrated_gradients, {"max_sigma": 1e9}, ValueError, "at most 100000"),
        (bl.lrp, {"low": 2, "high": 1}, ValueError, "low must not exceed high, got 2 and 1"),
        (bl.lrp, {"rule": 3}, TypeError, "rule must be a name, or a dict of names"),
    ],
)
def test_refuses(model, X, method, options, error, message):
    with pytest.raises(error, match=message):
        method(model, X, 0, **options)


def test_lime_of_any_kernel_width_and_penalty(model, X):
    for width in (1e-163, 1e30):
        assert np.isfinite(bl.lime(model, X, 0, segments=3, kernel_width=width)).all()
    tiny = bl.lime(model, X, 0, segments=5, samples=5, alpha=1e-300)
    assert np.isfinite(tiny).all()


@pytest.mark.parametrize("name", ["Grad-CAM++", "GradCAM++", "grad_cam_plus_plus", "gradcampp"])
def test_name_with_symbols(model, X, name):
    found = bl.attribute(model, X, method=name)
    np.testing.assert_array_equal(found, bl.grad_cam_plus_plus(model, X))


@pytest.mark.parametrize(
    ("method", "name"),
    [(bl.deeplift, "baseline"), (bl.integrated_gradients, "baseline"), (bl.occlusion, "fill")],
)
def test_baseline_of_one_for_all(model, X, rng, method, name):
    base = rng.normal(size=X.shape[1:]).astype(np.float32)
    expected = method(model, X, 0, **{name: base})
    np.testing.assert_array_equal(method(model, X, 0, **{name: base[None]}), expected)
    last = Model.of_graph(model._source, channels_last=True)
    given, moved = (np.ascontiguousarray(np.moveaxis(a, -3, -1)) for a in (X, base[None]))
    found = method(last, given, 0, **{name: moved})
    np.testing.assert_array_equal(np.moveaxis(found, -1, 1), expected)


def test_one_target_for_all(model, X):
    expected = bl.gradient(model, X, 1)
    for target in ([1], np.array([1]), np.int64(1)):
        np.testing.assert_array_equal(bl.gradient(model, X, target), expected)


def test_tensors_whose_gradient_is_recorded(model, X):
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)
    expected = bl.deeplift(model, X, [0, 1, 2], baseline=X[0])
    found = bl.deeplift(model, x, torch.tensor([0, 1, 2]), baseline=x[0])
    np.testing.assert_array_equal(found, expected)
