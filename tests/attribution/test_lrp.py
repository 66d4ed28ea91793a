"""Layer-wise relevance propagation: hand-computed rules, definitions, conservation, Captum."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.lrp import NAMES, choose_rules
from backlit.importers.builder import GraphBuilder, finish
from backlit.layers import ConvTranspose2D
from tests.attribution.networks import NETWORKS, conv, dense, norm, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin
from tests.helpers import assert_close
from tests.reference import lrp as reference

# x = (3, -1), weights (1, 3) and (-2, 1), biases 1 and -1: contributions (3, -3) and (-6, -1),
# outputs 1 and -8, which are the relevances; gamma 1/2, input values from -2 to 2
BY_HAND = {
    "epsilon": ([3, -3], [-6, -1]),
    "z_plus": ([3 / 4, 0], [0, 0]),
    "alpha1_beta0": ([3 / 4, 0], [0, 0]),
    "alpha2_beta1": ([3 / 2, -1], [6, 1]),
    "gamma": ([4.5 / 3, -1], [-6, -1]),
    "w_square": ([1 / 11, 9 / 11], [-8 * 4 / 6, -8 / 6]),
    "flat": ([1 / 2, 1 / 2], [-4, -4]),
    "z_box": ([5 / 8, 3 / 8], [-16, 8]),
}


@pytest.mark.parametrize("rule", NAMES)
def test_by_hand(rule):
    model = bl.Model([bl.Dense([[1, -2], [3, 1]], [1, -1])], (2,))
    X = np.array([[3.0, -1.0]])
    for target, expected in enumerate(BY_HAND[rule]):
        found = bl.lrp(model, X, target, rule=rule, gamma=0.5, low=-2, high=2)
        np.testing.assert_allclose(found[0], expected, rtol=2e-5, atol=1e-6)


def test_zero_denominators():
    """Outputs of 0 count as positive: the stabiliser is added. Without one they keep nothing."""
    model = bl.Model([bl.Dense([[1, 0], [1, 0]]), bl.Dense([[1], [1]], [2])], (2,))
    X = np.array([[1.0, -1.0]])  # the hidden outputs are 0, with relevance 0
    assert not bl.lrp(model, X, epsilon=0.1).any()
    assert not bl.lrp(model, X, epsilon=0.0).any()
    # w_square gives relevance to outputs that are 0: 2 * 1 / (1 + 1 + 4) = 1/3 to each
    found = bl.lrp(model, X, rule={0: "epsilon", 1: "w_square"}, epsilon=0.1)
    np.testing.assert_allclose(found, [[1 / 3 / 0.1, -1 / 3 / 0.1]], rtol=1e-5)


def every_kind(seed=0):
    """Bent activations that may be negative, pooling of every kind, norms folded and not."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 2, 4, padding=1, stride=2),
        bl.LeakyReLU(0.2),
        bl.AvgPool2D(2, stride=1, padding=1),
        norm(rng, 4),
        bl.Residual([conv(rng, 4, 4, padding=1, groups=1), bl.Tanh()], []),
        bl.MaxPool2D(2, stride=1),
        conv(rng, 4, 5),
        norm(rng, 5),
        bl.ReLU(),
        bl.Flatten(),
        dense(rng, 5 * 2 * 3, 6),
        bl.Sigmoid(),
        dense(rng, 6, 4),
        bl.Softmax(),
    ]
    return bl.Model(layers, (2, 7, 9))


def transposed(seed=0):
    """Transposed convolutions, one of them in groups and with a norm; a norm after a ReLU."""
    rng = np.random.default_rng(seed)

    def up(inputs, outputs, **options):
        weights = rng.standard_normal((inputs, outputs, 3, 2)) / np.sqrt(3 * inputs)
        groups = options.get("groups", 1)
        return ConvTranspose2D(weights, rng.standard_normal(outputs * groups) * 0.1, **options)

    layers = [
        up(2, 4, stride=2, padding=1),
        bl.ReLU(),
        norm(rng, 4),
        up(4, 2, groups=2, output_padding=(0, 1), stride=(1, 2)),
        norm(rng, 4),
        bl.ReLU(),
        bl.Flatten(),
        dense(rng, 4 * 9 * 13, 3),
    ]
    return bl.Model(layers, (2, 4, 4))


