"""Run as a process: the peak memory of a network's input gradients beyond input and output.

python probe_network_memory.py CONTENDER NETWORK IMAGES THREADS
"""

import sys

import numpy as np
from contenders import CONTENDERS
from networks import NETWORKS
from probe_memory import reset_peak, status
from test_networks import pictures


def main(contender: str, name: str, images: str, threads: str) -> int:
    model = next(network for network in NETWORKS if network.name == name).make()
    run = CONTENDERS[contender](model, int(threads))
    x, target = pictures(model, int(images))
    out = np.full_like(x, 1.0)  # every page in use
    before = reset_peak()
    run(x, target, out, None)
    return status("VmHWM") - before


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
