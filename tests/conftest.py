"""What tests share."""

import numpy as np
import pytest

import backlit as bl


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def mnist():
    return bl.datasets.mnist()


@pytest.fixture(scope="session")
def models():
    return {name: bl.models.carried(name) for name in bl.models.NAMES}
