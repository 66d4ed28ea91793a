"""What steps take from arrays: an entry each, up to a whole number of vectors of lanes."""

import numpy as np
from backlit_kernels.vector import LANES


def step_values(values: np.ndarray, per_step: int = 1) -> np.ndarray:
    """An array of `per_step` entries a step; idle lanes repeat the last step's."""
    steps = len(values) // per_step
    more = np.repeat(values[None, -per_step:], -steps % LANES, axis=0)
    return np.ascontiguousarray(np.concatenate([values, *more]), dtype=np.float32)


def step_weights(weights: np.ndarray) -> np.ndarray:
    """An array of weights; those of idle lanes are 0."""
    return np.pad(weights, (0, -len(weights) % LANES)).astype(np.float32)
