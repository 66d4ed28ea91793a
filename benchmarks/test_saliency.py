"""Saliency of MNIST images: backlit, Captum, PyTorch and the NumPy reference side by side."""

from functools import cache

import cases
import pytest
from measure import measure

measured = cache(measure)  # a case is measured once, its contenders in turns


@pytest.mark.parametrize(
    ("case", "contender"),
    [
        pytest.param(case, contender, id=f"{case}-{contender}")
        for case in cases.TEST_SET + cases.CALLS
        for contender in ("backlit", *case.others)
    ],
)
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
