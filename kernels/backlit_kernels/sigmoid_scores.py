"""Scores of outputs that are each a sigmoid of their own: one of two classes, or several labels.

With u the target's logit, p = 1 / (1 + e**-u):

    logit u, which is the log-odds;  log-probability log p;  probability p;  loss -log p

A single logit z decides between two classes: class 1 has u = z, class 0 has u = -z. Of several
logits each is a label's, and u is that of the target. Operands are named as in `scores`.
"""

from typing import Any

from backlit_kernels.functions import sigmoid, softplus
from backlit_kernels.kernel import helper
from backlit_kernels.lanes import for_lanes
from backlit_kernels.scores import (
    LOG_ODDS,
    LOG_PROBABILITY,
    LOGIT,
    LOSS,
    PROBABILITY,
    given_targets,
)
from backlit_kernels.vector import absolute, select, splat

NEAR = 0.01  # logits nearer than this: the derivative between them is more exact than a quotient


@for_lanes
def choose_side(load: Any, store: Any, width: int) -> Any:
    def choose_side(
        arena: Any, frame: Any, port: int, logits: int, classes: int, step: int, out: int
    ) -> None:
        """Each lane's class of two as a float: given at the port, or else whether z > 0."""
        if given_targets(arena, frame, port, step, out):
            return
        zero, one = splat(0.0), splat(1.0)
        for i in range(0, step, width):
            store(arena, out + i, select(load(arena, logits + i) > zero, one, zero))

    return choose_side


@helper
def side(target: Any, classes: int) -> Any:
    """The derivative of u by the target's z: -1 for class 0 of two, else 1."""
    one = splat(1.0)
    return select(target == splat(0.0), -one, one) if classes == 1 else one


@helper
def row(target: Any, classes: int) -> Any:
    """Which logit is the target's."""
    return splat(0.0) if classes == 1 else target


@helper
def value(u: Any, score: int) -> Any:
    if score in (LOGIT, LOG_ODDS):
        return u
    if score == PROBABILITY:
        return sigmoid(u)
    loss = softplus(-u)
    return loss if score == LOSS else -loss


@helper
def slope(u: Any, score: int) -> Any:
    """The derivative of `value` by u; 1 - p is sigmoid(-u), which keeps its digits."""
    if score == LOGIT:
        return splat(1.0)
    rest = sigmoid(-u)
    if score == LOG_PROBABILITY:
        return rest
    return -rest if score == LOSS else sigmoid(u) * rest


@for_lanes
def seed_sigmoid_score(load: Any, store: Any, width: int) -> Any:
    def seed_sigmoid_score(
        arena: Any, logits: int, targets: int, classes: int, step: int, score: int, out: int
    ) -> None:
        """The derivative of the target's score by each logit."""
        for i in range(0, step, width):
            target = load(arena, targets + i)
            sign, own = side(target, classes), row(target, classes)
            number = splat(0.0)
            for k in range(classes):
                g = sign * slope(sign * load(arena, logits + k * step + i), score)
                store(arena, out + k * step + i, select(number == own, g, splat(0.0)))
                number = number + splat(1.0)

    return seed_sigmoid_score


@for_lanes
def sigmoid_score_value(load: Any, store: Any, width: int) -> Any:
    def sigmoid_score_value(
        arena: Any, logits: int, targets: int, classes: int, step: int, score: int, out: int
    ) -> None:
        """The target's score in each lane: what `seed_sigmoid_score` is the derivative of."""
        for i in range(0, step, width):
            target = load(arena, targets + i)
            sign, own = side(target, classes), row(target, classes)
            z, number = load(arena, logits + i), splat(0.0)
            for k in range(classes):
                z = select(number == own, load(arena, logits + k * step + i), z)
                number = number + splat(1.0)
            store(arena, out + i, value(sign * z, score))

    return sigmoid_score_value


@for_lanes
def rescale_sigmoid_score(load: Any, store: Any, width: int) -> Any:
    def rescale_sigmoid_score(
        arena: Any, x: int, x0: int, targets: int, classes: int, step: int, score: int, out: int
    ) -> None:
        """DeepLIFT's multiplier of the target's score by each logit, between x and x0."""
        one = splat(1.0)
        for i in range(0, step, width):
            target = load(arena, targets + i)
            sign, own = side(target, classes), row(target, classes)
            number = splat(0.0)
            for k in range(classes):
                a = sign * load(arena, x + k * step + i)
                b = sign * load(arena, x0 + k * step + i)
                close = absolute(a - b) < splat(NEAR)
                quotient = (value(a, score) - value(b, score)) / select(close, one, a - b)
                middle = slope(splat(0.5) * (a + b), score)
                m = sign * select(close, middle, quotient)
                store(arena, out + k * step + i, select(number == own, m, splat(0.0)))
                number = number + one

    return rescale_sigmoid_score
