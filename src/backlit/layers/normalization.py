"""Batch normalisation at inference."""

from dataclasses import dataclass

import numpy as np

from backlit.checks import number
from backlit.layers.base import Layer, Shape, vector_array, weight_array


@dataclass(frozen=True, eq=False, repr=False)
class BatchNorm(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel (or feature).

    Parameters
    ----------
    gamma, beta, mean, variance : arrays of shape (channels,)
    epsilon : float, default 1e-5

    Raises
    ------
    ValueError, TypeError
        For arrays of wrong shape or kind, or with NaN or infinite values; for a negative variance;
        where variance + epsilon is not positive.
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        gamma = weight_array("gamma", self.gamma, 1, "(channels,)")
        others = {n: vector_array(n, getattr(self, n), len(gamma)) for n in ("beta", "mean")}
        variance = vector_array("variance", self.variance, len(gamma))
        if (variance < 0).any():
            raise ValueError(f"variance must not be negative, got {variance.min()}")
        epsilon = number("epsilon", self.epsilon)
        if (variance + epsilon <= 0).any():
            raise ValueError(f"variance + epsilon must be positive, got epsilon {epsilon}")
        self._set(gamma=gamma, variance=variance, epsilon=epsilon, **others)

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] != len(self.gamma):
            raise ValueError(
                f"BatchNorm has {len(self.gamma)} channels, but its input has shape {shape}"
            )
        return shape

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """The layer as ``scale * x + shift``, float64."""
        deviation = np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        scale = self.gamma / deviation
        return scale, self.beta - self.mean * scale
