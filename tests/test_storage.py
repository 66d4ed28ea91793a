"""Models on disk."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, shapes
from backlit.storage import KINDS
from tests.every_layer import IMAGE, NETWORKS
from tests.helpers import run_python


@pytest.fixture
def model(rng):
    layers = [
        bl.Conv2D(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), 2, (1, 0, 2, 1), 1, 1),
        bl.BatchNorm([1, 2], [0, 1], [0.5, 0], [1, 4]),
        bl.Clip(-1, 6),
        bl.Residual([bl.LeakyReLU(0.3)], [bl.MaxPool2D(3, 1, 1, True)]),
        bl.AvgPool2D(2, ceil_mode=True, count_include_pad=False),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(12, 3))),
        bl.Softmax(),
    ]
    return bl.Model(layers, (1, 10, 9), name="a name")


def test_round_trip(tmp_path, rng, model):
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    assert repr(found) == repr(model)
    assert found.name == "a name"
    X = rng.normal(size=(5, 1, 10, 9))
    np.testing.assert_array_equal(found.logits(X), model.logits(X))
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]


def test_every_layer_is_tested():
    stored = {type(node.layer) for model in NETWORKS.values() for node in model._source.nodes}
    assert stored | {bl.Residual} == set(KINDS.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer(tmp_path, rng, name):
    """The same bits of logits and gradients, the same names and outputs."""
    model = NETWORKS[name]
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    assert repr(found) == repr(model)
    assert (found.name, found.outputs) == (model.name, model.outputs)
    assert found._layer_names == model._layer_names
    assert set(found._source.names) == set(model._source.names)
    for batch in (1, 17):
        X = rng.normal(size=(batch, *model.input_shape))
        np.testing.assert_array_equal(found.logits(X), model.logits(X))
        np.testing.assert_array_equal(bl.gradient(found, X, 0), bl.gradient(model, X, 0))


def test_other_names_of_tensors(tmp_path, rng):
    """An importer may give a tensor more names than that of its node."""
    builder = GraphBuilder((6,))
    builder.append(bl.ReLU(), builder.input)  # leads nowhere: tensors' numbers have a gap
    inner = products.dense(builder, builder.input, rng.normal(size=(6, 5)))
    inner = builder.append(bl.Tanh(), inner)
    builder.graph.names["block"] = inner.number
    model = finish(builder, products.dense(builder, inner, rng.normal(size=(5, 3))))
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    assert list(found._source.names) == list(model._source.names)
    assert found._source.names["block"] == found._source.nodes[1].output
    X = rng.normal(size=(3, 6))
    np.testing.assert_array_equal(found.logits(X), model.logits(X))


def test_channels_last(tmp_path, rng):
    graph = NETWORKS["reshape"]._source
    model = bl.Model.of_graph(graph, channels_last=True)
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    assert found.input_shape == model.input_shape == (6, 5, 3)
    X = rng.normal(size=(3, 6, 5, 3))
    np.testing.assert_array_equal(bl.gradient(found, X, 1), bl.gradient(model, X, 1))


def test_half_precision_of_any_weight(tmp_path, rng):
    """Indices stay whole, and weights beyond float16's range stay as they are."""
    builder = GraphBuilder(IMAGE)
    x = shapes.gather(builder, builder.input, 3, [4, 0, 1])
    x = arithmetic.binary(builder, "multiply", x, 2.0 ** rng.integers(15, 20, (3, 6, 3)))
    model = finish(builder, x)
    bl.save(model, tmp_path / "m.npz", half=True)
    X = rng.normal(size=(3, *IMAGE))
    np.testing.assert_array_equal(bl.load(tmp_path / "m.npz").logits(X), model.logits(X))


def test_half_precision(tmp_path, rng, model):
    bl.save(model, tmp_path / "m.npz", half=True)
    found = bl.load(tmp_path / "m.npz")
    X = rng.normal(size=(5, 1, 10, 9))
    assert found.layers[0].weights.dtype == np.float32
    np.testing.assert_allclose(found.logits(X), model.logits(X), rtol=0.05, atol=0.05)


