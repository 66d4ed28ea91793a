"""A small classifier, its images, and a model that chooses between branches."""

import numpy as np
import onnx

from tests.importers.onnx.models import make_model
from tests.importers.onnx.operator_cases import integers, normal

IMAGE = (3, 6, 5)


def network(head=(), opset=17, **options):
    """A small classifier that ends in y."""
    w, d = normal(4, 3, 3, 3), normal(4, 5)
    nodes = [
        ("Conv", "x w", "c", {}),
        ("Relu", "c", "r", {}),
        ("GlobalAveragePool", "r", "p", {}),
        ("Flatten", "p", "f", {}),
        ("MatMul", "f d", "l" if head else "y", {}),
    ]
    return make_model([*nodes, *head], IMAGE, {"w": w, "d": d}, opset, **options)


def images(count=5):
    return normal(count, *IMAGE)


def branching(condition):
    """An If between twice the ReLU of x, and x."""

    def branch(nodes, constants=()):
        outputs = [onnx.helper.make_tensor_value_info(nodes[-1].output[0], 1, None)]
        return onnx.helper.make_graph(nodes, "branch", [], outputs, list(constants))

    two = onnx.numpy_helper.from_array(np.array([2.0], np.float32), "two")
    relu = onnx.helper.make_node("Relu", ["h"], ["r"])
    yes = branch([relu, onnx.helper.make_node("Mul", ["r", "two"], ["p"])], [two])
    no = branch([onnx.helper.make_node("Identity", ["h"], ["i"])])
    nodes = [("Neg", "x", "h", {}), *condition]
    nodes.append(("If", "c", "y", {"then_branch": yes, "else_branch": no}))
    return make_model(nodes, (4,), {"four": integers(4), "five": integers(5)})
