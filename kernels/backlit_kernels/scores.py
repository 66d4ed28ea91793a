"""Targets, scores and softmax: what happens at the model's output, for K classes.

# k = classes; class k of a tile lies `step` floats after class k - 1
"""

from typing import Any

import numpy as np

from backlit_kernels.frame import PORTS, integers_at
from backlit_kernels.functions import exp, log
from backlit_kernels.groups import sample_of
from backlit_kernels.kernel import helper
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import strips
from backlit_kernels.vector import fma, maximum, select, splat

LOGIT, LOG_PROBABILITY, PROBABILITY, LOSS = range(4)
LOG_ODDS = 4  # log(p / (1 - p)): a value, which nothing here differentiates


@helper
def given_targets(arena: Any, frame: Any, port: int, step: int, out: int) -> bool:
    """Read each lane's target as a float from a port; whether there is one."""
    if frame[PORTS + port] == 0:
        return False
    targets = integers_at(frame[PORTS + port])
    for lane in range(step):
        arena[out + lane] = targets[sample_of(frame, lane)]
    return True


@for_lanes
def choose_targets(load: Any, store: Any, width: int) -> Any:
    def choose_targets(
        arena: Any, frame: Any, port: int, logits: int, classes: int, step: int, out: int
    ) -> None:
        """Each lane's target as a float: given at the port, or else the first greatest logit."""
        if given_targets(arena, frame, port, step, out):
            return
        for i in range(0, step, width):
            best = load(arena, logits + i)
            target = splat(0.0)
            number = splat(0.0)
            for k in range(1, classes):
                number = number + splat(1.0)
                value = load(arena, logits + k * step + i)
                better = value > best
                best = select(better, value, best)
                target = select(better, number, target)
            store(arena, out + i, target)

    return choose_targets


@for_lanes
def seed_score(load: Any, store: Any, width: int) -> Any:
    def seed_score(
        arena: Any, logits: int, targets: int, classes: int, step: int, score: int, out: int
    ) -> None:
        """The derivative of the target's score by each logit.

        logit: 1[k = t];  log_probability: 1[k = t] - p_k;  loss: p_k - 1[k = t];
        probability: p_t (1[k = t] - p_k). 1 - p_t is summed from the other classes, so that it
        keeps its digits where softmax saturates.
        """
        zero, one = splat(0.0), splat(1.0)
        for i in range(0, step, width):
            target = load(arena, targets + i)
            top = load(arena, logits + i)
            for k in range(1, classes):
                top = maximum(top, load(arena, logits + k * step + i))
            own, others, number = zero, zero, zero
            for k in range(classes):
                here = number == target
                if score != LOGIT:
                    e = exp(load(arena, logits + k * step + i) - top)
                    store(arena, out + k * step + i, e)
                    own = select(here, e, own)
                    others = others + select(here, zero, e)
                else:
                    store(arena, out + k * step + i, select(here, one, zero))
                number = number + one
            if score == LOGIT:
                continue
            factor = one / (own + others)
            if score == LOSS:
                factor = -factor
            if score == PROBABILITY:
                factor = factor * own / (own + others)
            number = zero
            for k in range(classes):
                e = load(arena, out + k * step + i)
                store(arena, out + k * step + i, factor * select(number == target, others, -e))
                number = number + one

    return seed_score


@for_lanes
def score_value(load: Any, store: Any, width: int) -> Any:
    def score_value(
        arena: Any, logits: int, targets: int, classes: int, step: int, score: int, out: int
    ) -> None:
        """The target's score in each lane: what `seed_score` is the derivative of.

        1 - p, of log-odds, is summed from the other classes alone, so that it keeps its digits.
        """
        zero, one = splat(0.0), splat(1.0)
        for i in range(0, step, width):
            target = load(arena, targets + i)
            own, top, number = zero, splat(-np.inf), zero
            for k in range(classes):
                value = load(arena, logits + k * step + i)
                here = number == target
                own = select(here, value, own)
                top = maximum(top, select(here, top, value) if score == LOG_ODDS else value)
                number = number + one
            if score != LOGIT:
                total, number = zero, zero
                for k in range(classes):
                    e = exp(load(arena, logits + k * step + i) - top)
                    total = total + (select(number == target, zero, e) if score == LOG_ODDS else e)
                    number = number + one
                own = own - top
                if score == PROBABILITY:
                    own = exp(own) / total
                else:
                    own = own - log(total)
                if score == LOSS:
                    own = -own
            store(arena, out + i, own)

    return score_value


@for_lanes
def softmax(load: Any, store: Any, width: int) -> Any:
    def softmax(arena: Any, team: Any, x: int, out: int, classes: int, step: int) -> None:
        """e**(x_k - max) over their sum."""
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            top = load(arena, x + i)
            for k in range(1, classes):
                top = maximum(top, load(arena, x + k * step + i))
            total = splat(0.0)
            for k in range(classes):
                e = exp(load(arena, x + k * step + i) - top)
                store(arena, out + k * step + i, e)
                total = total + e
            for k in range(classes):
                store(arena, out + k * step + i, load(arena, out + k * step + i) / total)

    return softmax


@for_lanes
def softmax_backward(load: Any, store: Any, width: int) -> Any:
    def softmax_backward(
        arena: Any, team: Any, y: int, g: int, out: int, classes: int, step: int
    ) -> None:
        """y_k (g_k - sum over j of y_j g_j), with y the softmax."""
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            total = splat(0.0)
            for k in range(classes):
                at = k * step + i
                total = fma(load(arena, y + at), load(arena, g + at), total)
            for k in range(classes):
                at = k * step + i
                store(arena, out + at, load(arena, y + at) * (load(arena, g + at) - total))

    return softmax_backward


@for_lanes
def log_softmax(load: Any, store: Any, width: int) -> Any:
    def log_softmax(arena: Any, team: Any, x: int, out: int, classes: int, step: int) -> None:
        """x_k - max - log of the sum of e**(x_j - max)."""
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            top = load(arena, x + i)
            for k in range(1, classes):
                top = maximum(top, load(arena, x + k * step + i))
            total = splat(0.0)
            for k in range(classes):
                total = total + exp(load(arena, x + k * step + i) - top)
            total = log(total)
            for k in range(classes):
                at = k * step + i
                store(arena, out + at, load(arena, x + at) - top - total)

    return log_softmax


@for_lanes
def log_softmax_backward(load: Any, store: Any, width: int) -> Any:
    def log_softmax_backward(
        arena: Any, team: Any, y: int, g: int, out: int, classes: int, step: int
    ) -> None:
        """g_k - e**y_k times the sum of g, with y the log-softmax."""
        for n in range(*strips(team, step, width)):
            i = min(n * width, step - width)
            total = splat(0.0)
            for k in range(classes):
                total = total + load(arena, g + k * step + i)
            for k in range(classes):
                at = k * step + i
                store(arena, out + at, load(arena, g + at) - exp(load(arena, y + at)) * total)

    return log_softmax_backward
