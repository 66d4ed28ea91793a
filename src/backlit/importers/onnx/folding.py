"""Operations on constants alone, run once by ONNX's own reference implementation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import UnsupportedError

SUBGRAPHS = {"If", "Loop", "Scan", "SequenceMap"}


def can_fold(kind: str) -> bool:
    """Whether the reference implementation has an operator (of the default domain)."""
    from onnx.reference.ops import load_op

    if kind in SUBGRAPHS:
        return False
    try:
        load_op("", kind)
    except Exception:
        return False
    return True


def fold(
    proto: Any, inputs: Sequence[np.ndarray | None], opsets: Sequence[Any]
) -> list[np.ndarray | None]:
    """The outputs of a node whose inputs are all constants."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    def information(names: Sequence[str]) -> list[Any]:
        unique = dict.fromkeys(name for name in names if name)
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in unique]

    wanted = information(proto.output)
    graph = helper.make_graph([proto], "constants", information(proto.input), wanted)
    model = helper.make_model(graph, opset_imports=opsets)
    feeds = {n: v for n, v in zip(proto.input, inputs, strict=True) if v is not None and n}
    try:
        results = iter(ReferenceEvaluator(model).run(None, feeds))
    except Exception as error:
        raise UnsupportedError(f"its constants cannot be computed: {error}") from error
    return [np.asarray(next(results)) if name else None for name in proto.output]
