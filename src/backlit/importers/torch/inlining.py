"""Blocks of a traced module that run under some setting, put into the graph around them."""

import operator
from typing import Any


def inline_blocks(module: Any) -> None:
    """Take up blocks without gradients, with automatic types or with checkpoints.

    What leaves a block without gradients is detached. Blocks that are one of several, as of
    `torch.cond`, are left.
    """
    import torch

    graph = module.graph
    for node in list(graph.nodes):
        if not isinstance(node.target, torch._ops.HigherOrderOperator):
            continue
        places = [at for at, value in enumerate(node.args) if is_block(module, value)]
        if len(places) != 1 or any(user.target is not operator.getitem for user in node.users):
            continue
        block = getattr(module, node.args[places[0]].target)
        inline_blocks(block)
        entries = [entry for entry in block.graph.nodes if entry.op == "placeholder"]
        given = dict(zip(entries, node.args[places[0] + 1 :], strict=True))
        with graph.inserting_before(node):
            results = graph.graph_copy(block.graph, given)
        stopped = node.target.__name__ == "wrap_with_set_grad_enabled" and not node.args[0]
        for user in list(node.users):
            user.target = torch.ops.aten.detach.default if stopped else torch.ops.aten.alias.default
            user.args = (results[user.args[1]],)
        graph.erase_node(node)


def is_block(module: Any, value: Any) -> bool:
    return getattr(value, "op", "") == "get_attr" and hasattr(
        getattr(module, value.target, None), "graph"
    )
