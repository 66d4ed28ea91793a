"""What the builder refuses, simplifies and decides: samples never mix; ties share or do not."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, UnsupportedError
from backlit.operators import (
    Add,
    AxisMap,
    Binary,
    Concatenate,
    MatMul,
    Reduce,
    Reshape,
    Transpose,
)

IMAGE = (3, 5, 7)


def fresh(batch=1, shape=IMAGE):
    b = GraphBuilder(shape, batch)
    return b, b.input


# --- what mixes samples --------------------------------------------------------------------------

MIXES = {
    "reshape": lambda b, x: b.reshape(x, (6, 5, 7)),
    "reshape to another size": lambda b, x: b.reshape(x, (2, 3, 5, 8)),
    "reshape to nothing": lambda b, x: b.reshape(x, (-1,)),
    "reshape that infers the batch wrongly": lambda b, x: b.reshape(x, (-1, 3, 35, 2)),
    "transpose": lambda b, x: b.transpose(x, (1, 0, 2, 3)),
    "transpose of negative axes": lambda b, x: b.transpose(x, (-3, -4, -2, -1)),
    "reduce": lambda b, x: b.reduce(x, "sum", [0, 1], True),
    "reduce over a negative axis": lambda b, x: b.reduce(x, "max", [-4], True),
    "softmax": lambda b, x: b.softmax(x, 0),
    "concatenate": lambda b, x: b.concatenate([x, x], -4),
    "gather": lambda b, x: b.gather(x, 0, [1, 0]),
    "linear map": lambda b, x: b.linear_map(x, 0, [[(0, 1.0)]]),
    "pad": lambda b, x: b.pad(x, 0, 1, 1),
    "normalize": lambda b, x: b.normalize(x, [0, 2, 3], 1e-5),
    "expand": lambda b, x: b.expand(x, (4, 2, 3, 5, 7)),
    "expand the batch": lambda b, x: b.expand(b.reduce(x, "sum", [1], True), (3, 2, 3, 5, 7)),
    "broadcast with a tensor of less rank": lambda b, x: b.binary(
        "add", b.gather(x, 1, [0, 1]), b.reduce(x, "sum", [1], False)
    ),
    "broadcast to a constant of higher rank": lambda b, x: b.binary("add", x, np.ones((1,) * 5)),
    "a constant for each sample": lambda b, x: b.binary(
        "add", x, np.arange(2.0).reshape(2, 1, 1, 1)
    ),
    "a matrix from the left": lambda b, x: b.matmul(np.ones((4, 2)), b.reshape(x, (2, 105))),
    "matrices of the batch": lambda b, x: b.matmul(*[b.reshape(x, (2, 105))] * 2),
    "matrices of other ranks": lambda b, x: b.matmul(x, b.reduce(x, "sum", [1], False)),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXES)
def test_what_mixes_samples_is_refused(name):
    with pytest.raises(UnsupportedError):
        MIXES[name](*fresh(batch=2))


MESSAGES = [
    ("reshape", r"reshaping \(samples, 3, 5, 7\) to \(6, 5, 7\) mixes samples"),
    ("transpose", r"transposing axes \(1, 0, 2, 3\) moves the samples' axis"),
    ("reduce", "an operation along the samples' axis"),
    ("a constant for each sample", "a constant that differs from sample to sample"),
    ("a matrix from the left", "a matrix product that mixes samples"),
    (
        "matrices of other ranks",
        r"a matrix product of shapes \(samples, 3, 5, 7\) and \(samples, 5, 7\)",
    ),
    (
        "broadcast with a tensor of less rank",
        r"\(samples, 2, 5, 7\) with \(samples, 5, 7\) mixes samples",
    ),
]


@pytest.mark.parametrize(("name", "message"), MESSAGES)
def test_messages(name, message):
    with pytest.raises(UnsupportedError, match=message):
        MIXES[name](*fresh(batch=2))


def test_a_window_in_the_padding_is_refused():
    b, x = fresh()
    with pytest.raises(UnsupportedError, match="a pooling window that lies in the padding"):
        b.max_pool(x, (2, 2), (1, 1), (2, 2, 2, 2))


# --- operators' own shapes -----------------------------------------------------------------------

MISFITS = [
    (Add(), [(2, 3), (2, 4)], r"cannot add tensors of shapes \(2, 3\) and \(2, 4\)"),
    (Binary("add"), [(2, 3), (2, 4)], "broadcast"),
    (Reshape((2, 4)), [(2, 3)], r"cannot reshape \(2, 3\) to \(2, 4\)"),
    (Transpose((0, 0)), [(2, 3)], r"cannot transpose \(2, 3\) to axes \(0, 0\)"),
    (Concatenate(1), [(2, 3), (3, 3)], r"cannot concatenate \[\(2, 3\), \(3, 3\)\] along axis 1"),
    (AxisMap.gather(1, 4, [0]), [(2, 3)], r"axis 1, size 4, got \(2, 3\)"),
    (AxisMap.gather(2, 3, [0]), [(2, 3)], r"axis 2, size 3, got \(2, 3\)"),
    (MatMul(), [(2, 3), (2, 3)], r"cannot multiply matrices of shapes \(2, 3\) and \(2, 3\)"),
    (MatMul(), [(2, 3, 3), (1, 3, 3)], "cannot multiply"),
]


@pytest.mark.parametrize(("layer", "shapes", "message"), MISFITS)
def test_shapes_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(*shapes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Binary("plus"), "function must be one of .* got 'plus'"),
        (lambda: Reduce("min", (0,)), "function must be 'add' or 'larger', got 'min'"),
        (lambda: AxisMap(0, 3, [0, 2], [1], [1.0]), "starts must rise from 0 to the 1 columns"),
        (lambda: AxisMap(0, 3, [0, 2, 1, 2], [1, 1], [1.0, 1.0]), "starts must rise"),
        (lambda: AxisMap(0, 3, [0, 2], [1, 1], [1.0]), "2 columns have 1 weights"),
        (lambda: AxisMap.gather(0, 3, [3]), r"columns must be in 0 ... 2"),
    ],
)
def test_operators_refuse_what_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_transposed_axis_map_is_the_transposed_matrix(rng):
    rows = [[(2, 1.5), (0, -1.0)], [], [(2, 2.0), (2, 0.5)], [(1, 3.0)]]

    def matrix(layer):
        result = np.zeros((len(layer.starts) - 1, layer.size))
        for row, (a, b) in enumerate(zip(layer.starts, layer.starts[1:], strict=False)):
            np.add.at(result[row], layer.columns[a:b], layer.weights[a:b])
        return result

    layer = AxisMap.of_rows(0, 4, rows)
    np.testing.assert_array_equal(matrix(layer.transposed()), matrix(layer).T)
    np.testing.assert_array_equal(
        matrix(layer), [[-1, 0, 1.5, 0], [0] * 4, [0, 0, 2.5, 0], [0, 3, 0, 0]]
    )


# --- what is simplified --------------------------------------------------------------------------


def test_what_changes_nothing_adds_no_node():
    b, x = fresh()
    same = [
        b.reshape(x, (1, 3, 5, -1)),
        b.transpose(x, (0, 1, 2, -1)),
        b.gather(x, 2, range(5)),
        b.pad(x, 1, 0, 0),
        b.expand(x, (1, 1, 1, 7)),
        b.binary("multiply", x, 1.0),
        b.binary("subtract", x, 0.0),
        b.binary("raise_to", x, 1.0),
        b.concatenate([x], 1),
    ]
    assert all(y is x or y == x for y in same)
    assert not b.graph.nodes


def test_scales_of_scales_are_one():
    b, x = fresh()
    y = b.binary("add", b.binary("multiply", b.binary("subtract", x, 2.0), 3.0), 1.0)
    (node,) = b.graph.leading_to(y.number)
    assert node.layer.parameters == (3.0, -5.0)


def test_nodes_that_lead_nowhere_are_left_out():
    b, x = fresh()
    b.label = "lost"
    b.activation(x, "exp")
    b.label = "kept"
    y = b.activation(x, "square")
    b.label = "last"
    model = b.finish(y)
    kinds = [getattr(layer, "name", type(layer).__name__) for layer in model.layers]
    assert kinds == ["square", "Reshape"]


# --- ties ----------------------------------------------------------------------------------------


def gradients(build, X):
    b = GraphBuilder(X.shape[1:])
    model = b.finish(build(b, b.input), outputs="values")
    maps = bl.gradient(model, np.repeat(X, 19, axis=0))
    np.testing.assert_array_equal(maps, np.repeat(maps[:1], 19, axis=0))
    np.testing.assert_array_equal(bl.gradient(model, X), maps[:1])
    return maps[0]


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
@pytest.mark.parametrize("function", ["max", "min"])
def test_equal_extremes_share_the_gradient(function, shape):
    X = np.array([2, -1, 2, 2, -1, 0], np.float32).reshape(1, *shape)
    axes = range(1, len(shape) + 1)
    maps = gradients(lambda b, x: b.reshape(b.reduce(x, function, axes, True), (1, 1)), X)
    chosen = (X[0] == (2 if function == "max" else -1)).astype(np.float32)
    np.testing.assert_array_equal(maps, chosen / chosen.sum(dtype=np.float32))


@pytest.mark.parametrize("function", ["larger", "smaller"])
def test_equal_operands_share_the_gradient(function):
    """Of entries 0 and 1, which are equal, and of 2 and 3, which are not."""
    X = np.array([[1, 1, 4, 5]], np.float32)

    def build(b, x):
        pair = b.binary(function, b.gather(x, 1, [0, 2]), b.gather(x, 1, [1, 3]))
        return b.reduce(pair, "sum", [1], True)

    expected = [0.5, 0.5, 0, 1] if function == "larger" else [0.5, 0.5, 1, 0]
    np.testing.assert_array_equal(gradients(build, X), expected)


def test_a_constant_takes_its_share_away():
    X = np.array([[1, 2, 0]], np.float32)
    maps = gradients(lambda b, x: b.reduce(b.binary("larger", x, 1.0), "sum", [1], True), X)
    np.testing.assert_array_equal(maps, [0.5, 1, 0])
