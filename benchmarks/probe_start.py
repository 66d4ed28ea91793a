"""Run as a process: how long until the first map, as JSON in seconds.

    python probe_start.py MODEL IMAGES

With NUMBA_CACHE_DIR at an empty folder that is compilation, with a full one loading.
"""

import json
import sys
import time

start = time.perf_counter()
import backlit as bl  # noqa: E402  (its import is what is timed)

imported = time.perf_counter()
model = bl.models.carried(sys.argv[1])
x = bl.datasets.mnist()[0][: int(sys.argv[2])].reshape(-1, *model.input_shape)
loaded = time.perf_counter()
bl.saliency(model, x)
first = time.perf_counter()
bl.saliency(model, x)
second = time.perf_counter()
print(
    json.dumps(
        {
            "import": imported - start,
            "model and data": loaded - imported,
            "first map": first - loaded,
            "second map": second - first,
        }
    )
)
