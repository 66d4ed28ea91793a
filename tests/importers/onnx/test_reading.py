"""What `bl.load` takes and refuses, and what becomes of inputs, outputs and batches."""

import subprocess
import sys

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import UnsupportedError
from backlit.layers import Activation, BatchNorm, Conv2D
from backlit.operators import AxisMap, Reshape, Transpose

onnx = pytest.importorskip("onnx")

from tests.importers.onnx.models import make_model, one_operator  # noqa: E402
from tests.importers.onnx.operator_cases import (  # noqa: E402
    floats,
    integers,
    normal,
    positive,
    softpluses,
)

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


def test_bytes_models_and_paths_are_the_same(tmp_path):
    model, X = network(), images()
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    expected = bl.load(model).logits(X)
    data = model.SerializeToString()
    upper = path.rename(tmp_path / "copy.ONNX")
    for source in (upper, str(upper), data, bytearray(data), memoryview(data)):
        assert (bl.load(source).logits(X) == expected).all()


def test_weights_in_external_files(tmp_path):
    model, X = network(), images()
    expected = bl.load(model).logits(X)
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert (tmp_path / "weights.bin").exists()
    assert (bl.load(path).logits(X) == expected).all()
    with pytest.raises(ValueError, match="'w' lie in an external file; give the model's path"):
        bl.load(path.read_bytes())
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.onnx' lacks weights: .*weights\.bin"):
        bl.load(path)


def test_layers_have_the_names_of_nodes():
    model = bl.load(network())
    X = images()
    activation = bl.layer_activation(model, X, layer="Relu_1")
    assert activation.shape == (5, 4, 4, 3)
    assert (activation >= 0).all()


# --- what is refused ------------------------------------------------------------------------------


def test_what_is_no_model(tmp_path):
    with pytest.raises(ValueError, match="must be an ONNX model, but 7 bytes is not"):
        bl.load(b"not one")
    with pytest.raises(ValueError, match="its graph is empty"):
        bl.load(b"")
    with pytest.raises(FileNotFoundError):
        bl.load(tmp_path / "none.onnx")
    with pytest.raises(TypeError, match=r"path must be a path, the bytes .* not int"):
        bl.load(3)
    with pytest.raises(TypeError, match=r"\['output'\] are options for ONNX models only"):
        bl.load(tmp_path / "model.npz", output="y")


def test_every_unsupported_operator_is_named_before_anything_runs():
    nodes = [
        ("Sin", "x", "a", {}),
        ("NonZero", "c", "n", {}),  # of a constant: computed
        ("Add", "a b", "s", {}),  # b does not exist: running would fail here
        ("Sin", "s", "t", {}),
        ("CumSum", "t axis", "y", {}),
        ("Cos", "x", "unused", {}),
    ]
    model = make_model(nodes, IMAGE, {"axis": np.int64(1), "c": np.ones(3, np.float32)})
    with pytest.raises(UnsupportedError) as error:
        bl.load(model)
    assert str(error.value).splitlines() == [
        "the model has operators that are not supported:",
        "  CumSum: CumSum_4",
        "  Sin: Sin_0, Sin_3",
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


def test_old_opsets():
    with pytest.raises(UnsupportedError, match="of opset 6; 7 and newer are supported"):
        bl.load(one_operator("Relu", IMAGE, opset=6))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Reshape", "x rows", "y", {})], "the output 'y' does not have the samples first"),
        ([("Reshape", "x mix", "y", {})], r"Reshape_0 \(Reshape\): .* mixes samples"),
        (
            [("Reshape", "x rows", "r", {}), ("MaxPool", "r", "y", {"kernel_shape": [2]})],
            r"MaxPool_1 \(MaxPool\): the samples' axis is moved, or joined with others",
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


# --- inputs, outputs, batches ---------------------------------------------------------------------


def test_outputs_by_name():
    nodes = [("Relu", "x", "r", {}), ("Neg", "r", "y", {}), ("Exp", "r", "z", {})]
    model, X = make_model(nodes, (4,), output="y z"), normal(5, 4)
    with pytest.raises(ValueError, match=r"2 outputs, \['y', 'z'\]: choose one by output=name"):
        bl.load(model)
    with pytest.raises(ValueError, match=r"output must be one of .* got 'q'"):
        bl.load(model, output="q")
    relu = np.maximum(X, 0)
    for name, expected in (("y", -relu), ("z", np.exp(relu)), ("r", relu)):
        found = bl.load(model, output=name, outputs="values").logits(X)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_several_inputs():
    model = make_model([("Mul", "x k", "m", {}), ("Add", "m b", "y", {})], (4,))
    for name in "kb":
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, 1, [4]))
    with pytest.raises(ValueError, match=r"3 inputs, \['x', 'k', 'b'\]: give all but one as const"):
        bl.load(model)
    with pytest.raises(ValueError, match=r"2 inputs, \['x', 'b'\]"):
        bl.load(model, constants={"k": np.ones(4)})
    with pytest.raises(ValueError, match=r"constants has \['q'\], but the model's inputs are"):
        bl.load(model, constants={"q": 1})
    with pytest.raises(ValueError, match="must stay out of constants"):
        bl.load(model, constants=dict.fromkeys("xkb", np.ones((1, 4))))
    k, b, X = normal(4), normal(4), normal(5, 4)
    found = bl.load(model, constants={"k": k, "b": b}).logits(X)
    np.testing.assert_allclose(found, X * k + b, rtol=1e-6, atol=1e-6)


