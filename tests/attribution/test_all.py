"""What holds for every method of the table."""

import inspect

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.method_table import METHODS
from backlit.by_name import find_method

COMMON = ["score", "threads", "progress", "out", "memory"]


def options(name, X):
    """What a method must be told, and less work than by default."""
    parameters = inspect.signature(getattr(bl, name)).parameters
    given = {"background": X[:3]} if "background" in parameters else {}
    if name == "exact_shapley":
        given["segments"] = 2
    orders = name == "shapley_sampling"  # each of which takes many coalitions
    for small, value in (("samples", 12 if orders else 120), ("steps", 4)):
        if small in parameters:
            given[small] = value
    return given


@pytest.fixture(scope="module")
def X(mnist):
    return mnist[0][:5]


@pytest.mark.parametrize("name", METHODS)
def test_signature(name):
    parameters = inspect.signature(getattr(bl, name)).parameters
    assert list(parameters)[:3] == ["model", "X", "target"]
    assert parameters["target"].default is None
    by_position = ["score"] if name in ("gradient", "saliency") else []
    for common in COMMON:
        by_keyword = parameters[common].kind is inspect.Parameter.KEYWORD_ONLY
        assert by_keyword == (common not in by_position)
    assert getattr(bl, name).__doc__


@pytest.mark.parametrize("name", ["gradient", "saliency"])
def test_score_by_position(models, X, name):
    model, method = models["mnist_cnn"], getattr(bl, name)
    np.testing.assert_array_equal(method(model, X, None, "loss"), method(model, X, score="loss"))


@pytest.mark.parametrize("name", METHODS)
def test_map_and_out_and_empty(models, X, name):
    if name == "xrai":
        pytest.importorskip("skimage")
    method, own = getattr(bl, name), options(name, X)
    maps = method(models["mnist_cnn"], X, **own)
    assert maps.shape == X.shape
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert (maps != 0).any()
    out = np.empty_like(X)
    assert method(models["mnist_cnn"], X, out=out, **own) is out
    np.testing.assert_array_equal(out, maps)
    assert method(models["mnist_cnn"], X[:0], **own).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("name", METHODS)
def test_bad_arguments_are_refused_by_all(models, X, name):
    if name == "xrai":
        pytest.importorskip("skimage")
    method, own = getattr(bl, name), options(name, X)
    model = models["mnist_cnn"]
    bad = X.copy()
    bad[3, 0, 5, 5] = np.nan
    for words, arguments, more in (
        ("must be finite, but", (model, bad), {}),
        ("X must have shape", (model, X[:, :, :5]), {}),
        ("target must be in 0", (model, X, 10), {}),
        ("score must be one of", (model, X), {"score": "x"}),
        ("threads must be at least 1", (model, X), {"threads": 0}),
        ("out must be a float32 array", (model, X), {"out": np.empty(3)}),
    ):
        with pytest.raises(ValueError, match=words):
            method(*arguments, **own, **more)


def test_names_people_know():
    for known, name in {
        "ig": "integrated_gradients",
        "IG": "integrated_gradients",
        "gradientshap": "expected_gradients",
        "Gradient SHAP": "expected_gradients",
        "GradCAM": "grad_cam",
        "KernelSHAP": "kernel_shap",
        "DeepLiftShap": "deeplift_shap",
        "guided backprop": "guided_backprop",
        "SmoothGrad": "smoothgrad",
        "vanilla gradients": "saliency",
        "LayerGradCam": "grad_cam",
        "GradientExplainer": "expected_gradients",
        "layer-wise relevance propagation": "lrp",
    }.items():
        assert find_method(known) is getattr(bl, name)


def test_names_are_not_taken_twice():
    owners = {}
    for name, entry in METHODS.items():
        for known in (name, *entry.aliases):
            plain = "".join(c for c in known.lower() if c.isalnum())
            assert owners.setdefault(plain, name) == name