def awake_at_zero(seed=0):
    """What a ReLU cuts off is read by functions that are not 0 there."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 2, 4, padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Sigmoid(),
        bl.Flatten(),
        dense(rng, 16, 3),
    ]
    return bl.Model(layers, (2, 4, 4))


MODELS = {
    **NETWORKS,
    "every kind": every_kind,
    "transposed": transposed,
    "awake at zero": awake_at_zero,
}


def places(model):
    """The places of the linear layers, in order."""
    return list(choose_rules(model._programs.graph, "epsilon"))


@pytest.mark.parametrize("rule", NAMES)
@pytest.mark.parametrize("name", MODELS)
def test_the_definition(name, rule):
    model = MODELS[name]()
    X = samples(model, 9)
    first, *rest = places(model)
    rules = {first: rule} | dict.fromkeys(rest, "epsilon" if rule == "z_box" else rule)
    options = {"epsilon": 0.1, "gamma": 0.3, "low": -1.5, "high": 2.5}
    found = bl.lrp(model, X, 1, rule=rule, **options)
    # these two send relevance to values near 0, by which pooling and additions divide
    tolerance = 2e-3 if rule in ("flat", "w_square") else 1e-4
    assert_close(found, reference.lrp(model, X, rules, 1, **options), tolerance)


@pytest.mark.parametrize("score", ["probability", "log_probability", "loss"])
def test_other_scores(score):
    model = NETWORKS["pooled"]()
    X = samples(model, 5)
    found = bl.lrp(model, X, 2, epsilon=0.1, score=score)
    assert_close(found, reference.lrp(model, X, {}, 2, score, epsilon=0.1), 1e-4)


def test_rules_by_layer():
    model = NETWORKS["residual"]()
    X = samples(model, 5)
    rules = {"0": "flat", "3.body.0": "gamma", "6.shortcut.0": "alpha2_beta1", "10": "z_plus"}
    by_index = {int(k) if k.isdigit() else k: v for k, v in rules.items()}
    found = bl.lrp(model, X, 1, rule=by_index, epsilon=0.1)
    assert_close(found, reference.lrp(model, X, rules, 1, epsilon=0.1), 1e-4)


def test_parameters_by_layer():
    """Those of a pair are its layers' own; those of the arguments, of the others."""
    model = NETWORKS["residual"]()
    X = samples(model, 5)
    rules = {"0": ("gamma", 0.8), "3.body.0": ("epsilon", 0.5), "6.body.0": "gamma"}
    options = {"epsilon": 0.1, "gamma": 0.3}
    expected = reference.lrp(model, X, rules, 1, **options)
    as_json = {place: [*rule] if isinstance(rule, tuple) else rule for place, rule in rules.items()}
    for given in rules, as_json:
        assert_close(bl.lrp(model, X, 1, rule=given, **options), expected, 1e-4)
    whole = bl.lrp(model, X, 1, rule=dict.fromkeys(places(model), ("Gamma", 0.3)))
    np.testing.assert_array_equal(whole, bl.lrp(model, X, 1, rule="gamma", gamma=0.3))


def test_rules_by_index_of_named_layers(rng):
    """An index is that of `model.layers`, whatever layers are called."""
    b = GraphBuilder((2, 6, 5))
    x = b.input
    for name, layer in (("3", conv(rng, 2, 3)), ("act", bl.ReLU()), ("0", conv(rng, 3, 4))):
        b.label = name
        x = b.append(layer, x)
    b.label = "last"
    model = finish(b, b.append(dense(rng, 4 * 2, 3), b.append(bl.Flatten(), x)))
    X = rng.normal(size=(3, 2, 6, 5))
    first, other = (
        bl.lrp(model, X, 1, rule={"3": "gamma"}),
        bl.lrp(model, X, 1, rule={"0": "gamma"}),
    )
    np.testing.assert_array_equal(bl.lrp(model, X, 1, rule={0: "gamma"}), first)
    np.testing.assert_array_equal(bl.lrp(model, X, 1, rule={np.int64(2): "gamma"}), other)
    assert (first != other).any()
    with pytest.raises(ValueError, match="rule names layer 'act'"):
        bl.lrp(model, X, 1, rule={1: "gamma"})


def test_rules_by_part():
    """A part's rule is that of the layers in it, unless they have one of their own."""
    model = every_kind()
    graph = model._programs.graph
    names = choose_rules(graph, "epsilon")
    (inner,) = (name for name in names if name.startswith("4."))
    assert choose_rules(graph, {4: "gamma"}) == names | {inner: "gamma"}
    assert choose_rules(graph, {"4.body": "flat", 4: "gamma"}) == names | {inner: "flat"}
    assert choose_rules(graph, {inner: "z_plus", 4: "gamma"}) == names | {inner: "z_plus"}


