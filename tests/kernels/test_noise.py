"""Counter-based random numbers: statistics, and the same bits everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from backlit_kernels import fold
from backlit_kernels.functions import cosine, sine
from backlit_kernels.kernel import kernel
from backlit_kernels.noise import add_noise, running_variance
from backlit_kernels.samples import load_samples, store_samples
from backlit_kernels.vector import LANES, load, store

from backlit.engine import Job, Part, run_parts
from backlit.streams import check_seed, stream_keys
from backlit.tape import Tape


def noise(keys, steps, height, width, lanes, antithetic=False):
    """The noise of every sample and step, as (samples, steps, height, width)."""
    count = keys.shape[1]
    operands = {"channels": 1, "height": height, "width": width, "plane": 0}
    operands |= {"row": width * lanes, "lanes": lanes}
    tape = Tape()
    x, out = (tape.buffer(height * width * lanes + LANES) for _ in range(2))
    key, other, scale = (tape.buffer(lanes) for _ in range(3))
    tape.section = "prologue"
    tape.emit(
        load_samples,
        port=0,
        out=x,
        per_sample=1,
        per_step=0,
        first=0,
        entries=0,
        **operands,
    )
    for port, values, per_sample in ((2, key, 1), (3, other, 1), (4, scale, 0)):
        entries = {"port": port, "per_sample": per_sample, "per_step": 0, "first": 0}
        tape.emit(fold.load_lane_values, out=values, lanes=lanes, **entries)
    tape.section = "body"
    rule = {"scale": scale, "antithetic": int(antithetic)}
    tape.emit(add_noise, x=x, out=out, key=key, other=other, **rule, **operands)
    entries = {"port": 1, "per_sample": steps, "per_step": 1}
    tape.emit(store_samples, x=out, magnitude=0, **entries, **operands)
    result = np.empty((count, steps, height, width), np.float32)
    zeros, one = np.zeros((count, height, width), np.float32), np.ones(1, np.float32)
    job = Job(tape.link(lanes), [zeros, result, *np.ascontiguousarray(keys), one], steps)
    assert run_parts([Part(job, 0, count, (0, steps))], 1)
    return result


def keys_of(count, seed=0):
    return stream_keys(np.arange(count, dtype=np.float32)[:, None], seed)


@pytest.fixture(scope="module")
def many():
    """400 samples' noise at 30 steps, 16 x 15 elements: 2.9 million numbers."""
    return noise(keys_of(400), 30, 16, 15, LANES).astype(np.float64)


def test_moments(many):
    """Mean, variance, skewness and kurtosis within five standard errors of a normal's."""
    n = many.size
    moments = [np.mean(many**power) for power in (1, 2, 3, 4)]
    errors = np.sqrt(np.array([1, 2, 15, 96]) / n)
    assert (np.abs(moments - np.array([0, 1, 0, 3])) < 5 * errors).all()
    assert 4.5 < np.abs(many).max() < 7


def test_distribution_function(many):
    """The shares below a few thresholds: against the normal's quantiles."""
    thresholds = np.array([-3.0902, -1.6449, -0.6745, 0.0, 0.2533, 1.2816, 2.3263])
    expected = np.array([0.001, 0.05, 0.25, 0.5, 0.6, 0.9, 0.99])
    share = np.array([(many < t).mean() for t in thresholds])
    assert (np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / many.size)).all()


@pytest.mark.parametrize("of", ["sample", "step", "element"])
@pytest.mark.parametrize("power", [1, 2])
def test_uncorrelated(many, of, power):
    """No two samples, steps or elements go together, nor do their sizes."""
    values = many**power - (power == 2)
    axis = {"sample": 0, "step": 1, "element": 2}[of]
    rows = np.moveaxis(values.reshape(400, 30, 240), axis, 0)
    rows = rows.reshape(len(rows), -1) / np.sqrt([1.0, 2.0][power - 1])
    correlation = rows @ rows.T / rows.shape[1]
    standard = correlation[np.triu_indices(len(rows), 1)] * np.sqrt(rows.shape[1])
    assert np.abs(standard).max() < 6
    assert abs(standard.std() - 1) < 0.2


def test_streams_of_other_seeds_are_unrelated(many):
    other = noise(keys_of(400, seed=1), 30, 16, 15, LANES)
    assert abs((other * many).mean()) < 5 / np.sqrt(many.size)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (2, 7), (5, 29), (1, 70)])
def test_same_bits_whatever_the_lanes(height, width):
    keys = keys_of(2 * LANES + 3)
    single = noise(keys, 3, height, width, 1)
    for lanes in (LANES, 2 * LANES):
        np.testing.assert_array_equal(noise(keys, 3, height, width, lanes), single)
    np.testing.assert_array_equal(noise(keys[:, 5:6], 3, height, width, 1), single[5:6])


def test_antithetic_pairs():
    pairs = noise(keys_of(5), 6, 4, 5, 1, antithetic=True)
    np.testing.assert_array_equal(pairs[:, 1::2], -pairs[:, ::2])
    np.testing.assert_array_equal(pairs[:, ::2], noise(keys_of(5), 3, 4, 5, 1))


