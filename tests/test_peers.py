"""Agreement with PyTorch and Captum, where they are installed."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

torch = pytest.importorskip("torch")
captum_attr = pytest.importorskip("captum.attr")


def twin(model):
    """The same network in PyTorch."""
    nn = torch.nn
    modules = []
    for layer in model.layers:
        if isinstance(layer, bl.Dense):
            module = nn.Linear(*layer.weights.shape)
            weights = layer.weights.T
        elif isinstance(layer, bl.Conv2D):
            outputs, inputs, rows, columns = layer.weights.shape
            top, left, _, _ = layer.padding
            module = nn.Conv2d(inputs, outputs, (rows, columns), padding=(top, left))
            weights = layer.weights
        else:
            plain = {bl.ReLU: nn.ReLU, bl.Flatten: nn.Flatten}
            pool = isinstance(layer, bl.MaxPool2D)
            modules.append(nn.MaxPool2d(layer.size) if pool else plain[type(layer)]())
            continue
        with torch.no_grad():
            module.weight.copy_(torch.tensor(np.array(weights)))
            module.bias.copy_(torch.tensor(np.array(layer.bias)))
        modules.append(module)
    return nn.Sequential(*modules)


@pytest.fixture(params=["mnist_fc", "mnist_cnn", "mnist_cnn_wide"])
def case(request, models, mnist):
    model = models[request.param]
    X = mnist[0][:12].reshape(12, *model.input_shape)
    return model, twin(model), X


def test_logits(case):
    model, network, X = case
    assert_close(model.logits(X), network(torch.tensor(X)).detach().numpy())


@pytest.mark.parametrize("target", [None, 4])
def test_saliency(case, target):
    model, network, X = case
    classes = model.predict(X) if target is None else np.full(12, target)
    expected = captum_attr.Saliency(network).attribute(
        torch.tensor(X, requires_grad=True), target=torch.tensor(classes)
    )
    assert_close(bl.saliency(model, X, target), expected.detach().numpy(), 1e-4)


def test_loss_gradient(case):
    model, network, X = case
    x = torch.tensor(X, requires_grad=True)
    target = torch.tensor(model.predict(X))
    torch.nn.functional.cross_entropy(network(x), target, reduction="sum").backward()
    # softmax saturates in float32 there, hence float64 would be the better judge of small ones
    found = bl.gradient(model, X, score="loss")
    assert_close(found, x.grad.numpy(), 1e-3)


RULES = ["gauss_legendre", "riemann_left", "riemann_right", "riemann_middle"]


@pytest.mark.parametrize("rule", RULES)
def test_integrated_gradients(case, rule):
    model, network, X = case
    found, delta = bl.integrated_gradients(model, X, rule=rule, steps=20, return_delta=True)
    expected, expected_delta = captum_attr.IntegratedGradients(network).attribute(
        torch.tensor(X),
        target=torch.tensor(model.predict(X)),
        n_steps=20,
        method=rule.replace("_legendre", "legendre"),
        return_convergence_delta=True,
    )
    assert_nearly_all_close(found, expected.detach().numpy())
    np.testing.assert_allclose(delta, expected_delta.numpy(), atol=0.05)


def assert_nearly_all_close(found, expected):
    """A pre-activation within rounding of 0 at one of 20 points may fall on the other side."""
    worst = np.sort(np.abs(found - expected).reshape(12, -1).max(axis=1) / np.abs(expected).max())
    assert worst[-3] < 1e-4


def test_averaged_gradients(case):
    model, network, X = case
    found = bl.integrated_gradients(
        model, X, rule="riemann_middle", steps=20, multiply_by_inputs=False
    )
    expected = captum_attr.IntegratedGradients(network, multiply_by_inputs=False).attribute(
        torch.tensor(X),
        target=torch.tensor(model.predict(X)),
        n_steps=20,
        method="riemann_middle",
    )
    assert_nearly_all_close(found, expected.detach().numpy())