def test_initializers_may_be_inputs_as_in_old_models():
    model, X = network(opset=7), images()
    for tensor in model.graph.initializer:
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, 1, list(tensor.dims))
        )
    assert bl.load(model).logits(X).shape == (5, 5)


def test_open_shapes():
    model, X = network(), images()
    expected = bl.load(model).logits(X)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_param, dims[3].dim_param = "height", "width"
    with pytest.raises(
        ValueError, match=r"'x' is open \(\['samples', 3, '\?', '\?'\]\): give that"
    ):
        bl.load(model)
    assert (bl.load(model, input_shape=IMAGE).logits(X) == expected).all()
    for wrong in ((4, 6, 5), (3, 6)):
        with pytest.raises(ValueError, match=r"input_shape must fit \[3, '\?', '\?'\]"):
            bl.load(model, input_shape=wrong)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ValueError, match="is open"):
        bl.load(model)
    assert (bl.load(model, input_shape=IMAGE).logits(X) == expected).all()


@pytest.mark.parametrize("batch", [1, 8, "samples"])
def test_any_number_of_samples_whatever_the_model_says(batch):
    X = images(17)
    rng = np.random.default_rng(0)
    constants = {"w": rng.standard_normal((90, 4)).astype(np.float32)}
    constants["shape"] = integers(batch if isinstance(batch, int) else -1, 90)
    nodes = [("Reshape", "x shape", "f", {}), ("MatMul", "f w", "y", {})]
    found = bl.load(make_model(nodes, IMAGE, constants, batch=batch)).logits(X)
    np.testing.assert_allclose(found, X.reshape(17, 90) @ constants["w"], rtol=1e-4, atol=1e-4)


COUNT = [
    ("Shape", "x", "s", {"start": 0, "end": 1}),
    ("Cast", "s", "n", {"to": 1}),
    ("Reciprocal", "n", "r", {}),
]


@pytest.mark.parametrize(
    ("nodes", "place"),
    [
        ([("Div", "x n", "y", {})], "Div_3"),
        ([("Relu", "x", "h", {}), ("Mul", "h r", "m", {}), ("Exp", "m", "y", {})], "Mul_4"),
        ([("Size", "x", "z", {}), ("Cast", "z", "f", {"to": 1}), ("Sub", "f x", "y", {})], "Sub_5"),
    ],
)
def test_results_that_depend_on_the_number_of_samples(nodes, place):
    message = f"node {place}: its result depends on the number of samples, so that"
    model = make_model([*COUNT, *nodes], (4,))
    with pytest.raises(UnsupportedError, match=message):
        bl.load(model)
    X = normal(5, 4)
    fixed = bl.load(make_model([*COUNT, ("Div", "x n", "y", {})], (4,), batch=8), outputs="values")
    assert (fixed.logits(X) == X / 8).all()


