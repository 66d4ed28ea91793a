"""Layer-wise relevance propagation against zennit, composite by composite.

zennit asks for torchvision but needs it for no more than a name: ``pip install --no-deps zennit``.
"""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.test_peers import twin
from tests.torchvision_stand_in import stand_in_for_torchvision

torch = pytest.importorskip("torch")
stand_in_for_torchvision()
composites = pytest.importorskip("zennit.composites")
from torch import nn  # noqa: E402
from zennit import rules  # noqa: E402
from zennit.attribution import Gradient, IntegratedGradients  # noqa: E402

COMPOSITES = {
    "epsilon_plus": lambda: composites.EpsilonPlus(),
    "epsilon_plus_flat": lambda: composites.EpsilonPlusFlat(),
    "epsilon_alpha2_beta1": lambda: composites.EpsilonAlpha2Beta1(),
    "epsilon_alpha2_beta1_flat": lambda: composites.EpsilonAlpha2Beta1Flat(),
    "epsilon_gamma_box": lambda: composites.EpsilonGammaBox(low=0.0, high=1.0),
}


def random_network(rng):
    return bl.Model(
        [
            bl.Conv2D(rng.normal(size=(6, 1, 3, 3)), rng.normal(size=6), padding=1),
            bl.ReLU(),
            bl.MaxPool2D(2),
            bl.Conv2D(rng.normal(size=(8, 6, 3, 3)) / 5, rng.normal(size=8), padding=1),
            bl.ReLU(),
            bl.Flatten(),
            bl.Dense(rng.normal(size=(8 * 14 * 14, 12)) / 30, rng.normal(size=12)),
            bl.ReLU(),
            bl.Dense(rng.normal(size=(12, 10)), rng.normal(size=10)),
        ],
        (1, 28, 28),
    )


def by_zennit(network, X, target, composite):
    """Its maps, in float64."""
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    scores = network.double()(x).detach()
    start = scores * nn.functional.one_hot(torch.from_numpy(target), scores.shape[1])
    with Gradient(network, composite) as attributor:
        return attributor(x, start)[1].numpy()


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn", "random"])
def test_composites(name, composite, models, mnist, rng):
    model = random_network(rng) if name == "random" else models[name]
    X = mnist[0][:12].reshape(12, *model.input_shape)
    expected = by_zennit(twin(model), X, model.predict(X), COMPOSITES[composite]())
    assert_close(bl.lrp(model, X, rule=composite), expected, 1e-5)


def test_parameters_by_layer(mnist, rng):
    model, X = random_network(rng), mnist[0][:12]
    theirs = {
        "0": rules.Gamma(0.1),
        "3": rules.Gamma(0.6),
        "6": rules.Epsilon(0.2),
        "8": rules.ZPlus(),
    }
    composite = composites.NameMapComposite([([name], rule) for name, rule in theirs.items()])
    ours = {0: ("gamma", 0.1), 3: ("gamma", 0.6), 6: ("epsilon", 0.2), 8: "z_plus"}
    expected = by_zennit(twin(model), X, model.predict(X), composite)
    assert_close(bl.lrp(model, X, rule=ours), expected, 1e-5)


# --- layers and rules of its own tests, tests/unit/conftest.py and test_rules.py ------------------

LAYERS = {
    "dense": (lambda: nn.Linear(16, 15), (16,)),
    "one feature": (lambda: nn.Linear(1, 1), (1,)),
    "signals": (lambda: nn.Conv1d(3, 2, 3, bias=False), (3, 4)),
    "transposed, of signals": (lambda: nn.ConvTranspose1d(1, 3, 2), (1, 4)),
    "pictures": (lambda: nn.Conv2d(1, 3, 2), (1, 4, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 1, 3), (3, 4, 4)),
    "in groups": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (4, 9, 7)),
}
RULES = {
    "epsilon": rules.Epsilon(),
    ("epsilon", 1.0): rules.Epsilon(1.0),
    "z_plus": rules.ZPlus(),
    ("gamma", 0.5): rules.Gamma(0.5),
    "alpha2_beta1": rules.AlphaBeta(2, 1),
    "alpha1_beta0": rules.AlphaBeta(1, 0),
    "w_square": rules.WSquare(),
    "flat": rules.Flat(),
    "z_box": rules.ZBox(-3.0, 3.0),
}


