"""What the nodes of an imported module are called.

The operation of a layer has the layer's path, such as ``layer4.1.conv2``. An operation in a
module's `forward` has that module's path and the operator's name, ``layer4.1.add``. The path of a
module with parts, ``layer4.1``, is the last operation in it. If a module is called several times,
its path is the last call.
"""

from typing import Any

from backlit.graph import Graph


class Names:
    """Labels for nodes, and the tensors that whole modules end with."""

    def __init__(self) -> None:
        self._ends: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def label(self, node: Any, operator: str) -> str:
        path, kind = module_paths(node)[-1]
        if path and kind.startswith("torch.nn.modules."):
            return path
        base = f"{path}.{operator}" if path else operator
        count = self._counts.get(base, 0)
        self._counts[base] = count + 1
        return f"{base}_{count}" if count else base

    def computed(self, node: Any, tensor: int) -> None:
        for path, _ in module_paths(node):
            self._ends[path] = tensor

    def enter(self, graph: Graph) -> None:
        """Let whole modules be found by their paths too."""
        for path, tensor in self._ends.items():
            if path and tensor:
                graph.names.setdefault(path, tensor)


def module_paths(node: Any) -> list[tuple[str, str]]:
    """The modules that a node is computed in, from the outermost, with their types."""
    stack = node.meta.get("nn_module_stack") or {}
    return [(path, str(kind)) for path, kind in stack.values()] or [("", "")]