def test_numbers_of_samples_that_cancel():
    nodes = [*COUNT, ("Mul", "x n", "m", {}), ("Relu", "m", "h", {}), ("Mul", "h r", "y", {})]
    inner = [*COUNT, ("Div", "n n", "one", {}), ("Mul", "x one", "y", {})]
    X = normal(5, 4)
    assert (bl.load(make_model(inner, (4,)), outputs="values").logits(X) == X).all()
    with pytest.raises(UnsupportedError, match="node Mul_3: its result depends"):
        bl.load(make_model(nodes, (4,)))  # before the ReLU they have not


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [("Reshape", "x four", "y", {})],
            r"reshaping \(samples, 2, 6\) to \(4, samples \* 3\) mixes",
        ),
        (
            [("Reshape", "x rows", "r", {}), ("Reshape", "r five", "y", {})],
            r"reshaping \(samples \* 2, 6\) to \(5, samples, 2\) mixes",
        ),
        ([("Add", "x row", "y", {})], r"shapes \(samples, 2, 6\) and \(5\) do not fit"),
        ([("Expand", "x wide", "y", {})], r"shapes \(samples, 2, 6\) and \(4, 3\) do not fit"),
        ([("Squeeze", "x one", "y", {})], r"axes \[1\] of shape \(samples, 2, 6\)"),
        ([("GatherND", "x at", "y", {})], r"first axes of shape \(samples, 2, 6\)"),
        ([("GlobalMaxPool", "x", "p", {}), ("MatMul", "p x", "y", {})], None),
        ([("Conv", "f w", "y", {})], r"samples, of shape \(12,\), have 0 spatial dimensions"),
    ],
)
def test_errors_say_samples_for_their_number(nodes, message):
    constants = {"four": integers(4, -1), "rows": integers(-1, 6), "five": integers(5, 97, 2)}
    constants |= {"row": normal(5), "wide": integers(4, 3), "one": integers(1)}
    constants |= {"at": integers(0, 2)[None], "w": normal(4, 3, 3, 3)}
    model = make_model([("Flatten", "x", "f", {}), *nodes], (2, 6), constants)
    with pytest.raises(ValueError, match=message) as caught:
        bl.load(model)
    assert "97" not in str(caught.value)


def test_one_sample_without_its_axis():
    """A model of a single sample may drop the axis."""
    nodes = [("Conv", "x w", "c", {}), ("ReduceMean", "c", "m", {"axes": [2, 3], "keepdims": 0})]
    nodes += [
        ("Squeeze", "m", "s", {}),
        ("Add", "s b", "a", {}),
        ("Softmax", "a", "y", {"axis": 0}),
    ]
    constants = {"w": normal(4, 3, 3, 3), "b": normal(4)}
    X = images()
    model = bl.load(make_model(nodes, IMAGE, constants, batch=1))
    assert model.outputs == "classes"
    expected = bl.load(make_model(nodes[:2], IMAGE, constants, output="m")).logits(X)
    np.testing.assert_allclose(model.logits(X), expected + constants["b"], rtol=1e-5, atol=1e-5)


def test_functions_of_the_model_are_inlined():
    relu = onnx.helper.make_node("Relu", ["a"], ["b"])
    neg = onnx.helper.make_node("Neg", ["b"], ["c"])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    function = onnx.helper.make_function("own", "Dark", ["a"], ["c"], [relu, neg], opsets[:1])
    model = make_model([("Relu", "x", "y", {})], (4,))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Dark", "own"
    model.functions.append(function)
    model.opset_import.append(opsets[1])
    X = normal(5, 4)
    assert (bl.load(model, outputs="values").logits(X) == -np.maximum(X, 0)).all()


# --- heads ----------------------------------------------------------------------------------------

