# ruff: noqa: E501
"""Every refusal names the argument, what was given and what was expected."""

from functools import partial

import numpy as np
import pytest

import backlit as bl

MODEL = bl.Model(
    [bl.Conv2D(np.ones((2, 1, 3, 3))), bl.Flatten(), bl.Dense(np.ones((8, 3)))], (1, 4, 4)
)
DENSE = bl.Model([bl.Dense(np.ones((4, 3)))], (4,))
COLOURS = bl.Model([bl.GlobalAvgPool2D(), bl.Flatten()], (3, 4, 4))
X = np.ones((2, 1, 4, 4))


def with_value(value):
    bad = np.ones((40, 1, 4, 4))
    bad[37, 0, 3, 3] = value
    return bad


CALLS = {
    "shape": (ValueError, r"X must have shape \(N, 1, 4, 4\), got \(2, 1, 5, 4\)",
              lambda: bl.saliency(MODEL, np.ones((2, 1, 5, 4)))),
    "one sample": (ValueError, r"a single sample is X\[None\]", lambda: MODEL.logits(X[0])),
    "features": (ValueError, r"X must have shape \(N, 4\) or .* got \(2, 5\)",
                 lambda: DENSE.logits(np.ones((2, 5)))),
    "strings": (TypeError, "X must hold real numbers, not <U1", lambda: MODEL.logits([["a"]])),
    "complex": (TypeError, "X must hold real numbers, not complex128",
                lambda: bl.saliency(MODEL, X * 1j)),
    "nan": (ValueError, "X must be finite, but sample 37", lambda: bl.saliency(MODEL, with_value(np.nan))),
    "infinity": (ValueError, "X must be finite, but sample 37",
                 lambda: MODEL.predict(with_value(-np.inf))),
    "nan, one sample": (ValueError, "X must be finite, but sample 0",
                        lambda: MODEL.logits(with_value(np.nan)[37:38])),
    "beyond float32": (ValueError, r"X holds values beyond float32", lambda: MODEL.logits(1e300 * X)),
    "baseline beyond float32": (ValueError, "baseline holds values beyond float32",
                                lambda: bl.integrated_gradients(MODEL, X, baseline=-1e300)),
    "background beyond float32": (ValueError, "background holds values beyond float32",
                                  lambda: bl.deeplift_shap(MODEL, X, background=1e300 * X)),
    "class too large": (ValueError, r"target must be in 0 \.\.\. 2, got 3",
                        lambda: bl.saliency(MODEL, X, 3)),
    "class negative": (ValueError, r"target must be in 0 \.\.\. 2, got -1",
                       lambda: bl.saliency(MODEL, X, [0, -1])),
    "class too large, no samples": (ValueError, r"target must be in 0 \.\.\. 2, got 99",
                                    lambda: bl.saliency(MODEL, X[:0], 99)),
    "class beyond 64 bits": (ValueError, rf"target must be in 0 \.\.\. 2, got {-2**70}",
                             lambda: bl.saliency(MODEL, X, -2**70)),
    "classes beyond 64 bits": (ValueError, rf"target must be in 0 \.\.\. 2, got {2**64}",
                               lambda: bl.saliency(MODEL, X, [0, 2**64])),
    "class objects": (TypeError, "target must be None, an int or an array of ints, not object",
                      lambda: bl.saliency(MODEL, X, [1, None])),
    "channels last": (ValueError, r"got \(2, 4, 4, 3\); channels come first by np.moveaxis\(X, -1, 1\)",
                      lambda: bl.saliency(COLOURS, np.ones((2, 4, 4, 3)))),
    "numbers": (ValueError, r"got \(3,\); samples of one value are X\[:, None\]",
                lambda: bl.saliency(bl.Model([bl.Dense([[2.0]])], (1,)), np.ones(3))),
    "masked": (ValueError, "X must not hold masked values",
               lambda: bl.saliency(MODEL, np.ma.masked_greater(X, 0))),
    "one-hot": (ValueError, r"one-hot rows become classes by target.argmax\(1\)",
                lambda: bl.saliency(MODEL, X, np.eye(3)[:2])),
    "targets": (ValueError, r"target must be one class or one for each of the 2 samples, got shape \(3,\)",
                lambda: bl.saliency(MODEL, X, [0, 1, 2])),
    "target kind": (TypeError, "target must be None, an int or an array of ints, not float64",
                    lambda: bl.saliency(MODEL, X, 1.0)),
    "score": (ValueError, "score must be one of 'logit', .*, got 'logits': did you mean 'logit'",
              lambda: bl.saliency(MODEL, X, score="logits")),
    "threads": (ValueError, "threads must be at least 1, got 0",
                lambda: bl.saliency(MODEL, X, threads=0)),
    "threads kind": (TypeError, "threads must be None or an int, not str",
                     lambda: MODEL.logits(X, threads="2")),
    "memory": (ValueError, "memory must be at least 1 byte, got 0",
               lambda: bl.saliency(MODEL, X, memory=0)),
    "memory kind": (TypeError, "memory must be None or an int", lambda: bl.saliency(MODEL, X, memory=1.5)),
    "out shape": (ValueError, r"out must be a float32 array of shape \(2, 1, 4, 4\), got float32 of shape \(1,\)",
                  lambda: bl.saliency(MODEL, X, out=np.empty(1, np.float32))),
    "out dtype": (ValueError, "out must be a float32 array .* got float64",
                  lambda: bl.saliency(MODEL, X, out=np.empty(X.shape))),
    "out order": (ValueError, "out must be contiguous",
                  lambda: bl.saliency(MODEL, X, out=np.empty((4, 4, 1, 2), np.float32).T)),
    "out kind": (TypeError, "out must be a NumPy array, not list", lambda: bl.saliency(MODEL, X, out=[])),
    "model": (
        TypeError,
        "model must be a backlit Model, not str: backlit.load makes one",
        lambda: bl.saliency("model", X),
    ),
    "no layers": (ValueError, "layers must not be empty", lambda: bl.Model([], (4,))),
    "not layers": (TypeError, r"layers\[1\] must be a layer, not str",
                   lambda: bl.Model([bl.ReLU(), "relu"], (4,))),
    "one layer": (TypeError, "layers must be a sequence of layers, not ReLU",
                  lambda: bl.Model(bl.ReLU(), (4,))),
    "input shape": (ValueError, r"input_shape must be \(features,\) or \(channels, height, width\)",
                    lambda: bl.Model([bl.ReLU()], (3, 4))),
    "input size": (ValueError, r"input_shape\[0\] must be at least 1, got 0",
                   lambda: bl.Model([bl.ReLU()], (0,))),
    "no classes": (ValueError, r"layers must end in a row of class scores.*\(1, 4, 4\); add a Flatten",
                   lambda: bl.Model([bl.ReLU()], (1, 4, 4))),
    "features do not fit": (ValueError, r"layer 1: Dense with weights of shape \(5, 2\) takes 5 features.*\(4,\)",
                            lambda: bl.Model([bl.ReLU(), bl.Dense(np.ones((5, 2)))], (4,))),
    "flatten forgotten": (ValueError, "put a Flatten before it",
                          lambda: bl.Model([bl.Dense(np.ones((16, 2)))], (1, 4, 4))),
    "channels do not fit": (ValueError, r"layer 0: Conv2D .* takes 2 channels.*\(1, 4, 4\)",
                            lambda: bl.Model([bl.Conv2D(np.ones((1, 2, 3, 3)))], (1, 4, 4))),
    "kernel too large": (ValueError, "does not fit into its padded input",
                         lambda: bl.Model([bl.Conv2D(np.ones((1, 1, 5, 5)))], (1, 4, 4))),
    "window too large": (ValueError, "MaxPool2D of size .5, 5. does not fit",
                         lambda: bl.Model([bl.MaxPool2D(5)], (1, 4, 4))),
    "branches differ": (ValueError, "layer 0: Residual adds outputs of one shape",
                        lambda: bl.Model([bl.Residual([bl.MaxPool2D(2)])], (1, 4, 4))),
    "normalisation": (ValueError, "BatchNorm has 2 channels, but its input has shape",
                      lambda: bl.Model([bl.BatchNorm([1, 1], [0, 0], [0, 0], [1, 1])], (1, 4, 4))),
    "weights": (ValueError, r"weights must have shape \(in, out\), got shape \(3,\)",
                lambda: bl.Dense(np.ones(3))),
    "weights kind": (TypeError, "weights must be an array of numbers", lambda: bl.Dense("weights")),
    "weights not finite": (ValueError, "weights must be finite", lambda: bl.Dense([[np.nan]])),
    "weights beyond float32": (ValueError, "weights holds values beyond float32",
                               lambda: bl.Dense([[1e300]])),
    "name": (TypeError, "name must be None or a string, not int",
             lambda: bl.Model([bl.ReLU()], (4,), name=3)),
    "softplus": (ValueError, "beta must not be 0", lambda: bl.Activation("softplus", beta=0)),
    "bias": (ValueError, r"bias must have shape \(3,\), got \(2,\)",
             lambda: bl.Dense(np.ones((4, 3)), np.ones(2))),
    "groups": (ValueError, "groups must divide the 3 output channels, got 2",
               lambda: bl.Conv2D(np.ones((3, 1, 1, 1)), groups=2)),
    "stride": (ValueError, "stride must be at least 1, got 0",
               lambda: bl.Conv2D(np.ones((1, 1, 1, 1)), stride=0)),
    "stride kind": (TypeError, "stride must be an int or a pair .*, not float: 1.5",
                    lambda: bl.MaxPool2D(2, 1.5)),
    "padding": (ValueError, r"padding must be an int, a pair .*, got \(1, 2, 3\)",
                lambda: bl.Conv2D(np.ones((1, 1, 1, 1)), padding=(1, 2, 3))),
    "padding of pooling": (ValueError, r"padding must be at most half the size \(2, 2\)",
                           lambda: bl.MaxPool2D(2, padding=2)),
    "slope": (TypeError, "slope must be a number, not str", lambda: bl.LeakyReLU("a")),
    "bounds": (ValueError, "low must not exceed high, got 2.0 and 1.0", lambda: bl.Clip(2, 1)),
    "variance": (ValueError, "variance must not be negative, got -1",
                 lambda: bl.BatchNorm([1], [1], [1], [-1])),
    "steps": (ValueError, "steps must be at least 1, got 0",
              lambda: bl.integrated_gradients(MODEL, X, steps=0)),
    "rule": (ValueError, "rule must be one of 'gauss_legendre', .*, got 'simpson'",
             lambda: bl.integrated_gradients(MODEL, X, rule="simpson")),
    "tolerance": (ValueError, "tolerance must be positive, got -1",
                  lambda: bl.integrated_gradients(MODEL, X, tolerance=-1)),
    "baseline": (ValueError, r"baseline must be a number, or an array of shape \(1, 4, 4\)",
                 lambda: bl.integrated_gradients(MODEL, X, baseline=np.ones(3))),
    "baseline not finite": (ValueError, "baseline must be finite",
                            lambda: bl.integrated_gradients(MODEL, X, baseline=np.nan)),
    "method": (ValueError, "method must be one of .*, got 'magic'",
               lambda: bl.attribute(MODEL, X, method="magic")),
    "parameters": (ValueError, "parameters must be .'alpha', 'scale', 'input_scale'. in a row, got 3",
                   lambda: bl.Activation("elu", 3)),
    "number of parameters": (ValueError, r"parameters must be .* in a row, got \(3,\)",
                             lambda: bl.Activation("elu", (3,))),
    "gap of a number": (ValueError, r"attributions must have 2 entries, one a sample, got shape \(\)",
                        lambda: bl.completeness_gap(MODEL, X, 3)),
    "gap of NaN": (ValueError, "attributions must be finite",
                   lambda: bl.completeness_gap(MODEL, X, np.nan * X)),
    "carried model": (ValueError, "name must be one of 'mnist_fc', .*, got 'vgg'",
                      lambda: bl.models.carried("vgg")),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_refused(name):
    kind, words, call = CALLS[name]
    with pytest.raises(kind, match=words):
        call()


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'saliencies'"):
        _ = bl.saliencies


def test_layers_are_immutable():
    layer = bl.Dense(np.ones((2, 2)))
    with pytest.raises(AttributeError):
        layer.bias = 1
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0] = 1


