"""What `bl.load` refuses, and how it says so."""

import subprocess
import sys

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import UnsupportedError

onnx = pytest.importorskip("onnx")

from tests.importers.onnx.models import make_model, one_operator  # noqa: E402
from tests.importers.onnx.operator_cases import (  # noqa: E402
    floats,
    integers,
    normal,
)
from tests.importers.onnx.small_models import IMAGE, branching, network  # noqa: E402


def test_what_is_no_model(tmp_path):
    with pytest.raises(ValueError, match="must be an ONNX model, but 7 bytes is not"):
        bl.load(b"not one")
    with pytest.raises(ValueError, match="its graph is empty"):
        bl.load(b"")
    with pytest.raises(FileNotFoundError):
        bl.load(tmp_path / "none.onnx")
    with pytest.raises(TypeError, match=r"path must be a path, the bytes .* not int"):
        bl.load(3)
    with pytest.raises(TypeError, match="only ONNX models take output"):
        bl.load(tmp_path / "model.npz", output="y")


def test_every_unsupported_operator_is_named_before_anything_runs():
    nodes = [
        ("Atan", "x", "a", {}),
        ("NonZero", "c", "n", {}),  # of a constant: computed
        ("Add", "a b", "s", {}),  # b does not exist: running would fail here
        ("Atan", "s", "t", {}),
        ("ArgMax", "t", "i", {}),
        ("Hardmax", "i", "y", {}),
        ("Acos", "x", "unused", {}),
    ]
    model = make_model(nodes, IMAGE, {"c": np.ones(3, np.float32)})
    with pytest.raises(UnsupportedError) as error:
        bl.load(model)
    assert str(error.value).splitlines() == [
        "the model has operators that are not supported:",
        "  ArgMax: ArgMax_4",
        "  Atan: Atan_0, Atan_3",
        "  Hardmax: Hardmax_5",
    ]


DRAWN = {
    "RandomNormal": ("RandomNormal", "", {"shape": [4]}),
    "RandomUniform": ("RandomUniform", "", {"shape": [4]}),
    "RandomNormalLike": ("RandomNormalLike", "c", {}),
    "RandomUniformLike": ("RandomUniformLike", "c", {}),
    "Like x": ("RandomUniformLike", "x", {}),
    "Bernoulli": ("Bernoulli", "c", {}),
    "Multinomial": ("Multinomial", "rows", {"sample_size": 4}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_random_numbers_are_no_constants(name):
    kind, source, attributes = DRAWN[name]
    nodes = [
        (kind, source, "r", attributes),
        ("Cast", "r", "f", {"to": 1}),
        ("Add", "x f", "y", {}),
    ]
    constants = {"c": floats(0.1, 0.4, 0.5, 0.9), "rows": normal(1, 3)}
    message = rf"not supported:\n  {kind} \(it draws random numbers\): {kind}_0$"
    with pytest.raises(UnsupportedError, match=message):
        bl.load(make_model(nodes, (4,), constants))


@pytest.mark.parametrize("source", ["x", "c"])
@pytest.mark.parametrize("more", ["", " r", " r on", " none on", " r off", " - off", " - on"])
def test_dropouts_in_training_mode_are_refused(source, more):
    nodes = [("Dropout", source + more, "d", {}), ("Add", "x d", "y", {})]
    constants = {"c": normal(4), "r": np.float32(0.3), "none": np.float32(0)}
    constants |= {"on": np.array(True), "off": np.array(False)}
    model = make_model(nodes, (4,), constants)
    if more in (" r on", " - on"):
        with pytest.raises(UnsupportedError, match=r"Dropout_0 .*: it draws random numbers"):
            bl.load(model)
    else:
        X = normal(5, 4)
        expected = X + (X if source == "x" else constants["c"])
        np.testing.assert_allclose(bl.load(model, outputs="values").logits(X), expected, rtol=1e-6)


def test_random_numbers_in_branches():
    model = branching([("Shape", "h", "s", {"start": 1}), ("Equal", "s four", "c", {})])
    branch = next(a.g for a in model.graph.node[-1].attribute if a.name == "then_branch")
    draw = onnx.helper.make_node("RandomUniform", [], ["two"], name="draw", shape=[4])
    branch.node.insert(0, draw)
    del branch.initializer[:]
    with pytest.raises(UnsupportedError, match=r"draw \(RandomUniform\): it draws random numbers"):
        bl.load(model)


def test_operators_of_other_domains():
    model = network()
    model.graph.node[1].domain = "com.example"
    with pytest.raises(UnsupportedError, match=r"com\.example\.Relu: Relu_1"):
        bl.load(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constants": ["s"]}, "constants must map names to arrays, but is a list"),
        ({"input_shape": 5}, "input_shape must be a tuple of ints, got 5"),
        ({"input_shape": (2.7, 3)}, r"input_shape\[0\] must be an int, not float"),
        ({"channels_last": "yes"}, "channels_last must be True, False or None, not str"),
    ],
)
def test_options_of_another_type(options, message):
    with pytest.raises(TypeError, match=message):
        bl.load(network(), **options)


def test_constants_of_another_type():
    model = make_model([("Mul", "x s", "y", {})], (4,))
    model.graph.input.append(onnx.helper.make_tensor_value_info("s", 1, []))
    with pytest.raises(TypeError, match=r"constants\['s'\] must hold numbers, not object"):
        bl.load(model, constants={"s": None})


def test_damaged_graphs():
    with pytest.raises(ValueError, match="no node of the model computes its output 'zz'"):
        bl.load(make_model([("Relu", "x", "y", {})], (4,), output="zz"))
    model = network()
    model.graph.initializer[0].data_type = 99
    with pytest.raises(ValueError, match="the weights of 'w' cannot be read"):
        bl.load(model)


@pytest.mark.parametrize(("inputs", "index"), [("x", 1), ("- x", 0)])
def test_an_input_that_is_left_out_is_named(inputs, index):
    message = rf"node Add_0 \(Add\): its input {index} is missing"
    with pytest.raises(UnsupportedError, match=message):
        bl.load(make_model([("Add", inputs, "y", {})], (4,)))


@pytest.mark.parametrize(
    ("kind", "constant", "message"),
    [
        ("Gather", integers(4), r"its indices are outside of axis 1 of shape \(samples, 4\)"),
        ("Gather", integers(-5), r"its indices are outside of axis 1"),
        ("Split", integers(3), r"its sizes \[3\] are not those of axis 1 of shape \(samples, 4\)"),
    ],
)
def test_entries_that_are_not_there(kind, constant, message):
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator(kind, (4,), [constant], axis=1))