HEADS = {
    "softmax": [("Softmax", "l", "y", {"axis": 1})],
    "log": [("LogSoftmax", "l", "y", {"axis": -1})],
    "identity": [("Softmax", "l", "s", {}), ("Identity", "s", "y", {})],
    "reshaped": [("Softmax", "l", "s", {}), ("Reshape", "s pixel", "y", {})],
    "pixel": [
        ("Reshape", "l pixel", "p", {}),
        ("Softmax", "p", "s", {"axis": 1}),
        ("Flatten", "s", "y", {}),
    ],
    "last": [
        ("Reshape", "l row", "p", {}),
        ("Softmax", "p", "s", {"axis": -1}),
        ("Squeeze", "s one", "y", {}),
    ],
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("opset", [12, 17])
def test_logits_are_found_before_softmax(name, opset):
    nodes = [("MatMul", "x d", "l", {}), *HEADS[name]]
    constants = {"d": normal(4, 5), "pixel": integers(0, 5, 1, 1), "row": integers(0, 1, 5)}
    if opset < 13:  # older versions take axes and softmax over all that follows
        last = {kind: (kind, ins.split()[0], out, {"axes": [1]}) for kind, ins, out, _ in nodes}
        nodes = [last[n[0]] if n[0] == "Squeeze" else n for n in nodes]
    if "one" in " ".join(node[1] for node in nodes):
        constants["one"] = integers(1)
    X = normal(5, 4)
    model = bl.load(make_model(nodes, (4,), constants, opset))
    assert model.outputs == "classes"
    np.testing.assert_allclose(model.logits(X), X @ constants["d"], rtol=1e-5, atol=1e-5)


def test_one_sigmoid_is_a_binary_model():
    nodes = [("MatMul", "x d", "l", {}), ("Sigmoid", "l", "s", {}), ("Squeeze", "s one", "y", {})]
    d, X = normal(4, 1), normal(5, 4)
    model = bl.load(make_model(nodes, (4, 1), {"d": d[:1], "one": integers(2)}))
    assert model.outputs == "labels"
    model = bl.load(make_model(nodes[:2], (4,), {"d": d}, output="s"))
    assert model.outputs == "binary"
    np.testing.assert_allclose(model.predict_proba(X)[:, 1:], 1 / (1 + np.exp(-X @ d)), rtol=1e-5)


def test_softmax_inside_stays():
    nodes = [("Softmax", "x", "s", {"axis": 1}), ("MatMul", "s d", "y", {})]
    d, X = normal(4, 3), normal(5, 4)
    odds = np.exp(X)
    expected = odds / odds.sum(axis=1, keepdims=True) @ d
    found = bl.load(make_model(nodes, (4,), {"d": d})).logits(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_softmax_at_every_pixel_stays():
    model = bl.load(one_operator("Softmax", IMAGE, axis=1), outputs="values")
    np.testing.assert_allclose(model.logits(images()).reshape(5, *IMAGE).sum(axis=1), 1, rtol=1e-5)


# --- what is simplified ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", dict(softpluses()))
def test_softplus_above_a_threshold_is_one(name):
    kinds = layers_of(bl.load(dict(softpluses())[name]))
    names = [kind.name for kind in kinds if isinstance(kind, Activation)]
    assert names.count("softplus" if "softplus" in name else "mish") == 1
    assert not {"exp", "log"}.intersection(names)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Greater", "x t", "c", {}), ("Where", "c x p", "y", {})], "no softplus"),
        ([("Greater", "x two", "c", {}), ("Where", "c x s", "y", {})], "no softplus"),
        ([("Greater", "p t", "c", {}), ("Where", "c x s", "y", {})], "no softplus"),
        ([("Greater", "x t", "c", {}), ("Where", "c p s", "y", {})], "no softplus"),
        ([("Greater", "x t", "c", {}), ("Where", "c s x", "y", {})], "no softplus"),
        ([("Greater", "x row", "c", {}), ("Where", "c x s", "y", {})], "several numbers"),
        ([("Greater", "t x", "c", {}), ("Where", "c s x", "y", {})], "its input 0 must depend"),
        ([("Greater", "x t", "c", {}), ("Where", "m c x", "y", {})], "a comparison of what"),
        ([("Greater", "x t", "c", {}), ("Cast", "c", "y", {"to": 1})], "a comparison of what"),
        ([("Greater", "x t", "y", {})], "the output 'y': a comparison of what"),
    ],
)
def test_other_comparisons_are_refused(nodes, message):
    constants = {"t": np.float32(20), "two": np.float32(2), "row": floats(20, 21, 22, 23)}
    constants["m"] = np.array([True, False, True, False])
    parts = [("Softplus", "x", "s", {}), ("Mul", "s two", "p", {}), *nodes]
    with pytest.raises(UnsupportedError, match=message):
        bl.load(make_model(parts, (4,), constants))


