"""Measuring one method: best batches of the peers, the same results?, timing in turns."""

import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from agreement import KINK, TOLERANCE, margin
from interleave import best_batch, side_by_side
from measure import images
from method_cases import Batch, MethodCase
from torch import nn
from torch_models import to_torch

import backlit as bl

VANISHING = 1e-2  # of the median of maps' largest values
SHARE = 0.02  # of the maps may differ, each of them for a reason that is checked


@dataclass(frozen=True)
class Agreement:
    """How far two contenders agree: maps apart and why, or the ratio of estimates' distances."""

    rounding: int = 0  # maps that differ where float32 fails the peer: in float64 it has ours
    kinks: int = 0  # maps that differ because an image sits on a kink
    distance: float | None = None  # of random estimates, in distances between two of the peer's


@dataclass(frozen=True)
class MethodMeasurement:
    """Seconds per call in each round, the peers' batches, agreement; peers that are missing."""

    case: MethodCase
    times: dict[str, list[float]]
    batches: dict[str, Batch]
    agreement: dict[str, Agreement]
    missing: dict[str, str]

    def median(self, contender: str) -> float:
        return statistics.median(self.times[contender])

    def ratio(self, contender: str) -> float:
        """How many times faster backlit is, by the medians."""
        return self.median(contender) / self.median("backlit")


def measure_method(case: MethodCase, seconds: float = 6) -> MethodMeasurement:
    """Run one case."""
    torch.set_num_threads(2)
    model = bl.models.carried(case.model)
    x, _ = images(model, case.images)
    target = model.predict(x)
    ours = np.zeros_like(x)
    calls: dict[str, Callable] = {"backlit": lambda: case.ours(model, x, target, ours)}
    calls["backlit"]()
    batches, agreement, missing = {}, {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peers' remarks on hooks
        for name, peer in case.peers.items():
            try:
                run = in_batches(peer.make, to_torch(model))
            except ImportError as error:
                missing[name] = str(error)
                continue
            part = slice(0, peer.search)
            few = x[part], target[part]
            batches[name] = _search(lambda batch, r=run, f=few: r(*f, batch), peer.batches)
            calls[name] = lambda r=run, b=batches[name]: r(x, target, b)
            agreement[name] = _agreement(case, name, model, x, target, ours, batches[name])
        times = side_by_side(calls, seconds=seconds)
    return MethodMeasurement(case, times, batches, agreement, missing)


def in_batches(make: Callable, module: nn.Module) -> Callable:
    """run(x, target, batch): the peer's maps of arrays, in the type of the arrays."""
    explain = make(module)

    def run(x: np.ndarray, target: np.ndarray, batch: Batch) -> np.ndarray:
        out, inputs, classes = np.empty_like(x), torch.from_numpy(x), torch.from_numpy(target)
        for start in range(0, len(x), batch.images):
            part = slice(start, start + batch.images)
            sample = inputs[part].detach().requires_grad_()
            out[part] = explain(sample, classes[part], batch.per_eval).detach().numpy()
        return out

    return run


def _search(run: Callable, batches: tuple[Batch, ...]) -> Batch:
    return best_batch(run, batches) if len(batches) > 1 else batches[0]


def _agreement(case, name, model, x, target, ours, batch) -> Agreement:
    """Raise AssertionError unless ours and the peer's are the same thing."""
    make = case.peers[name].make
    if case.random:
        run = in_batches(make, to_torch(model))
        first, second = run(x, target, batch), run(x, target, batch)
        distance = float(_distance(ours, first) / _distance(first, second))
        assert distance < 1.1, f"{name} differs from ours {distance} times as much as from itself"
        return Agreement(distance=distance)
    twin = to_torch(model)
    if case.copies:
        twin = with_copies(twin)
    scale = float(np.median(np.abs(ours).max(axis=tuple(range(1, ours.ndim)))))
    apart = _apart(ours, in_batches(make, twin)(x, target, batch), scale)
    assert len(apart) <= SHARE * len(x), f"{len(apart)} of {len(x)} maps differ from {name}'s"
    if not len(apart):
        return Agreement()
    exact = in_batches(make, twin.double())(x[apart].astype(np.float64), target[apart], batch)
    apart_still = apart[_apart(ours[apart], exact, scale)]
    twin = to_torch(model)
    closest = np.full(len(apart_still), np.inf)
    for share in case.visits:
        point = (x[apart_still] * np.float64(share)).astype(np.float32)
        np.minimum(closest, margin(twin, point), out=closest)
    clear = apart_still[closest > KINK]
    assert not len(clear), f"maps of images {clear[:10]} differ, and not because of a kink"
    return Agreement(rounding=len(apart) - len(apart_still), kinks=len(apart_still))


def with_copies(module: nn.Sequential) -> nn.Sequential:
    """The twin with a copy after each ReLU.

    Captum's DeepLIFT loses a rule where max pooling reads a ReLU's output itself, and its maps do
    not add up then. Right results come from this twin; timed is the plain one, which is faster.
    """
    parts = [[m, Copy()] if isinstance(m, nn.ReLU) else [m] for m in module]
    return nn.Sequential(*(m for part in parts for m in part))


class Copy(nn.Module):
    """The identity, to memory of its own."""

    def forward(self, x):
        return x.clone()


def _apart(ours: np.ndarray, theirs: np.ndarray, scale: float) -> np.ndarray:
    """Indices of the maps that differ by more than the tolerance.

    A map far smaller than most is what rounding leaves of sums that cancel: it is held to the scale
    of the others.
    """
    assert np.isfinite(theirs).all(), "the peer's maps are not finite"
    axes = tuple(range(1, ours.ndim))
    largest = np.maximum(np.abs(theirs).max(axis=axes), VANISHING * scale)
    return np.flatnonzero(~(np.abs(ours - theirs).max(axis=axes) <= TOLERANCE * largest))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))