def test_box_of_a_transposed_convolution(rng):
    """As in zennit, whose convolutions they are."""
    first = ConvTranspose2D(rng.normal(size=(2, 3, 3, 3)))
    layers = [first, bl.ReLU(), conv(rng, 3, 4), bl.ReLU(), bl.Flatten(), dense(rng, 64, 3)]
    rules = choose_rules(bl.Model(layers, (2, 4, 4))._programs.graph, "epsilon_gamma_box")
    assert rules == {"0": "z_box", "2": "gamma", "5": "epsilon"}


# zennit's: rules of convolutions, of dense layers, and of the first layer of some kinds
COMPOSITES = {
    "EpsilonPlus": ("z_plus", "epsilon", None, ()),
    "EpsilonAlpha2Beta1": ("alpha2_beta1", "epsilon", None, ()),
    "EpsilonPlusFlat": ("z_plus", "epsilon", "flat", (bl.Conv2D, bl.Dense)),
    "EpsilonAlpha2Beta1Flat": ("alpha2_beta1", "epsilon", "flat", (bl.Conv2D, bl.Dense)),
    "EpsilonGammaBox": ("gamma", "epsilon", "z_box", (bl.Conv2D,)),
}
SNAKE = {
    "epsilon_plus": "EpsilonPlus",
    "epsilon_alpha2_beta1": "EpsilonAlpha2Beta1",
    "epsilon_plus_flat": "EpsilonPlusFlat",
    "epsilon_alpha2_beta1_flat": "EpsilonAlpha2Beta1Flat",
    "epsilon_gamma_box": "EpsilonGammaBox",
}


@pytest.mark.parametrize("spelling", [*SNAKE, *COMPOSITES])
def test_composites(spelling):
    of_convolutions, of_dense, first, kinds = COMPOSITES[SNAKE.get(spelling, spelling)]
    for model in (NETWORKS["pooled"](), NETWORKS["fully connected"]()):
        rules = {
            str(i): of_convolutions if isinstance(layer, bl.Conv2D) else of_dense
            for i, layer in enumerate(model.layers)
            if isinstance(layer, bl.Conv2D | bl.Dense)
        }
        if first and isinstance(model.layers[0], kinds):
            rules["0"] = first
        X = np.abs(samples(model, 5))
        options = {"epsilon": 0.05, "gamma": 0.4, "low": 0.0, "high": 5.0}
        found = bl.lrp(model, X, 0, rule=spelling, **options)
        assert_close(found, reference.lrp(model, X, rules, 0, **options), 1e-4)


def without_bias(layer):
    if isinstance(layer, bl.Residual):
        return bl.Residual([*map(without_bias, layer.body)], [*map(without_bias, layer.shortcut)])
    if isinstance(layer, bl.Dense):
        return bl.Dense(layer.weights)
    return (
        bl.Conv2D(layer.weights, padding=layer.padding) if isinstance(layer, bl.Conv2D) else layer
    )


