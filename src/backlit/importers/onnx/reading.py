"""From an ONNX model to ours: its inputs, its constants, and its nodes in order."""

from collections.abc import Iterable, Mapping, Sequence
from os import fspath
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError
from backlit.importers.onnx import merged
from backlit.importers.onnx.context import OPERATORS, AnyValue, Context, Merged, Operation
from backlit.importers.onnx.folding import can_fold, fold
from backlit.model import Model

SHAPES_ONLY = {"Shape", "Size"}  # what they give does not depend on their input's values
OLDEST = 7
MEANING = "backlit.outputs"  # the key in the metadata that our own exporter writes
STAND_IN = 97  # samples, where the batch is open: a number that no shape has by chance


def load_onnx(
    source: Any,
    *,
    output: str | None = None,
    constants: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
    name: str | None = None,
    outputs: str | None = None,
) -> Model:
    """A model from ONNX.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        With a path, weights in external files are found beside it.
    output : str, optional
        The name of the output to explain, or of any value inside the model; needed where the
        model has several outputs.
    constants : mapping of names to arrays, optional
        Values for all inputs but one, where the model has several.
    input_shape : sequence of ints, optional
        The shape of one sample, needed where the model leaves more open than the batch.
    name : str, optional
        Default: the graph's name.
    outputs : {"classes", "binary", "labels", "values"}, optional
        What the outputs mean; see `backlit.Model`. A file of `backlit.save` says so itself.

    Returns
    -------
    Model
        Its layers are named after the ONNX nodes (or after their outputs, if nodes have no names).

    Raises
    ------
    ImportError
        If the package `onnx` is missing.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no ONNX model, or an argument does not fit it.
    UnsupportedError
        A ValueError, if operators are missing (all are listed) or samples would be mixed.
    """
    model = read(source)
    importer = _Importer(model, output, constants or {}, input_shape)
    importer.check_operators()
    result = importer.run()
    if outputs is None and importer.output == model.graph.output[0].name:
        outputs = {entry.key: entry.value for entry in model.metadata_props}.get(MEANING)
    label = name or model.graph.name or None
    return importer.builder.finish(result, label, outputs, channels_last=importer.channels_last)


def read(source: Any) -> Any:
    """The ModelProto, functions inlined and weights at hand."""
    try:
        import onnx
        from onnx import inliner
        from onnx.external_data_helper import uses_external_data
    except ImportError as error:
        raise ImportError(
            "reading ONNX models needs the package onnx: pip install 'backlit[onnx]'"
        ) from error
    from google.protobuf.message import DecodeError

    if isinstance(source, onnx.ModelProto):
        model = source
    else:
        try:
            if isinstance(source, bytes | bytearray | memoryview):
                what = f"{len(source)} bytes"
                model = onnx.load_model_from_string(bytes(source))
            else:
                what = repr(fspath(source))
                model = onnx.load(fspath(source))
        except DecodeError as error:
            raise ValueError(f"source must be an ONNX model, but {what} is not: {error}") from error
    if not model.graph.node:
        raise ValueError("source must be an ONNX model with nodes, but its graph is empty")
    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            raise ValueError(
                f"the weights of {tensor.name!r} lie in an external file; give the model's path"
            )
    if model.graph.sparse_initializer:
        raise UnsupportedError("the model has sparse weights")
    return inliner.inline_local_functions(model) if model.functions else model


