"""What `bl.load` takes, and what becomes of inputs, outputs and batches."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import UnsupportedError

onnx = pytest.importorskip("onnx")

from tests.importers.onnx.models import make_model, one_operator  # noqa: E402
from tests.importers.onnx.operator_cases import (  # noqa: E402
    integers,
    normal,
)
from tests.importers.onnx.small_models import IMAGE, images, network  # noqa: E402


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


@pytest.mark.parametrize("kind", ["Reciprocal", "Sqrt", "Exp"])
@pytest.mark.parametrize("value", [3, 3.0, np.float32(3)])
def test_constants_are_of_the_declared_type(kind, value):
    model = make_model([(kind, "k", "f", {}), ("Mul", "x f", "y", {})], (4,))
    model.graph.input.append(onnx.helper.make_tensor_value_info("k", 1, []))
    exact = {"Reciprocal": 1 / 3, "Sqrt": np.sqrt(3), "Exp": np.exp(3)}[kind]
    found = bl.load(model, constants={"k": value}).logits(np.ones((2, 4)))
    np.testing.assert_allclose(found, exact, rtol=1e-6)


def test_constants_that_the_declared_type_has_not():
    model = make_model([("Cast", "k", "f", {"to": 1}), ("Mul", "x f", "y", {})], (4,))
    model.graph.input.append(onnx.helper.make_tensor_value_info("k", 7, []))
    with pytest.raises(ValueError, match=r"constants\['k'\] must fit: the model takes int64 there"):
        bl.load(model, constants={"k": 0.5})
    assert bl.load(model, constants={"k": 2.0}).logits(np.ones((1, 4)))[0, 0] == 2


def test_outputs_that_are_left_out_are_not_needed():
    nodes = [
        ("Relu", "x", "r", {}),
        ("LSTM", "r w v", "- h -", {"hidden_size": 2}),
        ("Clip", "r - six", "y", {}),
    ]
    constants = {"w": normal(1, 8, 4), "v": normal(1, 8, 2), "six": np.float32(6)}
    model, X = make_model(nodes, (4,), constants, output="y h"), normal(5, 4)
    found = bl.load(model, output="y").logits(X)
    np.testing.assert_allclose(found, np.clip(X, 0, 6))


@pytest.mark.parametrize("before", ["Slice", "Gather", "Split"])
def test_images_whose_colours_change_places_first(before):
    nodes = {
        "Slice": [("Slice", "x start end axis step", "f", {})],
        "Gather": [("Gather", "x order", "f", {"axis": 3})],
        "Split": [("Split", "x", "a b c", {"axis": 3}), ("Concat", "c b a", "f", {"axis": 3})],
    }[before]
    nodes += [
        ("Transpose", "f", "t", {"perm": [0, 3, 1, 2]}),
        ("Conv", "t w", "m", {}),
        ("GlobalAveragePool", "m", "g", {}),
        ("Flatten", "g", "y", {}),
    ]
    constants = {"w": normal(4, 3, 3, 3), "order": integers(2, 1, 0), "start": integers(-1)}
    constants |= {"end": integers(-(2**62)), "axis": integers(3), "step": integers(-1)}
    model, X = bl.load(make_model(nodes, (8, 7, 3), constants)), normal(3, 8, 7, 3)
    assert model.channels_last
    assert bl.grad_cam(model, X).shape == (3, 8, 7, 1)


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
