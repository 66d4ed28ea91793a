"""Quadrature: at which points of a path the gradient is taken, and how much each counts."""

from functools import cache

import numpy as np

from backlit.checks import not_among

RULES = ("gauss_legendre", "trapezoid", "riemann_left", "riemann_right", "riemann_middle")


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions in [0, 1] and weights, which add up to 1, of a textbook rule."""
    grid = np.arange(steps)
    even = np.full(steps, 1 / steps)
    if rule == "gauss_legendre":
        return gauss_legendre(steps)
    if rule == "riemann_left":
        return grid / steps, even
    if rule == "riemann_right":
        return (grid + 1) / steps, even
    if rule == "riemann_middle":
        return (grid + 0.5) / steps, even
    if rule == "trapezoid":
        if steps < 2:
            raise ValueError(f"steps must be at least 2 for the trapezoid rule, got {steps}")
        ends = (grid == 0) | (grid == steps - 1)
        return grid / (steps - 1), np.where(ends, 0.5, 1.0) / (steps - 1)
    raise not_among("rule", rule, RULES)


@cache
def gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre positions and weights on [0, 1], by Newton's method on the recurrence.

    Quadratic in the number of steps, where an eigenvalue problem would be cubic.
    """
    x = np.cos(np.pi * (np.arange(steps, 0, -1) - 0.25) / (steps + 0.5))
    for _ in range(6):
        before, value = np.ones(steps), x.copy()
        for n in range(2, steps + 1):
            before, value = value, ((2 * n - 1) * x * value - (n - 1) * before) / n
        slope = steps * (x * value - before) / (x * x - 1)
        x = x - value / slope
    return (x + 1) / 2, 1 / ((1 - x * x) * slope * slope)
