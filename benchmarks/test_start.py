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


@pytest.mark.parametrize("images", [16, 17])  # one more than the lanes of tiles
@pytest.mark.parametrize("model", MODELS)
def test_start(model, images, record, tmp_path):
    for cache in ("empty", "filled"):
        start = time.perf_counter()
        output = subprocess.check_output(
            [sys.executable, PROBE, model, str(images)],
            text=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""},
        )
        seconds = {"process": time.perf_counter() - start} | json.loads(output)
        record("start", {"model": model, "images": images, "cache": cache} | seconds)
