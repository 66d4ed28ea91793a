"""Activations, gradients and attributions of internal layers."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.layer_attribution import METHODS
from tests.attribution.networks import NETWORKS, fully_connected, pooled, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin

PLACES = (
    [("fully connected", str(n)) for n in range(5)]
    + [("pooled", str(n)) for n in range(9)]
    + [("residual", str(n)) for n in range(11)]
    + [("residual", f"3.body.{n}") for n in range(4)]
    + [("residual", name) for name in ("6.body.1", "6.shortcut.0")]
)


def setting(network):
    model = NETWORKS[network]()
    x = samples(model, 21)
    return model, x, np.arange(21) % model.classes


@pytest.mark.parametrize(("network", "layer"), PLACES)
def test_activation_and_gradient_equal_pytorch(network, layer):
    attr = pytest.importorskip("captum.attr")
    model, x, target = setting(network)
    module = twin(model)
    place = module.get_submodule(layer)
    theirs = attr.LayerActivation(module, place).attribute(tensor(x)).detach()
    ours = bl.layer_activation(model, x, layer=layer)
    assert_maps_agree(ours, theirs.reshape(ours.shape))
    peer = attr.LayerGradientXActivation(module, place)
    product = peer.attribute(tensor(x), target=tensor(target).long()).detach()
    ours = bl.layer_attribution(model, x, target, layer=layer)
    assert_maps_agree(ours, product.reshape(ours.shape))
    peer = attr.LayerGradientXActivation(module, place, multiply_by_inputs=False)
    gradient = peer.attribute(tensor(x), target=tensor(target).long()).detach()
    ours = bl.layer_gradient(model, x, target, layer=layer)
    assert_maps_agree(ours, gradient.reshape(ours.shape))
    alike = bl.layer_attribution(model, x, target, layer=layer, multiply_by_inputs=False)
    np.testing.assert_array_equal(alike, ours)


@pytest.mark.parametrize(
    ("network", "layer"),
    [("fully connected", "1"), ("pooled", "1"), ("pooled", "5"), ("residual", "3.body.0")],
)
def test_conductance_equals_captum(network, layer):
    attr = pytest.importorskip("captum.attr")
    model, x, target = setting(network)
    module = twin(model)
    baseline = samples(model, 1, seed=5)[0] * 0.1
    theirs = attr.LayerConductance(module, module.get_submodule(layer)).attribute(
        tensor(x),
        tensor(baseline[None]),
        target=tensor(target).long(),
        n_steps=12,
        method="riemann_trapezoid",
    )
    options = {"method": "conductance", "baseline": baseline, "steps": 12}
    found = bl.layer_attribution(model, x, target, layer=layer, **options)
    assert_maps_agree(found, theirs.detach(), 1e-3)


@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize(("network", "layer"), PLACES)
def test_integrated_gradients_of_a_layer_equal_captum(network, layer, multiply):
    attr = pytest.importorskip("captum.attr")
    model, x, target = setting(network)
    module = twin(model)
    baseline = samples(model, 1, seed=5)[0] * 0.1
    peer = attr.LayerIntegratedGradients(
        module, module.get_submodule(layer), multiply_by_inputs=multiply
    )
    theirs = peer.attribute(
        tensor(x), tensor(baseline[None]), target=tensor(target).long(), n_steps=12
    )
    options = {"method": "integrated_gradients", "baseline": baseline, "steps": 12}
    found = bl.layer_attribution(
        model, x, target, layer=layer, multiply_by_inputs=multiply, **options
    )
    assert_maps_agree(found, theirs.detach().reshape(found.shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize(
    ("network", "layer"),
    [
        *(("fully connected", str(n)) for n in range(5)),
        *(("pooled", str(n)) for n in range(3, 9)),  # Captum loses the rule before
        *(("residual", name) for name in ("6.body.0", "6.body.1", "6.shortcut.0", "6", "7", "8")),
    ],
)
def test_deeplift_equals_captum(network, layer, multiply):
    attr = pytest.importorskip("captum.attr")
    model, x, target = setting(network)
    module = twin(model)
    baseline = samples(model, 1, seed=5)[0] * 0.5
    peer = attr.LayerDeepLift(module, module.get_submodule(layer), multiply_by_inputs=multiply)
    theirs = peer.attribute(
        tensor(x).requires_grad_(), tensor(baseline[None]), target=tensor(target).long()
    )
    options = {"method": "deeplift", "baseline": baseline}
    found = bl.layer_attribution(
        model, x, target, layer=layer, multiply_by_inputs=multiply, **options
    )
    assert_maps_agree(found, theirs.detach().reshape(found.shape))


@pytest.mark.parametrize(
    ("network", "layer"),
    [("pooled", n) for n in range(9)] + [("residual", n) for n in (0, 2, 3, 5, 8)],
)
def test_deeplift_adds_up(network, layer):
    model, x, target = setting(network)
    base = samples(model, 21, seed=5)
    options = {"layer": layer, "method": "deeplift", "score": "log_probability"}
    found = bl.layer_attribution(model, x, target, baseline=base, **options)
    rows = np.arange(21)
    values = [np.log(model.predict_proba(a))[rows, target] for a in (x, base)]
    np.testing.assert_allclose(
        found.reshape(21, -1).sum(axis=1), values[0] - values[1], rtol=1e-4, atol=2e-5
    )


def test_conductance_adds_up():
    model = fully_connected()
    x = samples(model, 9)
    found = bl.layer_attribution(model, x, layer=1, method="conductance", steps=2000)
    gap = bl.completeness_gap(model, x, found)
    np.testing.assert_allclose(gap, 0, atol=0.02)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_same_bits_whatever_the_split_and_threads(network, method):
    model = NETWORKS[network]()
    x = samples(model, 41)
    options = {"layer": 2, "method": method, "steps": 5}
    whole = bl.layer_attribution(model, x, threads=1, **options)
    np.testing.assert_array_equal(bl.layer_attribution(model, x, threads=3, **options), whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41)):
        np.testing.assert_array_equal(bl.layer_attribution(model, x[part], **options), whole[part])


def test_errors():
    model = pooled()
    x = samples(model, 2)
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'lrp'"):
        bl.layer_attribution(model, x, layer=0, method="lrp")
    with pytest.raises(ValueError, match="steps must be at least 1"):
        bl.layer_attribution(model, x, layer=0, method="conductance", steps=0)
    with pytest.raises(ValueError, match="multiply_by_inputs must be True for conductance"):
        bl.layer_attribution(model, x, layer=0, method="conductance", multiply_by_inputs=False)
    ending = bl.Model([*model.layers, bl.Softmax()], model.input_shape)
    with pytest.raises(ValueError, match="layer must not come after the logits, got -1"):
        bl.layer_activation(ending, x, layer=-1)
