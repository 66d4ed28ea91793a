"""ONNX's nodes and graphs: names, what is read, what depends on the input, the input's shape."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from backlit.checks import whole
from backlit.importers.builder import UnsupportedError

SHAPES_ONLY = {"Shape", "Size"}  # what they give does not depend on their input's values


def reads(node: Any) -> set[str]:
    """The values that a node reads, those in its branches too."""
    names = set(node.input)
    for branch in branches(node):
        names.update(value.name for value in branch.output)
        for inner in branch.node:
            names |= reads(inner)
    return names


def branches(node: Any) -> list[Any]:
    """The graphs inside a node."""
    return [entry.g for entry in node.attribute if entry.HasField("g")]


def chosen_output(graph: Any, output: str | None) -> str:
    names = [value.name for value in graph.output]
    if output is None:
        if len(names) == 1:
            return names[0]
        raise ValueError(f"the model has {len(names)} outputs, {names}: choose one by output=name")
    inner = {name for node in graph.node for name in node.output}
    if output not in inner and output not in names:
        raise ValueError(f"output must be one of {names} or a value inside, got {output!r}")
    return output


def needed(nodes: Iterable[Any], output: str) -> list[Any]:
    """The nodes that lead to the output, in order."""
    wanted, found = {output}, []
    for node in reversed(list(nodes)):
        if not wanted.isdisjoint(node.output):
            found.append(node)
            wanted |= reads(node) - {""}  # outputs that are left out have no name either
    return found[::-1]


def dependent(nodes: Iterable[Any], entry: str) -> set[str]:
    """The names of values that depend on the input's values."""
    names = {entry}
    for node in nodes:
        if not names.isdisjoint(reads(node)) and kind_of(node) not in SHAPES_ONLY:
            names.update(name for name in node.output if name)
    return names


def sample_shape(entry: Any, input_shape: Sequence[int] | None) -> tuple[tuple[int, ...], int]:
    """The shape of one sample, and how many samples the model's shapes speak of (0: of any)."""
    tensor = entry.type.tensor_type
    sizes: list[int | None] = [
        n.dim_value if n.HasField("dim_value") and n.dim_value > 0 else None
        for n in tensor.shape.dim
    ]
    known = tensor.HasField("shape")
    if known and len(sizes) < 2:
        raise UnsupportedError(
            f"the input {entry.name!r} of shape {tuple(n or '?' for n in sizes)} has no axes "
            "besides that of the samples"
        )
    own = sizes[1:]
    if input_shape is None:
        if not known or None in own:
            declared = ["samples", *(n or "?" for n in own)] if known else "not given"
            raise ValueError(
                f"the shape of the input {entry.name!r} is open ({declared}): give that of one "
                "sample as input_shape="
            )
        shape = tuple(n for n in own if n is not None)
    else:
        if not isinstance(input_shape, Sequence) or isinstance(input_shape, str):
            raise TypeError(f"input_shape must be a tuple of ints, got {input_shape!r}")
        shape = tuple(whole(f"input_shape[{i}]", n, 1) for i, n in enumerate(input_shape))
        if known and (
            len(shape) != len(own)
            or any(a not in (None, b) for a, b in zip(own, shape, strict=True))
        ):
            raise ValueError(
                f"input_shape must fit {[n or '?' for n in own]}, the shape of one sample of the "
                f"input {entry.name!r}, got {shape}"
            )
    return shape, (sizes[0] if sizes else None) or 0


def kind_of(node: Any) -> str:
    """The operator's name, with its domain if it is not ONNX's own."""
    own = node.domain in ("", "ai.onnx")
    return node.op_type if own else f"{node.domain}.{node.op_type}"


def kinds(node: Any) -> set[str]:
    """The operators of a node, those in its branches too."""
    inner = (kinds(node) for branch in branches(node) for node in branch.node)
    return {kind_of(node)}.union(*inner)


def name_of(node: Any) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def attributes_of(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def as_declared(array: np.ndarray, elem_type: int) -> np.ndarray:
    """An array in the type that a model declares by its number, if it is one of NumPy's."""
    from onnx import helper

    kind = helper.tensor_dtype_to_np_dtype(elem_type) if elem_type else array.dtype
    cast = array.astype(kind, copy=False)
    if kind.kind in "biu" and not np.array_equal(cast, array):
        raise ValueError(f"the model takes {kind} there, got {array.dtype}")
    return cast


def to_array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the weights of {tensor.name!r} cannot be read: {error!r}") from error
