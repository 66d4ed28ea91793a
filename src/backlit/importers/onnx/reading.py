"""Reading ONNX models: files, bytes, protobuf messages."""

from collections.abc import Mapping, Sequence
from os import fspath
from typing import Any

from backlit.graph import OUTPUTS_KEY
from backlit.importers.builder import UnsupportedError, finish
from backlit.importers.builder.batches import DEPENDS, STAND_INS, first_difference
from backlit.importers.onnx.importing import Importer
from backlit.model import Model


def load_onnx(
    source: Any,
    *,
    output: str | None = None,
    constants: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
    name: str | None = None,
    outputs: str | None = None,
    channels_last: bool | None = None,
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
    channels_last : bool, optional
        Whether the input's images are (height, width, channels). By default they are if the model
        begins with moving the channels to the front, as those of other frameworks do.

    Returns
    -------
    Model
        Its layers are named after the ONNX nodes (or after their outputs, if nodes have no names).
        A softmax or sigmoid at the end is set aside, and its name stands for the logits.

    Raises
    ------
    ImportError
        If the package `onnx` is missing.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no ONNX model, or an argument does not fit it.
    UnsupportedError
        A ValueError, if operators are missing (all are listed), samples would be mixed, or
        results depend on how many there are.
    """
    model = read(source)
    given = model, output, constants or {}, input_shape, channels_last
    importer = Importer(*given)
    importer.check_operators()
    result = importer.run()
    if importer.sees_batch:
        other = Importer(*given, STAND_INS[1])
        sides = (importer.builder.graph, result), (other.builder.graph, other.run())
        if place := first_difference(*sides):
            raise UnsupportedError(f"node {place}: its result {DEPENDS}")
    if outputs is None and importer.output == model.graph.output[0].name:
        outputs = {entry.key: entry.value for entry in model.metadata_props}.get(OUTPUTS_KEY)
    label = name or model.graph.name or None
    return finish(importer.builder, result, label, outputs)


def read(source: Any) -> Any:
    """The ModelProto, functions inlined and weights at hand."""
    try:
        import onnx
        from onnx import inliner
        from onnx.checker import ValidationError
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
        except ValidationError as error:  # no external file
            raise FileNotFoundError(f"{what} lacks weights: {error}") from error
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
