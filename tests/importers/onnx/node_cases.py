"""The onnx package's own node tests, run through the importer.

A node test has no axis of samples. It is tried as it stands, axis 0 being the samples'; where that
would mix them, its tensors are taken for those of one sample, with its axes counted one further.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx import numpy_helper

from backlit.importers.onnx.operators.table import OPERATORS
from backlit.importers.onnx.reading import load_onnx

BY_AXIS = {"Concat", "Gather", "LayerNormalization", "LogSoftmax", "LpNormalization"}
BY_AXIS |= {"RMSNormalization", "Softmax", "Split"}
BY_AXES = {name for name in OPERATORS if name.startswith("Reduce")} | {"Slice", "Unsqueeze"}
BY_SHAPE = {"Reshape", "Expand", "Tile"}
LEAVE_AXES_ALONE = {"Abs", "Add", "Celu", "Clip", "Div", "Elu", "Erf"}
LEAVE_AXES_ALONE |= {"Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log"}
LEAVE_AXES_ALONE |= {"MatMul", "Max", "Mean", "Min", "Mish", "Mul", "Neg"}
LEAVE_AXES_ALONE |= {"PRelu", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid", "Softplus"}
LEAVE_AXES_ALONE |= {"Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tanh", "ThresholdedRelu"}
LEAVE_AXES_ALONE |= {"And", "Cos", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
LEAVE_AXES_ALONE |= {"Not", "Or", "Shrink", "Sign", "Sin", "Xor", "Trilu"}
LEAVE_AXES_ALONE |= {"Ceil", "Cosh", "Floor", "Round", "Sinh", "Tan"}
LEAVE_AXES_ALONE |= {"Where", "Cast", "CastLike", "Dropout", "Constant"}
# What may keep a case from running; anything else is a failure.
REASONS = {
    r"samples' axis|mixes samples|samples first|lie along other axes|differs from sample to sample|"
    r"matrix product of shapes": "mixes samples",
    r"3 spatial dimensions": "3-D",
    r"training mode": "training mode",
    r"it rounds$": "rounds to another type",
    r"does not depend on the model's input": "depends on shapes only",
    r"is open": "empty tensors",
    r"leaves nothing": "empty tensors",
    r"wrong way round": "minimum above maximum",
    r"extrapolates with another value": "extrapolates with another value than 0",
    r"has no axes besides": "mixes samples",
    r"attention with": "past, lengths, softcap, windows, fewer heads of keys, rows hidden whole",
    r"its input \d+ depends": "needs constant inputs",
    r"has operators that are not supported": "other operators",
}

# Cases whose expected outputs are not those of onnxruntime and PyTorch.
EXCEPTIONS = {
    "test_resize_downsample_scales_linear_align_corners": "aligns corners of unrounded sizes",
    "test_resize_downsample_scales_cubic_align_corners": "aligns corners of unrounded sizes",
}


@dataclass(frozen=True)
class Outcome:
    """What became of a case: no reason means that it passed."""

    case: str
    operator: str
    reason: str = ""
    failure: str = ""


@cache
def cases():
    """The cases of the operators that we claim, by operator."""
    from onnx.backend.test.loader import load_node_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_node_model_tests()
    nodes = {case.name: case.model.graph.node for case in loaded}
    found = {}
    for case in loaded:
        # the case that an operator spelled out as a function is another form of
        original = nodes.get(re.sub("_expanded.*$", "", case.name), nodes[case.name])
        if original[0].op_type == "Attention" and original is not nodes[case.name]:
            continue  # spelled out, rows of which all is hidden are not numbers for a while
        if len(original) == 1 and original[0].domain in ("", "ai.onnx"):
            found.setdefault(original[0].op_type, []).append(case)
    return {name: found[name] for name in sorted(found) if name in OPERATORS}


def run(operator, case):
    """Import a case's model, compute it, and compare."""
    if case.name in EXCEPTIONS:
        return Outcome(case.name, operator, EXCEPTIONS[case.name])
    inputs, outputs = case.data_sets[0]
    inputs, outputs = ([as_array(value) for value in values] for values in (inputs, outputs))
    if any(value is None for value in (*inputs, *outputs)):
        return Outcome(case.name, operator, "sequences")
    feeds = dict(zip((entry.name for entry in case.model.graph.input), inputs, strict=True))
    own = [name for name, value in feeds.items() if value.dtype.kind == "f" and value.ndim]
    entry = own[0] if own else ""
    if entry == "" or (operator == "CastLike" and entry != next(iter(feeds))):
        return Outcome(case.name, operator, "no float input")
    if feeds[entry].size == 0:
        return Outcome(case.name, operator, "empty tensors")
    finite = np.isfinite(feeds[entry])
    if operator.startswith("Cast"):  # all but the infinite ones, which stay as they are anyway
        feeds[entry] = np.where(finite, feeds[entry], 1).astype(feeds[entry].dtype)
        outputs = [np.where(finite, outputs[0].astype(np.float32), 1).astype(outputs[0].dtype)]
    elif not finite.all():
        return Outcome(case.name, operator, "infinite inputs")
    first = attempt(case, case.model, feeds, entry, outputs)
    if isinstance(first, str):
        rewritten = as_one_sample(case.model, feeds, entry)
        if rewritten is not None:
            second = attempt(case, *rewritten, entry, [value[None] for value in outputs])
            first = second if first == "mixes samples" or not isinstance(second, str) else first
    if isinstance(first, str):
        return Outcome(case.name, operator, reason=first)
    return Outcome(case.name, operator, failure="; ".join(first))


