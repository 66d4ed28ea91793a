"""Layer-wise relevance propagation.

Bach, Binder, Montavon, Klauschen, Müller and Samek, "On pixel-wise explanations for non-linear
classifier decisions by layer-wise relevance propagation", 2015. The score of the target is its
neuron's relevance R, and each layer hands the relevance of its outputs down to its inputs in
proportion to what they contributed. With z_ij = x_i w_ij, + and - for positive and negative
parts, and the stabilised denominator z' = z + epsilon sign(z), where sign(0) = 1:

    epsilon      R_i = sum_j z_ij / (sum_i z_ij + b_j)' R_j                        Bach et al. 2015
    alpha, beta  R_i = sum_j (alpha z_ij+ / (sum_i z_ij+ + b_j+)'
                              - beta z_ij- / (sum_i z_ij- + b_j-)') R_j            Bach et al. 2015
    z_plus       alpha 1, beta 0                                             Montavon et al. 2017
    gamma        z_ij + gamma z_ij+ (z_ij- where z_j < 0) for z_ij, b alike, in epsilon
                                                    Montavon et al. 2019, Andéol et al. 2021
    w_square     w_ij**2 for z_ij, b_j**2 for b_j                            Montavon et al. 2017
    flat         1 for z_ij, 0 for b_j                                     Lapuschkin et al. 2019
    z_box        x_i w_ij - low_i w_ij+ - high_i w_ij- for z_ij, and no b    Montavon et al. 2017
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from backlit_kernels.scores import LOGIT

from backlit.attribution.call import Call
from backlit.attribution.find_layer import layer_name
from backlit.attribution.sample_axes import any_channels
from backlit.checks import as_float32, finite_numbers, not_among, number
from backlit.graph import Graph, Node
from backlit.layers import Conv2D, ConvTranspose2D, Dense
from backlit.lowering import Lowering
from backlit.lowering.relevance import Propagation
from backlit.lowering.relevance_graph import is_input, zeros_stay
from backlit.lowering.relevance_rules import (
    WEIGHTED,
    Rule,
    alpha_beta_rule,
    box_rule,
    epsilon_rule,
    flat_rule,
    gamma_rule,
    square_rule,
)
from backlit.model import Model

CONVOLUTIONS = (Conv2D, ConvTranspose2D)


class Composite(NamedTuple):
    """Which rule goes where; `first` is for the first layer of the kinds `first_of`."""

    convolution: str
    dense: str
    first: str | None = None
    first_of: tuple[type, ...] = (*CONVOLUTIONS, Dense)


BY_PARAMETER: dict[str, Callable[[float], Rule]] = {"epsilon": epsilon_rule, "gamma": gamma_rule}
FIXED: dict[str, Rule] = {
    "alpha1_beta0": alpha_beta_rule(1, 0),
    "alpha2_beta1": alpha_beta_rule(2, 1),
    "z_plus": alpha_beta_rule(1, 0),
    "w_square": square_rule,
    "flat": flat_rule,
    "z_box": box_rule,
}
NAMES = (*BY_PARAMETER, *FIXED)
BLIND_TO_SIGNS = {"epsilon", "w_square", "flat", "z_box"}  # of inputs
Choice = str | tuple[str, float]  # a rule's name, with a parameter if it has one of its own
COMPOSITES = {name: Composite(name, name) for name in NAMES} | {
    "z_box": Composite("epsilon", "epsilon", "z_box"),
    "epsilon_plus": Composite("z_plus", "epsilon"),
    "epsilon_plus_flat": Composite("z_plus", "epsilon", "flat"),
    "epsilon_alpha2_beta1": Composite("alpha2_beta1", "epsilon"),
    "epsilon_alpha2_beta1_flat": Composite("alpha2_beta1", "epsilon", "flat"),
    "epsilon_gamma_box": Composite("gamma", "epsilon", "z_box", CONVOLUTIONS),
}


@dataclass(frozen=True)
class Relevance:
    """The target's score, handed down to the input."""

    score: int
    rules: tuple[tuple[str, Choice], ...]  # of nodes, by their names
    nonnegative: bool  # whether no input is negative

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        chosen = {name: find_rule(choice) for name, choice in self.rules}
        rules = {node.name: chosen[node.name](node.layer) for node in linear_nodes(graph)}
        rest = zeros_stay(graph, rules, self.score == LOGIT)
        lowering = Lowering(graph, lanes)
        propagation = Propagation(rules, self.nonnegative, rest)
        lowering.keep_all()
        lowering.kept -= propagation.taken_over(lowering.graph)
        lowering.load()
        lowering.forward()
        targets = lowering.choose_targets()
        lowering.seed(LOGIT, targets)
        output = lowering.graph.output
        seed = lowering.zeros(output)
        values = lowering.score_values(self.score, targets)
        sign = lowering.gradients[output]  # 1 at the target, but -1 for class 0 of two; else 0
        one_hot = lowering.multiply(output, sign, sign)
        lowering.accumulate(output, one_hot, values, seed)
        lowering.gradients[output] = seed
        lowering.backward(rule=propagation)
        lowering.store(lowering.gradients[0], 0)
        return lowering


