"""Small ONNX models, and what they compute in float64."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.importers.onnx.torch_equivalents import EQUIVALENTS


def make_model(nodes, shape, constants=None, opset=17, output="y", batch="n"):
    """A model of one input "x".

    Parameters
    ----------
    nodes : list of (operator, inputs, output, attributes)
        Names separated by blanks, "-" for an input that is left out.
    shape : tuple
        Of one sample.
    constants : dict of names to arrays
    """

    def names(text):
        return ["" if name == "-" else name for name in text.split()]

    protos = [
        helper.make_node(kind, names(inputs), names(outputs), name=f"{kind}_{number}", **attributes)
        for number, (kind, inputs, outputs, attributes) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        protos,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in output.split()],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one_operator(kind, shape, constants=(), opset=17, inputs=None, batch="n", **attributes):
    """A model of one operator, of x and constants (None for one that is left out)."""
    named = {f"c{number}": value for number, value in enumerate(constants) if value is not None}
    places = [f"c{n}" if v is not None else "-" for n, v in enumerate(constants)]
    return make_model(
        [(kind, inputs or " ".join(["x", *places]), "y", attributes)],
        shape,
        named,
        opset,
        batch=batch,
    )


def constants_of(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def fixed_batch(model):
    """The number of samples that a model insists on, or 0."""
    return model.graph.input[0].type.tensor_type.shape.dim[0].dim_value


def by_batches(model, function):
    """A function that takes any number of samples, of one that takes as many as the model."""
    size = fixed_batch(model)
    if not size:
        return function
    return lambda X: np.concatenate([function(X[i : i + size]) for i in range(0, len(X), size)])


def in_float64(model, name=""):
    """A function of samples: the reference implementation, weights and all in float64."""
    if name in EQUIVALENTS:
        return in_torch(model, EQUIVALENTS[name])
    exact = onnx.ModelProto.FromString(model.SerializeToString())
    for value in (*exact.graph.input, *exact.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in exact.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and tensor.name != "scales":
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float64), tensor.name))
    for node in exact.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
            if node.op_type == "Constant":
                array = numpy_helper.to_array(attribute.t).astype(np.float64)
                attribute.t.CopyFrom(numpy_helper.from_array(array))
    session = ReferenceEvaluator(exact)
    return by_batches(
        model, lambda X: np.asarray(session.run(None, {"x": X.astype(np.float64)})[0])
    )


def in_torch(model, equivalent):
    """A function of samples, from one of float64 tensors and the model's constants."""
    torch = pytest.importorskip("torch")
    exact = {name: torch.tensor(value).double() for name, value in constants_of(model).items()}
    return lambda X: equivalent(torch.tensor(X).double(), exact).numpy()


def slopes(function, X, targets, directions, step=1e-5):
    """Of each sample's target, the derivative along its direction, by central differences."""
    rows = np.arange(len(X))

    def scores(points):
        return function(points).reshape(len(X), -1)[rows, targets]

    ends = (scores(X + sign * step * directions) for sign in (1, -1))
    return (next(ends) - next(ends)) / (2 * step)
