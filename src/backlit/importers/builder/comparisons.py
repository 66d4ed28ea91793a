"""Comparisons, which give 1 or 0, and choices by them."""

import numpy as np

from backlit.importers.builder.arithmetic import HIDDEN, ArithmeticBuilder
from backlit.importers.builder.nodes import Tensor, Value
from backlit.layers import Activation
from backlit.operators import AxisMap, Binary, Concatenate, Constant, Reduce, Reshape, Transpose

# How to compare by the sign of the difference: whether that is turned, and what equal ones give
STEPS = {
    "greater": (False, 0.0),
    "less": (True, 0.0),
    "greater_equal": (False, 1.0),
    "less_equal": (True, 1.0),
}


OPPOSITE = ("scale", (-1.0, 1.0))


class ComparisonBuilder(ArithmeticBuilder):
    """Masks: tensors of ones and zeros, whose derivative is 0, as of any step."""

    def compare(self, function: str, a: Value, b: Value) -> Tensor:
        """greater, less, greater_equal, less_equal, equal or not_equal, by NumPy's names."""
        if function in STEPS:
            turned, at_zero = STEPS[function]
            difference = self.binary("subtract", *((b, a) if turned else (a, b)))
            return self.activation(difference, "step", at_zero=at_zero)
        sides = (self.compare(side, a, b) for side in ("greater_equal", "less_equal"))
        equal = self.binary("multiply", *sides)
        return equal if function == "equal" else self.opposite(equal)

    def is_mask(self, x: Tensor) -> bool:
        """Whether a tensor holds ones and zeros only, by the operations that make it."""
        node = self.graph.producer(x.number)
        if node is None:
            return False
        layer = node.layer
        if isinstance(layer, Constant):
            return bool(np.isin(layer.values, (0, 1)).all())
        if isinstance(layer, Activation) and layer.name == "step":
            return layer.parameters[0] in (0, 1)
        turned = isinstance(layer, Activation) and (layer.name, layer.parameters) == OPPOSITE
        logic = isinstance(layer, Binary) and layer.function in ("multiply", "larger")
        moves = isinstance(layer, Reshape | Transpose | Concatenate)
        moves |= isinstance(layer, Reduce) and layer.function == "larger"
        if isinstance(layer, AxisMap):
            moves = bool((np.diff(layer.starts) <= 1).all() and (layer.weights == 1).all())
        known = turned or logic or moves
        return known and all(self.is_mask(self.of(number)) for number in node.inputs)

    def opposite(self, mask: Tensor) -> Tensor:
        return self.activation(mask, "scale", factor=-1.0, shift=1.0)

    def both(self, a: Value, b: Value) -> Tensor:
        """Where two masks hold."""
        return self.binary("multiply", a, b)

    def any_of(self, a: Value, b: Value) -> Tensor:
        """Where one of two masks holds, or both."""
        return self.binary("larger", a, b)

    def sign(self, x: Tensor) -> Tensor:
        """1 above 0, -1 below."""
        steps = self.activation(x, "step", at_zero=0.5)
        return self.activation(steps, "scale", factor=2.0, shift=-1.0)

    def floor(self, x: Tensor) -> Tensor:
        """The nearest whole number that is not above."""
        nearest = self.activation(x, "round")
        return self.binary("subtract", nearest, self.compare("greater", nearest, x))

    def ceil(self, x: Tensor) -> Tensor:
        """The nearest whole number that is not below."""
        nearest = self.activation(x, "round")
        return self.binary("add", nearest, self.compare("less", nearest, x))

    def choose(self, mask: Value, a: Value, b: Value) -> Tensor:
        """Where a mask holds, a, else b: what it takes from each side, added up."""
        if isinstance(mask, Tensor):
            return self._choose_by_tensor(mask, a, b)
        parts: list[Value] = []
        for value, chosen in ((a, mask), (b, ~mask)):
            if isinstance(value, Tensor):
                parts.append(self.binary("multiply", value, chosen.astype(np.float32)))
            else:  # not a product: infinity times zero is not zero
                parts.append(np.where(chosen, np.asarray(value), 0.0))
        return self.binary("add", *parts)

    def _choose_by_tensor(self, mask: Tensor, a: Value, b: Value) -> Tensor:
        """A tensor that is not finite where it is not chosen gives NaN, as its gradient would."""
        parts = []
        for value, share in ((a, mask), (b, self.opposite(mask))):
            if not isinstance(value, Tensor):
                value = np.clip(value, HIDDEN, -HIDDEN)
                if value.size == 1 and not value.any():
                    continue
            parts.append(self.binary("multiply", share, value))
        if len(parts) == 1:
            return parts[0]
        return self.binary("add", *(parts or [mask, self.opposite(mask)]))
