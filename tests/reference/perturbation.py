"""Methods that replace parts of an input, from their definitions, in float64 and one by one."""

from itertools import combinations, product
from math import comb, factorial

import numpy as np

from tests.reference.network import before_softmax, forward


def logit(model, x, target):
    """The target's logit for one sample of any shape."""
    sample = np.asarray(x, np.float64).reshape(1, *model.input_shape)
    return float(forward(before_softmax(model.layers), sample)[0, target])


def occlusion(model, x, target, window, stride, fill=0.0):
    """By windows over all axes of one sample; overlaps averaged, the last windows cut off."""
    total, times = np.zeros(x.shape), np.zeros(x.shape)
    starts = [
        range(0, -(-(n - w) // s) * s + 1, s)
        for n, w, s in zip(x.shape, window, stride, strict=True)
    ]
    full = logit(model, x, target)
    for start in product(*starts):
        box = tuple(slice(a, a + w) for a, w in zip(start, window, strict=True))
        covered = np.array(x, np.float64)
        covered[box] = np.broadcast_to(fill, x.shape)[box]
        total[box] += full - logit(model, covered, target)
        times[box] += 1
    return total / times


class Game:
    """The score of one sample with only some segments kept."""

    def __init__(self, model, x, target, segments, baseline=0.0):
        self.model, self.x, self.target = model, np.asarray(x, np.float64), target
        self.segments = np.broadcast_to(segments, x.shape)
        self.baseline = np.broadcast_to(baseline, x.shape)
        self.players = list(np.unique(self.segments))

    def __call__(self, coalition):
        """A list of places in `players`."""
        kept = np.isin(self.segments, [self.players[i] for i in coalition])
        return logit(self.model, np.where(kept, self.x, self.baseline), self.target)


def shapley(game):
    """The textbook sum over coalitions."""
    count = len(game.players)
    value = {c: game(c) for size in range(count + 1) for c in combinations(range(count), size)}
    phi = np.zeros(count)
    for coalition in value:
        if len(coalition) == count:
            continue
        weight = factorial(len(coalition)) * factorial(count - len(coalition) - 1)
        for i in set(range(count)) - set(coalition):
            more = tuple(sorted({*coalition, i}))
            phi[i] += weight / factorial(count) * (value[more] - value[coalition])
    return phi


def shapley_kernel(count, size):
    return (count - 1) / (comb(count, size) * size * (count - size))


def weighted_ridge(Z, weights, y, alpha):
    """Coefficients and intercept, by least squares on an enlarged system."""
    count = Z.shape[1]
    root = np.sqrt(weights)[:, None]
    rows = np.hstack([Z, np.ones((len(Z), 1))]) * root
    penalty = np.hstack([np.sqrt(alpha) * np.eye(count), np.zeros((count, 1))])
    right = np.concatenate([y * root[:, 0], np.zeros(count)])
    solution = np.linalg.lstsq(np.vstack([rows, penalty]), right, rcond=None)[0]
    return solution[:-1], solution[-1]
