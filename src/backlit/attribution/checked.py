"""What holds for the arguments of every method, whatever it computes."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

import numpy as np

from backlit.checks import as_array, flag

Method = TypeVar("Method", bound=Callable[..., Any])


def checked(method: Method) -> Method:
    """Let a method refuse switches that are not bools, and read no array that it writes to.

    Arguments that share memory with `out` are copied: some of them may be read again when some of
    the result is written.
    """
    defaults = {name: p.default for name, p in signature(method).parameters.items()}
    names = list(defaults)
    switches = {name for name, default in defaults.items() if isinstance(default, bool)}

    @wraps(method)
    def call(*given: Any, **named: Any) -> Any:
        for name in switches & named.keys():
            named[name] = flag(name, named[name])
        out = named.get("out")
        if isinstance(out, np.ndarray):
            given = tuple(_apart(*pair, out) for pair in zip(names, given, strict=False))
            named = {
                name: value if name == "out" else _apart(name, value, out)
                for name, value in named.items()
            }
        return method(*given, **named)

    return call  # type: ignore[return-value]


def _apart(name: str, value: Any, out: np.ndarray) -> Any:
    """A value with no memory in common with `out`: an array, what becomes one, or a list."""
    if type(value) in (list, tuple) and any(map(_is_array, value)):
        return type(value)(_apart(name, entry, out) for entry in value)
    if _is_array(value) and np.may_share_memory(array := as_array(name, value), out):
        return array.copy()
    return value


def _is_array(value: Any) -> bool:
    """Whether a value is an array, or what shows its memory as one, such as PyTorch's tensors."""
    return hasattr(value, "__array__") and not isinstance(value, np.generic)
