"""What tests share."""

import os

import numpy as np
import pytest
from hypothesis import settings

import backlit as bl

# The same examples in every run; HYPOTHESIS_PROFILE=default draws new ones, and more of some.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def mnist():
    return bl.datasets.mnist()


@pytest.fixture(scope="session")
def models():
    return {name: bl.models.carried(name) for name in bl.models.NAMES}
