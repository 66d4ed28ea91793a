"""Writes docs/operators.md: ``python -m tests.importers.onnx.operator_table``."""

from collections import Counter
from pathlib import Path
from textwrap import fill

import onnx

from backlit.files import replacing
from backlit.importers.onnx.folding import can_fold
from backlit.importers.onnx.importing import OLDEST
from backlit.importers.onnx.operators.table import LIMITS, OPERATORS
from tests.importers.onnx.node_cases import cases, run

DOCUMENT = Path(__file__).parents[3] / "docs" / "operators.md"

NUMBERS = {f"tensor({kind})" for kind in ("bool", "float", "int32", "int64", "uint8")}

INTRODUCTION = """# ONNX operators

`bl.load("model.onnx")` takes these operators of the domain `ai.onnx`, in all their versions from
opset {oldest} on. Weights, shapes, axes and the like must not depend on the model's input; whatever
does not depend on it, by any operator of ONNX's reference implementation that draws no random
numbers, is computed once, at import. Axis 0 of the input is the samples', which no operator may
mix; where their number is open, results may not depend on it. For a while that axis may be moved
behind others, or joined with those before and behind it, as attention, dense layers and
normalisations of rows are written: (samples, rows, features) reshaped to (samples * rows,
features), and back. Models of one sample may reshape and transpose it in any way. All is computed
in float32; what ONNX rounds to an integer, as a quotient of integers, is refused.

Derivatives where a function has none are those of the PyTorch function of the name: of equal maxima
in a pooling window the first, in a reduction all take the gradient in equal shares (`torch.amax`),
of two equal arguments of `Max` or `Min` each takes half; ReLU and ReLU6 (`Clip` to [0, 6]) have
derivative 0 at their bounds, other `Clip`s 1 (`torch.clamp`); PReLU and leaky ReLU have their slope
at 0.

*Node tests* are the `onnx` package's own, version {version}, run by
`tests/importers/onnx/test_node_cases.py` and written down by
`python -m tests.importers.onnx.operator_table`: {passed} pass, {skipped} cannot be run as a
model of samples, for the reasons below.

| operator | versions | node tests passed | skipped | limits |
|---|---|---|---|---|
"""

ON_CONSTANTS = """
`If` is taken if its condition is constant: the branch that it chooses becomes part of the model.

## On constants alone

These operators are taken where their inputs do not depend on the model's input; `Constant`,
`ConstantOfShape`, `Range` and the like have no others. ONNX's reference implementation computes
them at import, as it does those above where all their inputs are constant.

{operators}
"""

SKIPPED = """
## Node tests that are skipped

*no float input*: only integers, booleans, or floats of 16 bits and fewer that NumPy lacks; *rounds
to another type*: a cast to integers or 8 bits;
*mixes samples*: the operation is along axis 0, or its other input differs from sample to sample,
also when the case's tensors are taken for those of one sample; *other operators*: the operator
spelled out as a function, with operators that are not in the table; *aligns corners of unrounded
sizes*: onnxruntime and PyTorch align those of the size that comes out, and so do we.

"""


def versions():
    """Of each operator the versions in use from opset OLDEST on."""
    found = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            found.setdefault(schema.name, set()).add(schema.since_version)
    result = {}
    for name, since in found.items():
        first = max((n for n in since if n <= OLDEST), default=min(since))
        result[name] = sorted(n for n in since if n >= first)
    return result


def on_constants():
    """The operators of numbers that are only computed at import."""

    def of_numbers(schema):
        values = [*schema.inputs, *schema.outputs]
        return schema.domain == "" and all(NUMBERS.intersection(value.types) for value in values)

    kinds = {schema.name for schema in onnx.defs.get_all_schemas() if of_numbers(schema)}
    return sorted(kind for kind in kinds - OPERATORS.keys() if can_fold(kind))


def outcomes():
    return {name: [run(name, case) for case in cases().get(name, [])] for name in OPERATORS}


def table(found):
    """The document, for the outcomes of every operator."""
    every = [outcome for group in found.values() for outcome in group]
    skipped = [outcome for outcome in every if outcome.reason]
    failed = [outcome for outcome in every if outcome.failure]
    assert not failed, failed
    text = INTRODUCTION.format(
        oldest=OLDEST,
        version=onnx.__version__,
        passed=len(every) - len(skipped),
        skipped=len(skipped),
    )
    known = versions()
    for name in sorted(OPERATORS):
        reasons = Counter(outcome.reason for outcome in found[name] if outcome.reason)
        passed = len(found[name]) - reasons.total()
        since = ", ".join(map(str, known[name]))
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
        text += f"| {name} | {since} | {passed} | {why} | {LIMITS[name]} |\n"
    text += ON_CONSTANTS.format(operators=fill(", ".join(on_constants()), 100))
    text += SKIPPED
    for name in sorted(OPERATORS):
        by_reason = {}
        for outcome in found[name]:
            if outcome.reason:
                by_reason.setdefault(outcome.reason, []).append(outcome.case.removeprefix("test_"))
        for reason, names in sorted(by_reason.items()):
            text += f"- {name}, {reason}: {', '.join(names)}\n"
    return text


if __name__ == "__main__":
    with replacing(DOCUMENT) as aside:
        aside.write_text(table(outcomes()))
