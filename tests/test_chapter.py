"""`compute_gradient_attribution` against the tutorial chapter's own formula, in NumPy."""

import numpy as np

import backlit as bl
from tests.helpers import assert_close


def chapter_attribution(model, X, target_class=None):
    """Start from probabilities minus one-hot, go back through W.T and ReLU masks."""
    activations, inputs = X.astype(np.float64), []
    for layer in model.layers:
        inputs.append(activations)
        if isinstance(layer, bl.Dense):
            activations = activations @ layer.weights + layer.bias
        else:
            activations = np.maximum(0, activations)
    exponentials = np.exp(activations - activations.max(axis=1, keepdims=True))
    probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    if target_class is None:
        target_class = probs.argmax(axis=1)
    onehot = np.zeros_like(probs)
    onehot[np.arange(len(X)), target_class] = 1
    delta = probs - onehot
    for layer, value in zip(reversed(model.layers), reversed(inputs), strict=True):
        delta = delta @ layer.weights.T if isinstance(layer, bl.Dense) else delta * (value > 0)
    return np.abs(delta)


def test_fully_connected(models, mnist):
    model, X = models["mnist_fc"], mnist[0][:40].reshape(40, 784)
    for target in (None, 3, np.arange(40) % 10):
        found = model.compute_gradient_attribution(X, target)
        assert found.shape == X.shape
        assert_close(found, chapter_attribution(model, X, target), 1e-4)


def test_takes_every_score(models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:5]
    loss = model.compute_gradient_attribution(X)
    np.testing.assert_array_equal(loss, bl.saliency(model, X, score="loss"))
    logit = model.compute_gradient_attribution(X, 1, score="logit")
    np.testing.assert_array_equal(logit, bl.saliency(model, X, 1))


def test_takes_the_keywords_of_all_methods(models, mnist):
    model, X = models["mnist_fc"], mnist[0][:20]
    out = np.empty_like(X)
    found = model.compute_gradient_attribution(X, 1, threads=1, out=out, memory=1 << 20)
    assert found is out
    np.testing.assert_array_equal(out, model.compute_gradient_attribution(X, 1))
