"""What the builder refuses, simplifies and decides: samples never mix; ties share or do not."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import (
    GraphBuilder,
    UnsupportedError,
    activations,
    arithmetic,
    finish,
    normalization,
    pooling,
    products,
    reductions,
    shapes,
)
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


def summed(b, x, keepdims):
    """Over axis 1."""
    return reductions.reduce(b, "sum", x, [1], keepdims)


MIXES = {
    "reshape": lambda b, x: shapes.reshape(b, x, (6, 5, 7)),
    "reshape to another size": lambda b, x: shapes.reshape(b, x, (2, 3, 5, 8)),
    "reshape to nothing": lambda b, x: shapes.reshape(b, x, (-1,)),
    "reshape that infers the batch wrongly": lambda b, x: shapes.reshape(b, x, (-1, 3, 35, 2)),
    "transpose": lambda b, x: shapes.transpose(b, x, (1, 0, 2, 3)),
    "transpose of negative axes": lambda b, x: shapes.transpose(b, x, (-3, -4, -2, -1)),
    "reduce": lambda b, x: reductions.reduce(b, "sum", x, [0, 1], True),
    "reduce over a negative axis": lambda b, x: reductions.reduce(b, "max", x, [-4], True),
    "softmax": lambda b, x: activations.softmax(b, x, 0),
    "concatenate": lambda b, x: shapes.concatenate(b, [x, x], -4),
    "gather": lambda b, x: shapes.gather(b, x, 0, [1, 0]),
    "linear map": lambda b, x: shapes.linear_map(b, x, 0, [[(0, 1.0)]]),
    "pad": lambda b, x: shapes.pad(b, x, 0, 1, 1),
    "normalize": lambda b, x: normalization.normalize(b, x, [0, 2, 3], 1e-5),
    "expand": lambda b, x: shapes.expand(b, x, (4, 2, 3, 5, 7)),
    "expand the batch": lambda b, x: shapes.expand(b, summed(b, x, True), (3, 2, 3, 5, 7)),
    "broadcast with a tensor of less rank": lambda b, x: arithmetic.binary(
        b, "add", shapes.gather(b, x, 1, [0, 1]), summed(b, x, False)
    ),
    "broadcast to a constant of higher rank": lambda b, x: arithmetic.binary(
        b, "add", x, np.ones((1,) * 5)
    ),
    "a constant for each sample": lambda b, x: arithmetic.binary(
        b, "add", x, np.arange(2.0).reshape(2, 1, 1, 1)
    ),
    "a matrix from the left": lambda b, x: products.matmul(
        b, np.ones((4, 2)), shapes.reshape(b, x, (2, 105))
    ),
    "matrices of the batch": lambda b, x: products.matmul(b, *[shapes.reshape(b, x, (2, 105))] * 2),
    "matrices of other ranks": lambda b, x: products.matmul(b, x, summed(b, x, False)),
}


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
        pooling.max_pool(b, x, (2, 2), (1, 1), (2, 2, 2, 2))


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


@pytest.mark.parametrize(("layer", "inputs", "message"), MISFITS)
def test_shapes_that_do_not_fit(layer, inputs, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(*inputs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Binary("plus"), "function must be one of .* got 'plus'"),
        (lambda: Reduce("min", (0,)), "function must be one of 'add', 'larger', got 'min'"),
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
        shapes.reshape(b, x, (1, 3, 5, -1)),
        shapes.transpose(b, x, (0, 1, 2, -1)),
        shapes.gather(b, x, 2, range(5)),
        shapes.pad(b, x, 1, 0, 0),
        shapes.expand(b, x, (1, 1, 1, 7)),
        arithmetic.binary(b, "multiply", x, 1.0),
        arithmetic.binary(b, "subtract", x, 0.0),
        arithmetic.binary(b, "raise_to", x, 1.0),
        shapes.concatenate(b, [x], 1),
    ]
    assert all(y is x or y == x for y in same)
    assert not b.graph.nodes


def test_scales_of_scales_are_one():
    b, x = fresh()
    y = arithmetic.binary(b, "subtract", x, 2.0)
    y = arithmetic.binary(b, "multiply", y, 3.0)
    y = arithmetic.binary(b, "add", y, 1.0)
    (node,) = b.graph.leading_to(y.number)
    assert node.layer.parameters == (3.0, -5.0)


def test_nodes_that_lead_nowhere_are_left_out():
    b, x = fresh()
    b.label = "lost"
    arithmetic.unary(b, "exp", x)
    b.label = "kept"
    y = arithmetic.unary(b, "square", x)
    b.label = "last"
    model = finish(b, y)
    kinds = [getattr(layer, "name", type(layer).__name__) for layer in model.layers]
    assert kinds == ["square", "Reshape"]


# --- ties ----------------------------------------------------------------------------------------


def gradients(build, X):
    b = GraphBuilder(X.shape[1:])
    model = finish(b, build(b, b.input), outputs="values")
    maps = bl.gradient(model, np.repeat(X, 19, axis=0))
    np.testing.assert_array_equal(maps, np.repeat(maps[:1], 19, axis=0))
    np.testing.assert_array_equal(bl.gradient(model, X), maps[:1])
    return maps[0]


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
@pytest.mark.parametrize("function", ["max", "min"])
def test_equal_extremes_share_the_gradient(function, shape):
    X = np.array([2, -1, 2, 2, -1, 0], np.float32).reshape(1, *shape)
    axes = range(1, len(shape) + 1)

    def build(b, x):
        return shapes.reshape(b, reductions.reduce(b, function, x, axes, True), (1, 1))

    maps = gradients(build, X)
    chosen = (X[0] == (2 if function == "max" else -1)).astype(np.float32)
    np.testing.assert_array_equal(maps, chosen / chosen.sum(dtype=np.float32))


@pytest.mark.parametrize("function", ["larger", "smaller"])
def test_equal_operands_share_the_gradient(function):
    """Of entries 0 and 1, which are equal, and of 2 and 3, which are not."""
    X = np.array([[1, 1, 4, 5]], np.float32)

    def build(b, x):
        pair = (shapes.gather(b, x, 1, places) for places in ([0, 2], [1, 3]))
        return summed(b, arithmetic.binary(b, function, *pair), True)

    expected = [0.5, 0.5, 0, 1] if function == "larger" else [0.5, 0.5, 1, 0]
    np.testing.assert_array_equal(gradients(build, X), expected)


def test_a_constant_takes_its_share_away():
    X = np.array([[1, 2, 0]], np.float32)
    maps = gradients(lambda b, x: summed(b, arithmetic.binary(b, "larger", x, 1.0), True), X)
    np.testing.assert_array_equal(maps, [0.5, 1, 0])