@pytest.mark.parametrize("rule", ["z_plus", "epsilon", "gamma", "epsilon_plus_flat"])
@pytest.mark.parametrize("name", ["fully connected", "pooled"])
def test_relevance_is_conserved(name, rule):
    """Without biases nothing is lost but what the stabilisers take."""
    model = NETWORKS[name]()
    model = bl.Model([*map(without_bias, model.layers)], model.input_shape)
    X = np.abs(samples(model, 20))
    scores = model.logits(X).max(axis=1)
    sums = bl.lrp(model, X, rule=rule).reshape(20, -1).sum(axis=1)
    np.testing.assert_allclose(sums, scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rule", ["epsilon", "gamma", "z_plus", "w_square"])
def test_biases_absorb_what_is_missing(rule):
    """A bias is the weight of an input that is always 1: with it, all relevance is there."""
    model = NETWORKS["fully connected"]()
    widened = []
    for layer in model.layers:
        if isinstance(layer, bl.Dense):
            rows, columns = layer.weights.shape
            weights = np.zeros((rows + 1, columns + (layer is not model.layers[-1])))
            weights[:rows, :columns] = layer.weights
            weights[rows, :columns] = layer.bias
            weights[rows, columns:] = 1
            layer = bl.Dense(weights)
        widened.append(layer)
    with_ones = bl.Model(widened, (22,))
    X = samples(model, 20)
    X1 = np.concatenate([X, np.ones((20, 1), np.float32)], axis=1)
    found = bl.lrp(with_ones, X1, rule=rule)
    scores = model.logits(X).max(axis=1)
    np.testing.assert_allclose(found.sum(axis=1), scores, rtol=1e-3, atol=1e-3)
    assert_close(found[:, :21], bl.lrp(model, X, rule=rule), 1e-4)


def test_a_flattened_image_can_be_boxed():
    rng = np.random.default_rng(0)
    layers = [dense(rng, 24, 8), bl.ReLU(), dense(rng, 8, 3)]
    flat = bl.Model(layers, (24,))
    image = bl.Model([bl.Flatten(), *layers], (2, 3, 4))
    X = rng.uniform(size=(17, 2, 3, 4))
    low, high = rng.uniform(-1, 0, (2, 3, 4)), 1 + rng.uniform(size=(2, 1, 1))
    found = bl.lrp(image, X, rule="z_box", low=low, high=high)
    high = np.broadcast_to(high, low.shape).reshape(24)
    expected = bl.lrp(flat, X.reshape(17, 24), rule="z_box", low=low.reshape(24), high=high)
    assert_close(found.reshape(17, 24), expected, 1e-6)


@pytest.mark.parametrize("name", ["residual", "pooled twice"])
@pytest.mark.parametrize("rule", ["epsilon", "EpsilonGammaBox", "alpha2_beta1", "w_square"])
def test_same_bits_however_it_is_split(name, rule):
    model = MODELS[name]()
    X = samples(model, 40)
    X[0] = np.abs(X[0])  # alone, this sample's program need not mind negative inputs
    whole = bl.lrp(model, X, rule=rule, threads=1)
    assert np.array_equal(bl.lrp(model, X, rule=rule, threads=2), whole)
    for i in range(2):
        assert np.array_equal(bl.lrp(model, X[i : i + 1], rule=rule)[0], whole[i])


def test_arguments_are_checked():
    model = NETWORKS["pooled"]()
    X = samples(model, 2)
    with pytest.raises(ValueError, match=r"rule must be one of 'epsilon'.* got 'zebra'"):
        bl.lrp(model, X, rule="zebra")
    with pytest.raises(TypeError, match="rule must be a name, or a dict"):
        bl.lrp(model, X, rule=3)
    with pytest.raises(ValueError, match="rule names layer '1', which is none of"):
        bl.lrp(model, X, rule={1: "gamma"})
    with pytest.raises(ValueError, match="rule must be one of"):
        bl.lrp(model, X, rule={0: "epsilon_plus"})
    with pytest.raises(ValueError, match=r"rule must hold names or pairs .* got \('gamma',\)"):
        bl.lrp(model, X, rule={0: ("gamma",)})
    with pytest.raises(ValueError, match="rule must give a parameter to epsilon or gamma alone"):
        bl.lrp(model, X, rule={0: ("flat", 1)})
    with pytest.raises(ValueError, match="rule's gamma must not be negative, got -1"):
        bl.lrp(model, X, rule={0: ("gamma", -1)})
    with pytest.raises(TypeError, match="rule's epsilon must be a number, not str"):
        bl.lrp(model, X, rule={0: ("epsilon", "small")})
    with pytest.raises(TypeError, match="rule must be a name, or a dict of names or pairs"):
        bl.lrp(model, X, rule=("gamma", 0.1))
    with pytest.raises(ValueError, match="z_box is for layers that read the input"):
        bl.lrp(model, X, rule={3: "z_box"})
    with pytest.raises(ValueError, match="epsilon must not be negative"):
        bl.lrp(model, X, epsilon=-1)
    with pytest.raises(ValueError, match="low must broadcast"):
        bl.lrp(model, X, low=np.zeros(5))
    with pytest.raises(ValueError, match="low must not exceed high"):
        bl.lrp(model, X, low=2)
    softmax = bl.Model([bl.Dense(np.eye(2)), bl.Softmax(), bl.Dense(np.eye(2))], (2,))
    with pytest.raises(ValueError, match=r"LRP has a rule for, but 1 is Softmax"):
        bl.lrp(softmax, np.zeros((1, 2)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn"])
def test_captum_agrees(name, models, mnist):
    attr = pytest.importorskip("captum.attr")
    import torch
    from captum.attr._utils.lrp_rules import EpsilonRule

    model, X = models[name], mnist[0][:12]
    network = twin(model)
    for module in network.modules():
        if not isinstance(module, torch.nn.ReLU | torch.nn.Sequential):
            module.rule = EpsilonRule(1e-3)
        if isinstance(module, torch.nn.Flatten | torch.nn.MaxPool2d):
            module.rule = EpsilonRule(1e-30)  # 0 / 0 otherwise, where a pooled output is 0
    inputs = tensor(X).reshape(12, *model.input_shape)
    target = torch.from_numpy(model.predict(X))
    theirs = attr.LRP(network).attribute(inputs, target=target).detach()
    assert_maps_agree(bl.lrp(model, X, epsilon=1e-3), theirs.reshape(X.shape))
