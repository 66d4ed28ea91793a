"""Models on disk."""

import numpy as np
import pytest

import backlit as bl


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


def test_refused(tmp_path, model):
    path = tmp_path / "m.npz"
    bl.save(model, path)
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:-200])
    (tmp_path / "text.npz").write_text("not a model")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    for name in ("cut", "text", "arrays"):
        with pytest.raises(ValueError, match=f"path must be a model saved by backlit.*{name}"):
            bl.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        bl.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"path must end in \.npz, got"):
        bl.save(model, tmp_path / "m.pkl")
    with pytest.raises(TypeError, match="model must be a Model, not dict"):
        bl.save({}, path)


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
