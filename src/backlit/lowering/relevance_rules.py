"""The rules of layer-wise relevance propagation for linear layers, as data.

A rule is a list of parts. With z the sum of a part's terms, each a layer of other weights applied
to an input, a part hands the relevance R of the output down as

    factor * sum over terms of  input * weights^T (R / stabilised z)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels.relevance import EVERYWHERE, WHERE_NEGATIVE, WHERE_POSITIVE

from backlit.layers import Conv2D, ConvTranspose2D, Dense, Layer

STABILISER = 1e-6  # of all rules but epsilon, as in zennit
WEIGHTED = Conv2D | ConvTranspose2D | Dense  # the layers that have a rule of their own

# What a term's layer is applied to: the input, its parts, ones, and the bounds of the data.
ALL, POSITIVE, NEGATIVE, ONES, LOW, HIGH = "x", "x+", "x-", "1", "low", "high"


@dataclass(frozen=True)
class Term:
    input: str
    layer: Layer


@dataclass(frozen=True)
class Part:
    terms: tuple[Term, ...]
    factor: float = 1.0
    epsilon: float = STABILISER
    side: int = EVERYWHERE  # of the layer's own output


Rule = Callable[[Layer], list[Part]]
Values = Callable[[np.ndarray], np.ndarray]


def above(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def below(values: np.ndarray) -> np.ndarray:
    return np.minimum(values, 0)


def changed(layer: Layer, change: Values, biased: bool = True) -> Layer:
    """A layer with other weights and, unless it is to have none, bias."""
    assert isinstance(layer, WEIGHTED)
    bias = change(layer.bias) if biased else None
    return replace(layer, weights=change(layer.weights), bias=bias)


def by_sign(layer: Layer, same: Values, opposite: Values) -> tuple[Term, Term]:
    """`same` for positive inputs and the bias, `opposite` for negative inputs."""
    return (
        Term(POSITIVE, changed(layer, same)),
        Term(NEGATIVE, changed(layer, opposite, biased=False)),
    )


def epsilon_rule(epsilon: float) -> Rule:
    return lambda layer: [Part((Term(ALL, layer),), epsilon=epsilon)]


def alpha_beta_rule(alpha: float, beta: float) -> Rule:
    def rule(layer: Layer) -> list[Part]:
        parts = [Part(by_sign(layer, above, below), alpha)]
        return parts + [Part(by_sign(layer, below, above), -beta)] * (beta > 0)

    return rule


def gamma_rule(gamma: float) -> Rule:
    def more(values: np.ndarray) -> np.ndarray:
        return values + gamma * above(values)

    def less(values: np.ndarray) -> np.ndarray:
        return values + gamma * below(values)

    return lambda layer: [
        Part(by_sign(layer, more, less), side=WHERE_POSITIVE),
        Part(by_sign(layer, less, more), side=WHERE_NEGATIVE),
    ]


def square_rule(layer: Layer) -> list[Part]:
    return [Part((Term(ONES, changed(layer, np.square)),))]


def flat_rule(layer: Layer) -> list[Part]:
    assert isinstance(layer, WEIGHTED)
    even = replace(layer, weights=np.ones_like(layer.weights), bias=None)
    return [Part((Term(ONES, even),))]


def box_rule(layer: Layer) -> list[Part]:
    lows, highs = changed(layer, lambda w: -above(w)), changed(layer, lambda w: -below(w))
    return [Part((Term(ALL, layer), Term(LOW, lows), Term(HIGH, highs)))]


def weighs_by_input(parts: list[Part]) -> bool:
    """Whether inputs that are 0 get no relevance."""
    return all(term.input in (ALL, POSITIVE, NEGATIVE) for part in parts for term in part.terms)


def without_negative(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The same terms where no input is negative."""
    rest = (term for term in terms if term.input != NEGATIVE)
    return tuple(replace(t, input=ALL) if t.input == POSITIVE else t for t in rest)