def layers_of(model):
    return [node.layer for node in model._programs.graph.nodes]


def test_normalisation_is_folded():
    nodes = [("Conv", "x w", "c", {}), ("BatchNormalization", "c a b m v", "y", {})]
    constants = {"w": normal(4, 3, 3, 3), "a": normal(4), "b": normal(4), "m": normal(4)}
    model = bl.load(make_model(nodes, IMAGE, constants | {"v": positive(4)}))
    assert not [layer for layer in layers_of(model) if isinstance(layer, BatchNorm)]


def test_written_out_activations_are_one():
    nodes = [("Div", "x r", "d", {}), ("Erf", "d", "e", {}), ("Add", "e one", "s", {})]
    nodes += [("Mul", "x s", "p", {}), ("Mul", "p half", "y", {})]
    root = {"r": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    kinds = layers_of(bl.load(make_model(nodes, IMAGE, root)))
    assert [k.name for k in kinds if isinstance(k, Activation)] == ["gelu"]


CHANNELS_FIRST, CHANNELS_LAST = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}


def test_images_with_channels_last():
    """Transposes cancel; the input and its maps keep their layout."""
    nodes = [
        ("Transpose", "x", "a", CHANNELS_FIRST),
        ("Conv", "a w", "b", {"pads": [1, 1, 1, 1]}),
        ("Transpose", "b", "c", CHANNELS_LAST),
        ("Transpose", "c", "d", CHANNELS_FIRST),
        ("Relu", "d", "e", {}),
        ("Transpose", "e", "f", CHANNELS_LAST),
        ("ReduceMean", "f", "y", {"axes": [1, 2], "keepdims": 0}),
    ]
    constants = {"w": normal(4, 3, 3, 3)}
    model = bl.load(make_model(nodes, (6, 5, 3), constants))
    assert model.channels_last
    assert model.input_shape == (6, 5, 3)
    assert sum(isinstance(layer, Transpose) for layer in layers_of(model)) == 1  # the last
    plain = [
        ("Conv", "x w", "b", {"pads": [1, 1, 1, 1]}),
        ("Relu", "b", "e", {}),
        ("ReduceMean", "e", "y", {"axes": [2, 3], "keepdims": 0}),
    ]
    other = bl.load(make_model(plain, IMAGE, constants))
    X = images()
    found, expected = bl.gradient(model, X.transpose(0, 2, 3, 1), 2), bl.gradient(other, X, 2)
    assert found.shape == (5, 6, 5, 3)
    np.testing.assert_allclose(found, expected.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by", ["Transpose", "Reshape"])
def test_grey_images_with_channels_last(by):
    first = {"Transpose": ("Transpose", "x", "a", CHANNELS_FIRST)}
    first["Reshape"] = ("Reshape", "x image", "a", {})
    nodes = [first[by], ("Conv", "a w", "y", {})]
    constants = {"w": normal(4, 1, 3, 3), "image": integers(-1, 1, 6, 5)}
    model = bl.load(make_model(nodes, (6, 5, 1), constants), outputs="values")
    other = bl.load(make_model([("Conv", "x w", "y", {})], (1, 6, 5), constants), outputs="values")
    X = normal(5, 1, 6, 5)
    assert model.channels_last
    assert (model.logits(X.transpose(0, 2, 3, 1)) == other.logits(X)).all()
    assert len(layers_of(model)) == len(layers_of(other))


def test_padding_is_taken_up_by_the_convolution():
    nodes = [("Pad", "x amounts", "p", {}), ("Conv", "p w", "y", {"pads": [0, 1, 0, 0]})]
    constants = {"amounts": integers(0, 0, 1, 0, 0, 0, 2, 3), "w": normal(4, 3, 3, 3)}
    layers = layers_of(bl.load(make_model(nodes, IMAGE, constants)))
    assert not [layer for layer in layers if isinstance(layer, AxisMap)]
    assert next(k for k in layers if isinstance(k, Conv2D)).padding == (1, 1, 2, 3)


def test_shapes_of_shapes_are_one():
    nodes = [
        ("Reshape", "x first", "r", {}),
        ("Reshape", "r second", "s", {}),
        ("Exp", "s", "y", {}),
    ]
    constants = {"first": integers(0, 18, 5), "second": integers(0, 30, 3)}
    layers = layers_of(bl.load(make_model(nodes, IMAGE, constants)))
    assert sum(isinstance(layer, Reshape) for layer in layers) == 2  # and one to a row of scores


# --- branches -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("size", ["four", "five"])
def test_branches_by_shape(size):
    condition = [("Shape", "h", "s", {"start": 1}), ("Equal", f"s {size}", "c", {})]
    X = normal(5, 4)
    found = bl.load(branching(condition), outputs="values").logits(X)
    assert (found == (2 * np.maximum(-X, 0) if size == "four" else -X)).all()


def test_branches_by_value_are_refused():
    condition = [("ReduceMax", "h", "c", {"axes": [1]})]
    with pytest.raises(
        UnsupportedError, match=r"If_2 .* its condition depends on the model's input"
    ):
        bl.load(branching(condition))


def test_where_with_minus_infinity_leaves_attributions_finite():
    constants = {"m": np.tri(4, dtype=bool)[None], "low": np.float32(-np.inf)}
    nodes = [("Where", "m x low", "w", {}), ("Softmax", "w", "s", {}), ("MatMul", "s x", "y", {})]
    model, X = bl.load(make_model(nodes, (4, 4), constants), outputs="values"), normal(3, 4, 4)
    shares = bl.deeplift(model, X, target=6, baseline=0)
    difference = model.logits(X) - model.logits(np.zeros_like(X))
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), difference[:, 6], atol=1e-4)


