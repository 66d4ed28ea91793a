"""The slow float64 NumPy reference of the tests, as one more contender."""

import numpy as np
from contenders import Run

import backlit as bl


def reference(model: bl.Model, threads: int) -> Run:
    """Written from definitions, in loops; NumPy's threads are its own."""
    from tests.reference.network import input_gradient  # probes in processes do not see it

    def run(x, target, out, batch):
        np.abs(input_gradient(model, x, target), out=out)

    return run