def test_no_pickle(tmp_path, model):
    bl.save(model, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_models_of_frameworks():
    """`load` takes what `from_torch`, `from_keras` and `from_sklearn` take."""
    torch = pytest.importorskip("torch")
    module, x = torch.nn.Linear(4, 3), torch.rand(2, 4)
    model = bl.load(module, example_input=x, name="linear")
    assert model.name == "linear"
    np.testing.assert_allclose(model.logits(x), module(x).detach(), rtol=1e-5, atol=1e-6)
    with pytest.raises(TypeError, match="example_input must be given"):
        bl.load(module)
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Module, not Tensor"):
        bl.load(x, example_input=x)


def test_models_of_scikit_learn(rng):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = rng.normal(size=(30, 4)), np.arange(30) % 3
    estimator = linear_model.LogisticRegression().fit(X, y)
    model = bl.load(estimator)
    np.testing.assert_array_equal(model.predict(X), estimator.predict(X))


@pytest.mark.skipif(not all(map(find_spec, ("keras", "torch"))), reason="needs Keras on PyTorch")
def test_models_of_keras():
    code = """
import numpy as np, keras, backlit as bl
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
X = np.ones((2, 4), np.float32)
np.testing.assert_allclose(bl.load(model).logits(X), model.predict(X, verbose=0), rtol=1e-5)
"""
    run_python(code, KERAS_BACKEND="torch")


def test_nothing_else_is_loaded():
    with pytest.raises(TypeError, match="or a model of PyTorch, Keras or scikit-learn, not dict"):
        bl.load({})


def test_refused(tmp_path, model):
    path = tmp_path / "m.npz"
    bl.save(model, path)
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:-200])
    (tmp_path / "text.npz").write_text("not a model")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    np.savez(tmp_path / "other.npz", description=described(path, format="backlit model 0"))
    unknown = described(path, layers=[{"layer": "Attention"}])
    np.savez(tmp_path / "unknown.npz", description=unknown)
    for name, reason in [("other", "unknown format 'backlit mo"), ("unknown", "layer 'Attention'")]:
        with pytest.raises(
            ValueError, match=f"saved by backlit, but .*{name}.npz' is not.*{reason}"
        ):
            bl.load(tmp_path / f"{name}.npz")
    for name in ("cut", "text", "arrays"):
        with pytest.raises(ValueError, match=f"path must be a model saved by backlit.*{name}"):
            bl.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        bl.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"its own framework.* to from_torch"):
        bl.load(tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"path must end in \.npz or \.onnx, got"):
        bl.save(model, tmp_path / "m.pkl")
    with pytest.raises(TypeError, match="model must be a Model, not dict"):
        bl.save({}, path)


@pytest.mark.parametrize(
    "change",
    [
        {"output": 99},
        {"names": {"last": 99}},
        {"input_shape": [3, 6]},
        {"input_shape": [3, 6, -5]},
        {"nodes": []},
        {"nodes": [{"name": "a", "inputs": [7], "output": 1, "layer": {"layer": "ReLU"}}]},
        {"nodes": [{"name": "a", "inputs": [], "output": 1, "layer": {"layer": "ReLU"}}]},
    ],
)
def test_damaged_graphs_are_refused(tmp_path, change):
    path = tmp_path / "m.npz"
    bl.save(NETWORKS["gather"], path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **arrays | {"description": described(path, **change)})
    with pytest.raises(ValueError, match="path must be a model saved by backlit"):
        bl.load(path)


def test_indices_out_of_range_are_refused(tmp_path):
    path = tmp_path / "m.npz"
    bl.save(NETWORKS["flip"], path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    index = next(name for name, array in arrays.items() if array.tolist() == [4, 3, 2, 1, 0])
    np.savez(path, **arrays | {index: np.array([4, 3, 2, 1, 5])})
    with pytest.raises(ValueError, match=r"columns must be in 0 \.\.\. 4"):
        bl.load(path)


def described(path, **changes):
    """A file's description with some of its entries changed."""
    with np.load(path) as file:
        description = json.loads(file["description"].tobytes())
    return np.frombuffer(json.dumps(description | changes).encode(), np.uint8)


def test_nothing_is_written_half(tmp_path, model, monkeypatch):
    path = tmp_path / "m.npz"
    bl.save(model, path)
    before = path.read_bytes()

    def fail(*args, **more):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        bl.save(model, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
