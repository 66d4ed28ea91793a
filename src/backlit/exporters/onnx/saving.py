"""A whole model as ONNX, in memory or in a file."""

from os import PathLike, fspath
from typing import Any

from backlit.exporters.onnx.writing import BATCH, Writer
from backlit.files import replacing
from backlit.graph import OUTPUTS_KEY
from backlit.model import Model
from backlit.version import VERSION

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # of that opset's time, which older programs read
LARGEST = 2**31 - 1  # bytes of a protobuf
INPUT, OUTPUT = "input", "output"


def save_onnx(model: Model, path: str | PathLike[str]) -> None:
    """Write a model to an ONNX file, aside first; see `to_onnx`."""
    content = to_onnx(model)
    if content.ByteSize() > LARGEST:
        raise ValueError(
            f"an ONNX file holds 2 GB at most, and the model is larger: {fspath(path)}"
        )
    with replacing(path) as aside:
        aside.write_bytes(content.SerializeToString())


def to_onnx(model: Model) -> Any:
    """A model as an ``onnx.ModelProto`` of opset 20.

    What was built goes out, batch normalisation and a final softmax or sigmoid included. Nodes have
    the names of the layers; the input is called "input", the output "output", and the number of
    samples is open. What the outputs mean is in the metadata, under "backlit.outputs".

    Raises
    ------
    ImportError
        If the package `onnx` is missing.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise ImportError(
            "writing ONNX models needs the package onnx: pip install 'backlit[onnx]'"
        ) from error

    graph = model._source
    writer = Writer(graph, INPUT, OUTPUT)
    if model.channels_last:
        rank = len(model.input_shape) + 1
        order = [0, rank - 1, *range(1, rank - 1)]
        writer.values[0] = writer.emit("Transpose", INPUT, perm=order)
    for node in graph.nodes:
        writer.write(node)
    writer.finish()
    (classes,) = graph.shapes[graph.output]
    content = helper.make_graph(
        writer.nodes,
        model.name or "model",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [BATCH, *model.input_shape])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [BATCH, classes])],
        writer.constants,
    )
    result = helper.make_model(
        content,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="backlit",
        producer_version=VERSION,
    )
    helper.set_model_props(result, {OUTPUTS_KEY: model.outputs})
    return result
