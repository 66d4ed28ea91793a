"""From an exported program to a graph."""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, channels
from backlit.importers.builder.moved import Moved
from backlit.importers.torch import moved
from backlit.importers.torch.aliases import Aliases, operator_name
from backlit.importers.torch.naming import Labels, returned
from backlit.importers.torch.operators.refused import why_not
from backlit.importers.torch.operators.shapes import MOVES
from backlit.importers.torch.operators.table import Missing, TorchBuilder, find

# What leaves axes where they are: an image is scaled, padded or cropped, its colours in other order
BEFORE_MOVING = moved.ENTRYWISE | moved.PADS | {"cat", "flip", "index", "index_select", "slice"}


# Of constants they are computed in float64: in float32 they differ, by how many samples there are,
# also between samples, where a decoder's queries are repeated for each
SUMS = {
    *("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "scaled_dot_product_attention"),
    *("layer_norm", "conv1d", "conv2d"),
}


@dataclass(frozen=True)
class Failed:
    """Stands for a value that could not be computed, and says why."""

    problems: tuple[str, ...]


class Converter:
    """Walks through an exported program.

    What cannot be imported is noted, and the walk goes on, so that one error can list it all.
    """

    def __init__(self, program: Any, channels_last: bool | None) -> None:
        self.program = program
        batch, *shape = input_shape(program)
        last = channels.has_channels_last(channels_last, shape, moves_channels(program))
        self.builder = TorchBuilder(shape, batch, moves_samples=last)
        self.aliases = Aliases(program.graph)
        self.values: dict[Any, Any] = {}  # by owner
        self.labels = Labels()

    def outputs(self) -> list[Any]:
        """What the module returns, one after the other."""
        import torch

        inputs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        ends = returned(self.program.graph.nodes, self.aliases)
        computed: dict[Any, Tensor | None] = dict.fromkeys(chain(*ends.values()))
        with torch.no_grad():
            for node in self.program.graph.nodes:
                if node.op == "placeholder":
                    self.values[node] = self.input_value(inputs[node.name])
                elif node.op == "get_attr":  # what an operator like torch.cond chooses between
                    self.values[node] = Failed(())
                elif node.op == "call_function":
                    value = self.values[self.aliases.owner(node)] = self.call(node)
                    if node in computed and isinstance(value, Tensor):
                        self.builder.keep(value)
                        computed[node] = value
        self.entitle(ends, computed)
        wanted = self.program.graph_signature.user_outputs
        nodes = {node.name: node for node in self.program.graph.nodes}
        return [self.resolve(nodes[name]) if isinstance(name, str) else name for name in wanted]

    def entitle(self, ends: dict[str, list[Any]], computed: dict[Any, Any]) -> None:
        """Let modules be found by their paths."""
        for path, nodes in ends.items():
            tensors = [computed[node] for node in nodes if computed[node] is not None]
            if tensors:
                self.builder.entitle(path, tensors)

    def input_value(self, spec: Any) -> Any:
        if spec.kind.name == "USER_INPUT":
            return channels.framework_input(self.builder)
        for store in (self.program.state_dict, self.program.constants):
            if spec.target in store:
                return store[spec.target]
        return Failed((f"the input {spec.target}",))

    def call(self, node: Any) -> Any:
        arguments = self.resolve(node.args), self.resolve(node.kwargs)
        flat = list(leaves(arguments))
        failed = [value.problems for value in flat if isinstance(value, Failed)]
        problems = list(dict.fromkeys(chain(*failed)))
        if getattr(node.target, "__name__", "") == "getitem":
            return Failed(tuple(problems)) if problems else arguments[0][0][arguments[0][1]]
        name, overload = operator_name(node)
        if name.startswith("_assert"):
            return None
        if name == "sym_size" and isinstance(arguments[0][0], Tensor):
            return arguments[0][0].shape[arguments[0][1]]
        label = self.labels.of(node, name)
        if not problems and not any(isinstance(value, Tensor | Missing) for value in flat):
            return self.fold(node, label, arguments)
        handler = find(name, overload)
        if handler is None:
            problems.append(f"{node.target} at {label}: {why_not(name, overload, flat)}")
        if handler is None or problems:
            return Failed(tuple(problems))
        try:
            return self.convert(node, name, handler, label, arguments)
        except UnsupportedError as error:
            return Failed((f"{node.target} at {label}: {error}",))

    def fold(self, node: Any, label: str, arguments: Any) -> Any:
        """What does not depend on the input is computed now."""
        import torch

        if getattr(node.target, "__module__", "") == "_operator":  # of sizes
            return node.target(*arguments[0])
        if not isinstance(node.target, torch._ops.OpOverload):
            return Failed((f"{node.target} at {label}",))
        if torch.Tag.nondeterministic_seeded in node.target.tags and draws(node, *arguments):
            return Failed((f"{node.target} at {label}: random numbers",))
        if operator_name(node)[0] not in SUMS:
            return node.target(*arguments[0], **arguments[1])
        positional, named = to_double(arguments)
        result = node.target(*positional, **named)
        return result.to(node.meta["val"].dtype)

    def convert(self, node: Any, name: str, handler: Any, label: str, arguments: Any) -> Any:
        positional, named = to_numpy(arguments)
        flat = list(leaves(arguments))
        if any(isinstance(value, Missing) for value in flat):
            raise UnsupportedError("an input that is not computed, such as the places of maxima")
        first = first_of(node.meta["val"])
        builder = self.builder
        if not all(isinstance(n, int) for n in first.shape):
            first = self.of_zeros(node, flat)
        builder.label = label
        builder.expected = tuple(first.shape)
        builder.floating = first.dtype.is_floating_point
        try:
            if any(isinstance(value, Moved) for value in flat):
                return self.apply_moved(node, name, handler, positional, named)
            try:
                result = handler(builder, *positional, **named)
            except UnsupportedError:
                if name not in moved.MOVE_SAMPLES:
                    raise
                return self.apply_moved(node, name, handler, positional, named)
        except UnsupportedError:
            raise
        except ValueError as error:  # a layer that does not take such arguments
            raise UnsupportedError(str(error)) from error
        if isinstance(result, np.ndarray):  # of the input's shape alone
            import torch

            return torch.from_numpy(result)
        value = result[0] if isinstance(result, tuple) else result
        if isinstance(value, Tensor):
            assert value.shape == builder.expected, (label, value.shape, builder.expected)
        builder.name_results(list(leaves([result])), moves=name in MOVES)
        return result

    def of_zeros(self, node: Any, flat: list[Any]) -> Any:
        """A result that has the shape that tracing left open, as a constant mask decides it."""
        if any(isinstance(value, Moved) for value in flat):
            raise UnsupportedError("a shape that depends on values, as of what a mask picks out")
        positional, named = self.resolve(node.args, True), self.resolve(node.kwargs, True)
        return first_of(node.target(*positional, **named))

    def apply_moved(
        self, node: Any, name: str, handler: Any, positional: list[Any], named: dict[str, Any]
    ) -> Any:
        arguments = by_name(node, positional, named)
        return moved.apply(self.builder, handler, name, arguments, named)

    def resolve(self, value: Any, zeros: bool = False) -> Any:
        """Arguments with the values of the nodes that they name, or zeros for their tensors."""
        import torch

        if isinstance(value, list | tuple):
            return [self.resolve(entry, zeros) for entry in value]
        if isinstance(value, dict):
            return {key: self.resolve(entry, zeros) for key, entry in value.items()}
        if not hasattr(value, "meta"):
            return value
        own = self.values[self.aliases.owner(value)]
        if zeros and isinstance(own, Tensor):
            return torch.zeros(own.shape, dtype=value.meta["val"].dtype)
        return own


def input_shape(program: Any) -> tuple[int, ...]:
    (name,) = program.graph_signature.user_inputs
    node = next(node for node in program.graph.nodes if node.name == name)
    return tuple(int(n) for n in node.meta["val"].shape)


def moves_channels(program: Any) -> bool:
    """Whether the input's last axis is taken to the front, before anything else moves axes."""
    values = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if values.isdisjoint(source.name for source in node.all_input_nodes):
            continue
        name = operator_name(node)[0]
        if name == "permute" and tuple(axis % 4 for axis in node.args[1]) == channels.TO_FRONT:
            return True
        if name == "movedim" and node.args[1:] in ((-1, 1), (3, 1), (-1, -3), (3, -3)):
            return True
        if name in BEFORE_MOVING:
            values.add(node.name)
    return False


def by_name(node: Any, positional: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    """An operator's arguments by their names in its schema."""
    names = [argument.name for argument in node.target._schema.arguments]
    return dict(zip(names, positional, strict=False)) | named


def draws(node: Any, positional: list[Any], named: dict[str, Any]) -> bool:
    """Whether an operator that can draw random numbers does so: inactive dropout does not."""
    given = by_name(node, positional, named)
    if "train" in given:
        return bool(given["train"]) and given["p"] != 0
    return "attention" not in operator_name(node)[0] or given.get("dropout_p", 0) != 0


def first_of(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) else value


def leaves(value: Any) -> Any:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry)
    elif isinstance(value, dict):
        yield from leaves(list(value.values()))
    else:
        yield value


def to_numpy(value: Any) -> Any:
    """PyTorch's tensors as arrays."""
    if isinstance(value, list | tuple):
        return type(value)(to_numpy(entry) for entry in value)
    if isinstance(value, dict):
        return {key: to_numpy(entry) for key, entry in value.items()}
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def to_double(value: Any) -> Any:
    """Tensors of floating-point numbers in float64."""
    if isinstance(value, list | tuple):
        return type(value)(to_double(entry) for entry in value)
    if isinstance(value, dict):
        return {key: to_double(entry) for key, entry in value.items()}
    floating = hasattr(value, "is_floating_point") and value.is_floating_point()
    return value.double() if floating else value
