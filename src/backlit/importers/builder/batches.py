"""Whether a model's results depend on how many samples it is given.

Frameworks tell the number of samples when a model is traced or its shapes are computed, and what
is made of it is a number like any other. So a model is imported for two such numbers, and both
graphs must be the same.
"""

from dataclasses import fields
from itertools import zip_longest
from typing import Any

import numpy as np

from backlit.graph import Graph
from backlit.importers.builder.values import Tensor
from backlit.layers import Layer

DEPENDS = "depends on the number of samples, so that samples cannot be explained one by one"
# The numbers of samples, where that is open: numbers that no shape has by chance
STAND_INS = 97, 101


def first_difference(first: tuple[Graph, Tensor], second: tuple[Graph, Tensor]) -> str | None:
    """The name of the first node in which two graphs, each leading to a tensor, differ."""
    numbers = {0: 0}  # of the first graph's tensors, in the second
    sides = (graph.leading_to(tensor.number) for graph, tensor in (first, second))
    for a, b in zip_longest(*sides):
        if a is None or b is None:
            return (a or b).name
        if [numbers[tensor] for tensor in a.inputs] != list(b.inputs) or not same(a.layer, b.layer):
            return a.name
        numbers[a.output] = b.output
    return None


def same(first: Layer, second: Layer) -> bool:
    """Whether layers are the same, but for what rounding makes of numbers that cancel."""
    if type(first) is not type(second):
        return False
    names = [field.name for field in fields(first)]  # type: ignore[arg-type]
    return all(close(getattr(first, name), getattr(second, name)) for name in names)


def close(first: Any, second: Any) -> bool:
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.dtype.kind not in "biuf":
        return bool(first == second)
    return np.allclose(a, b, rtol=1e-6, atol=0)
