"""Measuring one case: find the peers' best batch sizes, check agreement, time side by side."""

import statistics
from dataclasses import dataclass

import agreement
import numpy as np
from cases import PEERS, Case
from contenders import CONTENDERS
from interleave import best_batch, side_by_side
from slow_reference import reference
from torch_models import to_torch

import backlit as bl

BATCHES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10_000)


@dataclass(frozen=True)
class Measurement:
    """What came out: seconds per call in each round, batch sizes, images on a kink."""

    case: Case
    times: dict[str, list[float]]
    batches: dict[str, int | None]
    kinks: dict[str, int]

    def median(self, contender: str) -> float:
        return statistics.median(self.times[contender])

    def ratio(self, contender: str) -> float:
        """How many times faster backlit is, by the medians."""
        return self.median(contender) / self.median("backlit")


def measure(case: Case) -> Measurement:
    """Run one case."""
    model = bl.models.carried(case.model)
    x, target = images(model, case.images)
    makers = CONTENDERS | {"reference": reference}
    runs = {name: makers[name](model, case.threads) for name in ("backlit", *case.others)}
    outs = {name: np.zeros_like(x) for name in runs}

    batches: dict[str, int | None] = dict.fromkeys(runs)
    for peer in PEERS:
        batches[peer] = case.batch or _search(runs[peer], x, target, outs[peer], case)

    def call(name):
        return lambda: runs[name](x, target, outs[name], batches[name])

    calls = {name: call(name) for name in runs}
    for run in calls.values():
        run()
    module = to_torch(model)
    kinks = {p: agreement.check(outs["backlit"], outs[p], x, module) for p in case.others}
    seconds = 20 if case.batch is None else 5
    return Measurement(case, side_by_side(calls, case.rounds, seconds), batches, kinks)


def images(model: bl.Model, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` MNIST test images in the model's shape, and their labels."""
    x, y = bl.datasets.mnist()
    return np.ascontiguousarray(x[:count]).reshape(count, *model.input_shape), y[:count]


def _search(run, x, target, out, case: Case) -> int:
    """The peer's best batch size, on the case's own images (the first few for slow models)."""
    part = slice(0, case.largest_batch)
    x, target, out = x[part], target[part], out[part]
    candidates = [b for b in BATCHES if b <= case.largest_batch]
    return best_batch(lambda batch: run(x, target, out, batch), candidates)
