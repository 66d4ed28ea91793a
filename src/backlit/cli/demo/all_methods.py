"""Every method on a few samples, timed: the demo's contact sheet."""

import inspect
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from math import inf
from typing import Any, NamedTuple

import numpy as np

import backlit as bl
from backlit.attribution.method_table import METHODS
from backlit.by_name import find_method
from backlit.progress import progress_bar

# What some methods need to be told, or can be told to finish sooner.
OPTIONS: dict[str, dict[str, Any]] = {
    "exact_shapley": {"segments": (3, 4)},
    "feature_ablation": {"segments": 7},
    "feature_permutation": {"segments": 7},
    "rise": {"samples": 1000},
}
LONG = 0.05  # seconds that are timed once


class Explained(NamedTuple):
    """By model and method, the maps and the seconds a sample; what methods left out need."""

    maps: dict[str, dict[str, np.ndarray]]
    seconds: dict[str, dict[str, float]]
    missing: dict[str, str]


def explain_by_all(
    models: Mapping[str, bl.Model],
    X: np.ndarray,
    background: np.ndarray,
    threads: int | None = None,
) -> Explained:
    """The maps of each method that applies to a model, and how long they take, compiling apart.

    A method that needs a convolution is left out, and so is one that needs a package that is not
    installed. A bar shows how many are done.
    """
    found = Explained({name: {} for name in models}, {name: {} for name in models}, {})
    with progress_bar(len(models) * len(METHODS), "every method", True) as bar:
        for model, name in product(models, METHODS):
            options = _options(name, background)
            explain = partial(find_method(name), models[model], X, threads=threads, **options)
            try:
                found.maps[model][name] = np.asarray(explain())
                found.seconds[model][name] = _seconds(explain) / len(X)
            except ImportError as error:
                found.missing[name] = str(error)
            except ValueError:
                pass
            if bar is not None:
                bar(1)
    return found


def _options(name: str, background: np.ndarray) -> dict[str, Any]:
    """What a method is told."""
    options = dict(OPTIONS.get(name, {}))
    parameter = inspect.signature(find_method(name)).parameters.get("background")
    if parameter is not None and parameter.default is parameter.empty:
        options["background"] = background
    return options


def _seconds(explain: Callable[[], Any]) -> float:
    """The least of three runs', or of one that is long enough to tell."""
    least = inf
    for _ in range(3):
        begin = time.perf_counter()
        explain()
        least = min(least, time.perf_counter() - begin)
        if least > LONG:
            break
    return least


def in_words(seconds: float) -> str:
    """A time in two digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{seconds * 1e6:.0f} µs"
