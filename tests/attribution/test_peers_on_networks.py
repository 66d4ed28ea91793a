"""Captum, zennit and shap on random networks: residuals, normalisation, pooling of every kind."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin, twin_with_copies
from tests.torchvision_stand_in import stand_in_for_torchvision

torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")

STEPS = 12
# Captum undoes max-pooling by a scatter in which overlapping windows overwrite each other
APART = sorted(set(NETWORKS) - {"pooled"})
IN_A_ROW = sorted(set(APART) - {"residual"})  # Captum's LRP gives all branches the whole relevance


def setting(name, count=5):
    model = NETWORKS[name]()
    X = samples(model, count)
    return model, twin(model), X, model.predict(X)


@pytest.mark.parametrize("name", NETWORKS)
def test_saliency(name):
    model, network, X, target = setting(name)
    theirs = attr.Saliency(network).attribute(
        tensor(X).requires_grad_(), target=torch.from_numpy(target)
    )
    assert_maps_agree(bl.saliency(model, X), theirs)


@pytest.mark.parametrize("rule", ["gauss_legendre", "riemann_left", "riemann_right", "trapezoid"])
@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients(name, rule):
    """Captum's trapezoid weighs by 1 / steps, not 1 / (steps - 1): its weights do not add up to 1.

    Ours is the textbook's; with the factor between them, the two are the same.
    """
    model, network, X, target = setting(name)
    baseline = samples(model, 1, seed=7)[0]
    found, delta = bl.integrated_gradients(
        model, X, baseline=baseline, rule=rule, steps=STEPS, return_delta=True
    )
    theirs, their_delta = attr.IntegratedGradients(network).attribute(
        tensor(X),
        tensor(baseline[None]),
        torch.from_numpy(target),
        n_steps=STEPS,
        method={"gauss_legendre": "gausslegendre", "trapezoid": "riemann_trapezoid"}.get(
            rule, rule
        ),
        return_convergence_delta=True,
    )
    if rule == "trapezoid":
        theirs = theirs * STEPS / (STEPS - 1)
        assert_maps_agree(found, theirs)
        return
    assert_maps_agree(found, theirs)
    change = np.abs(model.logits(X) - model.logits(baseline[None])).max()
    np.testing.assert_allclose(delta, their_delta, atol=1e-4 * change)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", APART)
def test_deeplift(name):
    model, _, X, target = setting(name)
    network = twin_with_copies(model)
    start = samples(model, 4, seed=3)
    target = torch.from_numpy(target)
    theirs = attr.DeepLift(network).attribute(tensor(X), tensor(start[:1]), target)
    assert_maps_agree(bl.deeplift(model, X, baseline=start[0]), theirs.detach())
    theirs = attr.DeepLiftShap(network).attribute(tensor(X), tensor(start), target)
    assert_maps_agree(bl.deeplift_shap(model, X, background=start), theirs.detach())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", IN_A_ROW)
def test_lrp(name):
    from captum.attr._utils.lrp_rules import EpsilonRule

    model, network, X, target = setting(name)
    for module in network.modules():
        if isinstance(module, torch.nn.Flatten | torch.nn.MaxPool2d):
            module.rule = EpsilonRule(1e-30)  # 0 / 0 otherwise, where a pooled output is 0
        elif not isinstance(module, torch.nn.ReLU | torch.nn.Sequential):
            module.rule = EpsilonRule(1e-3)
    theirs = attr.LRP(network).attribute(tensor(X), target=torch.from_numpy(target)).detach()
    assert_maps_agree(bl.lrp(model, X, epsilon=1e-3), theirs)


@pytest.mark.parametrize("name", ["pooled", "residual", "pooled twice"])
def test_occlusion(name):
    model, network, X, target = setting(name)
    window, stride = (model.input_shape[0], 3, 2), (model.input_shape[0], 2, 1)
    theirs = attr.Occlusion(network).attribute(
        tensor(X), window, stride, baselines=0.25, target=torch.from_numpy(target)
    )
    found = bl.occlusion(model, X, window=window, stride=stride, fill=0.25)
    assert_maps_agree(found, theirs)


@pytest.mark.parametrize("name", NETWORKS)
def test_kernel_shap_of_all_coalitions(name):
    """Captum draws coalitions at random: with so many, each of the few was drawn."""
    pytest.importorskip("sklearn")
    model, network, X, target = setting(name, 1)
    parts = np.arange(X[0].size).reshape(X.shape) * 5 // X[0].size
    torch.manual_seed(0)
    theirs = attr.KernelShap(network).attribute(
        tensor(X),
        target=int(target[0]),
        feature_mask=torch.from_numpy(parts),
        n_samples=4000,
        perturbations_per_eval=500,
    )
    ours = bl.kernel_shap(model, X, segments=parts[0], samples="exact")
    np.testing.assert_allclose(ours, theirs, atol=0.1 * np.abs(ours).max())


@pytest.mark.parametrize("name", ["fully connected", "residual"])
def test_lime_in_expectation(name):
    """With the kernel and the drawing of the `lime` package, which backlit follows."""
    pytest.importorskip("sklearn")
    from captum._utils.models.linear_model import SkLearnRidge

    model, network, X, target = setting(name, 1)
    parts = np.arange(X[0].size).reshape(X.shape) * 6 // X[0].size
    torch.manual_seed(0)
    peer = attr.Lime(
        network,
        SkLearnRidge(alpha=1.0),
        similarity_func=lambda _x, _changed, kept, **_: torch.exp(
            -((1 - kept.double().mean().sqrt()) ** 2) / 0.25**2
        ).sqrt(),
        perturb_func=lambda _x, **options: torch.randint(2, (1, options["num_interp_features"])),
    )
    theirs = peer.attribute(
        tensor(X),
        target=int(target[0]),
        feature_mask=torch.from_numpy(parts),
        n_samples=3000,
        perturbations_per_eval=500,
    )
    ours = bl.lime(model, X, segments=parts[0], samples=6000)
    np.testing.assert_allclose(ours, theirs, atol=0.1 * np.abs(ours).max())


@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1"])
@pytest.mark.parametrize("name", NETWORKS)
def test_zennit(name, composite):
    stand_in_for_torchvision()
    composites = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm

    kind = {
        "epsilon_plus": composites.EpsilonPlus,
        "epsilon_plus_flat": composites.EpsilonPlusFlat,
        "epsilon_alpha2_beta1": composites.EpsilonAlpha2Beta1,
    }[composite]
    model, network, X, target = setting(name)
    share_additions(network)
    chosen = torch.nn.functional.one_hot(torch.from_numpy(target), model.classes)
    x = tensor(X).requires_grad_()
    start = network(x).detach() * chosen
    with Gradient(network, kind(canonizers=[SequentialMergeBatchNorm()])) as attributor:
        theirs = attributor(x, start)[1]
    assert_maps_agree(bl.lrp(model, X, rule=composite), theirs)


def share_additions(network):
    """Let residual additions be zennit's, which are shared in proportion."""
    from zennit.layer import Sum

    class Added(torch.nn.Module):
        def __init__(self, body, shortcut):
            super().__init__()
            self.body, self.shortcut, self.sum = body, shortcut, Sum()

        def forward(self, x):
            return self.sum(torch.stack([self.body(x), self.shortcut(x)], dim=-1))

    for name, module in network.named_children():
        if hasattr(module, "shortcut"):
            setattr(network, name, Added(module.body, module.shortcut))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", APART)
def test_shap_deep(name):
    shap = pytest.importorskip("shap")
    model, network, X, target = setting(name)
    background = samples(model, 4, seed=3)
    explainer = shap.DeepExplainer(network.float(), torch.from_numpy(background))
    theirs = explainer.shap_values(torch.from_numpy(X), check_additivity=False)
    theirs = np.stack([theirs[i][..., t] for i, t in enumerate(target)])
    assert_maps_agree(bl.deeplift_shap(model, X, background=background), theirs)
