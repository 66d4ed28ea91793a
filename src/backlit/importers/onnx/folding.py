"""Operations on constants alone, run once by ONNX's own reference implementation.

That knows few of the older versions of operators: what it does not know, or takes for the newest
version, is written anew.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import UnsupportedError
from backlit.importers.onnx.graphs import attributes_of

RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"}
RANDOM |= {"RandomUniform", "RandomUniformLike"}
DRAWS = "it draws random numbers"
SUBGRAPHS = {"If", "Loop", "Scan", "SequenceMap"}
FLAT = {"Softmax", "LogSoftmax", "Hardmax"}  # before opset 13, over all axes from the given one on
Feeds = dict[str, np.ndarray]


def can_fold(kind: str) -> bool:
    """Whether an operator (of the default domain) is implemented, or consists of others."""
    from onnx.defs import get_schema
    from onnx.reference.ops import load_op

    if kind in SUBGRAPHS | RANDOM:
        return False
    try:
        schema: Any = get_schema(kind)
        consists = schema.has_function or schema.has_context_dependent_function
        if not consists and not schema.deprecated:
            load_op("", kind)
    except Exception:
        return False
    return True


def draws(kind: str, inputs: Sequence[np.ndarray | None]) -> bool:
    """Whether a node draws random numbers, as a dropout does in training mode."""
    if kind != "Dropout":
        return kind in RANDOM
    ratio, training = [*inputs, None, None][1:3]
    return training is not None and bool(training.any()) and (ratio is None or bool(ratio.any()))


def fold(
    proto: Any, inputs: Sequence[np.ndarray | None], opsets: Sequence[Any]
) -> list[np.ndarray | None]:
    """The outputs of a node whose inputs are all constants."""
    if draws(proto.op_type, inputs):
        raise UnsupportedError(DRAWS)
    feeds = {n: v for n, v in zip(proto.input, inputs, strict=True) if v is not None and n}
    opset = next((entry.version for entry in opsets if entry.domain in ("", "ai.onnx")), 1)
    try:
        results = iter(_results(proto, feeds, opset, opsets))
    except Exception as error:
        raise UnsupportedError(f"its constants cannot be computed: {error}") from error
    return [np.asarray(next(results)) if name else None for name in proto.output]


def _results(proto: Any, feeds: Feeds, opset: int, opsets: Sequence[Any]) -> list[Any]:
    from onnx.defs import onnx_opset_version
    from onnx.helper import make_node, make_operatorsetid
    from onnx.version_converter import convert_version

    kind, attributes = proto.op_type, attributes_of(proto)
    if kind in FLAT and opset < 13:
        (x,) = feeds.values()
        axis = attributes.get("axis", 1) % x.ndim
        row = make_node(kind, ["x"], ["y"], axis=1)
        flat = {"x": x.reshape(prod(x.shape[:axis]), -1)}
        model = _model(row, flat, [make_operatorsetid("", 13)])
        return [_run(model, flat)[0].reshape(x.shape)]
    if kind == "Upsample" or (kind == "Resize" and opset < 11):
        x, *more = feeds.values()
        scales = more[0] if more else np.array(attributes["scales"], np.float32)
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        mode = attributes.get("mode", "nearest")
        resize = make_node("Resize", ["x", "", "scales"], ["y"], mode=mode, **how)
        feeds = {"x": x, "scales": scales}
        return _run(_model(resize, feeds, [make_operatorsetid("", 13)]), feeds)
    model = _model(proto, feeds, opsets)
    misread = kind == "BatchNormalization" and opset < 14  # for one in training mode
    if not misread:
        try:
            return _run(model, feeds)
        except Exception:
            if opset >= onnx_opset_version():
                raise
    return _run(convert_version(model, onnx_opset_version()), feeds)


def _model(proto: Any, feeds: Feeds, opsets: Sequence[Any]) -> Any:
    """A model of one node."""
    from onnx import TensorProto, helper

    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in feeds.items()
    ]
    names = dict.fromkeys(name for name in proto.output if name)
    wanted = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph([proto], "constants", given, wanted)
    return helper.make_model(graph, opset_imports=opsets)


def _run(model: Any, feeds: Feeds) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(model).run(None, feeds))
