"""Functions of one number x with their derivatives, by name.

Each takes up to three parameters: p, q and r. Derivatives at kinks are PyTorch's.
"""

from backlit_kernels.unary_functions import (  # noqa: F401 - importing them fills the tables
    elementary,
    piecewise,
    smooth,
)
from backlit_kernels.unary_functions.piecewise import LET_NOTHING_PASS
from backlit_kernels.unary_functions.registry import DERIVATIVES, PARAMETERS, VALUES

__all__ = ["DERIVATIVES", "LET_NOTHING_PASS", "PARAMETERS", "VALUES"]
