"""From an ONNX graph to ours: inputs, constants, and nodes in order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, Value, channels
from backlit.importers.builder.batches import STAND_INS
from backlit.importers.builder.moved import Moved
from backlit.importers.onnx import moved
from backlit.importers.onnx.folding import DRAWS, RANDOM, can_fold, fold
from backlit.importers.onnx.graphs import (
    SHAPES_ONLY,
    as_declared,
    attributes_of,
    chosen_output,
    dependent,
    kind_of,
    kinds,
    name_of,
    needed,
    reads,
    sample_shape,
    to_array,
)
from backlit.importers.onnx.operators.table import OPERATORS, Context, Operation
from backlit.importers.onnx.schemas import INTEGERS, TRUNCATED, check, gives_integers, schema_of

OLDEST = 7
# What only names the same values another way: nobody asks for it, so it need not be computed
MOVES = {"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
# What leaves axes where they are: an image is scaled, padded or cropped, its colours in other order
IN_PLACE = moved.OF_EACH | moved.BROADCAST | {"Concat", "Gather", "Pad", "Slice", "Split"}


class Importer:
    """One model's import: which nodes are needed, which of them depend on the input."""

    def __init__(
        self,
        model: Any,
        output: str | None,
        constants: Mapping[str, Any],
        input_shape: Sequence[int] | None,
        channels_last: bool | None,
        stand_in: int = STAND_INS[0],
    ) -> None:
        versions = {entry.domain: entry.version for entry in model.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 1))
        if self.opset < OLDEST:
            raise UnsupportedError(
                f"the model is of opset {self.opset}; {OLDEST} and newer are supported"
            )
        self.opsets = model.opset_import
        graph = model.graph
        self.values: dict[str, Value | None] = {
            tensor.name: to_array(tensor) for tensor in graph.initializer
        }
        self.output = chosen_output(graph, output)
        self.nodes = needed(graph.node, self.output)
        self.read = {name for node in self.nodes for name in reads(node)} | {self.output}
        entry = self._take_inputs(graph, constants)
        shape, batch = sample_shape(entry, input_shape)
        self.open_batch = batch == 0
        moves = self._moves_channels(entry.name, shape)
        last = channels.has_channels_last(channels_last, shape, moves)
        self.builder = GraphBuilder(shape, batch or stand_in, moves_samples=last)
        self.values[entry.name] = channels.framework_input(self.builder)
        self.integers = {entry.name} if entry.type.tensor_type.elem_type in INTEGERS else set()
        self.dependent = dependent(self.nodes, entry.name)

    def _moves_channels(self, entry: str, shape: tuple[int, ...]) -> bool:
        """Whether the input's last axis is taken to the front, as exporters write it.

        Before that, values may be cast, scaled, padded, cropped or taken in another order.
        """
        names = {entry}
        for node in self.nodes:
            if names.isdisjoint(node.input):
                continue
            if node.op_type == "Transpose":
                if tuple(attributes_of(node).get("perm", ())) == channels.TO_FRONT:
                    return True
            elif node.op_type == "Reshape" and shape[-1] == 1:
                wanted = self.values.get(node.input[1])
                if isinstance(wanted, np.ndarray) and list(wanted[1:]) == [1, *shape[:-1]]:
                    return True
            elif node.op_type in IN_PLACE:
                names.update(node.output)
        return False

    def _take_inputs(self, graph: Any, constants: Mapping[str, Any]) -> Any:
        """Keep the constants; returns the one input that is left."""
        if not isinstance(constants, Mapping):
            raise TypeError(
                f"constants must map names to arrays, but is a {type(constants).__name__}"
            )
        inputs = [value for value in graph.input if value.name not in self.values]
        names = [value.name for value in inputs]
        if unknown := sorted(set(constants) - set(names)):
            raise ValueError(f"constants has {unknown}, but the model's inputs are {names}")
        declared = {value.name: value.type.tensor_type.elem_type for value in inputs}
        for key, value in constants.items():
            array = np.asarray(value)
            if array.dtype.kind in "OSU":
                raise TypeError(f"constants[{key!r}] must hold numbers, not {array.dtype}")
            try:
                self.values[key] = as_declared(array, declared[key])
            except ValueError as error:
                raise ValueError(f"constants[{key!r}] must fit: {error}") from error
        left = [value for value in inputs if value.name not in constants]
        if len(left) == 1:
            return left[0]
        if not left:
            raise ValueError(f"one of the model's inputs {names} must stay out of constants")
        raise ValueError(
            f"the model has {len(left)} inputs, {[value.name for value in left]}: give all but one "
            "as constants={name: array}"
        )

    @property
    def sees_batch(self) -> bool:
        """Whether shapes are read that tell how many samples there are."""
        return self.open_batch and any(not SHAPES_ONLY.isdisjoint(kinds(n)) for n in self.nodes)

    def check_operators(self) -> None:
        """Name everything that is missing, at once."""
        missing: dict[str, list[str]] = {}
        for node in self.nodes:
            kind = kind_of(node)
            if kind == "If":
                continue  # which branch is taken, is known later
            known = kind in OPERATORS if self._depends(node) else can_fold(kind)
            if not known:
                label = f"{kind} ({DRAWS})" if kind in RANDOM else kind
                missing.setdefault(label, []).append(name_of(node))
        if missing:
            lines = [f"  {kind}: {', '.join(names)}" for kind, names in sorted(missing.items())]
            raise UnsupportedError(
                "the model has operators that are not supported:\n" + "\n".join(lines)
            )

    def run(self) -> Tensor:
        """The output, after all nodes in order."""
        self._run_nodes(Context(self.builder, self.opset), self.nodes)
        if self.output not in self.values:
            raise ValueError(f"no node of the model computes its output {self.output!r}")
        result = self.values[self.output]
        if isinstance(result, Moved):
            if self.builder.batch != 1:
                raise UnsupportedError(
                    f"the output {self.output!r} does not have the samples first"
                )
            result = result.inner
        if not isinstance(result, Tensor):
            raise ValueError(f"the output {self.output!r} does not depend on the model's input")
        return result

    def _run_nodes(self, context: Context, nodes: Iterable[Any]) -> None:
        for node in nodes:
            try:
                if kind_of(node) == "If":
                    results = self._run_branch(context, node)
                else:
                    results = self._run_node(context, node)
            except (KeyError, IndexError) as error:
                raise ValueError(
                    f"node {name_of(node)} ({kind_of(node)}) lacks an attribute or entries: {error}"
                ) from error
            except ValueError as error:
                kind = UnsupportedError if isinstance(error, UnsupportedError) else ValueError
                raise kind(f"node {name_of(node)} ({kind_of(node)}): {error}") from error
            self.values.update(zip(node.output, results, strict=False))

    def _run_branch(self, context: Context, node: Any) -> Sequence[Value | None]:
        """The outputs of the branch that a constant condition chooses."""
        condition = self.values.get(node.input[0])
        if not isinstance(condition, np.ndarray):
            raise UnsupportedError("its condition depends on the model's input")
        branch = attributes_of(node)["then_branch" if condition.all() else "else_branch"]
        self.values.update((t.name, to_array(t)) for t in branch.initializer)
        self._run_nodes(context, branch.node)
        return [self.values[value.name] for value in branch.output]

    def _run_node(self, context: Context, node: Any) -> Sequence[Value | None]:
        missing = [name for name in node.input if name and self.values.get(name) is None]
        if missing:
            raise UnsupportedError(f"its inputs {missing} are not computed")
        self._check(node)
        inputs = tuple(self.values[name] if name else None for name in node.input)
        if not any(isinstance(value, Tensor) for value in inputs):
            return fold(node, inputs, self.opsets)  # type: ignore[arg-type]
        if kind_of(node) not in OPERATORS:  # in a branch: others were found before
            raise UnsupportedError("the operator is not supported")
        self.builder.label = name_of(node)
        attributes = attributes_of(node)
        outputs = tuple(name if name in self.read else "" for name in node.output)
        operation = Operation(kind_of(node), inputs, attributes, outputs)
        if any(isinstance(value, Moved) for value in inputs):
            result = moved.run(context, operation)
        else:
            result = OPERATORS[operation.kind](context, operation)
        results = result if isinstance(result, tuple) else (result,)
        self.builder.name_results(results, moves=operation.kind in MOVES)
        return results

    def _check(self, node: Any) -> None:
        """Refuse what is no node of its operator, or rounds what we compute in float32."""
        schema = schema_of(kind_of(node), self.opset)
        if schema is None:  # refused as unknown
            return
        check(node, schema)
        if gives_integers(node, schema, self.integers):
            if node.op_type in TRUNCATED:
                raise UnsupportedError("of integers, its result is rounded to one")
            self.integers.update(node.output)

    def _depends(self, node: Any) -> bool:
        return not self.dependent.isdisjoint(reads(node))
