"""From an exported program to a graph."""

from typing import Any

from backlit.importers.builder import Tensor, UnsupportedError
from backlit.importers.torch.aliases import Aliases, operator_name
from backlit.importers.torch.naming import Names
from backlit.importers.torch.operators import Missing, TorchBuilder, find


class Failed:
    """Stands for a value that could not be computed: the reason is in the list already."""


class Converter:
    """Walks through an exported program.

    Attributes
    ----------
    problems : list of str
        What cannot be imported, each with the name of its node.
    """

    def __init__(self, program: Any, shape: tuple[int, ...]) -> None:
        self.program = program
        self.builder = TorchBuilder(shape[1:], shape[0])
        self.aliases = Aliases(program.graph)
        self.values: dict[Any, Any] = {}  # by owner
        self.problems: list[str] = []
        self.names = Names()

    def outputs(self) -> list[Any]:
        """What the module returns; raises an error that lists all problems."""
        import torch

        inputs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        with torch.no_grad():
            for node in self.program.graph.nodes:
                if node.op == "placeholder":
                    self.values[node] = self.input_value(inputs[node.name])
                elif node.op == "call_function":
                    self.values[self.aliases.owner(node)] = self.call(node)
        if self.problems:
            raise UnsupportedError("\n".join(self.problems))
        self.names.enter(self.builder.graph)
        wanted = self.program.graph_signature.user_outputs
        nodes = {node.name: node for node in self.program.graph.nodes}
        return [self.resolve(nodes[name]) if isinstance(name, str) else name for name in wanted]

    def input_value(self, spec: Any) -> Any:
        if spec.kind.name == "USER_INPUT":
            return self.builder.input
        for store in (self.program.state_dict, self.program.constants):
            if spec.target in store:
                return store[spec.target]
        return Failed()

    def call(self, node: Any) -> Any:
        arguments = self.resolve(node.args), self.resolve(node.kwargs)
        flat = list(leaves(arguments))
        if any(isinstance(value, Failed) for value in flat):
            return Failed()
        if getattr(node.target, "__name__", "") == "getitem":
            return arguments[0][0][arguments[0][1]]
        name, overload = operator_name(node)
        if name.startswith("_assert"):
            return None
        label = self.names.label(node, name)
        if not any(isinstance(value, Tensor | Missing) for value in flat):
            return self.fold(node, label, arguments)
        handler = find(name, overload)
        if handler is None:
            self.problems.append(f"{node.target} at {label}")
            return Failed()
        try:
            return self.convert(node, handler, label, arguments)
        except UnsupportedError as error:
            self.problems.append(f"{node.target} at {label}: {error}")
            return Failed()

    def fold(self, node: Any, label: str, arguments: Any) -> Any:
        """What does not depend on the input is computed now."""
        import torch

        if not isinstance(node.target, torch._ops.OpOverload):
            self.problems.append(f"{node.target} at {label}")
            return Failed()
        if torch.Tag.nondeterministic_seeded in node.target.tags:
            self.problems.append(f"{node.target} at {label}: random numbers")
            return Failed()
        return node.target(*arguments[0], **arguments[1])

    def convert(self, node: Any, handler: Any, label: str, arguments: Any) -> Any:
        positional, named = to_numpy(arguments)
        if any(isinstance(value, Missing) for value in leaves(arguments)):
            raise UnsupportedError("an input that is not computed, such as the places of maxima")
        first = node.meta["val"]
        first = first[0] if isinstance(first, list | tuple) else first
        builder = self.builder
        builder.label = label
        builder.expected = tuple(int(n) for n in first.shape)
        builder.floating = first.dtype.is_floating_point
        try:
            result = handler(builder, *positional, **named)
        except UnsupportedError:
            raise
        except ValueError as error:  # a layer that does not take such arguments
            raise UnsupportedError(str(error)) from error
        value = result[0] if isinstance(result, tuple) else result
        if isinstance(value, Tensor):
            assert value.shape == builder.expected, (label, value.shape, builder.expected)
            self.names.computed(node, value.number)
        return result

    def resolve(self, value: Any) -> Any:
        """Arguments with the values of the nodes that they name."""
        if isinstance(value, list | tuple):
            return [self.resolve(entry) for entry in value]
        if isinstance(value, dict):
            return {key: self.resolve(entry) for key, entry in value.items()}
        return self.values[self.aliases.owner(value)] if hasattr(value, "meta") else value


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