def as_array(value):
    """A case's value as an array, or None for a sequence."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None


def attempt(case, model, feeds, entry, outputs):
    """The differences found, or the reason why it cannot run."""
    others = {name: value for name, value in feeds.items() if name != entry}
    differences = []
    for number, (value, expected) in enumerate(zip(model.graph.output, outputs, strict=True)):
        try:
            ours = load_onnx(model, output=value.name, constants=others, outputs="values")
        except ValueError as error:
            reason = next(
                (r for pattern, r in REASONS.items() if re.search(pattern, str(error))), ""
            )
            if number == 0 and reason:
                return reason
            if not re.search("its outputs .* are not computed", str(error)) and not reason:
                differences.append(f"{value.name}: {error}")
            continue
        found = ours.logits(feeds[entry])
        half = 2 in (feeds[entry].itemsize, expected.itemsize)
        expected = expected.astype(np.float64).reshape(found.shape)
        relative = 8e-3 if half or case.rtol > 1e-3 else case.rtol  # bfloat16 has 8 bits
        least = relative / 100 * np.abs(expected).max(initial=1e-6)
        if not np.allclose(found, expected, rtol=relative, atol=least, equal_nan=True):
            differences.append(f"{value.name} differs by {np.abs(found - expected).max()}")
    return differences


def as_one_sample(model, feeds, entry):
    """The model for one sample, or None for an operator that this is not known for."""
    model, feeds = onnx.ModelProto.FromString(model.SerializeToString()), dict(feeds)
    nodes, rank = model.graph.node, feeds[entry].ndim
    if len(nodes) == 1 and nodes[0].op_type not in LEAVE_AXES_ALONE:
        if not shift_axes(nodes[0], feeds, rank):
            return None
    elif not all(node.op_type in LEAVE_AXES_ALONE for node in nodes):
        return None
    feeds[entry] = feeds[entry][None]
    if nodes[0].op_type == "Concat":
        feeds = {n: v[None] if v.ndim == rank else v for n, v in feeds.items()}
    for value in model.graph.input:
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for n in feeds[value.name].shape:
            shape.dim.add().dim_value = n
    return model, feeds


def shift_axes(node, feeds, rank):
    """Count the axes of an operator one further; False if that is not known how."""

    def further(axes):
        return [int(axis) + (axis >= 0) for axis in axes]

    def change(name, values):
        for attribute in [entry for entry in node.attribute if entry.name == name]:
            node.attribute.remove(attribute)
        node.attribute.append(onnx.helper.make_attribute(name, values))

    given = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    names = [*node.input, *[""] * 4]
    kind = node.op_type
    if kind in BY_AXIS:
        default = {"Gather": 0, "Split": 0}.get(kind, -1)
        change("axis", further([given.get("axis", default)])[0])
    elif kind == "GatherElements":
        change("axis", further([given.get("axis", 0)])[0])
        feeds[names[1]] = feeds[names[1]][None]
    elif kind == "CumSum":
        feeds[names[1]] = np.array(further([feeds[names[1]]])[0])
    elif kind == "GatherND":
        places = feeds[names[1]]
        feeds[names[1]] = np.concatenate([np.zeros_like(places[..., :1]), places], -1)
    elif kind == "Transpose":
        change("perm", [0, *(1 + n for n in given.get("perm", range(rank)[::-1]))])
    elif kind in BY_SHAPE:
        wanted = feeds[names[1]]
        aligned = [1] * max(rank - len(wanted), 0) if kind == "Expand" else []
        feeds[names[1]] = np.array([1, *aligned, *wanted], wanted.dtype)
    elif kind in BY_AXES:
        place = names[3 if kind == "Slice" else 1]
        if place in feeds and feeds[place].size:
            feeds[place] = np.array(further(feeds[place]), np.int64)
        elif "axes" in given:
            change("axes", further(given["axes"]))
        elif kind == "Slice" or given.get("noop_with_empty_axes"):
            return False
        else:
            feeds[place or "axes"] = np.arange(1, rank + 1)
            if not place:
                return False
    else:
        return False
    return True


def all_outcomes():
    return [run(operator, case) for operator, found in cases().items() for case in found]