@pytest.fixture(params=LAYERS)
def network(request):
    """The layer, a ReLU and a dense layer."""
    torch.manual_seed(0)
    make, shape = LAYERS[request.param]
    layers = [make(), nn.ReLU(), nn.Flatten()]
    outputs = nn.Sequential(*layers)(torch.zeros(1, *shape)).shape[1]
    network = nn.Sequential(*layers, nn.Linear(outputs, 4)).eval()
    X = np.random.default_rng(0).normal(size=(17, *shape)).astype(np.float32)
    return network, bl.from_torch(network, X), X, np.arange(17) % 4


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule, network):
    network, model, X, target = network
    composite = composites.NameMapComposite([(["0"], RULES[rule]), (["3"], rules.Epsilon())])
    found = bl.lrp(model, X, target, rule={"0": rule}, low=-3, high=3)
    assert_close(found, by_zennit(network, X, target, composite), 1e-4)


def test_attributors(network):
    """Gradients with its composites for ReLUs, and integrated gradients without the baseline."""
    network, model, X, target = network
    x, network = torch.tensor(X, dtype=torch.float64), network.double()
    start = nn.functional.one_hot(torch.from_numpy(target), 4).double()
    for method, composite in (
        (bl.gradient, None),
        (bl.guided_backprop, composites.GuidedBackprop()),
        (bl.deconvnet, composites.DeconvNet()),
    ):
        with Gradient(network, composite) as attributor:
            expected = attributor(x, start)[1].numpy()
        assert_close(method(model, X, target), expected, 1e-5)
    with IntegratedGradients(network, n_iter=7) as attributor:
        expected = attributor(x, lambda _: start)[1].numpy()
    found = bl.integrated_gradients(model, X, target, rule="riemann_right", steps=7)
    assert_close(found, expected, 1e-5)


ACTIVATIONS = "CELU ELU GELU Hardswish Hardtanh LeakyReLU LogSigmoid SELU SiLU Softplus Softsign"


@pytest.mark.parametrize("name", ACTIVATIONS.split())
def test_activations_pass_relevance_on(name):
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 4, 3), getattr(nn, name)(), nn.Flatten(), nn.Linear(64, 3)]
    network = nn.Sequential(*layers).eval()
    X = np.random.default_rng(0).normal(size=(5, 2, 6, 6)).astype(np.float32)
    target = np.arange(5) % 3
    found = bl.lrp(bl.from_torch(network, X), X, target, rule="epsilon_plus")
    assert_close(found, by_zennit(network, X, target, composites.EpsilonPlus()), 1e-4)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_gamma_box"])
def test_normalised_input(composite, count):
    """What the first layer's rule gives to a value near 0 is the pixel's, and so are the bounds."""
    torch.manual_seed(0)
    norms = nn.Sequential(*[nn.BatchNorm2d(3) for _ in range(count)])
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 2)
        norm.running_mean.uniform_(0.3, 0.6)
    layers = [norms, nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 42, 3)]
    network = nn.Sequential(*layers).double().eval()
    X, target = np.random.default_rng(0).random((5, 3, 6, 7)).astype(np.float32), np.arange(5) % 3
    found = bl.lrp(bl.from_torch(network, X), X, target, rule=composite)
    low, high = (norms(torch.full((1, 3, 6, 7), end).double()).detach() for end in (0.0, 1.0))
    theirs = {
        "epsilon_plus_flat": composites.EpsilonPlusFlat(),
        "epsilon_gamma_box": composites.EpsilonGammaBox(low=low, high=high),
    }
    assert_close(found, by_zennit(network, X, target, theirs[composite]), 1e-4)
