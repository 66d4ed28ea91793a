"""Nodes of a traced graph: their operators, and which are one tensor (in-place operations)."""

from typing import Any

# These may return their input itself, which their schemas do not say
MAY_RETURN_INPUT = {"dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"}


class Aliases:
    """The tensor that each node stands for.

    An in-place operation computes a new value of its first argument: nodes that stand for the
    same tensor have the same `owner`.

    Attributes
    ----------
    traceable : bool
        Whether values by owner are all there is to it. Not so where something is written to a
        view, to the module's own tensors, or to a tensor that has a view by then which is read
        later.
    """

    def __init__(self, graph: Any) -> None:
        self._owners: dict[Any, Any] = {}
        self._bases: dict[Any, Any] = {}  # of views: the owner of what they look at
        self._numbers = {node: number for number, node in enumerate(graph.nodes)}
        self._last_reads: dict[Any, int] = {}  # by owner
        for node, number in self._numbers.items():
            self._enter(node)
            for source in node.all_input_nodes:
                self._last_reads[self.owner(source)] = number
        self.traceable = all(map(self._may_write, filter(is_in_place, self._numbers)))

    def owner(self, node: Any) -> Any:
        return self._owners[node]

    def _enter(self, node: Any) -> None:
        self._owners[node] = self._owners[node.args[0]] if is_in_place(node) else node
        if looks_at_input(node):
            source = self._owners[node.args[0]]
            self._bases[node] = self._bases.get(source, source)

    def _may_write(self, node: Any) -> bool:
        owner, number = self.owner(node), self._numbers[node]
        if owner in self._bases or owner.op != "call_function":
            return False
        views = [view for view, base in self._bases.items() if base is owner]
        return not any(
            self._numbers[view] < number <= self._last_reads.get(view, -1) for view in views
        )


def names(operator: Any) -> tuple[str, str]:
    """An operator's name and overload: ("conv2d", "padding")."""
    schema = operator._schema
    return schema.name.removeprefix("aten::"), schema.overload_name or "default"


def operator_name(node: Any) -> tuple[str, str]:
    """The same for a node's operator; one that works in place is called like its twin."""
    if not hasattr(node.target, "_schema"):
        return str(node.target), ""
    name, overload = names(node.target)
    return name.removesuffix("_") if is_in_place(node) else name, overload


def is_in_place(node: Any) -> bool:
    """Whether a node writes to its first argument."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.arguments:
        return False
    written = schema.arguments[0].alias_info
    return written is not None and bool(written.is_write)


def looks_at_input(node: Any) -> bool:
    """Whether a node's result may share memory with its first argument."""
    if node.op != "call_function" or is_in_place(node):
        return False
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return getattr(node.target, "__name__", "") == "getitem"
    if names(node.target)[0] in MAY_RETURN_INPUT:
        return True
    return any(result.alias_info is not None for result in schema.returns)