class _Importer:
    """One model's import: which nodes are needed, which of them depend on the input."""

    def __init__(
        self,
        model: Any,
        output: str | None,
        constants: Mapping[str, Any],
        input_shape: Sequence[int] | None,
    ) -> None:
        from onnx import numpy_helper

        versions = {entry.domain: entry.version for entry in model.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 1))
        if self.opset < OLDEST:
            raise UnsupportedError(
                f"the model is of opset {self.opset}; {OLDEST} and newer are supported"
            )
        self.opsets = model.opset_import
        graph = model.graph
        self.values: dict[str, AnyValue | None] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self.output = _chosen_output(graph, output)
        self.nodes = _needed(graph.node, self.output)
        self.read = {name for node in self.nodes for name in node.input} | {self.output}
        entry = self._take_inputs(graph, constants)
        shape, batch = _sample_shape(entry, input_shape)
        self.channels_last = len(shape) == 3 and any(
            self._moves_channels(node, entry.name, shape) for node in self.nodes
        )
        if self.channels_last:  # a graph of the usual order, in which those nodes are no more
            self.builder = GraphBuilder((shape[-1], *shape[:-1]), batch)
            value = self.builder.transpose(self.builder.input, (0, 2, 3, 1))
        else:
            self.builder = GraphBuilder(shape, batch)
            value = self.builder.input
        self.values[entry.name] = value
        self.dependent = _dependent(self.nodes, entry.name)

    def _moves_channels(self, node: Any, entry: str, shape: tuple[int, ...]) -> bool:
        """Whether a node takes the input's last axis to the front, as exporters write it."""
        if not node.input or node.input[0] != entry:
            return False
        if node.op_type == "Transpose":
            return list(_attributes(node).get("perm", ())) == [0, 3, 1, 2]
        wanted = self.values.get(node.input[-1])
        one = node.op_type == "Reshape" and shape[-1] == 1 and isinstance(wanted, np.ndarray)
        return one and list(np.ravel(wanted)[1:]) == [1, *shape[:-1]]  # type: ignore[arg-type]

    def _take_inputs(self, graph: Any, constants: Mapping[str, Any]) -> Any:
        """Keep the constants; returns the one input that is left."""
        inputs = [value for value in graph.input if value.name not in self.values]
        names = [value.name for value in inputs]
        if unknown := sorted(set(constants) - set(names)):
            raise ValueError(f"constants has {unknown}, but the model's inputs are {names}")
        for key, value in constants.items():
            self.values[key] = np.asarray(value)
        left = [value for value in inputs if value.name not in constants]
        if len(left) == 1:
            return left[0]
        if not left:
            raise ValueError(f"one of the model's inputs {names} must stay out of constants")
        raise ValueError(
            f"the model has {len(left)} inputs, {[value.name for value in left]}: give all but one "
            "as constants={name: array}"
        )

    def check_operators(self) -> None:
        """Name everything that is missing, at once."""
        missing: dict[str, list[str]] = {}
        for node in self.nodes:
            kind = _kind(node)
            known = kind in OPERATORS if self._depends(node) else can_fold(kind)
            if not known:
                missing.setdefault(kind, []).append(_name(node))
        if missing:
            lines = [f"  {kind}: {', '.join(names)}" for kind, names in sorted(missing.items())]
            raise UnsupportedError(
                "the model has operators that are not supported:\n" + "\n".join(lines)
            )

    def run(self) -> Tensor:
        """The output, after all nodes in order."""
        context = Context(self.builder, self.opset)
        for node in self.nodes:
            try:
                results = self._run_node(context, node)
            except (UnsupportedError, ValueError) as error:
                raise type(error)(f"node {_name(node)} ({_kind(node)}): {error}") from error
            self.values.update(zip(node.output, results, strict=False))
        result = self.values[self.output]
        if isinstance(result, Merged):
            if self.builder.batch != 1:
                raise UnsupportedError(
                    f"the output {self.output!r} joins the samples' axis with others"
                )
            result = result.inner
        if not isinstance(result, Tensor):
            raise ValueError(f"the output {self.output!r} does not depend on the model's input")
        return result

    def _run_node(self, context: Context, node: Any) -> Sequence[AnyValue | None]:
        missing = [name for name in node.input if name and self.values.get(name) is None]
        if missing:
            raise UnsupportedError(f"its inputs {missing} are not computed")
        inputs = tuple(self.values[name] if name else None for name in node.input)
        joined = any(isinstance(value, Merged) for value in inputs)
        if not joined and not any(isinstance(value, Tensor) for value in inputs):
            return fold(node, inputs, self.opsets)  # type: ignore[arg-type]
        self.builder.label = _name(node)
        attributes = _attributes(node)
        outputs = tuple(name if name in self.read else "" for name in node.output)
        if joined:
            operation = Operation(_kind(node), (), attributes, outputs)
            result = merged.run(context, operation, inputs)
        else:
            operation = Operation(_kind(node), inputs, attributes, outputs)  # type: ignore[arg-type]
            result = OPERATORS[operation.kind](context, operation)
        return result if isinstance(result, tuple) else (result,)

    def _depends(self, node: Any) -> bool:
        return not self.dependent.isdisjoint(node.input)


def _chosen_output(graph: Any, output: str | None) -> str:
    names = [value.name for value in graph.output]
    if output is None:
        if len(names) == 1:
            return names[0]
        raise ValueError(f"the model has {len(names)} outputs, {names}: choose one by output=name")
    inner = {name for node in graph.node for name in node.output}
    if output not in inner and output not in names:
        raise ValueError(f"output must be one of {names} or a value inside, got {output!r}")
    return output


def _needed(nodes: Iterable[Any], output: str) -> list[Any]:
    """The nodes that lead to the output, in order."""
    wanted, found = {output}, []
    for node in reversed(list(nodes)):
        if not wanted.isdisjoint(node.output):
            found.append(node)
            wanted.update(node.input)
    return found[::-1]


def _dependent(nodes: Iterable[Any], entry: str) -> set[str]:
    """The names of values that depend on the input's values."""
    names = {entry}
    for node in nodes:
        if not names.isdisjoint(node.input) and _kind(node) not in SHAPES_ONLY:
            names.update(name for name in node.output if name)
    return names


def _sample_shape(entry: Any, input_shape: Sequence[int] | None) -> tuple[tuple[int, ...], int]:
    """The shape of one sample, and the number of samples that the model's shapes speak of."""
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
        shape = tuple(int(n) for n in input_shape)
        if known and (
            len(shape) != len(own)
            or any(a not in (None, b) for a, b in zip(own, shape, strict=True))
        ):
            raise ValueError(
                f"input_shape must fit {[n or '?' for n in own]}, the shape of one sample of the "
                f"input {entry.name!r}, got {shape}"
            )
    return shape, (sizes[0] if sizes else None) or STAND_IN


def _kind(node: Any) -> str:
    """The operator's name, with its domain if it is not ONNX's own."""
    own = node.domain in ("", "ai.onnx")
    return node.op_type if own else f"{node.domain}.{node.op_type}"


def _name(node: Any) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
