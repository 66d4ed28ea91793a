"""Input gradients and forward passes of real architectures, side by side with the peers."""

import json
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from contenders import CONTENDERS
from interleave import side_by_side
from networks import NETWORKS, Network
from vision_transformer import VIT

import backlit as bl

THREADS = 2
ROUNDS = 5
# Of millions of pre-activations some are within rounding of 0, and each sends paths to either side
MOST_APART = 5e-2
PROBE = Path(__file__).with_name("probe_network_memory.py")
SESSION = Path(__file__).with_name("probe_session.py")


@cache
def model_of(network: Network) -> bl.Model:
    return network.make()


def pictures(model: bl.Model, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random pictures, and random classes."""
    rng = np.random.default_rng(1)
    small = rng.standard_normal((count, 3, 8, 8))
    scale = model.input_shape[1] // 8
    x = small.repeat(scale, 2).repeat(scale, 3) + 0.3 * rng.standard_normal(
        (count, *model.input_shape)
    )
    return x.astype(np.float32), rng.integers(0, model.classes, count)


@cache
def gradients(network: Network) -> dict[int, dict[str, list[float]]]:
    """Seconds of each contender's rounds, by the number of images in a call."""
    model = model_of(network)
    runs = {name: make(model, THREADS) for name, make in CONTENDERS.items()}
    measured = {}
    for count in network.batches:
        x, target = pictures(model, count)
        outs = {name: np.zeros_like(x) for name in runs}

        def call(name, x=x, target=target, outs=outs):
            return lambda: runs[name](x, target, outs[name], None)

        calls = {name: call(name) for name in runs}
        for explain in calls.values():
            explain()
        apart = max(far_apart(outs["backlit"], outs[peer]) for peer in ("captum", "pytorch"))
        assert apart < MOST_APART, f"maps of {network} differ by {apart}"
        measured[count] = side_by_side(calls, ROUNDS)
    return measured


def far_apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The share of the maps' mass that differs."""
    return float(np.abs(ours - theirs).sum() / np.abs(theirs).sum())


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("network", [*NETWORKS, VIT], ids=str)
def test_input_gradient(network, contender, benchmark, replay, record):
    measured = gradients(network)

    def per_image(name, count):
        return statistics.median(measured[count][name]) / count

    best = {name: min(network.batches, key=lambda n: per_image(name, n)) for name in CONTENDERS}
    benchmark.group = str(network)
    count = best[contender]
    replay(benchmark, measured[count][contender])
    model = model_of(network)
    seconds = per_image(contender, count)
    record(
        "networks",
        {
            "network": network.name,
            "contender": contender,
            "threads": THREADS,
            "batch": count,
            "seconds": seconds,
            "single": per_image(contender, 1),
            "rate": 4 * model._programs.work / seconds / THREADS,
            "ratio": seconds / per_image("backlit", best["backlit"]),
            "single ratio": per_image(contender, 1) / per_image("backlit", 1),
            "target": network.goals.get(contender),
            "single target": network.single.get(contender),
        },
    )


@pytest.mark.parametrize("network", [n for n in NETWORKS if n.forward], ids=str)
def test_forward(network, benchmark, replay, record, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = model_of(network)
    path = tmp_path / "network.onnx"
    bl.save(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    times = {}
    for count in (1, 8):
        x, _ = pictures(model, count)
        theirs, ours = session.run(None, {name: x})[0], model.logits(x, threads=THREADS)
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
        runs = {
            "backlit": lambda x=x: model.logits(x, threads=THREADS),
            "onnxruntime": lambda x=x: session.run(None, {name: x}),
        }
        for who, seconds in side_by_side(runs, 4 * ROUNDS).items():
            times.setdefault(who, {})[count] = [s / count for s in seconds]
    best = {who: min(map(statistics.median, by.values())) for who, by in times.items()}
    benchmark.group = f"{network} forward"
    replay(benchmark, times["backlit"][8])
    record(
        "forward",
        {
            "network": network.name,
            "threads": THREADS,
            "version": onnxruntime.__version__,
            **best,
            "target": network.forward,
        },
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_memory(network, contender, record):
    count = network.batches[1]
    arguments = [contender, network.name, str(count), str(THREADS)]
    output = subprocess.check_output([sys.executable, PROBE, *arguments], text=True)
    row = {"network": network.name, "contender": contender, "images": count, "bytes": int(output)}
    record("network memory", row)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_session(network, record):
    """Many methods on one picture: what each further one takes."""
    command = [sys.executable, SESSION, network.name, str(THREADS)]
    for _ in range(2):  # the first time, kernels are compiled
        first, *others = json.loads(subprocess.check_output(command, text=True)).values()
    row = {"network": network.name, "methods": 1 + len(others), "first": first[0]}
    row |= {"other": statistics.median(seconds for seconds, _ in others)}
    record("session", row | {"after one": first[1], "after all": others[-1][1]})