@pytest.mark.parametrize(
    ("indices", "options", "message"),
    [
        (integers(0, 0), {}, "an operation along the samples' axis"),
        (integers(0, 4), {}, "its indices are outside of the first axes"),
        (integers(0, 0, 0), {}, "its indices are outside of the first axes"),
        (integers(0), {"batch_dims": 1}, "batch_dims is 1, not 0"),
    ],
)
def test_places_that_are_not_gathered(indices, options, message):
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator("GatherND", (4,), [indices[None]], **options))


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("bi->b", r"the equation 'bi->b' is not one of 2 operands"),
        ("bij,ij->b", r"does not fit operands of \[2, 2\] axes"),
        ("bi,ij->bj", "its axes 'i' have extents 4 and 3"),
        ("bi,bj->bj", "a constant that differs from sample to sample"),
    ],
)
def test_einsums_that_do_not_fit(equation, message):
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator("Einsum", (4,), [normal(3, 4)], equation=equation))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AveragePool", "kernel_shape"),
        ("Cast", "to"),
        ("Concat", "axis"),
        ("DepthToSpace", "blocksize"),
        ("LRN", "size"),
        ("LpPool", "kernel_shape"),
        ("MaxPool", "kernel_shape"),
        ("SpaceToDepth", "blocksize"),
    ],
)
def test_attributes_that_operators_cannot_do_without(kind, name):
    message = rf"node {kind}_0 \({kind}\): its attribute {name} is missing$"
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator(kind, IMAGE))
    folded = make_model([(kind, "c", "k", {}), ("Add", "x k", "y", {})], (4,), {"c": normal(4)})
    with pytest.raises(ValueError, match=message):
        bl.load(folded)


@pytest.mark.parametrize(
    ("kind", "index", "opset"),
    [
        *(("Conv", 1, 17), ("Gather", 1, 17), ("Reshape", 1, 17), ("PRelu", 1, 17)),
        *(("BatchNormalization", 4, 17), ("Resize", 1, 10), ("Where", 2, 17), ("Gemm", 1, 17)),
    ],
)
def test_inputs_that_operators_cannot_do_without(kind, index, opset):
    given = [np.ones(1, np.float32)] * (index - 1)
    for constants in (given, [*given, None]):
        with pytest.raises(UnsupportedError, match=f"{kind}_0 .*: its input {index} is missing$"):
            bl.load(one_operator(kind, IMAGE, constants, opset))


def test_attributes_of_another_type():
    message = "LeakyRelu_0 .*: its attribute alpha must be FLOAT, not INT$"
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator("LeakyRelu", IMAGE, alpha=1))
    with pytest.raises(ValueError, match=r"its attribute axis must be INT, not INTS$"):
        bl.load(one_operator("Softmax", IMAGE, axis=[1]))


