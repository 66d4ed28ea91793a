"""The same kernels as plain Python, under NUMBA_DISABLE_JIT: operators, single samples, teams."""

from pathlib import Path

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import (
    GraphBuilder,
    arithmetic,
    finish,
    products,
    reductions,
    shapes,
)
from tests.every_layer import NETWORKS
from tests.helpers import run_python

ROOT = Path(__file__).parents[2]


def wide(rng):
    """Winograd's method, forward and backward, at odd sizes."""
    convs = [bl.Conv2D(rng.normal(size=(16, 16, 3, 3)) / 12, padding=1) for _ in range(2)]
    return bl.Model([*convs, bl.Clip(0, 0.5), bl.Flatten(), dense(rng, 16 * 15)], (16, 3, 5))


def settled(rng):
    """Winograd's method before a pooling, which has ties."""
    conv = bl.Conv2D(rng.normal(size=(16, 16, 3, 3)) / 12, padding=1)
    layers = [conv, bl.ReLU(), bl.MaxPool2D(2), bl.Flatten(), dense(rng, 16 * 2 * 18)]
    return bl.Model([bl.Clip(0, 0.1), *layers], (16, 5, 37))


def chosen(rng):
    """Convolutions that are gone back through with the pooling behind."""
    convs = [
        bl.Conv2D(rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3), padding=1),
        bl.Conv2D(rng.normal(size=(2, 3, 2, 4)) / 3, rng.normal(size=2), padding=(0, 2, 1, 0)),
    ]
    layers = [convs[0], bl.ReLU(), bl.MaxPool2D(2), convs[1], bl.MaxPool2D(2), bl.Flatten()]
    return bl.Model([*layers, dense(rng, 2 * 2 * 5)], (1, 9, 24))


def rows(rng):
    """Strided convolutions by phases and pooling by rows, wide enough for whole vectors."""
    layers = [
        bl.Conv2D(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), (1, 2), 1, groups=1),
        bl.Clip(0, 1),
        bl.MaxPool2D((3, 3), (2, 1), 1),
        bl.MaxPool2D((2, 3), (1, 2)),
        bl.Conv2D(rng.normal(size=(2, 1, 2, 3)), None, 3, (1, 0, 0, 2), groups=2),
        bl.MaxPool2D(2, 1, (0, 0, 1, 1)),
        bl.Flatten(),
    ]
    shape = (1, 5, 80)
    for layer in layers:
        shape = layer.output_shape(shape)
    return bl.Model([*layers, dense(rng, shape[0])], (1, 5, 80))


def features(rng):
    """Dense layers wide enough to list their terms."""
    layers = [bl.Dense(rng.normal(size=(60, 50))), bl.ReLU(), bl.Dense(rng.normal(size=(50, 40)))]
    return bl.Model([*layers, bl.ReLU(), dense(rng, 40)], (60,))


def tokens(rng):
    """Dense layers along rows, products of tensors, transposes and sums, with whole vectors."""
    b = GraphBuilder((1, 17, 18))
    x = products.dense(b, b.input, rng.normal(size=(18, 20)) / 5, rng.normal(size=20))
    x = b.append(bl.ReLU(), x)
    x = products.matmul(b, x, shapes.transpose(b, x, (0, 1, 3, 2)))
    x = arithmetic.binary(b, "add", x, reductions.reduce(b, "sum", x, [3], True))
    last = dense(rng, 17 * 17)
    return finish(b, b.append(last, shapes.reshape(b, x, (1, -1))), outputs="classes")


def dense(rng, size):
    return bl.Dense(rng.normal(size=(size, 3)) / np.sqrt(size))


def models():
    return NETWORKS | {
        f.__name__: f(np.random.default_rng(3))
        for f in (wide, settled, chosen, rows, features, tokens)
    }


def samples(model, count):
    rng = np.random.default_rng(4)
    return rng.normal(size=(count, *model.input_shape)).astype(np.float32)


def gradients():
    """Of a sample alone and of eight together, from each model; of some by teams of threads."""
    found = {}
    for name, model in models().items():
        for count in (1, 8):
            found[f"{name} {count}"] = bl.gradient(model, samples(model, count), 0)
    return found


def gradients_of_teams():
    """Every tenth model, by three threads together."""
    bl.programs.TEAM_WORK = bl.programs.SERIAL_WORK = 0
    return {
        name: bl.gradient(model, samples(model, 1), 0, threads=3)
        for name, model in list(models().items())[::10]
    }


def uncompiled(tmp_path, function):
    """What a function of this file returns in a process that compiles nothing."""
    out = str(tmp_path / "results.npz")
    code = (
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"from tests.engine.test_uncompiled import {function}\n"
        f"np.savez({out!r}, **{function}())\n"
    )
    run_python(code, NUMBA_DISABLE_JIT="1", PYTHONWARNINGS="ignore")
    with np.load(out) as file:
        return dict(file)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return uncompiled(tmp_path_factory.mktemp("uncompiled"), "gradients")


@pytest.fixture(scope="module")
def compiled():
    return gradients()


@pytest.mark.parametrize("name", models())
def test_gradients(found, compiled, name):
    for count in (1, 8):
        expected = compiled[f"{name} {count}"]
        assert np.isfinite(expected).all()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found[f"{name} {count}"], expected, rtol=0, atol=1e-5 * scale)


def test_teams(tmp_path, found):
    of_teams = uncompiled(tmp_path, "gradients_of_teams")
    assert len(of_teams) > 10
    for name, maps in of_teams.items():
        np.testing.assert_array_equal(maps, found[f"{name} 1"])
