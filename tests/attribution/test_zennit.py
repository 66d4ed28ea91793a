"""Layer-wise relevance propagation against zennit, composite by composite.

zennit asks for torchvision but needs it for no more than a name: ``pip install --no-deps zennit``.
"""

import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.test_peers import twin
from tests.torchvision_stand_in import stand_in_for_torchvision

torch = pytest.importorskip("torch")
stand_in_for_torchvision()
composites = pytest.importorskip("zennit.composites")
from zennit.attribution import Gradient  # noqa: E402
from zennit.rules import Epsilon, Gamma, ZPlus  # noqa: E402

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


def by_zennit(model, X, composite):
    """Its maps of the predicted classes, in float64."""
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    network = twin(model).double()
    chosen = torch.nn.functional.one_hot(torch.tensor(model.predict(X)), model.classes)
    with Gradient(network, composite) as attributor:
        return attributor(x, network(x).detach() * chosen)[1].numpy()


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn", "random"])
def test_composites(name, composite, models, mnist, rng):
    model = random_network(rng) if name == "random" else models[name]
    X = mnist[0][:12].reshape(12, *model.input_shape)
    expected = by_zennit(model, X, COMPOSITES[composite]())
    assert_close(bl.lrp(model, X, rule=composite), expected, 1e-5)


def test_parameters_by_layer(mnist, rng):
    model, X = random_network(rng), mnist[0][:12]
    theirs = {"0": Gamma(0.1), "3": Gamma(0.6), "6": Epsilon(0.2), "8": ZPlus()}
    composite = composites.NameMapComposite([([name], rule) for name, rule in theirs.items()])
    ours = {0: ("gamma", 0.1), 3: ("gamma", 0.6), 6: ("epsilon", 0.2), 8: "z_plus"}
    assert_close(bl.lrp(model, X, rule=ours), by_zennit(model, X, composite), 1e-5)