def test_flags_and_kinds_of_numbers():
    with pytest.raises(TypeError, match="ceil_mode must be True or False"):
        bl.MaxPool2D(2, ceil_mode="no")
    with pytest.raises(TypeError, match="count_include_pad must be True or False"):
        bl.AvgPool2D(2, count_include_pad="no")
    with pytest.raises(TypeError, match="weights must be an array of numbers"):
        bl.Dense(np.ones((2, 2), complex))
    with pytest.raises(ValueError, match=r"weights must be .*rows have different lengths"):
        bl.Dense([[1, 2], [3]])
    model = bl.Model([bl.Dense(np.eye(3))], input_shape=(3,))
    ragged = [[1, 2, 3], [1, 2]]
    with pytest.raises(ValueError, match=r"X must be .*rows have different lengths"):
        model.logits(ragged)
    for method, name in (
        (bl.saliency, "target"),
        (bl.deeplift, "baseline"),
        (partial(bl.occlusion, window=1), "fill"),
        (bl.deeplift_shap, "background"),
        (bl.kernel_shap, "segments"),
        (bl.lrp, "low"),
        (bl.jacobian, "classes"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be .*rows have different lengths"):
            method(model, np.ones((2, 3)), **{name: ragged})
    for target in ([], 2, [2]):
        assert bl.saliency(model, np.empty((0, 3)), target).shape == (0, 3)
