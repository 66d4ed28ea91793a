"""Methods by name: the table, and one function that calls them all."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from backlit.attribution.method_table import METHODS
from backlit.checks import not_among
from backlit.model import Model


def methods() -> dict[str, str]:
    """The attribution methods by name, with a line on each."""
    return {name: entry.summary for name, entry in sorted(METHODS.items())}


def find_method(name: str) -> Callable[..., Any]:
    """A method by its name or another name that people know it by.

    Case, spaces, dashes and underscores do not matter; "++" is "plus plus".

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    wanted = _plain(name)
    for own, entry in METHODS.items():
        if wanted in map(_plain, (own, *entry.aliases)):
            found: Callable[..., Any] = getattr(
                import_module(f"backlit.attribution.{entry.module}"), own
            )
            return found
    raise not_among("method", name, methods())


def attribute(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    method: str = "integrated_gradients",
    **options: Any,
) -> Any:
    """Call a method by name.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`.
    method : str
        A name that `backlit.methods` lists, or another one the method is known by: "ig",
        "gradientshap", ...
    **options
        The method's own arguments, and the common ones.

    Returns
    -------
    What the method returns.

    Raises
    ------
    ValueError
        For a name that no method has, and whatever the method refuses.
    TypeError
        For arguments that the method does not take.
    """
    return find_method(method)(model, X, target, **options)


def _plain(name: str) -> str:
    return "".join(c for c in str(name).lower().replace("+", "plus") if c.isalnum())
