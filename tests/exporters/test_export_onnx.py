"""Models as ONNX: valid, and computed alike by onnxruntime."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, finish, products
from backlit.storage import KINDS
from tests.every_layer import NETWORKS
from tests.helpers import assert_close, run_python

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def saved(model, path):
    """What a valid file holds, and a function that computes it with onnxruntime."""
    bl.save(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    return onnx.load(str(path)), lambda X: session.run(None, {"input": X})[0]


def outputs(model, X):
    """What the model's last layer gives, its softmax or sigmoid included."""
    last = model._source.nodes[-1].layer
    if isinstance(last, bl.LogSoftmax):
        return np.log(model.predict_proba(X))
    if isinstance(last, bl.Sigmoid):
        return model.predict_proba(X)[:, -model._width :]
    return model.predict_proba(X) if isinstance(last, bl.Softmax) else model.logits(X)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer(tmp_path, rng, name):
    model = NETWORKS[name]
    file, compute = saved(model, tmp_path / "m.onnx")
    for batch in (1, 17):
        X = rng.normal(size=(batch, *model.input_shape)).astype(np.float32)
        assert_close(compute(X), outputs(model, X), 1e-5)
    layers = [node for node in model._source.nodes if node.inputs]
    named = [node.name for node in file.graph.node if node.name in model._source.names]
    assert named == [node.name for node in layers]