FOLDED = {
    "Softmax, flat": ("Softmax", 11, [normal(2, 3, 4)], {"axis": 1}),
    "Hardmax, flat": ("Hardmax", 11, [normal(2, 3, 4)], {}),
    "DequantizeLinear": ("DequantizeLinear", 13, [np.arange(4, dtype=np.int8), floats(0.1)[0]], {}),
    "Resize 10": ("Resize", 10, [normal(1, 1, 3, 3), floats(1, 1, 2, 1.5)], {}),
    "Upsample 7": ("Upsample", 7, [normal(1, 1, 3, 3)], {"scales": [1.0, 1.0, 2.0, 2.0]}),
    "Upsample 9": (
        "Upsample",
        9,
        [normal(1, 1, 3, 3), floats(1, 1, 2, 1.5)],
        {"mode": "linear"},
    ),
    "BatchNormalization 7": ("BatchNormalization", 7, [normal(2, 3), *positive(4, 3)], {}),
    "GroupNormalization": (
        "GroupNormalization",
        18,
        [normal(1, 4, 3), *positive(2, 2)],
        {"num_groups": 2},
    ),
    "Gelu": ("Gelu", 20, [normal(3)], {}),
    "Mish": ("Mish", 18, [normal(3)], {}),
    "HardSwish": ("HardSwish", 14, [normal(3)], {}),
}


@pytest.mark.parametrize("name", FOLDED)
def test_operations_on_constants_are_those_of_onnxruntime(name):
    runtime = pytest.importorskip("onnxruntime")
    kind, opset, values, attributes = FOLDED[name]
    constants = {f"c{number}": value for number, value in enumerate(values)}
    nodes = [
        (kind, " ".join(constants), "f", attributes),
        ("Reshape", "f row", "r", {}),
        ("Add", "x zero", "h", {}),
        ("Concat", "h r", "y", {"axis": 1}),
    ]
    constants |= {"row": integers(1, -1), "zero": np.float32(0)}
    model = make_model(nodes, (2,), constants, opset, batch=1)
    x = normal(1, 2)
    (expected,) = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(bl.load(model, outputs="values").logits(x), expected, atol=1e-5)


# --- other types ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weights_of_other_types(kind):
    w, b, X = normal(4, 3, 3, 3).astype(kind), normal(4).astype(kind), images()
    nodes = [("Conv", "x w b", "c", {}), ("GlobalAveragePool", "c", "y", {})]
    model = make_model(nodes, IMAGE, {"w": w, "b": b})
    single = make_model(nodes, IMAGE, {"w": w.astype(np.float32), "b": b.astype(np.float32)})
    assert (bl.load(model).logits(X) == bl.load(single).logits(X)).all()