def find_rule(choice: Choice) -> Rule:
    if isinstance(choice, str):
        return FIXED[choice]
    name, parameter = choice
    return BY_PARAMETER[name](parameter)


def linear_nodes(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.layer, WEIGHTED)]


@any_channels()
def lrp(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    rule: Any = "epsilon",
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    low: Any = 0.0,
    high: Any = 1.0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Layer-wise relevance propagation: the score, handed down layer by layer to the input.

    Bach, Binder, Montavon, Klauschen, Müller and Samek, "On pixel-wise explanations for non-linear
    classifier decisions by layer-wise relevance propagation", 2015; for the rules' formulas and
    sources see `backlit.attribution.lrp`.

    Rules and composites are zennit's. Activations pass relevance on, reshapes, slices, padding and
    concatenations put it where the values came from; a maximum takes it all. Sums without weights
    of their own share it in proportion (the epsilon rule with 1e-6): average pooling, resizing,
    additions, scales with a shift, and batch normalisation that cannot be folded into a layer
    before it (batch normalisation is else part of the layer before it, as by zennit's canonizers;
    without them zennit passes relevance on there). Where the input is normalised, it keeps what
    flat, w_square or z_box give to a normalised value. Of a product of a signal and a gate the
    signal takes all (Arras et al., "Explaining recurrent neural network predictions in sentiment
    analysis", 2017), of a quotient and of a normalisation by statistics of the sample what is
    divided, and what attention averages shares in proportion (Ali et al., "XAI for transformers:
    better explanations through conservative propagation", 2022). The gate is the factor that is a
    constant, the output of a sigmoid (hard ones too) or softmax, repeated along some axis, or a
    function of the signal itself, value by value. Transposed convolutions have the rules of
    convolutions, and so have imported dense layers of tokens or pixels, which are convolutions of
    1x1 here (zennit's composites give them the rule of dense layers). Captum 0.9 sends relevance
    as a gradient through what is no module, such as ``a + b`` in a `forward`: both summands get
    all of it.
    Biases and stabilisers absorb relevance: with the epsilon rule and no biases the map adds up
    to the score.

    The use of LRP may be covered by patents in some countries.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`.
    rule : str or dict
        A rule for all convolutions and dense layers: "epsilon", "gamma", "alpha1_beta0",
        "alpha2_beta1", "z_plus", "w_square", "flat", or "z_box" (for the first one; epsilon for
        the others). Or a composite: "epsilon_plus" (z_plus for convolutions, epsilon for dense
        layers), "epsilon_alpha2_beta1", either with "_flat" added (flat for the first layer), or
        "epsilon_gamma_box" (gamma for convolutions, z_box for the first one, epsilon for dense
        layers). Zennit's spelling, EpsilonPlus, does as well. Or rules' names by the layer's
        index in ``model.layers`` (for layers in a residual by name, as "3.body.0"), or by that of
        a part of the model, for all layers in it that have no rule of their own; epsilon for
        layers that are not listed. In place of a name there may be a pair, ``("epsilon", 1e-3)``
        or ``("gamma", 0.1)``: the rule with a parameter for these layers alone.
    epsilon : float
        The stabiliser of the epsilon rule, not negative, where a pair gives no other; that of the
        other rules is 1e-6.
    gamma : float
        How much more positive contributions count in the gamma rule, not negative, where a pair
        does not say.
    low, high : number or array that broadcasts to a sample's shape
        The least and greatest input values there can be, for z_box; of the model's input also
        where the model normalises it.
    score : {"logit", "log_probability", "probability", "loss"}
        What the target's relevance is at the output.
    threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a model with a layer that no rule covers
        (a softmax that is no gate, a product or quotient of two signals, a power of two); for
        z_box on a layer that does not read the input.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    usual = {n: _parameter(n, value) for n, value in (("epsilon", epsilon), ("gamma", gamma))}
    shape = call.samples.shape[1:]
    bounds = {n: _bound(n, value, shape) for n, value in (("low", low), ("high", high))}
    if (bounds["low"] > bounds["high"]).any():
        raise ValueError(f"low must not exceed high, got {low} and {high}")
    if isinstance(rule, Mapping):
        rule = {
            key if isinstance(key, str) else layer_name(model, key): choice
            for key, choice in rule.items()
        }
    chosen = choose_rules(model._programs.graph, rule)
    rules = tuple(
        (node, (choice, usual[choice]) if choice in usual else choice)
        for node, choice in chosen.items()
    )
    names = {choice if isinstance(choice, str) else choice[0] for choice in chosen.values()}
    nonnegative = not names <= BLIND_TO_SIGNS and bool(call.samples.min(initial=0.0) >= 0)
    ports = []
    if "z_box" in names:
        ports = [as_float32(name, bound[None]) for name, bound in bounds.items()]
    result = call.result()
    call.run(Relevance(call.score, rules, nonnegative), result, ports, label="LRP")
    return result


def choose_rules(graph: Graph, rule: Any) -> dict[str, Choice]:
    """The rule of each linear node, by the node's name."""
    nodes = linear_nodes(graph)
    chosen: dict[str, Choice]
    if isinstance(rule, Mapping):
        chosen = {node.name: "epsilon" for node in nodes}
        for layer, choice in sorted(rule.items(), key=lambda item: len(str(item[0]))):
            within = [own for own in chosen if f"{own}.".startswith(f"{layer}.")]
            if not within:
                raise ValueError(
                    f"rule names layer {layer!r}, which is none of the convolutions and dense "
                    f"layers {', '.join(chosen)}, and holds none"
                )
            chosen |= dict.fromkeys(within, _check_choice(choice))
    else:
        composite = COMPOSITES[_find(rule, COMPOSITES)]
        chosen = {
            node.name: composite.dense if isinstance(node.layer, Dense) else composite.convolution
            for node in nodes
        }
        first = next((node for node in nodes if isinstance(node.layer, composite.first_of)), None)
        if composite.first is not None and first is not None:
            chosen[first.name] = composite.first
    for node in nodes:
        if chosen[node.name] == "z_box" and not is_input(graph, node.inputs[0]):
            raise ValueError(
                f"rule z_box is for layers that read the input, which layer {node.name} does not"
            )
    return chosen


def _check_choice(choice: Any) -> Choice:
    """What a dict says of a layer: a rule's name, or a pair (name, parameter)."""
    if not isinstance(choice, list | tuple):
        return _find(choice, NAMES)
    if len(choice) != 2:
        raise ValueError(f"rule must hold names or pairs (name, parameter), got {choice!r}")
    name = _find(choice[0], NAMES)
    if name not in BY_PARAMETER:
        raise ValueError(
            f"rule must give a parameter to {' or '.join(BY_PARAMETER)} alone, got {choice!r}"
        )
    return name, _parameter(f"rule's {name}", choice[1])


def _parameter(name: str, value: Any) -> float:
    if number(name, value) < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return float(value)


def _find(name: Any, names: Any) -> str:
    """A rule or composite by its name, whatever its case, underscores and dashes."""
    if not isinstance(name, str):
        raise TypeError(
            "rule must be a name, or a dict of names or pairs (name, parameter) by layers' "
            f"indices or names, not {type(name).__name__}"
        )
    plain = name.replace("_", "").replace("-", "").lower()
    for known in names:
        if known.replace("_", "") == plain:
            return str(known)
    raise not_among("rule", name, names)


def _bound(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = finite_numbers(name, value)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{name} must broadcast to a sample's shape {shape}, got shape {array.shape}"
        ) from None
