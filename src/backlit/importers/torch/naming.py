"""What the nodes of an imported module are called.

The operation of a layer has the layer's path, such as ``layer4.1.conv2``. An operation in a
module's `forward` has that module's path and the operator's name, ``layer4.1.add``. The path of a
module with parts, ``layer4.1``, is what that module returns: what is computed in it and read
outside of it. If a module is called several times, its path is the last call.
"""

from collections.abc import Iterable
from typing import Any

from backlit.importers.torch.aliases import Aliases


class Labels:
    """Labels for nodes."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def of(self, node: Any, operator: str) -> str:
        path, kind = module_calls(node)[-1][1:]
        if path and kind.startswith("torch.nn.modules."):
            return path
        base = f"{path}.{operator}" if path else operator
        count = self._counts.get(base, 0)
        self._counts[base] = count + 1
        return f"{base}_{count}" if count else base


def returned(nodes: Iterable[Any], aliases: Aliases) -> dict[str, list[Any]]:
    """By each module's path, the nodes that compute what its last call returns.

    What nobody reads is left out; exported programs do not tell it from what stays inside.
    """
    writers: dict[Any, Any] = {}  # by owner: the last node to compute its value
    last: dict[str, str] = {}  # calls by path
    read: dict[str, dict[Any, None]] = {}  # by call
    for node in nodes:
        calls = module_calls(node)
        within = {call for call, _, _ in calls}
        for source in node.all_input_nodes:
            writer = writers.get(aliases.owner(source))
            for call, _, _ in module_calls(writer) if writer else ():
                if call not in within:
                    read.setdefault(call, {})[writer] = None
        writers[aliases.owner(node)] = node
        last |= {path: call for call, path, _ in calls if path}
    return {path: list(read.get(call, ())) for path, call in last.items()}


def module_calls(node: Any) -> list[tuple[str, str, str]]:
    """The calls of modules that a node is computed in, from the outermost.

    Of each, what tells it from other calls, the module's path, and its type.
    """
    stack = node.meta.get("nn_module_stack") or {}
    return [(call, path, str(kind)) for call, (path, kind) in stack.items()] or [("", "", "")]
