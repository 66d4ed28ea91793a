"""Attribution methods: backlit and its peers side by side; memory of integrated gradients."""

import importlib.metadata
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from method_cases import CASES
from method_measure import measure_method

measured = cache(measure_method)
PAIRS = [pytest.param(c, p, id=f"{c}-{p}".replace(" ", "-")) for c in CASES for p in c.peers]
PROBE = Path(__file__).with_name("probe_path_memory.py")


@pytest.mark.parametrize(("case", "peer"), PAIRS)
def test_method(case, peer, benchmark, replay, record):
    measurement = measured(case)
    if peer in measurement.missing:
        pytest.skip(f"{peer}: {measurement.missing[peer]}")
    benchmark.group = f"{case}"
    replay(benchmark, measurement.times[peer])
    agreement = measurement.agreement[peer]
    record(
        "methods",
        {
            "method": case.method,
            "model": case.model,
            "images": case.images,
            "threads": 2,
            "peer": peer,
            "version": importlib.metadata.version(peer.split()[0].lower()),
            "backlit": measurement.median("backlit"),
            "seconds": measurement.median(peer),
            "fastest": min(measurement.times[peer]),
            "fastest_backlit": min(measurement.times["backlit"]),
            "rounds": len(measurement.times[peer]),
            "batch": str(measurement.batches[peer]),
            "ratio": measurement.ratio(peer),
            "target": case.peers[peer].goal,
            "random": case.random,
            "rounding": agreement.rounding,
            "kinks": agreement.kinks,
            "distance": agreement.distance,
        },
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("images", "steps"), [(10_000, 1000)])
def test_path_memory(images, steps, benchmark, replay, record):
    arguments = ["mnist_cnn", images, steps]
    output = subprocess.check_output([sys.executable, PROBE, *map(str, arguments)], text=True)
    size, seconds = output.split()
    replay(benchmark, [float(seconds)])
    row = {"model": "mnist_cnn", "images": images, "steps": steps, "bytes": int(size)}
    record("path memory", row)