SCRIPT = """
import sys, numpy as np
from tests.kernels.test_noise import keys_of, noise
np.save(sys.argv[1], noise(keys_of(2), 2, 3, 5, int(sys.argv[2])))
"""


@pytest.mark.parametrize("lanes", [1, LANES])
def test_uncompiled_kernel_draws_the_same(lanes, tmp_path):
    path = tmp_path / "noise.npy"
    command = [sys.executable, "-c", SCRIPT, str(path), str(lanes)]
    root = Path(__file__).parents[2]
    subprocess.run(command, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=root, check=True)
    np.testing.assert_allclose(np.load(path), noise(keys_of(2), 2, 3, 5, lanes), rtol=1e-6)


def test_keys_depend_on_values_alone():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((300, 2, 3)).astype(np.float32)
    keys = stream_keys(samples, 7)
    order = rng.permutation(300)
    np.testing.assert_array_equal(stream_keys(samples[order], 7), keys[:, order])
    np.testing.assert_array_equal(stream_keys(samples[:1], 7), keys[:, :1])
    assert len(np.unique(keys.view(np.uint32), axis=1).T) == 300
    assert not (stream_keys(samples, 8) == keys).all(axis=0).any()
    assert np.isfinite(keys).all()
    np.testing.assert_array_equal(
        stream_keys(np.zeros((1, 3), np.float32), 0), stream_keys(-np.zeros((1, 3), np.float32), 0)
    )


def test_keys_of_black_and_white_images_differ():
    images = (np.arange(4096)[:, None] >> np.arange(12) & 1).astype(np.float32)
    assert len(np.unique(stream_keys(images, 0).view(np.uint32), axis=1).T) == 4096


def test_seeds():
    assert check_seed(3) == check_seed(np.int64(3)) == 3
    generator = np.random.default_rng(5)
    assert check_seed(generator) != check_seed(generator)
    assert check_seed(np.random.default_rng(5)) == check_seed(np.random.default_rng(5))
    with pytest.raises(ValueError, match="seed"):
        check_seed(-1)
    for wrong in (1.5, "1", True, None):
        with pytest.raises(TypeError, match="seed"):
            check_seed(wrong)


@kernel
def sine_and_cosine(arena, x, s, c, size):
    for i in range(0, size, LANES):
        store(arena, s + i, sine(load(arena, x + i)))
        store(arena, c + i, cosine(load(arena, x + i)))


def run_on_floats(emit, *inputs, results, repeats=1):
    """Run what `emit` writes on arrays of one size; returns `results` buffers of that size."""
    size = inputs[0].shape[-1]
    tape = Tape(section="prologue")
    buffers = [tape.buffer(size) for _ in range(len(inputs) + results)]
    image = {"channels": 1, "height": 1, "width": size, "plane": 0, "row": 0, "lanes": 1}
    for port, buffer in enumerate(buffers):
        per_step = {"per_sample": 1, "per_step": 0}
        tape.section = "prologue" if port >= len(inputs) or inputs[port].ndim == 1 else "body"
        if tape.section == "body":
            per_step = {"per_sample": 0, "per_step": 1}
        whole = {"first": 0, "entries": 0}
        tape.emit(load_samples, port=port, out=buffer, **per_step, **whole, **image)
    tape.section = "body"
    emit(tape, buffers, size)
    tape.section = "epilogue"
    for port, buffer in list(enumerate(buffers))[len(inputs) :]:
        entries = {"per_sample": 1, "per_step": 0}
        tape.emit(store_samples, port=port, x=buffer, magnitude=0, **entries, **image)
    outputs = [np.zeros((1, size), np.float32) for _ in range(results)]
    job = Job(tape.link(1), [*inputs, *outputs], repeats)
    assert run_parts([Part(job, 0, 1, (0, repeats))], 1)
    return [output[0] for output in outputs]


def test_sine_and_cosine():
    x = np.linspace(-np.pi / 4, np.pi / 4, 4096).astype(np.float32)

    def emit(tape, buffers, size):
        tape.emit(sine_and_cosine, x=buffers[0], s=buffers[1], c=buffers[2], size=size)

    s, c = run_on_floats(emit, x, results=2)
    np.testing.assert_allclose(s, np.sin(x.astype(np.float64)), rtol=2e-7)
    np.testing.assert_allclose(c, np.cos(x.astype(np.float64)), rtol=2e-7)


def test_running_variance():
    """Against NumPy's, with a mean that is large beside the spread."""
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((25, 64)) + 1000).astype(np.float32)

    def emit(tape, buffers, size):
        x, mean, variance = buffers
        tape.emit(running_variance, x=x, mean=mean, variance=variance, size=size)

    mean, variance = run_on_floats(emit, values, results=2, repeats=25)
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance, values.var(axis=0, dtype=np.float64), rtol=1e-3)
