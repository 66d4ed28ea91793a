"""What holds for the arguments of every method, whatever it computes."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from backlit.layers.base import flag

Method = TypeVar("Method", bound=Callable[..., Any])


def checked(method: Method) -> Method:
    """Let a method refuse switches that are not bools, and read no array that it writes to.

    Arguments that share memory with `out` are copied: some of them may be read again when some of
    the result is written.
    """
    defaults = {name: p.default for name, p in signature(method).parameters.items()}
    switches = {name for name, default in defaults.items() if isinstance(default, bool)}

    @wraps(method)
    def call(*given: Any, **named: Any) -> Any:
        for name in switches & named.keys():
            named[name] = flag(name, named[name])
        out = named.get("out")
        if isinstance(out, np.ndarray):
            given = tuple(_apart(value, out) for value in given)
            named = {name: _apart(value, out) for name, value in named.items()} | {"out": out}
        return method(*given, **named)

    return call  # type: ignore[return-value]


def _apart(value: Any, out: np.ndarray) -> Any:
    """A value whose arrays have no memory in common with `out`."""
    if type(value) in (list, tuple):
        return type(value)(_apart(entry, out) for entry in value)
    if isinstance(value, np.ndarray) and np.may_share_memory(value, out):
        return value.copy()
    return value