AXIS = {  # constants, opset, and attributes but the axis
    "Concat": ((), 17, {}),
    "Flatten": ((), 17, {}),
    "Gather": ([integers(0)], 17, {}),
    "GatherElements": ([np.zeros((1, 1, 1, 1), np.int64)], 17, {}),
    "LayerNormalization": ([floats(1)], 17, {}),
    "LogSoftmax": ((), 17, {}),
    "LpNormalization": ((), 17, {}),
    "RMSNormalization": ([floats(1)], 23, {}),
    "Softmax": ((), 17, {}),
    "Split": ([integers(1, 1)], 17, {}),
}


@pytest.mark.parametrize("kind", AXIS)
@pytest.mark.parametrize("axis", [-5, 5])
def test_an_axis_out_of_range(kind, axis):
    constants, opset, more = AXIS[kind]
    message = rf"node {kind}_0 \({kind}\): axis {axis} is out of range for a tensor of rank 4$"
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator(kind, IMAGE, constants, opset, axis=axis, **more))


@pytest.mark.parametrize("kind", ["LogSoftmax", "Softmax"])
def test_an_axis_out_of_range_where_it_begins_a_row(kind):
    with pytest.raises(ValueError, match=r"axis 4 is out of range for a tensor of rank 4$"):
        bl.load(one_operator(kind, IMAGE, (), 11, axis=4))


AXES = {  # constants with the axes as `axes`, and attributes
    "CumSum": (lambda axes: [np.array(axes[0])], {}),
    "Pad": (lambda axes: [np.ones(2 * len(axes), np.int64), None, np.array(axes)], {}),
    "ReduceL2": (lambda axes: [np.array(axes)], {}),
    "ReduceLogSumExp": (lambda axes: [np.array(axes)], {}),
    "ReduceMax": (lambda axes: [np.array(axes)], {}),
    "ReduceSum": (lambda axes: [np.array(axes)], {}),
    "Slice": (lambda axes: [*np.ones((2, len(axes)), np.int64), np.array(axes)], {}),
    "Squeeze": (lambda axes: [np.array(axes)], {}),
}


@pytest.mark.parametrize("kind", AXES)
@pytest.mark.parametrize("axis", [-5, 4])
def test_axes_out_of_range(kind, axis):
    constants, attributes = AXES[kind]
    message = rf"node {kind}_0 \({kind}\): axis {axis} is out of range for a tensor of rank 4$"
    with pytest.raises(ValueError, match=message):
        bl.load(one_operator(kind, IMAGE, constants([axis]), 18, **attributes))
    if kind != "CumSum":
        with pytest.raises(ValueError, match="name an axis of a tensor of rank 4 twice"):
            bl.load(one_operator(kind, IMAGE, constants([1, -3]), 18, **attributes))


@pytest.mark.parametrize(
    ("kind", "constants", "attributes", "message"),
    [
        ("Unsqueeze", [integers(5)], {}, "axis 5 is out of range for a tensor of rank 5$"),
        ("MeanVarianceNormalization", (), {"axes": [1, 4]}, "axis 4 is out of range"),
        ("Transpose", (), {"perm": [0, 1, 2, 4]}, "axis 4 is out of range for a tensor of rank 4$"),
        ("Transpose", (), {"perm": [0, 1, 2, 2]}, "name an axis of a tensor of rank 4 twice"),
        ("Transpose", (), {"perm": [0, 2, 1]}, r"its perm \[0, 2, 1\] is not an order"),
        ("Pad", [np.zeros(3, np.int64)], {}, r"its pads \[0, 0, 0\] are not two for each of 4"),
        ("Pad", [np.zeros(8, np.int64)], {"mode": "mean"}, "its mode must be one of .*'mean'$"),
        ("Reshape", [np.zeros(5, np.int64)], {}, "lacks an attribute or entries"),
        ("Tile", [integers(1, 2)], {}, r"its repeats \[1, 2\] are not one for each of 4 axes"),
        ("MaxPool", (), {"kernel_shape": [2]}, r"its kernel_shape must be 2 numbers, not \[2\]"),
        ("Conv", [normal(4, 3, 3, 3)], {"strides": [2]}, r"its strides must be 2 numbers"),
        ("Conv", [normal(4, 3, 3, 3)], {"pads": [2, 2]}, r"its pads must be 4 numbers"),
        ("Conv", [normal(4, 3, 3, 3)], {"kernel_shape": [2, 2]}, r"\[2, 2\] is not that of its w"),
        ("Conv", [normal(4, 3, 3)], {}, r"its weights of shape \(4, 3, 3\) must have 4 axes"),
        ("ConvTranspose", [normal(3, 4, 3)], {}, "must have 4 axes"),
        ("Conv", [normal(4, 3, 3, 3)], {"auto_pad": "SAME"}, "its auto_pad must be one of NOTSET"),
        ("DepthToSpace", (), {"blocksize": 1, "mode": "RCD"}, "its mode must be one of DCR, CRD"),
        ("Gelu", (), {"approximate": "sigmoid"}, "its approximate must be one of none, tanh"),
        ("LpNormalization", (), {"p": 3}, "its p must be 1 or 2, not 3"),
        ("GatherElements", [np.full((1, 3, 6, 5), 5)], {"axis": 3}, "outside of axis 3 of shape"),
        ("Clip", [floats(0, 1)], {}, "its min must be one number, not 2"),
    ],
)
def test_arguments_that_do_not_fit(kind, constants, attributes, message):
    with pytest.raises(ValueError, match=rf"node {kind}_0 \({kind}\).*{message}"):
        bl.load(one_operator(kind, IMAGE, constants, **attributes))


