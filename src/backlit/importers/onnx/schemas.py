"""What ONNX's schemas say of a node: the attributes and inputs that it must have, and its types."""

from collections.abc import Collection
from typing import Any

from backlit.importers.builder import UnsupportedError

INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}  # TensorProto's UINT8, INT8, UINT16, ..., UINT64
# What is rounded to an integer, of integers
TRUNCATED = {"Div", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean"}


def schema_of(kind: str, opset: int) -> Any:
    """The schema of an operator: the newest, if the opset is older than it; None if unknown."""
    from onnx.defs import SchemaError, get_schema, has

    try:
        return get_schema(kind, opset, "")
    except SchemaError:
        return get_schema(kind) if has(kind) else None


def check(node: Any, schema: Any) -> None:
    """Whether a node has all that its operator requires.

    Raises
    ------
    ValueError
        If an attribute or input is missing, or an attribute is of another type.
    """
    from onnx import AttributeProto

    given = {entry.name: entry.type for entry in node.attribute}
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in given:
            raise ValueError(f"its attribute {name} is missing")
        wanted = attribute.type.value
        if given.get(name, wanted) != wanted:
            found, type_name = given[name], AttributeProto.AttributeType.Name
            raise ValueError(
                f"its attribute {name} must be {type_name(wanted)}, not {type_name(found)}"
            )
    for index in range(schema.min_input):
        optional = schema.inputs[min(index, len(schema.inputs) - 1)].option.name == "Optional"
        if not optional and (index >= len(node.input) or not node.input[index]):
            raise UnsupportedError(f"its input {index} is missing")


def gives_integers(node: Any, schema: Any, integers: Collection[str]) -> bool:
    """Whether a node's first output holds integers, given which values do."""
    if node.op_type == "Cast":
        return any(entry.name == "to" and entry.i in INTEGERS for entry in node.attribute)
    own = schema.outputs[0].type_str
    alike = (i for i, parameter in enumerate(schema.inputs) if parameter.type_str == own)
    return any(i < len(node.input) and node.input[i] in integers for i in alike)
