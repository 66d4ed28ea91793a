"""Axioms on networks whose values are known in closed form."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

SHAPLEY = {
    "exact_shapley": {},
    "kernel_shap": {"samples": "exact"},
    "shapley_sampling": {"samples": 2},  # both orders of two players
    "partition_shap": {},
}
# Of two bits a and b: or = 1 - relu(1 - a - b), xor = relu(a + b) - 2 relu(a + b - 1)
GATES = {
    "and": bl.Model([bl.Dense([[1.0], [1]], [-1.0]), bl.ReLU()], (2,), outputs="values"),
    "or": bl.Model(
        [bl.Dense([[-1.0], [-1]], [1.0]), bl.ReLU(), bl.Dense([[-1.0]], [1.0])],
        (2,),
        outputs="values",
    ),
    "xor": bl.Model(
        [bl.Dense([[1.0, 1], [1, 1]], [0.0, -1]), bl.ReLU(), bl.Dense([[1.0], [-2]])],
        (2,),
        outputs="values",
    ),
}
BITS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
VALUES = {
    "and": [[0, 0], [0, 0], [0, 0], [0.5, 0.5]],
    "or": [[0, 0], [0, 1], [1, 0], [0.5, 0.5]],
    "xor": [[0, 0], [0, 1], [1, 0], [0, 0]],
}


@pytest.mark.parametrize("gate", GATES)
def test_gates_compute(gate):
    expected = {"and": BITS.all(axis=1), "or": BITS.any(axis=1), "xor": BITS.sum(axis=1) == 1}
    np.testing.assert_array_equal(GATES[gate].logits(BITS)[:, 0], expected[gate])


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("name", SHAPLEY)
def test_shapley_values_of_gates(gate, name):
    found = getattr(bl, name)(GATES[gate], BITS, segments=2, per_segment=True, **SHAPLEY[name])
    np.testing.assert_allclose(found, VALUES[gate], atol=1e-6)


@pytest.mark.parametrize("gate", GATES)
def test_paths_through_gates(gate):
    """Along a diagonal path both bits have the same gradient: each gets half of the change."""
    found = bl.integrated_gradients(GATES[gate], BITS, steps="exact")
    np.testing.assert_allclose(found, VALUES[gate], atol=1e-6)
    on = BITS[3:]  # where the plain gradient of or, and nothing else here, is 0
    assert (bl.gradient(GATES[gate], on) == 0).all() == (gate == "or")


@pytest.mark.parametrize("name", SHAPLEY)
def test_shapley_values_are_linear_in_the_model(name, rng):
    """Those of 2 f - 3 g are 2 times those of f less 3 times those of g."""
    f, g = (
        [bl.Dense(rng.normal(size=(6, 8)), rng.normal(size=8)), rng.normal(size=(8, 1))]
        for _ in range(2)
    )
    x, baseline = rng.normal(size=(2, 5, 6)).astype(np.float32)

    def values(hidden, last):
        layers = [hidden, bl.Tanh(), bl.Dense(last)]
        model = bl.Model(layers, (6,), outputs="values")
        options = {"segments": 6, "baseline": baseline, "per_segment": True, "seed": 3}
        if name in ("exact_shapley", "partition_shap"):
            del options["seed"]
        return getattr(bl, name)(model, x, **options, **SHAPLEY[name])

    both = bl.Dense(np.hstack([f[0].weights, g[0].weights]), np.concatenate([f[0].bias, g[0].bias]))
    together = values(both, np.vstack([2 * f[1], -3 * g[1]]))
    assert_close(together, 2 * values(*f) - 3 * values(*g))


INVARIANT = {
    "saliency": {},
    "gradient": {},
    "input_x_gradient": {},
    "smoothgrad": {"samples": 8},
    "integrated_gradients": {"baseline": 0.2},
    "expected_gradients": {"samples": 6},
    "guided_integrated_gradients": {},
}


@pytest.mark.parametrize("name", INVARIANT)
def test_implementation_invariance(name, rng):
    """Networks of the same function: hidden units in another order, doubled and halved, split."""
    first, last = rng.normal(size=(7, 10)), rng.normal(size=(10, 3))
    bias, order = rng.normal(size=10), rng.permutation(10)
    scales = 2.0 ** rng.integers(-2, 3, 10)  # ReLU is homogeneous
    split = np.r_[np.arange(10), 4]  # one unit twice, each with half of its weight
    halves = np.where((split == 4), 0.5, 1.0)[:, None]
    networks = [
        (first, bias, last),
        ((first * scales)[:, order], (bias * scales)[order], (last / scales[:, None])[order]),
        (first[:, split], bias[split], last[split] * halves),
    ]
    x = rng.normal(size=(9, 7)).astype(np.float32)
    options = dict(INVARIANT[name])
    if name == "expected_gradients":
        options["background"] = rng.normal(size=(4, 7)).astype(np.float32)
    maps = [
        getattr(bl, name)(bl.Model([bl.Dense(w, b), bl.ReLU(), bl.Dense(v)], (7,)), x, 1, **options)
        for w, b, v in networks
    ]
    assert_close(maps[1], maps[0])
    assert_close(maps[2], maps[0])
