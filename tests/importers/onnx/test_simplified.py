"""What becomes of nodes that are folded, recognised as one, or chosen between."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import UnsupportedError
from backlit.layers import Activation, BatchNorm, Clip, Conv2D
from backlit.operators import AxisMap, Reshape, Transpose

onnx = pytest.importorskip("onnx")

from tests.importers.onnx.models import make_model  # noqa: E402
from tests.importers.onnx.operator_cases import (  # noqa: E402
    floats,
    integers,
    normal,
    positive,
    softpluses,
    tanh_gelus,
    written_out,
)
from tests.importers.onnx.small_models import IMAGE, branching, images  # noqa: E402


@pytest.mark.parametrize("name", dict(softpluses()))
def test_softplus_above_a_threshold_is_one(name):
    kinds = layers_of(bl.load(dict(softpluses())[name]))
    names = [kind.name for kind in kinds if isinstance(kind, Activation)]
    assert names.count("softplus" if "softplus" in name else "mish") == 1
    assert not {"exp", "log"}.intersection(names)


@pytest.mark.parametrize(
    "nodes",
    [
        [("Greater", "x t", "c", {}), ("Where", "c x p", "y", {})],
        [("Greater", "x two", "c", {}), ("Where", "c x s", "y", {})],
        [("Greater", "p t", "c", {}), ("Where", "c x s", "y", {})],
        [("Greater", "x t", "c", {}), ("Where", "c p s", "y", {})],
        [("Greater", "x t", "c", {}), ("Where", "c s x", "y", {})],
        [("Greater", "x row", "c", {}), ("Where", "c x s", "y", {})],
        [("Greater", "t x", "c", {}), ("Where", "c x s", "y", {})],
        [("Less", "x t", "c", {}), ("Where", "c x s", "y", {})],
        [("GreaterOrEqual", "x t", "c", {}), ("Where", "c x s", "y", {})],
    ],
)
def test_other_choices_are_no_softplus(nodes):
    constants = {"t": np.float32(20), "two": np.float32(2), "row": floats(20, 21, 22, 23)}
    parts = [("Softplus", "x", "s", {}), ("Mul", "s two", "p", {}), *nodes]
    names = [
        getattr(layer, "name", "")
        for layer in layers_of(bl.load(make_model(parts, (4,), constants)))
    ]
    assert "step" in names


def layers_of(model):
    return [node.layer for node in model._programs.graph.nodes]


def test_normalisation_is_folded():
    nodes = [("Conv", "x w", "c", {}), ("BatchNormalization", "c a b m v", "y", {})]
    constants = {"w": normal(4, 3, 3, 3), "a": normal(4), "b": normal(4), "m": normal(4)}
    model = bl.load(make_model(nodes, IMAGE, constants | {"v": positive(4)}))
    assert not [layer for layer in layers_of(model) if isinstance(layer, BatchNorm)]


@pytest.mark.parametrize("normalised", [False, True])
def test_scales_are_folded(normalised):
    nodes = [("Conv", "x w", "c", {})]
    nodes += [("BatchNormalization", "c a b m v", "n", {})] if normalised else []
    nodes += [("Mul", "n two" if normalised else "c two", "p", {}), ("Add", "p one", "y", {})]
    constants = {"w": normal(4, 3, 3, 3), "two": np.float32(2), "one": np.float32(1)}
    if normalised:
        constants |= {"a": normal(4), "b": normal(4), "m": normal(4), "v": positive(4)}
    model = bl.load(make_model(nodes, IMAGE, constants))
    left = [node.layer for node in model._programs.graph.nodes]
    assert not [layer for layer in left if isinstance(layer, Activation | BatchNorm)]
    X, before = normal(5, *IMAGE), make_model(nodes[:-2], IMAGE, constants, output=nodes[-3][2])
    np.testing.assert_allclose(
        model.logits(X), 2 * bl.load(before).logits(X) + 1, rtol=1e-5, atol=1e-5
    )


def test_what_is_read_before_it_is_scaled_stays():
    nodes = [
        ("Conv", "x w", "c", {}),
        ("Mul", "c two", "p", {}),
        ("Concat", "c p", "y", {"axis": 1}),
    ]
    constants = {"w": normal(4, 3, 3, 3), "two": np.float32(2)}
    model = bl.load(make_model(nodes, IMAGE, constants))
    assert [n.layer.name for n in model._programs.graph.nodes if isinstance(n.layer, Activation)]


def test_written_out_activations_are_one():
    nodes = [("Div", "x r", "d", {}), ("Erf", "d", "e", {}), ("Add", "e one", "s", {})]
    nodes += [("Mul", "x s", "p", {}), ("Mul", "p half", "y", {})]
    root = {"r": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    kinds = layers_of(bl.load(make_model(nodes, IMAGE, root)))
    assert [k.name for k in kinds if isinstance(k, Activation)] == ["gelu"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("hard swish by ReLU6", ["hard_swish"]),
        ("hard swish by ReLU6, sixth first", ["hard_swish"]),
        ("hard swish by ReLU6, of a scale", ["scale", "hard_swish", "scale"]),
    ],
)
def test_written_out_hard_swishes_are_one(name, left):
    kinds = layers_of(bl.load(dict(written_out())[name]))
    assert [k.name for k in kinds if isinstance(k, Activation)] == left
    assert not any(isinstance(k, Clip) for k in kinds)


@pytest.mark.parametrize("name", dict(tanh_gelus()))
def test_written_out_gelus_are_one(name):
    """And so explained as the function that they are."""
    model = bl.load(dict(tanh_gelus())[name], outputs="values")
    assert [k.name for k in layers_of(model) if isinstance(k, Activation)] == ["gelu_tanh"]
    one = bl.Model([bl.Activation("gelu_tanh"), bl.Flatten()], model.input_shape, outputs="values")
    X = normal(5, *model.input_shape)
    for method in (bl.lrp, bl.deeplift):
        np.testing.assert_allclose(method(model, X, 2), method(one, X, 2), rtol=1e-6)


@pytest.mark.parametrize("number", ["k", "a", "one", "three"])
def test_what_is_no_gelu_stays(number):
    """One of its numbers is another."""
    nodes = [("Pow", "x three", "c", {}), ("Mul", "c a", "d", {}), ("Add", "x d", "e", {})]
    nodes += [("Mul", "e k", "f", {}), ("Tanh", "f", "g", {}), ("Add", "g one", "h", {})]
    nodes += [("Mul", "x h", "y", {})]
    numbers = {"k": np.sqrt(2 / np.pi), "a": 0.044715, "one": 1.0, "three": 3.0}
    numbers[number] *= 2
    constants = {name: np.float32(own) for name, own in numbers.items()}
    kinds = layers_of(bl.load(make_model(nodes, IMAGE, constants)))
    assert "gelu_tanh" not in [k.name for k in kinds if isinstance(k, Activation)]


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


BEFORE = {
    "identity": [("Identity", "x", "p", {})],
    "cast": [("Cast", "x", "h", {"to": 10}), ("Cast", "h", "p", {"to": 1})],
    "scaled": [("Sub", "x mean", "s", {}), ("Mul", "s half", "p", {})],
    "padded": [("Clip", "x", "c", {}), ("Pad", "c amounts", "p", {})],
}


@pytest.mark.parametrize("before", BEFORE)
def test_channels_that_are_moved_behind_something(before):
    nodes = [
        *BEFORE[before],
        ("Transpose", "p", "a", CHANNELS_FIRST),
        ("Conv", "a w", "b", {}),
        ("ReduceMean", "b", "y", {"axes": [2, 3], "keepdims": 0}),
    ]
    constants = {"w": normal(4, 3, 3, 3), "mean": normal(3), "half": np.float32(0.5)}
    constants["amounts"] = integers(0, 1, 2, 0, 0, 1, 0, 0)
    model = bl.load(make_model(nodes, (6, 5, 3), constants))
    assert model.channels_last
    assert model.input_shape == (6, 5, 3)
    X = images().transpose(0, 2, 3, 1).copy()
    assert bl.grad_cam(model, X, layer=f"Conv_{len(nodes) - 2}").shape == (5, 6, 5, 1)
    other = bl.load(make_model(nodes, (6, 5, 3), constants), channels_last=False)
    assert not other.channels_last
    np.testing.assert_array_equal(model.logits(X), other.logits(X))
    np.testing.assert_array_equal(bl.gradient(model, X, 1), bl.gradient(other, X, 1))


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
    layers = bl.load(make_model(nodes, IMAGE, constants)).layers
    assert sum(isinstance(layer, Reshape) for layer in layers) == 2  # and one to a row of scores


# --- branches -------------------------------------------------------------------------------------


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
