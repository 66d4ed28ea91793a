"""The way back through a convolution and the 2x2 max-pooling behind it, in one."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import backlit as bl
from backlit import programs
from backlit.lowering import choices
from backlit.lowering.step_sum import StepSum
from backlit.tape import Tape
from tests.helpers import assert_close, ending, filled_with, grid
from tests.lowering.test_single_samples import check, kernels_of, normal, with_scores
from tests.reference.network import input_gradient

few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAME = "convolve_choices_back"
POOL = [bl.ReLU(), bl.MaxPool2D(2)]


@pytest.fixture(autouse=True)
def on_every_processor(monkeypatch):
    """Whether or not it is fast there."""
    monkeypatch.setattr(choices, "LOOKS_UP", True)


def counted(model, lanes=LANES):
    return sum(NAME in kernel for kernel in kernels_of(model, lanes))


def again(method, model, monkeypatch, *args, **options):
    """The same without what is tested here."""
    with monkeypatch.context() as patch:
        patch.setattr(choices, "LOOKS_UP", False)
        return method(bl.Model(model.layers, model.input_shape), *args, **options)


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    outputs=st.integers(1, 5),
    inputs=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 21)),
    padding=st.tuples(*[st.integers(0, 4)] * 4),
    relu=st.booleans(),
)
def test_shapes(seed, outputs, inputs, kernel, size, padding, relu):
    """Whole numbers, many of them equal: all is exact, and so must be."""
    rng = np.random.default_rng(seed)
    output = [
        n + before + after - k + 1
        for n, k, before, after in zip(size, kernel, padding[:2], padding[2:], strict=True)
    ]
    assume(min(output) >= 2)
    conv = bl.Conv2D(grid(rng, outputs, inputs, *kernel), grid(rng, outputs), padding=padding)
    model = ending(rng, [conv, *POOL[not relu :]], (inputs, *size))
    assert counted(model) == counted(model, 1) == 1
    X = grid(rng, LANES + 1, inputs, *size, most=2)
    target = np.arange(len(X)) % 3
    maps = bl.gradient(model, X, target)
    np.testing.assert_array_equal(maps, input_gradient(model, X, target))
    for n in (0, LANES):
        alone = bl.gradient(model, X[n : n + 1], target[n : n + 1])
        np.testing.assert_array_equal(alone[0], maps[n])


def test_between_other_layers(rng):
    """What else is sent back to the input is added, and the activation before has its rule."""

    def conv(outputs, inputs, kernel):
        weights = rng.normal(size=(outputs, inputs, kernel, kernel)) / kernel
        return bl.Conv2D(weights, rng.normal(size=outputs), padding=kernel // 2)

    ways = [conv(5, 3, 5), *POOL], [bl.AvgPool2D(2), conv(5, 3, 1)]
    for before in ([bl.ReLU()], [bl.Clip(0, 0.7)], [bl.Tanh()], []):
        layers = [conv(3, 2, 3), *before, bl.Residual(ways[0], shortcut=ways[1]), bl.ReLU()]
        model = with_scores(rng, layers, (2, 8, 12))
        assert counted(model) == counted(model, 1) == 1
        check(model, normal(rng, 2, 8, 12), 2e-5)


def test_what_is_wanted_is_made(rng):
    """The gradient of what lies between, the pooling of another kind, and wide convolutions."""
    conv = bl.Conv2D(rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4))
    model = with_scores(rng, [conv, *POOL], (2, 8, 11))
    X = normal(rng, 2, 8, 11)
    for layer in (0, 1):
        name = f"layer_gradient of {layer}"
        found = bl.layer_gradient(model, X, 1, layer=layer)
        alone = [bl.layer_gradient(model, x[None], 1, layer=layer) for x in X]
        np.testing.assert_array_equal(found, np.concatenate(alone), err_msg=name)
        assert 0 < (found != 0).mean() <= 0.25
    for others in ([bl.ReLU(), bl.MaxPool2D(3, 2)], [bl.Tanh(), bl.MaxPool2D(2)]):
        assert counted(with_scores(rng, [conv, *others], (2, 8, 11))) == 0
    for other in (
        bl.Conv2D(rng.normal(size=(4, 2, 3, 3)), stride=2),
        bl.Conv2D(rng.normal(size=(4, 2, 3, 3)), dilation=2),
        bl.Conv2D(rng.normal(size=(4, 1, 3, 3)), groups=2),
    ):
        assert counted(with_scores(rng, [other, *POOL], (2, 8, 11))) == 0
    wide = bl.Conv2D(rng.normal(size=(16, 16, 3, 3)), padding=1)
    assert counted(with_scores(rng, [wide, *POOL], (16, 8, 8))) == 0  # by Winograd's method


@pytest.mark.parametrize("method", [bl.guided_backprop, bl.deconvnet])
def test_other_rules_of_the_relu(rng, method, monkeypatch):
    conv = bl.Conv2D(grid(rng, 4, 2, 3, 3), grid(rng, 4), padding=1)
    model = ending(rng, [conv, *POOL], (2, 9, 12))
    X = grid(rng, LANES + 1, 2, 9, 12, most=1)
    found = method(model, X, 1)
    alone = [method(model, x[None], 1) for x in X]
    np.testing.assert_array_equal(found, np.concatenate(alone))
    np.testing.assert_array_equal(found, again(method, model, monkeypatch, X, 1))


@pytest.mark.parametrize("rule", ["epsilon", "epsilon_plus", "epsilon_gamma_box"])
def test_relevances(rng, monkeypatch, rule):
    """Summed directly, of many channels as well; by rules of other sums as before."""
    convs = [
        bl.Conv2D(rng.normal(size=(16, 1, 5, 5)) / 5, rng.normal(size=16) / 8, padding=2),
        bl.Conv2D(rng.normal(size=(17, 16, 3, 3)) / 12, rng.normal(size=17) / 8),
    ]
    layers = [convs[0], *POOL, convs[1], bl.MaxPool2D(2), bl.ReLU()]
    model = with_scores(rng, layers, (1, 14, 19))
    X = np.abs(normal(rng, 1, 14, 19, count=LANES + 1))
    names = []
    emit = Tape.emit

    def listed(tape, kernel, *own, **operands):
        names.append(kernel.name)
        emit(tape, kernel, *own, **operands)

    monkeypatch.setattr(Tape, "emit", listed)
    bl.lrp(model, X[:LANES], 1, rule=rule)
    assert sum(NAME in name for name in names) == {"epsilon": 2}.get(rule, 0)
    found = bl.lrp(model, X, 1, rule=rule)
    alone = np.concatenate([bl.lrp(model, x[None], 1, rule=rule) for x in X])
    np.testing.assert_array_equal(found, alone)
    assert_close(found, again(bl.lrp, model, monkeypatch, X, 1, rule=rule), 1e-5)


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
@pytest.mark.parametrize("relu", [True, False])
def test_sums_of_steps(rng, monkeypatch, size, relu):
    """What is sent to the affine beginning is added up where it lies, by the same arithmetic."""
    conv = bl.Conv2D(rng.normal(size=(5, 2, 3, 3)), rng.normal(size=5), padding=1)
    model = with_scores(rng, [conv, *POOL[not relu :], bl.Tanh()], (2, *size))
    X = normal(rng, 2, *size, count=3)
    for options in ({"steps": 7, "baseline": 0.25}, {"steps": 2 * LANES + 3, "baseline": 0.5}):
        found = bl.integrated_gradients(model, X, 1, **options)
        np.testing.assert_array_equal(
            found, again(bl.integrated_gradients, model, monkeypatch, X, 1, **options)
        )
        with monkeypatch.context() as patch:
            patch.setattr(StepSum, "add_gradient", add_stored)
            np.testing.assert_array_equal(
                found, again(bl.integrated_gradients, model, monkeypatch, X, 1, **options)
            )


def add_stored(total, point, weight):
    """Of a gradient that is made first."""
    tensor = total.tensor
    pooling = point.chosen.pop(tensor)
    relu = pooling.inputs[0] != tensor
    stored = point.new_buffer(tensor)
    point.fill_zero(stored, point.layouts[tensor].size)
    choices.spread_back(point, pooling, stored, None, relu=relu)
    total.add(stored, weight)


def test_threads_of_a_team(rng, monkeypatch):
    """Each has a room of its own, and there are more threads than channels."""
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)
    monkeypatch.setattr(programs, "TEAM_WORK", 0)
    conv = bl.Conv2D(rng.normal(size=(7, 3, 5, 5)), rng.normal(size=7), padding=2)
    model = with_scores(rng, [conv, *POOL], (3, 20, 23))
    X = normal(rng, 3, 20, 23, count=1)
    alone = bl.gradient(model, X, 1, threads=1)
    for threads in (2, 6):
        np.testing.assert_array_equal(bl.gradient(model, X, 1, threads=threads), alone)


def test_memory_holds_anything(rng, monkeypatch):
    """What is no window counts as zero, whatever memory held before."""
    monkeypatch.setattr("backlit.engine.aligned", filled_with(np.nan))
    conv = bl.Conv2D(rng.normal(size=(3, 2, 4, 5)), rng.normal(size=3), padding=(1, 3, 2, 2))
    model = with_scores(rng, [conv, *POOL], (2, 7, 19))
    check(model, normal(rng, 2, 7, 19), 2e-5)


def test_nan_survives(rng):
    conv = bl.Conv2D(np.full((2, 1, 3, 3), np.float32(1e38)), padding=1)
    model = ending(rng, [conv, *POOL], (1, 6, 6))
    X = np.full((LANES + 1, 1, 6, 6), np.float32(1e38))  # sums overflow
    assert not np.isfinite(bl.gradient(model, X, 1, score="probability")).all()
