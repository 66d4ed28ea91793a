"""Input times gradient, guided backpropagation, deconvnet, jacobian."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, fully_connected, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin

PEERS = {
    "input_x_gradient": "InputXGradient",
    "guided_backprop": "GuidedBackprop",
    "deconvnet": "Deconvolution",
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.filterwarnings("ignore:Setting .* hooks")
def test_equals_captum(name, network):
    attr = pytest.importorskip("captum.attr")
    model = NETWORKS[network]()
    x = samples(model, 21)
    target = np.arange(21) % model.classes
    theirs = getattr(attr, PEERS[name])(twin(model)).attribute(
        tensor(x).requires_grad_(), target=tensor(target).long()
    )
    assert_maps_agree(getattr(bl, name)(model, x, target), theirs.detach())


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.filterwarnings("ignore:Setting .* hooks")
def test_equals_captum_on_digits(name):
    attr = pytest.importorskip("captum.attr")
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:40]
    target = model.predict(x)
    theirs = getattr(attr, PEERS[name])(twin(model)).attribute(
        tensor(x).requires_grad_(), target=tensor(target).long()
    )
    assert_maps_agree(getattr(bl, name)(model, x), theirs.detach())


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_same_bits_whatever_the_split_and_threads(name, network):
    model = NETWORKS[network]()
    x = samples(model, 41)
    method = getattr(bl, name)
    whole = method(model, x, threads=1)
    np.testing.assert_array_equal(method(model, x, threads=3), whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41)):
        np.testing.assert_array_equal(method(model, x[part]), whole[part])


def test_hand_computed_rules():
    """One 3x3 convolution of a 4x4 image; its four outputs are weighted 1, -1, 1, -1.

    Their pre-activations are 4, 2, -2 and -4: the first two are active, of which the first has a
    positive weight; the first and third have positive weights.
    """
    kernel = np.arange(-4.0, 5.0).reshape(3, 3)
    weights = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    layers = [bl.Conv2D(kernel[None, None]), bl.ReLU(), bl.Flatten(), bl.Dense(weights)]
    model = bl.Model(layers, (1, 4, 4))
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 1] = x[0, 0, 2, 2] = 1
    assert model.logits(x).item() == 4 - 2

    def spread(*signs):
        image = np.zeros((4, 4))
        for sign, (i, j) in zip(signs, np.ndindex(2, 2), strict=True):
            image[i : i + 3, j : j + 3] += sign * kernel
        return image[None, None]

    np.testing.assert_array_equal(bl.gradient(model, x), spread(1, -1, 0, 0))
    np.testing.assert_array_equal(bl.guided_backprop(model, x), spread(1, 0, 0, 0))
    np.testing.assert_array_equal(bl.deconvnet(model, x), spread(1, 0, 1, 0))


def test_linear_model_input_x_gradient_is_input_x_weight():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((6, 3))
    x = rng.standard_normal((5, 6))
    target = np.array([0, 1, 2, 0, 1])
    model = bl.Model([bl.Dense(weights, None)], (6,))
    np.testing.assert_allclose(
        bl.input_x_gradient(model, x, target), x * weights.T[target], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("score", ["logit", "log_probability", "probability", "loss"])
@pytest.mark.parametrize("network", NETWORKS)
def test_jacobian_is_every_gradient(network, score):
    model = NETWORKS[network]()
    x = samples(model, 19)
    maps = bl.jacobian(model, x, score=score)
    assert maps.shape == (19, model.classes, *model.input_shape)
    for k in range(model.classes):
        np.testing.assert_array_equal(maps[:, k], bl.gradient(model, x, k, score=score))


def test_jacobian_of_chosen_classes():
    model = fully_connected()
    x = samples(model, 35)
    maps = bl.jacobian(model, x)
    np.testing.assert_array_equal(bl.jacobian(model, x, classes=[3, 0, 3]), maps[:, [3, 0, 3]])
    np.testing.assert_array_equal(bl.jacobian(model, x[:1], classes=np.array([2])), maps[:1, [2]])
    assert bl.jacobian(model, x[:0]).shape == (0, 4, 21)


def test_jacobian_writes_out():
    model = fully_connected()
    x = samples(model, 3)
    out = np.empty((3, 2, 21), np.float32)
    assert bl.jacobian(model, x, classes=[1, 2], out=out) is out
    np.testing.assert_array_equal(out, bl.jacobian(model, x)[:, 1:3])


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([], ValueError, "at least one class"),
        (2, ValueError, "sequence"),
        ([0.5], TypeError, "ints"),
        ([0, 4], ValueError, r"0 \.\.\. 3, got 4"),
        ([-1], ValueError, "got -1"),
    ],
)
def test_jacobian_refuses(classes, error, message):
    model = fully_connected()
    with pytest.raises(error, match=message):
        bl.jacobian(model, samples(model, 2), classes=classes)
