"""Saliency of MNIST images: backlit, Captum and plain PyTorch side by side."""

import statistics
from functools import cache

import agreement
import cases
import numpy as np
import pytest
from contenders import CONTENDERS
from interleave import side_by_side
from measure import images, measure
from torch_models import to_torch

import backlit as bl
from tests.reference.network import input_gradient

measured = cache(measure)  # a case is measured once, its contenders in turns


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("case", cases.TEST_SET + cases.CALLS, ids=str)
def test_saliency(case, contender, benchmark, replay, record):
    measurement = measured(case)
    benchmark.group = str(case)
    replay(benchmark, measurement.times[contender])
    record(
        "saliency",
        {
            "group": case.group,
            "model": case.model,
            "images": case.images,
            "threads": case.threads,
            "contender": contender,
            "seconds": measurement.median(contender),
            "fastest": min(measurement.times[contender]),
            "rounds": len(measurement.times[contender]),
            "batch": measurement.batches[contender],
            "ratio": measurement.ratio(contender),
            "target": cases.target(case, contender),
            "kinks": measurement.kinks.get(contender),
        },
    )


REFERENCE_IMAGES = {"mnist_fc": 256, "mnist_cnn": 64}


@pytest.mark.parametrize("model", REFERENCE_IMAGES)
def test_reference(model, record):
    """The slow float64 NumPy reference of the tests, on a few images, against all 10,000."""
    network = bl.models.carried(model)
    x, target = images(network, 10_000)
    out = np.zeros_like(x)
    few = slice(0, REFERENCE_IMAGES[model])
    expected = np.abs(input_gradient(network, x[few], target[few]))
    times = side_by_side(
        {
            "backlit": lambda: bl.saliency(network, x, target, threads=2, out=out),
            "reference": lambda: input_gradient(network, x[few], target[few]),
        },
        rounds=5,
    )
    agreement.check(out[few], expected, x[few], to_torch(network))
    per_image = {
        "backlit": statistics.median(times["backlit"]) / len(x),
        "reference": statistics.median(times["reference"]) / len(x[few]),
    }
    row = {"model": model, "images": len(x[few]), "threads": 2}
    record("reference", row | per_image)
