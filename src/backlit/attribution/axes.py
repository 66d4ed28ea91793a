"""Models whose samples have their channels as the last axis.

Graphs, kernels and methods know (channels, height, width) alone. At the boundary of a method,
the axes of what comes in and goes out are moved.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from backlit.arguments import as_array, check_out
from backlit.layers.base import flag
from backlit.model import Model

Method = TypeVar("Method", bound=Callable[..., Any])

REFERENCES = ("baseline", "fill", "background")  # of a sample's shape
BOUNDS = ("low", "high")  # that broadcast to it
MAPS = ("segments", "attributions")  # of a sample's shape, among others
SIZES = ("window", "stride")  # along the last axes of a sample


def any_channels(axis: int = 1) -> Callable[[Method], Method]:
    """Let a method take models whose samples have their channels last.

    `axis` is where the method's result has its channels; arrays with fewer than three axes have
    none.
    """

    def decorate(method: Method) -> Method:
        parameters = signature(method)
        defaults = {name: p.default for name, p in parameters.parameters.items()}
        flags = {name for name, default in defaults.items() if isinstance(default, bool)}

        @wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            for name in flags & named.keys():
                flag(name, named[name])
            model: Any = given[0] if given else named.get("model")
            if not getattr(model, "channels_last", False):
                return method(*given, **named)
            arguments = parameters.bind(*given, **named).arguments
            for name, value in arguments.items():
                arguments[name] = _moved_in(name, value, model)
            out = arguments.get("out")
            if isinstance(out, np.ndarray) and out.ndim > 2:
                check_out(out, out.shape)
                arguments["out"] = np.empty(np.moveaxis(out, -1, axis).shape, np.float32)
            result = method(**arguments)
            maps, *more = result if isinstance(result, tuple) else (result,)
            maps = np.moveaxis(maps, axis, -1) if maps.ndim > 2 else maps
            if out is not None:
                out[...] = maps
            maps = np.ascontiguousarray(maps) if out is None else out
            return (maps, *more) if more else maps

        return call  # type: ignore[return-value]

    return decorate


def _moved_in(name: str, value: Any, model: Model) -> Any:
    """An argument as the same model takes it whose samples have their channels first."""
    shape = model.input_shape
    if name == "model":
        return model._channels_first
    if name == "X":
        return model._samples(value)
    if name in SIZES and isinstance(value, tuple) and len(value) == len(shape):
        return value[-1:] + value[:-1]
    if name == "segments" and np.shape(value)[1:] == shape[:2] and np.shape(value) != shape:
        return np.asarray(value)[:, None]  # a plane for each sample
    if name in MAPS:
        return _of_a_sample(value, shape)
    if name in BOUNDS:
        try:
            return _of_a_sample(np.broadcast_to(value, shape), shape)
        except ValueError:
            raise ValueError(
                f"{name} must broadcast to a sample's shape {shape}, got shape {np.shape(value)}"
            ) from None
    if name in REFERENCES and isinstance(value, list | tuple):
        if any(as_array(name, entry).ndim not in (0, len(shape)) for entry in value):
            return _moved_in(name, as_array(name, value), model)  # rows of one array
        return [_moved_in(name, entry, model) for entry in value]
    if name in REFERENCES and np.ndim(value):
        if np.shape(value)[-len(shape) :] != shape:
            raise ValueError(
                f"{name} must be of shape {shape} or (N, {', '.join(map(str, shape))}), "
                f"or a number, got shape {np.shape(value)}"
            )
        return _of_a_sample(value, shape)
    return value


def _of_a_sample(value: Any, shape: tuple[int, ...]) -> Any:
    """An array of a sample's shape, or of several, with channels first; others as they are."""
    if isinstance(value, str) or np.shape(value)[-len(shape) :] != shape:
        return value
    return np.ascontiguousarray(np.moveaxis(as_array("values", value), -1, -len(shape)))
