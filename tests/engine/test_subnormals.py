"""Numbers below the smallest normal float32: what x86 processors are slow with counts as zero."""

import platform

import numpy as np
import pytest
from backlit_kernels.kernel import INTERPRETED

import backlit as bl

X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
TINY = np.float32(1e-40)


def a_model():
    """Its first weight of each column is subnormal."""
    weights = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    weights[0] = TINY
    return bl.Model([bl.Dense(weights, np.zeros(3, np.float32))], input_shape=(5,))


@pytest.mark.skipif(not X86 or INTERPRETED, reason="only x86 processors are told to")
@pytest.mark.parametrize("samples", [1, 40])
def test_a_subnormal_weight_counts_as_zero(samples):
    gradient = bl.gradient(a_model(), np.ones((samples, 5), np.float32), 0)
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1:] != 0).all()


@pytest.mark.parametrize("samples", [1, 40])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_caller_keeps_its_own(samples, threads):
    bl.gradient(a_model(), np.ones((samples, 5), np.float32), 0, threads=threads)
    bl.gradient(a_model(), np.ones((samples, 5), np.float32), 0, threads=threads)
    assert (np.full(64, TINY) * np.float32(0.5) > 0).all()


def test_the_caller_keeps_its_own_after_an_error():
    X = np.ones((40, 5), np.float32)
    X[20, 1] = np.nan
    with pytest.raises(ValueError, match="sample 20 holds NaN"):
        bl.gradient(a_model(), X, 0, threads=1)
    assert (np.full(64, TINY) * np.float32(0.5) > 0).all()
