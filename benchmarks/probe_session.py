"""Run as a process: many methods on one picture, one after the other, as JSON.

    python probe_session.py NETWORK THREADS

Of each method, the seconds of its first call and the bytes resident after it beyond those at the
start; kernels are compiled before, by the same calls in a process before this one.
"""

import json
import sys
import time

from networks import NETWORKS
from probe_memory import status
from test_networks import pictures

import backlit as bl

METHODS = {
    "saliency": {},
    "input_x_gradient": {},
    "guided_backprop": {},
    "smoothgrad": {"samples": 4},
    "integrated_gradients": {"steps": 4},
    "deeplift": {},
    "lrp": {},
    "grad_cam": {},
    "grad_cam_plus_plus": {},
    "layer_cam": {},
    "full_grad": {},
    "occlusion": {"window": 32},
}


def main(name: str, threads: str) -> dict[str, tuple[float, int]]:
    model = next(network for network in NETWORKS if network.name == name).make()
    x, target = pictures(model, 1)
    before, found = status("VmRSS"), {}
    for method, options in METHODS.items():
        start = time.perf_counter()
        getattr(bl, method)(model, x, target, threads=int(threads), **options)
        found[method] = time.perf_counter() - start, status("VmRSS") - before
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
