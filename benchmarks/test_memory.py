"""Peak memory of the 10,000-image job beyond input and output, in a process for each."""

import subprocess
import sys
from pathlib import Path

import pytest
from cases import MODELS

PROBE = Path(__file__).with_name("probe_memory.py")
BATCH = {"backlit": 0, "captum": 256}  # Captum is about as fast with more, and takes more


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("warm", [16, 0])  # the first of them fills the disk cache
@pytest.mark.parametrize("contender", BATCH)
@pytest.mark.parametrize("model", MODELS)
def test_peak_memory(model, contender, warm, record):
    batch = BATCH[contender]
    arguments = [contender, model, 10_000, 2, batch, warm]
    output = subprocess.check_output([sys.executable, PROBE, *map(str, arguments)], text=True)
    record(
        "memory",
        {
            "model": model,
            "contender": contender,
            "threads": 2,
            "batch": batch or None,
            "warm": bool(warm),
            "bytes": int(output),
        },
    )