def test_every_layer_is_tested():
    written = {type(node.layer) for model in NETWORKS.values() for node in model._source.nodes}
    assert written | {bl.Residual} == set(KINDS.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(tmp_path, rng, name):
    """Our importer reads the same logits, gradients, names and meaning."""
    model = NETWORKS[name]
    bl.save(model, tmp_path / "m.onnx")
    found = bl.load(tmp_path / "m.onnx")
    X = rng.normal(size=(5, *model.input_shape)).astype(np.float32)
    assert_close(found.logits(X), model.logits(X), 1e-5)
    assert_close(bl.gradient(found, X, 0), bl.gradient(model, X, 0), 1e-5)
    assert found.outputs == model.outputs
    assert found.name == (model.name or "model")
    assert found.input_shape == model.input_shape
    assert model._source.nodes[-1].name in found._source.names


@pytest.mark.parametrize("name", bl.models.NAMES)
def test_carried_models(tmp_path, models, mnist, name):
    model = models[name]
    _, compute = saved(model, tmp_path / "m.onnx")
    X = mnist[0][:50].reshape(-1, *model.input_shape)
    assert_close(compute(X), model.logits(X), 1e-5)
    found = bl.load(tmp_path / "m.onnx")
    assert found.name == name
    np.testing.assert_array_equal(found.predict(X), model.predict(X))


def random_layers(rng, shape):
    """A chain of layers that fit, in any order."""
    layers = []
    while len(layers) < 6:
        channels = shape[0]
        groups = rng.choice([g for g in (1, 2, 3, 4) if channels % g == 0])
        weights = rng.normal(size=(groups * rng.integers(1, 4), channels // groups, 3, 2)) / 3
        steps, border = rng.integers(1, 3, 2), rng.integers(0, 2, 4)
        layer = [
            bl.Conv2D(weights, rng.normal(size=len(weights)), steps, border, 1, int(groups)),
            bl.MaxPool2D((2, 3), steps, border, bool(rng.integers(2))),
            bl.AvgPool2D((2, 3), steps, border, bool(rng.integers(2)), bool(rng.integers(2))),
            bl.BatchNorm(*rng.normal(size=(3, channels)), rng.uniform(0.5, 2, channels)),
            bl.Residual([bl.Tanh(), bl.BatchNorm(*rng.uniform(0.5, 2, (4, channels)))]),
            bl.ReLU(),
            bl.Clip(-1, 2),
        ][rng.integers(7)]
        try:
            shape = layer.output_shape(shape)
        except ValueError:
            continue
        layers.append(layer)
    return layers, shape


@pytest.mark.parametrize("seed", range(25))
def test_random_networks(tmp_path, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers((1, 5, 5), (5, 14, 14)))
    layers, inner = random_layers(rng, shape)
    size = int(np.prod(inner))
    layers += [bl.Flatten(), bl.Dense(rng.normal(size=(size, 7)) / np.sqrt(size))]
    model = bl.Model(layers, shape)
    _, compute = saved(model, tmp_path / "m.onnx")
    X = rng.normal(size=(9, *shape)).astype(np.float32)
    assert_close(compute(X), model.logits(X), 1e-5)


def test_what_was_built_goes_out(tmp_path, rng):
    layers = [bl.Dense(rng.normal(size=(6, 3))), bl.BatchNorm(*np.ones((4, 3))), bl.Softmax()]
    model = bl.Model(layers, (6,), "three")
    file, compute = saved(model, tmp_path / "m.onnx")
    assert [node.op_type for node in file.graph.node] == ["Gemm", "BatchNormalization", "Softmax"]
    assert [node.name for node in file.graph.node] == ["0", "1", "2"]
    assert (file.graph.name, file.producer_name) == ("three", "backlit")
    X = rng.normal(size=(4, 6)).astype(np.float32)
    np.testing.assert_allclose(compute(X).sum(axis=1), 1, rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("at_zero", [0.0, 0.3, 0.5, 1.0])
def test_steps(tmp_path, at_zero):
    model = bl.Model([bl.Activation("step", at_zero=at_zero)], (3,), outputs="values")
    _, compute = saved(model, tmp_path / "m.onnx")
    X = np.array([[-1, 0, 2], [0, 1e-30, -1e-30]], np.float32)
    np.testing.assert_allclose(model.logits(X), [[0, at_zero, 1], [at_zero, 1, 0]])
    np.testing.assert_allclose(compute(X), model.logits(X))
    np.testing.assert_allclose(bl.load(tmp_path / "m.onnx").logits(X), model.logits(X))


def test_names_that_collide(tmp_path, rng):
    """Layers called as the input, the output, and as another layer's weights are."""
    builder = GraphBuilder((6,))
    x = builder.input
    for builder.label in ("input", "output", "input.weights", "input.bias", "x"):
        x = products.dense(builder, x, rng.normal(size=(6, 6)))
    model = finish(builder, x)
    file, compute = saved(model, tmp_path / "m.onnx")
    X = rng.normal(size=(4, 6)).astype(np.float32)
    assert_close(compute(X), model.logits(X), 1e-5)
    names = ["input", "output", "input.weights", "input.bias", "x"]
    assert [node.name for node in file.graph.node] == names


def test_channels_last(tmp_path, rng):
    model = bl.Model.of_graph(NETWORKS["reshape"]._source, channels_last=True)
    file, compute = saved(model, tmp_path / "m.onnx")
    extents = file.graph.input[0].type.tensor_type.shape.dim
    assert [n.dim_param or n.dim_value for n in extents] == ["N", 6, 5, 3]
    X = rng.normal(size=(4, *model.input_shape)).astype(np.float32)
    assert_close(compute(X), model.logits(X), 1e-5)


def test_a_constant_and_the_input_itself(tmp_path, rng):
    builder = GraphBuilder((6,))
    X = rng.normal(size=(4, 6)).astype(np.float32)
    _, compute = saved(finish(builder, builder.input), tmp_path / "same.onnx")
    np.testing.assert_array_equal(compute(X), X)
    _, compute = saved(finish(builder, builder.tensor(np.arange(3))), tmp_path / "fixed.onnx")
    np.testing.assert_array_equal(compute(X), [[0, 1, 2]] * 4)


def test_refused(tmp_path, models):
    with pytest.raises(ValueError, match=r"half must be False for an \.onnx file"):
        bl.save(models["mnist_fc"], tmp_path / "m.onnx", half=True)
    with pytest.raises(FileNotFoundError):
        bl.save(models["mnist_fc"], tmp_path / "none" / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named():
    code = """
import sys
sys.modules["onnx"] = None
import backlit as bl
try:
    bl.save(bl.models.mnist_fc(), "m.onnx")
except ImportError as error:
    print(error)
"""
    assert "pip install 'backlit[onnx]'" in run_python(code).stdout
