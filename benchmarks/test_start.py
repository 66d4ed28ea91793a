"""Compile time on a fresh cache, and what a second process waits for its first map."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cases import MODELS

PROBE = Path(__file__).with_name("probe_start.py")


@pytest.mark.parametrize("model", MODELS)
def test_start(model, record, tmp_path):
    for cache in ("empty", "filled"):
        start = time.perf_counter()
        output = subprocess.check_output(
            [sys.executable, PROBE, model],
            text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        )
        row = {"model": model, "cache": cache, "process": time.perf_counter() - start}
        record("start", row | json.loads(output))
