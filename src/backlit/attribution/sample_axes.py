"""Models whose samples lie in another way than methods know.

Graphs, kernels and methods know (channels, height, width) alone. At the boundary of a method,
the axes of what comes in and goes out are moved where channels are last, and signals are taken for
pictures of one row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np

from backlit.arguments import check_out
from backlit.attribution.checked import Method, checked
from backlit.checks import as_array
from backlit.model import Model

REFERENCES = ("baseline", "fill", "background")  # of a sample's shape
BOUNDS = ("low", "high")  # that broadcast to it
MAPS = ("segments", "attributions")  # of a sample's shape, among others
SIZES = ("window", "stride")  # along the last axes of a sample
CELLS = ("segments", "grid")  # along rows and columns, if they are tuples


def any_channels(axis: int = 1, *, pictures: bool = False) -> Callable[[Method], Method]:
    """Let a method take models whose samples have their channels last.

    `axis` is where the method's result has its channels; arrays with fewer than three axes have
    none. With `pictures`, the method takes signals as pictures of one row.
    """

    def decorate(method: Method) -> Method:
        parameters = signature(method)

        @checked
        @wraps(method)
        def call(*given: Any, **named: Any) -> Any:
            model: Any = given[0] if given else named.get("model")
            form = _form(model, pictures) if isinstance(model, Model) else None
            if form is None:
                return method(*given, **named)
            bound = parameters.bind(*given, **named)
            bound.apply_defaults()
            arguments = bound.arguments
            for name, value in arguments.items():
                arguments[name] = form.moved_in(name, value, model)
            out = arguments.get("out")
            if isinstance(out, np.ndarray) and out.ndim > 2:
                check_out(out, out.shape)
                arguments["out"] = np.empty(form.inward(out, axis).shape, np.float32)
            result = method(**arguments)
            maps, *more = result if isinstance(result, tuple) else (result,)
            maps = form.outward(maps, axis) if maps.ndim > 2 else maps
            if out is not None:
                out[...] = maps
            maps = np.ascontiguousarray(maps) if out is None else out
            return (maps, *more) if more else maps

        return call  # type: ignore[return-value]

    return decorate


def _form(model: Model, pictures: bool) -> "Form | None":
    """How the samples of a model lie, unless as methods know it."""
    if pictures and model._signal is not None:
        twin, last = model._signal
        return Form(twin, model.input_shape, last, one_row=True)
    if model.channels_last:
        return Form(model._channels_first, model.input_shape, True, one_row=False)
    return None


@dataclass(frozen=True)
class Form:
    """How samples of a shape lie, and the same model for those that lie as methods know."""

    model: Model
    shape: tuple[int, ...]
    channels_last: bool
    one_row: bool

    def inward(self, array: np.ndarray, axis: int) -> np.ndarray:
        """Maps, or samples, as methods know them: their channels become the axis `axis`."""
        if self.channels_last:
            array = np.moveaxis(array, -1, axis)
        return array[..., None, :] if self.one_row else array

    def outward(self, maps: np.ndarray, axis: int) -> np.ndarray:
        """The way back."""
        if self.one_row:
            maps = maps[..., 0, :]
        return np.moveaxis(maps, axis, -1) if self.channels_last else maps

    def of_a_sample(self, value: Any) -> Any:
        """An array of a sample's shape, or of several, as methods know it; others as they are.

        Axes of one entry may stand for longer ones.
        """
        own = np.shape(value)[-len(self.shape) :]
        fits = len(own) == len(self.shape) and all(map(lambda n, s: n in (1, s), own, self.shape))
        if isinstance(value, str) or not fits:
            return value
        return np.ascontiguousarray(self.inward(as_array("values", value), -len(self.shape)))

    def moved_in(self, name: str, value: Any, model: Model) -> Any:
        """An argument as the same model takes it whose samples lie as methods know."""
        shape = self.shape
        if name == "model":
            return self.model
        if name == "X":
            samples = model._samples(value)
            if not self.one_row:
                return samples
            return np.ascontiguousarray(self.inward(samples, 1))
        if name in SIZES:
            return self._sizes(value)
        if name in CELLS and self.one_row and isinstance(value, tuple):
            return (1, *value) if len(value) == 1 else value
        if name == "segments" and (planes := self._planes(np.asarray(value))) is not None:
            return planes
        if name in MAPS:
            inward = self.of_a_sample(value)
            # of one sample, though there may be as many samples as channels
            return inward[None] if name == "segments" and np.shape(value) == shape else inward
        if name in BOUNDS:
            try:
                return self.of_a_sample(np.broadcast_to(value, shape))
            except ValueError:
                raise ValueError(
                    f"{name} must broadcast to a sample's shape {shape}, got shape "
                    f"{np.shape(value)}"
                ) from None
        if name in REFERENCES and isinstance(value, list | tuple):
            if any(as_array(name, entry).ndim not in (0, len(shape)) for entry in value):
                return self.moved_in(name, as_array(name, value), model)  # rows of one array
            return [self.moved_in(name, entry, model) for entry in value]
        if name in REFERENCES and np.ndim(value):
            if np.shape(value)[-len(shape) :] != shape:
                raise ValueError(
                    f"{name} must be of shape {shape} or (N, {', '.join(map(str, shape))}), "
                    f"or a number, got shape {np.shape(value)}"
                )
            return self.of_a_sample(value)
        return value

    def _planes(self, segments: np.ndarray) -> np.ndarray | None:
        """Segments of all channels, or else None: those of a plane for each sample, or of one."""
        plane = self.shape[:-1] if self.channels_last else self.shape[1:]
        if segments.shape != self.shape and segments.shape[1:] == plane:
            segments = segments[:, None]
        elif segments.shape != plane:
            return None
        return segments[..., None, :] if self.one_row else segments

    def _sizes(self, value: Any) -> Any:
        """Sizes along a sample's last axes: channels come first, and rows before columns."""
        if isinstance(value, tuple) and len(value) == len(self.shape) and self.channels_last:
            value = value[-1:] + value[:-1]
        if self.one_row and value is not None:
            *channels, length = value if isinstance(value, tuple) else (value,)
            value = (*channels, 1, length)
        return value
