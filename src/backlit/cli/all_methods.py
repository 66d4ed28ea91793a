"""Every method on a few samples, timed: the demo's contact sheet."""

import inspect
import time
from typing import Any

import numpy as np

import backlit as bl
from backlit.by_name import METHODS, find_method

# What some methods need to be told, or can be told to finish sooner.
OPTIONS: dict[str, dict[str, Any]] = {
    "exact_shapley": {"segments": (3, 4)},
    "feature_ablation": {"segments": 7},
    "feature_permutation": {"segments": 7},
    "rise": {"samples": 1000},
}
NOT_MAPS = {"jacobian", "layer_activation", "layer_gradient", "layer_attribution"}


def explain_by_all(
    model: bl.Model, X: np.ndarray, background: np.ndarray, threads: int | None = None
) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, str]]:
    """The maps of each method that applies to a model, and seconds a sample, compiling apart.

    A method that needs a convolution is left out, and so is one that needs a package that is not
    installed; of the latter, what they need comes last.
    """
    maps, seconds, missing = {}, {}, {}
    for name in METHODS:
        if name in NOT_MAPS:
            continue
        function = find_method(name)
        options = dict(OPTIONS.get(name, {}), threads=threads)
        parameter = inspect.signature(function).parameters.get("background")
        if parameter is not None and parameter.default is parameter.empty:
            options["background"] = background
        try:
            maps[name] = np.asarray(function(model, X, **options))
        except ImportError as error:
            missing[name] = str(error)
            continue
        except ValueError:
            continue
        seconds[name] = min(_seconds(function, model, X, options) for _ in range(3)) / len(X)
    return maps, seconds, missing


def _seconds(function: Any, model: bl.Model, X: np.ndarray, options: dict[str, Any]) -> float:
    begin = time.perf_counter()
    function(model, X, **options)
    return time.perf_counter() - begin


def in_words(seconds: float) -> str:
    """A time in two digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{seconds * 1e6:.0f} µs"