@pytest.mark.parametrize("kind", ["Div", "ReduceMean"])
def test_integers_are_not_rounded(kind):
    """ONNX's results are integers there: 1 / 2 is 0."""
    inner = [("Greater", "x zero", "m", {}), ("Cast", "m", "i", {"to": 7})]
    inner += [("Add", "i i", "j", {}), (kind, "j two" if kind == "Div" else "j", "d", {})]
    model = make_model(
        [*inner, ("Cast", "d", "y", {"to": 1})], (4,), {"zero": floats(0), "two": integers(2)}
    )
    message = rf"node {kind}_3 \({kind}\): of integers, its result is rounded to one"
    with pytest.raises(UnsupportedError, match=message):
        bl.load(model)


def test_folded_divisions_of_integers_truncate():
    nodes = [("Div", "a b", "q", {}), ("Cast", "q", "f", {"to": 1}), ("Add", "x f", "y", {})]
    constants = {"a": integers(-7, 7, -7, 6), "b": integers(2, -2, -2, 4)}
    found = bl.load(make_model(nodes, (4,), constants), outputs="values").logits(np.zeros((1, 4)))
    np.testing.assert_array_equal(found, [[-3, -3, 3, 1]])


def test_nothing_at_the_end():
    with pytest.raises(ValueError, match="the last output is empty"):
        bl.load(one_operator("Gather", (4,), [np.zeros(0, np.int64)], axis=1))


def test_old_opsets():
    with pytest.raises(UnsupportedError, match="of opset 6; 7 and newer are supported"):
        bl.load(one_operator("Relu", IMAGE, opset=6))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Reshape", "x rows", "y", {})], "the output 'y' does not have the samples first"),
        ([("Reshape", "x mix", "y", {})], r"Reshape_0 \(Reshape\): .* mixes samples"),
        (
            [("Reshape", "x rows", "r", {}), ("LRN", "r", "y", {"size": 3})],
            r"LRN_1 \(LRN\): the samples' axis is moved, or joined with others",
        ),
        (
            [("Reshape", "x rows", "r", {}), ("ReduceMax", "r", "y", {"axes": [0]})],
            "along the samples' axis",
        ),
        (
            [("Reshape", "x rows", "r", {}), ("Flatten", "x", "f", {}), ("Add", "r f", "y", {})],
            "combines samples with samples that lie along other axes",
        ),
        ([("ReduceMean", "x", "y", {"axes": [0]})], "along the samples' axis"),
        ([("Transpose", "x", "y", {"perm": [1, 0, 2, 3]})], "does not have the samples first"),
        ([("Softmax", "x", "s", {"axis": 0}), ("Exp", "s", "y", {})], "samples' axis"),
        ([("Conv", "x x", "y", {})], r"Conv_0 \(Conv\): its input 1 depends on the model's input"),
        ([("Einsum", "x", "y", {"equation": "bchw->chw"})], "a sum over the samples' axis"),
        ([("Einsum", "x x", "y", {"equation": "bchw,kchw->bk"})], "lie along other axes"),
    ],
)
def test_mixed_samples(nodes, message):
    with pytest.raises(UnsupportedError, match=message):
        bl.load(make_model(nodes, IMAGE, {"rows": integers(-1, 5), "mix": integers(4, -1)}))


def test_a_missing_package_is_named():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import backlit as bl\n"
        "try: bl.load('model.onnx')\n"
        "except ImportError as error: print(error)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'backlit[onnx]'" in printed.stdout
